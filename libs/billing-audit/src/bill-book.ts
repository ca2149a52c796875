import { createHash } from 'node:crypto';
import {
  type CreditNoteEvent,
  type CustomerBalanceEvent,
  type InvoiceEvent,
  type InvoiceNumbersEvent,
  type Line,
  type LinesBilled,
  type SubscriptionEvent,
  creditNoteId,
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
  /** A draft that waits until someone asks for its finalising. */
  waits: boolean;
  /** What the policy reacts to in order to finalise it: the draft, or that it was asked for. */
  go: { readonly revision: bigint; readonly position: bigint };
  creditApplied?: bigint;
  voided?: { readonly revision: bigint; readonly position: bigint };
}

interface CreditNoteFacts {
  readonly stream: string;
  readonly tenant: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly digest: string;
  readonly currency: string;
  readonly total: bigint;
  issued?: { readonly number: string; readonly revision: bigint; readonly position: bigint };
}

/** A customer's balance: what its events say, and what each invoice and credit note moved. */
interface BalanceFacts {
  balance: bigint;
  readonly granted: Map<string, bigint>;
  readonly applied: Map<string, bigint>;
  readonly returned: Map<string, bigint>;
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
  credited: bigint;
}

/** Bills, invoices and numbers as the streams tell them, joined by invoice id. About 500 bytes a bill. */
export interface BillBook {
  readonly bills: Map<string, Bill>;
  readonly invoices: Map<string, InvoiceFacts>;
  /** invoiceId → the number granted to it. */
  readonly grants: Map<string, Grant>;
  readonly creditNotes: Map<string, CreditNoteFacts>;
  /** By stream. */
  readonly balances: Map<string, BalanceFacts>;
  /** Ids of the invoices whose bill was released. */
  readonly released: Set<string>;
  /** tenant and series → last sequence granted. */
  readonly series: Map<string, number>;
}

/** A fact that a policy has still to produce; an error only when the policy has passed the position. */
export interface Missing {
  readonly what: 'invoice' | 'finalisation' | 'credit-note' | 'issue' | 'credit' | 'release';
  /** Of the invoice or the credit note. */
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
  return {
    bills: new Map(),
    invoices: new Map(),
    grants: new Map(),
    creditNotes: new Map(),
    balances: new Map(),
    released: new Set(),
    series: new Map(),
  };
}

/** Takes in one event of any aggregate; those that are not of bills, invoices or numbers are ignored. Changes `book`. */
export function enterInBook(book: BillBook, stored: StoredEvent): readonly Difference[] {
  const event = stored.event as
    | Extract<SubscriptionEvent, { type: 'LinesBilled' | 'BillReleased' }>
    | InvoiceEvent
    | InvoiceNumbersEvent
    | CreditNoteEvent
    | CustomerBalanceEvent;
  switch (event.type) {
    case 'LinesBilled':
      return enterBill(book, stored, event.data);
    case 'InvoiceDrafted':
      return enterInvoice(book, stored, event.data);
    case 'FinalisationRequested': {
      const invoice = book.invoices.get(stored.aggregateId);
      if (!invoice || !invoice.waits)
        return [of(stored)('invoice-once', 'finalising was asked for without a draft that waits', 'a draft', 'none')];
      invoice.waits = false;
      invoice.go = { revision: stored.revision, position: stored.position };
      return [];
    }
    case 'InvoiceFinalised':
      return enterFinalisation(book, stored, event.data);
    case 'InvoiceNumberGranted':
      return enterGrant(book, stored, event.data);
    case 'InvoiceVoided': {
      const invoice = book.invoices.get(stored.aggregateId);
      if (invoice) invoice.voided = { revision: stored.revision, position: stored.position };
      return invoice?.finalised
        ? []
        : [of(stored)('invoice-void', 'voided before it was finalised', 'finalised', 'draft')];
    }
    case 'BillReleased':
      book.released.add(invoiceId(stored.aggregateId, event.data.billNumber));
      return [];
    case 'CreditNoteDrafted':
      return enterCreditNote(book, stored, event.data);
    case 'CreditNoteIssued': {
      const { number, total } = event.data;
      const note = book.creditNotes.get(stored.aggregateId);
      if (note && !note.issued && note.total.toString() === total) {
        note.issued = { number, revision: stored.revision, position: stored.position };
        return [];
      }
      return [of(stored)('credit-note-once', 'not issued once, with its total', note?.total ?? 'a draft', total)];
    }
    case 'CreditGranted':
      return enterBalance(book, stored, 'granted', event.data.creditNoteId, event.data);
    case 'CreditApplied':
      return enterBalance(book, stored, 'applied', event.data.invoiceId, event.data);
    case 'CreditReturned':
      return enterBalance(book, stored, 'returned', event.data.invoiceId, event.data);
    case 'InvoiceMetadataChanged':
    default:
      return [];
  }
}

