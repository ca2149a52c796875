import { planId } from '@perennial/billing-domain';

/** A plan as a caller names it. */
export type NamedPlan = { readonly planId: string } | { readonly externalId: string };

/** The id of a plan that a caller names. */
export function planIdOf(tenant: string, named: NamedPlan): string {
  return 'planId' in named ? named.planId : planId(tenant, named);
}
