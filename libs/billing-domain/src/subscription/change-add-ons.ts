import { DomainError } from '../domain-error';
import { itemOf } from '../plan/component-item';
import type { Plan } from '../plan/plan';
import { termsInForce } from './boundary';
import { checked, makeEdits, unpaused, type ChangeItems, type NewItemEdit } from './change-items';
import type { Conditions, Item, SubscriptionEvent } from './events';
import { conditionsAfter, currencyAfter, edited } from './items-changed';
import type { StartedSubscription, Subscription } from './state';

export interface ChangeAddOns extends Pick<ChangeItems, 'when' | 'billing'> {
  /** A quantity that is left out is as it is, or 1. */
  readonly add?: readonly { readonly componentKey: string; readonly quantity?: string | undefined }[] | undefined;
  /** Component keys. */
  readonly remove?: readonly string[] | undefined;
}

/** The version of a plan that a change of add-ons at that time is about. Raises `no-plan` and what `living` does. */
export function planOfAddOns(state: Subscription, { when }: ChangeAddOns, now: string) {
  const subscription = unpaused(state, now);
  const { plan } = termsThen(subscription, when).conditions ?? {};
  if (!plan) throw new DomainError('no-plan');
  return plan;
}

/**
 * Adds and removes add-ons of the version that the subscription is on, also of one that is archived by now: they bill on the
 * subscription's own periods. Nothing when it is so already. Raises `no-plan`, `unknown-component` and what changeItems raises.
 */
export function changeAddOns(state: Subscription, plan: Plan, input: ChangeAddOns, now: string): SubscriptionEvent[] {
  const { planId, version } = planOfAddOns(state, input, now);
  const subscription = unpaused(state, now);
  const terms = plan.status === 'none' || plan.planId !== planId ? undefined : plan.versions[version - 1]?.terms;
  if (!terms) throw new DomainError('plan-version-not-found');
  const addOn = (key: string) => {
    const found = terms.components.find(({ componentKey, optional }) => componentKey === key && optional === true);
    if (!found) throw new DomainError('unknown-component', `no such add-on: ${key}`);
    return found;
  };
  const { items, currency } = termsThen(subscription, input.when);
  const there = (key: string) => items.find(({ ofPlan, componentKey }) => ofPlan && componentKey === key);
  const { add = [], remove = [] } = input;
  const edits = [
    ...remove.flatMap((key): NewItemEdit[] => {
      const item = there(addOn(key).componentKey);
      return item ? [{ kind: 'remove', itemId: item.itemId }] : [];
    }),
    ...add.flatMap(({ componentKey: key, quantity }): NewItemEdit[] => {
      const component = addOn(key);
      const item = there(key);
      if (item && !remove.includes(key)) {
        return quantity === undefined ? [] : [{ kind: 'quantity', itemId: item.itemId, quantity }];
      }
      const quantities = quantity === undefined ? {} : { [key]: quantity };
      return [{ kind: 'put', item: itemOf(component, currency, quantities) }];
    }),
  ];
  return edits.length === 0 ? [] : makeEdits(subscription, checked(edits), input, now);
}

/** The terms in force, or those that the end of the open period brings. */
function termsThen(subscription: StartedSubscription, when: ChangeItems['when']): TermsThen {
  const { items, conditions } = termsInForce(subscription);
  const edits = when === 'period-end' ? subscription.scheduledEdits : [];
  return {
    items: edited(items, edits, ''),
    conditions: conditionsAfter(conditions, edits),
    currency: currencyAfter(edits) ?? subscription.currency,
  };
}

interface TermsThen {
  readonly items: readonly Item[];
  readonly conditions: Conditions | undefined;
  readonly currency: string;
}
