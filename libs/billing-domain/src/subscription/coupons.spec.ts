import fc from 'fast-check';
import { propertyRuns } from '../../../../test/support/property-runs';
import { dateOf } from '../calendar';
import type { CouponOffer } from '../coupon/events';
import { parseMinor } from '../money';
import { applyCoupon, removeCoupon } from './apply-coupon';
import { bill } from './bill';
import { cancelNow } from './cancel';
import { changeItems, changeQuantity } from './change-items';
import { at, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import type { LinesBilled, SubscriptionEvent } from './events';
import type { Line } from '../line';
import { pause, resume } from './pause';
import { notStarted, type StartedSubscription } from './state';
import { addLineItem } from './subscription';

const month = { unit: 'month', count: 1 } as const;
const couponOf = (discount: CouponOffer['discount'], changes: Partial<CouponOffer> = {}): CouponOffer => ({
  couponId: `coupon-${discount.kind === 'amount' ? (discount.amounts['USD'] ?? '') : discount.percent}`,
  code: 'SALE',
  description: 'Sale',
  discount,
  ...changes,
});
const percent = (value: string, changes: Partial<CouponOffer> = {}) =>
  couponOf({ kind: 'percentage', percent: value }, changes);
const off = (amount: string, changes: Partial<CouponOffer> = {}) =>
  couponOf({ kind: 'amount', amounts: { USD: amount } }, changes);
const once = { periods: 1 } as const;

const reserved = (coupon: CouponOffer) => ({ reservationId: `r-${coupon.couponId}`, coupon });
const start = (
  coupons: readonly CouponOffer[],
  item: Parameters<typeof startOn>[2] = {},
  changes: Parameters<typeof startOn>[1] = {},
) =>
  startOn(
    '2026-01-01',
    { interval: month, coupons: coupons.map(reserved), ...changes },
    { unitPrice: '10000', ...item },
  );
const shown = (lines: readonly Line[]) => lines.map(({ kind, net }) => [kind, net]);
const nets = (events: readonly SubscriptionEvent[]) =>
  events.flatMap((event) => (event.type === 'LinesBilled' ? [event.data.net] : []));
const total = (lines: readonly Line[]) => lines.reduce((sum, { net }) => sum + BigInt(net), 0n);
/** All events of decisions, one after the other. */
const story = (...decisions: readonly Decision[]) => {
  const events: SubscriptionEvent[] = [];
  for (const decide of decisions) events.push(...decide(given(() => events)));
  return events;
};

// billing-model.md §5
describe('the order of operations', () => {
  it('usage 80.00, minimum 100.00, 20 %: 84.00', () => {
    const arrears = { unitPrice: '8000', timing: 'arrears' } as const;
    const events = story(start([percent('20')], arrears, { commitment: { minimum: '10000' } }), catchUp('2026-02-01'));
    expect(shown(linesOf(events))).toEqual([
      ['recurring', '8000'],
      ['minimum', '2000'],
      ['discount', '-1600'],
    ]);
    expect(nets(events)).toEqual(['8400']);
  });

  it('a true-up is discounted where the terms say so: 80.00', () => {
    const arrears = { unitPrice: '8000', timing: 'arrears' } as const;
    const commitment = { minimum: '10000', discountableTrueUps: true };
    expect(nets(story(start([percent('20')], arrears, { commitment }), catchUp('2026-02-01')))).toEqual(['8000']);
  });

  it('10.00 off then 20 % on 100.00: 72.00; 20 % then 10.00 off: 70.00', () => {
    expect(nets(story(start([off('1000'), percent('20')])))).toEqual(['7200']);
    expect(nets(story(start([percent('20'), off('1000')])))).toEqual(['7000']);
  });

  it('20 % on 3 × 0.33: 0.20', () => {
    const items = ['b', 'c'].map((componentKey) => {
      return { componentKey, description: 'x', unitPrice: '33', timing: 'advance' } as const;
    });
    const lines = linesOf(story(start([percent('20')], { unitPrice: '33' }, { items })));
    expect(lines.filter(({ kind }) => kind === 'discount').map(({ net }) => net)).toEqual(['-7', '-7', '-6']);
    expect(lines.at(-1)?.rule.discount).toEqual({
      couponId: 'coupon-20',
      percent: '20',
      basis: '99',
      taken: '20',
      of: '33',
    });
  });

  it('a maximum first, so that nothing is discounted that is not charged: 130.00, at most 100.00, 20 %: 80.00', () => {
    const arrears = { unitPrice: '13000', timing: 'arrears' } as const;
    const commitment = { maximum: '10000' };
    expect(nets(story(start([percent('20')], arrears, { commitment }), catchUp('2026-02-01')))).toEqual(['8000']);
    expect(nets(story(start([percent('100')], arrears, { commitment }), catchUp('2026-02-01')))).toEqual(['0']);
    // In advance, the maximum comes after the discount, of which it takes its share back.
    const advance = story(start([percent('100', once)], { unitPrice: '13000' }, { commitment }), catchUp('2026-02-01'));
    const january = linesOf(advance).filter(({ service }) => service.from === '2026-01-01');
    expect(shown(january)).toEqual([
      ['recurring', '13000'],
      ['discount', '-13000'],
      ['maximum', '-3000'],
      ['correction', '3000'],
    ]);
  });
});

describe('a correction', () => {
  it('carries the discount share of its line: 100.00 with 20 % off, cancelled half-way: 40.00 back', () => {
    const started = startOn(
      '2026-01-01',
      { interval: { unit: 'day', count: 30 }, coupons: [reserved(percent('20'))] },
      { unitPrice: '10000' },
    );
    const events = story(started, (s) => cancelNow(s, { credit: 'prorated' }, at('2026-01-16')));
    expect(nets(events)).toEqual(['8000', '-4000']);
    const lines = linesOf(events);
    expect(shown(lines)).toEqual([
      ['recurring', '10000'],
      ['discount', '-2000'],
      ['correction', '-5000'],
      ['correction', '1000'],
    ]);
    expect(lines[3]).toMatchObject({
      corrects: lines[1]?.lineId,
      unitPrice: '-2000',
      service: { from: '2026-01-16', to: '2026-01-31' },
      rule: { fraction: { numerator: '5000', denominator: '10000' }, credit: { basis: 're-rate', netSoFar: '-2000' } },
    });
  });

  it('of a line that is taken back whole takes its discounts along, of percentages and amounts, in however many steps', () => {
    const cut =
      (day: string): Decision =>
      (s) =>
        changeItems(
          s,
          { edits: [{ kind: 'remove', itemId: 'base' }], when: { effectiveOn: day }, billing: 'now' },
          at('2026-01-30'),
        );
    const coupons = [off('333'), percent('33.3'), off('100')];
    const lines = linesOf(
      story(start(coupons, { unitPrice: '9999' }), cut('2026-01-29'), cut('2026-01-17'), cut('2026-01-01')),
    );
    expect(total(lines)).toBe(0n);
    expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
  });

  it('gives back a share of each discount, and the new price is discounted as the coupons are then', () => {
    const more: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-01-16'));
    // 16 of 31 days of 100.00 and 200.00 less 20 %
    expect(nets(story(start([percent('20')]), more))).toEqual(['8000', '4129']);
    // Used up: the new price is charged whole.
    expect(nets(story(start([percent('20', once)]), more))).toEqual(['8000', '6194']);
  });
});

describe('what maximums take off a discounted line', () => {
  const commitment = { maximum: '5000' };

  it('is of their own period alone: the maximum of the next one gave a discount twice, off a line that had been cut before', () => {
    const events = story(
      start([percent('20')], {}, { commitment }),
      (s) => pause(s, { credit: 'prorated' }, at('2026-01-16')),
      (s) => resume(s, { anchor: 'keep' }, at('2026-01-20')),
      catchUp('2026-02-01'),
    );
    const bills = events.flatMap((event) => (event.type === 'LinesBilled' ? [shown(event.data.lines)] : []));
    expect(bills).toEqual([
      [
        ['recurring', '10000'],
        ['discount', '-2000'],
      ],
      // 15 of 31 days, at most 24.19: 4.84 off.
      [
        ['correction', '-5161'],
        ['maximum', '-2420'],
        ['correction', '1516'],
      ],
      [
        ['recurring', '3871'],
        ['discount', '-774'],
      ],
      // 12 of 31 days, at most 19.35: 3.87 off. The line of January's first days has nothing to do with it.
      [
        ['recurring', '10000'],
        ['maximum', '-1936'],
        ['correction', '387'],
        ['discount', '-2000'],
      ],
    ]);
  });

  it('stays off a line of a year when those months are no longer kept: its discount was larger than 20 % of what was left', () => {
    const events = story(
      start([percent('20', once)], { unitPrice: '365000', every: 12 }, { commitment }),
      catchUp('2026-06-01'),
      (s) => cancelNow(s, { credit: 'prorated' }, at('2026-06-01')),
    );
    const lines = linesOf(events);
    const discounts = lines.filter(({ rule }) => rule.discount);
    const fees = lines.filter(({ rule }) => !rule.discount);
    // Five months at 50.00 each.
    expect(total(fees)).toBe(25_000n);
    expect(total(discounts)).toBe(-5_000n);
    expect(discounts.map(({ net, rule }) => [net, rule.credit?.aboveMaximum])).toEqual([
      ['-73000', undefined],
      ['5200', '26000'],
      ['4600', '23000'],
      ['5200', '26000'],
      ['5000', '25000'],
      ['5200', '26000'],
      ['42800', undefined],
    ]);
  });

  it('is its share of the period, and no more: a line in arrears for two months was taken to be of the last one', () => {
    const items = [
      { componentKey: 'extra', description: 'Extra', unitPrice: '12000', timing: 'arrears', every: 2 },
    ] as const;
    const events = story(
      start([], { unitPrice: '7000', timing: 'arrears' }, { commitment: { maximum: '10000' }, items }),
      catchUp('2026-02-01'),
      (s) => applyCoupon(s, reserved(percent('10', { componentKeys: ['base'] })), at('2026-02-02')),
      catchUp('2026-03-01'),
    );
    // February: 70.00 and 28 of 59 days of 120.00 are 26.95 above; of that, 70.00 bear 14.86.
    expect(linesOf(events).findLast(({ kind }) => kind === 'maximum')).toMatchObject({ net: '-2695' });
    expect(linesOf(events).at(-1)).toMatchObject({ kind: 'discount', net: '-551', rule: { discount: { of: '5514' } } });
  });
});

describe('a coupon', () => {
  const months = (...coupons: CouponOffer[]) => nets(story(start(coupons), catchUp('2026-04-01')));

  it('lasts for one bill, for n, or for ever', () => {
    expect(months(percent('10', once))).toEqual(['9000', '10000', '10000', '10000']);
    expect(months(percent('10', { periods: 3 }))).toEqual(['9000', '9000', '9000', '10000']);
    expect(months(percent('10'))).toEqual(['9000', '9000', '9000', '9000']);
  });

  it('of an amount keeps its unused rest while it lasts', () => {
    expect(months(off('25000'))).toEqual(['0', '0', '5000', '10000']);
    expect(months(off('25000', { periods: 2 }))).toEqual(['0', '0', '10000', '10000']);
    expect(months(off('25000', once))).toEqual(['0', '10000', '10000', '10000']);
    const events = story(start([off('25000')]));
    expect((events.at(-1) as LinesBilled).data.coupons).toEqual([
      { couponId: 'coupon-25000', taken: '10000', uses: 1, left: '15000' },
    ]);
    expect(given(() => events)).toMatchObject({ coupons: [{ uses: 1, left: '15000' }] });
    expect(given(() => story(() => events, catchUp('2026-03-01')))).toMatchObject({ coupons: [] });
  });

  it('counts bills at boundaries off which it took something, not those within a period', () => {
    const free: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '0', when: 'period-end' }, at('2026-01-05'));
    const back: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '1', when: 'period-end' }, at('2026-02-05'));
    const events = story(
      start([percent('10', { periods: 2 })]),
      free,
      catchUp('2026-02-01'),
      back,
      catchUp('2026-04-01'),
    );
    expect(nets(events)).toEqual(['9000', '0', '9000', '10000']);
    const more: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-01-16'));
    expect(nets(story(start([percent('10', { periods: 2 })]), more, catchUp('2026-03-01')))).toEqual([
      '9000',
      '4646',
      '18000',
      '20000',
    ]);
  });

  it('acts on the items that it is limited to, and on nothing that is not discountable', () => {
    const items = [
      { componentKey: 'seats', itemId: 's', description: 'Seats', unitPrice: '1000', timing: 'advance' },
    ] as const;
    const limited = percent('50', { componentKeys: ['seats'] });
    const work: Decision = (s) =>
      addLineItem(s, { lineItemId: 'a', description: 'Work', unitPrice: '700' }, at('2026-01-05'));
    const events = story(start([limited], {}, { items }), work, catchUp('2026-02-01'));
    expect(nets(events)).toEqual(['10500', '11200']);
    const firm = story(start([percent('50')], { discountable: false }), work, catchUp('2026-02-01'));
    expect(nets(firm)).toEqual(['10000', '10350']);
  });

  // Lago amount_service_spec.rb (COU-02)
  it.each([
    ['300', off('12'), '288'],
    ['6', off('12'), '0'],
    ['300', percent('20'), '240'],
    ['0', off('12'), '0'],
  ])('on %s: %j leaves %s', (unitPrice, coupon, net) => {
    expect(nets(story(start([coupon], { unitPrice })))).toEqual([net]);
  });
  it('of 0.12 of which 0.06 are used takes 0.06', () => {
    const change: Decision = (s) =>
      changeItems(
        s,
        {
          edits: [{ kind: 'put', item: { description: 'x', unitPrice: '300', timing: 'advance' } }],
          when: 'period-end',
        },
        at('2026-01-05'),
      );
    expect(nets(story(start([off('12')], { unitPrice: '6' }), change, catchUp('2026-02-01')))).toEqual(['0', '294']);
  });

  it('is applied and removed once, in its currency, and not beside too many', () => {
    const apply = (coupon: CouponOffer, reservationId = `r-${coupon.couponId}`): Decision => {
      return (s) => applyCoupon(s, { reservationId, coupon }, at('2026-01-10'));
    };
    const remove: Decision = (s) => removeCoupon(s, 'coupon-20', at('2026-01-12'));
    const state = given(start([]), apply(percent('20')));
    expect(apply(percent('20'))(state)).toEqual([]);
    expect(refusal(() => apply(percent('20'), 'another')(state))).toBe('coupon-already-applied');
    const euros = couponOf({ kind: 'amount', amounts: { EUR: '1', JPY: '2' } });
    expect(refusal(() => apply(euros)(state))).toBe('coupon-currency-mismatch');
    const five = [1, 2, 3, 4].map((n) => apply(percent(`${n}`)));
    expect(refusal(() => apply(percent('5'))(given(start([]), apply(percent('20')), ...five)))).toBe(
      'too-many-coupons',
    );
    expect(nets(story(start([]), apply(percent('20')), catchUp('2026-02-01'), remove, catchUp('2026-03-01')))).toEqual([
      '10000',
      '8000',
      '10000',
    ]);
    expect(remove(given(start([])))).toEqual([]);
    expect(refusal(() => start([euros])(notStarted))).toBe('coupon-currency-mismatch');
    expect(refusal(() => start([percent('1'), percent('1', { description: 'x' })])(notStarted))).toMatch('decided');
  });

  it('leaves room on the bill: with coupons fewer lines fit', () => {
    const coupons = [1, 2, 3].map((n) => percent(`${n}`));
    const events = story(start(coupons));
    const add =
      (n: number): Decision =>
      (s) =>
        addLineItem(s, { lineItemId: `${n}`, description: 'x'.repeat(400), unitPrice: '999' }, at('2026-01-05'));
    let added = 0;
    while (refusal(() => events.push(...add(added)(given(() => events)))) !== 'billing-period-full') added += 1;
    const apply: Decision = (s) => applyCoupon(s, reserved(percent('4')), at('2026-01-06'));
    expect(refusal(() => apply(given(() => events)))).toBe('billing-period-full');
    const closed = catchUp('2026-02-01')(given(() => events)).at(-1) as LinesBilled;
    expect(closed.data.lines.length).toBe(4 * (added + 1));
    expect(JSON.stringify(closed.data).length).toBeLessThan(350_000);
  });
});

