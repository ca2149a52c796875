import { addDays, laterInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { invoiceId } from '../ids';
import type { JsonValue } from '../json';
import type { Line } from '../line';
import { patched, type MetadataPatch } from '../metadata';
import { parseMinor } from '../money';
import type { LinesBilled } from '../subscription/events';
import { text } from '../text';
import type { InvoiceEvent, InvoiceFinalised } from './events';

export type Invoice =
  | { readonly status: 'none' }
  | {
      readonly status: 'draft' | 'finalised' | 'voided';
      readonly draftedAt: string;
      readonly timeZone: string;
      readonly paymentTermsDays: number;
      readonly subscriptionId: string;
      readonly billNumber: number;
      readonly customerId: string;
      readonly currency: string;
      readonly total: string;
      /** What a void gives back to the subscription. */
      readonly lines: readonly Line[];
      readonly creditApplied?: string;
      /** Absent in a draft. */
      readonly number?: string;
      /** Of a draft that waits until someone asks for its finalising. */
      readonly waits?: true;
      /** Absent: none. */
      readonly metadata?: Readonly<Record<string, string>>;
    };

/**
 * Drafts the invoice of a bill; nothing when it is drafted already. Dated as the bill is. Raises `bill-below-zero`,
 * `bill-without-lines`. (billing-model.md §3)
 */
export function draft(state: Invoice, bill: LinesBilled['data']): InvoiceEvent[] {
  if (state.status !== 'none') return [];
  const subtotal = bill.lines.reduce((sum, line) => sum + BigInt(line.net), 0n);
  if (bill.lines.length === 0) throw new DomainError('bill-without-lines');
  if (subtotal < 0n) throw new DomainError('bill-below-zero');
  const { net: _, ...billed } = bill;
  const amounts = { subtotal: subtotal.toString(), taxes: [], total: subtotal.toString() };
  const data = { ...billed, invoiceId: invoiceId(bill.subscriptionId, bill.billNumber), ...amounts };
  return [{ type: 'InvoiceDrafted', data }];
}

/** Lets a draft that waits for its review be finalised. Nothing when it does not wait, or no longer. Raises `invoice-not-found`. */
export function requestFinalisation(state: Invoice, now: string): InvoiceEvent[] {
  if (state.status === 'none') throw new DomainError('invoice-not-found');
  if (state.status !== 'draft' || state.waits !== true) return [];
  const id = invoiceId(state.subscriptionId, state.billNumber);
  return [{ type: 'FinalisationRequested', data: { effectiveAt: laterInstant(now, state.draftedAt), invoiceId: id } }];
}

/** Changes the caller's own notes, in any status. Nothing when they are so already. Raises `invoice-not-found`, `invalid-metadata`. */
export function changeInvoiceMetadata(state: Invoice, patch: MetadataPatch, now: string): InvoiceEvent[] {
  if (state.status === 'none') throw new DomainError('invoice-not-found');
  const metadata = patched(state.metadata ?? {}, patch);
  if (!metadata) return [];
  return [{ type: 'InvoiceMetadataChanged', data: { effectiveAt: laterInstant(now, state.draftedAt), metadata } }];
}

/**
 * Finalises a draft under the number that its series granted: issued on the local date of now, due after the payment terms.
 * `creditApplied`: what the customer's balance has settled, minor units; `personal`: who is billed. Nothing when it is finalised already. Raises
 * `invoice-not-found`, `invalid-amount`.
 */
export function finalise(
  state: Invoice,
  granted: { readonly series: string; readonly sequence: number; readonly number: string },
  now: string,
  creditApplied = '0',
  personal?: InvoiceFinalised['data']['personal'],
): InvoiceEvent[] {
  if (state.status === 'none') throw new DomainError('invoice-not-found');
  if (state.status !== 'draft') return [];
  const credit = parseMinor(creditApplied);
  if (credit < 0n || credit > BigInt(state.total)) throw new DomainError('invalid-amount');
  const effectiveAt = laterInstant(now, state.draftedAt);
  const issuedOn = toLocalDate(effectiveAt, state.timeZone);
  const dueOn = addDays(issuedOn, state.paymentTermsDays);
  const { series, sequence, number } = granted;
  const data = {
    ...{ effectiveAt, series, sequence, number, issuedOn, dueOn },
    ...(credit > 0n && { creditApplied }),
    ...(personal && { personal }),
  };
  return [{ type: 'InvoiceFinalised', data }];
}

/**
 * Voids a finalised invoice, which keeps its number; its lines go on a new bill (`rebill`) or are waived. Nothing when it is void
 * already. Raises `invoice-not-found`, `invoice-not-finalised`, `invalid-text`. (billing-model.md §3)
 */
export function voidInvoice(
  state: Invoice,
  input: { readonly rebill: boolean; readonly reason: string },
  now: string,
): InvoiceEvent[] {
  if (state.status === 'none') throw new DomainError('invoice-not-found');
  if (state.status === 'voided') return [];
  if (state.status === 'draft') throw new DomainError('invoice-not-finalised');
  const { subscriptionId, billNumber, customerId, currency, lines, creditApplied, draftedAt } = state;
  const data = {
    effectiveAt: laterInstant(now, draftedAt),
    reason: text('reason', input.reason, 500),
    rebill: input.rebill,
    subscriptionId,
    billNumber,
    customerId,
    currency,
    lines,
    ...(creditApplied !== undefined && { creditApplied }),
  };
  return [{ type: 'InvoiceVoided', data }];
}

/** Records what happened. */
export function evolveInvoice(state: Invoice, event: InvoiceEvent): Invoice {
  switch (event.type) {
    case 'InvoiceDrafted': {
      const { effectiveAt: draftedAt, timeZone, paymentTermsDays, subscriptionId, billNumber } = event.data;
      const { customerId, currency, total, lines, autoFinalise } = event.data;
      const bill = { subscriptionId, billNumber, customerId, currency, total, lines };
      const waits = autoFinalise === false && { waits: true as const };
      return { status: 'draft', draftedAt, timeZone, paymentTermsDays, ...bill, ...waits };
    }
    case 'FinalisationRequested': {
      if (state.status === 'none') throw new Error('an invoice was to be finalised before it was drafted');
      const { waits: _, ...goesOn } = state;
      return goesOn;
    }
    case 'InvoiceMetadataChanged': {
      if (state.status === 'none') throw new Error('an invoice changed before it was drafted');
      return { ...state, metadata: event.data.metadata };
    }
    case 'InvoiceFinalised': {
      if (state.status === 'none') throw new Error('an invoice was finalised before it was drafted');
      const { number, creditApplied } = event.data;
      return { ...state, status: 'finalised', number, ...(creditApplied !== undefined && { creditApplied }) };
    }
    case 'InvoiceVoided': {
      if (state.status === 'none') throw new Error('an invoice was voided before it was drafted');
      return { ...state, status: 'voided' };
    }
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const invoiceEvents: Readonly<Record<InvoiceEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  InvoiceDrafted: [],
  FinalisationRequested: [],
  InvoiceFinalised: [],
  InvoiceVoided: [],
  InvoiceMetadataChanged: [],
};

/** What the aggregate repository needs to know of invoices. */
export const invoiceType = {
  name: 'invoice',
  catalog: invoiceEvents,
  initial: { status: 'none' } as Invoice,
  evolve: evolveInvoice,
  snapshot: {
    version: 2,
    toJSON: (state: Invoice) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Invoice,
  },
} as const;
