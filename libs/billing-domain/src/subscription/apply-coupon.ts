import { laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import { living } from './boundary';
import type { CouponOffer } from '../coupon/events';
import type { CouponTerms, SubscriptionEvent } from './events';
import { currencyAfter } from './items-changed';
import { roomFor, roomToBegin } from './room';
import { evolve, type StartedSubscription, type Subscription } from './state';

/** Coupons that act on a subscription at one time: a bill stays readable, and has room for a line of each off each line. */
export const MAX_COUPONS = 5;

export interface ApplyCoupon {
  /** Of the redemption that the coupon keeps for this. */
  readonly reservationId: string;
  readonly coupon: CouponOffer;
}

/**
 * Lets a coupon act on the bills from the next one on, after those that were applied before. Nothing when this redemption was
 * applied already. Raises `coupon-already-applied`, `coupon-currency-mismatch`, `currency-in-use`, `too-many-coupons`, `billing-period-full`,
 * `boundary-due`, `subscription-canceled`.
 */
export function applyCoupon(state: Subscription, input: ApplyCoupon, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  const applied = applying(subscription, input, laterInstant(now, startOf(subscription) ?? now));
  const after = applied.reduce<StartedSubscription>(evolve, subscription);
  if (applied.length === 0) return [];
  if (after.status === 'scheduled') roomToBegin(after);
  else roomFor(after, 0);
  return applied;
}

/** As applyCoupon, where there is no bill yet: of a subscription that starts. */
export function applying(
  { coupons, currency, scheduledEdits }: StartedSubscription,
  { reservationId, coupon }: ApplyCoupon,
  effectiveAt: string,
): SubscriptionEvent[] {
  const { couponId, code } = coupon;
  const known = coupons.find((each) => each.couponId === couponId);
  if (known?.reservationId === reservationId) return [];
  if (known) throw new DomainError('coupon-already-applied', undefined, { code });
  if (coupons.length >= MAX_COUPONS) throw new DomainError('too-many-coupons', `at most ${MAX_COUPONS} coupons`);
  if (coupon.discount.kind === 'amount' && currencyAfter(scheduledEdits) !== undefined) {
    throw new DomainError('currency-in-use', undefined, { code });
  }
  const kept = { ...coupon, discount: discountIn(currency, coupon) };
  return [{ type: 'CouponApplied', data: { effectiveAt, reservationId, coupon: kept } }];
}

function discountIn(currency: string, { code, discount }: CouponOffer): CouponTerms['discount'] {
  if (discount.kind === 'percentage') return discount;
  const amount = discount.amounts[currency];
  if (amount === undefined) throw new DomainError('coupon-currency-mismatch', undefined, { code });
  return { kind: 'amount', amount, currency };
}

/**
 * Takes a coupon off the bills to come; what it took stays taken, and its redemption used. Nothing when it does not act on the
 * subscription. Raises `boundary-due`, `subscription-canceled`.
 */
export function removeCoupon(state: Subscription, couponId: string, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.coupons.every((each) => each.couponId !== couponId)) return [];
  const effectiveAt = laterInstant(now, startOf(subscription) ?? now);
  return [{ type: 'CouponRemoved', data: { effectiveAt, couponId } }];
}

const startOf = ({ openPeriod, lastClosed }: StartedSubscription) => openPeriod?.startsAt ?? lastClosed?.endsAt;