describe('coupons, whatever happens', () => {
  const step = fc.record({
    days: fc.integer({ min: 0, max: 40 }),
    command: fc.constantFrom('change', 'backdate', 'item', 'pause', 'resume', 'apply', 'remove', 'cancel'),
    quantity: fc.integer({ min: 0, max: 4 }),
    back: fc.integer({ min: 0, max: 45 }),
    billing: fc.constantFrom('now' as const, 'next-bill' as const),
  });
  const coupon = fc.record({
    value: fc.oneof(
      fc.integer({ min: 0, max: 1000 }).map((tenths) => percent(`${tenths / 10}`)),
      fc.integer({ min: 1, max: 30_000 }).map((amount) => off(`${amount}`)),
    ),
    periods: fc.constantFrom(undefined, 1, 3),
  });
  const bounds = fc.constantFrom({}, { minimum: '5000' }, { maximum: '9000' }, { minimum: '4000', maximum: '8000' });
  const timing = fc.constantFrom('advance' as const, 'arrears' as const);

  it('never take a line below nothing, use no more than they have, and decided again take nothing', () => {
    fc.assert(
      fc.property(
        timing,
        bounds,
        fc.array(coupon, { maxLength: 4 }),
        fc.array(step, { maxLength: 7 }),
        (when, commitment, given4, steps) => {
          const coupons = given4.map(({ value, periods }, i) => {
            return { ...value, couponId: `${i}`, ...(periods !== undefined && { periods }) };
          });
          const [first, ...later] = coupons;
          const events = [
            ...start(first ? [first] : [], { timing: when, unitPrice: '4567' }, { commitment })(notStarted),
          ];
          let clock = Date.UTC(2026, 0, 1);
          const now = () => new Date(clock).toISOString();
          for (const [i, { days, command, quantity, back, billing }] of steps.entries()) {
            clock += days * 86_400_000;
            events.push(...catchUp(now())(given(() => events)));
            const effectiveOn = dateOf(new Date(clock - back * 86_400_000).toISOString());
            const change = { itemId: 'base', quantity: `${quantity}`, billing };
            const decisions: Record<typeof command, Decision> = {
              change: (s) => changeQuantity(s, change, now()),
              backdate: (s) => changeQuantity(s, { ...change, when: { effectiveOn } }, now()),
              item: (s) =>
                addLineItem(s, { lineItemId: `${i}`, description: 'x', unitPrice: `${quantity * 333}` }, now()),
              pause: (s) => pause(s, { credit: quantity > 2 ? 'none' : 'prorated' }, now()),
              resume: (s) => resume(s, { anchor: 'keep' }, now()),
              apply: (s) => {
                // Never twice: the repository remembers it for the subscription's life.
                const next = later.shift();
                return next ? applyCoupon(s, reserved(next), now()) : [];
              },
              remove: (s) => removeCoupon(s, '0', now()),
              cancel: (s) => cancelNow(s, { credit: 'prorated' }, now()),
            };
            refusal(() => events.push(...decisions[command](given(() => events))));
          }
          clock += 70 * 86_400_000;
          events.push(...catchUp(now())(given(() => events)));
          const lines = linesOf(events);
          const byId = new Map(lines.map((line) => [line.lineId, line]));
          expect(byId.size).toBe(lines.length);
          const rootOf = (line: Line): Line => {
            const parent = line.corrects === undefined ? undefined : byId.get(line.corrects);
            return parent ? rootOf(parent) : line;
          };
          const sums = new Map<string, bigint>();
          for (const line of lines) {
            const root = rootOf(line);
            sums.set(root.lineId, (sums.get(root.lineId) ?? 0n) + parseMinor(line.net));
          }
          for (const [id, sum] of sums) {
            const root = byId.get(id);
            if (root && !isTrueUpKind(root)) expect(sum >= 0n).toBe(true);
            const ofRoot = lines.filter((line) => rootOf(line).lineId === id);
            const own = ofRoot.filter(({ rule }) => !rule.discount);
            if (root && !isTrueUpKind(root) && total(own) === 0n) expect(sum).toBe(0n);
          }
          for (const event of events) {
            if (event.type !== 'LinesBilled') continue;
            for (const { couponId, taken } of event.data.coupons ?? []) {
              const discounts = event.data.lines.filter(
                ({ kind, rule }) => kind === 'discount' && rule.discount?.couponId === couponId,
              );
              expect(-total(discounts)).toBe(BigInt(taken));
            }
          }
          for (const each of coupons) {
            const uses = events.flatMap((event) =>
              event.type === 'LinesBilled'
                ? (event.data.coupons ?? []).filter(({ couponId }) => couponId === each.couponId)
                : [],
            );
            const taken = uses.reduce((sum, use) => sum + BigInt(use.taken), 0n);
            if (each.discount.kind === 'amount') expect(taken <= BigInt(each.discount.amounts['USD'] ?? '')).toBe(true);
            if (each.periods !== undefined) expect((uses.at(-1)?.uses ?? 0) <= each.periods).toBe(true);
          }
          const state = given(() => events) as StartedSubscription;
          expect(bill(state, 'change', state.periodNumber, now(), [])).toEqual([]);
        },
      ),
      propertyRuns(400),
    );
  });

  const isTrueUpKind = ({ kind }: Line) => kind === 'minimum' || kind === 'maximum';
});
