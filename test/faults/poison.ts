import { randomUUID } from 'node:crypto';
import { EventStore, type NewEvent, type RecordedEvent } from '@perennial/event-sourcing';
import { runToEnd } from '../support/processes';
import { until } from '../support/read-side';
import { serversOf } from '../support/standalone';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { commandCounts } from './under-load';
import { compareWithStore } from './oracles';
import { Standalone } from './standalone';

const prefix = 'perennial';

/** The first event of some subscription: what a poisoned one is made of. */
export async function anyStart(store: EventStore, id: string): Promise<RecordedEvent> {
  for await (const event of store.read(`${prefix}.subscription-${id}`, { maxCount: 1 })) return event;
  throw new Error(`${id} has no events`);
}

/** An event that nothing can be made of, in a stream of its own. */
const poisons: Readonly<Record<string, (start: RecordedEvent) => NewEvent>> = {
  'data without its members': ({ metadata }) => ({
    id: randomUUID(),
    type: 'SubscriptionStarted',
    data: { effectiveAt: '2026-01-01T00:00:00.000Z' },
    metadata: metadata as object,
  }),
  'a bill of nothing': ({ metadata }) => ({
    id: randomUUID(),
    type: 'LinesBilled',
    data: { lines: 'none', net: 'a lot' },
    metadata: metadata as object,
  }),
  'bytes that are no JSON': ({ metadata }) => ({
    id: randomUUID(),
    type: 'SubscriptionStarted',
    data: Uint8Array.from([0xff, 0x00, 0x7b]),
    metadata: metadata as object,
  }),
  'no envelope': ({ data }) => ({ id: randomUUID(), type: 'SubscriptionStarted', data: data as object, metadata: {} }),
};

async function parked(dataDir: string, ...args: string[]): Promise<{ code: number | string; output: string }> {
  return runToEnd('apps/standalone/src/parked.js', args.length === 0 ? ['list'] : args, { DATA_DIR: dataDir });
}

/** What is parked, as `NAME STREAM`. */
async function waiting(dataDir: string): Promise<string[]> {
  const { code, output } = await parked(dataDir);
  if (code === 0) return [];
  return output.split('\n').flatMap((line) => /^(\S+) {2}(\S+)@\d+ {2}/.exec(line)?.slice(1).join(' ') ?? []);
}

const poisonEvents: Fault = {
  name: 'poison-events',
  about:
    'events that nothing can be made of stand in the log: their streams wait, all others go on, reads say incomplete; after a restart too, until they are skipped',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const standalone = await Standalone.start(directory, random);
    const { callers, dataDir } = standalone;
    const store = EventStore.connect({ url: serversOf(dataDir).eventstoreUrl });
    let reconnected: EventStore | undefined;
    try {
      await standalone.load(400, random);
      const start = await anyStart(store, callers.subscriptions[0] ?? '');
      const names = Object.keys(poisons).filter(() => random.chance(0.6));
      if (names.length === 0) names.push('data without its members');
      const streams = names.map(() => `${prefix}.subscription-${randomUUID()}`);
      for (const [index, name] of names.entries()) {
        const poison = poisons[name]?.(start);
        if (poison) await store.append(streams[index] ?? '', [poison], 'no_stream');
      }
      say(`poisoned: ${names.join(', ')}`);
      await standalone.load(400, random);
      const check = async (when: string) => {
        let found: string[] = [];
        await until(async () => {
          found = await waiting(dataDir);
          return new Set(found.map((each) => each.split(' ')[1])).size >= streams.length;
        }, 60_000);
        const others = found.filter((each) => !streams.includes(each.split(' ')[1] ?? ''));
        if (others.length > 0) violations.push(`${when}: what was not poisoned waits: ${others.join(', ')}`);
        await standalone.program.ready(20_000);
        const other = await standalone.readsBack(callers.subscriptions[0] ?? '');
        if (other.added === 201 && other.read !== 200)
          violations.push(`${when}: another stream is not to be read: ${other.read}`);
        const { body } = await standalone.http.get('/v1/subscriptions');
        if (!(Number(body.asOf?.incomplete ?? body.incomplete) > 0))
          violations.push(`${when}: a read does not say that it is incomplete: ${JSON.stringify(body).slice(0, 300)}`);
      };
      await check('running');
      if (random.chance(0.5)) await standalone.program.kill9();
      else await standalone.program.stop();
      await standalone.start();
      await check('after a restart');
      for (const each of await waiting(dataDir)) {
        const { code, output } = await parked(dataDir, 'skip', ...each.split(' '));
        if (code !== 0) violations.push(`skip ${each} ended with ${code}: ${output}`);
      }
      const left = await waiting(dataDir);
      if (left.length > 0) violations.push(`after skipping waits ${left.join(', ')}`);
      await callers.settle();
      const { eventstoreUrl } = serversOf(dataDir);
      reconnected = EventStore.connect({ url: eventstoreUrl });
      const stored = await compareWithStore({ eventstoreUrl, commands: callers.journal.commands });
      violations.push(...callers.journal.violations, ...stored.violations);
      return {
        violations,
        counts: { ...Object.fromEntries(names.map((name) => [name, 1])), ...commandCounts(callers.journal) },
      };
    } finally {
      await store.close();
      await reconnected?.close();
      await standalone.end();
    }
  },
};

export const poison: readonly Fault[] = [poisonEvents];
