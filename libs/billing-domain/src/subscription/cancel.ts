import { dateOf, laterInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { oneOf } from '../text';
import type { SealedUsage } from '../usage/events';
import { awaiting, usageDueAt } from './bill-usage';
import { close, type BillingPeriod } from './billing-period';
import { bill } from './bill';
import { living, openPeriod, startedState } from './boundary';
import type { SubscriptionCanceled, SubscriptionEvent } from './events';
import { outstandingLines, type Stop } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { usageLines } from './usage-lines';

type Credit = SubscriptionCanceled['data']['credit'];

/**
 * Makes the open period the last. Nothing when it is so already. Raises `subscription-paused`, `subscription-canceled`,
 * `boundary-due`.
 */
export function scheduleCancellation(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  if (subscription.cancelsAt !== null) return [];
  const { periodNumber, startsAt, endsAt } = openPeriod(subscription);
  const effectiveAt = laterInstant(now, startsAt);
  return [{ type: 'CancellationScheduled', data: { effectiveAt, periodNumber, cancelsAt: endsAt } }];
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
 * paid in advance is given back (`prorated`) or not. Nothing when it has ended. Raises `boundary-due`.
 */
export function cancelNow(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  const credit = oneOf('credit', input.credit, ['none', 'prorated']);
  if (startedState(state).status === 'canceled') return [];
  const subscription = living(state, now);
  const { openPeriod: period, lastClosed } = subscription;
  if (period) return end(subscription, period, laterInstant(now, period.startsAt), 'requested', credit);
  const effectiveAt = laterInstant(now, lastClosed?.endsAt ?? now);
  const canceled: SubscriptionEvent = {
    type: 'SubscriptionCanceled',
    data: { effectiveAt, cause: 'requested', credit },
  };
  const date = toLocalDate(effectiveAt, subscription.timeZone);
  const stop = { at: { date, at: effectiveAt }, credit, cause: 'cancellation' } as const;
  const after = evolve(subscription, canceled);
  return [canceled, ...bill(after, 'final', after.periodNumber, effectiveAt, outstandingLines(after, stop), stop)];
}

/** Why the end of the open period is the end of the subscription, if it is. */
export function endsWith(
  { cancelsAt, trialEnd }: StartedSubscription,
  { kind, endsAt }: BillingPeriod,
): SubscriptionCanceled['data']['cause'] | undefined {
  if (cancelsAt !== null && cancelsAt <= endsAt) return 'scheduled';
  return kind === 'trial' && trialEnd === 'cancel' ? 'trial-ended' : undefined;
}

/** Closes the open period for good and makes the final bill, unless it waits for usage that is not sealed. */
export function end(
  subscription: StartedSubscription,
  period: BillingPeriod,
  at: string,
  cause: SubscriptionCanceled['data']['cause'],
  credit: Credit,
  sealed?: SealedUsage,
): SubscriptionEvent[] {
  const dueAt = usageDueAt(subscription, at, sealed);
  const closed = awaiting(close(period, subscription.timeZone, at, 'cancellation'), dueAt);
  const canceled: SubscriptionEvent = {
    type: 'SubscriptionCanceled',
    data: { effectiveAt: at, cause, credit },
  };
  if (dueAt !== undefined) return [closed, canceled];
  const after = evolve(evolve(subscription, closed), canceled);
  const stop: Stop = { at: { date: dateOf(closed.data.to), at }, credit, cause: 'cancellation' };
  const usage = sealed ? usageLines(after, sealed) : [];
  const lines = [...after.accrued, ...outstandingLines(after, stop), ...usage];
  return [closed, canceled, ...bill(after, 'final', period.periodNumber, at, lines, stop)];
}
