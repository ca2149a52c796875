import { addHours, dateOf, instant } from '../calendar';
import { DomainError } from '../domain-error';
import type { SealedUsage } from '../usage/events';
import { bill } from './bill';
import { refuseHeld, startedState, termsInForce, usageBillsAt } from './boundary';
import type { BillingPeriodClosed, LinesBilled, SubscriptionEvent } from './events';
import { heldInstead } from './guard';
import { currencyAfter } from './items-changed';
import { outstandingLines, type Stop } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { usageLines } from './usage-lines';
import { usageStretches } from './usage-period';

/*
 * Sealed first, billed after: only sealed totals enter a bill. At a boundary without grace they are there already; after a grace, and
 * where a period is cut short, the period is closed first and its bill follows the seal. (billing-model.md §6)
 */

/**
 * When the usage of the open period is to be sealed after it has closed; undefined when it measures none, or has been. Raises
 * `usage-not-sealed` while that of the period before waits: its grace ends at the latest with this one (details.billsAt).
 */
export function usageDueAt(
  subscription: StartedSubscription,
  closesAt: string,
  sealed: SealedUsage | undefined,
): string | undefined {
  const { openPeriod: period, awaitsUsage } = subscription;
  if (awaitsUsage) {
    const { periodNumber } = awaitsUsage;
    throw new DomainError('usage-not-sealed', undefined, { periodNumber, billsAt: closesAt });
  }
  if (!period || sealed || !measures(subscription, period.periodNumber)) return undefined;
  const hours = closesAt === period.endsAt ? graceHours(subscription) : 0;
  return addHours(closesAt, hours);
}

/** Whether a boundary needs sealed totals: usage is measured, and nothing may arrive after its end. */
export function needsSeal(subscription: StartedSubscription): boolean {
  const { openPeriod: period } = subscription;
  return period !== null && graceHours(subscription) === 0 && measures(subscription, period.periodNumber);
}

/** What is billed in a currency is billed before it changes. */
function graceHours(subscription: StartedSubscription): number {
  if (currencyAfter(subscription.scheduledEdits) !== undefined) return 0;
  return termsInForce(subscription).conditions?.usageGraceHours ?? 0;
}

/** The closing of a period whose bill follows its seal. */
export function awaiting(closed: BillingPeriodClosed, dueAt: string | undefined): BillingPeriodClosed {
  return dueAt === undefined ? closed : { ...closed, data: { ...closed.data, usageDueAt: dueAt } };
}

/**
 * Bills a closed period whose usage waited for its seal: its recurring and its usage lines, dated when the grace was over however
 * late it is done, or at `cutAt`, where the period after it is cut short and the grace with it. Nothing when none waits. Raises `subscription-not-found`, `period-not-elapsed`, `usage-not-sealed`,
 * `billing-held`.
 */
export function billUsage(
  state: Subscription,
  periodNumber: number,
  sealed: SealedUsage | undefined,
  now: string,
  cutAt?: string,
): SubscriptionEvent[] {
  const subscription = startedState(state);
  const { awaitsUsage } = subscription;
  const waitsUntil = usageBillsAt(subscription);
  if (!awaitsUsage || waitsUntil === undefined || awaitsUsage.periodNumber !== periodNumber) return [];
  const at = cutAt !== undefined && cutAt < waitsUntil ? cutAt : waitsUntil;
  if (cutAt === undefined && instant(now) < at)
    throw new DomainError('period-not-elapsed', undefined, { periodNumber });
  refuseHeld(subscription);
  // It may have been cut to nothing, or a change that came since has taken all meters out of it.
  if (!sealed && measures(subscription, periodNumber)) {
    throw new DomainError('usage-not-sealed', undefined, { periodNumber });
  }
  const billed: SubscriptionEvent = { type: 'UsageBilled', data: { effectiveAt: at, periodNumber } };
  const after = evolve(subscription, billed);
  const stop = stopOf(subscription);
  const lines = [...after.accrued, ...outstandingLines(after, stop), ...(sealed ? usageLines(after, sealed) : [])];
  const bills = bill(after, causes[awaitsUsage.cause], periodNumber, at, lines, stop);
  return heldInstead(subscription, [billed, ...bills]);
}

const causes = {
  boundary: 'boundary',
  change: 'change',
  pause: 'pause',
  cancellation: 'final',
} as const satisfies Record<BillingPeriodClosed['data']['cause'], LinesBilled['data']['cause']>;

/** Where the subscription stopped with the period that waits. */
function stopOf({ awaitsUsage, lastClosed }: StartedSubscription): Stop | undefined {
  const { cause, credit } = awaitsUsage ?? {};
  if (!lastClosed || credit === undefined || (cause !== 'pause' && cause !== 'cancellation')) return undefined;
  return { at: { date: dateOf(lastClosed.to), at: lastClosed.endsAt }, credit, cause };
}

function measures(subscription: StartedSubscription, periodNumber: number): boolean {
  return usageStretches(subscription, periodNumber).some(({ items }) => items.length > 0);
}
