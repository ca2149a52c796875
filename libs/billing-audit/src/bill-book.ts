import { createHash } from 'node:crypto';
import {
  type InvoiceEvent,
  type InvoiceNumbersEvent,
  type Line,
  type LinesBilled,
  invoiceId,
} from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import canonicalize from 'canonicalize';
import { type Difference, mismatch } from './difference';
import { sumOfNets, whole } from './line-arithmetic';

interface Bill {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly recordedAt: string;
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly billNumber: number;
  readonly currency: string;
  readonly net: bigint;
  /** What the invoice must repeat: lines, currency, customer, zone, terms. */
  readonly digest: string;
}

interface InvoiceFacts {
  readonly stream: string;
  readonly tenant: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly subscriptionId: string;
  readonly billNumber: number;
  readonly digest: string;
  readonly currency: string;
  readonly subtotal: bigint;
  readonly total: bigint;
  readonly lineCount: number;
  readonly paymentTermsDays: number;
  finalised?: { readonly series: string; readonly sequence: number; readonly number: string };
}

interface Grant {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly tenant: string;
  readonly series: string;
  readonly sequence: number;
  readonly number: string;
}

/** Minor units of one currency. */
export interface ControlTotals {
  billed: bigint;
  invoiced: bigint;
  finalised: bigint;
}

/** Bills, invoices and numbers as the streams tell them, joined by invoice id. About 500 bytes a bill. */
export interface BillBook {
  readonly bills: Map<string, Bill>;
  readonly invoices: Map<string, InvoiceFacts>;
  /** invoiceId → the number granted to it. */
  readonly grants: Map<string, Grant>;
  /** tenant and series → last sequence granted. */
  readonly series: Map<string, number>;
}

/** A fact that a policy has still to produce; an error only when the policy has passed the position. */
export interface Missing {
  readonly what: 'invoice' | 'finalisation';
  readonly invoiceId: string;
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly billNumber: number;
  readonly stream: string;
  /** Log position of the event to which the policy reacts. */
  readonly position: bigint;
  readonly revision: bigint;
}

export function openBillBook(): BillBook {
  return { bills: new Map(), invoices: new Map(), grants: new Map(), series: new Map() };
}

/** Takes in one event of any aggregate; those that are not of bills, invoices or numbers are ignored. Changes `book`. */
export function enterInBook(book: BillBook, stored: StoredEvent): readonly Difference[] {
  const event = stored.event as LinesBilled | InvoiceEvent | InvoiceNumbersEvent;
  switch (event.type) {
    case 'LinesBilled':
      return enterBill(book, stored, event.data);
    case 'InvoiceDrafted':
      return enterInvoice(book, stored, event.data);
    case 'InvoiceFinalised':
      return enterFinalisation(book, stored, event.data);
    case 'InvoiceNumberGranted':
      return enterGrant(book, stored, event.data);
    case 'InvoiceVoided':
    default:
      return [];
  }
}

type Data<E, Type> = E extends { type: Type; data: infer D } ? D : never;

function enterBill(book: BillBook, stored: StoredEvent, bill: LinesBilled['data']): readonly Difference[] {
  if (bill.lines.length === 0) return [];
  const id = invoiceId(bill.subscriptionId, bill.billNumber);
  const found: Difference[] = [];
  if (book.bills.has(id))
    found.push(
      mismatch('bill-number', stored.stream, 'two bills have one number', 'one', bill.billNumber, stored.revision),
    );
  book.bills.set(id, {
    stream: stored.stream,
    revision: stored.revision,
    position: stored.position,
    recordedAt: stored.metadata.recordedAt,
    tenant: stored.metadata.tenant,
    subscriptionId: bill.subscriptionId,
    billNumber: bill.billNumber,
    currency: bill.currency,
    net: whole(bill.net) ?? 0n,
    digest: digestOf(bill),
  });
  return found;
}

function enterInvoice(
  book: BillBook,
  stored: StoredEvent,
  invoice: Data<InvoiceEvent, 'InvoiceDrafted'>,
): readonly Difference[] {
  const found: Difference[] = [];
  const differ = (check: string, message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch(check, stored.stream, message, expected, actual, stored.revision));
  const id = invoiceId(invoice.subscriptionId, invoice.billNumber);
  if (invoice.invoiceId !== id || stored.aggregateId !== id)
    differ('identity', 'the id is not that of its bill', id, invoice.invoiceId);
  if (book.invoices.has(stored.aggregateId)) differ('invoice-once', 'drafted twice', 'once', invoice.invoiceId);
  const subtotal = sumOfNets(invoice.lines);
  if (subtotal?.toString() !== invoice.subtotal)
    differ('invoice-total', 'the subtotal is not the sum of the lines', subtotal, invoice.subtotal);
  const total = invoice.taxes.reduce((sum, tax) => sum + (whole(tax.amount) ?? 0n), whole(invoice.subtotal) ?? 0n);
  if (total.toString() !== invoice.total)
    differ('invoice-total', 'the total is not the subtotal and the taxes', total, invoice.total);
  book.invoices.set(stored.aggregateId, {
    stream: stored.stream,
    tenant: stored.metadata.tenant,
    revision: stored.revision,
    position: stored.position,
    subscriptionId: invoice.subscriptionId,
    billNumber: invoice.billNumber,
    digest: digestOf(invoice),
    currency: invoice.currency,
    subtotal: whole(invoice.subtotal) ?? 0n,
    total: whole(invoice.total) ?? 0n,
    lineCount: invoice.lines.length,
    paymentTermsDays: invoice.paymentTermsDays,
  });
  return found;
}

