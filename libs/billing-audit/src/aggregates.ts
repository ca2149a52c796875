import { aggregateTypes } from '@perennial/billing-domain';
import type { AggregateType, DomainEvent } from '@perennial/event-sourcing';

/** Every aggregate that has streams, by the first part of its stream names; the audit knows of a state only its JSON. */
export const aggregates: ReadonlyMap<string, AggregateType<unknown, DomainEvent>> = new Map(
  aggregateTypes.map((type) => [type.name, type as unknown as AggregateType<unknown, DomainEvent>]),
);
