import { dateOf, instant } from '../calendar';
import { DomainError } from '../domain-error';
import type { Line } from '../line';
import type { SealedUsage } from '../usage/events';
import { bill } from './bill';
import { close, inZone, localAt, openAt, openNext, openTrial, type BillingPeriod } from './billing-period';
import type { BillingPeriodClosed, BillingPeriodOpened, SubscriptionEvent, TimeZoneChanged } from './events';
import { currencyAfter, scheduledChanges } from './items-changed';
import { outstandingLines, type Stop } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { usageLines } from './usage-lines';

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
  const from = { at, local: localAt(subscription, at) };
  return at < paidFrom ? openTrial(zone, periodNumber, from, paidFrom) : openAt(grid, zone, periodNumber, from);
}

/**
 * What the end of the open period gives: it closes, scheduled edits take effect, the next opens, and all that is due is billed; where
 * the currency changes, first what is due in the one before. `arrears`: all, also those of items whose cycle goes on. `sealed`: the
 * usage of the period.
 */
export function atBoundary(
  subscription: StartedSubscription,
  period: BillingPeriod,
  { usageDueAt, arrears = 'due', sealed }: Boundary = {},
): { events: SubscriptionEvent[]; lines: Line[] } {
  const { timeZone: zone, grid } = subscription;
  const closed = close(period, zone, period.endsAt, 'boundary');
  const events: SubscriptionEvent[] = [
    { ...closed, data: { ...closed.data, ...(usageDueAt !== undefined && { usageDueAt }) } },
  ];
  const currency = currencyAfter(subscription.scheduledEdits);
  if (currency !== undefined) events.push(...inCurrencyBefore(evolve(subscription, closed), closed, currency, sealed));
  events.push(...scheduledChanges(subscription, period));
  const changed = events.reduce<StartedSubscription>(evolve, subscription);
  const goesOn = period.kind !== 'trial' && changed.grid === grid;
  const next = goesOn ? openNext(grid, zone, period) : openFrom(changed, period.endsAt);
  const moved = timeZoneChanged(subscription, period.endsAt);
  events.push(...(moved ? [moved, inZone(next, changed.grid, moved.data.timeZone)] : [next]));
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  const usage = sealed && currency === undefined ? usageLines(after, sealed) : [];
  return { events, lines: [...after.accrued, ...outstandingLines(after, undefined, arrears), ...usage] };
}

interface Boundary {
  readonly usageDueAt?: string | undefined;
  readonly arrears?: 'due' | 'all';
  readonly sealed?: SealedUsage | undefined;
}

/** The last bill in a currency: all arrears, and what is paid beyond the boundary given back. No boundary of a coupon's. */
function inCurrencyBefore(
  subscription: StartedSubscription,
  { data: { periodNumber, to, endsAt } }: BillingPeriodClosed,
  currency: string,
  sealed: SealedUsage | undefined,
): SubscriptionEvent[] {
  const stop: Stop = { at: { date: dateOf(to), at: endsAt }, credit: 'prorated', cause: 'pause' };
  const usage = sealed ? usageLines(subscription, sealed) : [];
  const lines = [...subscription.accrued, ...outstandingLines(subscription, stop), ...usage];
  return [
    ...bill(subscription, 'change', periodNumber, endsAt, lines, stop),
    { type: 'CurrencyChanged', data: { effectiveAt: endsAt, currency } },
  ];
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
