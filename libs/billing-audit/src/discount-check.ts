import type { Line, LinesBilled } from '@perennial/billing-domain';
import { type Difference, mismatch } from './difference';
import { whole } from './line-arithmetic';

/** What the events of a subscription say of a coupon on it. Minor units. */
export interface CouponFacts {
  readonly periods: number | undefined;
  uses: number;
  left: bigint | undefined;
}

type Bill = LinesBilled['data'];

/**
 * Checks what coupons took off a bill, from its lines alone: the percentage of what was left of the lines, or what was left of the
 * amount, spread by share, no more than each line had, and as often as the coupon lasts. Deliberately naive and not shared with
 * the domain. Changes `coupons`.
 */
export function checkDiscounts(
  subject: string,
  coupons: Map<string, CouponFacts>,
  bill: Bill,
  revision: bigint,
): readonly Difference[] {
  const found: Difference[] = [];
  const differ = (message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch('discount', subject, message, expected, actual, revision));
  const uses = new Map((bill.coupons ?? []).map((use) => [use.couponId, use]));
  const groups = new Map<string, Line[]>();
  for (const line of bill.lines) {
    if (line.kind !== 'discount') continue;
    const id = line.rule.discount?.couponId ?? '';
    groups.set(id, [...(groups.get(id) ?? []), line]);
  }
  for (const id of new Set([...groups.keys(), ...uses.keys()])) {
    const lines = groups.get(id) ?? [];
    const [use, coupon] = [uses.get(id), coupons.get(id)];
    const taken = lines.reduce((sum, line) => sum - (whole(line.net) ?? 0n), 0n);
    if (taken.toString() !== use?.taken)
      differ(`what coupon ${id} took is not the sum of its lines`, taken, use?.taken);
    for (const line of lines) if (!isShare(line, taken)) differ(`line ${line.lineId} is no share`, taken, line.net);
    if (!coupon || !use) {
      differ(`coupon ${id} does not act on the subscription`, 'applied', 'not applied');
      continue;
    }
    const expected = {
      uses: coupon.uses + (bill.cause === 'change' ? 0 : 1),
      left: coupon.left && coupon.left - taken,
    };
    if (use.uses !== expected.uses || use.left !== expected.left?.toString())
      differ(`coupon ${id} does not stand as it should`, expected, { uses: use.uses, left: use.left });
    if ((coupon.periods ?? use.uses) < use.uses || (expected.left ?? 0n) < 0n)
      differ(`coupon ${id} took more than it had`, coupon, use);
    [coupon.uses, coupon.left] = [use.uses, expected.left];
    if (use.usedUp) coupons.delete(id);
  }
  return found;
}

/** Whether a discount is what its rule says: the coupon's whole from the basis, and of that the line's part, rounded up or down. */
function isShare({ net, rule: { discount } }: Line, sum: bigint): boolean {
  if (!discount) return false;
  const [share, of, basis, taken] = [net, discount.of, discount.basis, discount.taken].map(
    (text) => whole(text) ?? -1n,
  );
  if (share === undefined || of === undefined || basis === undefined || taken === undefined) return false;
  const [units = '', digits = ''] = (discount.percent ?? '').split('.');
  const denominator = 100n * 10n ** BigInt(digits.length);
  const percent = BigInt(`${units}${digits}`) * basis;
  const left = discount.left === undefined ? undefined : (whole(discount.left) ?? 0n);
  const asked = left ?? (2n * percent + denominator) / (2n * denominator);
  const exact = taken * of;
  const near = -share * basis - exact;
  return taken === sum && taken === (asked < basis ? asked : basis) && near < basis && near > -basis && -share <= of;
}
