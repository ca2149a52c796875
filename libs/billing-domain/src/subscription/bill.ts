import type { BillingRules } from '../billing-rules';
import { aboveMaximums, isTrueUp, trueUpLine, type Bound, type Commitment, type Numbered } from '../commitment/true-up';
import { discount, discountCorrections, discountLines, leftOfLines, type Discount } from '../coupon/discount';
import type { Line } from '../line';
import { lengthOf, type Span } from '../proration';
import { ratio } from '../ratio';
import { encodedBytes } from '../text';
import type { CouponUse, LinesBilled } from './events';
import { serviceOf } from './moments';
import { stretchesOf, type Stop } from './outstanding';
import type { AppliedCoupon, StartedSubscription } from './state';

/*
 * The last stage of making a bill: what is charged gets the lines that a minimum or maximum asks for, then those that coupons take
 * off; what was discounted and is corrected gives its share of the discount back. Each line follows from the lines of its service
 * period, billed or about to be: decided again, there is none. (billing-model.md §5)
 */

type Cause = LinesBilled['data']['cause'];

/** What the line of a discount has besides its texts. */
const DISCOUNT_BYTES = 800;

/** The bill of what is charged, with its true-ups and discounts; none when nothing is. `stop`: the subscription stops with it. */
export function bill(
  subscription: StartedSubscription,
  cause: Exclude<Cause, 'rebill'>,
  periodNumber: number,
  effectiveAt: string,
  charged: readonly Line[],
  stop?: Stop,
): LinesBilled[] {
  const closed = toTrueUp(subscription, stop);
  const gross = [...charged, ...(closed ? trueUps(subscription, charged, closed) : [])];
  const known = subscription.billed.map(({ line }) => line);
  if (subscription.coupons.length === 0 && known.every(({ kind }) => kind !== 'discount')) {
    return linesBilled(subscription, cause, periodNumber, effectiveAt, gross);
  }
  const above = {
    before: closed ? aboveMaximums(known, closed) : new Map<string, bigint>(),
    now: closed ? aboveMaximums([...known, ...gross], closed) : new Map<string, bigint>(),
  };
  const corrections = discountCorrections(subscription.subscriptionId, known, gross, above);
  const left = leftOfLines([...known, ...gross], above.now);
  const { lines, coupons } = discounted(subscription, cause, left, gross);
  return linesBilled(subscription, cause, periodNumber, effectiveAt, [...gross, ...corrections, ...lines], coupons);
}

/** The one event by which lines leave the subscription; none for no lines. */
export function linesBilled(
  subscription: StartedSubscription,
  cause: Cause,
  periodNumber: number,
  effectiveAt: string,
  lines: readonly Line[],
  coupons: readonly CouponUse[] = [],
): LinesBilled[] {
  if (lines.length === 0) return [];
  const { subscriptionId, customerId, timeZone, paymentTermsDays, autoFinalise } = subscription;
  const net = lines.reduce((sum, line) => sum + BigInt(line.net), 0n).toString();
  const data = {
    effectiveAt,
    subscriptionId,
    billNumber: subscription.billNumber + 1,
    periodNumber,
    cause,
    customerId,
    timeZone,
    paymentTermsDays,
    ...(autoFinalise === false && { autoFinalise }),
    currency: subscription.currency,
    lines,
    net,
    ...(coupons.length > 0 && { coupons }),
  };
  return [{ type: 'LinesBilled', data }];
}

/** Bytes of the lines that the coupons of a subscription may take off lines of a bill. */
export function discountBytes(
  { coupons, terms }: StartedSubscription,
  lines: readonly Pick<Line, 'itemId' | 'taxCode' | 'discountable'>[],
): number {
  return coupons.reduce((sum, coupon) => {
    const itemIds = itemsOf(coupon, terms);
    const texts = encodedBytes(coupon.description);
    return lines
      .filter(
        ({ itemId, discountable }) => discountable && (!itemIds || (itemId !== undefined && itemIds.includes(itemId))),
      )
      .reduce((bytes, { itemId, taxCode }) => bytes + DISCOUNT_BYTES + texts + encodedBytes([itemId, taxCode]), sum);
  }, 0);
}

/** What coupons take off the lines of a bill, and how they stand after it. Bills within a period do not count as uses. */
function discounted(
  { coupons, currency, subscriptionId, terms }: StartedSubscription,
  cause: Cause,
  leftOf: ReadonlyMap<string, bigint>,
  lines: readonly Line[],
): { lines: Line[]; coupons: CouponUse[] } {
  if (coupons.length === 0) return { lines: [], coupons: [] };
  const discounts = coupons.map((coupon): Discount => {
    const { couponId, description, discount: asked, left = '0' } = coupon;
    const itemIds = itemsOf(coupon, terms);
    const limited = { couponId, description, ...(itemIds && { itemIds }) };
    return asked.kind === 'amount'
      ? { ...limited, kind: 'amount', left }
      : { ...limited, kind: 'percentage', percent: asked.percent };
  });
  const taken = discount(lines, discounts, currency, leftOf);
  const uses = taken.flatMap(({ couponId, amount }): CouponUse[] => {
    const coupon = coupons.find((each) => each.couponId === couponId);
    if (!coupon) return [];
    const { periods, left: before } = coupon;
    const after = coupon.uses + (cause === 'change' ? 0 : 1);
    const left = before === undefined ? undefined : (BigInt(before) - BigInt(amount)).toString();
    const usedUp = (periods !== undefined && after >= periods) || left === '0';
    return [
      { couponId, taken: amount, uses: after, ...(left !== undefined && { left }), ...(usedUp && { usedUp: true }) },
    ];
  });
  return { lines: discountLines(subscriptionId, lines, discounts, taken), coupons: uses };
}

