import { formatTrillionths, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { roundHalfAwayFromZero, type Ratio } from '../ratio';
import { toTrillionths, type PercentageTier, type Price, type Tier } from './price';

/**
 * One piece of what a price comes to: quantity × unitPrice, in minor units. A line whose price is no single multiplication
 * carries its parts, so that a reader can recompute it: net = round(Σ quantity × unitPrice × fraction), or, when rounded per
 * tier, the sum of that for each tier.
 */
export interface PricePart {
  /** Ordinal of the tier, from 0; 0 for a price without tiers. */
  readonly tier: number;
  /** What the quantity counts: units, packages, records, minor units of an amount, or 1 flat fee. */
  readonly per: 'unit' | 'package' | 'record' | 'amount' | 'flat-fee';
  readonly quantity: string;
  /** Decimal of the minor unit; for an amount the rate, of one: 1.3 % is "0.013". */
  readonly unitPrice: string;
}

/** What is rated: a quantity, or the values of records in order of time (a percentage with something free needs them). */
export type Rated = { readonly quantity: string } | { readonly records: readonly string[] };

/** What the line of a price says. */
export interface Rating {
  readonly quantity: string;
  /** "0" when `parts` states the prices. */
  readonly unitPrice: string;
  /** Absent when the amount is quantity × unitPrice. */
  readonly parts?: readonly PricePart[];
}

const ONE_UNIT = 10n ** 12n;
/** What a decimal can be at most has 18 digits before the point. */
const LIMIT = 10n ** 18n * ONE_UNIT;

/**
 * What a quantity, or records, come to under a price, before fraction and rounding. Raises `negative-amount`,
 * `invalid-decimal`, `amount-out-of-range`.
 */
export function rate(price: Price, rated: Rated): Rating {
  const values = ('records' in rated ? rated.records : [rated.quantity]).map((text) =>
    toTrillionths(parseDecimal(text)),
  );
  if (values.some((value) => value < 0n)) throw new DomainError('negative-amount');
  const total = values.reduce((sum, value) => sum + value, 0n);
  const quantity = decimal(total);
  switch (price.model) {
    case 'flat':
    case 'per-unit':
      return { quantity, unitPrice: price.unitPrice };
    case 'graduated':
      return { quantity, unitPrice: '0', parts: graduated(price.tiers, total) };
    case 'volume':
      return { quantity, unitPrice: '0', parts: volume(price.tiers, total) };
    case 'package': {
      const [size, free] = [trillionths(price.packageSize), trillionths(price.freeUnits ?? '0')];
      const packages = begun(total - free, size);
      const part = {
        tier: 0,
        per: 'package',
        quantity: decimal(packages * ONE_UNIT),
        unitPrice: price.packagePrice,
      } as const;
      return { quantity, unitPrice: '0', parts: [part] };
    }
    case 'percentage':
      return { quantity, unitPrice: '0', parts: percentage(price, values) };
    case 'graduated-percentage':
      return { quantity, unitPrice: '0', parts: graduatedPercentage(price.tiers, total) };
  }
}

/** Each unit in its own tier. */
function graduated(tiers: readonly Tier[], total: bigint): PricePart[] {
  return entered(tiers, total).flatMap(({ tier, ordinal, within }) => unitsOf(ordinal, within, tier));
}

function graduatedPercentage(tiers: readonly PercentageTier[], total: bigint): PricePart[] {
  return entered(tiers, total).flatMap(({ tier, ordinal, within }) =>
    partsOf(ordinal, 'amount', within, hundredth(tier.rate), tier.flatFee),
  );
}

/** All units in the one tier that the quantity lies in. */
function volume(tiers: readonly Tier[], total: bigint): PricePart[] {
  const ordinal = tiers.findIndex(({ upTo }) => upTo === null || total <= trillionths(upTo));
  const tier = tiers[ordinal];
  if (!tier) throw new Error('a price without an open tier');
  return unitsOf(ordinal, total, tier);
}

/** The tiers that a quantity enters, the first always, and how much lies within each. */
function entered<T extends { readonly upTo: string | null }>(tiers: readonly T[], total: bigint) {
  let previous = 0n;
  return tiers.flatMap((tier, ordinal) => {
    if (ordinal > 0 && total <= previous) return [];
    const upTo = tier.upTo === null ? total : trillionths(tier.upTo);
    const within = (total < upTo ? total : upTo) - previous;
    previous = upTo;
    return [{ tier, ordinal, within }];
  });
}

/** Free until the free count or the free amount is used up, whichever comes first; the free amount splits a record. */
function percentage(price: Extract<Price, { model: 'percentage' }>, values: readonly bigint[]): PricePart[] {
  const { freeRecords, freeAmount, recordFee = '0' } = price;
  const something = freeRecords !== undefined || freeAmount !== undefined;
  let countLeft = freeRecords ?? Infinity;
  let amountLeft = freeAmount === undefined ? null : trillionths(freeAmount);
  let [paid, records] = [0n, 0n];
  for (const value of values) {
    const free = !something || countLeft <= 0 ? 0n : amountLeft === null || value < amountLeft ? value : amountLeft;
    const whole = something && countLeft > 0 && free === value && (amountLeft === null || amountLeft > 0n);
    countLeft -= 1;
    if (amountLeft !== null) amountLeft -= free;
    if (!whole) [paid, records] = [paid + value - free, records + 1n];
  }
  const parts = partsOf(0, 'amount', paid, hundredth(price.rate), undefined);
  if (recordFee === '0') return parts;
  return [...parts, { tier: 0, per: 'record', quantity: records.toString(), unitPrice: recordFee }];
}

function unitsOf(ordinal: number, units: bigint, { unitPrice, packageSize, flatFee }: Tier): PricePart[] {
  if (packageSize === undefined) return partsOf(ordinal, 'unit', units, unitPrice, flatFee);
  return partsOf(ordinal, 'package', begun(units, trillionths(packageSize)) * ONE_UNIT, unitPrice, flatFee);
}

/** How many packages of a size some units begin, none below zero. Both in 10^-12, the answer whole. */
export function begun(units: bigint, size: bigint): bigint {
  return units <= 0n ? 0n : (units + size - 1n) / size;
}

function partsOf(
  tier: number,
  per: 'unit' | 'package' | 'amount',
  quantity: bigint,
  unitPrice: string,
  flatFee: string | undefined,
): PricePart[] {
  const part: PricePart = { tier, per, quantity: decimal(quantity), unitPrice };
  if (flatFee === undefined) return [part];
  return [part, { tier, per: 'flat-fee', quantity: '1', unitPrice: flatFee }];
}

/**
 * What a rating comes to over a fraction, in minor units: rounded once, or once for each tier. From the line alone, so that a
 * reader can do the same. (billing-model.md §2)
 */
export function amountOf(
  { quantity, unitPrice, parts }: Rating,
  fraction: Ratio,
  roundedPer: 'line' | 'tier' = 'line',
): bigint {
  const pieces = parts ?? [{ tier: 0, quantity, unitPrice }];
  const sums = new Map<number, bigint>();
  for (const piece of pieces) {
    const tier = roundedPer === 'tier' ? piece.tier : 0;
    sums.set(tier, (sums.get(tier) ?? 0n) + trillionths(piece.quantity) * trillionths(piece.unitPrice));
  }
  return [...sums.values()].reduce(
    (sum, exact) =>
      sum +
      roundHalfAwayFromZero({
        numerator: exact * fraction.numerator,
        denominator: ONE_UNIT * ONE_UNIT * fraction.denominator,
      }),
    0n,
  );
}

/**
 * What is missing to a component's (or a bill's) minimum, or above its maximum (then below zero), over a fraction of the
 * period: round(bound × fraction) − fees, or 0. Minor units.
 */
export function trueUp(
  bounds: { readonly minimum?: string; readonly maximum?: string },
  fraction: Ratio,
  fees: bigint,
): bigint {
  const bound = (text: string) => amountOf({ quantity: '1', unitPrice: text }, fraction);
  if (bounds.minimum !== undefined && fees < bound(bounds.minimum)) return bound(bounds.minimum) - fees;
  if (bounds.maximum !== undefined && fees > bound(bounds.maximum)) return bound(bounds.maximum) - fees;
  return 0n;
}

const trillionths = (text: string) => toTrillionths(parseDecimal(text));

/** The canonical text of a number of 10^-12. Raises `amount-out-of-range`. */
function decimal(trillion: bigint): string {
  if (trillion >= LIMIT) throw new DomainError('amount-out-of-range');
  return formatTrillionths(trillion);
}

function hundredth(text: string): string {
  return decimal(trillionths(text) / 100n);
}
