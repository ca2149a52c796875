import type { Decimal } from './decimal';

/** An exact fraction of two integers; the denominator is above zero. Not reduced: 31/31 and 14/28 show what was counted. */
export interface Ratio {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ONE: Ratio = { numerator: 1n, denominator: 1n };

/** A ratio of two counts (of days, say). */
export function ratio(numerator: number | bigint, denominator: number | bigint): Ratio {
  const below = BigInt(denominator);
  if (below <= 0n) throw new RangeError(`a ratio over ${below}`);
  return { numerator: BigInt(numerator), denominator: below };
}

/** numerator / denominator to a whole number, halves away from zero. */
export function roundHalfAwayFromZero({ numerator, denominator }: Ratio): bigint {
  // Division goes towards zero.
  return (2n * numerator + (numerator < 0n ? -denominator : denominator)) / (2n * denominator);
}

/** round(quantity × unitPrice × fraction), rounded once, in the units of the price. (billing-model.md §2) */
export function extend(quantity: Decimal, unitPrice: Decimal, fraction: Ratio): bigint {
  return roundHalfAwayFromZero({
    numerator: quantity.units * unitPrice.units * fraction.numerator,
    denominator: 10n ** BigInt(quantity.scale + unitPrice.scale) * fraction.denominator,
  });
}
