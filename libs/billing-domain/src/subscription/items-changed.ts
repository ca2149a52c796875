import { dateOf, gridDay, startOfDay, type Grid } from '../calendar';
import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import type { BillingPeriod } from './billing-period';
import { committed } from '../commitment/bounds';
import type { BillingCycleChanged, Conditions, Interval, Item, ItemEdit, ItemsChanged } from './events';
import type { StartedSubscription } from './state';
import type { Meter } from '../usage/meter';
import { distinct, startGrid, withinLimits } from './terms';

/** What the scheduled edits make of the items, and of the grid when a plan has another interval, at the end of the open period. */
export function scheduledChanges(
  subscription: StartedSubscription,
  { endsAt, to }: BillingPeriod,
): (ItemsChanged | BillingCycleChanged)[] {
  const { scheduledEdits: edits, grid } = subscription;
  if (edits.length === 0) return [];
  const every = intervalAfter(edits);
  const restarts = every !== undefined && !sameJson(every, grid.interval);
  const changed = itemsChanged(subscription, edits, { at: endsAt, from: to, cause: 'scheduled', restarts });
  return [...(changed ? [changed] : []), ...(restarts ? [cycleChanged(gridOfInterval(grid, every, to), endsAt)] : [])];
}

/** The currency of the last plan that edits move to, where it is another one. */
export function currencyAfter(edits: readonly ItemEdit[]): string | undefined {
  return edits.findLast((edit) => edit.kind === 'plan')?.currency;
}

/** The interval of the last plan that edits move to. */
export function intervalAfter(edits: readonly ItemEdit[]): Interval | undefined {
  return edits.findLast((edit) => edit.kind === 'plan')?.interval;
}

/** A grid of another interval from a local date-time on: it keeps the day of month, if both have one. (billing-model.md §1) */
export function gridOfInterval(grid: Grid, every: Interval, local: string): Grid {
  const day = isMonthly(every) && isMonthly(grid.interval) ? gridDay(grid) : undefined;
  const anchor = day === undefined ? { localDateTime: startOfDay(dateOf(local)) } : { dayOfMonth: day };
  return startGrid(anchor, every, local);
}

const isMonthly = ({ unit }: Interval) => unit === 'month' || unit === 'year';

/** Periods are counted on this grid from a moment on. */
export function cycleChanged({ anchor, anchorDay, interval }: Grid, effectiveAt: string): BillingCycleChanged {
  const data = { effectiveAt, anchor, ...(anchorDay !== undefined && { anchorDay }), interval };
  return { type: 'BillingCycleChanged', data };
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
  // A boundary never refuses: what is scheduled was checked when it was.
  if (cause === 'requested') sameMeters([...terms, ...after]);
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
          const ofPlan = known?.ofPlan && { ofPlan: known.ofPlan };
          const item = { ...edit.item, ...ofPlan, from: since(known, edit.item, from) };
          return known ? list.map((each) => (each === known ? item : each)) : [...list, item];
        }
        case 'plan':
          return onPlan(list, edit.items, from);
      }
    },
    [...items],
  );
}

/**
 * The components of a plan in place of those of the plan before, by component key: each keeps its id, its quantity where the edit
 * names none, and since when it is there. A one-time fee that is there was charged, and stays as it is.
 */
function onPlan(list: readonly Item[], planned: Extract<ItemEdit, { kind: 'plan' }>['items'], from: string): Item[] {
  const keyed = new Map(planned.map((item) => [item.componentKey, item]));
  const kept = list.flatMap((known): Item[] => {
    const item = keyed.get(known.componentKey);
    const charged = known.kind === 'one-time' && (item?.kind ?? 'one-time') === 'one-time';
    if (charged) return [known];
    if (!item) return known.ofPlan ? [] : [known];
    const quantity = item.quantity ?? (item.kind === known.kind ? known.quantity : '1');
    withinLimits(item, quantity);
    return [{ ...item, itemId: known.itemId, quantity, from: since(known, item, from) }];
  });
  const keys = new Set(kept.map(({ componentKey }) => componentKey));
  const added = planned.filter(({ componentKey }) => !keys.has(componentKey));
  return [...kept, ...added.map((item) => ({ ...item, quantity: item.quantity ?? '1', from }))];
}

/** Since when an item is there: one of another kind comes anew, so that a fee that is charged once is charged. */
function since(known: Item | undefined, { kind }: Pick<Item, 'kind'>, from: string): string {
  return known && known.kind === kind ? known.from : from;
}

/** What terms say besides their items, after edits in order. Raises `invalid-price` when a minimum is above its maximum. */
export function conditionsAfter(
  conditions: Conditions | undefined,
  edits: readonly ItemEdit[],
): Conditions | undefined {
  return edits.reduce((before, edit) => {
    if (edit.kind === 'plan') return edit.conditions;
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
    if (edit.kind === 'plan') edit.items.forEach(({ itemId }) => known.add(itemId));
    if (edit.kind === 'quantity' && !known.has(edit.itemId)) {
      throw new DomainError('item-not-found', `no item ${edit.itemId}`, { itemId: edit.itemId });
    }
  }
}

/** A meter's key names one definition. Raises `meter-changed`. */
export function sameMeters(terms: readonly { readonly items: readonly Item[] }[]): void {
  const known = new Map<string, Meter>();
  for (const { meter } of terms.flatMap(({ items }) => items)) {
    if (!meter) continue;
    const before = known.get(meter.key) ?? meter;
    if (!sameJson(before, meter)) throw new DomainError('meter-changed', undefined, { meter: meter.key });
    known.set(meter.key, meter);
  }
}
