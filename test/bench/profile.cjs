// Preloaded with BENCH_PROFILE=DIRECTORY into every program that a benchmark starts: writes a CPU profile when it ends.
const { isMainThread } = require('node:worker_threads');
if (isMainThread && /dist.apps/.test(process.argv[1] ?? '')) {
  const { writeFileSync } = require('node:fs');
  const { basename, dirname, join } = require('node:path');
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  process.once('exit', () => {
    const program = basename(dirname(dirname(process.argv[1])));
    const file = join(process.env.BENCH_PROFILE, `${program}-${process.pid}.cpuprofile`);
    session.post('Profiler.stop', (_, { profile }) => writeFileSync(file, JSON.stringify(profile)));
  });
}
