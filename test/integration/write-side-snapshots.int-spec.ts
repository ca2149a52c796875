import { createHash, randomUUID } from 'node:crypto';
import {
  AggregateRepository,
  type AggregateType,
  type NewEvent,
  chainHash,
  streamNames,
} from '@perennial/event-sourcing';
import { register } from 'prom-client';
import { KeyMemory, commandKey, parseSlice } from '../../libs/event-sourcing/src/key-filter';
import { Snapshots, type Standing } from '../../libs/event-sourcing/src/snapshots';
import { type TestEventStore, testEventStore } from '../support/eventstore';
import {
  type Account,
  type AccountEvent,
  accountProcess,
  accountType,
  collect,
  context,
  deposit,
  open,
} from './write-side-account';

/** Appends a history of `count` deposits of 1 under keys `key-<n>`, as the repository would have, in large appends. */
async function longHistory(
  process: ReturnType<typeof accountProcess>,
  prefix: string,
  id: string,
  count: number,
): Promise<void> {
  await process.accounts.change(id, context('opened'), open());
  const stream = `${prefix}.account-${id}`;
  const first = (await process.store.last(stream))!;
  let { hash } = first.metadata as { hash: string };
  for (let from = 0; from < count; from += 1_000) {
    const page: NewEvent[] = [];
    for (let n = from; n < Math.min(count, from + 1_000); n++) {
      const { hash: _, ...envelope } = first.metadata as Record<string, unknown>;
      const unsealed = { ...envelope, key: `key-${n}`, fingerprint: `fingerprint of key-${n}` };
      const data = { effectiveAt: '2026-01-01T00:00:00.000Z', amount: 1 };
      const event = { id: randomUUID(), type: 'Deposited', data, metadata: unsealed };
      hash = chainHash(hash, event);
      page.push({ ...event, metadata: { ...unsealed, hash } });
    }
    await process.store.append(stream, page, BigInt(from));
  }
}

async function metric(name: string, labels: Record<string, string> = {}): Promise<number> {
  const values = (await register.getSingleMetric(name)!.get()).values;
  const wanted = values.filter((value) =>
    Object.entries(labels).every(([label, is]) => value.labels[label as never] === is),
  );
  return wanted.reduce((sum, { value }) => sum + value, 0);
}

