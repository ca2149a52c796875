/**
 * What the bare client does where it can take the process with it: run by write-side-defects.int-spec.ts as a process
 * of its own. `node write-side-bare.mjs <scenario> <url> [<other url>]`; prints what happened, or dies of it.
 */
import db from '@eventstore/db-client';

const [, , scenario, url, other] = process.argv;
const connect = (to) => db.EventStoreDBClient.connectionString(to);
const event = (data = {}) => db.jsonEvent({ type: 'Happened', data });
const settled = (promise) =>
  promise.then(
    () => 'written',
    (error) => `${error.type ?? error.name}`,
  );

const scenarios = {
  /** An error of the one client's stream takes the other client's pending append; its late answer then throws. */
  async 'promise-table'() {
    const [broken, late] = [connect(url), connect(other)];
    const appends = [broken, late].map((client) => client.appendToStream('promise-table', event()));
    process.stdout.write(`${(await Promise.all(appends.map(settled))).join()}\n`);
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    process.stdout.write('survived\n');
  },
  /** JSON.stringify throws inside an async promise executor. */
  async bigint() {
    process.stdout.write(`${await settled(connect(url).appendToStream('bigint', event({ n: 1n })))}\n`);
  },
  /** The deadline that is sent is a point in time of a clock that is 20 s behind. */
  async 'slow-clock'() {
    const now = Date.now;
    Date.now = () => now() - 20_000;
    process.stdout.write(`${await settled(connect(url).appendToStream(`clock-${now()}`, event()))}\n`);
  },
};

await scenarios[scenario]();
process.exit(0);
