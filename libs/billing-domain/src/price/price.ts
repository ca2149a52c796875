import { formatDecimal, parseDecimal, type Decimal } from '../decimal';
import { DomainError } from '../domain-error';

/**
 * How a component is priced: data, as a plan stores it and a subscription keeps it. Amounts and unit prices are decimals of the
 * minor unit, with up to 12 digits after the point (0.0004 USD is "0.04").
 *
 * flat and per-unit: quantity × unitPrice (a flat fee has quantity 1, a seat price the number of seats, usage the units).
 * graduated: each unit at the price of its own tier. volume: all units at the price of the tier that the quantity lies in. A tier
 * with a packageSize counts what lies in it (or, by volume, all units) in packages begun, each for unitPrice.
 * package: ⌈(quantity − freeUnits) / packageSize⌉ × packagePrice.
 * percentage, graduated-percentage: of amounts, the records' values, which are decimals of the minor unit.
 */
export type Price = (
  | { readonly model: 'flat' | 'per-unit'; readonly unitPrice: string }
  | { readonly model: 'graduated' | 'volume'; readonly tiers: readonly Tier[] }
  | {
      readonly model: 'package';
      readonly packageSize: string;
      readonly packagePrice: string;
      /** Default "0". */
      readonly freeUnits?: string;
    }
  | {
      readonly model: 'percentage';
      /** Percent: "1.3". */
      readonly rate: string;
      /** For each record that is not free; default "0". */
      readonly recordFee?: string;
      /** Records in order of time are free until one of these is used up, whichever comes first; a record is split. */
      readonly freeRecords?: number;
      readonly freeAmount?: string;
    }
  | { readonly model: 'graduated-percentage'; readonly tiers: readonly PercentageTier[] }
) & {
  /** What the component comes to at least or at most in one whole period: trued up by lines of their own. */
  readonly minimum?: string;
  readonly maximum?: string;
};

/** Holds (upTo of the tier before, upTo]; the last is open. (billing-model.md §5) */
export interface Tier {
  readonly upTo: string | null;
  /** Of a unit, or of a package begun where there is a packageSize: Kill Bill's tiered blocks. */
  readonly unitPrice: string;
  readonly packageSize?: string;
  /** Due once when the tier is entered; the first is always entered. */
  readonly flatFee?: string;
}

/** A tier of amounts: upTo in minor units, the rate in percent. */
export interface PercentageTier {
  readonly upTo: string | null;
  readonly rate: string;
  readonly flatFee?: string;
}

/** A plan stays readable, and the line of a tiered price short enough for its bill. */
export const MAX_TIERS = 20;

/**
 * The price, if it gives every quantity that is not negative exactly one amount, with its decimals in canonical form. Raises
 * `invalid-price`, `invalid-decimal`, `negative-amount`.
 */
export function price(input: Price): Price {
  const [minimum, maximum] = [optional(input.minimum), optional(input.maximum)];
  if (minimum !== undefined && maximum !== undefined && compare(minimum, maximum) > 0) {
    throw new DomainError('invalid-price', 'the minimum is above the maximum');
  }
  const bounds = { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) };
  return { ...model(input), ...bounds };
}

function model(input: Price): Price {
  switch (input.model) {
    case 'flat':
    case 'per-unit':
      return { model: input.model, unitPrice: amount(input.unitPrice) };
    case 'graduated':
    case 'volume': {
      const tiers = tiersOf(input.tiers, ({ unitPrice, packageSize }) => ({
        unitPrice: amount(unitPrice),
        ...(packageSize !== undefined && { packageSize: sizeOf(packageSize) }),
      }));
      return { model: input.model, tiers };
    }
    case 'package': {
      const free = optional(input.freeUnits);
      return {
        model: 'package',
        packageSize: sizeOf(input.packageSize),
        packagePrice: amount(input.packagePrice),
        ...(free !== undefined && { freeUnits: free }),
      };
    }
    case 'percentage': {
      const [fee, freeAmount] = [optional(input.recordFee), optional(input.freeAmount)];
      const { freeRecords } = input;
      if (freeRecords !== undefined && (!Number.isSafeInteger(freeRecords) || freeRecords < 0)) {
        throw new DomainError('invalid-price', 'free records are a count');
      }
      return {
        model: 'percentage',
        rate: percent(input.rate),
        ...(fee !== undefined && { recordFee: fee }),
        ...(freeRecords !== undefined && { freeRecords }),
        ...(freeAmount !== undefined && { freeAmount }),
      };
    }
    case 'graduated-percentage':
      return { model: 'graduated-percentage', tiers: tiersOf(input.tiers, ({ rate }) => ({ rate: percent(rate) })) };
    default:
      throw new DomainError('invalid-price', `no price model ${JSON.stringify((input as { model: string }).model)}`);
  }
}

/** Tiers that cover every decimal from 0 on exactly once: bounds above 0 and rising, the last without one. */
function tiersOf<T extends { readonly upTo: string | null; readonly flatFee?: string }, Priced>(
  tiers: readonly T[],
  priced: (tier: T) => Priced,
): (Priced & { upTo: string | null; flatFee?: string })[] {
  if (tiers.length < 1 || tiers.length > MAX_TIERS) {
    throw new DomainError('invalid-price', `a tiered price has 1 to ${MAX_TIERS} tiers`);
  }
  let previous = '0';
  return tiers.map((tier, index) => {
    const open = index === tiers.length - 1;
    if (open !== (tier.upTo === null)) {
      throw new DomainError('invalid-price', 'the last tier, and only that, is without an upper bound');
    }
    const upTo = tier.upTo === null ? null : amount(tier.upTo);
    if (upTo !== null && compare(upTo, previous) <= 0) {
      throw new DomainError('invalid-price', 'the upper bounds of tiers rise from above 0');
    }
    previous = upTo ?? previous;
    const flatFee = optional(tier.flatFee);
    return { upTo, ...priced(tier), ...(flatFee !== undefined && { flatFee }) };
  });
}

function sizeOf(packageSize: string): string {
  const size = amount(packageSize);
  if (size === '0') throw new DomainError('invalid-price', 'a package holds something');
  return size;
}

function compare(a: string, b: string): number {
  const [x, y] = [toTrillionths(parseDecimal(a)), toTrillionths(parseDecimal(b))];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** A decimal as a whole number of 10^-12, so that two can be compared and added. */
export function toTrillionths({ units, scale }: Decimal): bigint {
  return units * 10n ** BigInt(12 - scale);
}

function amount(text: string): string {
  const value = parseDecimal(text);
  if (value.units < 0n) throw new DomainError('negative-amount');
  return formatDecimal(value);
}

/** A rate in percent has at most 10 digits after the point, so that a hundredth of it is still a decimal. */
function percent(text: string): string {
  const value = parseDecimal(text);
  if (value.units < 0n) throw new DomainError('negative-amount');
  if (value.scale > 10) throw new DomainError('invalid-price', 'a rate has at most 10 digits after the point');
  return formatDecimal(value);
}

const optional = (text: string | undefined) => (text === undefined ? undefined : amount(text));
