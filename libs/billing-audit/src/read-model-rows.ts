import { type Kysely, sql } from 'kysely';
import type { BillBook } from './bill-book';
import { type Difference, mismatch } from './difference';
import type { StreamHead } from './hash-chain';
import type { Folded } from './stream-pass';

/** The rows that the read models keep of one subscription, as far as the audit derives them again by itself. */
export interface SubscriptionRows {
  summary?: {
    readonly revision: bigint;
    readonly status: string;
    readonly currency: string;
    readonly period_number: number | null;
    readonly period_starts_at: string | null;
    readonly period_ends_at: string | null;
    readonly bills: number;
    readonly billed_net: string;
  };
  period?: {
    readonly revision: bigint;
    readonly period_number: number | null;
    readonly starts_at: string | null;
    readonly ends_at: string | null;
  };
  /** Lines of the open period that are not billed: line id → net. */
  readonly pending: Map<string, string>;
}

/** Reads the rows of some subscriptions, a few statements for all of them. */
export async function subscriptionRows(
  db: Kysely<unknown>,
  schema: string,
  ids: readonly string[],
): Promise<Map<string, SubscriptionRows>> {
  const rows = new Map<string, SubscriptionRows>(ids.map((id) => [id, { pending: new Map() }]));
  const table = (name: string) => sql.table(`${schema}.${name}`);
  // One statement, so that a period and its lines are of one revision while the projections write on.
  const { rows: found } = await sql<{
    subscription_id: string;
    summary: SubscriptionRows['summary'];
    revision: bigint | null;
    period_number: number | null;
    starts_at: string | null;
    ends_at: string | null;
    lines: Record<string, string> | null;
  }>`select wanted.id as subscription_id, period.revision, period.period_number, period.starts_at, period.ends_at,
      (select jsonb_object_agg(line.line_id, line.net::text) from ${table('current_billing_period_line')} line
        where line.subscription_id = wanted.id and line.bill_number is null) as lines
    from unnest(${sql.val(ids)}::uuid[]) as wanted (id)
    left join ${table('current_billing_period')} period on period.subscription_id = wanted.id`.execute(db);
  for (const { subscription_id, revision, period_number, starts_at, ends_at, lines } of found) {
    const row = rows.get(subscription_id);
    if (!row) continue;
    if (revision !== null) row.period = { revision, period_number, starts_at, ends_at };
    for (const [lineId, net] of Object.entries(lines ?? {})) row.pending.set(lineId, net);
  }
  const summaries = await sql<NonNullable<SubscriptionRows['summary']> & { subscription_id: string }>`
    select subscription_id, revision, status, currency, period_number, period_starts_at, period_ends_at, bills, billed_net
    from ${table('subscription_summary')} where subscription_id = any(${sql.val(ids)}::uuid[])`.execute(db);
  for (const { subscription_id, ...summary } of summaries.rows) {
    const row = rows.get(subscription_id);
    if (row) row.summary = summary;
  }
  return rows;
}

/** The revisions at which the subscription must be folded to compare these rows. */
export function revisionsOf(rows: SubscriptionRows | undefined): bigint[] {
  return [rows?.summary?.revision, rows?.period?.revision].filter((each) => each !== undefined);
}

/**
 * Compares a subscription's rows with what replaying its stream gave. `seen`: the projections have read this far, so a
 * row that is missing or older than `head` although head stands before `seen` is a difference.
 */
export function compareSubscriptionRows(
  stream: { readonly name: string; readonly id: string; readonly head: StreamHead },
  rows: SubscriptionRows,
  at: ReadonlyMap<bigint, Folded>,
  seen: bigint,
): readonly Difference[] {
  const found: Difference[] = [];
  const check = (table: string, revision: bigint | undefined, compare: (folded: Folded) => readonly Column[]) => {
    const subject = `${table} ${stream.id}`;
    if (revision === undefined || (revision < stream.head.revision && stream.head.position <= seen)) {
      if (stream.head.position <= seen)
        found.push(
          mismatch('row-missing', subject, 'the row is missing or behind', stream.head.revision, revision ?? 'none'),
        );
      return;
    }
    const folded = at.get(revision);
    if (!folded?.facts) {
      found.push(
        mismatch('row-revision', subject, 'the row states a revision that the stream does not have', 'less', revision),
      );
      return;
    }
    for (const [column, expected, actual] of compare(folded))
      if (expected !== actual)
        found.push(
          mismatch('row-value', `${subject} ${column}`, 'the row differs from a replay', expected, actual, revision),
        );
  };
  const { summary, period, pending } = rows;
  check('subscription_summary', summary?.revision, ({ facts }) => [
    ['status', facts?.status, summary?.status],
    ['period_number', facts?.periodNumber || null, summary?.period_number],
    ['period_starts_at', facts?.open?.startsAt ?? null, summary?.period_starts_at],
    ['period_ends_at', facts?.open?.endsAt ?? null, summary?.period_ends_at],
    ['bills', facts?.bills, summary?.bills],
    ['billed_net', facts?.billedNet.toString(), summary?.billed_net],
  ]);
  check('current_billing_period', period?.revision, ({ facts }) => [
    ['period_number', facts?.open?.periodNumber ?? null, period?.period_number],
    ['starts_at', facts?.open?.startsAt ?? null, period?.starts_at],
    ['ends_at', facts?.open?.endsAt ?? null, period?.ends_at],
    ...[...(facts?.pending.values() ?? [])].map((line): Column => [
      `line ${line.lineId} net`,
      line.net,
      pending.get(line.lineId) ?? null,
    ]),
    ...[...pending.keys()]
      .filter((lineId) => !facts?.pending.has(lineId))
      .map((lineId): Column => [`line ${lineId}`, null, lineId]),
  ]);
  return found;
}

