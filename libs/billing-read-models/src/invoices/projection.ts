import type { InvoiceEvent } from '@perennial/billing-domain';
import type { Projection, StoredEvent, StoredPersonal } from '@perennial/event-sourcing';
import { invoiceEventTypes } from '../event-types';
import { lineColumns, lineRow, type LineRow } from '../line-row';
import { foldRows } from '../fold-rows';
import { createTable, upsertRows, type Table } from '../table';

/** An invoice; amounts are whole minor units of `currency`. */
export interface InvoiceRow {
  tenant: string;
  invoice_id: string;
  subscription_id: string;
  bill_number: number;
  period_number: number;
  cause: string;
  customer_id: string;
  time_zone: string;
  payment_terms_days: number;
  status: 'draft' | 'finalised' | 'voided';
  currency: string;
  subtotal: string;
  tax_total: string;
  total: string;
  /** What the customer's balance has settled; `amount_due` is the rest, 0 when voided. */
  credit_applied: string;
  amount_due: string;
  line_count: number;
  series: string | null;
  sequence: bigint | null;
  number: string | null;
  issued_on: string | null;
  due_on: string | null;
  drafted_at: string;
  finalised_at: string | null;
  voided_at: string | null;
  void_reason: string | null;
  /** Of a voided one: its lines went on a new bill, or were waived. */
  rebill: boolean | null;
  /** A draft that waits until someone asks for its finalising. */
  waits: boolean;
  metadata: Readonly<Record<string, string>>;
  /** Who was billed, sealed; null in a draft and where the customer named nobody. */
  personal: StoredPersonal | null;
  /** Log position of its first event: the order of the list. */
  drafted_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export interface InvoiceLineRow extends LineRow {
  tenant: string;
  invoice_id: string;
  ordinal: number;
}

export interface InvoiceTaxRow {
  tenant: string;
  invoice_id: string;
  ordinal: number;
  code: string;
  amount: string;
}

export const invoiceRows: Table<InvoiceRow> = {
  name: 'invoice',
  columns: {
    tenant: 'text',
    invoice_id: 'uuid',
    subscription_id: 'uuid',
    bill_number: 'int4',
    period_number: 'int4',
    cause: 'text',
    customer_id: 'text',
    time_zone: 'text',
    payment_terms_days: 'int4',
    status: 'text',
    currency: 'char(3)',
    subtotal: 'numeric',
    tax_total: 'numeric',
    total: 'numeric',
    credit_applied: 'numeric',
    amount_due: 'numeric',
    line_count: 'int4',
    series: 'text?',
    sequence: 'int8?',
    number: 'text?',
    issued_on: 'date?',
    due_on: 'date?',
    drafted_at: 'timestamptz',
    finalised_at: 'timestamptz?',
    voided_at: 'timestamptz?',
    void_reason: 'text?',
    rebill: 'bool?',
    waits: 'bool',
    metadata: 'jsonb',
    personal: 'jsonb?',
    drafted_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['invoice_id'],
  indexes: [
    { on: ['tenant', 'drafted_position'] },
    { on: ['tenant', 'customer_id', 'drafted_position'] },
    { on: ['tenant', 'subscription_id', 'drafted_position'] },
    { on: ['tenant', 'status', 'drafted_position'] },
    { on: ['tenant', 'due_on'], notNull: 'due_on' },
    { on: ['tenant', 'issued_on'], notNull: 'issued_on' },
    { on: ['tenant', 'drafted_at'] },
    { on: ['tenant', 'currency', 'total'] },
    { on: ['tenant', 'currency', 'amount_due'] },
    { on: ['metadata'], using: 'gin' },
    { on: ['tenant', 'number'], notNull: 'number' },
  ],
};

export const invoiceLines: Table<InvoiceLineRow> = {
  name: 'invoice_line',
  columns: { tenant: 'text', invoice_id: 'uuid', ordinal: 'int4', ...lineColumns },
  key: ['invoice_id', 'ordinal'],
  indexes: [],
};

export const invoiceTaxes: Table<InvoiceTaxRow> = {
  name: 'invoice_tax',
  columns: { tenant: 'text', invoice_id: 'uuid', ordinal: 'int4', code: 'text', amount: 'numeric' },
  key: ['invoice_id', 'ordinal'],
  indexes: [],
};

function evolve(row: InvoiceRow | undefined, stored: StoredEvent): InvoiceRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as InvoiceEvent;
  if (event.type === 'InvoiceDrafted') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      invoice_id: stored.aggregateId,
      subscription_id: data.subscriptionId,
      bill_number: data.billNumber,
      period_number: data.periodNumber,
      cause: data.cause,
      customer_id: data.customerId,
      time_zone: data.timeZone,
      payment_terms_days: data.paymentTermsDays,
      status: 'draft',
      currency: data.currency,
      subtotal: data.subtotal,
      tax_total: data.taxes.reduce((sum, tax) => sum + BigInt(tax.amount), 0n).toString(),
      total: data.total,
      credit_applied: '0',
      amount_due: data.total,
      line_count: data.lines.length,
      series: null,
      sequence: null,
      number: null,
      issued_on: null,
      due_on: null,
      drafted_at: data.effectiveAt,
      finalised_at: null,
      voided_at: null,
      void_reason: null,
      rebill: null,
      waits: data.autoFinalise === false,
      metadata: {},
      personal: null,
      drafted_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before InvoiceDrafted`);
  const next = { ...row, ...seen };
  switch (event.type) {
    case 'InvoiceFinalised':
      next.status = 'finalised';
      next.series = event.data.series;
      next.sequence = BigInt(event.data.sequence);
      next.number = event.data.number;
      next.issued_on = event.data.issuedOn;
      next.due_on = event.data.dueOn;
      next.finalised_at = event.data.effectiveAt;
      next.personal = (event.data.personal as StoredPersonal | undefined) ?? null;
      next.credit_applied = event.data.creditApplied ?? '0';
      next.amount_due = (BigInt(row.total) - BigInt(next.credit_applied)).toString();
      break;
    case 'FinalisationRequested':
      next.waits = false;
      break;
    case 'InvoiceMetadataChanged':
      next.metadata = event.data.metadata;
      break;
    case 'InvoiceVoided':
      next.status = 'voided';
      next.amount_due = '0';
      next.voided_at = event.data.effectiveAt;
      next.void_reason = event.data.reason;
      next.rebill = event.data.rebill;
      break;
  }
  return next;
}

export const invoices: Projection = {
  name: 'invoices',
  version: 3,
  handles: invoiceEventTypes,
  tables: [invoiceRows.name, invoiceLines.name, invoiceTaxes.name],
  async create(db, schema) {
    await createTable(db, schema, invoiceRows);
    await createTable(db, schema, invoiceLines);
    await createTable(db, schema, invoiceTaxes);
  },
  async apply(events, tx, schema) {
    const lines: InvoiceLineRow[] = [];
    const taxes: InvoiceTaxRow[] = [];
    await foldRows(
      events.filter((event) => event.aggregate === 'invoice'),
      tx,
      schema,
      { table: invoiceRows, column: 'invoice_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored) => {
        const { type, data } = stored.event as InvoiceEvent;
        if (type !== 'InvoiceDrafted') return;
        const of = { tenant: stored.metadata.tenant, invoice_id: stored.aggregateId };
        lines.push(...data.lines.map((line, ordinal) => ({ ...lineRow(line), ...of, ordinal })));
        taxes.push(...data.taxes.map((tax, ordinal) => ({ ...of, ordinal, ...tax })));
      },
    );
    await upsertRows(tx, schema, invoiceLines, lines);
    await upsertRows(tx, schema, invoiceTaxes, taxes);
  },
};
