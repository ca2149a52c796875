import fc from 'fast-check';
import { refusal } from '../subscription/decisions.fixture';
import {
  archiveCoupon,
  couponCode,
  couponType,
  createCoupon,
  MAX_RESERVATIONS,
  redeem,
  releaseRedemption,
  reserveRedemption,
  offerOf,
  type Coupon,
  type NewCoupon,
} from './coupon';
import type { CouponEvent } from './events';

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
      { numRuns: 500 },
    );
  });
});
