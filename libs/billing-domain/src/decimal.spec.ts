import fc from 'fast-check';
import { formatDecimal, formatTrillionths, parseDecimal, type Decimal } from './decimal';
import { extend, ONE, ratio, roundHalfAwayFromZero } from './ratio';
import { propertyRuns } from '../../../test/support/property-runs';

const decimals: fc.Arbitrary<Decimal> = fc
  .tuple(fc.bigInt(-(10n ** 18n) + 1n, 10n ** 18n - 1n), fc.integer({ min: 0, max: 12 }))
  .map(([units, scale]) => ({ units, scale }));

describe('Decimal', () => {
  it.each([
    ['0.04', '0.04'],
    ['-0.04', '-0.04'],
    ['-12.30', '-12.3'],
    ['100', '100'],
    ['-5', '-5'],
    ['10.500', '10.5'],
    ['-0.0', '0'],
    ['007', '7'],
    ['0.000000000001', '0.000000000001'],
    ['999999999999999999.999999999999', '999999999999999999.999999999999'],
  ])('reads %s as %s', (text, canonical) => expect(formatDecimal(parseDecimal(text))).toBe(canonical));

  it.each([5, null, undefined, ['5']])('refuses what is no text: %j', (value) => {
    expect(() => parseDecimal(value as unknown as string)).toThrow(
      expect.objectContaining({ code: 'invalid-decimal' }),
    );
  });

  it('writes a whole number of 10^-12, however large', () => {
    expect(formatTrillionths(1n)).toBe('0.000000000001');
    expect(formatTrillionths(-1_500_000_000_000n)).toBe('-1.5');
    expect(formatTrillionths(10n ** 40n)).toBe(`1${'0'.repeat(28)}`);
    expect(formatTrillionths(0n)).toBe('0');
  });

  it.each([
    '',
    '.5',
    '5.',
    '1e3',
    '+1',
    ' 1',
    '1,5',
    '1 ',
    '--1',
    '-',
    'Infinity',
    '0.0000000000001',
    '1000000000000000000',
    '٣',
  ])('refuses %j', (text) =>
    expect(() => parseDecimal(text)).toThrow(expect.objectContaining({ code: 'invalid-decimal' })),
  );

  it('keeps its value exactly, written in one way', () => {
    fc.assert(
      fc.property(decimals, ({ units, scale }) => {
        const read = parseDecimal(formatDecimal({ units, scale }));
        expect(read.units * 10n ** BigInt(scale)).toBe(units * 10n ** BigInt(read.scale));
        expect(formatDecimal(read)).toBe(formatDecimal(parseDecimal(formatDecimal(read))));
        expect(read.scale === 0 || read.units % 10n !== 0n).toBe(true);
      }),
      propertyRuns(500),
    );
  });
});

describe('one rounding for each line', () => {
  it('comes after quantity and fraction: 3 × 9.99 × 10/31 = 9.67, not 9.66', () => {
    expect(extend(parseDecimal('3'), parseDecimal('999'), ratio(10, 31))).toBe(967n);
  });

  it('takes prices below a minor unit', () => {
    expect(extend(parseDecimal('12345'), parseDecimal('0.04'), ONE)).toBe(494n);
    expect(extend(parseDecimal('0.5'), parseDecimal('1'), ONE)).toBe(1n);
  });

  it('rounds halves away from zero, everything else to the nearest', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(1n, 10n ** 20n), (numerator, denominator) => {
        const rounded = roundHalfAwayFromZero({ numerator, denominator });
        const twiceOff = 2n * (rounded * denominator - numerator);
        expect(twiceOff <= denominator && twiceOff >= -denominator).toBe(true);
        // A half goes away from zero: up for what is positive, down for what is negative.
        if (twiceOff === denominator) expect(numerator > 0n).toBe(true);
        if (twiceOff === -denominator) expect(numerator < 0n).toBe(true);
      }),
      propertyRuns(1000),
    );
    expect([-5n, -3n, -1n, 1n, 3n, 5n].map((n) => roundHalfAwayFromZero(ratio(n, 2n)))).toEqual([
      -3n,
      -2n,
      -1n,
      1n,
      2n,
      3n,
    ]);
    expect(roundHalfAwayFromZero(ratio(0, 1))).toBe(0n);
    expect(ratio(-3, 4)).toEqual({ numerator: -3n, denominator: 4n });
    for (const below of [0, -1]) expect(() => ratio(1, below)).toThrow(RangeError);
  });
});
