import {
  AddLineItem,
  ArchivePlanVersion,
  CancelSubscription,
  CreateCoupon,
  CreatePlan,
  DraftPlanVersion,
  PauseSubscription,
  PublishPlanVersion,
  ResumeSubscription,
  RollOverBillingPeriod,
  StartSubscription,
  UndoCancellation,
  VoidLineItem,
  type CommandResult,
} from '@perennial/billing-application';
import {
  billingCatalogs,
  defaultRules,
  DomainError,
  type PlanTerms,
  type StartedSubscription,
} from '@perennial/billing-domain';
import {
  billingProjections,
  findDueBillingPeriods,
  findStreams,
  getCurrentBillingPeriod,
  getPlan,
  getSubscription,
  ReadModels,
} from '@perennial/billing-read-models';
import { diffProjection, ProjectionRunner, rebuildProjection } from '@perennial/event-sourcing';
import { openDatabase, type Database } from '@perennial/platform';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { testDatabase, type TestDatabase } from '../support/postgres';
import { logger } from '../support/read-side';

const START = '2026-01-15T12:00:00.000Z';
const hours = (n: number) => new Date(Date.parse(START) + n * 3_600_000).toISOString();

/** The same numbers for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const planTerms: PlanTerms = {
  interval: { unit: 'month', count: 1 },
  currencies: ['JPY'],
  rules: defaultRules,
  components: [
    {
      componentKey: 'base',
      description: 'Base',
      kind: 'recurring',
      timing: 'advance',
      every: 1,
      prices: { JPY: { model: 'flat', unitPrice: '700' } },
      taxCode: null,
      taxBehaviour: 'unspecified',
      discountable: true,
    },
  ],
};

describe('the read models behind the runner', () => {
  let server: TestEventStore;
  let at: TestDatabase;
  let database: Database;
  let models: ReadModels;
  let processes: readonly [BillingProcess, BillingProcess];
  let runner: ProjectionRunner;

  beforeAll(async () => {
    server = await testEventStore();
    at = await testDatabase();
    database = openDatabase(at.url, { max: 4 });
    processes = [await billingProcess(server, { time: START }), await billingProcess(server, { time: START })];
    models = new ReadModels(database.db, at.schema, processes[0].repositories.dataKeys);
    runner = new ProjectionRunner({
      ...rebuildContext(),
      projections: billingProjections,
      logger,
      onDiverged: 'stop',
    });
    runner.start();
  });

  afterAll(async () => {
    await runner.stop();
    for (const process of processes) await process.close();
    await database.close();
    await at.close();
    await server.close();
  });

  const rebuildContext = () => ({
    store: processes[0].store,
    db: database.db,
    schema: at.schema,
    streamPrefix: server.prefix,
    catalogs: billingCatalogs,
  });

  /** Sends `count` commands of all kinds to these subscriptions; refusals of the domain are part of life. */
  const live = async (ids: readonly string[], count: number, seed: number): Promise<bigint> => {
    const roll = dice(seed);
    let position = 0n;
    for (let n = 0; n < count; n += 1) {
      for (const { clock } of processes) clock.time = hours(seed * 1_000 + n * 10);
      const id = ids[roll(ids.length)] as string;
      const item = { lineItemId: `${seed}-${roll(count)}`, description: 'Charge', unitPrice: `${roll(9_999)}` };
      const commands = [
        ...Array.from({ length: 6 }, () => new AddLineItem(id, item, request())),
        new VoidLineItem(id, `${seed}-${roll(count)}`, request()),
        new VoidLineItem(id, `${seed}-${roll(count)}`, request()),
        new PauseSubscription(id, { credit: 'none' }, request()),
        new ResumeSubscription(id, { anchor: 'keep' }, request()),
        new ResumeSubscription(id, { anchor: 'keep' }, request()),
        new CancelSubscription(id, { at: 'period-end', credit: 'none' }, request()),
        new UndoCancellation(id, request()),
        new UndoCancellation(id, request()),
        new RollOverBillingPeriod(id, 1 + roll(12), request()),
      ];
      try {
        const command = commands[roll(commands.length)] as AddLineItem;
        const answer: CommandResult = await (processes[roll(2)] as BillingProcess).execute(command);
        if (BigInt(answer.position) > position) position = BigInt(answer.position);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
      }
    }
    return position;
  };

  const subscriptions = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const { aggregateId } = await processes[0].execute(
        new StartSubscription(
          {
            customerId: `customer-${n % 2}`,
            currency: 'JPY',
            timeZone: 'Asia/Tokyo',
            interval: { unit: 'week', count: 1 },
            item: { description: 'Base', timing: n % 2 === 0 ? 'advance' : 'arrears', unitPrice: '700' },
          },
          request(),
        ),
      );
      ids.push(aggregateId);
    }
    return ids;
  };

  it('shows of every subscription what its stream says, at the revision that If-Match names', async () => {
    const ids = await subscriptions(4);
    const position = await live(ids, 150, 1);
    expect(await runner.waitFor('subscription-summary', position, 30_000)).toBe(true);
    const due = await findDueBillingPeriods(models, { now: '9999-01-01T00:00:00.000Z', limit: 1_000 });
    for (const subscriptionId of ids) {
      const loaded = await processes[0].repositories.subscriptions.load(subscriptionId, 'default');
      const state = loaded?.state as StartedSubscription;
      const { found, asOf } = await getSubscription(models, { tenant: 'default', subscriptionId });
      expect(asOf).toMatchObject({ state: 'live', incomplete: 0 });
      expect(asOf.position).toBeGreaterThanOrEqual(position);
      const open = state.openPeriod ?? undefined;
      expect(found).toMatchObject({
        revision: `${loaded?.revision}`,
        position: `${loaded?.position}`,
        recordedAt: loaded?.recordedAt,
        status: state.status === 'active' && state.cancelsAt ? 'canceling' : state.status,
        bills: state.billNumber,
      });
      expect(found?.period?.endsAt).toBe(open?.endsAt);
      const { found: current } = await getCurrentBillingPeriod(models, { tenant: 'default', subscriptionId });
      expect(current?.revision).toBe(found?.revision);
      expect(
        current?.period?.lines.filter(({ billNumber }) => billNumber === null).map(({ lineId }) => lineId),
      ).toEqual(open?.lines.map(({ lineId }) => lineId));
      expect(due.filter((row) => row.subscriptionId === subscriptionId).map(({ endsAt }) => endsAt)).toEqual(
        open === undefined ? [] : [open.endsAt],
      );
    }
    const listed = await findStreams(models, { tenant: 'default', aggregate: 'subscription', limit: 200 });
    expect(listed.items.map(({ aggregateId }) => aggregateId)).toEqual(ids);
  });

  /** A plan with a published, an archived and a drafted version. */
  const plan = async () => {
    const { aggregateId: id } = await processes[0].execute(new CreatePlan({ name: 'Pro' }, request()));
    for (const version of [1, 2, 3])
      await processes[0].execute(new DraftPlanVersion(id, version, planTerms, request()));
    for (const version of [1, 2]) await processes[0].execute(new PublishPlanVersion(id, version, request()));
    return processes[0].execute(new ArchivePlanVersion(id, 2, request()));
  };

  /** A subscription whose first period is closed, and waits for late usage before it is billed. */
  const waitsForUsage = async (): Promise<bigint> => {
    const [process] = processes;
    const { clock } = process;
    const { aggregateId } = await process.execute(
      new StartSubscription(
        {
          customerId: 'measured',
          currency: 'JPY',
          timeZone: 'Asia/Tokyo',
          interval: { unit: 'day', count: 1 },
          item: {
            description: 'Calls',
            kind: 'usage',
            timing: 'arrears',
            meter: { key: 'calls', aggregation: 'count' },
            price: { model: 'per-unit', unitPrice: '1' },
          },
          usageGraceHours: 24,
        },
        request(),
      ),
    );
    clock.time = new Date(Date.parse(clock.time) + 30 * 3_600_000).toISOString();
    return BigInt((await process.execute(new RollOverBillingPeriod(aggregateId, 1, request()))).position);
  };

  it('has the rows of a replay, also after a rebuild, while commands go on', async () => {
    const ids = await subscriptions(3);
    const { aggregateId: planId, position: planned } = await plan();
    const discount = { kind: 'percentage', percent: '10' } as const;
    await processes[0].execute(new CreateCoupon({ code: 'TEN', discount }, request()));
    expect(await runner.waitFor('plans', BigInt(planned), 10_000)).toBe(true);
    expect((await getPlan(models, { tenant: 'default', planId })).found).toMatchObject({
      versionCount: 3,
      publishedVersion: 1,
      versions: [
        { version: 1, status: 'published', terms: planTerms },
        { version: 2, status: 'archived' },
        { version: 3, status: 'draft', publishedAt: null },
      ],
    });
    let position = 0n;
    const writing = live(ids, 120, 3).then((last) => (position = last));
    for (const projection of billingProjections) {
      await rebuildProjection(rebuildContext(), projection);
      expect(await diffProjection(rebuildContext(), projection)).toMatchObject({ differing: 0, differences: [] });
    }
    await writing;
    position = await waitsForUsage();
    for (const projection of billingProjections) {
      expect(await runner.waitFor(projection.name, position, 30_000)).toBe(true);
      const diff = await diffProjection(rebuildContext(), projection);
      expect(diff).toMatchObject({ differing: 0, differences: [] });
      // No policy runs in this story: there are no invoices, credit notes or balances; and customers are names alone.
      const ofPolicies = ['invoices', 'credit-notes', 'customer-balances', 'customers'].includes(projection.name);
      expect(diff.rows > 0 || ofPolicies).toBe(true);
    }
  });
});