type Column = readonly [
  name: string,
  expected: string | number | null | undefined,
  found: string | number | null | undefined,
];

const pageRows = 1_000;

/** Finds rows of subscriptions that no stream explains. `position`: rows of later subscriptions are none of ours. */
export async function rowsWithoutStream(
  db: Kysely<unknown>,
  schema: string,
  known: (subscriptionId: string) => boolean,
  o: { readonly tenant: string | undefined; readonly position: bigint },
  report: (difference: Difference) => void,
): Promise<void> {
  for (const name of ['subscription_summary', 'current_billing_period', 'due_billing_period']) {
    let after = '00000000-0000-0000-0000-000000000000';
    for (;;) {
      const { rows } = await sql<{ subscription_id: string; tenant: string; position: bigint }>`
        select subscription_id, tenant, position from ${sql.table(`${schema}.${name}`)}
        where subscription_id > ${after}::uuid order by subscription_id limit ${pageRows}`.execute(db);
      for (const { subscription_id, tenant, position } of rows)
        if (!known(subscription_id) && position <= o.position && (o.tenant === undefined || tenant === o.tenant))
          report(
            mismatch('row-without-event', `${name} ${subscription_id}`, 'a row that no event explains', 'none', tenant),
          );
      if (rows.length < pageRows) break;
      after = rows.at(-1)?.subscription_id ?? after;
    }
  }
}

/** Compares every row of `invoice` and the sum of its lines with the book, and finds rows that are missing or too many. */
export async function compareInvoiceRows(
  db: Kysely<unknown>,
  schema: string,
  book: BillBook,
  o: { readonly tenant: string | undefined; readonly position: bigint; readonly seen: bigint },
  report: (difference: Difference) => void,
): Promise<number> {
  const met = new Set<string>();
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await sql<{
      invoice_id: string;
      tenant: string;
      status: string;
      currency: string;
      total: string;
      subtotal: string;
      line_count: number;
      number: string | null;
      drafted_position: bigint;
      position: bigint;
      lines: bigint;
      lines_net: string | null;
    }>`select invoice_id, tenant, status, currency, total, subtotal, line_count, number, drafted_position, position,
        (select count(*) from ${sql.table(`${schema}.invoice_line`)} line where line.invoice_id = invoice.invoice_id) as lines,
        (select sum(net) from ${sql.table(`${schema}.invoice_line`)} line where line.invoice_id = invoice.invoice_id) as lines_net
      from ${sql.table(`${schema}.invoice`)} invoice where invoice_id > ${after}::uuid
      order by invoice_id limit ${pageRows}`.execute(db);
    for (const row of rows) {
      if (o.tenant !== undefined && row.tenant !== o.tenant) continue;
      const subject = `invoice ${row.invoice_id}`;
      const facts = book.invoices.get(row.invoice_id);
      met.add(row.invoice_id);
      if (!facts) {
        if (row.drafted_position <= o.position)
          report(mismatch('row-without-event', subject, 'a row that no event explains', 'none', row.total));
        continue;
      }
      // Finalised after the position of this audit: the row is ahead of the book, rightly.
      const final = row.position <= o.position ? facts.finalised : { number: row.number };
      const status =
        row.position <= o.position ? (facts.voided ? 'voided' : facts.finalised ? 'finalised' : 'draft') : row.status;
      const expected: readonly Column[] = [
        ['tenant', facts.tenant, row.tenant],
        ['status', status, row.status],
        ['currency', facts.currency, row.currency],
        ['subtotal', facts.subtotal.toString(), row.subtotal],
        ['total', facts.total.toString(), row.total],
        ['number', final?.number ?? null, row.number],
        ['line_count', facts.lineCount, row.line_count],
        ['lines', facts.lineCount, Number(row.lines)],
        ['lines net', facts.subtotal.toString(), row.lines_net],
      ];
      for (const [column, wanted, found] of expected)
        if (wanted !== found)
          report(mismatch('row-value', `${subject} ${column}`, 'the row differs from a replay', wanted, found));
    }
    if (rows.length < pageRows) break;
    after = rows.at(-1)?.invoice_id ?? after;
  }
  for (const [id, facts] of book.invoices)
    if (!met.has(id) && facts.position <= o.seen)
      report(mismatch('row-missing', `invoice ${id}`, 'the row is missing', facts.total, 'none'));
  return met.size;
}
