import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { subscriptionId as subscriptionIdOf, type BillTo, type Line } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { lineOf } from '../line-row';
import { metadataHas } from '../metadata-filter';
import { orderOf, pageOf, pageSize, type Order, type PageRequest } from '../page';
import { isUuid, openedBy, ReadModels, type ErasedView, type Found, type MoneyView, type Page } from '../read-models';
import { invoices, type InvoiceLineRow, type InvoiceRow, type InvoiceTaxRow } from './projection';

/** An invoice without its lines, as in lists. */
export interface InvoiceSummaryView {
  readonly invoiceId: string;
  readonly subscriptionId: string;
  readonly billNumber: number;
  /** The billing period of the bill, as LinesBilled states it. */
  readonly periodNumber: number;
  readonly cause: string;
  readonly customerId: string;
  readonly status: InvoiceRow['status'];
  readonly number: string | null;
  readonly series: string | null;
  readonly issuedOn: string | null;
  readonly dueOn: string | null;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  readonly subtotal: MoneyView;
  readonly taxTotal: MoneyView;
  readonly total: MoneyView;
  /** What the customer's balance has settled. */
  readonly creditApplied: MoneyView;
  /** The rest; 0 when it is voided. */
  readonly amountDue: MoneyView;
  readonly lineCount: number;
  /** A draft that waits until someone asks for its finalising. */
  readonly waits: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly draftedAt: string;
  readonly finalisedAt: string | null;
  /** When and why it was voided, and whether its lines went on a new bill; null unless it is. */
  readonly voided: { readonly at: string; readonly reason: string; readonly rebill: boolean } | null;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface InvoiceView extends InvoiceSummaryView {
  /** Who was billed, as the customer had it when it was finalised; null in a draft and where nobody was named. */
  readonly billTo: BillTo | ErasedView | null;
  readonly lines: readonly Line[];
  readonly taxes: readonly { readonly code: string; readonly amount: MoneyView }[];
}

export interface InvoiceFilter extends PageRequest {
  readonly tenant: string;
  readonly customerId?: string | undefined;
  readonly subscriptionId?: string | undefined;
  /** The subscription's external id. */
  readonly externalId?: string | undefined;
  readonly status?: InvoiceRow['status'] | undefined;
  readonly number?: string | undefined;
  readonly currency?: string | undefined;
  /** All of these keys with these values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Local dates: issued on or after the one and before the other. */
  readonly issuedFrom?: string | undefined;
  readonly issuedBefore?: string | undefined;
  /** Instants: drafted at or after the one and before the other. */
  readonly draftedFrom?: string | undefined;
  readonly draftedBefore?: string | undefined;
  /** Minor units, both ends included. */
  readonly totalFrom?: string | undefined;
  readonly totalTo?: string | undefined;
  readonly amountDueFrom?: string | undefined;
  readonly amountDueTo?: string | undefined;
  readonly order?: Order | undefined;
  /** Local dates: due on or after the one and before the other. */
  readonly dueFrom?: string | undefined;
  readonly dueBefore?: string | undefined;
}

const LIST = invoices.name;

interface Tables {
  invoice: InvoiceRow;
  invoice_line: InvoiceLineRow;
  invoice_tax: InvoiceTaxRow;
}

function summary(row: InvoiceRow): InvoiceSummaryView {
  const money = (amount: string) => ({ amount, currency: row.currency });
  return {
    invoiceId: row.invoice_id,
    subscriptionId: row.subscription_id,
    billNumber: row.bill_number,
    periodNumber: row.period_number,
    cause: row.cause,
    customerId: row.customer_id,
    status: row.status,
    number: row.number,
    series: row.series,
    issuedOn: row.issued_on,
    dueOn: row.due_on,
    timeZone: row.time_zone,
    paymentTermsDays: row.payment_terms_days,
    subtotal: money(row.subtotal),
    taxTotal: money(row.tax_total),
    total: money(row.total),
    creditApplied: money(row.credit_applied),
    amountDue: money(row.amount_due),
    lineCount: row.line_count,
    waits: row.waits,
    metadata: row.metadata,
    draftedAt: row.drafted_at,
    finalisedAt: row.finalised_at,
    voided:
      row.voided_at === null ? null : { at: row.voided_at, reason: row.void_reason ?? '', rebill: row.rebill ?? false },
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** An invoice with its lines and taxes, which never change once it is there. */
export async function getInvoice(
  { db, schema, dataKeys }: ReadModels,
  { tenant, invoiceId }: { readonly tenant: string; readonly invoiceId: string },
): Promise<Found<InvoiceView>> {
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(invoiceId)) return { found: undefined, asOf: seen };
  const tables = (db as Kysely<Tables>).withSchema(schema);
  const row = await tables
    .selectFrom('invoice')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('invoice_id', '=', invoiceId)
    .executeTakeFirst();
  if (row === undefined) return { found: undefined, asOf: seen };
  const lines = await tables
    .selectFrom('invoice_line')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('invoice_id', '=', invoiceId)
    .orderBy('ordinal')
    .execute();
  const taxes = await tables
    .selectFrom('invoice_tax')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('invoice_id', '=', invoiceId)
    .orderBy('ordinal')
    .execute();
  const personal = await openedBy<{ readonly billTo: BillTo }>(dataKeys, row.personal);
  return {
    found: {
      ...summary(row),
      billTo: personal && 'billTo' in personal ? personal.billTo : personal,
      lines: lines.map(lineOf),
      taxes: taxes.map(({ code, amount }) => ({ code, amount: { amount, currency: row.currency } })),
    },
    asOf: seen,
  };
}

/** Invoices in the order in which they were drafted, or the last of them first. Throws InvalidCursor. */
export async function findInvoices(
  { db, schema }: ReadModels,
  filter: InvoiceFilter,
): Promise<Page<InvoiceSummaryView>> {
  const { list, after, compare, direction } = orderOf(LIST, filter);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  if (filter.subscriptionId !== undefined && !isUuid(filter.subscriptionId)) return { items: [], asOf: seen };
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('invoice')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('drafted_position', compare, after)
    .orderBy('drafted_position', direction)
    .limit(size + 1);
  if (filter.customerId !== undefined) query = query.where('customer_id', '=', filter.customerId);
  if (filter.subscriptionId !== undefined) query = query.where('subscription_id', '=', filter.subscriptionId);
  // The subscription's id derives from its external id, so no other model need be asked.
  if (filter.externalId !== undefined)
    query = query.where('subscription_id', '=', subscriptionIdOf(filter.tenant, { externalId: filter.externalId }));
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.number !== undefined) query = query.where('number', '=', filter.number);
  if (filter.currency !== undefined) query = query.where('currency', '=', filter.currency);
  if (filter.metadata !== undefined) query = query.where(metadataHas(filter.metadata));
  if (filter.issuedFrom !== undefined) query = query.where('issued_on', '>=', filter.issuedFrom);
  if (filter.issuedBefore !== undefined) query = query.where('issued_on', '<', filter.issuedBefore);
  if (filter.draftedFrom !== undefined) query = query.where('drafted_at', '>=', filter.draftedFrom);
  if (filter.draftedBefore !== undefined) query = query.where('drafted_at', '<', filter.draftedBefore);
  if (filter.totalFrom !== undefined) query = query.where('total', '>=', filter.totalFrom);
  if (filter.totalTo !== undefined) query = query.where('total', '<=', filter.totalTo);
  if (filter.amountDueFrom !== undefined) query = query.where('amount_due', '>=', filter.amountDueFrom);
  if (filter.amountDueTo !== undefined) query = query.where('amount_due', '<=', filter.amountDueTo);
  if (filter.dueFrom !== undefined) query = query.where('due_on', '>=', filter.dueFrom);
  if (filter.dueBefore !== undefined) query = query.where('due_on', '<', filter.dueBefore);
  return { ...pageOf(list, await query.execute(), size, (row) => row.drafted_position, summary), asOf: seen };
}

export class GetInvoice extends Query<Found<InvoiceView>> {
  constructor(
    readonly tenant: string,
    readonly invoiceId: string,
  ) {
    super();
  }
}

@QueryHandler(GetInvoice)
export class GetInvoiceHandler implements IQueryHandler<GetInvoice> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetInvoice) {
    return getInvoice(this.models, query);
  }
}

export class FindInvoices extends Query<Page<InvoiceSummaryView>> {
  constructor(readonly filter: InvoiceFilter) {
    super();
  }
}

@QueryHandler(FindInvoices)
export class FindInvoicesHandler implements IQueryHandler<FindInvoices> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindInvoices) {
    return findInvoices(this.models, filter);
  }
}
