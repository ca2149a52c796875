import type { CustomerErased } from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { DestroyCustomerKey } from '../commands/destroy-customer-key';
import { policyRequest } from './policy-request';

const NAME = 'destroyKeyOfErasedCustomer';

/** An erased customer's key is destroyed, also when whoever erased it could not do so itself. */
export const destroyKeyOfErasedCustomer: Policy<DestroyCustomerKey> = {
  name: NAME,
  handles: ['CustomerErased'],
  react(stored) {
    const { customerId } = (stored.event as CustomerErased).data;
    return [new DestroyCustomerKey(customerId, policyRequest(NAME, stored, {}))];
  },
};
