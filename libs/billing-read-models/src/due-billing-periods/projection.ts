import type { SubscriptionEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { createTable, deleteRows, upsertRows, type Table } from '../table';

/** When each open period ends, and when what is scheduled starts (as the end of period 0); a subscription has one row at most. */
export interface DueBillingPeriodRow {
  tenant: string;
  subscription_id: string;
  period_number: number;
  ends_at: string;
  /** It waits until someone releases the hold. */
  held: boolean;
  revision: bigint;
  position: bigint;
}

export const dueBillingPeriodRows: Table<DueBillingPeriodRow> = {
  name: 'due_billing_period',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    period_number: 'int4',
    ends_at: 'timestamptz',
    held: 'bool',
    revision: 'int8',
    position: 'int8',
  },
  key: ['subscription_id'],
  indexes: [{ on: ['ends_at', 'subscription_id'] }, { on: ['tenant', 'ends_at', 'subscription_id'] }],
};

function row(stored: StoredEvent, periodNumber: number, endsAt: string, held = false): DueBillingPeriodRow {
  return {
    tenant: stored.metadata.tenant,
    subscription_id: stored.aggregateId,
    period_number: periodNumber,
    ends_at: endsAt,
    held,
    revision: stored.revision,
    position: stored.position,
  };
}

export const dueBillingPeriods: Projection = {
  name: 'due-billing-periods',
  version: 2,
  handles: [
    'SubscriptionStarted',
    'BillingPeriodOpened',
    'BillingPeriodClosed',
    'SubscriptionCanceled',
    'BillingHeld',
    'BillingHoldReleased',
  ],
  tables: [dueBillingPeriodRows.name],
  create: (db, schema) => createTable(db, schema, dueBillingPeriodRows),
  async apply(events, tx, schema) {
    // The last of these events alone says what is due, so no row need be read; null: nothing.
    const due = new Map<string, DueBillingPeriodRow | null>();
    for (const stored of events) {
      const event = stored.event as SubscriptionEvent;
      if (event.type === 'SubscriptionStarted') {
        const { startsAt, effectiveAt } = event.data;
        if (startsAt > effectiveAt) due.set(stored.aggregateId, row(stored, 0, startsAt));
      } else if (event.type === 'BillingPeriodOpened') {
        due.set(stored.aggregateId, row(stored, event.data.periodNumber, event.data.endsAt));
      } else if (event.type === 'BillingHeld' || event.type === 'BillingHoldReleased') {
        const { period } = event.data;
        const held = event.type === 'BillingHeld';
        due.set(stored.aggregateId, period ? row(stored, period.periodNumber, period.endsAt, held) : null);
      } else due.set(stored.aggregateId, null);
    }
    const ended = [...due].filter(([, open]) => open === null).map(([id]) => ({ subscription_id: id }));
    await deleteRows(tx, schema, dueBillingPeriodRows, ['subscription_id'], ended);
    await upsertRows(
      tx,
      schema,
      dueBillingPeriodRows,
      [...due.values()].filter((open) => open !== null),
    );
  },
};
