#!/usr/bin/env node
// `npm start`, `npm test` and the like on a fresh clone: install what is missing, build what is stale, go on. A line each.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [task, ...args] = process.argv.slice(2);
const say = (line) => process.stderr.write(`perennial: ${line}\n`);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  say(`Node 20.19 or later is needed, this is ${process.versions.node}`);
  process.exit(1);
}

function filesBelow(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

function fingerprint(files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Runs `work` unless the stamp says that it was done for just these inputs. */
function unlessDone(stamp, wanted, what, work) {
  const file = join(root, stamp);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return;
  const started = Date.now();
  say(`${what} ...`);
  work();
  writeFileSync(file, wanted);
  say(`${what}: done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

function run(command, parameters) {
  const { status, error } = spawnSync(command, parameters, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (error) say(String(error));
  if (status !== 0) process.exit(status ?? 1);
}

unlessDone(
  'node_modules/.perennial-installed',
  fingerprint(['package-lock.json']),
  'installing packages (npm ci)',
  () => run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']),
);
const sources = [...filesBelow('apps'), ...filesBelow('libs')].filter(
  (file) => /\.(ts|js|mjs|cjs|json|sql)$/.test(file) && !/\.(int-)?spec\.ts$/.test(file),
);
unlessDone(
  'dist/.built',
  fingerprint([...sources, 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json']),
  'building',
  () => {
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    run(process.execPath, ['node_modules/@nestjs/cli/bin/nest.js', 'build']);
  },
);

const programs = {
  start: ['dist/apps/standalone/src/main.js'],
  test: ['node_modules/jest/bin/jest.js'],
  bench: ['test/run.mjs', 'test/bench/bench.ts'],
  faults: ['test/run.mjs', 'test/faults/faults.ts'],
  simulate: ['--max-semi-space-size=64', 'test/run.mjs', 'test/simulation/simulate.ts'],
};
const doing = { start: 'starting', test: 'testing', bench: 'measuring', faults: 'doing harm', simulate: 'simulating' };
const program = programs[task];
if (!program) {
  say(`usage: launch.mjs ${Object.keys(programs).join('|')} [arguments]`);
  process.exit(2);
}
say(doing[task]);
const child = spawn(process.execPath, [...program, ...args], { cwd: root, stdio: 'inherit' });
// A terminal's Ctrl-C reaches the child by itself; what a supervisor sends to this process alone is handed on.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
// npm hands SIGTERM to a shell that dies without telling anyone: this process is then somebody else's child.
const parent = process.ppid;
setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 250).unref();
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
