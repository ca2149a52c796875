import { randomUUID } from 'node:crypto';
import {
  AggregateNotFound,
  AppendTooLarge,
  BudgetExhausted,
  type CommandContext,
  EventStore,
  KeyReused,
  OutcomeUnknown,
  QueueFull,
  type RecordedEvent,
  RememberedIdReused,
  RevisionMismatch,
  StoreUnavailable,
  verifyChain,
} from '@perennial/event-sourcing';
import { type TestEventStore, testEventStore } from '../support/eventstore';
import {
  type AccountEvent,
  Refused,
  accountProcess,
  close,
  collect,
  context,
  deposit,
  open,
  until,
} from './write-side-account';

describe('aggregate repository', () => {
  let server: TestEventStore;
  let a: ReturnType<typeof accountProcess>;
  let b: ReturnType<typeof accountProcess>;
  let id: string;
  let stream: string;

  beforeAll(async () => {
    server = await testEventStore();
    a = accountProcess(server);
    b = accountProcess(server);
  });
  afterAll(async () => {
    await Promise.all([a.accounts.flushSnapshots(), b.accounts.flushSnapshots()]);
    await Promise.all([a.store.close(), b.store.close()]);
    await server.close();
  });
  beforeEach(() => {
    id = randomUUID();
    stream = `${server.prefix}.account-${id}`;
  });

  const events = (): Promise<RecordedEvent[]> => collect(a.store.read(stream));
  const types = async (): Promise<string[]> => (await events()).map(({ type }) => type);
  const balance = async (): Promise<number | undefined> => (await b.accounts.load(id, 'acme'))?.state.balance;

  describe('one command', () => {
    it('appends what was decided, with the whole envelope, and answers revision and position', async () => {
      const full: Partial<CommandContext> = {
        actor: 'u',
        reason: 'r',
        causationId: 'x',
        traceparent: '00-1',
        now: '2026-02-03T04:05:06.007Z',
      };
      const change = await a.accounts.change(id, context('k', full), open(), {
        remembers: [{ kind: 'thing', id: 't', fingerprint: 'f' }],
      });
      const [recorded] = await events();
      expect(change).toMatchObject({
        aggregateId: id,
        revision: 0n,
        position: recorded!.position,
        repeated: false,
        dryRun: false,
      });
      expect(change.events).toMatchObject([
        { event: { type: 'Opened' }, revision: 0n, id: recorded!.id, metadata: recorded!.metadata },
      ]);
      expect(recorded!.metadata).toEqual({
        version: 1,
        recordedAt: '2026-02-03T04:05:06.007Z',
        tenant: 'acme',
        key: 'k',
        fingerprint: 'fingerprint of k',
        principal: 'api-key:1',
        actor: 'u',
        reason: 'r',
        correlationId: 'c',
        causationId: 'x',
        traceparent: '00-1',
        remembers: [{ kind: 'thing', id: 't', fingerprint: 'f' }],
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
    });

    it('chains the hashes from the first event on, and recordedAt never decreases', async () => {
      await a.accounts.change(id, context('1', { now: '2026-05-01T00:00:00.000Z' }), open());
      await b.accounts.change(id, context('2', { now: '2026-04-01T00:00:00.000Z' }), deposit(1));
      await a.accounts.change(id, context('3', { now: '2026-06-01T00:00:00.000Z' }), deposit(0));
      const check = await verifyChain(await events());
      expect(check).toMatchObject({ events: 3n, breaks: [] });
      expect(
        (await events()).map(({ metadata }) => (metadata as { recordedAt: string }).recordedAt.slice(0, 7)),
      ).toEqual(['2026-05', '2026-05', '2026-06']);
    });

    it('passes refusals through and remembers nothing of them', async () => {
      await expect(a.accounts.change(id, context('k'), deposit(1))).rejects.toThrow(Refused);
      expect(await events()).toEqual([]);
      await a.accounts.change(id, context('o'), open());
      await expect(a.accounts.change(id, context('k', { fingerprint: 'other' }), deposit(1))).resolves.toMatchObject({
        repeated: false,
      });
    });

    it('freezes the states that it gives', async () => {
      await a.accounts.change(id, context('1'), open());
      await expect(
        a.accounts.change(id, context('2'), (state) => {
          (state as { balance: number }).balance = 1_000;
          return [];
        }),
      ).rejects.toThrow(TypeError);
    });

    it('hides another tenant, also from its own key', async () => {
      await a.accounts.change(id, context('1'), open());
      for (const { accounts } of [a, b]) {
        await expect(accounts.change(id, context('1', { tenant: 'evil' }), open())).rejects.toThrow(AggregateNotFound);
        expect(await accounts.load(id, 'evil')).toBeUndefined();
        expect(await accounts.loadAt(id, 'evil', { revision: 0n })).toBeUndefined();
      }
    });

    it('refuses an append of 900,000 bytes and more while it can still say why', async () => {
      await a.accounts.change(id, context('1'), open());
      await expect(a.accounts.change(id, context('2'), deposit(1, 'x'.repeat(900_000)))).rejects.toThrow(
        AppendTooLarge,
      );
      await expect(a.accounts.change(id, context('2'), deposit(1, 'x'.repeat(890_000)))).resolves.toBeDefined();
    });
  });

  describe('idempotency', () => {
    it('answers a repeat from the record, in this process, in another and in a fresh one', async () => {
      await a.accounts.change(id, context('o'), open());
      const two = (): AccountEvent[] => [
        ...deposit(1)({ status: 'open', balance: 0, deposits: 0 }),
        ...close()({ status: 'open', balance: 0, deposits: 0 }),
      ];
      const first = await a.accounts.change(id, context('k'), two);
      await expect(a.accounts.change(id, context('k'), two)).resolves.toEqual({ ...first, repeated: true });
      await expect(b.accounts.change(id, context('k'), two)).resolves.toEqual({ ...first, repeated: true });
      const fresh = accountProcess(server);
      await expect(fresh.accounts.change(id, context('k'), two)).resolves.toEqual({ ...first, repeated: true });
      await fresh.store.close();
      expect(await types()).toEqual(['Opened', 'Deposited', 'Closed']);
    });

    it('gives the first answer before If-Match, a decision or a dry run are looked at', async () => {
      await a.accounts.change(id, context('o'), open());
      const first = await a.accounts.change(id, context('k', { expectedRevision: 0n }), deposit(5));
      await a.accounts.change(id, context('c'), close());
      for (const change of [{ expectedRevision: 0n }, { expectedRevision: 77n }, {}, { dryRun: true }]) {
        for (const { accounts } of [a, b]) {
          const repeat = await accounts.change(id, context('k', change), deposit(5));
          expect(repeat).toEqual({ ...first, repeated: true, dryRun: 'dryRun' in change });
        }
      }
    });

    it('refuses a key for another command, in both processes', async () => {
      await a.accounts.change(id, context('o'), open());
      for (const { accounts } of [a, b]) {
        await expect(accounts.change(id, context('o', { fingerprint: 'other' }), close())).rejects.toThrow(KeyReused);
      }
    });

    it('turns 50 repeats at once through two processes into one event and one answer', async () => {
      const changes = await Promise.all(
        Array.from({ length: 50 }, (_, n) => (n % 2 ? a : b).accounts.change(id, context('k'), open(`owner`))),
      );
      expect(await types()).toEqual(['Opened']);
      expect(
        new Set(changes.map(({ revision, position, events: [event] }) => `${revision} ${position} ${event!.id}`)).size,
      ).toBe(1);
      expect(changes.filter(({ repeated }) => !repeated)).toHaveLength(1);
    });

    it('does not share a failure: a repeat that could succeed does', async () => {
      await a.accounts.change(id, context('o'), open());
      const results = await Promise.allSettled([
        a.accounts.change(id, context('k', { expectedRevision: 9n }), deposit(1)),
        a.accounts.change(id, context('k'), deposit(1)),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    });

    it('notes a command that changed nothing, so that its repeat cannot act later', async () => {
      await a.accounts.change(id, context('o'), open());
      const noted = await a.accounts.change(id, context('again'), open());
      expect(noted).toMatchObject({ events: [], revision: 1n, repeated: false });
      expect((await events())[1]).toMatchObject({
        type: 'CommandNoted',
        data: { effectiveAt: '2026-01-01T00:00:00.000Z' },
        metadata: { key: 'again', fingerprint: 'fingerprint of again' },
      });
      await b.accounts.change(id, context('c'), close());
      const nothing = await b.accounts.change(id, context('zero'), close());
      expect(nothing.events).toEqual([]);
      for (const { accounts } of [a, b]) {
        expect(
          await accounts.change(id, context('again'), () => [{ type: 'Closed', data: { effectiveAt: '' } }]),
        ).toEqual({
          ...noted,
          repeated: true,
        });
      }
      expect((await a.accounts.load(id, 'acme'))?.state.status).toBe('closed');
      expect((await verifyChain(await events())).breaks).toEqual([]);
    });

    it('has nothing to note a no-op in where there is no stream', async () => {
      await expect(a.accounts.change(id, context('k'), () => [])).rejects.toThrow(AggregateNotFound);
      expect(await events()).toEqual([]);
    });

    it('remembers ids of the caller: the same again changes nothing and answers as the first, another is refused', async () => {
      await a.accounts.change(id, context('o'), open());
      const remembers = [{ kind: 'item', id: 'i1', fingerprint: 'f1' }];
      const first = await a.accounts.change(id, context('k1'), deposit(5), { remembers });
      const again = await b.accounts.change(id, context('k2'), deposit(5), { remembers });
      expect(again).toMatchObject({ events: first.events, revision: 2n, repeated: false });
      await a.accounts.change(id, context('k3'), deposit(1));
      for (const { accounts } of [a, b]) {
        expect(await accounts.change(id, context('k2'), deposit(5), { remembers })).toEqual({
          ...again,
          repeated: true,
        });
        const other = [{ ...remembers[0]!, fingerprint: 'f2' }];
        const error = await accounts
          .change(id, context('k4'), deposit(5), { remembers: other })
          .catch((e: unknown) => e);
        expect(error).toBeInstanceOf(RememberedIdReused);
        expect(error).toMatchObject({ kind: 'item', id: 'i1' });
        const beside = [...remembers, { kind: 'item', id: 'new', fingerprint: 'f' }];
        await expect(accounts.change(id, context('k5'), deposit(5), { remembers: beside })).rejects.toThrow(
          RememberedIdReused,
        );
      }
      expect(await balance()).toBe(6);
    });
  });

  describe('If-Match', () => {
    it('answers 412 with the revision it is at, and has one winner', async () => {
      await a.accounts.change(id, context('o'), open());
      await expect(a.accounts.change(id, context('x', { expectedRevision: 3n }), deposit(1))).rejects.toMatchObject({
        actual: 0n,
      });
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) =>
          (n % 2 ? a : b).accounts.change(id, context(`k${n}`, { expectedRevision: 0n }), deposit(1)),
        ),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(RevisionMismatch);
      }
      expect(await balance()).toBe(1);
    });

    it('finds nothing to match where there is no stream', async () => {
      await expect(a.accounts.change(id, context('x', { expectedRevision: 0n }), open())).rejects.toThrow(
        AggregateNotFound,
      );
    });
  });

  describe('two processes in turn', () => {
    beforeEach(async () => {
      await a.accounts.change(id, context('o'), open());
      await b.accounts.load(id, 'acme');
    });

    it('never refuse, note nothing, answer 412 or a dry run from a stale cache', async () => {
      await a.accounts.change(id, context('c'), close());
      await expect(b.accounts.change(id, context('d', { dryRun: true }), deposit(1))).rejects.toThrow(Refused);
      await b.accounts.load(id, 'acme');
      const second = randomUUID();
      await a.accounts.change(second, context('o'), open());
      await b.accounts.load(second, 'acme');
      await a.accounts.change(second, context('1'), deposit(7));
      // b still holds revision 0: each of these would be wrong on it.
      await expect(
        b.accounts.change(second, context('m', { expectedRevision: 1n, dryRun: true }), deposit(1)),
      ).resolves.toMatchObject({
        revision: 1n,
        dryRun: true,
      });
      await a.accounts.change(second, context('2'), deposit(7));
      await expect(
        b.accounts.change(second, context('n'), (state) => {
          if (state.balance < 14) throw new Refused('too little');
          return [{ type: 'Closed', data: { effectiveAt: '' } }];
        }),
      ).resolves.toMatchObject({ revision: 3n });
      // a still holds it open.
      await expect(a.accounts.change(second, context('3'), close())).resolves.toMatchObject({
        events: [],
        revision: 4n,
      });
      await expect(a.accounts.change(second, context('4', { expectedRevision: 3n }), close())).rejects.toMatchObject({
        actual: 4n,
      });
    });

    it("find each other's keys on every path", async () => {
      const first = await a.accounts.change(id, context('k'), deposit(5));
      await expect(b.accounts.change(id, context('k'), deposit(5))).resolves.toEqual({ ...first, repeated: true });
      const closed = await b.accounts.change(id, context('c'), close());
      // a holds the account open and does not know the key: no-op, refusal, 412 and dry run must all find it.
      const fresh = () => accountProcess(server);
      for (const change of [{}, { expectedRevision: 1n }, { expectedRevision: 0n }, { dryRun: true }]) {
        const stale = fresh();
        await stale.accounts.load(id, 'acme');
        const key = Object.entries(change).join();
        const noted = await b.accounts.change(id, context(key), close());
        const refusing = (): AccountEvent[] => {
          throw new Refused('stale');
        };
        await expect(stale.accounts.change(id, context(key, change), refusing)).resolves.toEqual({
          ...noted,
          repeated: true,
          dryRun: 'dryRun' in change,
        });
        await stale.store.close();
      }
      await expect(a.accounts.change(id, context('c'), deposit(1))).resolves.toEqual({ ...closed, repeated: true });
    });
  });

  describe('dry run', () => {
    it('gives the events that it would give, and writes nothing', async () => {
      const wouldOpen = await a.accounts.change(id, context('k', { dryRun: true }), open('eve'));
      expect(wouldOpen).toMatchObject({ revision: -1n, dryRun: true, repeated: false });
      expect(wouldOpen.events).toMatchObject([{ event: { type: 'Opened', data: { owner: 'eve' } }, revision: 0n }]);
      expect(await events()).toEqual([]);
      await a.accounts.change(id, context('k'), open('eve'));
      await expect(a.accounts.change(id, context('n', { dryRun: true }), open())).resolves.toMatchObject({
        events: [],
        revision: 0n,
      });
      expect(await types()).toEqual(['Opened']);
    });
  });

  describe('contention', () => {
    it('lets 64 callers on one stream through, in one process and in two, with no loss', async () => {
      await a.accounts.change(id, context('o'), open());
      const one = Array.from({ length: 64 }, (_, n) => a.accounts.change(id, context(`a${n}`), deposit(1)));
      const changes = await Promise.all(one);
      expect(new Set(changes.map(({ revision }) => revision)).size).toBe(64);
      await Promise.all(
        Array.from({ length: 128 }, (_, n) => (n % 2 ? a : b).accounts.change(id, context(`b${n}`), deposit(1))),
      );
      expect(await balance()).toBe(192);
      expect((await verifyChain(await events())).breaks).toEqual([]);
    });

    it('refuses when too many wait', async () => {
      const small = accountProcess(server, { queueLimit: 2 });
      await small.accounts.change(id, context('o'), open());
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, (_, n) => small.accounts.change(id, context(`k${n}`), deposit(1))),
      );
      expect(
        results.map((result) => (result.status === 'rejected' ? (result.reason as Error).constructor : 'ok')),
      ).toEqual(['ok', 'ok', QueueFull, QueueFull, QueueFull]);
      await small.store.close();
    });

    it('ends in BudgetExhausted when the time is used by a conflict or by waiting for a turn', async () => {
      await a.accounts.change(id, context('o'), open());
      await b.accounts.load(id, 'acme');
      await a.accounts.change(id, context('1'), deposit(1));
      await expect(b.accounts.change(id, context('2', { timeBudgetMs: 1 }), deposit(1))).rejects.toThrow(
        BudgetExhausted,
      );
      let turns = 0;
      const slow = Array.from({ length: 40 }, (_, n) => a.accounts.change(id, context(`s${n}`), deposit(1)));
      const waits = a.accounts.change(id, context('3', { timeBudgetMs: 2 }), (state) => {
        turns += 1;
        return deposit(1)(state);
      });
      await expect(waits).rejects.toThrow(BudgetExhausted);
      await Promise.all(slow);
      expect(turns).toBe(0);
      expect(await balance()).toBe(41);
    });
  });

  describe('unknown outcomes', () => {
    const impatient = { appendDeadlineMs: 150, readDeadlineMs: 300 };
    let process: ReturnType<typeof accountProcess>;
    beforeEach(async () => {
      process = accountProcess(server, impatient);
      await a.accounts.change(id, context('o'), open());
    });
    afterEach(async () => {
      if (server.embedded)
        Object.assign(server.embedded.faults, {
          neverAnswerAppends: false,
          answerAppendsAfterMs: 0,
          refuseCalls: false,
        });
      await process.store.close();
    });
    const faulty = (name: string, test: () => Promise<void>): void =>
      it(name, async () => {
        if (server.embedded) await test();
      });

    faulty('are settled by reading when the event was written', async () => {
      server.embedded!.faults.neverAnswerAppends = 'written';
      const change = process.accounts.change(id, context('k'), deposit(5));
      await until(async () => (await events()).length === 2);
      await expect(change).resolves.toMatchObject({ revision: 1n, repeated: false });
      expect(await types()).toEqual(['Opened', 'Deposited']);
    });

    faulty('are sent again, the same, when it was not', async () => {
      server.embedded!.faults.neverAnswerAppends = 'not-written';
      const change = process.accounts.change(id, context('k'), deposit(5));
      setTimeout(() => (server.embedded!.faults.neverAnswerAppends = false), 250);
      await expect(change).resolves.toMatchObject({ revision: 1n });
      expect(await types()).toEqual(['Opened', 'Deposited']);
    });

    faulty('are a conflict when another writer stands there', async () => {
      server.embedded!.faults.neverAnswerAppends = 'not-written';
      const change = process.accounts.change(id, context('k'), deposit(5));
      setTimeout(() => {
        server.embedded!.faults.neverAnswerAppends = false;
        void a.accounts.change(id, context('other'), deposit(7));
      }, 100);
      await expect(change).resolves.toMatchObject({ repeated: false });
      expect(await balance()).toBe(12);
    });

    faulty('end in OutcomeUnknown when the time is used, and a repeat with the same key settles them', async () => {
      server.embedded!.faults.neverAnswerAppends = 'not-written';
      const started = performance.now();
      await expect(process.accounts.change(id, context('k', { timeBudgetMs: 500 }), deposit(5))).rejects.toThrow(
        OutcomeUnknown,
      );
      expect(performance.now() - started).toBeLessThan(1_000);
      server.embedded!.faults.neverAnswerAppends = 'written';
      await process.accounts.change(id, context('w', { timeBudgetMs: 160 }), deposit(1)).catch(() => undefined);
      server.embedded!.faults.neverAnswerAppends = false;
      await process.accounts.change(id, context('w'), deposit(1));
      await process.accounts.change(id, context('k'), deposit(5));
      expect(await balance()).toBe(6);
    });

    faulty('a read that the server ends early, as if it were finished, is not taken for the whole stream', async () => {
      for (let n = 0; n < 9; n++) await a.accounts.change(id, context(`${n}`), deposit(1));
      const first = await a.accounts.change(id, context('last'), deposit(1));
      server.embedded!.faults.endReadsSilentlyAfter = 4;
      try {
        expect((await process.accounts.load(id, 'acme'))?.state.balance).toBe(10);
        expect((await process.accounts.loadAt(id, 'acme', { revision: 9n }))?.state.balance).toBe(9);
        expect((await process.accounts.loadAt(id, 'acme', { at: '2026-06-01T00:00:00.000Z' }))?.state.balance).toBe(10);
        await expect(process.accounts.change(id, context('last'), deposit(1))).resolves.toEqual({
          ...first,
          repeated: true,
        });
      } finally {
        server.embedded!.faults.endReadsSilentlyAfter = undefined;
      }
    });

    faulty('a read that the server ends before its first event is not taken for a missing aggregate', async () => {
      await a.accounts.change(id, context('one more'), deposit(1));
      server.embedded!.faults.endReadsSilentlyAfter = 0;
      try {
        await expect(process.accounts.load(id, 'acme')).rejects.toThrow(StoreUnavailable);
        await expect(process.accounts.change(id, context('again', { timeBudgetMs: 200 }), deposit(1))).rejects.toThrow(
          StoreUnavailable,
        );
      } finally {
        server.embedded!.faults.endReadsSilentlyAfter = undefined;
      }
      await process.accounts.change(id, context('again'), deposit(1));
      expect((await process.accounts.load(id, 'acme'))?.state.balance).toBe(2);
    });

    faulty('a late answer changes nothing', async () => {
      server.embedded!.faults.answerAppendsAfterMs = 400;
      await Promise.all(['1', '2', '3'].map((key) => process.accounts.change(id, context(key), deposit(1))));
      server.embedded!.faults.answerAppendsAfterMs = 0;
      expect(await balance()).toBe(3);
      expect((await events()).length).toBe(4);
    });

    faulty('a store that comes back within the time is waited for; one that does not is unavailable', async () => {
      server.embedded!.faults.refuseCalls = true;
      const patient = process.accounts.change(id, context('k'), deposit(5));
      const late = process.accounts.change(randomUUID(), context('k', { timeBudgetMs: 300 }), open());
      await expect(late).rejects.toThrow(StoreUnavailable);
      server.embedded!.faults.refuseCalls = false;
      await expect(patient).resolves.toMatchObject({ revision: 1n });
    });
  });

  describe('loading', () => {
    it('gives the newest state, and the one at a revision or an instant', async () => {
      const at = (day: number): { now: string } => ({ now: `2026-01-0${day}T00:00:00.000Z` });
      await a.accounts.change(id, context('1', at(1)), open());
      await a.accounts.change(id, context('2', at(3)), deposit(5));
      await a.accounts.change(id, context('3', at(5)), deposit(0));
      await a.accounts.change(id, context('4', at(7)), deposit(6));
      const now = await b.accounts.load(id, 'acme');
      expect(now).toMatchObject({ revision: 3n, state: { balance: 11 }, recordedAt: '2026-01-07T00:00:00.000Z' });
      await a.accounts.change(id, context('5', at(8)), deposit(1));
      expect((await b.accounts.load(id, 'acme'))?.state.balance).toBe(12);
      expect(await b.accounts.load(randomUUID(), 'acme')).toBeUndefined();
      const balanceAt = async (point: { revision: bigint } | { at: string }): Promise<unknown> => {
        const loaded = await a.accounts.loadAt(id, 'acme', point);
        return loaded && [Number(loaded.revision), loaded.state.balance];
      };
      expect(await balanceAt({ revision: 1n })).toEqual([1, 5]);
      expect(await balanceAt({ revision: 2n })).toEqual([2, 5]);
      expect(await balanceAt({ revision: 9n })).toBeUndefined();
      expect(await balanceAt({ at: '2026-01-03T00:00:00.000Z' })).toEqual([1, 5]);
      expect(await balanceAt({ at: '2026-01-02T23:59:59.999Z' })).toEqual([0, 0]);
      expect(await balanceAt({ at: '2025-12-31T00:00:00.000Z' })).toBeUndefined();
      expect(await balanceAt({ at: '2027-01-01T00:00:00.000Z' })).toEqual([4, 12]);
    });

    it('stops at an event that it does not know', async () => {
      await a.accounts.change(id, context('1'), open());
      const other = EventStore.connect({ url: server.url });
      await other.append(stream, [{ id: randomUUID(), type: 'FromTheFuture', data: {} }], 0n);
      await other.close();
      await expect(b.accounts.load(id, 'acme')).rejects.toThrow('unknown event type FromTheFuture');
    });
  });
});
