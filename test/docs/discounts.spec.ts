import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  cancelNow,
  evolveSubscription,
  rollOver,
  start,
  usagePeriod,
  type CouponOffer,
  type NewItem,
  type StartSubscription,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

/** A subscription from 1 January 2026 on, and the lines of its bills: at the start, at each boundary, at its end. */
interface Example {
  readonly items: readonly {
    readonly unitPrice?: string;
    /** What is measured in every period, at 0.01 each. */
    readonly usage?: string;
    readonly key?: string;
    readonly timing?: 'advance' | 'arrears';
    readonly discountable?: boolean;
  }[];
  readonly coupons?: readonly {
    readonly percent?: string;
    readonly amount?: string;
    readonly periods?: number;
    readonly componentKeys?: readonly string[];
  }[];
  readonly minimum?: string;
  readonly maximum?: string;
  /** Length of a period; default: a month. */
  readonly days?: number;
  /** With a prorated credit. */
  readonly cancelAt?: string;
  readonly bills: readonly (readonly string[])[];
}

const page = readFileSync(join(__dirname, '../../docs/discounts.md'), 'utf8');
const examples = [...page.matchAll(/```json\n([^`]*)```/g)].map(([, text = '']) => JSON.parse(text) as Example);

function itemOf(
  { unitPrice = '1', usage, key, timing = 'advance', discountable }: Example['items'][number],
  n: number,
) {
  const componentKey = key ?? `item-${n}`;
  const item = {
    componentKey,
    itemId: componentKey,
    description: 'x',
    ...(discountable === false && { discountable }),
  };
  if (usage === undefined) return { ...item, timing, unitPrice } satisfies NewItem;
  const meter = { key: componentKey, aggregation: 'sum', valueProperty: 'n' } as const;
  return { ...item, kind: 'usage', timing: 'arrears', unitPrice, meter } satisfies NewItem;
}

function offerOf({ percent, amount = '', ...terms }: NonNullable<Example['coupons']>[number], n: number): CouponOffer {
  const discount =
    percent === undefined
      ? ({ kind: 'amount', amounts: { USD: amount } } as const)
      : ({ kind: 'percentage', percent } as const);
  return { couponId: `coupon-${n}`, code: `C${n}`, description: 'x', discount, ...terms };
}

function billsOf({ items, coupons = [], minimum, maximum, days, cancelAt, bills }: Example): string[][] {
  const [first, ...others] = items.map(itemOf);
  if (!first) throw new Error('no item');
  const terms: StartSubscription = {
    subscriptionId: '00000000-0000-5000-8000-000000000000',
    customerId: 'customer-1',
    currency: 'USD',
    timeZone: 'UTC',
    interval: days === undefined ? { unit: 'month', count: 1 } : { unit: 'day', count: days },
    item: first,
    items: others,
    commitment: { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) },
    coupons: coupons.map((coupon, n) => ({ reservationId: `r-${n}`, coupon: offerOf(coupon, n) })),
  };
  let state: Subscription = { status: 'none' };
  const linesOf = (events: readonly SubscriptionEvent[]) => {
    state = events.reduce<Subscription>(evolveSubscription, state);
    return events.flatMap((event) =>
      event.type === 'LinesBilled' ? event.data.lines.map(({ kind, net }) => `${kind} ${net}`) : [],
    );
  };
  /** The open period's usage, as its seal says it. */
  const sealed = (periodNumber: number) => {
    const period = state.status === 'active' ? usagePeriod(state, periodNumber, 0) : undefined;
    if (!period) return undefined;
    const meters = items.flatMap(({ usage }, n) =>
      usage === undefined ? [] : [{ meter: `item-${n}`, records: 1, quantity: usage }],
    );
    const segments = period.segments.map(({ from }) => ({ from, meters }));
    const { subscriptionId, startsAt, endsAt: to } = period;
    return { subscriptionId, periodNumber, startsAt, to, segments, carried: [] };
  };
  const made = [linesOf(start(state, terms, '2026-01-01T00:00:00.000Z'))];
  if (cancelAt !== undefined) return [...made, linesOf(cancelNow(state, { credit: 'prorated' }, cancelAt))];
  for (let n = 1; n < bills.length; n += 1)
    made.push(linesOf(rollOver(state, n, '2030-01-01T00:00:00.000Z', sealed(n))));
  return made;
}

describe('docs/discounts.md', () => {
  it.each(examples)('%j', (example) => {
    expect(billsOf(example)).toEqual(example.bills);
  });
});
