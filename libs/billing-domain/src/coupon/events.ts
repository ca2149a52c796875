import type { CouponTerms } from '../subscription/events';

/** What a coupon gives: what a subscription keeps of it, with the amount in each currency in which it can be redeemed. */
export interface CouponOffer extends Omit<CouponTerms, 'discount'> {
  readonly discount:
    | Extract<CouponTerms['discount'], { kind: 'percentage' }>
    /** Minor units by currency. */
    | { readonly kind: 'amount'; readonly amounts: Readonly<Record<string, string>> };
}

export interface CouponCreated {
  readonly type: 'CouponCreated';
  readonly data: CouponOffer & {
    readonly effectiveAt: string;
    /** Subscriptions that may redeem it; absent: any number. */
    readonly maxRedemptions?: number;
    /** From this instant on nobody redeems it; what was redeemed goes on. */
    readonly expiresAt?: string;
    readonly externalId?: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
}

/** One redemption is kept for a subscription until it applies the coupon, or lets the time pass. */
export interface RedemptionReserved {
  readonly type: 'RedemptionReserved';
  readonly data: {
    readonly effectiveAt: string;
    readonly reservationId: string;
    readonly subscriptionId: string;
    /** Of the clock on the wall, as a lease, not of business time. */
    readonly reservedUntil: string;
  };
}

/** The subscription applied the coupon. */
export interface CouponRedeemed {
  readonly type: 'CouponRedeemed';
  readonly data: { readonly effectiveAt: string; readonly reservationId: string; readonly subscriptionId: string };
}

/** The subscription did not apply the coupon in time: the redemption is free again. */
export interface RedemptionReleased {
  readonly type: 'RedemptionReleased';
  readonly data: { readonly effectiveAt: string; readonly reservationId: string; readonly subscriptionId: string };
}

export interface CouponArchived {
  readonly type: 'CouponArchived';
  readonly data: { readonly effectiveAt: string };
}

export type CouponEvent = CouponCreated | RedemptionReserved | CouponRedeemed | RedemptionReleased | CouponArchived;
