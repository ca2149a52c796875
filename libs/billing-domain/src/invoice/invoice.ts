import { addDays, laterInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { invoiceId } from '../ids';
import type { JsonValue } from '../json';
import type { LinesBilled } from '../subscription/events';
import type { InvoiceEvent } from './events';

export type Invoice =
  | { readonly status: 'none' }
  | {
      readonly status: 'draft' | 'finalised';
      readonly draftedAt: string;
      readonly timeZone: string;
      readonly paymentTermsDays: number;
      /** Absent in a draft. */
      readonly number?: string;
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

/**
 * Finalises a draft under the number that its series granted: issued on the local date of now, due after the payment terms.
 * Nothing when it is finalised already. Raises `invoice-not-found`.
 */
export function finalise(
  state: Invoice,
  granted: { readonly series: string; readonly sequence: number; readonly number: string },
  now: string,
): InvoiceEvent[] {
  if (state.status === 'none') throw new DomainError('invoice-not-found');
  if (state.status === 'finalised') return [];
  const effectiveAt = laterInstant(now, state.draftedAt);
  const issuedOn = toLocalDate(effectiveAt, state.timeZone);
  const dueOn = addDays(issuedOn, state.paymentTermsDays);
  const { series, sequence, number } = granted;
  return [{ type: 'InvoiceFinalised', data: { effectiveAt, series, sequence, number, issuedOn, dueOn } }];
}

/** Records what happened. */
export function evolveInvoice(state: Invoice, event: InvoiceEvent): Invoice {
  switch (event.type) {
    case 'InvoiceDrafted': {
      const { effectiveAt, timeZone, paymentTermsDays } = event.data;
      return { status: 'draft', draftedAt: effectiveAt, timeZone, paymentTermsDays };
    }
    case 'InvoiceFinalised': {
      if (state.status === 'none') throw new Error('an invoice was finalised before it was drafted');
      return { ...state, status: 'finalised', number: event.data.number };
    }
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const invoiceEvents: Readonly<Record<InvoiceEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  InvoiceDrafted: [],
  InvoiceFinalised: [],
};

/** What the aggregate repository needs to know of invoices. */
export const invoiceType = {
  name: 'invoice',
  catalog: invoiceEvents,
  initial: { status: 'none' } as Invoice,
  evolve: evolveInvoice,
  snapshot: {
    version: 1,
    toJSON: (state: Invoice) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Invoice,
  },
} as const;