/** Makes a difference of this event. */
function of(stored: StoredEvent) {
  return (check: string, message: string, expected: unknown, actual: unknown) =>
    mismatch(check, stored.stream, message, expected, actual, stored.revision);
}

function enterCreditNote(
  book: BillBook,
  stored: StoredEvent,
  note: Data<CreditNoteEvent, 'CreditNoteDrafted'>,
): readonly Difference[] {
  const differ = of(stored);
  const found: Difference[] = [];
  const id = creditNoteId(note.subscriptionId, note.billNumber);
  if (note.creditNoteId !== id || stored.aggregateId !== id)
    found.push(differ('identity', 'the id is not that of its bill', id, note.creditNoteId));
  if (book.creditNotes.has(id)) found.push(differ('credit-note-once', 'drafted twice', 'once', id));
  const sum = sumOfNets(note.lines);
  if (sum === undefined || (-sum).toString() !== note.total)
    found.push(differ('credit-note-total', 'the total is not what the lines give back', sum, note.total));
  book.creditNotes.set(stored.aggregateId, {
    stream: stored.stream,
    tenant: stored.metadata.tenant,
    revision: stored.revision,
    position: stored.position,
    digest: digestOf({ ...note, paymentTermsDays: 0 }),
    currency: note.currency,
    total: whole(note.total) ?? 0n,
  });
  return found;
}

