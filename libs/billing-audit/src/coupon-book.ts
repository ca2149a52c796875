import type { CouponApplied, CouponEvent } from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import { type Difference, mismatch } from './difference';

/** Where a subscription applied a coupon whose count does not have it yet. */
export interface UncountedRedemption {
  readonly couponId: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
}

/** What the log says of coupons. About 200 bytes for each coupon, and for each redemption that is neither counted nor free again. */
export interface CouponBook {
  /** Reservation id → where it was applied; undefined: reserved only. */
  readonly standing: Map<string, UncountedRedemption | undefined>;
  /** Coupon id → its redemptions and how many it may have. */
  readonly coupons: Map<string, { readonly most: number; redeemed: number }>;
}

export function openCouponBook(): CouponBook {
  return { standing: new Map(), coupons: new Map() };
}

/** Enters an event: each redemption is reserved, then applied by a subscription, then counted once; or free again. Changes `book`. */
export function enterCoupons(
  { standing, coupons }: CouponBook,
  { event, stream, revision, position }: StoredEvent,
): readonly Difference[] {
  const { type, data } = event as CouponEvent | CouponApplied;
  const differ = (message: string, expected: unknown, found: unknown) => [
    mismatch('coupon-redemption', stream, message, expected, found, revision),
  ];
  switch (type) {
    case 'CouponCreated':
      coupons.set(data.couponId, { most: data.maxRedemptions ?? Infinity, redeemed: 0 });
      return [];
    case 'RedemptionReserved':
      standing.set(data.reservationId, undefined);
      return [];
    case 'CouponApplied': {
      const { reservationId, coupon } = data;
      const reserved = standing.has(reservationId) && standing.get(reservationId) === undefined;
      standing.set(reservationId, { couponId: coupon.couponId, stream, revision, position });
      return reserved
        ? []
        : differ('a coupon is applied with a redemption that is not reserved', reservationId, 'none');
    }
    case 'CouponRedeemed': {
      const applied = standing.get(data.reservationId);
      standing.delete(data.reservationId);
      if (!applied) return differ('a redemption is counted that nobody applied', data.reservationId, 'none');
      const coupon = coupons.get(applied.couponId);
      if (!coupon) return [];
      coupon.redeemed += 1;
      return coupon.redeemed <= coupon.most
        ? []
        : differ('it is redeemed more often than it may be', coupon.most, coupon.redeemed);
    }
    case 'RedemptionReleased': {
      const applied = standing.get(data.reservationId);
      standing.delete(data.reservationId);
      return applied ? differ('a redemption is freed that was applied', applied.stream, data.reservationId) : [];
    }
    case 'CouponArchived':
    default:
      return [];
  }
}

/** What subscriptions applied and their coupons have not counted. */
export function uncountedRedemptions({ standing }: CouponBook): readonly UncountedRedemption[] {
  return [...standing.values()].filter((applied) => applied !== undefined);
}
