import { policyKey } from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import type { RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';

/** The context of the one command that a policy derives from an event: its key too, so that a repeat changes nothing. */
export function policyRequest(policy: string, event: StoredEvent, content: object): RequestContext {
  return {
    tenant: event.metadata.tenant,
    key: policyKey(event.id, policy),
    fingerprint: fingerprintOf(content),
    principal: `policy:${policy}`,
    correlationId: event.metadata.correlationId,
    causationId: event.id,
    traceparent: event.metadata.traceparent,
  };
}
