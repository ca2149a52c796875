import { at, given, refusal, startOn } from '../subscription/decisions.fixture';
import type { LinesBilled } from '../subscription/events';
import { cancelNow } from '../subscription/cancel';
import { creditNoteType, draftCreditNote, evolveCreditNote, issueCreditNote, type CreditNote } from './credit-note';

const none: CreditNote = creditNoteType.initial;
const granted = { series: 'CN', sequence: 7, number: 'CN-000007' };

/** 100.00 a month, cancelled with 21 of 31 days left. (billing-model.md §3) */
function billBelowZero(): LinesBilled['data'] {
  const start = startOn(
    '2026-01-01',
    { interval: { unit: 'month', count: 1 }, timeZone: 'America/New_York', paymentTermsDays: 14 },
    { unitPrice: '10000' },
  );
  const bill = cancelNow(given(start), { credit: 'prorated' }, '2026-01-11T12:00:00.000Z').at(-1);
  if (bill?.type !== 'LinesBilled') throw new Error('no bill');
  return bill.data;
}

describe('a credit note', () => {
  it('is drafted from a bill below zero, once', () => {
    const bill = billBelowZero();
    const events = draftCreditNote(none, bill);
    expect(events[0]?.data).toMatchObject({
      subtotal: '6452',
      total: '6452',
      taxes: [],
      lines: bill.lines,
      billNumber: 2,
    });
    expect(events[0]?.data).not.toHaveProperty('net');
    expect(bill.lines.every(({ corrects }) => corrects !== undefined)).toBe(true);
    const drafted = events.reduce(evolveCreditNote, none);
    expect(draftCreditNote(drafted, bill)).toEqual([]);
    expect(refusal(() => draftCreditNote(none, { ...bill, lines: [] }))).toBe('bill-not-below-zero');
  });

  it('is issued once, under its number, on the local date', () => {
    const drafted = draftCreditNote(none, billBelowZero()).reduce(evolveCreditNote, none);
    const events = issueCreditNote(drafted, granted, '2026-01-12T02:00:00.000Z');
    expect(events).toEqual([
      {
        type: 'CreditNoteIssued',
        data: {
          ...granted,
          effectiveAt: '2026-01-12T02:00:00.000Z',
          customerId: 'customer-1',
          currency: 'USD',
          total: '6452',
          issuedOn: '2026-01-11',
        },
      },
    ]);
    const issued = events.reduce(evolveCreditNote, drafted);
    expect(issued).toMatchObject({ status: 'issued', number: 'CN-000007' });
    expect(issueCreditNote(issued, granted, at('2026-02-01'))).toEqual([]);
    expect(refusal(() => issueCreditNote(none, granted, at('2026-02-01')))).toBe('credit-note-not-found');
    expect(() => evolveCreditNote(none, events[0]!)).toThrow('before it was drafted');
  });
});
