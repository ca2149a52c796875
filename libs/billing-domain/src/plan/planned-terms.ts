import type { BillingRules } from '../billing-rules';
import type { Interval } from '../calendar';
import { DomainError } from '../domain-error';
import type { Conditions } from '../subscription/events';
import type { StartSubscription } from '../subscription/start';
import type { NewItem } from '../subscription/terms';
import type { PlanComponent } from './events';
import { publishedTerms, type Plan } from './plan';

/** What a start or a change picks of a version of a plan. */
export interface PlanChoice {
  /** Default: the newest that is published. */
  readonly version?: number | undefined;
  /** By component key, of what recurs. Default: as it is, else 1. */
  readonly quantities?: Readonly<Record<string, string>> | undefined;
  /** Component keys. */
  readonly addOns?: readonly string[] | undefined;
}

/** A version of a plan as one subscription takes it. */
export interface PlannedTerms {
  readonly interval: Interval;
  readonly rules: BillingRules;
  readonly trialDays?: number;
  readonly items: readonly NewItem[];
  readonly conditions: Conditions;
}

/**
 * The terms that a plan gives a subscription in its currency. Raises `plan-not-found`, `plan-version-not-found`,
 * `plan-version-archived`, `currency-mismatch`, `unknown-component`.
 */
export function plannedTerms(
  plan: Plan,
  code: string,
  { version: asked, quantities = {}, addOns = [] }: PlanChoice,
): PlannedTerms {
  const { version, terms } = publishedTerms(plan, asked);
  const { minimum, maximum, trialDays, minimumTermPeriods, noticeDays, usageGraceHours } = terms;
  if (plan.status === 'none') throw new DomainError('plan-not-found');
  if (!terms.currencies.includes(code)) throw new DomainError('currency-mismatch', `the plan has no prices in ${code}`);
  const picked = terms.components.filter(
    ({ componentKey, optional }) => optional !== true || addOns.includes(componentKey),
  );
  const known = (key: string, of: readonly PlanComponent[]) => {
    if (!of.some(({ componentKey }) => componentKey === key)) throw new DomainError('unknown-component', key);
  };
  for (const key of addOns)
    known(
      key,
      terms.components.filter(({ optional }) => optional === true),
    );
  for (const key of Object.keys(quantities))
    known(
      key,
      picked.filter(({ kind }) => kind !== 'usage'),
    );
  return {
    interval: terms.interval,
    rules: terms.rules,
    ...(trialDays !== undefined && { trialDays }),
    items: picked.flatMap((component) => itemOf(component, code, quantities)),
    conditions: {
      plan: { planId: plan.planId, version },
      ...(minimum?.[code] !== undefined && { minimum: minimum[code] }),
      ...(maximum?.[code] !== undefined && { maximum: maximum[code] }),
      ...(minimumTermPeriods && { minimumTermPeriods }),
      ...(noticeDays && { noticeDays }),
      ...(usageGraceHours && { usageGraceHours }),
    },
  };
}

function itemOf(
  { kind, optional: _, prices, every, ...component }: PlanComponent,
  code: string,
  quantities: Readonly<Record<string, string>>,
): NewItem[] {
  const of = prices[code];
  if (!of) return [];
  const { componentKey } = component;
  const quantity = Object.hasOwn(quantities, componentKey) ? quantities[componentKey] : undefined;
  return [
    {
      ...component,
      ...(kind !== 'recurring' && { kind }),
      every,
      price: of,
      ...(quantity !== undefined && { quantity }),
      ofPlan: true,
    },
  ];
}

/** What a subscription starts with on a plan: what the caller asks for besides goes before. */
export function startOnPlan<Asked extends Partial<StartSubscription>>(asked: Asked, planned: PlannedTerms) {
  const { interval, rules, conditions, trialDays } = planned;
  const { plan, minimum, maximum, ...counts } = conditions;
  const [item, ...items] = [...planned.items, ...(asked.item ? [asked.item] : []), ...(asked.items ?? [])];
  if (!item) throw new DomainError('incomplete-plan', 'nothing of the plan is picked');
  return {
    trialDays,
    ...counts,
    commitment: { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) },
    ...asked,
    interval,
    rules,
    item,
    items,
    plan,
  };
}

