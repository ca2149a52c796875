import { gridDay, interval, laterInstant, type Grid, type Interval } from '../calendar';
import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import { encodedBytes } from '../text';
import { bill } from './bill';
import { awaiting, usageDueAt } from './bill-usage';
import { close, firstPeriod, localAt, openAt } from './billing-period';
import { openPeriod } from './boundary';
import { changeItems, checked, makeEdits, termsAfter, unpaused, type ChangeItems } from './change-items';
import type { ItemEdit, SubscriptionEvent } from './events';
import { guarded } from './guard';
import { cycleChanged, gridOfInterval, itemsChanged } from './items-changed';
import { outstandingLines } from './outstanding';
import { roomFor } from './room';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { startGrid, type Anchor } from './terms';

/**
 * Counts periods on another grid from now on, with edits if there are any: the open period ends now, what was billed beyond is
 * given back or goes on, and the next one runs to the first point of the new grid. Without an anchor the day of month stays.
 * Prices of another interval start anew. Before its start and in a trial it moves the periods after that. Nothing when grid and
 * items are so already. Raises what changeItems raises, `pause-scheduled` and `invalid-anchor`.
 */
export function changeBillingCycle(
  state: Subscription,
  input: { readonly interval?: Interval | undefined; readonly anchor?: Anchor | undefined } & Pick<
    ChangeItems,
    'edits'
  >,
  now: string,
): SubscriptionEvent[] {
  const subscription = unpaused(state, now);
  const { timeZone: zone, grid } = subscription;
  const { from, local } = countedFrom(subscription, now);
  const every = interval(input.interval ?? grid.interval);
  const sameInterval = sameJson(every, grid.interval);
  const { anchor } = input;
  const otherwise = sameInterval ? grid : gridOfInterval(grid, every, local);
  const regridded = anchor ? startGrid(anchor, every, local) : otherwise;
  const firstEnd = (each: Grid) => firstPeriod(each, zone, { at: from, local }).to;
  if (sameInterval && firstEnd(regridded) === firstEnd(grid) && gridDay(regridded) === gridDay(grid)) {
    return changeItems(state, { edits: input.edits, billing: 'now' }, now);
  }
  return restartPeriods(subscription, regridded, checked(input.edits), now);
}

/** From when on another grid counts: from now, or from the time that is paid for. */
function countedFrom(subscription: StartedSubscription, now: string) {
  const { paidFrom, openPeriod: open } = subscription;
  const at = laterInstant(now, open?.startsAt ?? now);
  const from = at < paidFrom ? paidFrom : at;
  return { at, from, local: localAt(subscription, from) };
}

/** Moves to another interval now, with edits; the day of month stays. */
export function changeInterval(
  subscription: StartedSubscription,
  every: Interval,
  edits: readonly ItemEdit[],
  now: string,
): SubscriptionEvent[] {
  const { local } = countedFrom(subscription, now);
  return restartPeriods(subscription, gridOfInterval(subscription.grid, every, local), edits, now);
}

function restartPeriods(
  subscription: StartedSubscription,
  grid: Grid,
  edits: readonly ItemEdit[],
  now: string,
): SubscriptionEvent[] {
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  if (subscription.pausesAt !== null) throw new DomainError('pause-scheduled');
  const { at, from, local } = countedFrom(subscription, now);
  if (at < from) return [cycleChanged(grid, at), ...makeEdits(subscription, edits, {}, now)];
  const { timeZone: zone } = subscription;
  const period = openPeriod(subscription);
  const restarts = !sameJson(grid.interval, subscription.grid.interval);
  const changed = itemsChanged(subscription, edits, { at, from: local, cause: 'requested', restarts });
  const dueAt = usageDueAt(subscription, at, undefined);
  const events: SubscriptionEvent[] = [
    awaiting(close(period, zone, at, 'change'), dueAt),
    cycleChanged(grid, at),
    ...(changed ? [changed] : []),
    openAt(grid, zone, period.periodNumber + 1, { at, local }),
  ];
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  // What is scheduled must still be possible when its time comes: a boundary never refuses.
  termsAfter(after, after.scheduledEdits, local);
  if (dueAt !== undefined) return events;
  const lines = [...after.accrued, ...outstandingLines(after)];
  const billed = bill(after, 'change', period.periodNumber, at, lines);
  roomFor(billed.reduce<StartedSubscription>(evolve, after), encodedBytes(billed));
  return guarded(subscription, [...events, ...billed]);
}
