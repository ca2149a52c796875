import { SettleReservation } from '../commands/settle-reservation';
import type { Redemption } from '../coupon-redemptions';

/** A reservation whose time is over, as a read model finds it. */
export interface ExpiredReservation extends Redemption {
  readonly tenant: string;
}

/** Reservations that were not applied in time are settled. Reacts to time: the scheduler asks a read model which they are. */
export function settleExpiredReservations(expired: readonly ExpiredReservation[]): SettleReservation[] {
  return expired.map(({ tenant, couponId, reservationId, subscriptionId }) => {
    const context = { tenant, principal: 'policy:settleExpiredReservations', correlationId: reservationId };
    return new SettleReservation({ couponId, reservationId, subscriptionId }, context);
  });
}
