import { isTrueUp } from '../commitment/true-up';
import { parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { lineId } from '../ids';
import type { Line } from '../line';
import { allocateMoney, money, parseMinor } from '../money';
import { ratio, roundHalfAwayFromZero } from '../ratio';

/** A coupon as a bill applies it: a percentage of what is left, or an amount of which a rest may be left from bills before. */
export type Discount = {
  readonly couponId: string;
  readonly description: string;
  /** The items that it is limited to; absent: all. */
  readonly itemIds?: readonly string[];
} & (
  | { readonly kind: 'percentage'; readonly percent: string }
  /** Minor units that are not used yet. */
  | { readonly kind: 'amount'; readonly left: string }
);

/** What a coupon took off a bill, and off which lines: parts sum to the whole. Minor units, above zero. */
export interface Taken {
  readonly couponId: string;
  readonly amount: string;
  /** What was left of all its eligible lines. */
  readonly basis: string;
  /** `of`: what was left of the line. */
  readonly shares: readonly { readonly lineId: string; readonly of: string; readonly amount: string }[];
}

const reductions: readonly Line['kind'][] = ['correction', 'discount', 'maximum'];

/**
 * What coupons take off a bill's lines, in the order in which they were applied: each rounded once on what is left of its eligible
 * lines (discountable, above zero, of its items), never more than that, spread over them by largest remainder, ties to the
 * earlier line. `leftBefore`: what other lines leave of each. Raises `invalid-price` for a percentage outside 0 to 100.
 * (billing-model.md §5)
 */
export function discount(
  lines: readonly Line[],
  discounts: readonly Discount[],
  currency: string,
  leftBefore: ReadonlyMap<string, bigint> = leftOfLines(lines),
): Taken[] {
  const left = new Map(leftBefore);
  return discounts.flatMap((each) => {
    const eligible = lines.filter(
      ({ lineId: id, discountable, itemId, kind }) =>
        discountable &&
        !reductions.includes(kind) &&
        (left.get(id) ?? 0n) > 0n &&
        (each.itemIds === undefined || (itemId !== undefined && each.itemIds.includes(itemId))),
    );
    const weights = eligible.map(({ lineId: id }) => left.get(id) ?? 0n);
    const basis = weights.reduce((sum, weight) => sum + weight, 0n);
    const asked = each.kind === 'percentage' ? percentOf(basis, each.percent) : parseMinor(each.left);
    const amount = asked < basis ? asked : basis;
    if (amount <= 0n) return [];
    const parts = allocateMoney(money(amount, currency), weights);
    const shares = eligible.map(({ lineId: id }, i) => ({
      lineId: id,
      of: (weights[i] ?? 0n).toString(),
      amount: (parts[i]?.minor ?? 0n).toString(),
    }));
    for (const share of shares) left.set(share.lineId, BigInt(share.of) - BigInt(share.amount));
    return [{ couponId: each.couponId, amount: amount.toString(), basis: basis.toString(), shares }];
  });
}

/** The line of a bill that says what a coupon took: one for each line that it took something off, which it names. */
export function discountLines(
  subscriptionId: string,
  lines: readonly Line[],
  discounts: readonly Discount[],
  taken: readonly Taken[],
): Line[] {
  return taken.flatMap(({ couponId, amount, basis, shares }) => {
    const coupon = discounts.find((each) => each.couponId === couponId);
    return shares.flatMap((share): Line[] => {
      const line = lines.find((each) => each.lineId === share.lineId);
      if (!line || !coupon || share.amount === '0') return [];
      const { itemId, service, taxCode, taxBehaviour, change } = line;
      const asked = coupon.kind === 'percentage' ? { percent: coupon.percent } : { left: coupon.left };
      return [
        {
          lineId: lineId(subscriptionId, couponId, 'discount', service, line.lineId, change),
          kind: 'discount',
          ...(itemId !== undefined && { itemId }),
          description: coupon.description,
          service,
          quantity: '1',
          unitPrice: `-${share.amount}`,
          net: `-${share.amount}`,
          taxCode,
          taxBehaviour,
          discountable: false,
          corrects: line.lineId,
          change,
          rule: {
            name: coupon.kind,
            fraction: { numerator: '1', denominator: '1' },
            rounding: 'half-away-from-zero',
            discount: { couponId, ...asked, basis, taken: amount, of: share.of },
          },
          metadata: {},
        },
      ];
    });
  });
}

/** What maximums take off lines, by lineId, minor units: as it was billed, and with the bill that is being made. */
export interface AboveMaximums {
  readonly before: ReadonlyMap<string, bigint>;
  readonly now: ReadonlyMap<string, bigint>;
}

/**
 * The corrections of discounts whose lines become more or less by a bill: each discount is re-rated to what is left of its line, the
 * first applied first, so that a line never comes to less than nothing, and one that is taken back whole takes its discounts along.
 * What maximums took off the line is on its discounts, as those of former periods are not kept. `billed`: all lines that are known;
 * `made`: those of the bill; `above`: the maximums of the last period. (billing-model.md §5)
 */
export function discountCorrections(
  subscriptionId: string,
  billed: readonly Line[],
  made: readonly Line[],
  above: AboveMaximums,
): Line[] {
  const discounts = billed.filter(({ kind }) => kind === 'discount');
  if (discounts.length === 0) return [];
  const lines = [...billed, ...made];
  const corrections = correctionsByLine(lines);
  const madeNow = correctionsByLine(made);
  return [...new Set(discounts.map(({ corrects = '' }) => corrects))].flatMap((id) => {
    const taken = discounts.filter(({ corrects }) => corrects === id);
    // What was left of the line before the first coupon.
    const before = taken.map(({ rule }) => BigInt(rule.discount?.of ?? '0')).reduce((a, b) => (a > b ? a : b));
    const more = (above.now.get(id) ?? 0n) - (above.before.get(id) ?? 0n);
    const off = (madeNow.get(id) ?? []).reduce((sum, { net }) => sum + BigInt(net), 0n);
    const cause = madeNow.get(id)?.[0] ?? made.findLast(isTrueUp) ?? made.at(-1);
    if ((more === 0n && off === 0n) || before === 0n || !cause) return [];
    const aboveSoFar = taken
      .flatMap(({ lineId: of }) => corrections.get(of) ?? [])
      .reduce((sum, { rule }) => sum + BigInt(rule.credit?.aboveMaximum ?? '0'), 0n);
    const now = (corrections.get(id) ?? []).reduce((sum, { net }) => sum + BigInt(net), before - aboveSoFar - more);
    const kept = now < 0n ? 0n : now < before ? now : before;
    let rest = kept;
    return taken.flatMap((line, i): Line[] => {
      const netSoFar = (corrections.get(line.lineId) ?? []).reduce(
        (sum, { net }) => sum + BigInt(net),
        BigInt(line.net),
      );
      const share = -roundHalfAwayFromZero({ numerator: BigInt(line.net) * kept, denominator: before });
      const atMost = rest;
      const net = -(share < atMost ? share : atMost) - netSoFar;
      rest -= share < atMost ? share : atMost;
      // The first one says what maximums took off the line, also where no cent of it is a discount's.
      const says = i === 0 && more !== 0n;
      if (net === 0n && !says) return [];
      const { change, service } = cause;
      const fraction = ratio(kept, before);
      return [
        {
          ...line,
          lineId: lineId(subscriptionId, cause.lineId, 'correction', service, line.lineId, change),
          kind: 'correction',
          service,
          net: net.toString(),
          corrects: line.lineId,
          change,
          rule: {
            ...line.rule,
            fraction: { numerator: fraction.numerator.toString(), denominator: fraction.denominator.toString() },
            credit: {
              basis: 're-rate',
              netSoFar: netSoFar.toString(),
              ...(share > atMost && { atMost: atMost.toString() }),
              ...(says && { aboveMaximum: more.toString() }),
            },
          },
        },
      ];
    });
  });
}

/** What corrections and maximums leave of each line that can be discounted, minor units. */
export function leftOfLines(
  lines: readonly Line[],
  above: ReadonlyMap<string, bigint> = new Map(),
): Map<string, bigint> {
  const corrections = correctionsByLine(lines);
  const charges = lines.filter(({ kind }) => !reductions.includes(kind));
  return new Map(
    charges.map(({ lineId: id, net }) => [
      id,
      (corrections.get(id) ?? []).reduce((sum, each) => sum + BigInt(each.net), BigInt(net) - (above.get(id) ?? 0n)),
    ]),
  );
}

function correctionsByLine(lines: readonly Line[]): Map<string, Line[]> {
  const corrections = new Map<string, Line[]>();
  for (const line of lines) {
    if (line.kind !== 'correction' || line.corrects === undefined) continue;
    corrections.set(line.corrects, [...(corrections.get(line.corrects) ?? []), line]);
  }
  return corrections;
}

function percentOf(base: bigint, percent: string): bigint {
  const { units, scale } = parseDecimal(percent);
  const whole = 100n * 10n ** BigInt(scale);
  if (units < 0n || units > whole) throw new DomainError('invalid-price', 'a percentage is 0 to 100');
  return roundHalfAwayFromZero({ numerator: base * units, denominator: whole });
}
