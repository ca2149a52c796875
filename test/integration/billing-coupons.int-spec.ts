import {
  ApplyCoupon,
  CreateCoupon,
  redeemAppliedCoupon,
  RemoveCoupon,
  settleExpiredReservations,
  StartSubscription,
  type CommandResult,
} from '@perennial/billing-application';
import {
  couponId,
  couponType,
  DomainError,
  reservationId,
  subscriptionType,
  type CouponEvent,
  type ExistingCoupon,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import { coupons as couponsModel, findExpiredReservations, ReadModels } from '@perennial/billing-read-models';
import { decode, type StoredEvent } from '@perennial/event-sourcing';
import { openDatabase } from '@perennial/platform';
import { sql } from 'kysely';
import { randomUUID } from 'node:crypto';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { testDatabase } from '../support/postgres';

const START = '2026-01-01T00:00:00.000Z';

describe('coupons', () => {
  let at: TestEventStore;
  let processes: readonly [BillingProcess, BillingProcess];

  beforeAll(async () => {
    at = await testEventStore();
    processes = [await billingProcess(at, { time: START }), await billingProcess(at, { time: START })];
  });

  afterAll(async () => {
    for (const process of processes) await process.close();
    await at.close();
  });

  const started = async (
    couponCodes?: string[],
    key: string = randomUUID(),
    process = processes[0],
  ): Promise<CommandResult> => {
    const terms = {
      customerId: 'customer',
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      item: { description: 'Base', timing: 'advance', unitPrice: '10000' },
      couponCodes,
    } as const;
    return process.execute(new StartSubscription(terms, request({ key })));
  };
  const created = async (code: string, maxRedemptions?: number): Promise<string> => {
    const coupon = { code, discount: { kind: 'percentage', percent: '20' }, maxRedemptions } as const;
    return (await processes[0].execute(new CreateCoupon(coupon, request()))).aggregateId;
  };
  const coupon = async (id: string): Promise<ExistingCoupon> => {
    const loaded = await processes[0].repositories.coupons.load(id, 'default');
    if (loaded?.state.status !== 'active') throw new Error('no such coupon');
    return loaded.state;
  };
  /** What the policy makes of the events of these subscriptions, twice, as a runner that was killed would. */
  const policy = async (subscriptions: readonly string[]) => {
    for (const subscription of [...subscriptions, ...subscriptions]) {
      for await (const recorded of processes[1].store.read(`${at.prefix}.subscription-${subscription}`)) {
        const stored = decode<SubscriptionEvent>(recorded, subscriptionType.catalog) as StoredEvent;
        if (!redeemAppliedCoupon.handles.includes(stored.event.type)) continue;
        for (const command of redeemAppliedCoupon.react(stored)) await processes[1].execute(command);
      }
    }
  };
  /** The reservations of a coupon whose time is over in so many minutes, as the scheduler finds them. */
  const expiredIn = async (minutes: number, id: string) => {
    const tables = await testDatabase();
    const database = openDatabase(tables.url, { max: 1 });
    const { db } = database;
    try {
      await sql`create schema ${sql.ref(tables.schema)}`.execute(db);
      await couponsModel.create(db, tables.schema);
      const events: StoredEvent[] = [];
      for await (const recorded of processes[0].store.read(`${at.prefix}.coupon-${id}`))
        events.push(decode<CouponEvent>(recorded, couponType.catalog));
      await db.transaction().execute((tx) => couponsModel.apply(events, tx, tables.schema));
      const models = new ReadModels(db, tables.schema, processes[0].repositories.dataKeys);
      return await findExpiredReservations(models, new Date(Date.now() + minutes * 60_000).toISOString());
    } finally {
      await database.close();
      await tables.close();
    }
  };
  const refusal = async (doing: Promise<unknown>): Promise<string> => {
    try {
      await doing;
      return 'done';
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      throw error;
    }
  };

  it('are redeemed by exactly 10 of 64 racers where there are 10 redemptions', async () => {
    const id = await created('ten', 10);
    const subscriptions = await Promise.all(Array.from({ length: 64 }, async () => (await started()).aggregateId));
    const answers = await Promise.all(
      subscriptions.map(async (subscription, n) =>
        refusal(processes[n % 2 === 0 ? 0 : 1].execute(new ApplyCoupon(subscription, 'TEN', request()))),
      ),
    );
    expect(answers.filter((answer) => answer === 'done')).toHaveLength(10);
    expect(answers.filter((answer) => answer === 'coupon-exhausted')).toHaveLength(54);
    const applied: string[] = [];
    for (const subscription of subscriptions) {
      const loaded = await processes[0].repositories.subscriptions.load(subscription, 'default');
      if (loaded?.state.status === 'active' && loaded.state.coupons.length > 0) applied.push(subscription);
    }
    expect(applied).toHaveLength(10);
    expect(await coupon(id)).toMatchObject({ redeemed: 0 });
    await policy(applied);
    expect(await coupon(id)).toMatchObject({ redeemed: 10, reserved: [] });
  });

  it('are redeemed once by a subscription, for its life, whoever races and whatever becomes of the coupon', async () => {
    const id = await created('single', 5);
    const { aggregateId: subscription } = await started();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        refusal(processes[n % 2 === 0 ? 0 : 1].execute(new ApplyCoupon(subscription, 'single', request()))),
      ),
    );
    expect(answers.filter((answer) => answer === 'done')).toHaveLength(1);
    expect(new Set(answers)).toEqual(expect.objectContaining(new Set(['done', 'coupon-already-applied'])));
    await processes[0].execute(new RemoveCoupon(subscription, id, request()));
    expect(await refusal(processes[1].execute(new ApplyCoupon(subscription, 'SINGLE', request())))).toBe(
      'coupon-already-applied',
    );
    // What was reserved for those that lost is free again.
    expect((await coupon(id)).reserved).toHaveLength(1);
  });

  it('answer the same key with the same events, and a dry run keeps nothing', async () => {
    const id = await created('again', 1);
    const { aggregateId: subscription } = await started();
    const context = request();
    const dry = await processes[0].execute(new ApplyCoupon(subscription, 'again', { ...context, dryRun: true }));
    expect(dry.events.map(({ type }) => type)).toEqual(['CouponApplied']);
    expect((await coupon(id)).reserved).toEqual([]);
    const first = await processes[0].execute(new ApplyCoupon(subscription, 'again', context));
    const second = await processes[1].execute(new ApplyCoupon(subscription, 'again', context));
    expect(second).toEqual({ ...first, repeated: true });
    expect((await coupon(id)).reserved).toHaveLength(1);
    expect(await refusal(started(['again']))).toBe('coupon-exhausted');
    expect(await refusal(started(['nothing']))).toBe('coupon-not-found');
  });

  /** A process that reserves, and dies before the subscription hears of it. */
  const reservedAndKilled = async (send: (process: BillingProcess) => Promise<unknown>) => {
    const stopped = new Error('killed');
    const { subscriptions } = processes[1].repositories;
    const change = subscriptions.change.bind(subscriptions);
    let calls = 0;
    subscriptions.change = (...args) => {
      calls += 1;
      return calls > 1 ? Promise.reject(stopped) : change(...args);
    };
    await expect(send(processes[1])).rejects.toBe(stopped);
    subscriptions.change = change;
  };

  it('heal a crash between reserving and applying by the repeat', async () => {
    const id = await created('repeat', 1);
    const { aggregateId: subscription } = await started();
    const apply = new ApplyCoupon(subscription, 'repeat', request());
    await reservedAndKilled((process) => process.execute(apply));
    const [kept] = (await coupon(id)).reserved;
    expect((await processes[0].execute(apply)).events.map(({ type }) => type)).toEqual(['CouponApplied']);
    expect((await coupon(id)).reserved).toEqual([kept]);
    const key = randomUUID();
    await created('repeat-start', 1);
    await reservedAndKilled(() => started(['repeat-start'], key, processes[1]));
    expect(await refusal(started(['repeat-start']))).toBe('coupon-exhausted');
    expect((await started(['repeat-start'], key)).events.map(({ type }) => type)).toContain('CouponApplied');
  });

  it('are free again when the process died between reserving and applying and nobody repeats', async () => {
    const id = await created('crash', 1);
    const { aggregateId: subscription } = await started();
    const context = request();
    await reservedAndKilled((process) => process.execute(new ApplyCoupon(subscription, 'crash', context)));
    expect(await coupon(id)).toMatchObject({
      reserved: [{ reservationId: reservationId(id, subscription, context.key) }],
    });
    const other = (await started()).aggregateId;
    expect(await refusal(processes[0].execute(new ApplyCoupon(other, 'crash', request())))).toBe('coupon-exhausted');

    expect(await expiredIn(14, id)).toEqual([]);
    const expired = await expiredIn(16, id);
    expect(expired).toMatchObject([{ couponId: id, subscriptionId: subscription }]);
    for (const settle of settleExpiredReservations(expired)) await processes[0].execute(settle);
    expect(await coupon(id)).toMatchObject({ redeemed: 0, reserved: [] });
    expect(await refusal(processes[0].execute(new ApplyCoupon(other, 'crash', request())))).toBe('done');
    // The repeat of the first finds its reservation gone, and none that is free.
    expect(await refusal(processes[0].execute(new ApplyCoupon(subscription, 'crash', context)))).toBe(
      'coupon-exhausted',
    );
  });

  it('count an applied redemption that no policy told them of, when its time is over', async () => {
    const id = await created('late', 1);
    const { aggregateId: subscription } = await started(['late']);
    const [settle] = settleExpiredReservations(await expiredIn(16, id));
    if (!settle) throw new Error('nothing to settle');
    await processes[0].execute(settle);
    await processes[1].execute(settle);
    expect(await coupon(id)).toMatchObject({ redeemed: 1, reserved: [] });
    // And the policy, that comes late, adds nothing.
    await policy([subscription]);
    expect(await coupon(id)).toMatchObject({ redeemed: 1, reserved: [] });
  });

  it('act from the first bill on where a subscription starts with them, once for a key', async () => {
    const id = await created('start', 1);
    const key = randomUUID();
    const [first, second] = [await started(['start'], key), await started(['start'], key)];
    expect(second).toEqual({ ...first, repeated: true });
    const bill = first.events.find(({ type }) => type === 'LinesBilled')?.data as { net: string };
    expect(bill.net).toBe('8000');
    expect((await coupon(id)).reserved).toHaveLength(1);
    expect(couponId('default', 'START')).toBe(id);
    const stream: CouponEvent['type'][] = [];
    for await (const event of processes[0].store.read(`${at.prefix}.${couponType.name}-${id}`))
      stream.push(event.type as CouponEvent['type']);
    expect(stream).toEqual(['CouponCreated', 'RedemptionReserved']);
  });
});