describe('snapshots', () => {
  let server: TestEventStore;
  const processes: ReturnType<typeof accountProcess>[] = [];
  const start = (options: Parameters<typeof accountProcess>[1] = {}) => {
    const process = accountProcess(server, { snapshotEvery: 10, ...options });
    processes.push(process);
    return process;
  };
  let id: string;

  beforeAll(async () => {
    server = await testEventStore();
  });
  afterAll(async () => {
    for (const { accounts, store } of processes) await accounts.flushSnapshots().then(() => store.close());
    await server.close();
  });
  beforeEach(() => {
    id = randomUUID();
  });

  const snapshotStream = (): string => `${server.prefix}_snapshot.account-${id}`;
  const slices = async ({ store }: ReturnType<typeof accountProcess>): Promise<string[]> => {
    const streams: string[] = [];
    for (let index = 0; ; index++) {
      const stream = `${server.prefix}_keys.account-${id}-${index}`;
      if (!(await store.last(stream))) return streams;
      streams.push(stream);
    }
  };
  /** What a fresh process finds, and whether it used a snapshot. */
  const fresh = async (options: Parameters<typeof accountProcess>[1] = {}) => {
    const hits = await metric('snapshot_reads_total', { hit: 'true' });
    const process = start(options);
    const loaded = await process.accounts.load(id, 'acme');
    return { process, loaded, hit: (await metric('snapshot_reads_total', { hit: 'true' })) > hits };
  };

  it('are written when a multiple is crossed, also by an append that jumps over it, and save the replay', async () => {
    const a = start();
    await a.accounts.change(id, context('o'), open());
    for (let n = 0; n < 8; n++) await a.accounts.change(id, context(`${n}`), deposit(1));
    await a.accounts.flushSnapshots();
    expect(await a.store.last(snapshotStream())).toBeUndefined();
    const three = (state: Account) => [1, 1, 1].flatMap((amount) => deposit(amount)(state));
    await a.accounts.change(id, context('jump'), three);
    await a.accounts.flushSnapshots();
    expect((await a.store.last(snapshotStream()))?.data).toMatchObject({
      revision: '11',
      stateVersion: 1,
      tenant: 'acme',
    });
    await a.accounts.change(id, context('tail'), deposit(1));
    const { loaded, hit } = await fresh();
    expect(hit).toBe(true);
    expect(loaded).toMatchObject({ revision: 12n, state: { balance: 12 } });
    expect(loaded?.position).toBe((await a.store.last(`${server.prefix}.account-${id}`))!.position);
  });

  it('keep one event, whoever writes them', async () => {
    const [a, b] = [start(), start()];
    await a.accounts.change(id, context('o'), open());
    for (let n = 0; n < 60; n++) await (n % 3 ? a : b).accounts.change(id, context(`${n}`), deposit(1));
    await Promise.all([a.accounts.flushSnapshots(), b.accounts.flushSnapshots()]);
    expect(await collect(a.store.read(snapshotStream()))).toHaveLength(1);
  });

  describe('are ignored', () => {
    let a: ReturnType<typeof accountProcess>;
    beforeEach(async () => {
      a = start();
      await a.accounts.change(id, context('o'), open());
      for (let n = 0; n < 25; n++) await a.accounts.change(id, context(`${n}`), deposit(1));
      await a.accounts.flushSnapshots();
      expect((await fresh()).hit).toBe(true);
    });

    const rewrite = async (change: (data: Record<string, unknown>) => object, reseal: boolean): Promise<void> => {
      const { checksum, ...data } = (await a.store.last(snapshotStream()))!.data as Record<string, unknown>;
      const changed = change(data);
      const seal = reseal ? createHash('sha256').update(JSON.stringify(changed)).digest('hex') : checksum;
      await a.store.append(
        snapshotStream(),
        [{ id: randomUUID(), type: 'Snapshot', data: { checksum: seal, ...changed } }],
        'any',
      );
    };

    it.each([
      [
        'a checksum that does not fit',
        (data: object) => ({ ...data, state: { status: 'open', balance: 1e6, deposits: 1 } }),
        false,
      ],
      ['another state version', (data: object) => ({ ...data, stateVersion: 2 }), true],
      ['a revision past the head', (data: object) => ({ ...data, revision: '4711' }), true],
      ["a hash that is not the stream's", (data: object) => ({ ...data, hash: 'f'.repeat(64) }), true],
      ['another tenant', (data: object) => ({ ...data, tenant: 'evil' }), true],
      [
        'a slice that is missing',
        (data: object) => ({
          ...data,
          keys: { ...(data as { keys: object }).keys, slices: [{ from: '0', to: '1023' }] },
        }),
        true,
      ],
    ])('with %s', async (_, change, reseal) => {
      await rewrite(change, reseal);
      const { loaded, hit } = await fresh();
      expect(hit).toBe(false);
      expect(loaded).toMatchObject({ revision: 25n, state: { balance: 25 } });
    });

    it('when they are no snapshot at all', async () => {
      await a.store.append(
        snapshotStream(),
        [{ id: randomUUID(), type: 'Snapshot', data: Uint8Array.from([1]) }],
        'any',
      );
      expect(await fresh()).toMatchObject({ hit: false, loaded: { revision: 25n } });
      // A load that had to replay much writes a new one.
      await processes.at(-1)!.accounts.flushSnapshots();
      expect((await fresh()).hit).toBe(true);
    });

    it('and a changed fold with a new version is folded anew', async () => {
      const changed = {
        ...accountType,
        evolve: (state: Account, event: Parameters<typeof accountType.evolve>[1]) => {
          const next = accountType.evolve(state, event);
          return event.type === 'Deposited' ? { ...next, balance: next.balance + 1 } : next;
        },
        snapshot: { ...accountType.snapshot, version: 2 },
      };
      const accounts = new AggregateRepository(changed, { store: a.store, streamPrefix: server.prefix });
      expect((await accounts.load(id, 'acme'))?.state.balance).toBe(50);
    });
  });

  it('too large to store are skipped without an error', async () => {
    const a = start();
    interface Hoard extends Account {
      readonly notes: readonly string[];
    }
    const hoard: AggregateType<Hoard, AccountEvent> = {
      ...accountType,
      name: 'hoard',
      initial: { ...accountType.initial, notes: [] },
      evolve: (state, event) => ({
        ...accountType.evolve(state, event),
        notes: event.type === 'Deposited' && event.data.note ? [...state.notes, event.data.note] : state.notes,
      }),
      snapshot: { version: 1, toJSON: (state) => ({ ...state }), fromJSON: (json) => json as unknown as Hoard },
    };
    const skipped = await metric('snapshots_total', { result: 'skipped-too-large' });
    const options = { store: a.store, streamPrefix: server.prefix, snapshotEvery: 2 };
    const hoards = new AggregateRepository(hoard, options);
    await hoards.change(id, context('o'), open());
    for (const key of ['1', '2', '3']) await hoards.change(id, context(key), deposit(1, 'x'.repeat(500_000)));
    await hoards.flushSnapshots();
    expect(await metric('snapshots_total', { result: 'skipped-too-large' })).toBe(skipped + 1);
    expect((await new AggregateRepository(hoard, options).load(id, 'acme'))?.state.notes).toHaveLength(3);
  });

  describe('with a long history', () => {
    const LENGTH = 12_000;
    let writer: ReturnType<typeof accountProcess>;
    let long: string;
    beforeAll(async () => {
      writer = start({ snapshotEvery: 100 });
      long = randomUUID();
      await longHistory(writer, server.prefix, long, LENGTH);
      // The writer's cache is stale by 12,000 events: the conflict makes it load them and write a snapshot.
      await writer.accounts.change(long, context('last', { timeBudgetMs: 60_000 }), deposit(1));
      await writer.accounts.flushSnapshots();
    });
    beforeEach(() => {
      id = long;
    });

    it('find any key of it again, exactly, and take a new key for new', async () => {
      const { process, hit } = await fresh({ snapshotEvery: 100 });
      expect(hit).toBe(true);
      expect(await slices(process)).toHaveLength(2);
      const before = await metric('key_filter_hits_total', { real: 'true' });
      for (const n of [0, 1, 500, 1_023, 1_024, 8_191, 8_192, 9_000, LENGTH - 1]) {
        const repeat = await process.accounts.change(long, context(`key-${n}`), deposit(99));
        expect(repeat).toMatchObject({
          repeated: true,
          revision: BigInt(n + 1),
          events: [{ revision: BigInt(n + 1) }],
        });
      }
      await expect(process.accounts.change(long, context('key-3', { fingerprint: 'x' }), deposit(1))).rejects.toThrow(
        'another command',
      );
      expect(await metric('key_filter_hits_total', { real: 'true' })).toBeGreaterThan(before + 6);
      await expect(process.accounts.change(long, context(randomUUID()), deposit(0))).resolves.toMatchObject({
        repeated: false,
      });
    });

    it('without snapshots and slices, or with damaged ones, give the same answers', async () => {
      const answer = async (process: ReturnType<typeof accountProcess>) => {
        const { position: _, ...loaded } = (await process.accounts.load(long, 'acme'))!;
        return [loaded, await process.accounts.change(long, context('key-17'), deposit(1))];
      };
      const whole = await fresh({ snapshotEvery: 100 });
      const expected = await answer(whole.process);
      const [, second] = await slices(whole.process);
      const damaged = Uint8Array.from((await writer.store.last(second!))!.data as Uint8Array);
      damaged[5_000]! ^= 4;
      await writer.store.append(second!, [{ id: randomUUID(), type: 'Keys', data: damaged }], 'any');
      const broken = await fresh({ snapshotEvery: 1_000_000 });
      expect(broken.hit).toBe(false);
      expect(await answer(broken.process)).toEqual(expected);
      for (const stream of [...(await slices(broken.process)), snapshotStream()])
        await writer.store.deleteStream(stream);
      const bare = await fresh({ snapshotEvery: 100 });
      expect(bare.hit).toBe(false);
      expect(await answer(bare.process)).toEqual(expected);
      await bare.process.accounts.flushSnapshots();
      const healed = await fresh({ snapshotEvery: 100 });
      expect(healed.hit).toBe(true);
      expect(await answer(healed.process)).toEqual(expected);
    });

    it('remember ids of the caller across the filter', async () => {
      const remembers = [{ kind: 'item', id: 'old', fingerprint: 'f' }];
      const other = start({ snapshotEvery: 100 });
      const young = randomUUID();
      await other.accounts.change(young, context('o'), open());
      const first = await other.accounts.change(young, context('k'), deposit(3), { remembers });
      for (let n = 0; n < 1_200; n += 40) {
        await other.accounts.change(young, context(`n${n}`), (state) =>
          Array.from({ length: 40 }, () => deposit(1)(state)).flat(),
        );
      }
      await other.accounts.flushSnapshots();
      id = young;
      const { process, hit } = await fresh({ snapshotEvery: 100 });
      expect(hit).toBe(true);
      expect(await slices(process)).toHaveLength(1);
      await expect(process.accounts.change(young, context('again'), deposit(3), { remembers })).resolves.toMatchObject({
        events: first.events,
      });
      const changed = [{ kind: 'item', id: 'old', fingerprint: 'g' }];
      await expect(
        process.accounts.change(young, context('x'), deposit(3), { remembers: changed }),
      ).rejects.toMatchObject({
        name: 'RememberedIdReused',
      });
    });

    it('never put an older slice over a newer one', async () => {
      const { store } = start();
      id = randomUUID();
      const snapshots = new Snapshots(accountType, store, streamNames(server.prefix), undefined);
      const standing = (events: number): Standing<Account> => {
        const keys = new KeyMemory();
        for (let n = 0; n < events; n++) keys.add(commandKey(`${n}`), BigInt(n));
        const revision = BigInt(events - 1);
        return {
          state: accountType.initial,
          revision,
          position: 0n,
          hash: '',
          recordedAt: '',
          tenant: 'acme',
          keys,
          memory: { bytes: 0, counted: 0 },
        };
      };
      const covered = async (): Promise<bigint> => {
        const stored = (await store.last(`${server.prefix}_keys.account-${id}-0`))!.data as Uint8Array;
        return parseSlice(stored, 0)!.to;
      };
      for (const [events, expected] of [
        [1_100, 1_023n],
        [3_100, 3_071n],
        [2_100, 3_071n],
      ] as const) {
        snapshots.schedule(id, standing(events));
        await snapshots.flush();
        expect(await covered()).toBe(expected);
      }
      // The older snapshot, written last, goes with the newer slice.
      const found = (await snapshots.find(id))!;
      expect(found.standing.revision).toBe(2_099n);
      const keys = (await snapshots.findKeys(id, found.keys))!;
      for (let n = 0; n < 2_100; n++) expect(keys.find(commandKey(`${n}`))).not.toEqual([]);
    });
  });
});
