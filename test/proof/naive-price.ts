import { parseDecimal, type Price, type Tier } from '@perennial/billing-domain';

/*
 * What a quantity costs under a price, worked out the long way: unit by unit, each looked up in its tier by itself. Shares nothing
 * with the code that rates but the reading of decimals.
 */

/** Whole numbers of 10^-12, and of 10^-24 where two of them are multiplied. */
export const UNIT = 10n ** 12n;
export const EXACT = UNIT * UNIT;

/** A decimal as a whole number of 10^-12. */
export const units = (text: string): bigint => {
  const { units: whole, scale } = parseDecimal(text);
  return whole * 10n ** BigInt(12 - scale);
};

/** Exact amounts by tier, in 10^-24 of the minor unit. */
export type Tiered = ReadonlyMap<number, bigint>;

/** How many steps a walk takes at most; beyond that it takes larger ones. */
const STEPS = 2_000n;

type AnyTier = { readonly upTo: string | null; readonly flatFee?: string };

/** Whether a quantity lies in a tier that ends here. */
const holds = ({ upTo }: AnyTier, quantity: bigint) => upTo === null || quantity <= units(upTo);

export function priced(price: Price, quantity: string, records: readonly string[] = [quantity]): Tiered {
  const total = units(quantity);
  switch (price.model) {
    case 'flat':
    case 'per-unit':
      return new Map([[0, total * units(price.unitPrice)]]);
    case 'package':
      return new Map([
        [
          0,
          packages(total, units(price.freeUnits ?? '0'), units(price.packageSize)) * UNIT * units(price.packagePrice),
        ],
      ]);
    case 'volume': {
      const tier = price.tiers.findIndex((each) => holds(each, total));
      const { unitPrice = '0', packageSize, flatFee = '0' } = price.tiers[tier] ?? {};
      const counted = packageSize === undefined ? total : packages(total, 0n, units(packageSize)) * UNIT;
      return new Map([[tier, counted * units(unitPrice) + UNIT * units(flatFee)]]);
    }
    case 'graduated':
      return inPackages(price.tiers, total);
    case 'graduated-percentage':
      return walked(price.tiers, total, ({ rate }) => units(rate) / 100n);
    case 'percentage':
      return new Map([[0, percentage(price, records)]]);
  }
}

/** Each unit, or each package begun in a tier, at the price of that tier. */
function inPackages(tiers: readonly Tier[], total: bigint): Tiered {
  const each = walked(tiers, total, ({ unitPrice, packageSize }) =>
    packageSize === undefined ? units(unitPrice) : 0n,
  );
  return new Map(
    [...each].map(([ordinal, amount]) => {
      const { unitPrice = '0', packageSize, upTo = null } = tiers[ordinal] ?? {};
      if (packageSize === undefined) return [ordinal, amount];
      const end = upTo === null || units(upTo) > total ? total : units(upTo);
      const within = end - units(tiers[ordinal - 1]?.upTo ?? '0');
      return [ordinal, amount + packages(within, 0n, units(packageSize)) * UNIT * units(unitPrice)];
    }),
  );
}

/** Packages opened one after the other until all units that are not free have a place. */
export function packages(total: bigint, free: bigint, size: bigint): bigint {
  let left = total - free;
  if (left <= 0n) return 0n;
  // As many as certainly are filled at once, the rest one by one.
  let count = left / size > STEPS ? left / size - STEPS : 0n;
  left -= count * size;
  while (left > 0n) [left, count] = [left - size, count + 1n];
  return count;
}

/** Each unit, or the part of one up to the next bound, at the price of the tier that holds it. */
function walked<T extends AnyTier>(tiers: readonly T[], total: bigint, priceOf: (tier: T) => bigint): Tiered {
  const amounts = new Map<number, bigint>();
  const enter = (tier: number) => {
    if (!amounts.has(tier)) amounts.set(tier, UNIT * units(tiers[tier]?.flatFee ?? '0'));
  };
  enter(0);
  const step = total / STEPS > UNIT ? total / STEPS : UNIT;
  for (let at = 0n; at < total;) {
    const bounds = tiers.flatMap(({ upTo }) => (upTo === null || units(upTo) <= at ? [] : [units(upTo)]));
    const next = [at + step, total, ...bounds].reduce((a, b) => (a < b ? a : b));
    const tier = tiers.findIndex((each) => holds(each, next));
    const of = tiers[tier];
    if (!of) throw new Error('a quantity in no tier');
    enter(tier);
    amounts.set(tier, (amounts.get(tier) ?? 0n) + (next - at) * priceOf(of));
    at = next;
  }
  return amounts;
}

/** Record by record: the first ones free, until their count or their amount is used up. */
function percentage(price: Extract<Price, { model: 'percentage' }>, records: readonly string[]): bigint {
  let freeCount = price.freeRecords ?? (price.freeAmount === undefined ? 0 : Infinity);
  let freeAmount = price.freeAmount === undefined ? undefined : units(price.freeAmount);
  let amount = 0n;
  for (const record of records) {
    const value = units(record);
    const open = freeCount > 0 && (freeAmount === undefined || freeAmount > 0n);
    const free = !open ? 0n : freeAmount === undefined || freeAmount > value ? value : freeAmount;
    freeCount -= 1;
    if (freeAmount !== undefined) freeAmount -= free;
    if (open && free === value) continue;
    amount += ((value - free) * units(price.rate)) / 100n + UNIT * units(price.recordFee ?? '0');
  }
  return amount;
}

/** A whole number from numerator / denominator, halves away from zero. */
export function rounded(numerator: bigint, denominator: bigint): bigint {
  const [magnitude, sign] = numerator < 0n ? [-numerator, -1n] : [numerator, 1n];
  const [whole, rest] = [magnitude / denominator, magnitude % denominator];
  return sign * (2n * rest >= denominator ? whole + 1n : whole);
}