/** The items with the component keys that a coupon is limited to; undefined: it is not. */
function itemsOf({ componentKeys }: AppliedCoupon, terms: StartedSubscription['terms']): string[] | undefined {
  if (!componentKeys) return undefined;
  const items = terms.flatMap((each) => each.items).filter(({ componentKey }) => componentKeys.includes(componentKey));
  return items.map(({ itemId }) => itemId);
}

/** The last closed period, in pieces under their terms. */
interface Closed {
  readonly pieces: readonly (Span & { readonly terms: StartedSubscription['terms'][number]; readonly whole: Span })[];
  readonly period: Span & Numbered;
  readonly service: Line['service'];
}

/** The period whose minimums and maximums a bill sees to; none where it was a trial, or while what it comes to is not known. */
function toTrueUp(subscription: StartedSubscription, stop: Stop | undefined): Closed | undefined {
  const { awaitsUsage, lastClosed } = subscription;
  // What the period comes to is known with its usage.
  if (awaitsUsage) return undefined;
  const pieces = stretchesOf(subscription, stop).flatMap(({ from, to, terms, period }) =>
    period && !period.open && to && typeof terms !== 'string' ? [{ from, to, terms, whole: period.whole }] : [],
  );
  const [first, last] = [pieces[0], pieces.at(-1)];
  if (!first || !last || !lastClosed) return undefined;
  const period = { from: first.from, to: last.to, periodNumber: lastClosed.periodNumber };
  return { pieces, period, service: serviceOf(subscription, period) };
}

/** What brings the last closed period to its minimums and maximums: first those of single items, then those over all. */
function trueUps(
  { subscriptionId, rules, billed }: StartedSubscription,
  charged: readonly Line[],
  { pieces, period, service }: Closed,
): Line[] {
  const last = pieces.at(-1);
  if (!last) return [];
  const known = [...billed.map(({ line }) => line), ...charged];
  const trued = known.filter((line) => isTrueUp(line) && line.service.from >= service.from);
  const waived = new Set(billed.flatMap(({ line, waived: isWaived }) => (isWaived ? [line.lineId] : [])));
  const made: Line[] = [];
  const items = pieces.flatMap(({ terms }) => terms.items);
  for (const itemId of new Set([...items, ...trued, {}].map((each: { itemId?: string }) => each.itemId))) {
    const bounds = pieces.flatMap(({ from, to, terms }): Bounds[] => {
      const of =
        itemId === undefined ? (terms.conditions ?? {}) : terms.items.find((each) => each.itemId === itemId)?.price;
      return of ? [{ from, to, minimum: of.minimum, maximum: of.maximum }] : [];
    });
    const asked = bounds.some(({ minimum, maximum }) => minimum !== undefined || maximum !== undefined);
    if (!asked && trued.every((line) => line.itemId !== itemId)) continue;
    const item = items.findLast((each) => each.itemId === itemId);
    const [minimum, maximum] = [minimumOver(bounds, last.whole, rules), maximumOver(bounds, last.whole, rules)];
    const commitment: Commitment = {
      ...(itemId !== undefined && { itemId }),
      ...(item && { description: item.description }),
      ...(minimum && { minimum }),
      ...(maximum && { maximum }),
      taxCode: item?.taxCode ?? null,
      taxBehaviour: item?.taxBehaviour ?? 'unspecified',
      discountable: last.terms.conditions?.discountableTrueUps ?? false,
    };
    const line = trueUpLine(subscriptionId, commitment, [...known, ...made], {
      period,
      service,
      change: last.terms.change,
      rules,
      waived,
    });
    if (line) made.push(line);
  }
  return made;
}

/** The bounds in force in one piece of a period. */
interface Bounds extends Span {
  readonly minimum: string | undefined;
  readonly maximum: string | undefined;
}

/** Nothing is asked for by a piece without a minimum. */
function minimumOver(bounds: readonly Bounds[], whole: Span, rules: BillingRules): Bound | undefined {
  return boundOver(
    bounds.flatMap(({ from, to, minimum: bound }) => (bound === undefined ? [] : [{ from, to, bound }])),
    whole,
    rules,
  );
}

/** A piece without a maximum may come to any amount, and with it the period. */
function maximumOver(bounds: readonly Bounds[], whole: Span, rules: BillingRules): Bound | undefined {
  const pieces = bounds.flatMap(({ from, to, maximum: bound }) => (bound === undefined ? [] : [{ from, to, bound }]));
  return pieces.length < bounds.length ? undefined : boundOver(pieces, whole, rules);
}

/** A bound over the part of the period that there was; of one that changed within it, each for its time. */
function boundOver(
  pieces: readonly (Span & { readonly bound: string })[],
  whole: Span,
  rules: BillingRules,
): Bound | undefined {
  const [first] = pieces;
  if (!first) return undefined;
  const lengths = pieces.map((piece) => lengthOf(piece, rules));
  const divisor = Math.max(lengthOf(whole, rules), 1);
  const length = Math.min(
    lengths.reduce((sum, each) => sum + each, 0),
    divisor,
  );
  if (pieces.every(({ bound }) => bound === first.bound)) {
    return { rating: { quantity: '1', unitPrice: first.bound }, fraction: ratio(length, divisor) };
  }
  const parts = pieces.map(({ bound }, tier) => {
    return { tier, per: 'unit', quantity: `${lengths[tier]}`, unitPrice: bound } as const;
  });
  return { rating: { quantity: '1', unitPrice: '0', parts }, fraction: ratio(1, divisor) };
}
