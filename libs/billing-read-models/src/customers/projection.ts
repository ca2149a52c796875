import type { CustomerEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent, StoredPersonal } from '@perennial/event-sourcing';
import { customerEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, type Table } from '../table';

/** A customer. `personal` is as the last event that had some holds it, sealed; null when there is none or it was erased. */
export interface CustomerRow {
  tenant: string;
  customer_id: string;
  external_id: string | null;
  status: 'active' | 'erased';
  currency: string;
  time_zone: string;
  payment_terms_days: number;
  metadata: Readonly<Record<string, string>>;
  personal: StoredPersonal | null;
  created_at: string;
  erased_at: string | null;
  /** Log position of its first event: the order of the list. */
  created_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export const customerRows: Table<CustomerRow> = {
  name: 'customer',
  columns: {
    tenant: 'text',
    customer_id: 'uuid',
    external_id: 'text?',
    status: 'text',
    currency: 'char(3)',
    time_zone: 'text',
    payment_terms_days: 'int4',
    metadata: 'jsonb',
    personal: 'jsonb?',
    created_at: 'timestamptz',
    erased_at: 'timestamptz?',
    created_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['customer_id'],
  indexes: [
    { on: ['tenant', 'created_position'] },
    { on: ['tenant', 'external_id'], notNull: 'external_id' },
    { on: ['tenant', 'status', 'created_position'] },
    { on: ['metadata'], using: 'gin' },
  ],
};

function evolve(row: CustomerRow | undefined, stored: StoredEvent): CustomerRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as CustomerEvent;
  if (event.type === 'CustomerCreated') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      customer_id: stored.aggregateId,
      external_id: data.externalId ?? null,
      status: 'active',
      currency: data.currency,
      time_zone: data.timeZone,
      payment_terms_days: data.paymentTermsDays,
      metadata: data.metadata,
      personal: (data.personal as StoredPersonal | undefined) ?? null,
      created_at: data.effectiveAt,
      erased_at: null,
      created_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before CustomerCreated`);
  const next = { ...row, ...seen };
  switch (event.type) {
    case 'CustomerChanged': {
      const { data } = event;
      next.currency = data.currency ?? row.currency;
      next.time_zone = data.timeZone ?? row.time_zone;
      next.payment_terms_days = data.paymentTermsDays ?? row.payment_terms_days;
      next.metadata = data.metadata ?? row.metadata;
      next.personal = (data.personal as StoredPersonal | undefined) ?? row.personal;
      break;
    }
    case 'CustomerErased':
      next.status = 'erased';
      next.erased_at = event.data.effectiveAt;
      next.metadata = {};
      next.personal = null;
      break;
  }
  return next;
}

export const customers: Projection = {
  name: 'customers',
  version: 1,
  handles: customerEventTypes,
  tables: [customerRows.name],
  create: (db, schema) => createTable(db, schema, customerRows),
  apply: (events, tx, schema) =>
    foldRows(
      events.filter((event) => event.aggregate === 'customer'),
      tx,
      schema,
      { table: customerRows, column: 'customer_id', keyOf: (stored) => stored.aggregateId, evolve },
    ),
};
