import fc from 'fast-check';
import { propertyRuns } from '../../../../test/support/property-runs';
import type { DomainError } from '../domain-error';
import { refusal } from '../subscription/decisions.fixture';
import { MAX_ITEMS } from '../subscription/terms';
import {
  archiveCoupon,
  couponCode,
  couponType,
  createCoupon,
  MAX_COUPON_CURRENCIES,
  MAX_RESERVATIONS,
  redeem,
  releaseRedemption,
  reserveRedemption,
  offerOf,
  type Coupon,
  type NewCoupon,
} from './coupon';
import type { CouponCreated, CouponEvent } from './events';

const now = '2026-01-01T00:00:00.000Z';
const input: NewCoupon = { couponId: 'c', code: ' spring-26 ', discount: { kind: 'percentage', percent: '12.50' } };
const create =
  (more: Partial<NewCoupon> = {}) =>
  (state: Coupon) =>
    createCoupon(state, { ...input, ...more }, now);
const of = (n: number) => ({ reservationId: `r-${n}`, subscriptionId: `s-${n}` });
const reserve = (n: number) => (state: Coupon) => reserveRedemption(state, { ...of(n), reservedUntil: now }, now);
const given = (...decisions: ((state: Coupon) => CouponEvent[])[]) =>
  decisions.reduce<Coupon>(
    (state, decide) => decide(state).reduce<Coupon>(couponType.evolve, state),
    couponType.initial,
  );

