import type { Line, LinesBilled, SubscriptionEvent } from '@perennial/billing-domain';
import { rounded, UNIT, units } from './naive-price';

/*
 * What coupons take off a bill, worked out from nothing each time: what is left of every line that was ever billed, and of that one
 * coupon after the other takes its part.
 */

type Terms = Extract<SubscriptionEvent, { type: 'CouponApplied' }>['data']['coupon'];

interface Coupon {
  readonly terms: Terms;
  uses: number;
  left: bigint | undefined;
}

/** The period that was closed last, and how much of a line's net falls into it. */
export interface ClosedPeriod {
  readonly periodNumber: number;
  readonly share: (line: Line) => bigint;
}

const reductions: readonly Line['kind'][] = ['correction', 'discount', 'maximum'];
const isTrueUp = ({ rule }: Line) => rule.fees !== undefined;
const isOfDiscount = ({ rule }: Line) => rule.discount !== undefined;

export class NaiveDiscounts {
  private coupons: Coupon[] = [];
  /** Every line that was billed. */
  private readonly lines: Line[] = [];
  /** By number of the period: its minimums and maximums with their corrections, and what they take off which line. */
  private readonly trueUps = new Map<number, Line[]>();
  private readonly above = new Map<number, ReadonlyMap<string, bigint>>();

  apply(event: SubscriptionEvent): void {
    if (event.type === 'CouponApplied') {
      const { coupon } = event.data;
      const amount = amountOf(coupon);
      this.coupons.push({ terms: coupon, uses: 0, left: amount });
    } else if (event.type === 'CouponRemoved') {
      this.coupons = this.coupons.filter(({ terms }) => terms.couponId !== event.data.couponId);
    }
  }

  /** What is wrong with the discounts of a bill. `itemIds`: the items that ever had one of these component keys. */
  bill(
    { lines, cause, coupons = [], billNumber }: LinesBilled['data'],
    itemIds: (componentKeys: readonly string[]) => ReadonlySet<string>,
    closed: ClosedPeriod | undefined,
  ): string[] {
    const gross = lines.filter((line) => !isOfDiscount(line));
    const before = [...this.lines];
    this.lines.push(...lines);
    if (closed) this.maximums(closed, lines);
    if (this.coupons.length === 0 && before.every((line) => !isOfDiscount(line)) && !lines.some(isOfDiscount))
      return [];
    const left = leftOf([...before, ...gross], [...this.above.values()]);
    const back = corrections(before, left);
    const taken: string[] = [];
    const uses: string[] = [];
    for (const coupon of [...this.coupons]) {
      const { couponId, discount, componentKeys, periods } = coupon.terms;
      const items = componentKeys && itemIds(componentKeys);
      const eligible = gross.filter(
        ({ lineId, discountable, kind, itemId }) =>
          discountable &&
          !reductions.includes(kind) &&
          (left.get(lineId) ?? 0n) > 0n &&
          (items === undefined || (itemId !== undefined && items.has(itemId))),
      );
      const weights = eligible.map(({ lineId }) => left.get(lineId) ?? 0n);
      const basis = weights.reduce((a, b) => a + b, 0n);
      const asked =
        discount.kind === 'percentage' ? rounded(basis * units(discount.percent), 100n * UNIT) : (coupon.left ?? 0n);
      const amount = asked < basis ? asked : basis;
      if (amount <= 0n) continue;
      spread(amount, weights).forEach((share, i) => {
        const line = eligible[i];
        if (!line) return;
        left.set(line.lineId, (left.get(line.lineId) ?? 0n) - share);
        if (share > 0n) taken.push(`${couponId} −${share} of ${weights[i]} off ${line.lineId}`);
      });
      coupon.uses += cause === 'change' ? 0 : 1;
      if (coupon.left !== undefined) coupon.left -= amount;
      const usedUp = (periods !== undefined && coupon.uses >= periods) || coupon.left === 0n;
      uses.push(`${couponId} ${amount} ${coupon.uses} ${coupon.left} ${usedUp}`);
      if (usedUp) this.coupons = this.coupons.filter((each) => each !== coupon);
    }
    const discounts = lines.filter(({ kind }) => kind === 'discount');
    const isTaken = discounts.map(
      ({ rule, net, corrects }) =>
        `${rule.discount?.couponId} −${net.slice(1)} of ${rule.discount?.of} off ${corrects}`,
    );
    const isBack = lines
      .filter((line) => line.kind === 'correction' && isOfDiscount(line))
      // One that says what a maximum takes off its line may come to nothing.
      .filter(({ net, rule }) => net !== '0' || rule.credit?.aboveMaximum === undefined)
      .map(({ net, corrects }) => `${net} of ${corrects}`);
    const isUsed = coupons.map(
      (each) => `${each.couponId} ${each.taken} ${each.uses} ${each.left} ${each.usedUp === true}`,
    );
    return [
      ...differing(`bill ${billNumber} discounts`, isTaken, taken),
      ...differing(`bill ${billNumber} gives discounts back`, isBack, back),
      ...differing(`bill ${billNumber} uses coupons`, isUsed, uses),
    ];
  }

