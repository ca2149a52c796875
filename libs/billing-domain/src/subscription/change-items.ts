import {
  date,
  gridDay,
  gridPeriodAt,
  dateOf,
  interval,
  laterInstant,
  startOfDay,
  toLocal,
  toLocalDate,
  type Grid,
  type Interval,
} from '../calendar';
import { commitmentEdit, type CommitmentEdit } from '../commitment/bounds';
import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import { encodedBytes, oneOf } from '../text';
import { close, MAX_BILL_BYTES, MAX_KEPT_BYTES, openAt, type BillingPeriod } from './billing-period';
import type { ItemEdit, SubscriptionEvent } from './events';
import { guarded } from './guard';
import { outstandingLines } from './outstanding';
import { evolve, keptBytes, type StartedSubscription, type Subscription } from './state';
import { bill } from './bill';
import { awaiting, usageDueAt } from './bill-usage';
import { cycleChanged, living, openPeriod, reservedBytes, termsInForce } from './boundary';
import { conditionsAfter, edited, itemsChanged, named } from './items-changed';
import { usageStretches } from './usage-period';
import { distinct, itemQuantity, newItem, startGrid, type Anchor, type NewItem } from './terms';

/** An edit as a caller asks for it. */
export type NewItemEdit =
  | { readonly kind: 'quantity'; readonly itemId: string; readonly quantity: string }
  /** Adds the item, or puts it in the place of the one with its id: another price, another plan. */
  | { readonly kind: 'put'; readonly item: NewItem }
  | { readonly kind: 'remove'; readonly itemId: string }
  /** Another minimum or maximum of what a whole period comes to. */
  | ({ readonly kind: 'commitment' } & CommitmentEdit);

export interface ChangeItems {
  readonly edits: readonly NewItemEdit[];
  /** A local date: from its start on, today or back to the correction horizon. Default: now. */
  readonly when?: 'now' | 'period-end' | { readonly effectiveOn: string } | undefined;
  /** now: the difference is a bill of its own. Default: the next bill has it. What reaches into a closed period is always billed now. */
  readonly billing?: 'now' | 'next-bill' | undefined;
}

/** Edits that one command or one period takes; what a decision keeps stays small. */
const MAX_EDITS = 50;
/** Stretches of a period in which usage is charged on other terms. */
const MAX_USAGE_SEGMENTS = 50;

/**
 * Changes quantities, prices and items: now, at the end of the open period, or backdated. What is billed already is corrected by
 * lines, never rewritten. Before the start it changes what will start. Nothing when the items are so already. Raises `item-not-found`, `duplicate-component`,
 * `too-many-items`, `before-correction-horizon`, `billing-period-full`, `subscription-paused`, `cancellation-scheduled`,
 * `boundary-due`, `subscription-canceled` and the codes of category `invalid`.
 */
export function changeItems(state: Subscription, input: ChangeItems, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  const edits = checked(input.edits);
  const { when = 'now' } = input;
  if (subscription.status === 'scheduled' && when === 'now') {
    const from = toLocal(subscription.startsAt, subscription.timeZone);
    const changed = itemsChanged(subscription, edits, { at: now, from, cause: 'requested' });
    return changed ? [changed] : [];
  }
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const billing = oneOf('billing', input.billing ?? 'next-bill', ['now', 'next-bill']);
  if (when === 'period-end') return schedule(subscription, period, edits, at);
  const from =
    when === 'now' ? toLocal(at, subscription.timeZone) : backdated(subscription, period, when.effectiveOn, at);
  const changed = itemsChanged(subscription, edits, { at, from, cause: 'requested' });
  if (!changed) return [];
  const after = evolve(subscription, changed);
  // What is scheduled must still be possible when its time comes: a boundary never refuses.
  const { items, conditions } = termsInForce(after);
  distinct(edited(items, after.scheduledEdits, period.to));
  conditionsAfter(conditions, after.scheduledEdits);
  const atOnce = billing === 'now' || from < period.from;
  const billed = atOnce ? bill(after, 'change', period.periodNumber, at, outstandingLines(after)) : [];
  roomFor(billed.reduce<StartedSubscription>(evolve, after), period, encodedBytes(billed));
  return guarded(subscription, [changed, ...billed]);
}

/** Changes one quantity; otherwise as changeItems. */
export function changeQuantity(
  state: Subscription,
  { itemId, quantity, ...input }: Omit<ChangeItems, 'edits'> & { readonly itemId: string; readonly quantity: string },
  now: string,
): SubscriptionEvent[] {
  return changeItems(state, { ...input, edits: [{ kind: 'quantity', itemId, quantity }] }, now);
}

/** Takes all scheduled edits back, also during a pause. Nothing when there are none. Raises `boundary-due`, `subscription-canceled`. */
export function undoScheduledChange(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.scheduledEdits.length === 0) return [];
  const { periodNumber, openPeriod: period, lastClosed } = subscription;
  const effectiveAt = laterInstant(now, period?.startsAt ?? lastClosed?.endsAt ?? now);
  return [{ type: 'ItemsChangeUnscheduled', data: { effectiveAt, periodNumber } }];
}

/**
 * Counts periods on another grid from now on, with edits if there are any: the open period ends now, what was billed beyond is
 * given back or goes on, and the next one runs to the first point of the new grid. Without an anchor the day of month stays.
 * Prices of another interval start anew. Before its start and in a trial it moves the periods after that. Nothing when grid and items are so already. Raises what changeItems raises, and `invalid-anchor`.
 */
