import { RollOverBillingPeriod } from '../commands/roll-over-billing-period';
import { rollOverRequest, type ElapsedPeriod } from '../roll-over-request';

/**
 * One command for each period that has elapsed. Safe to repeat, in another scheduler too and at the same time: the key
 * derives from subscription and period, and a roll-over is dated at its boundary, so being late changes no line.
 */
export function rollOverElapsedPeriods(elapsed: readonly ElapsedPeriod[]): RollOverBillingPeriod[] {
  return elapsed.map(
    (period) => new RollOverBillingPeriod(period.subscriptionId, period.periodNumber, rollOverRequest(period)),
  );
}