/** Each credit is granted, applied and returned once, and the balance is what that makes, never below zero. */
function enterBalance(
  book: BillBook,
  stored: StoredEvent,
  kind: 'granted' | 'applied' | 'returned',
  id: string,
  data: { readonly amount: string; readonly balance: string },
): readonly Difference[] {
  const differ = of(stored);
  const found: Difference[] = [];
  const facts = book.balances.get(stored.stream) ?? {
    balance: 0n,
    granted: new Map<string, bigint>(),
    applied: new Map<string, bigint>(),
    returned: new Map<string, bigint>(),
  };
  book.balances.set(stored.stream, facts);
  const amount = whole(data.amount) ?? 0n;
  if (facts[kind].has(id)) found.push(differ('balance-once', `${kind} twice`, 'once', id));
  facts[kind].set(id, amount);
  facts.balance += kind === 'applied' ? -amount : amount;
  if (facts.balance.toString() !== data.balance || facts.balance < 0n || amount <= 0n)
    found.push(differ('balance', 'granted less used is not the balance', facts.balance, data.balance));
  return found;
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
    digest: digestOf((whole(bill.net) ?? 0n) < 0n ? { ...bill, paymentTermsDays: 0 } : bill),
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
    waits: invoice.autoFinalise === false,
    go: { revision: stored.revision, position: stored.position },
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
  if (invoice.waits) differ('invoice-once', 'finalised before anyone asked for it', 'a draft', final.number);
  if (invoice.finalised) differ('invoice-once', 'finalised twice', invoice.finalised.number, final.number);
  if (daysBetween(final.issuedOn, final.dueOn) !== invoice.paymentTermsDays)
    differ('invoice-due', 'dueOn is not issuedOn and the terms', `${invoice.paymentTermsDays} days`, final.dueOn);
  if (final.creditApplied !== undefined) invoice.creditApplied = whole(final.creditApplied) ?? 0n;
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
    const existing = totals.get(currency) ?? { billed: 0n, invoiced: 0n, finalised: 0n, credited: 0n };
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
    if (bill.net < 0n) {
      settleCreditNote(book, bill, differences, missing);
      continue;
    }
    if (!invoice) {
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
    if (!invoice.finalised && !invoice.waits)
      missing.push({
        ...about,
        what: 'finalisation',
        stream: invoice.stream,
        // What the policy reacts to next: the number when there is one.
        position: book.grants.get(id)?.position ?? invoice.go.position,
        revision: invoice.go.revision,
      });
    if (invoice.voided && !book.released.has(id))
      missing.push({ ...about, what: 'release', stream: invoice.stream, ...invoice.voided });
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
  settleBalances(book, differences);
  for (const note of book.creditNotes.values()) of(note.currency).credited += note.total;
  for (const [id, grant] of book.grants)
    if (!book.invoices.has(id) && !book.creditNotes.has(id))
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

/** A bill below zero is a credit note that repeats it, has its number and is granted to the balance. */
function settleCreditNote(book: BillBook, bill: Bill, differences: Difference[], missing: Missing[]): void {
  const { tenant, subscriptionId, billNumber } = bill;
  const id = creditNoteId(subscriptionId, billNumber);
  const about = { invoiceId: id, tenant, subscriptionId, billNumber };
  const note = book.creditNotes.get(id);
  if (!note) {
    missing.push({
      ...about,
      what: 'credit-note',
      stream: bill.stream,
      position: bill.position,
      revision: bill.revision,
    });
    return;
  }
  const differ = (check: string, message: string, expected: unknown, actual: unknown) =>
    differences.push(mismatch(check, note.stream, message, expected, actual, note.revision));
  if (note.digest !== bill.digest || note.tenant !== tenant)
    differ('credit-note-equals-bill', `it does not repeat bill ${billNumber} of ${bill.stream}`, bill.net, note.total);
  const { issued } = note;
  const grant = book.grants.get(id);
  if (!issued) {
    const position = grant?.position ?? note.position;
    missing.push({ ...about, what: 'issue', stream: note.stream, position, revision: note.revision });
    return;
  }
  if (grant?.number !== issued.number)
    differ('credit-note-number', 'the number is not the one granted', grant?.number ?? 'none', issued.number);
  const granted = [...book.balances.values()].flatMap((balance) => balance.granted.get(id) ?? []);
  if (granted.length === 0)
    missing.push({
      ...about,
      what: 'credit',
      stream: note.stream,
      position: issued.position,
      revision: issued.revision,
    });
  else if (granted.length > 1 || granted[0] !== note.total)
    differ('balance', 'the credit granted is not that of the credit note', note.total, granted);
}

/** What balances moved for an invoice or credit note is what these say. */
function settleBalances(book: BillBook, differences: Difference[]): void {
  const used = new Map<string, bigint>();
  for (const [stream, { granted, applied, returned }] of book.balances) {
    for (const id of granted.keys())
      if (!book.creditNotes.has(id))
        differences.push(mismatch('balance', stream, 'credit of no credit note', 'a credit note', id));
    for (const [id, amount] of applied) {
      used.set(id, amount);
      const invoice = book.invoices.get(id);
      const back = returned.get(id) ?? 0n;
      // Applied before it is finalised; given back when it is voided, or was finalised without it.
      if (!invoice?.finalised) continue;
      const kept = invoice.voided || invoice.creditApplied === undefined ? amount - back : back;
      if (kept !== 0n && !(invoice.voided && !book.released.has(id)))
        differences.push(mismatch('balance', stream, `invoice ${id} does not say what was used`, amount, back));
    }
    for (const [id, amount] of returned)
      if (applied.get(id) !== amount)
        differences.push(
          mismatch('balance', stream, `more came back than invoice ${id} had used`, applied.get(id), amount),
        );
  }
  for (const [id, invoice] of book.invoices)
    if (invoice.creditApplied !== undefined && used.get(id) !== invoice.creditApplied)
      differences.push(
        mismatch(
          'balance',
          invoice.stream,
          'the credit is not what a balance gave',
          used.get(id) ?? 'none',
          invoice.creditApplied,
        ),
      );
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
