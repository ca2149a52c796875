import { encodedBytes } from '../text';
import type { CouponOffer } from '../coupon/events';
import { addLineItems } from './add-line-items';
import { applyCoupon } from './apply-coupon';
import { bill, discountBytes, linesBilled } from './bill';
import { cancelNow } from './cancel';
import { changeBillingCycle } from './change-billing-cycle';
import { changeQuantity } from './change-items';
import { at, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import { pause } from './pause';
import { releaseBill } from './release-bill';
import type { StartSubscription } from './start';
import type { StartedSubscription } from './state';
import type { NewLineItem } from './subscription';

const month = { unit: 'month', count: 1 } as const;
const started = (changes: Partial<StartSubscription> = {}) => startOn('2026-01-01', { interval: month, ...changes });
const coupon = (couponId: string, changes: Partial<CouponOffer> = {}): CouponOffer => ({
  couponId,
  code: couponId.toUpperCase(),
  description: 'Sale',
  discount: { kind: 'percentage', percent: '10' },
  ...changes,
});
const applied =
  (offer: CouponOffer): Decision =>
  (s) =>
    applyCoupon(s, { reservationId: `r-${offer.couponId}`, coupon: offer }, at('2026-01-02'));
const state = (...decisions: Decision[]) => given(...decisions) as StartedSubscription;

describe('a bill', () => {
  it('says whose it is, what for and what it comes to', () => {
    const [event] = linesOf(started()({ status: 'none' }));
    const subscription = state(started({ paymentTermsDays: 14 }));
    const lines = [event!, { ...event!, lineId: 'other', net: '-4000' }];
    expect(linesBilled(subscription, 'change', 3, at('2026-01-09'), lines)).toStrictEqual([
      {
        type: 'LinesBilled',
        data: {
          effectiveAt: at('2026-01-09'),
          subscriptionId: subscription.subscriptionId,
          billNumber: 2,
          periodNumber: 3,
          cause: 'change',
          customerId: 'customer-1',
          timeZone: 'UTC',
          paymentTermsDays: 14,
          currency: 'USD',
          lines,
          net: '-1000',
        },
      },
    ]);
    expect(linesBilled(subscription, 'change', 3, at('2026-01-09'), [])).toEqual([]);
    expect(bill(subscription, 'change', 3, at('2026-01-09'), [])).toEqual([]);
    const use = { couponId: 'c', taken: '1', uses: 1 };
    const reviewed = state(started({ autoFinalise: false }));
    expect(linesBilled(reviewed, 'change', 3, at('2026-01-09'), lines, [use])[0]?.data).toMatchObject({
      autoFinalise: false,
      coupons: [use],
    });
    expect(
      linesBilled(state(started({ autoFinalise: true })), 'change', 3, at('2026-01-09'), lines)[0]?.data,
    ).not.toHaveProperty('autoFinalise');
  });
});

describe('the room that coupons ask for', () => {
  const seats = {
    componentKey: 'seats',
    itemId: 'i-seats',
    description: 'Seats',
    timing: 'advance',
    unitPrice: '100',
  } as const;
  const line = (itemId: string | undefined, more: object = {}) => ({
    ...(itemId !== undefined && { itemId }),
    taxCode: null,
    discountable: true,
    ...more,
  });
  const each = (...texts: unknown[]) => 800 + encodedBytes('Sale') + encodedBytes(texts);

  it('is a line of each coupon off each line that it acts on', () => {
    const subscription = state(started({ items: [seats] }), applied(coupon('all')));
    expect(discountBytes(subscription, [line('base')])).toBe(each('base', null));
    expect(discountBytes(subscription, [line('base', { taxCode: 'digital' })])).toBe(each('base', 'digital'));
    expect(discountBytes(subscription, [line('base'), line(undefined)])).toBe(
      each('base', null) + each(undefined, null),
    );
    expect(discountBytes(subscription, [line('base', { discountable: false })])).toBe(0);
    expect(discountBytes(subscription, [])).toBe(0);
    expect(discountBytes(state(started()), [line('base')])).toBe(0);
    const two = state(started({ items: [seats] }), applied(coupon('all')), applied(coupon('too')));
    expect(discountBytes(two, [line('base')])).toBe(2 * each('base', null));
  });

  it('is none off what the coupon is not for', () => {
    const subscription = state(started({ items: [seats] }), applied(coupon('seats', { componentKeys: ['seats'] })));
    expect(discountBytes(subscription, [line('i-seats')])).toBe(each('i-seats', null));
    expect(discountBytes(subscription, [line('base'), line(undefined), line('seats')])).toBe(0);
    expect(discountBytes(subscription, [line('i-seats', { discountable: false })])).toBe(0);
  });
});

describe('coupons after a bill', () => {
  const amounts = { USD: '4000' };
  it('each keep their own count and rest', () => {
    const subscription = state(
      started(),
      applied(coupon('rest', { discount: { kind: 'amount', amounts } })),
      applied(coupon('tenth', { periods: 3 })),
      catchUp('2026-02-01'),
    );
    // 30.00, of which the first takes all, and nothing is left for the other.
    expect(subscription.coupons.map(({ couponId, uses, left }) => [couponId, uses, left])).toEqual([
      ['rest', 1, '1000'],
      ['tenth', 0, undefined],
    ]);
    const later = state(
      started(),
      applied(coupon('rest', { discount: { kind: 'amount', amounts } })),
      applied(coupon('tenth', { periods: 2 })),
      catchUp('2026-03-01'),
    );
    expect(later.coupons.map(({ couponId, uses, left }) => [couponId, uses, left])).toEqual([['tenth', 1, undefined]]);
    expect(later.coupons[0]).not.toHaveProperty('left');
    const used = catchUp('2026-04-01')(later);
    expect(used.at(-1)?.data).toMatchObject({ coupons: [{ couponId: 'tenth', taken: '300', uses: 2, usedUp: true }] });
  });

  it('a bill of a change takes off, and counts as no use', () => {
    const change: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-01-11'));
    const subscription = state(started(), applied(coupon('tenth', { periods: 1 })), change);
    expect(subscription.coupons.map(({ uses }) => uses)).toEqual([0]);
  });
});

describe('a batch of line items', () => {
  it('lets what is no refusal pass through', () => {
    const broken = {
      lineItemId: 'a',
      unitPrice: '1',
      get description(): string {
        throw new TypeError('a defect');
      },
    } as NewLineItem;
    expect(() => addLineItems(given(started()), [broken], [], at('2026-01-05'))).toThrow(TypeError);
  });
});

describe('a bill that is released', () => {
  const subscription = state(started());
  const lines = subscription.billed.map(({ line }) => line);
  const release = (billNumber: number, more: object = {}, now = at('2026-01-05')) =>
    releaseBill(subscription, { billNumber, lines, rebill: false, ...more }, now);

  it('says all that goes back, dated within the open period', () => {
    expect(release(1, {}, at('2025-12-01'))).toStrictEqual([
      {
        type: 'BillReleased',
        data: {
          effectiveAt: at('2026-01-01'),
          billNumber: 1,
          rebill: false,
          lineIds: lines.map(({ lineId }) => lineId),
          net: '3000',
        },
      },
    ]);
    expect(release(1, { currency: 'USD' })[0]?.data).not.toHaveProperty('currency');
    const other = release(1, { currency: 'EUR', rebill: true });
    expect(other.map(({ data }) => data)).toMatchObject([{ currency: 'EUR' }, { currency: 'EUR', cause: 'rebill' }]);
  });

  it('is one that there is', () => {
    for (const n of [0, -1, 2, 1.5, NaN]) expect(refusal(() => release(n))).toBe('bill-not-found');
    expect(() => release(2)).toThrow(expect.objectContaining({ details: { billNumber: 2 } }));
  });

  it('of a subscription that has ended is dated no earlier than its end', () => {
    const ended = given(started(), (s) => cancelNow(s, { credit: 'none' }, at('2026-01-20')));
    const [event] = releaseBill(ended, { billNumber: 1, lines, rebill: false }, at('2026-01-05'));
    expect(event?.data.effectiveAt).toBe(at('2026-01-20'));
    const paused = given(started(), (s) => pause(s, { credit: 'none' }, at('2026-01-20')));
    expect(releaseBill(paused, { billNumber: 1, lines, rebill: false }, at('2026-01-05'))[0]?.data.effectiveAt).toBe(
      at('2026-01-20'),
    );
  });
});

describe('another billing cycle', () => {
  const edits: [] = [];
  const of = (input: Partial<Parameters<typeof changeBillingCycle>[1]>) =>
    changeBillingCycle(given(started()), { edits, ...input }, at('2026-01-11')).map(({ type }) => type);
  const restarted = ['BillingPeriodClosed', 'BillingCycleChanged', 'BillingPeriodOpened', 'LinesBilled'];

  it('is none where the grid is so already', () => {
    expect(of({})).toEqual([]);
    expect(of({ interval: month })).toEqual([]);
    expect(of({ anchor: { dayOfMonth: 1 } })).toEqual([]);
    expect(of({ interval: month, anchor: { localDateTime: '2025-12-01T00:00:00' } })).toEqual([]);
  });

  it('is one where the day, the time or the interval is another', () => {
    expect(of({ anchor: { dayOfMonth: 2 } })).toEqual(restarted);
    // The same dates: nothing more is due.
    expect(of({ anchor: { localDateTime: '2026-01-01T12:00:00' } })).toEqual(restarted.slice(0, 3));
    // Prices of another interval begin anew.
    const anew = [...restarted.slice(0, 2), 'ItemsChanged', ...restarted.slice(2)];
    expect(of({ interval: { unit: 'month', count: 3 } })).toEqual(anew);
    expect(of({ interval: { unit: 'year', count: 1 }, anchor: { dayOfMonth: 1 } })).toEqual(anew);
    // The first end is the same in February, which has no day 31 nor 30.
    const end = { anchor: { dayOfMonth: 31 }, startsAt: at('2026-02-01') } as const;
    const last = changeBillingCycle(
      given(startOn('2026-02-01', { interval: month, ...end })),
      { edits, anchor: { dayOfMonth: 30 } },
      at('2026-02-11'),
    );
    expect(last.map(({ type }) => type)).toEqual(restarted.slice(0, 3));
  });

  it('keeps a day that its month has not', () => {
    const short = given(startOn('2026-02-01', { interval: month }));
    const changed = changeBillingCycle(short, { edits, anchor: { dayOfMonth: 31 } }, at('2026-02-11'));
    expect(changed[1]).toEqual({
      type: 'BillingCycleChanged',
      data: { effectiveAt: at('2026-02-11'), anchor: '2026-02-28T00:00:00', anchorDay: 31, interval: month },
    });
    const long = changeBillingCycle(given(started()), { edits, anchor: { dayOfMonth: 31 } }, at('2026-01-11'));
    expect(long[1]?.data).not.toHaveProperty('anchorDay');
  });

  it('takes edits with it, also where the grid is so already', () => {
    const doubled = [{ kind: 'quantity', itemId: 'base', quantity: '2' }] as const;
    expect(of({ edits: doubled })).toEqual(['ItemsChanged', 'LinesBilled']);
    expect(of({ edits: doubled, anchor: { dayOfMonth: 2 } })).toEqual([
      'BillingPeriodClosed',
      'BillingCycleChanged',
      'ItemsChanged',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
  });

  it('counts from the end of a trial, and leaves the trial as it is', () => {
    const trial = changeBillingCycle(
      given(started({ trialDays: 14 })),
      { edits, anchor: { dayOfMonth: 20 } },
      at('2026-01-11'),
    );
    expect(trial).toEqual([
      {
        type: 'BillingCycleChanged',
        data: { effectiveAt: at('2026-01-11'), anchor: '2026-01-20T00:00:00', interval: month },
      },
    ]);
  });

  it('is refused while a pause or a cancellation is to come', () => {
    const scheduled = (event: object) => ({ ...given(started()), ...event }) as StartedSubscription;
    const change = (s: StartedSubscription) =>
      refusal(() => changeBillingCycle(s, { edits, anchor: { dayOfMonth: 2 } }, at('2026-01-11')));
    expect(change(scheduled({ pausesAt: at('2026-02-01') }))).toBe('pause-scheduled');
    expect(change(scheduled({ cancelsAt: at('2026-02-01') }))).toBe('cancellation-scheduled');
  });
});
