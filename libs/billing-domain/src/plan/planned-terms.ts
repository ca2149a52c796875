import type { BillingRules } from '../billing-rules';
import type { Interval } from '../calendar';
import { DomainError } from '../domain-error';
import type { Conditions, ItemEdit } from '../subscription/events';
import type { StartSubscription } from '../subscription/start';
import { newItem, type NewItem } from '../subscription/terms';
import { itemOf } from './component-item';
import type { PlanComponent } from './events';
import { publishedTerms, type Plan } from './plan';

/** What a start or a change picks of a version of a plan. */
export interface PlanChoice {
  /** Default: the newest that is published. */
  readonly version?: number | undefined;
  /** By component key, of what has a quantity. Default: as it is, else 1. */
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
 * `plan-version-draft`, `plan-version-archived`, `currency-mismatch`, `unknown-component`.
 */
export function plannedTerms(
  plan: Plan,
  code: string,
  { version: asked, quantities = {}, addOns = [] }: PlanChoice,
): PlannedTerms {
  const { planId, version, terms } = publishedTerms(plan, asked);
  const { components, minimum, maximum, trialDays, minimumTermPeriods, noticeDays, usageGraceHours } = terms;
  if (!terms.currencies.includes(code)) throw new DomainError('currency-mismatch', `the plan has no prices in ${code}`);
  const optional = components.filter((component) => component.optional === true);
  known(addOns, optional);
  const picked = components.filter(
    (component) => !optional.includes(component) || addOns.includes(component.componentKey),
  );
  const counted = picked.filter(({ kind }) => kind !== 'usage');
  known(Object.keys(quantities), counted);
  return {
    interval: terms.interval,
    rules: terms.rules,
    ...(trialDays !== undefined && { trialDays }),
    items: picked.map((component) => itemOf(component, code, quantities)),
    conditions: {
      plan: { planId, version },
      ...(minimum?.[code] !== undefined && { minimum: minimum[code] }),
      ...(maximum?.[code] !== undefined && { maximum: maximum[code] }),
      ...(minimumTermPeriods && { minimumTermPeriods }),
      ...(noticeDays && { noticeDays }),
      ...(usageGraceHours && { usageGraceHours }),
    },
  };
}

/** Raises `unknown-component`. */
function known(keys: readonly string[], components: readonly PlanComponent[]): void {
  const missing = keys.find((key) => components.every(({ componentKey }) => componentKey !== key));
  if (missing !== undefined) throw new DomainError('unknown-component', `no such component: ${missing}`);
}

/** What a subscription starts with on a plan; what the caller asks for besides stands in the plan's place. Raises `incomplete-plan`. */
export function startOnPlan<Asked extends Partial<StartSubscription>>(
  asked: Asked,
  { interval, rules, conditions, trialDays, items: components }: PlannedTerms,
) {
  const { plan, minimum, maximum, minimumTermPeriods, noticeDays, usageGraceHours } = conditions;
  const [item, ...items] = [...components, ...(asked.item ? [asked.item] : []), ...(asked.items ?? [])];
  if (!item) throw new DomainError('incomplete-plan', 'nothing of the plan is picked');
  return {
    ...asked,
    trialDays: asked.trialDays ?? trialDays,
    minimumTermPeriods: asked.minimumTermPeriods ?? minimumTermPeriods,
    noticeDays: asked.noticeDays ?? noticeDays,
    usageGraceHours: asked.usageGraceHours ?? usageGraceHours,
    commitment: asked.commitment ?? {
      ...(minimum !== undefined && { minimum }),
      ...(maximum !== undefined && { maximum }),
    },
    interval,
    rules,
    item,
    items,
    plan,
  };
}

/** The edit that puts a version of a plan in the place of the one before. Raises the codes of category `invalid`. */
export function planEdit({ interval, items, conditions }: PlannedTerms): Extract<ItemEdit, { kind: 'plan' }> {
  return {
    kind: 'plan',
    interval,
    items: items.map((each) => {
      const { from: _, quantity, ...item } = newItem(each, '');
      return { ...item, ...(each.quantity !== undefined && { quantity }) };
    }),
    conditions,
  };
}
