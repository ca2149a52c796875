import { type LateUsageNoted } from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { CountLateUsage, lateUsageRequest } from '../commands/count-late-usage';

/** What came late counts where the request that noted it could not finish; where it did, the key is known there. */
export const countLateUsage: Policy<CountLateUsage> = {
  name: 'countLateUsage',
  handles: ['LateUsageNoted'],
  react({ id, event, metadata }) {
    const { tenant, correlationId, traceparent } = metadata;
    const context = { ...lateUsageRequest(id), tenant, correlationId, traceparent, causationId: id };
    return [new CountLateUsage((event as LateUsageNoted).data, context)];
  },
};
