import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { subscriptionId as subscriptionIdOf, type Line } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { lineOf } from '../line-row';
import { orderOf, pageOf, pageSize, type Order, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type MoneyView, type Page } from '../read-models';
import { creditNotes, type CreditNoteLineRow, type CreditNoteRow } from './projection';

/** A credit note without its lines, as in lists. */
export interface CreditNoteSummaryView {
  readonly creditNoteId: string;
  readonly subscriptionId: string;
  readonly billNumber: number;
  /** The billing period of the bill, as LinesBilled states it. */
  readonly periodNumber: number;
  readonly cause: string;
  readonly customerId: string;
  readonly status: CreditNoteRow['status'];
  readonly number: string | null;
  /** Local date of issuing. */
  readonly issuedOn: string | null;
  readonly timeZone: string;
  /** Above zero: what the customer's balance is granted. */
  readonly total: MoneyView;
  readonly lineCount: number;
  readonly draftedAt: string;
  readonly issuedAt: string | null;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface CreditNoteView extends CreditNoteSummaryView {
  readonly lines: readonly Line[];
}

export interface CreditNoteFilter extends PageRequest {
  readonly tenant: string;
  readonly order?: Order | undefined;
  readonly customerId?: string | undefined;
  readonly subscriptionId?: string | undefined;
  /** The subscription's external id. */
  readonly externalId?: string | undefined;
  readonly status?: CreditNoteRow['status'] | undefined;
  readonly number?: string | undefined;
  readonly currency?: string | undefined;
  /** Local dates: issued on or after the one and before the other. */
  readonly issuedFrom?: string | undefined;
  readonly issuedBefore?: string | undefined;
}

const LIST = creditNotes.name;

interface Tables {
  credit_note: CreditNoteRow;
  credit_note_line: CreditNoteLineRow;
}

function summary(row: CreditNoteRow): CreditNoteSummaryView {
  return {
    creditNoteId: row.credit_note_id,
    subscriptionId: row.subscription_id,
    billNumber: row.bill_number,
    periodNumber: row.period_number,
    cause: row.cause,
    customerId: row.customer_id,
    status: row.status,
    number: row.number,
    issuedOn: row.issued_on,
    timeZone: row.time_zone,
    total: { amount: row.total, currency: row.currency },
    lineCount: row.line_count,
    draftedAt: row.drafted_at,
    issuedAt: row.issued_at,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** A credit note with its lines, which never change once it is there. */
export async function getCreditNote(
  { db, schema }: ReadModels,
  { tenant, creditNoteId }: { readonly tenant: string; readonly creditNoteId: string },
): Promise<Found<CreditNoteView>> {
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(creditNoteId)) return { found: undefined, asOf: seen };
  const tables = (db as Kysely<Tables>).withSchema(schema);
  const row = await tables
    .selectFrom('credit_note')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('credit_note_id', '=', creditNoteId)
    .executeTakeFirst();
  if (row === undefined) return { found: undefined, asOf: seen };
  const lines = await tables
    .selectFrom('credit_note_line')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('credit_note_id', '=', creditNoteId)
    .orderBy('ordinal')
    .execute();
  return { found: { ...summary(row), lines: lines.map(lineOf) }, asOf: seen };
}

/** Credit notes in the order in which they were drafted, or the last of them first. Throws InvalidCursor. */
export async function findCreditNotes(
  { db, schema }: ReadModels,
  filter: CreditNoteFilter,
): Promise<Page<CreditNoteSummaryView>> {
  const { list, after, compare, direction } = orderOf(LIST, filter);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  if (filter.subscriptionId !== undefined && !isUuid(filter.subscriptionId)) return { items: [], asOf: seen };
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('credit_note')
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
  if (filter.issuedFrom !== undefined) query = query.where('issued_on', '>=', filter.issuedFrom);
  if (filter.issuedBefore !== undefined) query = query.where('issued_on', '<', filter.issuedBefore);
  return { ...pageOf(list, await query.execute(), size, (row) => row.drafted_position, summary), asOf: seen };
}

export class GetCreditNote extends Query<Found<CreditNoteView>> {
  constructor(
    readonly tenant: string,
    readonly creditNoteId: string,
  ) {
    super();
  }
}

@QueryHandler(GetCreditNote)
export class GetCreditNoteHandler implements IQueryHandler<GetCreditNote> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetCreditNote) {
    return getCreditNote(this.models, query);
  }
}

export class FindCreditNotes extends Query<Page<CreditNoteSummaryView>> {
  constructor(readonly filter: CreditNoteFilter) {
    super();
  }
}

@QueryHandler(FindCreditNotes)
export class FindCreditNotesHandler implements IQueryHandler<FindCreditNotes> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindCreditNotes) {
    return findCreditNotes(this.models, filter);
  }
}
