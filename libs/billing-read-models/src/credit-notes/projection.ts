import type { CreditNoteEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { creditNoteEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { lineColumns, lineRow, type LineRow } from '../line-row';
import { createTable, upsertRows, type Table } from '../table';

/** A credit note; amounts are whole minor units of `currency`, above zero. */
export interface CreditNoteRow {
  tenant: string;
  credit_note_id: string;
  subscription_id: string;
  bill_number: number;
  period_number: number;
  cause: string;
  customer_id: string;
  time_zone: string;
  status: 'draft' | 'issued';
  currency: string;
  total: string;
  line_count: number;
  number: string | null;
  issued_on: string | null;
  drafted_at: string;
  issued_at: string | null;
  /** Log position of its first event: the order of the list. */
  drafted_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export interface CreditNoteLineRow extends LineRow {
  tenant: string;
  credit_note_id: string;
  ordinal: number;
}

export const creditNoteRows: Table<CreditNoteRow> = {
  name: 'credit_note',
  columns: {
    tenant: 'text',
    credit_note_id: 'uuid',
    subscription_id: 'uuid',
    bill_number: 'int4',
    period_number: 'int4',
    cause: 'text',
    customer_id: 'text',
    time_zone: 'text',
    status: 'text',
    currency: 'char(3)',
    total: 'numeric',
    line_count: 'int4',
    number: 'text?',
    issued_on: 'date?',
    drafted_at: 'timestamptz',
    issued_at: 'timestamptz?',
    drafted_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['credit_note_id'],
  indexes: [
    { on: ['tenant', 'drafted_position'] },
    { on: ['tenant', 'customer_id', 'drafted_position'] },
    { on: ['tenant', 'subscription_id', 'drafted_position'] },
    { on: ['tenant', 'number'], notNull: 'number' },
  ],
};

export const creditNoteLines: Table<CreditNoteLineRow> = {
  name: 'credit_note_line',
  columns: { tenant: 'text', credit_note_id: 'uuid', ordinal: 'int4', ...lineColumns },
  key: ['credit_note_id', 'ordinal'],
  indexes: [],
};

function evolve(row: CreditNoteRow | undefined, stored: StoredEvent): CreditNoteRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as CreditNoteEvent;
  if (event.type === 'CreditNoteDrafted') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      credit_note_id: stored.aggregateId,
      subscription_id: data.subscriptionId,
      bill_number: data.billNumber,
      period_number: data.periodNumber,
      cause: data.cause,
      customer_id: data.customerId,
      time_zone: data.timeZone,
      status: 'draft',
      currency: data.currency,
      total: data.total,
      line_count: data.lines.length,
      number: null,
      issued_on: null,
      drafted_at: data.effectiveAt,
      issued_at: null,
      drafted_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined)
    throw new Error(`${stored.stream}: ${(event as { type: string }).type} before CreditNoteDrafted`);
  const next = { ...row, ...seen };
  const type: string = event.type;
  if (type !== 'CreditNoteIssued') return next;
  next.status = 'issued';
  next.number = event.data.number;
  next.issued_on = event.data.issuedOn;
  next.issued_at = event.data.effectiveAt;
  return next;
}

export const creditNotes: Projection = {
  name: 'credit-notes',
  version: 1,
  handles: creditNoteEventTypes,
  tables: [creditNoteRows.name, creditNoteLines.name],
  async create(db, schema) {
    await createTable(db, schema, creditNoteRows);
    await createTable(db, schema, creditNoteLines);
  },
  async apply(events, tx, schema) {
    const lines: CreditNoteLineRow[] = [];
    await foldRows(
      events.filter((event) => event.aggregate === 'credit-note'),
      tx,
      schema,
      { table: creditNoteRows, column: 'credit_note_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored) => {
        const { type, data } = stored.event as CreditNoteEvent;
        if (type !== 'CreditNoteDrafted') return;
        const of = { tenant: stored.metadata.tenant, credit_note_id: stored.aggregateId };
        lines.push(...data.lines.map((line, ordinal) => ({ ...lineRow(line), ...of, ordinal })));
      },
    );
    await upsertRows(tx, schema, creditNoteLines, lines);
  },
};
