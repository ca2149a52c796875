import { dateOf, laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import { oneOf } from '../text';
import type { SealedUsage } from '../usage/events';
import { close, localAt, type BillingPeriod } from './billing-period';
import { bill } from './bill';
import { awaiting, usageDueAt } from './bill-usage';
import { living, openFrom, openPeriod, termsInForce, timeZoneChanged } from './boundary';
import { cycleOf } from './cycle';
import type { SubscriptionEvent, SubscriptionPaused } from './events';
import { guarded } from './guard';
import { currencyAfter, cycleChanged, scheduledChanges } from './items-changed';
import { outstandingLines, type Stop } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { startGrid } from './terms';
import { usageLines } from './usage-lines';

type Credit = SubscriptionPaused['data']['credit'];

/**
 * Pauses now: closes the period and bills its pending lines and its arrears so far. What is paid in advance beyond now is given
 * back (`prorated`), or not charged again on resume. Nothing when it is paused. Raises `cancellation-scheduled`,
 * `no-open-period`, `boundary-due`, `subscription-canceled`.
 */
export function pause(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  const credit = oneOf('credit', input.credit, ['none', 'prorated']);
  const subscription = living(state, now);
  if (subscription.status === 'paused') return [];
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  const period = openPeriod(subscription);
  return guarded(subscription, pauseAt(subscription, period, laterInstant(now, period.startsAt), credit));
}

/**
 * Lets a pause begin with the end of the open period. Nothing when it is so already, or paused. Raises `cancellation-scheduled`,
 * `currency-in-use` (the period ends with another currency), `no-open-period`, `boundary-due`, `subscription-canceled`.
 */
export function schedulePause(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused' || subscription.pausesAt !== null) return [];
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  if (currencyAfter(subscription.scheduledEdits) !== undefined) throw new DomainError('currency-in-use');
  const { periodNumber, startsAt, endsAt } = openPeriod(subscription);
  const effectiveAt = laterInstant(now, startsAt);
  return [{ type: 'PauseScheduled', data: { effectiveAt, periodNumber, pausesAt: endsAt } }];
}

/** Takes a scheduled pause back. Nothing when there is none. Raises `subscription-canceled`, `boundary-due`. */
export function undoPause(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.pausesAt === null) return [];
  const { periodNumber, startsAt } = openPeriod(subscription);
  return [{ type: 'PauseUnscheduled', data: { effectiveAt: laterInstant(now, startsAt), periodNumber } }];
}

/** Closes the open period at a moment in it or at its end, where scheduled edits take effect, and bills what is due unless it waits for usage that is not sealed. */
export function pauseAt(
  subscription: StartedSubscription,
  period: BillingPeriod,
  at: string,
  credit: Credit,
  sealed?: SealedUsage,
): SubscriptionEvent[] {
  const dueAt = usageDueAt(subscription, at, sealed);
  const closed = awaiting(close(period, subscription.timeZone, at, 'pause'), dueAt);
  const moved = timeZoneChanged(subscription, at);
  const changed = at === period.endsAt ? [...scheduledChanges(subscription, period), ...(moved ? [moved] : [])] : [];
  const paused: SubscriptionEvent = {
    type: 'SubscriptionPaused',
    data: { effectiveAt: at, paidThrough: credit === 'none' ? paidThrough(subscription, period) : {}, credit },
  };
  const events = [closed, ...changed, paused];
  if (dueAt !== undefined) return events;
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  const stop: Stop = { at: { date: dateOf(closed.data.to), at }, credit, cause: 'pause' };
  const usage = sealed ? usageLines(after, sealed) : [];
  const lines = [...after.accrued, ...outstandingLines(after, stop), ...usage];
  return [...events, ...bill(after, 'pause', period.periodNumber, at, lines, stop)];
}

/**
 * Resumes now, on the grid as it was (`keep`) or on one that begins with today (`restart`): opens what is left of the trial, or
 * a period up to the next boundary, and bills in advance what is not paid already. Nothing when it is active. Raises `subscription-canceled`,
 * `boundary-due`.
 */
export function resume(
  state: Subscription,
  input: { readonly anchor: 'keep' | 'restart' },
  now: string,
): SubscriptionEvent[] {
  const anchor = oneOf('anchor', input.anchor, ['keep', 'restart']);
  const subscription = living(state, now);
  if (subscription.status !== 'paused') return [];
  const at = laterInstant(now, subscription.lastClosed?.endsAt ?? now);
  const { grid: before, paidFrom } = subscription;
  const events: SubscriptionEvent[] = [{ type: 'SubscriptionResumed', data: { effectiveAt: at, anchor } }];
  const grid =
    anchor === 'keep'
      ? before
      : startGrid(undefined, before.interval, localAt(subscription, at < paidFrom ? paidFrom : at));
  if (anchor === 'restart') events.push(cycleChanged(grid, at));
  events.push(openFrom(events.reduce<StartedSubscription>(evolve, subscription), at));
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  return guarded(subscription, [...events, ...bill(after, 'resume', after.periodNumber, at, outstandingLines(after))]);
}

/** Up to which date each item in advance is billed: the end of the cycle that is cut short. */
function paidThrough(subscription: StartedSubscription, { kind, gridIndex }: BillingPeriod): Record<string, string> {
  if (kind === 'trial') return {};
  const advance = termsInForce(subscription).items.filter((item) => item.timing === 'advance' && !item.kind);
  const end = (every: number) => dateOf(cycleOf(subscription.grid, gridIndex, every).to);
  return Object.fromEntries(advance.map(({ itemId, every }) => [itemId, end(every)]));
}
