import { laterInstant } from '../calendar';
import { startedState } from './boundary';
import type { BillingHeld, SubscriptionEvent } from './events';
import { evolve, type StartedSubscription, type Subscription } from './state';

/*
 * Runaway brakes: whatever goes wrong, in a caller's loop or in here, stops after a bounded number of bills, visibly. They count
 * what lies between two boundaries, so that catching up on years of them passes. (billing-rules.md §1, Kill Bill's safety bounds)
 */

/** Bills between two boundaries. */
export const MAX_BILLS_PER_BOUNDARY = 100;
/** Charges and corrections of one item whose service begins on one date. */
export const MAX_LINES_PER_ITEM_AND_DAY = 50;

/** What a command decided, and that billing is held from now on when its bill passes a bound. */
export function guarded(before: StartedSubscription, events: SubscriptionEvent[]): SubscriptionEvent[] {
  const held = doubt(before, events);
  return held ? [...events, held] : events;
}

/** What a boundary decided; when its bill passes a bound, that billing is held: the boundary waits, and nothing is billed. */
export function heldInstead(before: StartedSubscription, events: SubscriptionEvent[]): SubscriptionEvent[] {
  const held = doubt(before, events);
  return held ? [{ ...held, data: { ...held.data, ...waiting(before) } }] : events;
}

/**
 * Lets billing go on: what was billed, and the next bill, are taken to be right. Nothing when it is not held. Raises
 * `subscription-not-found`.
 */
export function releaseHold(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = startedState(state);
  if (!subscription.hold) return [];
  const effectiveAt = laterInstant(now, subscription.hold.heldAt);
  return [{ type: 'BillingHoldReleased', data: { effectiveAt, ...waiting(subscription) } }];
}

function doubt(before: StartedSubscription, events: readonly SubscriptionEvent[]): BillingHeld | undefined {
  const bill = events.findLast(({ type }) => type === 'LinesBilled');
  if (!bill) return undefined;
  const after = events.reduce<StartedSubscription>(evolve, before);
  const passed = boundPassed(after);
  return passed && { type: 'BillingHeld', data: { effectiveAt: bill.data.effectiveAt, ...passed, ...waiting(after) } };
}

function boundPassed({ billsSinceBoundary, trustedBills, billed }: StartedSubscription) {
  if (billsSinceBoundary > MAX_BILLS_PER_BOUNDARY) {
    return { reason: 'repeated-bills', count: billsSinceBoundary } as const;
  }
  const counts = new Map<string, number>();
  for (const { billNumber, line } of billed) {
    const { itemId, kind, service } = line;
    if (billNumber <= trustedBills || itemId === undefined || (kind !== 'recurring' && kind !== 'correction')) continue;
    const key = `${service.from} ${itemId}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count > MAX_LINES_PER_ITEM_AND_DAY) {
      return { reason: 'repeated-lines', count, itemId, serviceFrom: service.from } as const;
    }
  }
  return undefined;
}

function waiting({ openPeriod: period }: StartedSubscription): Pick<BillingHeld['data'], 'period'> {
  return period ? { period: { periodNumber: period.periodNumber, endsAt: period.endsAt } } : {};
}
