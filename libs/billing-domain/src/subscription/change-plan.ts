import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import { publishedTerms, type Plan } from '../plan/plan';
import { planEdit, plannedTerms, type PlanChoice } from '../plan/planned-terms';
import { termsInForce } from './boundary';
import { changeInterval } from './change-billing-cycle';
import { makeEdits, unpaused, type ChangeItems } from './change-items';
import type { SubscriptionEvent } from './events';
import { edited } from './items-changed';
import { outstandingLines } from './outstanding';
import type { StartedSubscription, Subscription } from './state';

/** Add-ons that are left out: those that are there and that the version has, too. */
export type ChangePlan = PlanChoice &
  Pick<ChangeItems, 'when' | 'billing'> & {
    /** Another one begins with the end of the open period. Default: the one that it has. */
    readonly currency?: string | undefined;
  };

/**
 * Moves to a version of a plan: now, at the end of the open period, or backdated. A component that both have keeps its item, its
 * quantity and its tiers; what only the plan before had goes, what only the new one has comes; items of the subscription's own
 * stay, and fees that were charged once are not charged again. Another interval begins now or at the end of the period, and
 * restarts the grid on the same day of month. Trial and billing rules stay as they are. Nothing when it is so already. Raises what
 * changeItems, changeBillingCycle and plannedTerms raise; with another currency `currency-in-use`, `pause-scheduled`.
 * What the period that ends has yet to bill in the one before is billed in it, on a bill of its own.
 */
export function changePlan(state: Subscription, plan: Plan, input: ChangePlan, now: string): SubscriptionEvent[] {
  const subscription = unpaused(state, now);
  const { when = 'now', currency = subscription.currency } = input;
  const planned = plannedTerms(plan, currency, {
    ...input,
    addOns: input.addOns ?? keptAddOns(subscription, plan, input),
  });
  const edit = planEdit(planned);
  if (currency !== subscription.currency) {
    if (when !== 'period-end')
      throw new DomainError('invalid-option', 'another currency begins at the end of the period');
    refuseUnbilled(subscription);
    return makeEdits(subscription, [{ ...edit, currency }], input, now);
  }
  const edits = [edit];
  const sameInterval = sameJson(planned.interval, subscription.grid.interval);
  if (sameInterval || when === 'period-end') return makeEdits(subscription, edits, input, now);
  if (when !== 'now')
    throw new DomainError('invalid-option', 'another interval begins now or at the end of the period');
  return changeInterval(subscription, planned.interval, edits, now);
}

/** Raises `currency-in-use`, and `pause-scheduled` when the pause would begin with the other currency. (billing-model.md §4) */
function refuseUnbilled(subscription: StartedSubscription): void {
  const { openPeriod, accrued, awaitsUsage, coupons, pausesAt } = subscription;
  if (pausesAt !== null) throw new DomainError('pause-scheduled');
  const amount = coupons.find(({ discount }) => discount.kind === 'amount');
  if (amount) throw new DomainError('currency-in-use', `coupon ${amount.code} is an amount in it`);
  const lines = [...(openPeriod?.lines ?? []), ...accrued, ...outstandingLines(subscription)];
  if (lines.length > 0 || awaitsUsage) throw new DomainError('currency-in-use', 'lines in it are not billed yet');
}

/** The optional components of the version that the subscription has items of. */
function keptAddOns(subscription: StartedSubscription, plan: Plan, { version, when }: ChangePlan): string[] {
  const { terms } = publishedTerms(plan, version);
  const { items } = termsInForce(subscription);
  const then = when === 'period-end' ? edited(items, subscription.scheduledEdits, '') : items;
  const there = new Set(then.flatMap(({ ofPlan, componentKey }) => (ofPlan ? [componentKey] : [])));
  return terms.components.flatMap(({ optional, componentKey }) =>
    optional === true && there.has(componentKey) ? [componentKey] : [],
  );
}
