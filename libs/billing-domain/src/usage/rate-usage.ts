import { formatTrillionths, parseDecimal } from '../decimal';
import { toTrillionths, type Price, type Tier } from '../price/price';
import { begun, type PricePart, type Rating } from '../price/rate';

/** What one run of a component's usage comes to: a part of a period that is charged on the same terms. Quantities in 10^-12. */
export interface UsageRun {
  readonly quantity: bigint;
  /** The component's quantity in the runs before it, where its tiers go on. */
  readonly before: bigint;
  /** The component's quantity in all runs of the period, as a volume price looks at it. */
  readonly total: bigint;
  /** Nothing of the component's period comes before it: the first tier is entered. */
  readonly isFirst: boolean;
  readonly records: number;
  /** Values of the first records of the period that lie in this run, in order of time. */
  readonly first: readonly string[];
  /** Records and free amount that the runs before have used. */
  readonly usedRecords: number;
  readonly usedAmount: bigint;
}

const ONE_UNIT = 10n ** 12n;

/** The rating of a run, and how much of a percentage's amount it left free. A run that is alone is rated as `rate` does. */
export function rateRun(price: Price, run: UsageRun): { readonly rating: Rating; readonly free: bigint } {
  const { before, total, isFirst } = run;
  const after = before + run.quantity;
  const quantity = formatTrillionths(run.quantity);
  const rated = (parts: readonly PricePart[], free = 0n) => ({ rating: { quantity, unitPrice: '0', parts }, free });
  switch (price.model) {
    case 'flat':
    case 'per-unit':
      return { rating: { quantity, unitPrice: price.unitPrice }, free: 0n };
    case 'graduated':
      return rated(
        tiersIn(price.tiers, before, after, isFirst).flatMap(({ tier, ordinal, from, to, entered }) =>
          unitsOf(ordinal, from, to, tier, entered),
        ),
      );
    case 'graduated-percentage':
      return rated(
        tiersIn(price.tiers, before, after, isFirst).flatMap(({ tier, ordinal, from, to, entered }) =>
          pieces(ordinal, 'amount', to - from, hundredth(tier.rate), entered ? tier.flatFee : undefined),
        ),
      );
    case 'volume': {
      const ordinal = price.tiers.findIndex(({ upTo }) => upTo === null || total <= trillionths(upTo));
      const tier = price.tiers[ordinal];
      if (!tier) throw new Error('a price without an open tier');
      const lower = ordinal === 0 ? 0n : trillionths(price.tiers[ordinal - 1]?.upTo ?? '0');
      const entered = ordinal === 0 ? isFirst : before <= lower && lower < after;
      return rated(unitsOf(ordinal, before, after, tier, entered));
    }
    case 'package': {
      const packages = packagesOf(price, after) - packagesOf(price, before);
      const { packagePrice: unitPrice } = price;
      return rated([{ tier: 0, per: 'package', quantity: formatTrillionths(packages * ONE_UNIT), unitPrice }]);
    }
    case 'percentage':
      return percentage(price, run, rated);
  }
}

/** The tiers that lie in (before, after], the first where nothing came before, and from where to where in each, counted from its beginning. */
function tiersIn<T extends { readonly upTo: string | null }>(
  tiers: readonly T[],
  before: bigint,
  after: bigint,
  isFirst: boolean,
) {
  let lower = 0n;
  return tiers.flatMap((tier, ordinal) => {
    const begins = lower;
    const upTo = tier.upTo === null ? greatest(after, begins) : trillionths(tier.upTo);
    lower = upTo;
    const from = greatest(before, begins) - begins;
    const to = greatest(least(after, upTo) - begins, from);
    const entered = ordinal === 0 ? isFirst : before <= begins && begins < after;
    return to > from || entered ? [{ tier, ordinal, from, to, entered }] : [];
  });
}

function packagesOf(price: Extract<Price, { model: 'package' }>, quantity: bigint): bigint {
  const [size, free] = [trillionths(price.packageSize), trillionths(price.freeUnits ?? '0')];
  return begun(quantity - free, size);
}

/** Free until the free count or the free amount is used up, whichever comes first; the free amount splits a record. */
function percentage(
  { rate: percent, recordFee, freeRecords, freeAmount }: Extract<Price, { model: 'percentage' }>,
  run: UsageRun,
  rated: (parts: readonly PricePart[], free: bigint) => { readonly rating: Rating; readonly free: bigint },
) {
  let amountLeft = freeAmount === undefined ? null : greatest(trillionths(freeAmount) - run.usedAmount, 0n);
  let [free, whole] = [0n, 0];
  if (freeRecords !== undefined) {
    const countLeft = Math.max(freeRecords - run.usedRecords, 0);
    for (const text of run.first.slice(0, countLeft)) {
      const value = greatest(trillionths(text), 0n);
      const part = amountLeft === null ? value : least(value, amountLeft);
      if (part === value && (amountLeft === null || amountLeft > 0n)) whole += 1;
      if (amountLeft !== null) amountLeft -= part;
      free += part;
    }
  } else if (amountLeft !== null) {
    free = least(amountLeft, run.quantity);
  }
  const parts = pieces(0, 'amount', greatest(run.quantity - free, 0n), hundredth(percent), undefined);
  if (recordFee === undefined || recordFee === '0') return rated(parts, free);
  return rated([...parts, { tier: 0, per: 'record', quantity: `${run.records - whole}`, unitPrice: recordFee }], free);
}

/** The units from one quantity to another; of packages those that are begun on the way. */
function unitsOf(
  ordinal: number,
  from: bigint,
  to: bigint,
  { unitPrice, packageSize, flatFee }: Tier,
  entered: boolean,
): PricePart[] {
  const fee = entered ? flatFee : undefined;
  if (packageSize === undefined) return pieces(ordinal, 'unit', to - from, unitPrice, fee);
  const size = trillionths(packageSize);
  return pieces(ordinal, 'package', (begun(to, size) - begun(from, size)) * ONE_UNIT, unitPrice, fee);
}

function pieces(
  tier: number,
  per: 'unit' | 'package' | 'amount',
  quantity: bigint,
  unitPrice: string,
  flatFee: string | undefined,
): PricePart[] {
  const part: PricePart = { tier, per, quantity: formatTrillionths(quantity), unitPrice };
  if (flatFee === undefined) return [part];
  return [part, { tier, per: 'flat-fee', quantity: '1', unitPrice: flatFee }];
}

const trillionths = (text: string) => toTrillionths(parseDecimal(text));
const hundredth = (text: string) => formatTrillionths(trillionths(text) / 100n);
const least = (a: bigint, b: bigint) => (a < b ? a : b);
const greatest = (a: bigint, b: bigint) => (a > b ? a : b);
