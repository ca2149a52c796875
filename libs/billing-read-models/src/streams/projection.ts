import type {
  ApiKeyEvent,
  CustomerEvent,
  InvoiceEvent,
  InvoiceNumbersEvent,
  PlanEvent,
  SubscriptionEvent,
  UsageEvent,
} from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { allEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, type Table } from '../table';

/** Every stream that an auditor can open. */
export interface StreamRow {
  tenant: string;
  stream: string;
  aggregate: string;
  aggregate_id: string;
  /** What people call it: a subscription's or customer's external id, an invoice's or series' number, a key's name. */
  subject: string | null;
  customer_id: string | null;
  first_recorded_at: string;
  last_recorded_at: string;
  /** Log position of its first event: the order of the list. */
  first_position: bigint;
  revision: bigint;
  position: bigint;
}

export const streamRows: Table<StreamRow> = {
  name: 'stream',
  columns: {
    tenant: 'text',
    stream: 'text',
    aggregate: 'text',
    aggregate_id: 'uuid',
    subject: 'text?',
    customer_id: 'text?',
    first_recorded_at: 'timestamptz',
    last_recorded_at: 'timestamptz',
    first_position: 'int8',
    revision: 'int8',
    position: 'int8',
  },
  key: ['stream'],
  indexes: [
    { on: ['tenant', 'first_position'] },
    { on: ['tenant', 'aggregate', 'first_position'] },
    { on: ['tenant', 'customer_id', 'first_position'], notNull: 'customer_id' },
    { on: ['tenant', 'subject'], notNull: 'subject' },
    { on: ['tenant', 'aggregate_id'] },
  ],
};

type AnyEvent =
  SubscriptionEvent | InvoiceEvent | InvoiceNumbersEvent | PlanEvent | CustomerEvent | ApiKeyEvent | UsageEvent;

function naming(event: AnyEvent): Partial<Pick<StreamRow, 'subject' | 'customer_id'>> {
  if (event.type === 'SubscriptionStarted')
    return { subject: event.data.externalId ?? null, customer_id: event.data.customerId };
  if (event.type === 'InvoiceDrafted') return { customer_id: event.data.customerId };
  if (event.type === 'InvoiceFinalised') return { subject: event.data.number };
  if (event.type === 'InvoiceNumberGranted') return { subject: event.data.series };
  if (event.type === 'PlanCreated') return { subject: event.data.externalId ?? event.data.name };
  if (event.type === 'CustomerCreated') {
    const { customerId, externalId } = event.data;
    return { subject: externalId ?? null, customer_id: externalId ?? customerId };
  }
  if (event.type === 'ApiKeyCreated') return { subject: event.data.name };
  // One stream for each period, all found by what they are the usage of.
  if (event.type === 'UsageOpened') return { subject: event.data.subscriptionId };
  return {};
}

function evolve(row: StreamRow | undefined, stored: StoredEvent): StreamRow {
  const first = row ?? {
    tenant: stored.metadata.tenant,
    stream: stored.stream,
    aggregate: stored.aggregate,
    aggregate_id: stored.aggregateId,
    subject: null,
    customer_id: null,
    first_recorded_at: stored.metadata.recordedAt,
    first_position: stored.position,
  };
  return {
    ...first,
    ...naming(stored.event as AnyEvent),
    last_recorded_at: stored.metadata.recordedAt,
    revision: stored.revision,
    position: stored.position,
  };
}

export const streams: Projection = {
  name: 'streams',
  version: 2,
  handles: allEventTypes,
  tables: [streamRows.name],
  create: (db, schema) => createTable(db, schema, streamRows),
  apply: (events, tx, schema) =>
    foldRows(events, tx, schema, { table: streamRows, column: 'stream', keyOf: (stored) => stored.stream, evolve }),
};
