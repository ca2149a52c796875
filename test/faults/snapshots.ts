import { createHash, randomUUID } from 'node:crypto';
import { startEventStore } from '@perennial/embedded-eventstore';
import { chainHash, type EventStore, type NewEvent } from '@perennial/event-sourcing';
import { accountProcess, context, deposit, open } from '../integration/write-side-account';
import type { Random } from '../support/random';
import type { Fault, FaultOutcome, FaultRound } from './fault';

const prefix = 'perennial';

/** A history of deposits of 1 under keys `key-<n>`, as the repository would have written it, in large appends. */
async function longHistory(store: EventStore, id: string, count: number): Promise<void> {
  const stream = `${prefix}.account-${id}`;
  const first = await store.last(stream);
  if (!first) throw new Error(`${stream} was not opened`);
  let { hash } = first.metadata as { hash: string };
  const { hash: _, ...envelope } = first.metadata as Record<string, unknown>;
  for (let from = 0; from < count; from += 500) {
    const page: NewEvent[] = [];
    for (let n = from; n < Math.min(count, from + 500); n += 1) {
      const metadata = { ...envelope, key: `key-${n}`, fingerprint: `fingerprint of key-${n}` };
      const data = { effectiveAt: '2026-01-01T00:00:00.000Z', amount: 1 };
      const event = { id: randomUUID(), type: 'Deposited', data, metadata };
      hash = chainHash(hash, event);
      page.push({ ...event, metadata: { ...metadata, hash } });
    }
    await store.append(stream, page, BigInt(from));
  }
}

type Json = Record<string, unknown>;

/** What may stand where a snapshot should; the checksum is made to fit where `sealed`. */
const garbled: Readonly<Record<string, { change: (json: Json, random: Random) => Json; sealed: boolean }>> = {
  'wrong state, checksum as it was': {
    change: (json) => ({ ...json, state: { status: 'open', balance: 1_000_000, deposits: 1 } }),
    sealed: false,
  },
  'another state version': { change: (json) => ({ ...json, stateVersion: 99 }), sealed: true },
  'a revision past the head': { change: (json) => ({ ...json, revision: '1000000' }), sealed: true },
  'a revision of another event': {
    change: (json, random) => ({ ...json, revision: String(random.between(0, Number(json['revision']) - 1)) }),
    sealed: true,
  },
  'a hash of another history': { change: (json) => ({ ...json, hash: 'f'.repeat(64) }), sealed: true },
  'another tenant': { change: (json) => ({ ...json, tenant: 'other' }), sealed: true },
  'a slice that nobody has': {
    change: (json) => ({ ...json, keys: { ...(json['keys'] as Json), slices: [{ from: '0', to: '99999999' }] } }),
    sealed: true,
  },
  'a member less': {
    change: (json, random) => {
      const { [random.pick(Object.keys(json))]: _, ...rest } = json;
      return rest;
    },
    sealed: false,
  },
};

const bytesOf = (data: unknown): Buffer =>
  data instanceof Uint8Array ? Buffer.from(data) : Buffer.from(JSON.stringify(data));

