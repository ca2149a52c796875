import { laterInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { creditNoteId } from '../ids';
import type { JsonValue } from '../json';
import type { LinesBilled } from '../subscription/events';
import type { CreditNoteEvent } from './events';

/** The series of all credit notes: CN-000001. */
export const CREDIT_NOTE_SERIES = 'CN';

export type CreditNote =
  | { readonly status: 'none' }
  | {
      readonly status: 'draft' | 'issued';
      readonly draftedAt: string;
      readonly customerId: string;
      readonly timeZone: string;
      readonly currency: string;
      readonly total: string;
      /** Absent in a draft. */
      readonly number?: string;
    };

/**
 * Drafts the credit note of a bill below zero; nothing when it is drafted already. Dated as the bill is. Raises
 * `bill-not-below-zero`. (billing-model.md §3)
 */
export function draftCreditNote(state: CreditNote, bill: LinesBilled['data']): CreditNoteEvent[] {
  if (state.status !== 'none') return [];
  const net = bill.lines.reduce((sum, line) => sum + BigInt(line.net), 0n);
  if (net >= 0n) throw new DomainError('bill-not-below-zero');
  const { net: _, paymentTermsDays: __, ...billed } = bill;
  const total = (-net).toString();
  const id = creditNoteId(bill.subscriptionId, bill.billNumber);
  return [{ type: 'CreditNoteDrafted', data: { ...billed, creditNoteId: id, subtotal: total, taxes: [], total } }];
}

/**
 * Issues a draft under the number that its series granted, on the local date of now. Nothing when it is issued already. Raises
 * `credit-note-not-found`.
 */
export function issueCreditNote(
  state: CreditNote,
  granted: { readonly series: string; readonly sequence: number; readonly number: string },
  now: string,
): CreditNoteEvent[] {
  if (state.status === 'none') throw new DomainError('credit-note-not-found');
  if (state.status === 'issued') return [];
  const effectiveAt = laterInstant(now, state.draftedAt);
  const issuedOn = toLocalDate(effectiveAt, state.timeZone);
  const { customerId, currency, total } = state;
  const { series, sequence, number } = granted;
  const data = { effectiveAt, customerId, currency, total, series, sequence, number, issuedOn };
  return [{ type: 'CreditNoteIssued', data }];
}

/** Records what happened. */
export function evolveCreditNote(state: CreditNote, event: CreditNoteEvent): CreditNote {
  switch (event.type) {
    case 'CreditNoteDrafted': {
      const { effectiveAt, customerId, timeZone, currency, total } = event.data;
      return { status: 'draft', draftedAt: effectiveAt, customerId, timeZone, currency, total };
    }
    case 'CreditNoteIssued': {
      if (state.status === 'none') throw new Error('a credit note was issued before it was drafted');
      return { ...state, status: 'issued', number: event.data.number };
    }
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const creditNoteEvents: Readonly<Record<CreditNoteEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  CreditNoteDrafted: [],
  CreditNoteIssued: [],
};

/** What the aggregate repository needs to know of credit notes. */
export const creditNoteType = {
  name: 'credit-note',
  catalog: creditNoteEvents,
  initial: { status: 'none' } as CreditNote,
  evolve: evolveCreditNote,
  snapshot: {
    version: 1,
    toJSON: (state: CreditNote) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as CreditNote,
  },
} as const;
