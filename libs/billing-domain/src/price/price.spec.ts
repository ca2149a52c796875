import fc from 'fast-check';
import { formatDecimal, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { ONE, ratio } from '../ratio';
import { MAX_TIERS, price, toTrillionths, type Price, type Tier } from './price';
import { amountOf, rate, trueUp } from './rate';
import { propertyRuns } from '../../../../test/support/property-runs';

/* Amounts in minor units; the cases of public sources are in major units of a currency of two digits, so × 100. */

const of = (p: Price, quantity: string | number) => amountOf(rate(price(p), { quantity: `${quantity}` }), ONE);
const tier = (upTo: string | null, unitPrice: string, flatFee?: string): Tier => ({
  upTo,
  unitPrice,
  ...(flatFee !== undefined && { flatFee }),
});

describe('flat and per unit', () => {
  it('multiplies before it rounds: 3 × 9.99 × 10/31 is 9.67', () => {
    expect(amountOf(rate({ model: 'flat', unitPrice: '999' }, { quantity: '3' }), ratio(10, 31))).toBe(967n);
  });

  it('keeps twelve digits after the point of a unit price', () => {
    expect(of({ model: 'per-unit', unitPrice: '0.000000000001' }, '500000000000')).toBe(1n);
    expect(of({ model: 'per-unit', unitPrice: '0.000000000001' }, '499999999999')).toBe(0n);
    expect(rate({ model: 'per-unit', unitPrice: '0.04' }, { quantity: '12.50' })).toEqual({
      quantity: '12.5',
      unitPrice: '0.04',
    });
  });

  it('refuses a quantity below zero', () => {
    expect(() => of({ model: 'per-unit', unitPrice: '1' }, '-1')).toThrow(new DomainError('negative-amount'));
  });
});

describe('graduated', () => {
  // Lago graduated_service_spec.rb
  const lago: Price = {
    model: 'graduated',
    tiers: [tier('10', '1000', '200'), tier('20', '500', '300'), tier(null, '500', '300')],
  };
  it.each([
    [0, 200n],
    [1, 1200n],
    [10, 10200n],
    [11, 11000n],
    [12, 11500n],
    [21, 16300n],
  ])('%i units come to %i', (units, expected) => expect(of(lago, units)).toBe(expected));

  // Kill Bill TestContiguousIntervalConsumableInArrear, ALL_TIERS; docs.stripe.com tiered-pricing
  it('counts each unit in its own tier', () => {
    const killBill: Price = { model: 'graduated', tiers: [tier('10', '150'), tier('110', '100'), tier(null, '50')] };
    const rating = rate(price(killBill), { quantity: '111' });
    expect(rating.parts?.map(({ quantity, unitPrice }) => [quantity, unitPrice])).toEqual([
      ['10', '150'],
      ['100', '100'],
      ['1', '50'],
    ]);
    expect(amountOf(rating, ONE)).toBe(11550n);
    const stripe: Price = { model: 'graduated', tiers: [tier('5', '700'), tier('10', '650'), tier(null, '600')] };
    expect([1, 5, 6, 20, 25].map((units) => of(stripe, units))).toEqual([700n, 3500n, 4150n, 12750n, 15750n]);
  });

  it('enters a tier above its lower bound, and splits what is not whole', () => {
    expect(of(lago, '10.000000000001')).toBe(10500n);
    expect(of(lago, '10.5')).toBe(10750n);
  });

  it('states the parts that its amount is the sum of', () => {
    expect(rate(lago, { quantity: '11' })).toEqual({
      quantity: '11',
      unitPrice: '0',
      parts: [
        { tier: 0, per: 'unit', quantity: '10', unitPrice: '1000' },
        { tier: 0, per: 'flat-fee', quantity: '1', unitPrice: '200' },
        { tier: 1, per: 'unit', quantity: '1', unitPrice: '500' },
        { tier: 1, per: 'flat-fee', quantity: '1', unitPrice: '300' },
      ],
    });
  });

  // Kill Bill TestContiguousIntervalConsumableInArrear: blocks of 100, at most 10, at 10.00, then of 1,000 at 1.00
  it('counts what lies in a tier in packages begun, where the tier says so', () => {
    const tiers = [
      { ...tier('1000', '1000'), packageSize: '100' },
      { ...tier(null, '100', '7'), packageSize: '1000' },
    ];
    const killBill: Price = { model: 'graduated', tiers };
    expect(rate(price(killBill), { quantity: '5325' }).parts).toEqual([
      { tier: 0, per: 'package', quantity: '10', unitPrice: '1000' },
      { tier: 1, per: 'package', quantity: '5', unitPrice: '100' },
      { tier: 1, per: 'flat-fee', quantity: '1', unitPrice: '7' },
    ]);
    expect([0, 1, '100', '100.5', 1000, 1001].map((units) => of(killBill, units))).toEqual([
      0n,
      1000n,
      1000n,
      2000n,
      10000n,
      10107n,
    ]);
  });

  it('is rounded once for the line, or once for each tier where the rule says so', () => {
    // billing-model.md §2: tiers of 0.345 and 0.005 are 0.35
    const price: Price = { model: 'graduated', tiers: [tier('1', '34.5'), tier(null, '0.5')] };
    const rating = rate(price, { quantity: '2' });
    expect(amountOf(rating, ONE)).toBe(35n);
    expect(amountOf(rating, ONE, 'tier')).toBe(36n);
    const twice: Price = { model: 'graduated', tiers: [tier('1', '30.5', '4'), tier(null, '0.5')] };
    expect(amountOf(rate(twice, { quantity: '2' }), ONE, 'tier')).toBe(36n);
  });
});

describe('volume', () => {
  // OpenMeter tieredvolume_test.go: with a cliff at 16
  const openMeter: Price = {
    model: 'volume',
    tiers: [tier('5', '0', '10000'), tier('10', '0', '15000'), tier('15', '1000'), tier(null, '500')],
  };
  it.each([
    [0, 10000n],
    [3, 10000n],
    [5, 10000n],
    [14, 14000n],
    [15, 15000n],
    [16, 8000n],
    [100, 50000n],
  ])('%i units come to %i', (units, expected) => expect(of(openMeter, units)).toBe(expected));

  // docs.stripe.com tiered-pricing; and what billing-rules.md §2.6 finds in Meteroid: 99.5 lies in a tier, too
  it('prices all units at the tier that the quantity lies in', () => {
    const stripe: Price = { model: 'volume', tiers: [tier('5', '700'), tier('10', '650'), tier(null, '600')] };
    expect([1, 5, 6, 20, 25].map((units) => of(stripe, units))).toEqual([700n, 3500n, 3900n, 12000n, 15000n]);
    expect(of({ model: 'volume', tiers: [tier('99', '100'), tier(null, '80')] }, '99.5')).toBe(7960n);
  });

  // Kill Bill TestContiguousIntervalConsumableInArrear, TOP_TIER
  it('counts all units in packages of the tier that the quantity lies in, where the tier says so', () => {
    const tiers = [
      { ...tier('1000', '1000'), packageSize: '100' },
      { ...tier(null, '100'), packageSize: '1000' },
    ];
    expect([0, 5, 250, 1000, 1001, 5325].map((units) => of({ model: 'volume', tiers }, units))).toEqual([
      0n,
      1000n,
      3000n,
      10000n,
      200n,
      600n,
    ]);
  });
});

describe('package', () => {
  // Lago package_service_spec.rb
  it.each([
    ['0', 130000n],
    ['10', 120000n],
    ['200', 0n],
  ])('121 units in tens at 100 with %s free come to %i', (freeUnits, expected) => {
    expect(of({ model: 'package', packageSize: '10', packagePrice: '10000', freeUnits }, 121)).toBe(expected);
  });

  // Kill Bill TestUsageInArrear: 2.95 per started block of 100
  it('charges a started package whole', () => {
    const block: Price = { model: 'package', packageSize: '100', packagePrice: '295' };
    expect([199, 350, 100, '100.000000000001', 0].map((units) => of(block, units))).toEqual([
      590n,
      1180n,
      295n,
      590n,
      0n,
    ]);
    const dust: Price = { model: 'package', packageSize: '0.000000000001', packagePrice: '1' };
    expect(() => of(dust, '1000000')).toThrow(new DomainError('amount-out-of-range'));
    expect(rate(block, { quantity: '199' }).parts).toEqual([
      { tier: 0, per: 'package', quantity: '2', unitPrice: '295' },
    ]);
  });
});

describe('percentage', () => {
  // Lago percentage_service_spec.rb: 800 over four events with running totals 50, 150, 400, 800
  const records = ['5000', '10000', '25000', '40000'];
  const base = { model: 'percentage', rate: '1.3', recordFee: '200' } as const;
  it.each<[Price, bigint]>([
    [{ ...base, freeRecords: 3, freeAmount: '25000' }, 1115n],
    [{ ...base, freeRecords: 3 }, 720n],
    [base, 1840n],
    [{ model: 'percentage', rate: '0', recordFee: '200' }, 800n],
    [{ ...base, freeAmount: '25000' }, 1115n],
    [{ ...base, freeRecords: 1, freeAmount: '25000' }, 975n + 600n],
    [{ ...base, freeRecords: 0, freeAmount: '25000' }, 1840n],
    [{ ...base, freeRecords: 9, freeAmount: '0' }, 1840n],
  ])('%j of 800 in four records', (p, expected) => {
    expect(amountOf(rate(price(p), { records }), ONE)).toBe(expected);
  });

  it('charges no fee for a record that is free to its last cent', () => {
    const p = { ...base, freeAmount: '15000' };
    expect(rate(p, { records }).parts).toEqual([
      { tier: 0, per: 'amount', quantity: '65000', unitPrice: '0.013' },
      { tier: 0, per: 'record', quantity: '2', unitPrice: '200' },
    ]);
  });

  it('is exact before it is rounded: 2.9 % of 4 is 0.116', () => {
    const p: Price = { model: 'percentage', rate: '2.9' };
    expect(amountOf(rate(p, { quantity: '400' }), ratio(10, 1))).toBe(116n);
    expect(amountOf(rate(p, { quantity: '400' }), ONE)).toBe(12n);
  });

  // Lago graduated_percentage_service_spec.rb
  it.each([
    [0, 20000n],
    [1, 20001n],
    [10, 20010n],
    [11, 50012n],
    [12, 50014n],
    [21, 90033n],
  ])('graduated: %i units come to %i', (units, expected) => {
    const p: Price = {
      model: 'graduated-percentage',
      tiers: [
        { upTo: '1000', rate: '1', flatFee: '20000' },
        { upTo: '2000', rate: '2', flatFee: '30000' },
        { upTo: null, rate: '3', flatFee: '40000' },
      ],
    };
    expect(of(p, units * 100)).toBe(expected);
  });
});

describe('what a line says', () => {
  const unit = (tier: number, quantity: string, unitPrice: string) => ({ tier, per: 'unit', quantity, unitPrice });
  const amount = (tier: number, quantity: string, unitPrice: string) => ({ tier, per: 'amount', quantity, unitPrice });
  const fee = (tier: number, unitPrice: string) => ({ tier, per: 'flat-fee', quantity: '1', unitPrice });
  const tiers = [tier('10', '5', '100'), tier(null, '3')];
  const rates = [
    { upTo: '1000', rate: '1', flatFee: '100' },
    { upTo: null, rate: '0.5' },
  ];
  const packages: Price = { model: 'package', packageSize: '10', packagePrice: '7' };
  const percentage = { model: 'percentage', rate: '1.3' } as const;
  it.each<[Price, string, unknown]>([
    [{ model: 'graduated', tiers }, '10', [unit(0, '10', '5'), fee(0, '100')]],
    [{ model: 'graduated', tiers }, '12.5', [unit(0, '10', '5'), fee(0, '100'), unit(1, '2.5', '3')]],
    [{ model: 'graduated', tiers }, '0', [unit(0, '0', '5'), fee(0, '100')]],
    [{ model: 'volume', tiers }, '10', [unit(0, '10', '5'), fee(0, '100')]],
    [{ model: 'volume', tiers }, '12.5', [unit(1, '12.5', '3')]],
    [packages, '21', [{ tier: 0, per: 'package', quantity: '3', unitPrice: '7' }]],
    [{ ...packages, freeUnits: '21' }, '21', [{ tier: 0, per: 'package', quantity: '0', unitPrice: '7' }]],
    [percentage, '500', [amount(0, '500', '0.013')]],
    [{ ...percentage, recordFee: '0' }, '500', [amount(0, '500', '0.013')]],
    [
      { ...percentage, recordFee: '2' },
      '500',
      [amount(0, '500', '0.013'), { tier: 0, per: 'record', quantity: '1', unitPrice: '2' }],
    ],
    [
      { model: 'graduated-percentage', tiers: rates },
      '1500',
      [amount(0, '1000', '0.01'), fee(0, '100'), amount(1, '500', '0.005')],
    ],
  ])('of %j for %s: its parts, and no price of its own', (p, quantity, parts) => {
    expect(rate(p, { quantity })).toStrictEqual({ quantity, unitPrice: '0', parts });
  });

  it('a free amount splits the record that uses it up; one that is free to its last cent takes no fee', () => {
    const p = { ...percentage, recordFee: '2', freeAmount: '100' };
    const rated = (...records: string[]) => rate(p, { records }).parts?.map((part) => part.quantity);
    expect(rated('60', '40', '50')).toEqual(['50', '1']);
    expect(rated('60', '41', '50')).toEqual(['51', '2']);
    expect(rated('100')).toEqual(['0', '0']);
    expect(rated('101')).toEqual(['1', '1']);
    // Nothing is left that a record of nothing could be free of.
    expect(rated('100', '0')).toEqual(['0', '1']);
    const counted = (...records: string[]) => rate({ ...percentage, recordFee: '2', freeRecords: 1 }, { records });
    expect(counted('60', '40').parts?.map((part) => part.quantity)).toEqual(['40', '1']);
    expect(counted().parts?.map((part) => part.quantity)).toEqual(['0', '0']);
  });
});

describe('minimum and maximum', () => {
  // Lago create_true_up_service_spec.rb, spending_minimum_spec.rb
  it('trues up to the minimum of the part of the period', () => {
    expect(trueUp({ minimum: '1000' }, ratio(31, 31), 700n)).toBe(300n);
    expect(trueUp({ minimum: '1000' }, ratio(25, 28), 800n)).toBe(93n);
    expect(trueUp({ minimum: '1000' }, ONE, 1000n)).toBe(0n);
  });

  it('takes back what is above the maximum', () => {
    expect(trueUp({ minimum: '100', maximum: '1000' }, ONE, 1200n)).toBe(-200n);
    expect(trueUp({ maximum: '1000' }, ratio(1, 2), 501n)).toBe(-1n);
    expect(trueUp({ maximum: '1000' }, ONE, 1000n)).toBe(0n);
    expect(trueUp({}, ONE, 5n)).toBe(0n);
  });
});

describe('a price is refused', () => {
  const tiers = (...bounds: (string | null)[]): Price => ({
    model: 'graduated',
    tiers: bounds.map((upTo) => tier(upTo, '1')),
  });
  it.each<[string, Price]>([
    ['without tiers', tiers()],
    ['with a last tier that ends', tiers('10')],
    ['with an open tier before the last', tiers(null, null)],
    ['with bounds that fall', tiers('10', '5', null)],
    ['with one bound twice', tiers('10', '10.0', null)],
    ['with a first tier of nothing', tiers('0', null)],
    ['with too many tiers', tiers(...Array.from({ length: MAX_TIERS }, (_, i) => `${i + 1}`), null)],
    ['with packages of nothing', { model: 'package', packageSize: '0', packagePrice: '1' }],
    ['with a tier of packages of nothing', { model: 'volume', tiers: [{ ...tier(null, '1'), packageSize: '0' }] }],
    ['with half a free record', { model: 'percentage', rate: '1', freeRecords: 0.5 }],
    ['with free records below zero', { model: 'percentage', rate: '1', freeRecords: -1 }],
    ['with a rate too fine', { model: 'percentage', rate: '0.00000000001' }],
    ['with a minimum above the maximum', { model: 'flat', unitPrice: '1', minimum: '2', maximum: '1' }],
    ['of no model', { model: 'free' } as unknown as Price],
  ])('%s', (_, p) => {
    expect(() => price(p)).toThrow(expect.objectContaining({ code: 'invalid-price' }));
  });

  it.each<Price>([
    { model: 'flat', unitPrice: '-1' },
    { model: 'volume', tiers: [tier(null, '1', '-1')] },
    { model: 'percentage', rate: '-1' },
    { model: 'flat', unitPrice: '1', maximum: '-1' },
  ])('below zero: %j', (p) => {
    expect(() => price(p)).toThrow(expect.objectContaining({ code: 'negative-amount' }));
  });

  it('keeps the rest in canonical form', () => {
    const bounds = { minimum: '1.0', maximum: '2.50' };
    expect(price({ model: 'package', packageSize: '10.0', packagePrice: '1.50', freeUnits: '5.0', ...bounds })).toEqual(
      {
        model: 'package',
        packageSize: '10',
        packagePrice: '1.5',
        freeUnits: '5',
        minimum: '1',
        maximum: '2.5',
      },
    );
    expect(price({ model: 'graduated', tiers: [{ ...tier(null, '1.0', '2.0'), packageSize: '5.0' }] })).toEqual({
      model: 'graduated',
      tiers: [{ ...tier(null, '1', '2'), packageSize: '5' }],
    });
    expect(price({ model: 'percentage', rate: '1.30', recordFee: '2.0', freeRecords: 3, freeAmount: '250.0' })).toEqual(
      { model: 'percentage', rate: '1.3', recordFee: '2', freeRecords: 3, freeAmount: '250' },
    );
    expect(price({ model: 'percentage', rate: '1.30' })).toStrictEqual({ model: 'percentage', rate: '1.3' });
    const packages = { model: 'package', packageSize: '10', packagePrice: '1' } as const;
    expect(price(packages)).toStrictEqual(packages);
  });
});

describe('any price and any quantity', () => {
  const decimals = fc
    .record({ units: fc.bigInt(0n, 10n ** 9n), scale: fc.integer({ min: 0, max: 12 }) })
    .map((value) => formatDecimal(parseDecimal(formatDecimal(value))));
  const bounds = fc
    .uniqueArray(
      decimals.filter((text) => text !== '0'),
      { maxLength: 5 },
    )
    .map((list) => list.sort((a, b) => (toTrillionths(parseDecimal(a)) < toTrillionths(parseDecimal(b)) ? -1 : 1)));
  // So many packages that no decimal holds their number are refused: below.
  const sizes = decimals.filter((text) => toTrillionths(parseDecimal(text)) >= 10n ** 9n);
  const tiers = fc
    .tuple(bounds, fc.array(fc.tuple(decimals, decimals, fc.option(sizes)), { minLength: 6, maxLength: 6 }))
    .map(([list, prices]): Tier[] =>
      [...list, null].map((upTo, i) => {
        const [unitPrice = '0', flatFee, packageSize] = prices[i] ?? [];
        return { ...tier(upTo, unitPrice, flatFee), ...(typeof packageSize === 'string' && { packageSize }) };
      }),
    );
  const graduatedOrVolume = fc.record({ model: fc.constantFrom('graduated' as const, 'volume' as const), tiers });
  const packages = fc.record({
    model: fc.constant('package' as const),
    packageSize: sizes,
    packagePrice: decimals,
    freeUnits: decimals,
  });
  // Near a tier's bound on either side, or anywhere.
  const near = (p: Price, pick: number, text: string) => {
    const upTo = 'tiers' in p ? p.tiers[pick % p.tiers.length]?.upTo : undefined;
    if (upTo === undefined || upTo === null) return toTrillionths(parseDecimal(text));
    const moved = toTrillionths(parseDecimal(upTo)) + BigInt((pick % 3) - 1);
    return moved < 0n ? 0n : moved;
  };
  const inTrillionths = (value: bigint) => `${value / 10n ** 12n}.${(value % 10n ** 12n).toString().padStart(12, '0')}`;

  it('has each unit in exactly one tier, and never falls with the quantity; volume may fall where a tier begins', () => {
    fc.assert(
      fc.property(fc.oneof(graduatedOrVolume, packages), fc.nat(), decimals, decimals, (p, pick, x, more) => {
        const quantity = near(p, pick, x);
        const larger = quantity + toTrillionths(parseDecimal(more));
        const [less, greater] = [
          rate(p, { quantity: inTrillionths(quantity) }),
          rate(p, { quantity: inTrillionths(larger) }),
        ];
        if (p.model !== 'package' && p.tiers.every(({ packageSize }) => packageSize === undefined)) {
          const units = less.parts?.filter(({ per }) => per === 'unit') ?? [];
          expect(units.reduce((sum, part) => sum + toTrillionths(parseDecimal(part.quantity)), 0n)).toBe(quantity);
        }
        const sameTier = less.parts?.at(-1)?.tier === greater.parts?.at(-1)?.tier;
        if (p.model !== 'volume' || sameTier) expect(amountOf(less, ONE) <= amountOf(greater, ONE)).toBe(true);
      }),
      propertyRuns(10_000),
    );
  });

  it('charges a percentage of all that is not free, in whatever records it came', () => {
    fc.assert(
      fc.property(fc.array(decimals, { maxLength: 8 }), fc.nat(9), decimals, (records, freeRecords, freeAmount) => {
        const paid = (p: Partial<Extract<Price, { model: 'percentage' }>>) =>
          toTrillionths(
            parseDecimal(rate({ model: 'percentage', rate: '100', ...p }, { records }).parts?.[0]?.quantity ?? ''),
          );
        const total = paid({});
        const both = paid({ freeRecords, freeAmount });
        const byCount = total - paid({ freeRecords });
        const byAmount = total - paid({ freeAmount });
        expect(total - both).toBe(byCount < byAmount ? byCount : byAmount);
      }),
      propertyRuns(10_000),
    );
  });
});
