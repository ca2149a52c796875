import fc from 'fast-check';
import {
  addDays,
  addLineItem,
  applyCoupon,
  cancelNow,
  changeBillingCycle,
  changeItems,
  changePeriods,
  changeTimeZone,
  DomainError,
  evolveSubscription,
  pause,
  presets,
  releaseBill,
  removeCoupon,
  resume,
  rollOver,
  scheduleCancellation,
  schedulePause,
  start,
  toLocalDate,
  undoCancellation,
  undoPause,
  undoScheduledChange,
  voidLineItem,
  type Anchor,
  type BillingRules,
  type Interval,
  type NewItem,
  type NewItemEdit,
  type Price,
  type StartSubscription,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

/* Any subscription and anything that may be asked of it, at any times: the histories that the properties are about. */

const DAY = 86_400_000;
export const iso = (milliseconds: number) => new Date(milliseconds).toISOString();

export const zones = [
  'UTC',
  'America/New_York',
  'America/Sao_Paulo',
  'Europe/Berlin',
  'Europe/London',
  'Africa/Casablanca',
  'Asia/Tokyo',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
] as const;

const intervals: readonly Interval[] = [
  { unit: 'day', count: 30 },
  { unit: 'week', count: 2 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 3 },
  { unit: 'year', count: 1 },
];

const amounts = fc.constantFrom('0', '1', '33.3', '999', '1000', '12345', '100000', '0.000000000001');
const fee = fc.option(amounts, { nil: undefined });
const packageSizes = fc.constantFrom(undefined, undefined, undefined, '1', '2.5', '100');
const tiers = fc
  .tuple(
    fc.constantFrom([], ['2'], ['1', '3'], ['0.5', '2.5', '7']),
    fc.array(fc.tuple(amounts, fee, packageSizes), { minLength: 4, maxLength: 4 }),
  )
  .map(([bounds, prices]) =>
    [...bounds, null].map((upTo, i) => {
      const [unitPrice = '0', flatFee, packageSize] = prices[i] ?? [];
      return {
        upTo,
        unitPrice,
        ...(packageSize !== undefined && { packageSize }),
        ...(flatFee !== undefined && { flatFee }),
      };
    }),
  );

const bounds = fc.constantFrom<{ minimum?: string; maximum?: string }>(
  { minimum: '5000' },
  { maximum: '2000' },
  { minimum: '1000', maximum: '9000.5' },
);

const models: fc.Arbitrary<Price> = fc.oneof(
  { weight: 3, arbitrary: amounts.map((unitPrice): Price => ({ model: 'flat', unitPrice })) },
  { weight: 2, arbitrary: amounts.map((unitPrice): Price => ({ model: 'per-unit', unitPrice })) },
  tiers.map((each): Price => ({ model: 'graduated', tiers: each })),
  tiers.map((each): Price => ({ model: 'volume', tiers: each })),
  fc
    .tuple(amounts, fc.constantFrom('1', '2.5', '10'), fc.constantFrom(undefined, '1', '5'))
    .map(([packagePrice, packageSize, freeUnits]): Price => ({
      model: 'package',
      packagePrice,
      packageSize,
      ...(freeUnits !== undefined && { freeUnits }),
    })),
);

const prices: fc.Arbitrary<Price> = fc.oneof(
  { weight: 7, arbitrary: models },
  fc.tuple(models, bounds).map(([model, bound]) => ({ ...model, ...bound })),
);

const quantities = fc.constantFrom('0', '1', '1', '2', '3', '2.5', '10');
const timings = fc.constantFrom('advance' as const, 'advance' as const, 'arrears' as const);
const itemIds = ['base', 'seats', 'extra'] as const;

const recurring = (itemId: string): fc.Arbitrary<NewItem> =>
  fc.record({
    itemId: fc.constant(itemId),
    componentKey: fc.constant(itemId),
    description: fc.constant(itemId),
    quantity: quantities,
    timing: timings,
    every: fc.constantFrom(1, 1, 1, 1, 2, 3),
    price: prices,
  });

const fees = (itemId: string): fc.Arbitrary<NewItem> =>
  fc.record({
    itemId: fc.constant(itemId),
    componentKey: fc.constant(itemId),
    kind: fc.constant('one-time' as const),
    description: fc.constant(itemId),
    quantity: quantities,
    timing: timings,
    price: amounts.map((unitPrice): Price => ({ model: 'flat', unitPrice })),
  });

const item = (itemId: string): fc.Arbitrary<NewItem> =>
  fc.oneof({ weight: 6, arbitrary: recurring(itemId) }, fees(itemId));

const edit: fc.Arbitrary<NewItemEdit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('quantity' as const),
      itemId: fc.constantFrom(...itemIds),
      quantity: quantities,
    }),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(...itemIds)
      .chain(item)
      .map((each) => ({ kind: 'put' as const, item: each })),
  },
  fc.constantFrom(...itemIds).map((itemId) => ({ kind: 'remove' as const, itemId })),
  fc
    .constantFrom<{ minimum?: string | null; maximum?: string | null }>(
      { minimum: '3000' },
      { maximum: '1500' },
      { minimum: null, maximum: null },
    )
    .map((bound) => ({ kind: 'commitment' as const, ...bound })),
);
const edits = fc.array(edit, { minLength: 1, maxLength: 2 });
const billing = fc.constantFrom('now' as const, 'next-bill' as const);
const credit = fc.constantFrom('none' as const, 'prorated' as const);
const anchorOf = (interval: Interval): fc.Arbitrary<Anchor | undefined> =>
  fc.oneof(
    fc.constant(undefined),
    fc.constant({ localDateTime: '2024-01-31T02:30:00' }),
    interval.unit === 'month' || interval.unit === 'year'
      ? fc.integer({ min: 1, max: 31 }).map((dayOfMonth) => ({ dayOfMonth }))
      : fc.constant(undefined),
  );