function enterFinalisation(
  book: BillBook,
  stored: StoredEvent,
  final: Data<InvoiceEvent, 'InvoiceFinalised'>,
): readonly Difference[] {
  const found: Difference[] = [];
  const differ = (check: string, message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch(check, stored.stream, message, expected, actual, stored.revision));
  const invoice = book.invoices.get(stored.aggregateId);
  if (!invoice) {
    differ('invoice-once', 'finalised without a draft', 'a draft before it', 'none');
    return found;
  }
  if (invoice.finalised) differ('invoice-once', 'finalised twice', invoice.finalised.number, final.number);
  if (daysBetween(final.issuedOn, final.dueOn) !== invoice.paymentTermsDays)
    differ('invoice-due', 'dueOn is not issuedOn and the terms', `${invoice.paymentTermsDays} days`, final.dueOn);
  invoice.finalised = { series: final.series, sequence: final.sequence, number: final.number };
  return found;
}

function enterGrant(
  book: BillBook,
  stored: StoredEvent,
  grant: Data<InvoiceNumbersEvent, 'InvoiceNumberGranted'>,
): readonly Difference[] {
  const found: Difference[] = [];
  const differ = (message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch('invoice-number', stored.stream, message, expected, actual, stored.revision));
  const key = `${stored.metadata.tenant} ${grant.series}`;
  const next = (book.series.get(key) ?? 0) + 1;
  if (grant.sequence !== next) differ('the numbers of the series are not gapless', next, grant.sequence);
  book.series.set(key, grant.sequence);
  const earlier = book.grants.get(grant.invoiceId);
  if (earlier) differ('an invoice has two numbers', earlier.number, grant.number);
  else
    book.grants.set(grant.invoiceId, {
      stream: stored.stream,
      revision: stored.revision,
      position: stored.position,
      tenant: stored.metadata.tenant,
      series: grant.series,
      sequence: grant.sequence,
      number: grant.number,
    });
  return found;
}

/** Joins the three books at the end: what differs, what is missing, and the control totals per currency. */
export function settleBook(book: BillBook): {
  readonly differences: readonly Difference[];
  readonly missing: readonly Missing[];
  readonly totals: ReadonlyMap<string, ControlTotals>;
} {
  const differences: Difference[] = [];
  const missing: Missing[] = [];
  const totals = new Map<string, ControlTotals>();
  const of = (currency: string) => {
    const existing = totals.get(currency) ?? { billed: 0n, invoiced: 0n, finalised: 0n };
    totals.set(currency, existing);
    return existing;
  };

  for (const [id, bill] of book.bills) {
    of(bill.currency).billed += bill.net;
    const invoice = book.invoices.get(id);
    const about = {
      invoiceId: id,
      tenant: bill.tenant,
      subscriptionId: bill.subscriptionId,
      billNumber: bill.billNumber,
    };
    if (!invoice) {
      if (bill.net < 0n)
        differences.push(
          mismatch('bill-below-zero', bill.stream, 'a bill below zero', '>= 0', bill.net, bill.revision),
        );
      missing.push({
        ...about,
        what: 'invoice',
        stream: bill.stream,
        position: bill.position,
        revision: bill.revision,
      });
      continue;
    }
    if (invoice.digest !== bill.digest || invoice.tenant !== bill.tenant)
      differences.push(
        mismatch(
          'invoice-equals-bill',
          invoice.stream,
          `the invoice does not repeat bill ${bill.billNumber} of ${bill.stream}`,
          bill.net,
          invoice.total,
          invoice.revision,
        ),
      );
    if (!invoice.finalised)
      missing.push({
        ...about,
        what: 'finalisation',
        stream: invoice.stream,
        // What the policy reacts to next: the number when there is one, else the draft.
        position: book.grants.get(id)?.position ?? invoice.position,
        revision: invoice.revision,
      });
  }

  const seen = new Map<string, string>();
  for (const [id, invoice] of book.invoices) {
    of(invoice.currency).invoiced += invoice.total;
    if (!book.bills.has(id))
      differences.push(
        mismatch('invoice-of-a-bill', invoice.stream, 'an invoice without a bill', 'a bill', 'none', 0n),
      );
    if (!invoice.finalised) continue;
    of(invoice.currency).finalised += invoice.total;
    const { series, number, sequence } = invoice.finalised;
    const grant = book.grants.get(id);
    if (grant?.number !== number || grant.sequence !== sequence || grant.series !== series)
      differences.push(
        mismatch(
          'invoice-number',
          invoice.stream,
          'the number is not the one granted',
          grant?.number ?? 'none',
          number,
        ),
      );
    const name = `${invoice.tenant} ${number}`;
    const other = seen.get(name);
    if (other !== undefined)
      differences.push(mismatch('invoice-number', invoice.stream, 'two invoices have one number', other, number));
    seen.set(name, invoice.stream);
  }
  for (const [id, grant] of book.grants)
    if (!book.invoices.has(id))
      differences.push(
        mismatch(
          'invoice-number',
          grant.stream,
          `${grant.number} was granted to no invoice`,
          'an invoice',
          id,
          grant.revision,
        ),
      );
  return { differences, missing, totals };
}

function digestOf(bill: {
  readonly currency: string;
  readonly customerId: string;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  readonly periodNumber: number;
  readonly cause: string;
  readonly lines: readonly Line[];
}): string {
  const { currency, customerId, timeZone, paymentTermsDays, periodNumber, cause, lines } = bill;
  const text = canonicalize({ currency, customerId, timeZone, paymentTermsDays, periodNumber, cause, lines }) ?? '';
  return createHash('sha256').update(text).digest('base64');
}

function daysBetween(from: string, to: string): number {
  return (Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000;
}
