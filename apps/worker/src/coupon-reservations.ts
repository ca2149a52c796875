import { settleExpiredReservations } from '@perennial/billing-application';
import { coupons, findExpiredReservations } from '@perennial/billing-read-models';
import type { Connections } from '../../process/src/connections';

/**
 * Settles the reservations of coupons whose time is over, one look at the read model: they count when the subscription applied them
 * after all, else they are free again. Safe beside others of its kind. Answers how many it settled.
 */
export async function settleReservations(
  { readModels, watch, logger }: Connections,
  dispatch: (command: object) => Promise<unknown>,
): Promise<number> {
  if ((await watch.asOf(coupons.name)).state !== 'live') return 0;
  // A lease is over by the clock on the wall, whatever business time says.
  const expired = await findExpiredReservations(readModels, new Date().toISOString());
  let settled = 0;
  for (const command of settleExpiredReservations(expired)) {
    try {
      await dispatch(command);
      settled += 1;
    } catch (err) {
      logger.warn({ err, ...command.redemption }, 'a reservation could not be settled and will be tried again');
    }
  }
  return settled;
}
