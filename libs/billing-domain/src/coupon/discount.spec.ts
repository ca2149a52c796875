import fc from 'fast-check';
import type { Line } from '../line';
import { refusal } from '../subscription/decisions.fixture';
import { discount, discountLines, type Discount } from './discount';
import { propertyRuns } from '../../../../test/support/property-runs';

const january = { from: '2026-01-01', to: '2026-02-01' };
const line = (net: string | bigint, changes: Partial<Line> = {}): Line => ({
  lineId: `line-${net}`,
  kind: 'recurring',
  itemId: 'base',
  description: 'x',
  service: january,
  quantity: '1',
  unitPrice: `${net}`,
  net: `${net}`,
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  change: 0,
  rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
  metadata: {},
  ...changes,
});
const percent = (value: string, changes: Partial<Discount> = {}) =>
  ({ couponId: `p${value}`, description: 'Sale', kind: 'percentage', percent: value, ...changes }) as Discount;
const off = (left: string, changes: Partial<Discount> = {}) =>
  ({ couponId: `a${left}`, description: 'Voucher', kind: 'amount', left, ...changes }) as Discount;
const amounts = (lines: readonly Line[], ...discounts: Discount[]) =>
  discount(lines, discounts, 'USD').map(({ amount }) => amount);

describe('coupons', () => {
  // Lago amount_service_spec.rb
  it('of an amount take at most what there is, and what is left of them', () => {
    expect(amounts([line('300')], off('12'))).toEqual(['12']);
    expect(amounts([line('6')], off('12'))).toEqual(['6']);
    expect(amounts([line('300')], off('6'))).toEqual(['6']);
    expect(amounts([line('300')], percent('20'))).toEqual(['60']);
    expect(amounts([line('0')], off('12'))).toEqual([]);
  });

  // billing-model.md §5
  it('are taken in the order applied, each of what the one before has left', () => {
    expect(amounts([line('10000')], off('1000'), percent('20'))).toEqual(['1000', '1800']);
    expect(amounts([line('10000')], percent('20'), off('1000'))).toEqual(['2000', '1000']);
    expect(amounts([line('10000')], percent('100'), off('1'))).toEqual(['10000']);
  });

  it('are rounded once and spread by largest remainder, ties to the earlier line: 20 % on 3 × 0.33 is 0.20', () => {
    const three = ['a', 'b', 'c'].map((lineId) => line('33', { lineId }));
    expect(discount(three, [percent('20')], 'USD')).toEqual([
      {
        couponId: 'p20',
        amount: '20',
        basis: '99',
        shares: [
          { lineId: 'a', of: '33', amount: '7' },
          { lineId: 'b', of: '33', amount: '7' },
          { lineId: 'c', of: '33', amount: '6' },
        ],
      },
    ]);
  });

  it('take from eligible lines alone', () => {
    const lines = [
      line('100', { lineId: 'a' }),
      line('100', { lineId: 'b', itemId: 'seats' }),
      line('100', { lineId: 'c', discountable: false }),
      line('-50', { lineId: 'd' }),
      line('50', { lineId: 'e', kind: 'correction' }),
    ];
    expect(amounts(lines, percent('10'))).toEqual(['20']);
    expect(discount(lines, [percent('10', { itemIds: ['seats'] })], 'USD')[0]?.shares).toEqual([
      { lineId: 'b', of: '100', amount: '10' },
    ]);
    expect(refusal(() => amounts(lines, percent('101')))).toBe('invalid-price');
    expect(refusal(() => amounts(lines, percent('-1')))).toBe('invalid-price');
  });

  it('are lines that name what they were taken off', () => {
    const lines = [line('10000', { lineId: 'a' })];
    const discounts = [off('1000'), percent('20')];
    const made = discountLines('s', lines, discounts, discount(lines, discounts, 'USD'));
    expect(made).toMatchObject([
      { kind: 'discount', net: '-1000', corrects: 'a', service: january, discountable: false, description: 'Voucher' },
      {
        kind: 'discount',
        net: '-1800',
        corrects: 'a',
        rule: { discount: { couponId: 'p20', percent: '20', of: '9000' } },
      },
    ]);
    expect(made[0]?.lineId).not.toBe(made[1]?.lineId);
  });

  it('never make a line less than nothing, and their parts sum to the whole', () => {
    const nets = fc.array(fc.bigInt(-500n, 5000n), { maxLength: 6 });
    const coupon = fc.oneof(
      fc.nat(100).map((value) => percent(`${value}`)),
      fc.nat(9000).map((value) => off(`${value}`)),
    );
    fc.assert(
      fc.property(nets, fc.array(coupon, { maxLength: 4 }), (list, coupons) => {
        const lines = list.map((net, i) => line(net, { lineId: `${i}` }));
        const discounts = coupons.map((each, i) => ({ ...each, couponId: `${i}` }));
        const taken = discount(lines, discounts, 'USD');
        const left = new Map(lines.map(({ lineId, net }) => [lineId, BigInt(net)]));
        for (const { amount, shares } of taken) {
          expect(shares.reduce((sum, share) => sum + BigInt(share.amount), 0n)).toBe(BigInt(amount));
          for (const share of shares) left.set(share.lineId, (left.get(share.lineId) ?? 0n) - BigInt(share.amount));
        }
        for (const { lineId, net } of lines) {
          expect((left.get(lineId) ?? -1n) >= 0n || left.get(lineId) === BigInt(net)).toBe(true);
        }
      }),
      propertyRuns(10_000),
    );
  });
});
