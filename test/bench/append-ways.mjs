/**
 * BatchAppend and Append side by side: `npm run build && node test/bench/append-ways.mjs [seconds] [url]`. Single-event
 * appends of 64 callers through the bare client both ways and through the adapter, in turns, and whole commands of the
 * repository, on the embedded server in memory (a worker thread) or the one at `url`. Rates are per second.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';

const require = createRequire(import.meta.url);
const { EventStoreDBClient, jsonEvent } = require('@eventstore/db-client');
const { AggregateRepository, EventStore } = require('../../dist/libs/event-sourcing/src/index.js');

const SECONDS = Number(process.argv[2] ?? 2);
const ROUNDS = 5;
const CALLERS = 64;

const embedded = process.argv[3]
  ? undefined
  : await require('../../dist/libs/embedded-eventstore/src/index.js').startEventStoreWorker();
const url = process.argv[3] ?? embedded.url;
const data = { effectiveAt: '2026-01-01T00:00:00.000Z', lineItemId: randomUUID(), description: 'x'.repeat(200) };
const client = EventStoreDBClient.connectionString(url);
const store = EventStore.connect({ url });
const unary = EventStore.connect({ url, appendWith: 'append' });
const repository = new AggregateRepository(
  {
    name: 'counter',
    catalog: { Counted: [] },
    initial: { count: 0 },
    evolve: ({ count }) => ({ count: count + 1 }),
    snapshot: { version: 1, toJSON: (state) => state, fromJSON: (json) => json },
  },
  { store, streamPrefix: `w${randomUUID().slice(0, 8)}` },
);
const aggregates = Array.from({ length: CALLERS }, () => randomUUID());
const context = () => ({
  tenant: 't',
  key: randomUUID(),
  fingerprint: 'f',
  principal: 'p',
  correlationId: 'c',
  now: '2026-01-01T00:00:00.000Z',
});
const credentials = { username: 'admin', password: 'changeit' };
const ways = {
  'bare client, BatchAppend': (n) => client.appendToStream(`batch-${n}`, jsonEvent({ type: 'Counted', data })),
  'bare client, Append': (n) =>
    client.appendToStream(`unary-${n}`, jsonEvent({ type: 'Counted', data }), { credentials }),
  'adapter, BatchAppend': (n) => store.append(`batched-${n}`, [{ id: randomUUID(), type: 'Counted', data }], 'any'),
  'adapter, Append': (n) => unary.append(`single-${n}`, [{ id: randomUUID(), type: 'Counted', data }], 'any'),
  'command of the repository, cached': (n) =>
    repository.change(aggregates[n], context(), () => [{ type: 'Counted', data }]),
};

async function round(append) {
  const took = [];
  const until = performance.now() + SECONDS * 1_000;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, n) => {
      while (performance.now() < until) {
        const before = performance.now();
        await append(n);
        took.push(performance.now() - before);
      }
    }),
  );
  took.sort((a, b) => a - b);
  const rate = (took.length * 1_000) / (performance.now() - started);
  return { rate, p50: took[took.length >> 1], p99: took[Math.floor(took.length * 0.99)] };
}

const rounds = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
for (let n = -1; n < ROUNDS; n++) {
  for (const [way, append] of Object.entries(ways)) {
    const result = await round(append);
    if (n >= 0) rounds[way].push(result);
  }
}
for (const [way, results] of Object.entries(rounds)) {
  const [{ rate, p50, p99 }] = results.sort((a, b) => a.rate - b.rate).slice(ROUNDS >> 1);
  process.stdout.write(
    `${way.padEnd(36)} ${rate.toFixed(0).padStart(6)}/s  p50 ${p50.toFixed(1)} ms  p99 ${p99.toFixed(1)} ms\n`,
  );
}
await repository.flushSnapshots();
await Promise.all([store.close(), unary.close()]);
await client.dispose();
await embedded?.close();
process.exit(0);