describe('a coupon', () => {
  it('keeps its terms in canonical form', () => {
    expect(offerOf(given(create({ duration: 'once', componentKeys: ['seats'] })))).toEqual({
      couponId: 'c',
      code: 'SPRING-26',
      description: 'SPRING-26',
      discount: { kind: 'percentage', percent: '12.5' },
      periods: 1,
      componentKeys: ['seats'],
    });
    expect(couponCode('ﬁrst')).toBe('FIRST');
    expect(given(create({ duration: { periods: 3 } }))).toMatchObject({ periods: 3 });
    expect(given(create())).not.toHaveProperty('periods');
  });

  it.each<[Partial<NewCoupon>, string]>([
    [{ discount: { kind: 'percentage', percent: '0' } }, 'invalid-price'],
    [{ discount: { kind: 'percentage', percent: '100.1' } }, 'invalid-price'],
    [{ discount: { kind: 'amount', amounts: { USD: '0' } } }, 'invalid-amount'],
    [{ discount: { kind: 'amount', amounts: { USD: `1${'0'.repeat(16)}` } } }, 'amount-out-of-range'],
    [{ discount: { kind: 'amount', amounts: { XQQ: '1' } } }, 'unknown-currency'],
    [{ discount: { kind: 'amount', amounts: {} } }, 'invalid-option'],
    [{ duration: { periods: 0 } }, 'invalid-option'],
    [{ maxRedemptions: 0 }, 'invalid-option'],
    [{ componentKeys: [] }, 'invalid-option'],
    [{ code: ' ' }, 'invalid-text'],
  ])('%j is refused: %s', (more, code) => {
    expect(refusal(() => create(more)(couponType.initial))).toBe(code);
  });

  const least = { effectiveAt: now, couponId: 'c', code: 'SPRING-26', description: 'SPRING-26', metadata: {} };
  it('is created with the least that is asked: for ever, for all items, as often as anyone likes', () => {
    expect(create()(couponType.initial)).toStrictEqual([
      { type: 'CouponCreated', data: { ...least, discount: { kind: 'percentage', percent: '12.5' } } },
    ]);
    expect(create({ duration: 'forever' })(couponType.initial)).toStrictEqual(create()(couponType.initial));
    expect(given(create())).toStrictEqual({
      status: 'active',
      changedAt: now,
      couponId: 'c',
      code: 'SPRING-26',
      description: 'SPRING-26',
      discount: { kind: 'percentage', percent: '12.5' },
      metadata: {},
      redeemed: 0,
      reserved: [],
    });
    expect(offerOf(given(create()))).toStrictEqual({
      couponId: 'c',
      code: 'SPRING-26',
      description: 'SPRING-26',
      discount: { kind: 'percentage', percent: '12.5' },
    });
  });

  it('is created with all that can be said of it, at its limits', () => {
    const amounts = Object.fromEntries(
      ['USD', 'EUR', 'JPY', 'GBP', 'CHF', 'SEK', 'NOK', 'DKK', 'PLN', 'CZK', 'HUF', 'RON', 'BGN', 'TRY', 'ILS']
        .concat(['INR', 'CNY', 'KRW', 'AUD', 'NZD'])
        .map((code) => [code, `1${'0'.repeat(15)}`]),
    );
    const all = {
      description: 'd'.repeat(200),
      componentKeys: Array.from({ length: MAX_ITEMS }, (_, i) => `${i}`.padEnd(100, 'x')),
      maxRedemptions: 1_000_000_000,
      expiresAt: '2027-01-01T00:00:00.000Z',
      externalId: 'e'.repeat(200),
      metadata: { campaign: 'spring' },
    };
    const [event] = create({ ...all, discount: { kind: 'amount', amounts }, duration: { periods: 1_000 } })(
      couponType.initial,
    );
    expect(event?.data).toEqual({ ...least, ...all, discount: { kind: 'amount', amounts }, periods: 1_000 });
    const { discount } = event?.data as CouponCreated['data'];
    expect(discount.kind === 'amount' && Object.keys(discount.amounts)).toEqual(Object.keys(amounts).sort());
  });

  it.each(['0.000000000001', '100', '100.0', '99.999999999999'])('takes off %s %%', (percent) => {
    expect(create({ discount: { kind: 'percentage', percent } })(couponType.initial)).toHaveLength(1);
  });

  it('compares codes without the blanks around them, in capitals', () => {
    expect([' a-1 ', 'A-1', '\u00a0a-1'].map(couponCode)).toEqual(['A-1', 'A-1', 'A-1']);
    expect(couponCode('x'.repeat(50))).toBe('X'.repeat(50));
    // One character that stands for three, and so is too long.
    for (const code of ['', ' ', 'x'.repeat(51), `${'x'.repeat(48)}ﬃ`, 'a\nb']) {
      expect(refusal(() => couponCode(code))).toBe('invalid-text');
    }
  });

  it.each<[Partial<NewCoupon>, string]>([
    [{ discount: { kind: 'percentage', percent: '-1' } }, 'invalid-price'],
    [{ discount: { kind: 'percentage', percent: '100.000000000001' } }, 'invalid-price'],
    [{ discount: { kind: 'percentage', percent: '101' } }, 'invalid-price'],
    [{ discount: { kind: 'gift' } as unknown as NewCoupon['discount'] }, 'invalid-option'],
    [{ discount: { kind: 'amount', amounts: { USD: '-1' } } }, 'invalid-amount'],
    [{ discount: { kind: 'amount', amounts: { USD: `1${'0'.repeat(14)}1` } } }, 'amount-out-of-range'],
    [{ duration: { periods: 1_001 } }, 'invalid-option'],
    [{ duration: { periods: 1.5 } }, 'invalid-option'],
    [{ duration: 'twice' as 'once' }, 'invalid-option'],
    [{ maxRedemptions: 1_000_000_001 }, 'invalid-option'],
    [{ componentKeys: Array.from({ length: MAX_ITEMS + 1 }, (_, i) => `${i}`) }, 'invalid-option'],
    [{ componentKeys: ['seats', ''] }, 'invalid-text'],
    [{ componentKeys: ['x'.repeat(101)] }, 'invalid-text'],
    [{ description: '' }, 'invalid-text'],
    [{ description: 'x'.repeat(201) }, 'invalid-text'],
    [{ externalId: '' }, 'invalid-text'],
    [{ externalId: 'x'.repeat(201) }, 'invalid-text'],
    [{ expiresAt: '2026-01-01' }, 'invalid-instant'],
    [{ metadata: { '': '' } }, 'invalid-metadata'],
  ])('%j is refused: %s, too', (more, code) => {
    expect(refusal(() => create(more)(couponType.initial))).toBe(code);
  });

  it('takes an amount in at most 20 currencies', () => {
    const codes = ['USD', 'EUR', 'JPY', 'GBP', 'CHF', 'SEK', 'NOK', 'DKK', 'PLN', 'CZK', 'HUF', 'RON', 'BGN', 'TRY'];
    const more = ['ILS', 'INR', 'CNY', 'KRW', 'AUD', 'NZD', 'CAD'];
    const amounts = Object.fromEntries([...codes, ...more].map((code) => [code, '1']));
    expect(Object.keys(amounts)).toHaveLength(MAX_COUPON_CURRENCIES + 1);
    expect(refusal(() => create({ discount: { kind: 'amount', amounts } })(couponType.initial))).toBe('invalid-option');
  });

  it('says what happened to a redemption, dated no earlier than what was before', () => {
    const later = '2026-01-02T00:00:00.000Z';
    const until = '2026-01-03T00:00:00.000Z';
    const state = given(create());
    const reservation = { ...of(1), reservedUntil: until };
    const reserved = reserveRedemption(state, reservation, later);
    expect(reserved).toEqual([{ type: 'RedemptionReserved', data: { effectiveAt: later, ...reservation } }]);
    const held = reserved.reduce<Coupon>(couponType.evolve, state);
    expect(held).toEqual({ ...state, changedAt: later, reserved: [reservation] });
    expect(redeem(held, of(1), now)).toEqual([{ type: 'CouponRedeemed', data: { effectiveAt: later, ...of(1) } }]);
    expect(redeem(held, of(1), now).reduce<Coupon>(couponType.evolve, held)).toEqual({
      ...state,
      changedAt: later,
      redeemed: 1,
    });
    expect(releaseRedemption(held, of(1), now)).toEqual([
      { type: 'RedemptionReleased', data: { effectiveAt: later, ...of(1) } },
    ]);
    expect(archiveCoupon(held, now)).toEqual([{ type: 'CouponArchived', data: { effectiveAt: later } }]);
    const two = given(create(), reserve(1), reserve(2));
    expect(releaseRedemption(two, of(3), now)).toEqual([]);
    expect(releaseRedemption(two, of(2), now)).toHaveLength(1);
    expect(releaseRedemption(two, of(1), now).reduce<Coupon>(couponType.evolve, two)).toEqual({
      ...two,
      reserved: [{ ...of(2), reservedUntil: now }],
    });
    expect(archiveCoupon(two, now).reduce<Coupon>(couponType.evolve, two)).toEqual({ ...two, status: 'archived' });
  });

  it('says which coupon it was that cannot be redeemed', () => {
    const details = (act: () => unknown) => {
      try {
        return act();
      } catch (error) {
        return (error as DomainError).details;
      }
    };
    const expiresAt = '2026-01-02T00:00:00.000Z';
    const expired = given(create({ expiresAt }));
    expect(details(() => reserveRedemption(expired, { ...of(1), reservedUntil: now }, expiresAt))).toEqual({
      code: 'SPRING-26',
      expiresAt,
    });
    const full = given(create(), ...Array.from({ length: MAX_RESERVATIONS }, (_, n) => reserve(n)));
    for (const state of [
      given(create(), (s) => archiveCoupon(s, now)),
      given(create({ maxRedemptions: 1 }), reserve(2)),
      full,
    ]) {
      expect(details(() => reserve(1_000)(state))).toEqual({ code: 'SPRING-26' });
    }
  });

  it('counts what was redeemed and what is reserved towards the most', () => {
    const state = given(create({ maxRedemptions: 2 }), reserve(1), (s) => redeem(s, of(1), now));
    expect(reserve(2)(state)).toHaveLength(1);
    expect(refusal(() => reserve(3)(given(create({ maxRedemptions: 2 }), reserve(1), reserve(2))))).toBe(
      'coupon-exhausted',
    );
    expect(
      refusal(() =>
        reserve(3)(given(create({ maxRedemptions: 2 }), reserve(1), (s) => redeem(s, of(1), now), reserve(2))),
      ),
    ).toBe('coupon-exhausted');
  });

  it('is not there before it is created', () => {
    const { initial } = couponType;
    for (const act of [
      () => redeem(initial, of(1), now),
      () => releaseRedemption(initial, of(1), now),
      () => archiveCoupon(initial, now),
      () => offerOf(initial),
    ]) {
      expect(refusal(act)).toBe('coupon-not-found');
    }
    const [archived] = archiveCoupon(given(create()), now);
    expect(() => couponType.evolve(initial, archived!)).toThrow('CouponArchived before CouponCreated');
    const eaten = { type: 'CouponEaten', data: {} } as unknown as CouponEvent;
    expect(() => couponType.evolve(given(create()), eaten)).toThrow('unknown event CouponEaten');
  });

  it('is the same from a snapshot', () => {
    const state = given(create(), reserve(1));
    const { toJSON, fromJSON } = couponType.snapshot;
    expect(fromJSON(JSON.parse(JSON.stringify(toJSON(state))))).toEqual(state);
  });

  it('is redeemed until it expires, is archived or is used up', () => {
    expect(refusal(() => reserve(1)(couponType.initial))).toBe('coupon-not-found');
    expect(refusal(() => create()(given(create())))).toBe('coupon-exists');
    const soon = given(create({ expiresAt: '2026-01-01T00:00:00.001Z' }));
    expect(reserve(1)(soon)).toHaveLength(1);
    expect(refusal(() => reserveRedemption(soon, { ...of(1), reservedUntil: now }, '2026-01-01T00:00:00.001Z'))).toBe(
      'coupon-expired',
    );
    const archived = given(create(), reserve(1), (s) => archiveCoupon(s, now));
    expect(archiveCoupon(archived, now)).toEqual([]);
    expect(refusal(() => reserve(2)(archived))).toBe('coupon-archived');
    expect(reserve(1)(archived)).toEqual([]);
    const one = given(create({ maxRedemptions: 1 }), reserve(1));
    expect(refusal(() => reserve(2)(one))).toBe('coupon-exhausted');
    const free = releaseRedemption(one, of(1), now).reduce<Coupon>(couponType.evolve, one);
    expect(reserve(2)(free)).toHaveLength(1);
    expect(releaseRedemption(free, of(1), now)).toEqual([]);
  });

  it('keeps no more reservations than it can decide on quickly', () => {
    const numbers = Array.from({ length: MAX_RESERVATIONS }, (_, n) => reserve(n));
    const state = given(create(), ...numbers);
    expect(refusal(() => reserve(MAX_RESERVATIONS)(state))).toBe('coupon-busy');
    expect(JSON.stringify(couponType.snapshot.toJSON(state)).length).toBeLessThan(200_000);
  });

  it('is never redeemed more often than it may be, in any order of reserving, redeeming and releasing', () => {
    const step = fc.record({ command: fc.constantFrom('reserve', 'redeem', 'release'), n: fc.nat(12) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
        let state = given(create({ maxRedemptions: most }));
        const holds = new Set<number>();
        const counted = new Set<number>();
        for (const { command, n } of steps) {
          const before = state;
          const record = (events: readonly CouponEvent[]) => {
            state = events.reduce<Coupon>(couponType.evolve, before);
            return events.length > 0;
          };
          // A subscription that holds a redemption may apply it; what it applied or let go it reserves no more.
          if (command === 'reserve' && !counted.has(n)) {
            if (!refusal(() => record(reserve(n)(before))).startsWith('coupon-')) holds.add(n);
          }
          if (command === 'redeem' && holds.delete(n)) counted.add(Number(record(redeem(before, of(n), now)) && n));
          if (command === 'release' && holds.delete(n)) record(releaseRedemption(before, of(n), now));
          expect(state).toMatchObject({ redeemed: counted.size });
          expect(counted.size + holds.size).toBeLessThanOrEqual(most);
        }
      }),
      propertyRuns(500),
    );
  });
});
