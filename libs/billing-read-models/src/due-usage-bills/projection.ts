import type { SubscriptionEvent } from '@perennial/billing-domain';
import type { Projection } from '@perennial/event-sourcing';
import { createTable, deleteRows, upsertRows, type Table } from '../table';

/** When the bill of each closed period whose usage was not sealed is due; a subscription has one row at most. */
export interface DueUsageBillRow {
  tenant: string;
  subscription_id: string;
  period_number: number;
  due_at: string;
  revision: bigint;
  position: bigint;
}

export const dueUsageBillRows: Table<DueUsageBillRow> = {
  name: 'due_usage_bill',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    period_number: 'int4',
    due_at: 'timestamptz',
    revision: 'int8',
    position: 'int8',
  },
  key: ['subscription_id'],
  indexes: [{ on: ['due_at', 'subscription_id'] }],
};

export const dueUsageBills: Projection = {
  name: 'due-usage-bills',
  version: 1,
  handles: ['BillingPeriodClosed', 'UsageBilled'],
  tables: [dueUsageBillRows.name],
  create: (db, schema) => createTable(db, schema, dueUsageBillRows),
  async apply(events, tx, schema) {
    // The last of these events alone says what is due; null: nothing.
    const due = new Map<string, DueUsageBillRow | null>();
    for (const { event: any, metadata, aggregateId, revision, position } of events) {
      const event = any as SubscriptionEvent;
      if (event.type === 'UsageBilled') due.set(aggregateId, null);
      if (event.type !== 'BillingPeriodClosed' || event.data.usageDueAt === undefined) continue;
      const { periodNumber, usageDueAt } = event.data;
      due.set(aggregateId, {
        tenant: metadata.tenant,
        subscription_id: aggregateId,
        period_number: periodNumber,
        due_at: usageDueAt,
        revision,
        position,
      });
    }
    const billed = [...due].filter(([, row]) => row === null).map(([id]) => ({ subscription_id: id }));
    await deleteRows(tx, schema, dueUsageBillRows, ['subscription_id'], billed);
    await upsertRows(
      tx,
      schema,
      dueUsageBillRows,
      [...due.values()].filter((row) => row !== null),
    );
  },
};
