import { instant } from '../calendar';
import { DomainError } from '../domain-error';
import type { JsonValue } from '../json';
import type { InvoiceNumbersEvent } from './events';

/** The series of all invoices until a tenant has more than one: INV-000001. */
export const DEFAULT_SERIES = 'INV';

/** A number series keeps only the last number that it granted. */
export interface InvoiceNumbers {
  readonly last: number;
}

/**
 * Grants an invoice the next number of a series, without gaps. Asking again for one invoice is answered from the record by the
 * key derived from the invoice's id (`grantNumberKey`), so nothing is kept per invoice. Raises `invalid-option`.
 */
export function grant(
  state: InvoiceNumbers,
  { series, invoiceId }: { readonly series: string; readonly invoiceId: string },
  now: string,
): InvoiceNumbersEvent[] {
  if (!/^[A-Z0-9][A-Z0-9-]{0,19}$/.test(series)) {
    throw new DomainError('invalid-option', 'a series is 1 to 20 capital letters, digits and hyphens');
  }
  const sequence = state.last + 1;
  const number = `${series}-${sequence.toString().padStart(6, '0')}`;
  return [{ type: 'InvoiceNumberGranted', data: { effectiveAt: instant(now), series, sequence, number, invoiceId } }];
}

/** Records what happened. */
export function evolveInvoiceNumbers(_state: InvoiceNumbers, event: InvoiceNumbersEvent): InvoiceNumbers {
  // A union of one does not narrow to never; the compiler asks for a switch as soon as there is a second event.
  const type: 'InvoiceNumberGranted' = event.type;
  if (type !== 'InvoiceNumberGranted') throw new Error(`unknown event ${String(type)}`);
  return { last: event.data.sequence };
}

const invoiceNumbersEvents: Readonly<Record<InvoiceNumbersEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  InvoiceNumberGranted: [],
};

/** What the aggregate repository needs to know of number series. */
export const invoiceNumbersType = {
  name: 'invoice-numbers',
  catalog: invoiceNumbersEvents,
  initial: { last: 0 } as InvoiceNumbers,
  evolve: evolveInvoiceNumbers,
  snapshot: {
    version: 1,
    toJSON: (state: InvoiceNumbers): JsonValue => ({ last: state.last }),
    fromJSON: (json: JsonValue) => json as unknown as InvoiceNumbers,
  },
} as const;
