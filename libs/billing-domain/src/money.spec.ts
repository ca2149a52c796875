import fc from 'fast-check';
import {
  addMoney,
  allocateMoney,
  compareMoney,
  exponentOf,
  money,
  moneyFromJson,
  moneyToJson,
  multiplyMoney,
  parseMinor,
  subtractMoney,
  sumMoney,
  toMajorUnits,
} from './money';
import { ratio } from './ratio';
import { propertyRuns } from '../../../test/support/property-runs';

const code = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
};

describe('Money', () => {
  it('is whole minor units of one currency', () => {
    expect(moneyToJson(moneyFromJson({ amount: '-1999', currency: 'USD' }))).toEqual({
      amount: '-1999',
      currency: 'USD',
    });
    expect(addMoney(money(5n, 'EUR'), money(7n, 'EUR'))).toEqual(money(12n, 'EUR'));
    expect(subtractMoney(money(5n, 'EUR'), money(7n, 'EUR'))).toEqual(money(-2n, 'EUR'));
    expect(sumMoney([], 'EUR')).toEqual(money(0n, 'EUR'));
    expect(compareMoney(money(5n, 'EUR'), money(7n, 'EUR'))).toBe(-1);
    expect(compareMoney(money(7n, 'EUR'), money(7n, 'EUR'))).toBe(0);
    expect(compareMoney(money(7n, 'EUR'), money(5n, 'EUR'))).toBe(1);
    expect(sumMoney([money(5n, 'EUR'), money(7n, 'EUR'), money(-1n, 'EUR')], 'EUR')).toEqual(money(11n, 'EUR'));
  });

  it('never combines currencies', () => {
    for (const operation of [addMoney, subtractMoney, compareMoney]) {
      expect(code(() => operation(money(1n, 'EUR'), money(1n, 'USD')))).toBe('currency-mismatch');
    }
    expect(code(() => sumMoney([money(1n, 'USD')], 'EUR'))).toBe('currency-mismatch');
  });

  it.each(['', '-', ' 1', '1 ', 'x0', '1.0', '+1', '01', '-01', '-0', '1e3', '0x10', 'NaN', '１', '9'.repeat(21)])(
    'refuses the amount %j',
    (amount) => expect(code(() => parseMinor(amount))).toBe('invalid-amount'),
  );

  it.each([5, null, undefined, ['5']])('refuses an amount that is no text: %j', (amount) => {
    expect(code(() => parseMinor(amount as unknown as string))).toBe('invalid-amount');
  });

  it.each(['0', '7', '10', '-1', '-10', '1999'])('reads the amount %j', (amount) => {
    expect(parseMinor(amount).toString()).toBe(amount);
  });

  it('holds 10^18 minor units either way and no more', () => {
    expect(parseMinor('-1000000000000000000')).toBe(-(10n ** 18n));
    expect(parseMinor('1000000000000000000')).toBe(10n ** 18n);
    for (const text of ['1000000000000000001', '-1000000000000000001', '9'.repeat(20)]) {
      expect(code(() => parseMinor(text))).toBe('amount-out-of-range');
    }
    expect(code(() => money(-(10n ** 18n) - 1n, 'EUR'))).toBe('amount-out-of-range');
    expect(code(() => addMoney(money(10n ** 18n, 'EUR'), money(1n, 'EUR')))).toBe('amount-out-of-range');
    expect(code(() => money(1n, 'XYZ'))).toBe('unknown-currency');
    expect(code(() => money(1n, 'constructor'))).toBe('unknown-currency');
  });

  it('knows the exponent of each currency', () => {
    expect(['USD', 'JPY', 'KRW', 'VND', 'XAF', 'BHD', 'KWD', 'TND', 'OMR', 'JOD'].map(exponentOf)).toEqual([
      2, 0, 0, 0, 0, 3, 3, 3, 3, 3,
    ]);
    expect(code(() => exponentOf('XYZ'))).toBe('unknown-currency');
    const shown: [bigint, string, string][] = [
      [-5n, 'USD', '-0.05'],
      [-12345n, 'USD', '-123.45'],
      [1999n, 'JPY', '1999'],
      [-1n, 'JPY', '-1'],
      [0n, 'JPY', '0'],
      [12345n, 'KWD', '12.345'],
      [0n, 'EUR', '0.00'],
    ];
    for (const [minor, currency, text] of shown) expect(toMajorUnits(money(minor, currency))).toBe(text);
  });

  it('rounds halves away from zero, once', () => {
    expect(multiplyMoney(money(5n, 'USD'), ratio(1, 2))).toEqual(money(3n, 'USD'));
    expect(multiplyMoney(money(-5n, 'USD'), ratio(1, 2))).toEqual(money(-3n, 'USD'));
    // OpenMeter: JPY 1000 for 10 of 31 days is 323 whole yen.
    expect(multiplyMoney(money(1000n, 'JPY'), ratio(10, 31))).toEqual(money(323n, 'JPY'));
  });

  it('allocates by largest remainder, ties to the earlier part', () => {
    const parts = (minor: bigint, weights: bigint[]) =>
      allocateMoney(money(minor, 'USD'), weights).map((part) => part.minor);
    expect(parts(20n, [33n, 33n, 33n])).toEqual([7n, 7n, 6n]);
    expect(parts(-20n, [33n, 33n, 33n])).toEqual([-7n, -7n, -6n]);
    expect(parts(100n, [1n, 0n, 2n])).toEqual([33n, 0n, 67n]);
    // The unit left over goes to the largest remainder, not to the largest part.
    expect(parts(10n, [5n, 1n, 1n])).toEqual([7n, 2n, 1n]);
    expect(parts(-10n, [5n, 1n, 1n])).toEqual([-7n, -2n, -1n]);
    expect(parts(0n, [1n, 2n])).toEqual([0n, 0n]);
    for (const weights of [[], [0n], [0n, 0n], [2n, -1n], [-1n]]) expect(() => parts(1n, weights)).toThrow(RangeError);
  });

  it('allocates exactly the whole, each part within a unit of its share', () => {
    const weights = fc
      .array(fc.bigInt(0n, 10n ** 12n), { minLength: 1 })
      .filter((each) => each.some((weight) => weight > 0n));
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 18n), 10n ** 18n), weights, (minor, shares) => {
        const parts = allocateMoney(money(minor, 'USD'), shares);
        const total = shares.reduce((a, b) => a + b);
        expect(sumMoney(parts, 'USD').minor).toBe(minor);
        parts.forEach((part, i) => {
          const off = part.minor * total - minor * (shares[i] ?? 0n);
          expect(off < total && off > -total).toBe(true);
        });
      }),
      propertyRuns(500),
    );
  });
});
