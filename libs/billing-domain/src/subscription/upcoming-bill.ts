import { instant, laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import { nextBoundary, startedState, usageBillsAt } from './boundary';
import type { LinesBilled } from './events';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { rollOver } from './subscription';
import { billUsage, needsSeal } from './bill-usage';
import type { SealedUsage } from '../usage/events';

/** Boundaries that a preview crosses in all: those that have elapsed, and those until one bills something. */
export const MAX_BOUNDARIES_AHEAD = 500;

/** The next bill as things stand; without one, why there is none. */
export type UpcomingBill = {
  /** Bills of periods that have elapsed and are not rolled over yet, which come before it. */
  readonly before: readonly LinesBilled['data'][];
} & (
  | { readonly bill: LinesBilled['data'] }
  | {
      readonly bill: null;
      readonly reason: 'subscription-canceled' | 'subscription-paused' | 'billing-held' | 'nothing-to-bill';
    }
);

/**
 * The bill of the next boundary that bills something, if nothing else happens until then: the boundary's own decision, taken in
 * memory after those of the periods that have elapsed. `sealed`: what was used in a period so far; absent: nothing. Raises `subscription-not-found`, `boundary-due` (too many have elapsed).
 */
export function upcomingBill(
  state: Subscription,
  now: string,
  sealed?: (periodNumber: number) => SealedUsage | undefined,
): UpcomingBill {
  const at = instant(now);
  const before: LinesBilled['data'][] = [];
  let subscription = startedState(state);
  for (let boundaries = 0; boundaries < MAX_BOUNDARIES_AHEAD; boundaries += 1) {
    const period = nextBoundary(subscription);
    const { status } = subscription;
    if (subscription.hold) return { before, bill: null, reason: 'billing-held' };
    if (!period)
      return { before, bill: null, reason: status === 'canceled' ? 'subscription-canceled' : 'subscription-paused' };
    const { awaitsUsage } = subscription;
    const billsAt = usageBillsAt(subscription) ?? period.endsAt;
    const usage = (periodNumber: number) => sealed?.(periodNumber) ?? noUsage(subscription, periodNumber);
    const events = awaitsUsage
      ? billUsage(subscription, awaitsUsage.periodNumber, usage(awaitsUsage.periodNumber), laterInstant(at, billsAt))
      : rollOver(
          subscription,
          period.periodNumber,
          laterInstant(at, period.endsAt),
          needsSeal(subscription) ? usage(period.periodNumber) : undefined,
        );
    const bills = events.flatMap((event) => (event.type === 'LinesBilled' ? [event.data] : []));
    const [bill] = bills;
    if (bill && bill.effectiveAt > at) return { before, bill };
    before.push(...bills);
    subscription = events.reduce(evolve, subscription);
  }
  const period = nextBoundary(subscription);
  if (period && period.endsAt <= at)
    throw new DomainError('boundary-due', undefined, { periodNumber: period.periodNumber });
  return { before, bill: null, reason: 'nothing-to-bill' };
}

/** The usage of a period in which there was none. */
function noUsage({ subscriptionId }: StartedSubscription, periodNumber: number): SealedUsage {
  return { subscriptionId, periodNumber, startsAt: '', to: '', segments: [], carried: [] };
}