  /** The maximums of a period take nothing off what is billed for it once another period has ended. */
  private maximums({ periodNumber, share }: ClosedPeriod, made: readonly Line[]): void {
    const trueUps = [...(this.trueUps.get(periodNumber) ?? []), ...made.filter(isTrueUp)];
    this.trueUps.set(periodNumber, trueUps);
    if (trueUps.length > 0) this.above.set(periodNumber, aboveMaximums(this.lines, trueUps, share));
  }
}

function differing(what: string, is: readonly string[], wanted: readonly string[]): string[] {
  const [a, b] = [[...is].sort().join(', '), [...wanted].sort().join(', ')];
  return a === b ? [] : [`${what}: ${a}; should be ${b}`];
}

const amountOf = ({ discount }: Terms): bigint | undefined =>
  discount.kind === 'amount' ? BigInt(discount.amount) : undefined;

/** The corrections of discounts whose lines have become less: each re-rated to what is left of its line, the first one first. */
function corrections(before: readonly Line[], left: ReadonlyMap<string, bigint>): string[] {
  const discounts = before.filter(({ kind }) => kind === 'discount');
  return [...new Set(discounts.map(({ corrects = '' }) => corrects))].flatMap((id) => {
    const of = discounts.filter(({ corrects }) => corrects === id);
    const undiscounted = of.map(({ rule }) => BigInt(rule.discount?.of ?? '0')).reduce((a, b) => (a > b ? a : b));
    const now = left.get(id) ?? 0n;
    const kept = now < 0n ? 0n : now < undiscounted ? now : undiscounted;
    let rest = kept;
    return of.flatMap((discount) => {
      const soFar = before
        .filter(({ kind, corrects }) => kind === 'correction' && corrects === discount.lineId)
        .reduce((sum, { net }) => sum + BigInt(net), BigInt(discount.net));
      const share = rounded(-BigInt(discount.net) * kept, undiscounted);
      const taken = share < rest ? share : rest;
      rest -= taken;
      return -taken === soFar ? [] : [`${-taken - soFar} of ${discount.lineId}`];
    });
  });
}

/** What corrections leave of each charge, and the maximums of all periods. */
function leftOf(lines: readonly Line[], above: readonly ReadonlyMap<string, bigint>[]): Map<string, bigint> {
  const left = new Map<string, bigint>();
  for (const { lineId, kind, net } of lines) if (!reductions.includes(kind)) left.set(lineId, BigInt(net));
  const take = (id: string, amount: bigint) => {
    const before = left.get(id);
    if (before !== undefined) left.set(id, before - amount);
  };
  for (const { kind, corrects = '', net } of lines) if (kind === 'correction') take(corrects, -BigInt(net));
  for (const each of above) for (const [id, amount] of each) take(id, amount);
  return left;
}

/** What is above a maximum, off the fees that it was compared with: those of items first, and of lines that serve longer a share. */
function aboveMaximums(
  lines: readonly Line[],
  trueUps: readonly Line[],
  share: (line: Line) => bigint,
): Map<string, bigint> {
  const all = new Map<string, bigint>();
  const items = new Set(trueUps.flatMap(({ itemId }) => (itemId === undefined ? [] : [itemId])));
  for (const itemId of [...items, undefined]) {
    const above = trueUps.filter((line) => line.itemId === itemId).reduce((sum, { net }) => sum - BigInt(net), 0n);
    if (above <= 0n) continue;
    const fees = lines
      .filter(({ kind }) => kind === 'recurring' || kind === 'usage')
      .filter((line) => itemId === undefined || line.itemId === itemId)
      .sort((a, b) => (`${a.service.from} ${a.lineId}` < `${b.service.from} ${b.lineId}` ? -1 : 1))
      .map((line) => {
        const own = lines.filter(({ kind, corrects }) => kind === 'correction' && corrects === line.lineId);
        const net = [line, ...own].reduce((sum, each) => sum + share(each), 0n);
        return { id: line.lineId, net: net - (all.get(line.lineId) ?? 0n) };
      })
      .filter(({ net }) => net > 0n);
    const total = fees.reduce((sum, { net }) => sum + net, 0n);
    if (total === 0n) continue;
    const shares = spread(
      above < total ? above : total,
      fees.map(({ net }) => net),
    );
    fees.forEach(({ id }, i) => all.set(id, (all.get(id) ?? 0n) + (shares[i] ?? 0n)));
  }
  return all;
}

/** By largest remainder, ties to the earlier. */
function spread(amount: bigint, weights: readonly bigint[]): bigint[] {
  const total = weights.reduce((a, b) => a + b, 0n);
  const shares = weights.map((weight) => (amount * weight) / total);
  const remainders = weights.map((weight, i) => ({ i, rest: (amount * weight) % total }));
  remainders.sort((a, b) => (a.rest === b.rest ? a.i - b.i : a.rest > b.rest ? -1 : 1));
  let missing = amount - shares.reduce((a, b) => a + b, 0n);
  for (const { i } of remainders) {
    if (missing === 0n) break;
    shares[i] = (shares[i] ?? 0n) + 1n;
    missing -= 1n;
  }
  return shares;
}