/** One thing that is asked of a subscription. */
export type Asked =
  | { readonly command: 'add' | 'void'; readonly n: number }
  | { readonly command: 'change'; readonly edits: NewItemEdit[]; readonly billing: 'now' | 'next-bill' }
  | { readonly command: 'change-at-end'; readonly edits: NewItemEdit[] }
  | { readonly command: 'backdate'; readonly edits: NewItemEdit[]; readonly back: number }
  | {
      readonly command: 'cycle';
      readonly interval: Interval;
      readonly anchor: Anchor | undefined;
      readonly edits: NewItemEdit[];
    }
  | { readonly command: 'pause' | 'cancel'; readonly credit: 'none' | 'prorated' }
  | { readonly command: 'resume'; readonly anchor: 'keep' | 'restart' }
  | { readonly command: 'undo-change' | 'cancel-at-end' | 'undo-cancellation' | 'pause-at-end' | 'undo-pause' }
  | { readonly command: 'periods'; readonly periods: number | null }
  | { readonly command: 'move'; readonly timeZone: string }
  | { readonly command: 'redeem'; readonly coupon: Coupon }
  | { readonly command: 'take-off'; readonly couponId: string }
  | { readonly command: 'release'; readonly n: number; readonly rebill: boolean }
  | { readonly command: 'tick' };

type Coupon = Parameters<typeof applyCoupon>[1]['coupon'];

/** So many milliseconds after the one before. */
export type Step = { readonly after: number } & Asked;

const asked: fc.Arbitrary<Asked> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ command: fc.constant('add' as const), n: fc.nat(6) }) },
  fc.record({ command: fc.constant('void' as const), n: fc.nat(6) }),
  { weight: 5, arbitrary: fc.record({ command: fc.constant('change' as const), edits, billing }) },
  { weight: 2, arbitrary: fc.record({ command: fc.constant('change-at-end' as const), edits }) },
  { weight: 3, arbitrary: fc.record({ command: fc.constant('backdate' as const), edits, back: fc.nat(80) }) },
  fc.constantFrom(...intervals).chain((interval) =>
    fc.record({
      command: fc.constant('cycle' as const),
      interval: fc.constant(interval),
      anchor: anchorOf(interval),
      edits: fc.oneof(fc.constant<NewItemEdit[]>([]), edits),
    }),
  ),
  { weight: 2, arbitrary: fc.record({ command: fc.constant('pause' as const), credit }) },
  fc.record({ command: fc.constant('cancel' as const), credit }),
  {
    weight: 4,
    arbitrary: fc.record({
      command: fc.constant('resume' as const),
      anchor: fc.constantFrom('keep' as const, 'restart' as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ command: 'tick' as const }) },
  fc.record({
    command: fc.constantFrom('undo-change' as const, 'cancel-at-end' as const, 'undo-cancellation' as const),
  }),
  fc.record({ command: fc.constantFrom('pause-at-end' as const, 'pause-at-end' as const, 'undo-pause' as const) }),
  fc.record({ command: fc.constant('move' as const), timeZone: fc.constantFrom(...zones) }),
  fc.record({ command: fc.constant('periods' as const), periods: fc.constantFrom(null, 1, 3, 8) }),
);

const pauseBetween = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: DAY }),
  fc.integer({ min: 0, max: 20 * DAY }),
  fc.integer({ min: 0, max: 75 * DAY }),
);

