import { date, dateOf, laterInstant, startOfDay, toLocal, toLocalDate } from '../calendar';
import { commitmentEdit, type CommitmentEdit } from '../commitment/bounds';
import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import { encodedBytes, oneOf } from '../text';
import { localAt, type BillingPeriod } from './billing-period';
import type { ItemEdit, SubscriptionEvent } from './events';
import { guarded } from './guard';
import { outstandingLines } from './outstanding';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { bill } from './bill';
import { living, openPeriod, termsInForce } from './boundary';
import {
  conditionsAfter,
  currencyAfter,
  edited,
  intervalAfter,
  itemsChanged,
  named,
  sameMeters,
} from './items-changed';
import { roomFor, roomToBegin } from './room';
import { distinct, itemQuantity, newItem, type NewItem } from './terms';

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
/** Of scheduled edits, as JSON. */
const MAX_EDIT_BYTES = 100_000;

/**
 * Changes quantities, prices and items: now, at the end of the open period, or backdated. What is billed already is corrected by
 * lines, never rewritten. Before the start it changes what will start. Nothing when the items are so already. Raises `item-not-found`, `duplicate-component`,
 * `too-many-items`, `before-correction-horizon`, `billing-period-full`, `subscription-paused`, `cancellation-scheduled`,
 * `boundary-due`, `subscription-canceled` and the codes of category `invalid`.
 */
export function changeItems(state: Subscription, input: ChangeItems, now: string): SubscriptionEvent[] {
  return makeEdits(unpaused(state, now), checked(input.edits), input, now);
}

/** A subscription whose items can change. Raises `subscription-paused` and what `living` does. */
export function unpaused(state: Subscription, now: string): StartedSubscription {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  return subscription;
}

/** What changeItems does, with edits in canonical form. */
export function makeEdits(
  subscription: StartedSubscription,
  edits: readonly ItemEdit[],
  input: Pick<ChangeItems, 'when' | 'billing'>,
  now: string,
): SubscriptionEvent[] {
  const { when = 'now' } = input;
  if (subscription.status === 'scheduled' && when === 'now') {
    const from = toLocal(subscription.startsAt, subscription.timeZone);
    const changed = itemsChanged(subscription, edits, { at: now, from, cause: 'requested' });
    if (!changed) return [];
    roomToBegin(evolve(subscription, changed));
    return [changed];
  }
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const billing = oneOf('billing', input.billing ?? 'next-bill', ['now', 'next-bill']);
  if (when === 'period-end') return schedule(subscription, period, edits, at);
  const from = when === 'now' ? localAt(subscription, at) : backdated(subscription, period, when.effectiveOn, at);
  const changed = itemsChanged(subscription, edits, { at, from, cause: 'requested' });
  if (!changed) return [];
  const after = evolve(subscription, changed);
  // What is scheduled must still be possible when its time comes: a boundary never refuses.
  termsAfter(after, after.scheduledEdits, period.to);
  const atOnce = billing === 'now' || from < period.from;
  const billed = atOnce ? bill(after, 'change', period.periodNumber, at, outstandingLines(after)) : [];
  roomFor(billed.reduce<StartedSubscription>(evolve, after), encodedBytes(billed));
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

function schedule(
  subscription: StartedSubscription,
  period: BillingPeriod,
  edits: readonly ItemEdit[],
  at: string,
): SubscriptionEvent[] {
  const { periodNumber, endsAt, to } = period;
  if (subscription.cancelsAt !== null && subscription.cancelsAt <= endsAt)
    throw new DomainError('cancellation-scheduled');
  const all = [...subscription.scheduledEdits, ...edits];
  if (all.length > MAX_EDITS || encodedBytes(all) > MAX_EDIT_BYTES) {
    throw new DomainError('billing-period-full', undefined, { periodNumber });
  }
  named(termsInForce(subscription).items, all);
  if (sameJson(termsAfter(subscription, subscription.scheduledEdits, to), termsAfter(subscription, all, to))) return [];
  const scheduled: SubscriptionEvent = {
    type: 'ItemsChangeScheduled',
    data: { effectiveAt: at, periodNumber, takesEffectAt: endsAt, edits },
  };
  roomFor(evolve(subscription, scheduled), 0);
  return [scheduled];
}

/** What edits make of the terms in force. Raises the codes of what is not possible. */
export function termsAfter(subscription: StartedSubscription, edits: readonly ItemEdit[], from: string) {
  const { items: before, conditions } = termsInForce(subscription);
  const items = distinct(edited(before, edits, from));
  sameMeters([...subscription.terms, { items }]);
  const own = items.find(({ ofPlan, kind }) => !ofPlan && kind !== 'one-time');
  if (own && currencyAfter(edits) !== undefined) {
    throw new DomainError('currency-in-use', `item ${own.itemId} is none of the plan's`, { itemId: own.itemId });
  }
  return {
    items,
    conditions: conditionsAfter(conditions, edits) ?? {},
    interval: intervalAfter(edits) ?? subscription.grid.interval,
    currency: currencyAfter(edits) ?? subscription.currency,
  };
}

/** The edits in canonical form. */
export function checked(edits: readonly NewItemEdit[]): ItemEdit[] {
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
  const { lastClosed, timeZone, currencyFrom = '' } = subscription;
  const { from: kept } = lastClosed ?? period;
  const horizon = currencyFrom > kept ? currencyFrom : kept;
  if (date(on) > toLocalDate(at, timeZone)) throw new DomainError('invalid-option', 'effectiveOn is not after today');
  if (on < dateOf(horizon)) {
    throw new DomainError('before-correction-horizon', undefined, { horizon: dateOf(horizon) });
  }
  const from = startOfDay(on);
  return from > horizon ? from : horizon;
}
