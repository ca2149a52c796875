import { addDays, dateOf, gridPeriod, laterInstant, toInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { oneOf } from '../text';
import type { SealedUsage } from '../usage/events';
import { awaiting, usageDueAt } from './bill-usage';
import { close, localAt, type BillingPeriod } from './billing-period';
import { bill } from './bill';
import { living, openPeriod, startedState, termsInForce } from './boundary';
import type { SubscriptionCanceled, SubscriptionEvent } from './events';
import { outstandingLines, type Stop } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { usageLines } from './usage-lines';

type Credit = SubscriptionCanceled['data']['credit'];
type Ending = Omit<SubscriptionCanceled['data'], 'effectiveAt'>;

/**
 * Makes the open period the last, or the first later one that honours minimum term and notice; a trial is always free to be the
 * last. Nothing when it is so already. Raises `no-open-period`, `pause-scheduled`, `subscription-paused`,
 * `subscription-canceled`, `boundary-due`.
 */
export function scheduleCancellation(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  if (subscription.cancelsAt !== null) return [];
  const period = openPeriod(subscription);
  if (subscription.pausesAt !== null) throw new DomainError('pause-scheduled');
  const { periodNumber, startsAt } = period;
  const effectiveAt = laterInstant(now, startsAt);
  const cancelsAt = earliestEnd(subscription, period, effectiveAt);
  return [{ type: 'CancellationScheduled', data: { effectiveAt, periodNumber, cancelsAt } }];
}

/** The first boundary at which minimum term and notice let it end. */
function earliestEnd(subscription: StartedSubscription, period: BillingPeriod, at: string): string {
  const { grid, timeZone: zone, completedPeriods, periods = Infinity } = subscription;
  if (period.kind === 'trial') return period.endsAt;
  const { minimumTermPeriods = 0, noticeDays = 0 } = termsInForce(subscription).conditions ?? {};
  const noticed = addDays(toLocalDate(at, zone), noticeDays);
  const last = Math.max(periods - completedPeriods - 1, 0);
  let ahead = Math.min(Math.max(minimumTermPeriods - completedPeriods - 1, 0), last);
  const endOf = () => (ahead === 0 ? period.to : gridPeriod(grid, period.gridIndex + ahead).to);
  while (dateOf(endOf()) < noticed && ahead < last) ahead += 1;
  return ahead === 0 ? period.endsAt : toInstant(endOf(), subscription.scheduledTimeZone ?? zone);
}

/** Raises `minimum-term` or `notice-period` when it may not end at once. */
function freeToEnd(subscription: StartedSubscription, at: string): void {
  const { openPeriod: period, completedPeriods } = subscription;
  if (at < subscription.paidFrom) return;
  const { minimumTermPeriods = 0, noticeDays = 0 } = termsInForce(subscription).conditions ?? {};
  const periodsLeft = Math.max(minimumTermPeriods - completedPeriods, 0);
  // Nobody waits for the end of a notice while nothing is served.
  if (periodsLeft === 0 && (noticeDays === 0 || !period)) return;
  const code = periodsLeft > 0 ? 'minimum-term' : 'notice-period';
  if (!period) throw new DomainError(code, `${periodsLeft} periods of the minimum term are left`, { periodsLeft });
  const earliest = earliestEnd(subscription, period, at);
  throw new DomainError(code, `it can end at ${earliest}`, { periodsLeft, earliest });
}

/** Takes a scheduled cancellation back. Nothing when there is none. Raises `subscription-canceled`, `boundary-due`. */
export function undoCancellation(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.cancelsAt === null) return [];
  const { periodNumber, startsAt } = openPeriod(subscription);
  return [{ type: 'CancellationUnscheduled', data: { effectiveAt: laterInstant(now, startsAt), periodNumber } }];
}

/**
 * Ends the subscription now, also while it is paused, with a final bill of the pending lines and the arrears to the day; what is
 * paid in advance is given back (`prorated`) or not. Nothing when it has ended. Raises `minimum-term` and `notice-period` unless
 * they are waived, `boundary-due`.
 */
export function cancelNow(
  state: Subscription,
  input: { readonly credit: Credit; readonly waiveTerm?: boolean | undefined },
  now: string,
): SubscriptionEvent[] {
  const credit = oneOf('credit', input.credit, ['none', 'prorated']);
  if (startedState(state).status === 'canceled') return [];
  const subscription = living(state, now);
  const { openPeriod: period, lastClosed } = subscription;
  const effectiveAt = laterInstant(now, period?.startsAt ?? lastClosed?.endsAt ?? now);
  if (input.waiveTerm !== true) freeToEnd(subscription, effectiveAt);
  const ending: Ending = { cause: 'requested', credit, ...(input.waiveTerm === true && { waivedTerm: true }) };
  if (period) return end(subscription, period, effectiveAt, ending);
  const canceled: SubscriptionEvent = { type: 'SubscriptionCanceled', data: { effectiveAt, ...ending } };
  const date = dateOf(localAt(subscription, effectiveAt));
  // What ended the last period is the pause, also where both come in one moment.
  const stop = { at: { date, at: effectiveAt }, credit, cause: 'pause' } as const;
  const after = evolve(subscription, canceled);
  return [canceled, ...bill(after, 'final', after.periodNumber, effectiveAt, outstandingLines(after, stop), stop)];
}

/** Why the end of the open period is the end of the subscription, if it is. */
export function endsWith(
  { cancelsAt, trialEnd, periods = Infinity, completedPeriods }: StartedSubscription,
  { kind, endsAt }: BillingPeriod,
): SubscriptionCanceled['data']['cause'] | undefined {
  if (cancelsAt !== null && cancelsAt <= endsAt) return 'scheduled';
  if (kind === 'trial') return trialEnd === 'cancel' ? 'trial-ended' : undefined;
  return completedPeriods + 1 >= periods ? 'expired' : undefined;
}

/** Closes the open period for good and makes the final bill, unless it waits for usage that is not sealed. */
export function end(
  subscription: StartedSubscription,
  period: BillingPeriod,
  at: string,
  ending: Ending,
  sealed?: SealedUsage,
): SubscriptionEvent[] {
  const dueAt = usageDueAt(subscription, at, sealed);
  const closed = awaiting(close(period, subscription.timeZone, at, 'cancellation'), dueAt);
  const { credit } = ending;
  const canceled: SubscriptionEvent = { type: 'SubscriptionCanceled', data: { effectiveAt: at, ...ending } };
  if (dueAt !== undefined) return [closed, canceled];
  const after = evolve(evolve(subscription, closed), canceled);
  const stop: Stop = { at: { date: dateOf(closed.data.to), at }, credit, cause: 'cancellation' };
  const usage = sealed ? usageLines(after, sealed) : [];
  const lines = [...after.accrued, ...outstandingLines(after, stop), ...usage];
  return [closed, canceled, ...bill(after, 'final', period.periodNumber, at, lines, stop)];
}