const scriptsOf = (what: fc.Arbitrary<Asked>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.tuple(pauseBetween, what).map(([after, each]): Step => ({ after, ...each })),
    { minLength: 4, maxLength: 20, size: 'max' },
  );

export const scripts = scriptsOf(asked);

const couponIds = ['one', 'two', 'three'] as const;
const coupon: fc.Arbitrary<Coupon> = fc
  .record({
    couponId: fc.constantFrom(...couponIds),
    discount: fc.oneof(
      fc.constantFrom('10', '20', '33.33', '100').map((percent) => ({ kind: 'percentage' as const, percent })),
      fc.constantFrom('1', '400', '2600', '100000').map((USD) => ({ kind: 'amount' as const, amounts: { USD } })),
    ),
    periods: fc.constantFrom(undefined, undefined, 1, 3),
    componentKeys: fc.constantFrom(undefined, undefined, ['base'], ['seats', 'extra']),
  })
  .map(({ couponId, discount, periods, componentKeys }) => ({
    couponId,
    code: couponId,
    description: 'Sale',
    discount,
    ...(periods !== undefined && { periods }),
    ...(componentKeys && { componentKeys }),
  }));

/** With coupons, and with bills that are released: billed again or waived. */
export const scriptsWithCoupons = scriptsOf(
  fc.oneof(
    { weight: 3, arbitrary: asked },
    { weight: 1, arbitrary: coupon.map((each) => ({ command: 'redeem' as const, coupon: each })) },
    fc.record({ command: fc.constant('release' as const), n: fc.nat(30), rebill: fc.boolean() }),
    fc.constantFrom(...couponIds).map((couponId) => ({ command: 'take-off' as const, couponId })),
  ),
);

export interface Beginning {
  readonly at: number;
  readonly terms: StartSubscription;
}

export const beginningsUnder = (rules: fc.Arbitrary<BillingRules>): fc.Arbitrary<Beginning> =>
  fc.constantFrom(...intervals).chain((interval) =>
    fc
      .record({
        at: fc.integer({ min: Date.UTC(2023, 0, 1), max: Date.UTC(2026, 0, 1) }),
        timeZone: fc.constantFrom(...zones),
        anchor: anchorOf(interval),
        first: item('base'),
        second: fc.option(item('seats'), { nil: undefined }),
        rules,
        startsIn: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: -100, max: 30 })),
        trialDays: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 40 })),
        trialEnd: fc.constantFrom('activate' as const, 'activate' as const, 'cancel' as const),
        commitment: fc.option(bounds, { nil: undefined }),
      })
      .map(({ at, timeZone, anchor, first, second, rules: named, startsIn, trialDays, trialEnd, commitment }) => ({
        at,
        terms: {
          subscriptionId: '5d2eec52-086d-5f3c-8395-ed5062da6fd9',
          customerId: 'customer-1',
          currency: 'USD',
          timeZone,
          interval,
          anchor,
          item: first,
          ...(second && { items: [second] }),
          rules: named,
          ...(startsIn !== 0 && { startsAt: iso(at + startsIn * DAY) }),
          ...(trialDays > 0 && { trialDays, trialEnd }),
          commitment,
        },
      })),
  );

export const everyRules: fc.Arbitrary<BillingRules> = fc.constantFrom(...Object.values<BillingRules>(presets));
export const defaultRules: fc.Arbitrary<BillingRules> = fc.constant<BillingRules>(presets.perennial);

type Decision = (state: Subscription) => SubscriptionEvent[];

