import type { CouponApplied } from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { RedeemCoupon } from '../commands/redeem-coupon';
import { policyRequest } from './policy-request';

const NAME = 'redeemAppliedCoupon';

/** A coupon that a subscription applied counts the redemption that it kept for it. */
export const redeemAppliedCoupon: Policy<RedeemCoupon> = {
  name: NAME,
  handles: ['CouponApplied'],
  react(stored) {
    const { reservationId, coupon } = (stored.event as CouponApplied).data;
    const redemption = { couponId: coupon.couponId, reservationId, subscriptionId: stored.aggregateId };
    return [new RedeemCoupon(redemption, policyRequest(NAME, stored, {}))];
  },
};