/** Puts something else where the newest snapshot or a slice of keys stands; says what. */
async function damage(store: EventStore, id: string, older: readonly unknown[], random: Random): Promise<string> {
  const snapshot = `${prefix}_snapshot.account-${id}`;
  const slices: string[] = [];
  for (let index = 0; (await store.last(`${prefix}_keys.account-${id}-${index}`)) !== undefined; index += 1)
    slices.push(`${prefix}_keys.account-${id}-${index}`);
  const put = (stream: string, type: string, data: object) =>
    store.append(stream, [{ id: randomUUID(), type, data }], 'any');
  const what = random.pick(['snapshot', 'snapshot', 'snapshot', 'older', 'bytes', 'deleted', 'slice', 'slice deleted']);
  const last = await store.last(snapshot);
  if (what === 'snapshot' && last) {
    const name = random.pick(Object.keys(garbled));
    const { change, sealed } = garbled[name]!;
    const { checksum, ...json } = last.data as Json;
    const changed = change(json, random);
    const seal = sealed ? createHash('sha256').update(JSON.stringify(changed)).digest('hex') : checksum;
    await put(snapshot, 'Snapshot', { checksum: seal, ...changed });
    return name;
  }
  if (what === 'older') {
    await put(snapshot, 'Snapshot', random.pick(older) as object);
    return 'an older snapshot';
  }
  if (what === 'deleted') {
    await store.deleteStream(snapshot);
    return 'no snapshot';
  }
  if (what === 'slice' && slices.length > 0) {
    const stream = random.pick(slices);
    const bytes = bytesOf((await store.last(stream))?.data);
    const at = random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
    await put(stream, 'Keys', bytes);
    return 'a flipped bit in a slice of keys';
  }
  if (what === 'slice deleted' && slices.length > 0) {
    await store.deleteStream(random.pick(slices));
    return 'no slice of keys';
  }
  const bytes = bytesOf(last?.data);
  const at = random.between(0, bytes.length - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  await put(snapshot, 'Snapshot', bytes);
  return 'bytes that are no snapshot';
}

const damagedSnapshots: Fault = {
  name: 'snapshots-damaged',
  about:
    'older, garbled, foreign and missing snapshots and slices of keys: every load is that of a full replay, and every key of the past is known',
  async round({ random }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const counts: Record<string, number> = {};
    const count = (name: string) => (counts[name] = (counts[name] ?? 0) + 1);
    const server = await startEventStore();
    const at = { url: server.url, prefix };
    const writer = accountProcess(at, { snapshotEvery: 50 });
    try {
      const id = randomUUID();
      const length = random.between(1_100, 2_600);
      await writer.accounts.change(id, context('opened'), open());
      await longHistory(writer.store, id, length);
      const older: unknown[] = [];
      // What this process has cached is stale by a whole history: it loads that and writes a snapshot of it.
      for (let n = 0; n < 160; n += 1) {
        await writer.accounts.change(id, context(`later-${n}`, { timeBudgetMs: 60_000 }), deposit(1));
        if (n % 50 !== 49) continue;
        await writer.accounts.flushSnapshots();
        older.push((await writer.store.last(`${prefix}_snapshot.account-${id}`))?.data);
      }
      const expected = length + 160;
      for (let round = 0; round < 8; round += 1) {
        const what = await damage(writer.store, id, older, random);
        count(what);
        const cold = accountProcess(at, { snapshotEvery: 50 });
        try {
          const loaded = await cold.accounts.load(id, 'acme');
          const replayed = loaded && (await cold.accounts.loadAt(id, 'acme', { revision: loaded.revision }));
          if (JSON.stringify(loaded?.state) !== JSON.stringify(replayed?.state) || loaded?.state.balance !== expected)
            violations.push(`${what}: loads ${JSON.stringify(loaded?.state)}, is ${JSON.stringify(replayed?.state)}`);
          for (let asked = 0; asked < 4; asked += 1) {
            const n = random.between(0, length - 1);
            const repeat = await cold.accounts.change(id, context(`key-${n}`, { timeBudgetMs: 60_000 }), deposit(99));
            if (!repeat.repeated || repeat.revision !== BigInt(n + 1))
              violations.push(`${what}: key-${n} was done again, at ${repeat.revision}`);
            count('keys asked');
          }
          const other = context(`later-${random.between(0, 159)}`, { fingerprint: 'other', timeBudgetMs: 60_000 });
          const refusal = await cold.accounts.change(id, other, deposit(99)).then(
            () => 'nothing',
            (error: Error) => error.name,
          );
          if (refusal !== 'KeyReused') violations.push(`${what}: a key with another body was answered with ${refusal}`);
          await cold.accounts.flushSnapshots();
        } catch (error) {
          violations.push(`${what}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
        } finally {
          await cold.store.close();
        }
        // Another writer's next snapshots go on from whatever stands there now.
        if (random.chance(0.5)) await writer.accounts.flushSnapshots();
      }
      return { violations, counts };
    } finally {
      await writer.accounts.flushSnapshots();
      await writer.store.close();
      await server.close();
    }
  },
};

export const snapshots: readonly Fault[] = [damagedSnapshots];
