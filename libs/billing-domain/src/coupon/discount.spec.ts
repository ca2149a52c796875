import fc from 'fast-check';
import type { Line } from '../line';
import { refusal } from '../subscription/decisions.fixture';
import { lineId } from '../ids';
import { discount, discountCorrections, discountLines, leftOfLines, type Discount } from './discount';
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

  it('are lines that say what was taken off what, by which share', () => {
    const lines = [
      line('100', { lineId: 'a', change: 3, taxCode: 'digital', taxBehaviour: 'exclusive', metadata: { note: 'x' } }),
      line('50', { lineId: 'b', itemId: undefined as never }),
      line('1', { lineId: 'c' }),
    ];
    delete (lines[1] as { itemId?: string }).itemId;
    const discounts = [percent('10'), off('7')];
    const made = discountLines('s', lines, discounts, discount(lines, discounts, 'USD'));
    const rule = { fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' };
    const common = { kind: 'discount', service: january, quantity: '1', discountable: false, metadata: {} };
    const ofA = { itemId: 'base', taxCode: 'digital', taxBehaviour: 'exclusive', corrects: 'a', change: 3 };
    const ofB = { taxCode: null, taxBehaviour: 'unspecified', corrects: 'b', change: 0 };
    const sale = { couponId: 'p10', percent: '10', basis: '151', taken: '15' };
    const voucher = { couponId: 'a7', left: '7', basis: '136', taken: '7' };
    const by = (name: string, share: object) => ({ name, ...rule, discount: share });
    const id = (coupon: string, of: string, change: number) => lineId('s', coupon, 'discount', january, of, change);
    expect(made).toStrictEqual([
      {
        lineId: id('p10', 'a', 3),
        ...common,
        ...ofA,
        description: 'Sale',
        unitPrice: '-10',
        net: '-10',
        rule: by('percentage', { ...sale, of: '100' }),
      },
      {
        lineId: id('p10', 'b', 0),
        ...common,
        ...ofB,
        description: 'Sale',
        unitPrice: '-5',
        net: '-5',
        rule: by('percentage', { ...sale, of: '50' }),
      },
      {
        lineId: id('a7', 'a', 3),
        ...common,
        ...ofA,
        description: 'Voucher',
        unitPrice: '-5',
        net: '-5',
        rule: by('amount', { ...voucher, of: '90' }),
      },
      {
        lineId: id('a7', 'b', 0),
        ...common,
        ...ofB,
        description: 'Voucher',
        unitPrice: '-2',
        net: '-2',
        rule: by('amount', { ...voucher, of: '45' }),
      },
    ]);
  });

  it('make no line of a coupon or a line that is not there', () => {
    const lines = [line('100', { lineId: 'a' })];
    const taken = discount(lines, [percent('10')], 'USD');
    expect(discountLines('s', lines, [off('1')], taken)).toEqual([]);
    expect(discountLines('s', [line('100', { lineId: 'b' })], [percent('10')], taken)).toEqual([]);
  });

  it('limited to items take nothing off a line without one', () => {
    const { itemId: _, ...loose } = line('100', { lineId: 'loose' });
    expect(
      discount([loose, line('100', { lineId: 'a' })], [percent('10', { itemIds: ['base'] })], 'USD'),
    ).toMatchObject([{ basis: '100', shares: [{ lineId: 'a' }] }]);
    expect(amounts([loose], percent('10'))).toEqual(['10']);
    expect(amounts([loose], percent('0'))).toEqual([]);
    expect(amounts([line('100')], percent('100'), percent('100'))).toEqual(['100']);
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

describe('what is left of lines', () => {
  it('is each with its corrections, less what maximums take off it; reductions have nothing', () => {
    const back = (corrects: string | undefined, net: string) => {
      const correction = line(net, { lineId: `back-${corrects}-${net}`, kind: 'correction' });
      return corrects === undefined ? correction : { ...correction, corrects };
    };
    const lines = [
      line('100', { lineId: 'a' }),
      line('50', { lineId: 'b' }),
      back('a', '-30'),
      back('a', '-20'),
      back('gone', '-7'),
      back(undefined, '-9'),
      line('-5', { lineId: 'd', kind: 'discount', corrects: 'b' }),
      line('-5', { lineId: 'm', kind: 'maximum' }),
    ];
    expect(Object.fromEntries(leftOfLines(lines))).toEqual({ a: 50n, b: 50n });
    expect(Object.fromEntries(leftOfLines(lines, new Map([['b', 12n]])))).toEqual({ a: 50n, b: 38n });
  });
});

describe('a discount whose line changes', () => {
  const none = { before: new Map<string, bigint>(), now: new Map<string, bigint>() };
  const charged = line('100', { lineId: 'a' });
  const sale = percent('20');
  const voucher = off('30');
  const discounts = (...coupons: Discount[]) =>
    discountLines('s', [charged], coupons, discount([charged], coupons, 'USD'));
  const back = (net: string, lineId = 'back') =>
    line(net, {
      lineId,
      kind: 'correction',
      corrects: 'a',
      change: 4,
      service: { from: '2026-01-16', to: '2026-02-01' },
    });
  const corrected = (known: readonly Line[], made: readonly Line[], above: typeof none = none) =>
    discountCorrections('s', known, made, above);
  const credit = (lines: readonly Line[]) => lines.map(({ net, rule }) => [net, rule.credit]);

  it('gives its share back, on a line that says what of it is kept', () => {
    const [taken] = discounts(sale);
    const known = [charged, taken!];
    const made = back('-50');
    expect(corrected(known, [made])).toStrictEqual([
      {
        ...taken,
        lineId: lineId('s', 'back', 'correction', made.service, taken!.lineId, 4),
        kind: 'correction',
        service: made.service,
        net: '10',
        corrects: taken!.lineId,
        change: 4,
        rule: {
          ...taken!.rule,
          fraction: { numerator: '50', denominator: '100' },
          credit: { basis: 're-rate', netSoFar: '-20' },
        },
      },
    ]);
    expect(corrected(known, [])).toEqual([]);
    expect(corrected([charged], [made])).toEqual([]);
    expect(corrected(known, [line('5', { lineId: 'other' })])).toEqual([]);
  });

  it('is given back whole with its line, and no more than once', () => {
    const known = [charged, ...discounts(sale)];
    const [first] = corrected(known, [back('-50')]);
    const rest = corrected([...known, back('-50'), first!], [back('-50', 'rest')]);
    expect(credit(rest)).toEqual([['10', { basis: 're-rate', netSoFar: '-10' }]]);
    expect(credit(corrected(known, [back('-60'), back('-40', 'rest')]))).toEqual([
      ['20', { basis: 're-rate', netSoFar: '-20' }],
    ]);
    // Nothing more than nothing is kept of it, and nothing more than it was.
    expect(credit(corrected(known, [back('-150')]))).toEqual([['20', { basis: 're-rate', netSoFar: '-20' }]]);
    expect(corrected(known, [back('50')])).toEqual([]);
  });

  it('is at most what the coupons before it leave of its line', () => {
    const known = [charged, ...discounts(voucher, percent('100'))];
    expect(known.map(({ net }) => net)).toEqual(['100', '-30', '-70']);
    expect(credit(corrected(known, [back('-50')]))).toEqual([
      ['15', { basis: 're-rate', netSoFar: '-30' }],
      ['35', { basis: 're-rate', netSoFar: '-70' }],
    ]);
    // Halves go away from zero, and would come to one more than there is.
    const uneven = [charged, ...discounts(off('50'), percent('100'))];
    expect(credit(corrected(uneven, [back('-99')]))).toEqual([
      ['49', { basis: 're-rate', netSoFar: '-50' }],
      ['50', { basis: 're-rate', netSoFar: '-50', atMost: '0' }],
    ]);
  });

  it('follows what a maximum takes off its line, and says how much that was', () => {
    const known = [charged, ...discounts(sale)];
    const trueUp = line('-40', {
      lineId: 'max',
      kind: 'maximum',
      rule: { ...charged.rule, name: 'maximum', fees: '100' },
    });
    const above = { before: new Map<string, bigint>(), now: new Map([['a', 40n]]) };
    const made = corrected(known, [line('5', { lineId: 'x' }), trueUp, line('6', { lineId: 'y' })], above);
    expect(credit(made)).toEqual([['8', { basis: 're-rate', netSoFar: '-20', aboveMaximum: '40' }]]);
    expect(made[0]?.lineId).toBe(lineId('s', 'max', 'correction', january, known[1]!.lineId, 0));
    // It stays so when the maximum takes no more, and goes back when it takes less.
    const again = { before: above.now, now: above.now };
    expect(corrected([...known, trueUp, ...made], [line('5', { lineId: 'x' })], again)).toEqual([]);
    const less = { before: above.now, now: new Map([['a', 10n]]) };
    expect(credit(corrected([...known, trueUp, ...made], [line('5', { lineId: 'x' })], less))).toEqual([
      ['-6', { basis: 're-rate', netSoFar: '-12', aboveMaximum: '-30' }],
    ]);
  });
});
