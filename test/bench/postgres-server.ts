/** The embedded PostgreSQL as a process of its own: `node test/run.mjs test/bench/postgres-server.ts DIRECTORY`. Prints its URL. */
import { startPostgres } from '@perennial/embedded-postgres';

const directory = process.argv[2];
if (directory === undefined) throw new Error('which directory?');
// Heard before the server is up, so that a stop while it opens is not lost.
const stop = new Promise<void>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
});
void startPostgres({ dataDir: directory }).then(async (postgres) => {
  process.stdout.write(`${postgres.url}\n`);
  await stop;
  await postgres.close();
  process.exit(0);
});
