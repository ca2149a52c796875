import type { SubscriptionEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { sql, type Transaction } from 'kysely';
import { subscriptionEventTypes } from '../event-types';
import { lineColumns, lineRow, type LineRow } from '../line-row';
import { foldRows } from '../fold-rows';
import { createTable, deleteRows, upsertRows, type Table } from '../table';

/** A subscription and its open period; the period's columns are null while none is open. */
export interface CurrentBillingPeriodRow {
  tenant: string;
  subscription_id: string;
  customer_id: string;
  currency: string;
  time_zone: string;
  period_number: number | null;
  kind: 'regular' | 'trial' | null;
  grid_index: number | null;
  /** Local date-times in `time_zone`, half-open, and the same as instants. */
  local_from: string | null;
  local_to: string | null;
  starts_at: string | null;
  ends_at: string | null;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

/** A line of the open period: pending, or (with `bill_number`) already billed for it, as a charge in advance is. */
export interface CurrentBillingPeriodLineRow extends LineRow {
  tenant: string;
  subscription_id: string;
  bill_number: number | null;
  added_revision: bigint;
  /** Its place among the lines of the same event. */
  ordinal: number;
}

export const currentBillingPeriods: Table<CurrentBillingPeriodRow> = {
  name: 'current_billing_period',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    customer_id: 'text',
    currency: 'char(3)',
    time_zone: 'text',
    period_number: 'int4?',
    kind: 'text?',
    grid_index: 'int4?',
    local_from: 'text?',
    local_to: 'text?',
    starts_at: 'timestamptz?',
    ends_at: 'timestamptz?',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['subscription_id'],
  indexes: [],
};

export const currentBillingPeriodLines: Table<CurrentBillingPeriodLineRow> = {
  name: 'current_billing_period_line',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    bill_number: 'int4?',
    added_revision: 'int8',
    ordinal: 'int4',
    ...lineColumns,
  },
  key: ['subscription_id', 'line_id'],
  indexes: [],
};

const NO_PERIOD = {
  period_number: null,
  kind: null,
  grid_index: null,
  local_from: null,
  local_to: null,
  starts_at: null,
  ends_at: null,
} as const;

function evolve(row: CurrentBillingPeriodRow | undefined, stored: StoredEvent): CurrentBillingPeriodRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as SubscriptionEvent;
  if (event.type === 'SubscriptionStarted')
    return {
      tenant: stored.metadata.tenant,
      subscription_id: stored.aggregateId,
      customer_id: event.data.customerId,
      currency: event.data.currency,
      time_zone: event.data.timeZone,
      ...NO_PERIOD,
      ...seen,
    };
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before SubscriptionStarted`);
  if (event.type === 'BillingPeriodClosed') return { ...row, ...NO_PERIOD, ...seen };
  if (event.type === 'CurrencyChanged') return { ...row, currency: event.data.currency, ...seen };
  if (event.type === 'TimeZoneChanged') return { ...row, time_zone: event.data.timeZone, ...seen };
  if (event.type !== 'BillingPeriodOpened') return { ...row, ...seen };
  const { data } = event;
  return {
    ...row,
    period_number: data.periodNumber,
    kind: data.kind,
    grid_index: data.gridIndex,
    local_from: data.from,
    local_to: data.to,
    starts_at: data.startsAt,
    ends_at: data.endsAt,
    ...seen,
  };
}

/** What a batch does to the lines of one subscription, without reading those that are there. */
interface LineChanges {
  /** All lines that were there before the batch go. */
  cleared: boolean;
  readonly written: Map<string, CurrentBillingPeriodLineRow>;
  readonly removed: Set<string>;
  /** Bills of lines that were there before the batch. */
  readonly billed: Map<string, number>;
}

function changeLines(changes: LineChanges, period: CurrentBillingPeriodRow, stored: StoredEvent): void {
  const of = { tenant: stored.metadata.tenant, subscription_id: stored.aggregateId, added_revision: stored.revision };
  const event = stored.event as SubscriptionEvent;
  if (event.type === 'LineItemAdded' || event.type === 'LineItemsAdded') {
    const lines = event.type === 'LineItemAdded' ? [event.data.line] : event.data.lines;
    for (const [ordinal, line] of lines.entries())
      changes.written.set(line.lineId, { ...lineRow(line), ...of, ordinal, bill_number: null });
  } else if (event.type === 'LineItemVoided') {
    if (!changes.written.delete(event.data.lineId)) changes.removed.add(event.data.lineId);
  } else if (event.type === 'BillReleased' && !event.data.rebill) {
    for (const lineId of event.data.lineIds) if (!changes.written.delete(lineId)) changes.removed.add(lineId);
  } else if (event.type === 'BillingPeriodClosed') {
    changes.cleared = true;
    changes.written.clear();
    changes.removed.clear();
    changes.billed.clear();
  } else if (event.type === 'LinesBilled' && period.local_from !== null) {
    const opensOn = period.local_from.slice(0, 10);
    const { billNumber, cause, lines } = event.data;
    for (const [ordinal, line] of lines.entries()) {
      const written = changes.written.get(line.lineId);
      if (written !== undefined) written.bill_number = billNumber;
      // What is there already keeps its place.
      else if (line.lineItemId !== undefined || cause === 'rebill') changes.billed.set(line.lineId, billNumber);
      // The bill of a boundary also carries what the period before it owed in arrears: that is not this period's.
      else if (line.service.from >= opensOn)
        changes.written.set(line.lineId, { ...lineRow(line), ...of, ordinal, bill_number: billNumber });
    }
  }
}

async function writeLines(
  tx: Transaction<unknown>,
  schema: string,
  changed: ReadonlyMap<string, LineChanges>,
): Promise<void> {
  const all = [...changed];
  const table = currentBillingPeriodLines;
  const cleared = all.filter(([, changes]) => changes.cleared).map(([id]) => ({ subscription_id: id }));
  await deleteRows(tx, schema, table, ['subscription_id'], cleared);
  const removed = all.flatMap(([id, changes]) =>
    [...changes.removed].map((lineId) => ({ subscription_id: id, line_id: lineId })),
  );
  await deleteRows(tx, schema, table, ['subscription_id', 'line_id'], removed);
  await upsertRows(
    tx,
    schema,
    table,
    all.flatMap(([, changes]) => [...changes.written.values()]),
  );
  const billed = all.flatMap(([id, changes]) => [...changes.billed].map(([lineId, bill]) => ({ id, lineId, bill })));
  if (billed.length > 0)
    await sql`update ${sql.table(`${schema}.${table.name}`)} as line set bill_number = billed.bill_number
      from unnest(${billed.map(({ id }) => id)}::uuid[], ${billed.map(({ lineId }) => lineId)}::uuid[],
        ${billed.map(({ bill }) => bill)}::int4[]) as billed (subscription_id, line_id, bill_number)
      where line.subscription_id = billed.subscription_id and line.line_id = billed.line_id`.execute(tx);
}

export const currentBillingPeriod: Projection = {
  name: 'current-billing-period',
  version: 3,
  handles: subscriptionEventTypes,
  tables: [currentBillingPeriods.name, currentBillingPeriodLines.name],
  async create(db, schema) {
    await createTable(db, schema, currentBillingPeriods);
    await createTable(db, schema, currentBillingPeriodLines);
  },
  async apply(events, tx, schema) {
    const changed = new Map<string, LineChanges>();
    await foldRows(
      events.filter((event) => event.aggregate === 'subscription'),
      tx,
      schema,
      { table: currentBillingPeriods, column: 'subscription_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored, period) => {
        let changes = changed.get(stored.aggregateId);
        if (changes === undefined) {
          changes = { cleared: false, written: new Map(), removed: new Set(), billed: new Map() };
          changed.set(stored.aggregateId, changes);
        }
        changeLines(changes, period, stored);
      },
    );
    await writeLines(tx, schema, changed);
  },
};
