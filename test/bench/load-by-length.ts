import { randomUUID } from 'node:crypto';
import { subscriptionType, type Subscription, type SubscriptionEvent } from '@perennial/billing-domain';
import { AggregateRepository, EventStore } from '@perennial/event-sourcing';
import { Random } from '../support/random';
import { median, type Bench, type Figure } from './figure';
import { appendHistory, firstEvents, subscriptionLife } from './histories';
import { startServers } from './servers';

const SNAPSHOT_EVERY = 100;
const BAR = 1.5;
const lengths = { small: [100, 1_000, 10_000], full: [100, 1_000, 10_000, 100_000] };
const loads = { small: 61, full: 201 };

/** What it costs a process that knows nothing to load a long subscription, against a short one. */
export const loadByLength: Bench = {
  name: 'load-by-length',
  about: 'cold load of a subscription by the length of its stream, the newest snapshot as old as it gets',
  async run({ scale, seed, say }) {
    const servers = await startServers({ database: false });
    const store = EventStore.connect({ url: servers.eventstoreUrl, appendDeadlineMs: 30_000 });
    const fresh = () =>
      new AggregateRepository<Subscription, SubscriptionEvent>(subscriptionType, {
        store,
        streamPrefix: servers.prefix,
        snapshotEvery: SNAPSHOT_EVERY,
        timeBudgetMs: 120_000,
      });
    try {
      const subscriptions: { id: string; length: number; ms: number[]; replayMs: number }[] = [];
      for (const length of lengths[scale]) {
        say(`a subscription of ${length - 1} events`);
        const id = randomUUID();
        const replayMs = await prepare(id, length);
        subscriptions.push({ id, length, ms: [], replayMs });
      }
      say(`${loads[scale]} loads of each, in turns`);
      // The first few warm up.
      for (let n = -5; n < loads[scale]; n += 1) {
        for (const { id, length, ms } of n % 2 === 0 ? subscriptions : [...subscriptions].reverse()) {
          const started = performance.now();
          const loaded = await fresh().load(id, 'default');
          const took = performance.now() - started;
          if (loaded?.revision !== BigInt(length - 2)) throw new Error(`${length}: loaded at ${loaded?.revision}`);
          if (n >= 0) ms.push(took);
        }
      }
      const [short] = subscriptions;
      const shortMs = median(short?.ms ?? []);
      return subscriptions.map(({ length, ms, replayMs }, index): Figure => {
        const value = median(ms);
        const ratio = median(ms.map((each, n) => each / (short?.ms[n] ?? Number.NaN)));
        return {
          name: `load-by-length ${length}`,
          value,
          unit: 'ms',
          limit: shortMs,
          limitName: 'the 100-event load',
          ratio,
          ...(index === subscriptions.length - 1 && {
            bar: { text: `at most ${BAR} × the 100-event load`, met: ratio <= BAR },
          }),
          more: { p99: percentile(ms, 0.99), withoutSnapshotMs: replayMs },
        };
      });
    } finally {
      await store.close();
      await servers.close();
    }

    /** All but the last 99 events, a snapshot there, then these: ms that a load took before there was a snapshot. */
    async function prepare(id: string, length: number): Promise<number> {
      const life = subscriptionLife(id, new Random(seed));
      const events = firstEvents(life, length - 1);
      const tail = SNAPSHOT_EVERY - 1;
      const revision = await appendHistory(store, servers.prefix, id, take(events, length - 1 - tail));
      // A load that folds more events than lie between two snapshots writes one, as any first load would.
      const repository = fresh();
      const started = performance.now();
      await repository.load(id, 'default');
      const replayMs = performance.now() - started;
      await repository.flushSnapshots();
      await appendHistory(store, servers.prefix, id, events, revision);
      return replayMs;
    }
  },
};

/** The next `count`; what comes after them is still there. */
function* take<T>(from: Iterator<T>, count: number): Generator<T> {
  for (let n = 0; n < count; n += 1) {
    const next = from.next();
    if (next.done === true) return;
    yield next.value;
  }
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