function decision(
  step: Exclude<Asked, { command: 'tick' }>,
  now: string,
  events: readonly SubscriptionEvent[],
): Decision {
  switch (step.command) {
    case 'add':
      return (s) =>
        addLineItem(
          s,
          { lineItemId: `li-${step.n}`, description: 'x', unitPrice: `${step.n * 7}.5`, quantity: '1.5' },
          now,
        );
    case 'void':
      return (s) => voidLineItem(s, `li-${step.n}`, now);
    case 'change':
      return (s) => changeItems(s, { edits: step.edits, billing: step.billing }, now);
    case 'change-at-end':
      return (s) => changeItems(s, { edits: step.edits, when: 'period-end' }, now);
    case 'backdate':
      return (s) => {
        const zone = s.status === 'none' ? 'UTC' : s.timeZone;
        const effectiveOn = addDays(toLocalDate(now, zone), -step.back);
        return changeItems(s, { edits: step.edits, when: { effectiveOn } }, now);
      };
    case 'cycle':
      return (s) => changeBillingCycle(s, step, now);
    case 'pause':
      return (s) => pause(s, step, now);
    case 'resume':
      return (s) => resume(s, step, now);
    case 'cancel':
      return (s) => cancelNow(s, step, now);
    case 'cancel-at-end':
      return (s) => scheduleCancellation(s, now);
    case 'undo-cancellation':
      return (s) => undoCancellation(s, now);
    case 'undo-change':
      return (s) => undoScheduledChange(s, now);
    case 'pause-at-end':
      return (s) => schedulePause(s, now);
    case 'undo-pause':
      return (s) => undoPause(s, now);
    case 'move':
      return (s) => changeTimeZone(s, step, now);
    case 'periods':
      return (s) => changePeriods(s, step, now);
    case 'redeem':
      return (s) => applyCoupon(s, { reservationId: step.coupon.couponId, coupon: step.coupon }, now);
    case 'take-off':
      return (s) => removeCoupon(s, step.couponId, now);
    case 'release': {
      const released = events.flatMap((each) => (each.type === 'BillReleased' ? [each.data.billNumber] : []));
      const bills = events.flatMap((each) => (each.type === 'LinesBilled' ? [each.data] : []));
      const open = bills.filter(({ billNumber, net }) => !released.includes(billNumber) && !net.startsWith('-'));
      const of = open[step.n % Math.max(open.length, 1)];
      return (s) => (of ? releaseBill(s, { ...of, rebill: step.rebill }, now) : []);
    }
  }
}

/** What the scheduler waits for: the end of the open period, or before the first one the start, which ends period 0. */
function dueAt(state: Subscription): { readonly periodNumber: number; readonly at: string } | undefined {
  if (state.status === 'none') return undefined;
  if (state.openPeriod) return { periodNumber: state.openPeriod.periodNumber, at: state.openPeriod.endsAt };
  return state.status === 'scheduled' ? { periodNumber: 0, at: state.startsAt } : undefined;
}

export interface Played {
  readonly events: readonly SubscriptionEvent[];
  readonly state: Subscription;
  /** `command outcome` of each step: decided, noted (nothing to do), or a refusal's code. */
  readonly outcomes: readonly string[];
  /** Each decision that was taken, and the state after it. */
  readonly made: readonly { readonly decide: Decision; readonly after: Subscription }[];
}

/**
 * Plays a script as the handlers do: a command that meets `boundary-due` rolls over first. The scheduler comes before each command
 * (punctual), or only with the script's ticks. At the end everything that elapses in the next 400 days is rolled over.
 */
export function play({ at, terms }: Beginning, script: readonly Step[], scheduler: 'punctual' | 'ticks'): Played {
  let state: Subscription = { status: 'none' };
  const events: SubscriptionEvent[] = [];
  const outcomes: string[] = [];
  const made: Played['made'][number][] = [];
  const used = new Set<string>();
  let clock = at;
  const record = (decided: readonly SubscriptionEvent[]) => {
    events.push(...decided);
    state = decided.reduce<Subscription>(evolveSubscription, state);
  };
  const catchUp = (now: string) => {
    for (;;) {
      const due = dueAt(state);
      if (!due || now < due.at) return;
      record(rollOver(state, due.periodNumber, now));
    }
  };
  const attempt = (decide: Decision): string => {
    try {
      const decided = decide(state);
      record(decided);
      return decided.length > 0 ? 'decided' : 'noted';
    } catch (error) {
      if (error instanceof DomainError) return error.code;
      throw error;
    }
  };
  outcomes.push(`start ${attempt((s) => start(s, terms, iso(at)))}`);
  for (const step of script) {
    clock += step.after;
    const now = iso(clock);
    if (scheduler === 'punctual') catchUp(now);
    if (step.command === 'tick') {
      if (scheduler === 'ticks')
        attempt((s) => {
          const due = dueAt(s);
          return due ? rollOver(s, due.periodNumber, now) : [];
        });
      continue;
    }
    // A line item's id, or a coupon's, is remembered for the subscription's life: by the repository, here by this.
    if (step.command === 'add' && used.has(`li-${step.n}`)) continue;
    if (step.command === 'redeem' && used.has(step.coupon.couponId)) continue;
    const decide = decision(step, now, events);
    let outcome = attempt(decide);
    if (outcome === 'boundary-due') {
      catchUp(now);
      outcome = attempt(decide);
    }
    if (outcome === 'decided' || outcome === 'noted') made.push({ decide, after: state });
    if (step.command === 'add' && outcome === 'decided') used.add(`li-${step.n}`);
    if (step.command === 'redeem' && outcome === 'decided') used.add(step.coupon.couponId);
    outcomes.push(`${step.command} ${outcome}`);
  }
  catchUp(iso(clock + 400 * DAY));
  return { events, state, outcomes, made };
}
