import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import type { BillingPeriod } from './billing-period';
import { committed } from '../commitment/bounds';
import type { Conditions, Item, ItemEdit, ItemsChanged } from './events';
import type { StartedSubscription } from './state';
import type { Meter } from '../usage/meter';
import { distinct, withinLimits } from './terms';

/** What the scheduled edits make of the items at the end of the open period. */
export function scheduledChange(
  subscription: StartedSubscription,
  { endsAt, to }: BillingPeriod,
): ItemsChanged | undefined {
  if (subscription.scheduledEdits.length === 0) return undefined;
  return itemsChanged(subscription, subscription.scheduledEdits, { at: endsAt, from: to, cause: 'scheduled' });
}

/** The terms from a local date-time on; undefined when they are so already. A scheduled change is recorded even when it changes nothing. */
export function itemsChanged(
  subscription: StartedSubscription,
  edits: readonly ItemEdit[],
  {
    at,
    from,
    cause,
    restarts = false,
  }: { at: string; from: string; cause: ItemsChanged['data']['cause']; restarts?: boolean },
): ItemsChanged | undefined {
  const { terms } = subscription;
  const standing = terms.findLast((each) => each.from <= from) ?? terms[0];
  const later = terms.filter((each) => each.from > from && each !== standing);
  const before = [...(standing ? [{ ...standing, from }] : []), ...later];
  if (cause === 'requested')
    named(
      before.flatMap(({ items }) => items),
      edits,
    );
  const after = before.map((each) => ({
    ...each,
    items: edited(each.items, edits, from),
    conditions: conditionsAfter(each.conditions, edits),
  }));
  after.forEach((each) => distinct([...each.items]));
  sameMeters([...terms, ...after]);
  const same = before.every(
    (each, i) =>
      sameJson(each.items, after[i]?.items ?? []) && sameJson(each.conditions ?? {}, after[i]?.conditions ?? {}),
  );
  if (same && !restarts && cause === 'requested') return undefined;
  const first = (terms.at(-1)?.change ?? 0) + 1;
  const numbered = after.map(({ from: begins, items, conditions }, i) => ({
    change: first + i,
    from: begins,
    items,
    ...(conditions && { conditions }),
    ...(restarts && { restarts }),
  }));
  return { type: 'ItemsChanged', data: { effectiveAt: at, cause, from, terms: numbered } };
}

/** The items after edits in order. What an edit names and is not there (any more) is left alone. */
export function edited(items: readonly Item[], edits: readonly ItemEdit[], from: string): Item[] {
  return edits.reduce<Item[]>(
    (list, edit) => {
      switch (edit.kind) {
        case 'quantity':
          return list.map((item) => {
            if (item.itemId !== edit.itemId) return item;
            withinLimits(item, edit.quantity);
            return { ...item, quantity: edit.quantity };
          });
        case 'commitment':
          return list;
        case 'remove':
          return list.filter((item) => item.itemId !== edit.itemId);
        case 'put': {
          const known = list.find((item) => item.itemId === edit.item.itemId);
          const item = { ...edit.item, from: known?.from ?? from };
          return known ? list.map((each) => (each === known ? item : each)) : [...list, item];
        }
      }
    },
    [...items],
  );
}

/** What terms say besides their items, after edits in order. Raises `invalid-price` when a minimum is above its maximum. */
export function conditionsAfter(
  conditions: Conditions | undefined,
  edits: readonly ItemEdit[],
): Conditions | undefined {
  return edits.reduce((before, edit) => {
    if (edit.kind !== 'commitment') return before;
    const { kind: _, ...bounds } = edit;
    return committed(before, bounds);
  }, conditions);
}

/** Raises `item-not-found` when an edit changes the quantity of what is not there. */
export function named(items: readonly Item[], edits: readonly ItemEdit[]): void {
  const known = new Set(items.map(({ itemId }) => itemId));
  for (const edit of edits) {
    if (edit.kind === 'put') known.add(edit.item.itemId);
    if (edit.kind === 'quantity' && !known.has(edit.itemId)) {
      throw new DomainError('item-not-found', `no item ${edit.itemId}`, { itemId: edit.itemId });
    }
  }
}

/** A meter's key names one definition. Raises `meter-changed`. */
function sameMeters(terms: readonly { readonly items: readonly Item[] }[]): void {
  const known = new Map<string, Meter>();
  for (const { meter } of terms.flatMap(({ items }) => items)) {
    if (!meter) continue;
    const before = known.get(meter.key) ?? meter;
    if (!sameJson(before, meter)) throw new DomainError('meter-changed', undefined, { meter: meter.key });
    known.set(meter.key, meter);
  }
}
