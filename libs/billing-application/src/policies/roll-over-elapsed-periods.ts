import { BillUsage } from '../commands/bill-usage';
import { RollOverBillingPeriod } from '../commands/roll-over-billing-period';
import { billUsageRequest, rollOverRequest, type ElapsedPeriod } from '../roll-over-request';

/**
 * One command for each period that has elapsed. Safe to repeat, in another scheduler too and at the same time: the key
 * derives from subscription and period, and a roll-over is dated at its boundary, so being late changes no line.
 */
export function rollOverElapsedPeriods(elapsed: readonly ElapsedPeriod[]): RollOverBillingPeriod[] {
  return elapsed.map(
    (period) => new RollOverBillingPeriod(period.subscriptionId, period.periodNumber, rollOverRequest(period)),
  );
}

/** One command for each closed period whose usage is to be sealed and billed; as safe to repeat. */
export function billDueUsage(due: readonly ElapsedPeriod[]): BillUsage[] {
  return due.map((period) => new BillUsage(period.subscriptionId, period.periodNumber, billUsageRequest(period)));
}
