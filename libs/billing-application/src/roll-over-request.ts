import { billUsageKey, rollOverKey } from '@perennial/billing-domain';
import type { RequestContext } from './command-result';
import { fingerprintOf } from './fingerprint';

/** A period of a subscription that has elapsed, as the read model of due periods states it. */
export interface ElapsedPeriod {
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly periodNumber: number;
}

/**
 * The context of the one command that rolls this period over, whoever sends it: the scheduler, another scheduler, or a
 * command that met the boundary first. All of them carry the same key and fingerprint.
 */
export function rollOverRequest({ tenant, subscriptionId, periodNumber }: ElapsedPeriod): RequestContext {
  const key = rollOverKey(subscriptionId, periodNumber);
  return {
    tenant,
    key,
    fingerprint: fingerprintOf({ command: 'RollOverBillingPeriod', subscriptionId, periodNumber }),
    principal: 'policy:rollOverElapsedPeriods',
    correlationId: key,
  };
}

/** The context of the one command that bills a closed period whose usage had to be sealed first, whoever sends it. */
export function billUsageRequest({ tenant, subscriptionId, periodNumber }: ElapsedPeriod): RequestContext {
  const key = billUsageKey(subscriptionId, periodNumber);
  return {
    tenant,
    key,
    fingerprint: fingerprintOf({ command: 'BillUsage', subscriptionId, periodNumber }),
    principal: 'policy:rollOverElapsedPeriods',
    correlationId: key,
  };
}
