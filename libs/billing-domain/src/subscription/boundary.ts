import { instant } from '../calendar';
import { DomainError } from '../domain-error';
import type { Line } from '../line';
import { bill } from './bill';
import { close, inZone, openAt, openNext, openTrial, type BillingPeriod } from './billing-period';
import type { BillingPeriodOpened, SubscriptionEvent, TimeZoneChanged } from './events';
import { scheduledChanges } from './items-changed';
import { outstandingLines } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';

/* What every decision of a subscription begins and ends with: the time within its open period, and the bill. */

/** Raises `subscription-not-found`. */
export function startedState(state: Subscription): StartedSubscription {
  if (state.status === 'none') throw new DomainError('subscription-not-found');
  return state;
}

/** What ends next by itself: the open period, or the time before the start, which is period 0. */
export function nextBoundary({
  status,
  startsAt,
  openPeriod: period,
}: StartedSubscription): { readonly periodNumber: number; readonly endsAt: string } | undefined {
  if (status === 'scheduled') return { periodNumber: 0, endsAt: startsAt };
  return period ?? undefined;
}

/** Raises `billing-held`. */
export function refuseHeld({ hold }: StartedSubscription): void {
  if (hold) throw new DomainError('billing-held', `billing is held since ${hold.heldAt}: ${hold.reason}`);
}

/**
 * A subscription that can still change, at a time before its start or within its open period. Raises `subscription-canceled`,
 * `billing-held`, `boundary-due`, `usage-not-sealed`.
 */
export function living(state: Subscription, now: string): StartedSubscription {
  const subscription = startedState(state);
  const at = instant(now);
  if (subscription.status === 'canceled') throw new DomainError('subscription-canceled');
  refuseHeld(subscription);
  const { awaitsUsage } = subscription;
  const billsAt = usageBillsAt(subscription);
  if (awaitsUsage && billsAt !== undefined && at >= billsAt) {
    throw new DomainError('usage-not-sealed', undefined, { periodNumber: awaitsUsage.periodNumber });
  }
  const boundary = nextBoundary(subscription);
  if (boundary && at >= boundary.endsAt) {
    const { periodNumber, endsAt } = boundary;
    throw new DomainError('boundary-due', `period ${periodNumber} ended at ${endsAt}`, { periodNumber });
  }
  return subscription;
}

/** When the usage that waits is billed: when its grace is over, or at the next boundary if that comes first; undefined: none waits. */
export function usageBillsAt({ awaitsUsage, openPeriod }: StartedSubscription): string | undefined {
  if (!awaitsUsage) return undefined;
  return openPeriod && openPeriod.endsAt < awaitsUsage.dueAt ? openPeriod.endsAt : awaitsUsage.dueAt;
}

/** Raises `no-open-period`. */
export function openPeriod({ openPeriod: period }: StartedSubscription): BillingPeriod {
  if (!period) throw new DomainError('no-open-period');
  return period;
}

/** The last terms of the timeline. */
export function termsInForce({ terms }: StartedSubscription): StartedSubscription['terms'][number] {
  const last = terms.at(-1);
  if (!last) throw new Error('a subscription without terms');
  return last;
}

/** Opens the next period from a moment on: what is left of the trial, else up to the first boundary strictly after it. */
export function openFrom(subscription: StartedSubscription, at: string): BillingPeriodOpened {
  const { timeZone: zone, grid, paidFrom } = subscription;
  const periodNumber = subscription.periodNumber + 1;
  return at < paidFrom ? openTrial(zone, periodNumber, at, paidFrom) : openAt(grid, zone, periodNumber, at);
}

/**
 * What the end of the open period gives: it closes, scheduled edits take effect, the next opens, and all that is due is billed.
 * `arrears`: all, also those of items whose cycle goes on.
 */
export function atBoundary(
  subscription: StartedSubscription,
  period: BillingPeriod,
  usageDueAt?: string,
  arrears: 'due' | 'all' = 'due',
): { events: SubscriptionEvent[]; lines: Line[] } {
  const { timeZone: zone, grid } = subscription;
  const closed = close(period, zone, period.endsAt, 'boundary');
  const awaits = { ...closed, data: { ...closed.data, ...(usageDueAt !== undefined && { usageDueAt }) } };
  const events: SubscriptionEvent[] = [awaits];
  events.push(...scheduledChanges(subscription, period));
  const changed = events.reduce<StartedSubscription>(evolve, subscription);
  const goesOn = period.kind !== 'trial' && changed.grid === grid;
  const next = goesOn ? openNext(grid, zone, period) : openFrom(changed, period.endsAt);
  const moved = timeZoneChanged(subscription, period.endsAt);
  events.push(...(moved ? [moved, inZone(next, changed.grid, moved.data.timeZone)] : [next]));
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  return { events, lines: [...after.accrued, ...outstandingLines(after, undefined, arrears)] };
}

/** The zone that a boundary brings, if one is scheduled. */
export function timeZoneChanged(
  { scheduledTimeZone: timeZone }: StartedSubscription,
  effectiveAt: string,
): TimeZoneChanged | undefined {
  return timeZone === undefined ? undefined : { type: 'TimeZoneChanged', data: { effectiveAt, timeZone } };
}

/** Opens the first period and bills what is due in advance, dated at the start however late it is done. */
export function begin(subscription: StartedSubscription): SubscriptionEvent[] {
  const { startsAt } = subscription;
  const opened = openFrom(subscription, startsAt);
  const after = evolve(subscription, opened);
  return [opened, ...bill(after, 'start', 1, startsAt, outstandingLines(after))];
}
