import { DomainError } from '../domain-error';
import type { NewItem } from '../subscription/terms';
import type { PlanComponent } from './events';

/** A component as an item in one of the plan's currencies. Raises `incomplete-plan` when it has no price in it. */
export function itemOf(
  { kind, optional: _, prices, ...component }: PlanComponent,
  code: string,
  quantities: Readonly<Record<string, string>> = {},
): NewItem {
  const { componentKey } = component;
  const price = prices[code];
  if (!price) throw new DomainError('incomplete-plan', `${componentKey} has no price in ${code}`);
  return {
    ...component,
    ...(kind !== 'recurring' && { kind }),
    price,
    ...(Object.hasOwn(quantities, componentKey) && { quantity: quantities[componentKey] }),
    ofPlan: true,
  };
}