export function changeBillingCycle(
  state: Subscription,
  input: { readonly interval?: Interval | undefined; readonly anchor?: Anchor | undefined } & Pick<
    ChangeItems,
    'edits'
  >,
  now: string,
): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  const { timeZone: zone, grid, paidFrom, openPeriod: open } = subscription;
  const at = laterInstant(now, open?.startsAt ?? now);
  // Before anything is paid for, the grid is one of the time from then on.
  const unpaid = at < paidFrom;
  const local = toLocal(unpaid ? paidFrom : at, zone);
  const every = interval(input.interval ?? grid.interval);
  const counted = every.unit === 'month' || every.unit === 'year';
  const day = gridDay(grid);
  const asked = input.anchor ?? (counted ? { dayOfMonth: day } : { localDateTime: startOfDay(dateOf(local)) });
  const sameInterval = sameJson(every, grid.interval);
  const regridded = input.anchor === undefined && sameInterval ? grid : startGrid(asked, every, local);
  const firstEnd = (each: Grid) => gridPeriodAt(each, zone, unpaid ? paidFrom : at).to;
  if (sameInterval && firstEnd(regridded) === firstEnd(grid) && gridDay(regridded) === day)
    return changeItems(state, { edits: input.edits, billing: 'now' }, now);
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  if (subscription.pausesAt !== null) throw new DomainError('pause-scheduled');
  if (unpaid) return [cycleChanged(regridded, at), ...changeItems(state, { edits: input.edits }, now)];
  const period = openPeriod(subscription);
  const edits = checked(input.edits);
  const changed = itemsChanged(subscription, edits, { at, from: local, cause: 'requested', restarts: !sameInterval });
  const dueAt = usageDueAt(subscription, at, undefined);
  const events: SubscriptionEvent[] = [
    awaiting(close(period, zone, at, 'change'), dueAt),
    cycleChanged(regridded, at),
    ...(changed ? [changed] : []),
    openAt(regridded, zone, period.periodNumber + 1, at),
  ];
  if (dueAt !== undefined) return events;
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  const lines = [...after.accrued, ...outstandingLines(after)];
  return guarded(subscription, [...events, ...bill(after, 'change', period.periodNumber, at, lines)]);
}

function schedule(
  subscription: StartedSubscription,
  { periodNumber, endsAt, to }: BillingPeriod,
  edits: readonly ItemEdit[],
  at: string,
): SubscriptionEvent[] {
  if (subscription.cancelsAt !== null && subscription.cancelsAt <= endsAt)
    throw new DomainError('cancellation-scheduled');
  const all = [...subscription.scheduledEdits, ...edits];
  if (all.length > MAX_EDITS) throw new DomainError('billing-period-full', undefined, { periodNumber });
  const { items, conditions } = termsInForce(subscription);
  named(items, all);
  const termsAfter = (list: readonly ItemEdit[]) => ({
    items: distinct(edited(items, list, to)),
    conditions: conditionsAfter(conditions, list) ?? {},
  });
  if (sameJson(termsAfter(subscription.scheduledEdits), termsAfter(all))) return [];
  return [{ type: 'ItemsChangeScheduled', data: { effectiveAt: at, periodNumber, takesEffectAt: endsAt, edits } }];
}

/** The edits in canonical form. */
function checked(edits: readonly NewItemEdit[]): ItemEdit[] {
  if (edits.length > MAX_EDITS) throw new DomainError('invalid-option', `at most ${MAX_EDITS} edits`);
  return edits.map((edit): ItemEdit => {
    if (edit.kind === 'quantity') return { ...edit, quantity: itemQuantity(edit.quantity) };
    if (edit.kind === 'remove') return { kind: 'remove', itemId: edit.itemId };
    if (edit.kind === 'commitment') return { kind: 'commitment', ...commitmentEdit(edit) };
    const { from: _, ...item } = newItem(edit.item, '');
    return { kind: 'put', item };
  });
}

/** The start of a date that is not after today nor before the correction horizon; at the earliest the first moment that it has terms for. */
function backdated(subscription: StartedSubscription, period: BillingPeriod, on: string, at: string): string {
  const { lastClosed, timeZone } = subscription;
  const horizon = (lastClosed ?? period).from;
  if (date(on) > toLocalDate(at, timeZone)) throw new DomainError('invalid-option', 'effectiveOn is not after today');
  if (on < dateOf(horizon)) {
    throw new DomainError('before-correction-horizon', undefined, { horizon: dateOf(horizon) });
  }
  const from = startOfDay(on);
  return from > horizon ? from : horizon;
}

/** Raises `billing-period-full` when the next bill, or what is kept, could outgrow its limit. */
function roomFor(subscription: StartedSubscription, period: BillingPeriod, billed: number): void {
  const pending = (subscription.openPeriod?.bytes ?? 0) + reservedBytes(subscription);
  const segments = usageStretches(subscription, period.periodNumber).length;
  if (
    segments > MAX_USAGE_SEGMENTS ||
    billed > MAX_BILL_BYTES ||
    pending > MAX_BILL_BYTES ||
    keptBytes(subscription) + pending > MAX_KEPT_BYTES
  ) {
    throw new DomainError('billing-period-full', undefined, { periodNumber: period.periodNumber });
  }
}
