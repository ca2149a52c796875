import { parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { lineId } from '../ids';
import type { Line } from '../line';
import { allocateMoney, money, parseMinor } from '../money';
import { roundHalfAwayFromZero } from '../ratio';

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
  readonly shares: readonly { readonly lineId: string; readonly amount: string }[];
}

/**
 * What coupons take off a bill's lines, in the order in which they were applied: each rounded once on what is left of its eligible
 * lines (discountable, above zero, of its items), never more than that, spread over them by largest remainder, ties to the
 * earlier line. Raises `invalid-price` for a percentage outside 0 to 100. (billing-model.md §5)
 */
export function discount(lines: readonly Line[], discounts: readonly Discount[], currency: string): Taken[] {
  const left = new Map(lines.map((line) => [line.lineId, BigInt(line.net)]));
  return discounts.flatMap((each) => {
    const eligible = lines.filter(
      ({ lineId: id, discountable, itemId, kind }) =>
        discountable &&
        kind !== 'correction' &&
        (left.get(id) ?? 0n) > 0n &&
        (each.itemIds === undefined || (itemId !== undefined && each.itemIds.includes(itemId))),
    );
    const weights = eligible.map(({ lineId: id }) => left.get(id) ?? 0n);
    const base = weights.reduce((sum, weight) => sum + weight, 0n);
    const asked = each.kind === 'percentage' ? percentOf(base, each.percent) : parseMinor(each.left);
    const amount = asked < base ? asked : base;
    if (amount <= 0n) return [];
    const shares = allocateMoney(money(amount, currency), weights).map(({ minor }, i) => ({
      lineId: eligible[i]?.lineId ?? '',
      amount: minor.toString(),
    }));
    for (const share of shares) left.set(share.lineId, (left.get(share.lineId) ?? 0n) - BigInt(share.amount));
    return [{ couponId: each.couponId, amount: amount.toString(), shares }];
  });
}

/** The line of a bill that says what a coupon took: one for each line that it took something off, which it names. */
export function discountLines(
  subscriptionId: string,
  lines: readonly Line[],
  discounts: readonly Discount[],
  taken: readonly Taken[],
): Line[] {
  return taken.flatMap(({ couponId, shares }) => {
    const coupon = discounts.find((each) => each.couponId === couponId);
    return shares.flatMap((share): Line[] => {
      const line = lines.find((each) => each.lineId === share.lineId);
      if (!line || !coupon || share.amount === '0') return [];
      const { itemId, service, taxCode, taxBehaviour, change } = line;
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
          },
          metadata: { couponId, ...(coupon.kind === 'percentage' && { percent: coupon.percent }) },
        },
      ];
    });
  });
}

/**
 * The share of a line's discounts that goes with a correction of it, minor units (above zero for a correction below zero): the
 * discount re-rated to what is left of the line, minus what was given back before. `net` and `netSoFar` are the line's as
 * billed and after all corrections, this one included; `discounted` what coupons took off it. (billing-model.md §5)
 */
export function discountShareOfCorrection({
  net,
  netSoFar,
  discounted,
  returnedSoFar,
}: {
  readonly net: bigint;
  readonly netSoFar: bigint;
  readonly discounted: bigint;
  readonly returnedSoFar: bigint;
}): bigint {
  if (net === 0n || discounted === 0n) return 0n;
  const kept = roundHalfAwayFromZero({ numerator: discounted * netSoFar, denominator: net });
  return discounted - kept - returnedSoFar;
}

function percentOf(base: bigint, percent: string): bigint {
  const { units, scale } = parseDecimal(percent);
  const whole = 100n * 10n ** BigInt(scale);
  if (units < 0n || units > whole) throw new DomainError('invalid-price', 'a percentage is 0 to 100');
  return roundHalfAwayFromZero({ numerator: base * units, denominator: whole });
}
