/**
 * What it costs to load a long stream: `npm run build && node test/bench/load-by-length.mjs [events] [url]`.
 * One aggregate of 100 events and one of 100,000 (or `events`), on the embedded server in memory or the one at `url`.
 * Every load is by a repository with an empty cache. Prints medians, false hits of the key filter, and whether the
 * first key is found again and deleting all snapshots changes an answer; exits with 1 when a bar is missed.
 */
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { randomUUID } from 'node:crypto';

const require = createRequire(import.meta.url);
const { AggregateRepository, EventStore, chainHash } = require('../../dist/libs/event-sourcing/src/index.js');
const { register } = require('prom-client');

const EVENTS = Number(process.argv[2] ?? 100_000);
const LOADS = 101;
const NEW_KEYS = Number(process.env.NEW_KEYS ?? 10_000);

const embedded = process.argv[3]
  ? undefined
  : await require('../../dist/libs/embedded-eventstore/src/index.js').startEventStoreWorker();
const url = process.argv[3] ?? embedded.url;
const prefix = `b${randomUUID().slice(0, 8)}`;

const account = {
  name: 'account',
  catalog: { Deposited: [] },
  initial: { balance: 0 },
  evolve: (state, event) => ({ balance: state.balance + event.data.amount }),
  snapshot: { version: 1, toJSON: (state) => state, fromJSON: (json) => json },
};
const store = EventStore.connect({ url, appendDeadlineMs: 10_000 });
const fresh = () => new AggregateRepository(account, { store, streamPrefix: prefix });
const context = (key) => ({
  tenant: 't',
  key,
  fingerprint: `of ${key}`,
  principal: 'p',
  correlationId: 'c',
  now: '2026-01-01T00:00:00.000Z',
  timeBudgetMs: 120_000,
});
const deposit = () => [{ type: 'Deposited', data: { effectiveAt: '2026-01-01T00:00:00.000Z', amount: 1 } }];

/** Appends what `count` commands with keys `key-<n>` would have recorded, in large appends. */
async function history(id, count) {
  const stream = `${prefix}.account-${id}`;
  let hash = '';
  for (let from = 0; from < count; from += 500) {
    const events = [];
    for (let n = from; n < Math.min(count, from + 500); n++) {
      const { now, tenant, key, fingerprint, principal, correlationId } = context(`key-${n}`);
      const metadata = { version: 1, recordedAt: now, tenant, key, fingerprint, principal, correlationId };
      const event = { id: randomUUID(), type: 'Deposited', data: deposit()[0].data, metadata };
      hash = chainHash(hash, event);
      events.push({ ...event, metadata: { ...metadata, hash } });
    }
    await store.append(stream, events, from === 0 ? 'no_stream' : BigInt(from - 1));
  }
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
async function timed(action) {
  const started = performance.now();
  await action();
  return performance.now() - started;
}
async function hits(real) {
  const { values } = await register.getSingleMetric('key_filter_hits_total').get();
  return values.filter(({ labels }) => labels.real === real).reduce((sum, { value }) => sum + value, 0);
}
let failed = false;
function report(what, value, ok = true) {
  failed ||= !ok;
  process.stdout.write(`${ok ? ' ' : '!'} ${what.padEnd(66)} ${value}\n`);
}

const [short, long] = [randomUUID(), randomUUID()];
await history(short, 100);
await history(long, EVENTS);
const replay = await timed(async () => {
  const repository = fresh();
  await repository.change(long, context('writes-the-snapshot'), deposit);
  await repository.flushSnapshots();
});
report(`first load of ${EVENTS} events, without a snapshot, and a command`, `${replay.toFixed(0)} ms`);

// Interleaved, so that a busy machine troubles both alike; the first few warm up.
const loads = { short: [], long: [], shortKey: [], longKey: [] };
for (let n = -5; n < LOADS; n++) {
  const one = {
    short: await timed(() => fresh().load(short, 't')),
    long: await timed(() => fresh().load(long, 't')),
    shortKey: await timed(() => fresh().change(short, { ...context(randomUUID()), dryRun: true }, deposit)),
    longKey: await timed(() => fresh().change(long, { ...context(randomUUID()), dryRun: true }, deposit)),
  };
  if (n >= 0) for (const [name, ms] of Object.entries(one)) loads[name].push(ms);
}
const [a, b, c, d] = [loads.short, loads.long, loads.shortKey, loads.longKey].map(median);
report('load of 100 events, no snapshot: median', `${a.toFixed(2)} ms`);
report(`load of ${EVENTS} events by snapshot: median`, `${b.toFixed(2)} ms = ${(b / a).toFixed(2)} ×`, b <= 1.5 * a);
report('command with a new key on 100 events (dry run): median', `${c.toFixed(2)} ms`);
report(
  `command with a new key on ${EVENTS} events (dry run): median`,
  `${d.toFixed(2)} ms = ${(d / c).toFixed(2)} ×`,
  d <= 1.5 * c,
);

const repository = fresh();
await repository.load(long, 't');
const before = await hits('false');
const falseHitsMs = [];
for (let n = 0; n < NEW_KEYS; n++) {
  const seen = await hits('false');
  const ms = await timed(() => repository.change(long, { ...context(`new-${n}`), dryRun: true }, deposit));
  if ((await hits('false')) > seen) falseHitsMs.push(ms);
}
const falseHits = (await hits('false')) - before;
report(
  `false hits among ${NEW_KEYS} new keys`,
  `${falseHits} = ${((100 * falseHits) / NEW_KEYS).toFixed(3)} %`,
  falseHits <= 0.002 * NEW_KEYS,
);
if (falseHitsMs.length > 0) report('a command that meets a false hit: median', `${median(falseHitsMs).toFixed(0)} ms`);

const answers = async () => {
  const again = fresh();
  const first = await again.change(long, context('key-0'), deposit);
  const middle = await again.change(long, context(`key-${EVENTS >> 1}`), deposit);
  const { state, revision } = await again.load(long, 't');
  return JSON.stringify([first, middle, state, revision], (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
};
let expected;
const found = await timed(async () => (expected = await answers()));
report(
  `the first key and a middle one again, by a fresh process`,
  `${found.toFixed(0)} ms`,
  JSON.parse(expected)[0].repeated,
);
for (const name of [
  `${prefix}_snapshot.account-${long}`,
  ...[0, 1, 2, 3].map((n) => `${prefix}_keys.account-${long}-${n}`),
]) {
  if (await store.last(name)) await store.deleteStream(name);
}
report('answers after deleting every snapshot and slice', 'the same', (await answers()) === expected);

await store.close();
await embedded?.close();
process.exit(failed ? 1 : 0);
