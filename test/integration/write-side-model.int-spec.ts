import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import {
  AggregateNotFound,
  type Change,
  RevisionMismatch,
  type RecordedEvent,
  decode,
  verifyChain,
} from '@perennial/event-sourcing';
import { type TestEventStore, testEventStore } from '../support/eventstore';
import {
  type Account,
  type AccountEvent,
  Refused,
  accountProcess,
  accountType,
  close,
  collect,
  context,
  deposit,
  open,
} from './write-side-account';

type Fault = 'none' | 'answers are lost' | 'requests are lost' | 'answers are late' | 'connections are reset';

interface Action {
  readonly process: 0 | 1;
  readonly kind:
    'open' | 'deposit' | 'nothing' | 'close' | 'two deposits' | 'repeat' | 'dry run' | 'if-match' | 'forget snapshots';
  /** Picks the key to repeat and the revision to name. */
  readonly pick: number;
}

const action = fc.record<Action>({
  process: fc.constantFrom(0, 1),
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('deposit', 'two deposits', 'nothing', 'repeat') },
    { weight: 2, arbitrary: fc.constantFrom('dry run', 'if-match') },
    { weight: 1, arbitrary: fc.constantFrom('open', 'close', 'forget snapshots') },
  ),
  pick: fc.nat({ max: 1_000 }),
});
/** Groups run one after another; the actions of a group run at once, under a fault that ends while they wait. */
const history = fc.array(
  fc.record({
    fault: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Fault>('none') },
      {
        weight: 2,
        arbitrary: fc.constantFrom<Fault>(
          'answers are lost',
          'requests are lost',
          'answers are late',
          'connections are reset',
        ),
      },
    ),
    actions: fc.array(action, { minLength: 1, maxLength: 6 }),
  }),
  { minLength: 2, maxLength: 8 },
);

const decisions: Readonly<Record<string, (state: Account) => AccountEvent[]>> = {
  open: open(),
  close: close(),
  nothing: deposit(0),
  deposit: deposit(1),
  'dry run': deposit(1),
  'if-match': deposit(1),
  'two deposits': (state) => [...deposit(1)(state), ...deposit(1)(state)],
};

const withoutFlags = ({ repeated: _, dryRun: __, ...answer }: Change<AccountEvent>): unknown => answer;

describe('write side under faults, two processes', () => {
  let server: TestEventStore;
  beforeAll(async () => {
    server = await testEventStore();
  });
  afterAll(() => server.close());

  async function underFault<T>(fault: Fault, work: () => Promise<T>): Promise<T> {
    const faults = server.embedded?.faults;
    if (!faults || fault === 'none') return work();
    if (fault === 'answers are lost') faults.neverAnswerAppends = 'written';
    if (fault === 'requests are lost') faults.neverAnswerAppends = 'not-written';
    if (fault === 'answers are late') faults.answerAppendsAfterMs = 90;
    const working = work();
    const end = setTimeout(() => {
      Object.assign(faults, { neverAnswerAppends: false, answerAppendsAfterMs: 0 });
      if (fault === 'connections are reset') faults.resetConnections();
    }, 70);
    try {
      return await working;
    } finally {
      clearTimeout(end);
      Object.assign(faults, { neverAnswerAppends: false, answerAppendsAfterMs: 0 });
    }
  }

  it('every acknowledged command is in the stream once, every answer stays the same, and every way to load agrees', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (groups) => {
        const options = { appendDeadlineMs: 60, readDeadlineMs: 1_000, snapshotEvery: 5, timeBudgetMs: 20_000 };
        const processes = [accountProcess(server, options), accountProcess(server, options)];
        const id = randomUUID();
        const stream = `${server.prefix}.account-${id}`;
        const answers = new Map<string, Change<AccountEvent>>();
        const kinds = new Map<string, string>();
        let keys = 0;
        const act = async ({ process, kind, pick }: Action): Promise<void> => {
          const { accounts, store } = processes[process]!;
          if (kind === 'forget snapshots') {
            for (const other of processes) await other.accounts.flushSnapshots();
            await store.deleteStream(`${server.prefix}_snapshot.account-${id}`).catch(() => undefined);
            return;
          }
          const known = [...answers.keys()];
          const key = kind === 'repeat' && known.length > 0 ? known[pick % known.length]! : `key-${keys++}`;
          const decide = decisions[kinds.get(key) ?? kind] ?? deposit(1);
          kinds.set(key, kinds.get(key) ?? kind);
          const change = {
            ...(kind === 'dry run' ? { dryRun: true } : {}),
            ...(kind === 'if-match' ? { expectedRevision: BigInt(pick % 12) } : {}),
          };
          try {
            const answer = await accounts.change(id, context(key, change), decide);
            if (answer.dryRun) return;
            if (answers.has(key)) expect(withoutFlags(answer)).toEqual(withoutFlags(answers.get(key)!));
            else answers.set(key, answer);
          } catch (error) {
            if (!(error instanceof Refused || error instanceof RevisionMismatch || error instanceof AggregateNotFound))
              throw error;
            expect(answers.has(key)).toBe(false);
            // Refused or not: it must have left nothing, which the end of the run checks.
            refused.add(key);
          }
        };
        const refused = new Set<string>();
        try {
          await act({ process: 0, kind: 'open', pick: 0 });
          for (const { fault, actions } of groups) await underFault(fault, () => Promise.all(actions.map(act)));
          for (const { accounts } of processes) await accounts.flushSnapshots();

          const events: RecordedEvent[] = await collect(processes[0]!.store.read(stream));
          expect((await verifyChain(events)).breaks).toEqual([]);
          const byKey = new Map<string, RecordedEvent[]>();
          for (const event of events) {
            const { key } = event.metadata as { key: string };
            byKey.set(key, [...(byKey.get(key) ?? []), event]);
          }
          expect([...byKey.keys()].sort()).toEqual([...answers.keys()].sort());
          for (const [key, answer] of answers) {
            const own = byKey.get(key)!;
            expect(own.at(-1)!.revision).toBe(answer.revision);
            expect(own.filter(({ type }) => type !== 'CommandNoted').map((event) => event.id)).toEqual(
              answer.events.map((event) => event.id),
            );
          }
          for (const key of refused) expect(byKey.has(key)).toBe(false);

          let state = accountType.initial;
          const fresh = accountProcess(server, options);
          for (const recorded of events) {
            const { event } = decode<AccountEvent>(recorded, accountType.catalog);
            if (recorded.type !== 'CommandNoted') state = accountType.evolve(state, event);
            expect((await fresh.accounts.loadAt(id, 'acme', { revision: recorded.revision }))?.state).toEqual(state);
          }
          for (const { accounts } of [fresh, ...processes])
            expect((await accounts.load(id, 'acme'))?.state).toEqual(state);
          for (const [key, answer] of answers) {
            const decide = decisions[kinds.get(key)!] ?? deposit(1);
            expect(withoutFlags(await fresh.accounts.change(id, context(key), decide))).toEqual(withoutFlags(answer));
          }
          await fresh.accounts.flushSnapshots();
          await fresh.store.close();
        } finally {
          for (const { store } of processes) await store.close();
        }
      }),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 25), endOnFailure: true },
    );
  });
});
