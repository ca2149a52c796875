import { at, given, refusal, startOn } from '../subscription/decisions.fixture';
import type { LinesBilled } from '../subscription/events';
import { cancelNow } from '../subscription/cancel';
import { creditNoteId } from '../ids';
import type { CreditNoteEvent } from './events';
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
    const { net, paymentTermsDays: _, ...same } = bill;
    expect(net).toBe('-6452');
    expect(events).toStrictEqual([
      {
        type: 'CreditNoteDrafted',
        data: {
          ...same,
          creditNoteId: creditNoteId(bill.subscriptionId, 2),
          subtotal: '6452',
          taxes: [],
          total: '6452',
        },
      },
    ]);
    expect(bill.lines.every(({ corrects }) => corrects !== undefined)).toBe(true);
    const drafted = events.reduce(evolveCreditNote, none);
    expect(draftCreditNote(drafted, bill)).toEqual([]);
    expect(refusal(() => draftCreditNote(none, { ...bill, lines: [] }))).toBe('bill-not-below-zero');
    const line = bill.lines[0]!;
    const nets = (...nets: string[]) => ({ ...bill, lines: nets.map((each) => ({ ...line, net: each })) });
    expect(refusal(() => draftCreditNote(none, nets('-1', '1')))).toBe('bill-not-below-zero');
    expect(refusal(() => draftCreditNote(none, nets('-1', '2')))).toBe('bill-not-below-zero');
    expect(draftCreditNote(none, nets('-3', '2'))[0]?.data).toMatchObject({ total: '1' });
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
    expect(drafted).toStrictEqual({
      status: 'draft',
      draftedAt: '2026-01-11T12:00:00.000Z',
      customerId: 'customer-1',
      timeZone: 'America/New_York',
      currency: 'USD',
      total: '6452',
    });
    expect(issued).toStrictEqual({ ...drafted, status: 'issued', number: 'CN-000007' });
    expect(issueCreditNote(drafted, granted, at('2026-01-01'))[0]?.data.effectiveAt).toBe('2026-01-11T12:00:00.000Z');
    const { toJSON, fromJSON } = creditNoteType.snapshot;
    expect(fromJSON(JSON.parse(JSON.stringify(toJSON(issued))))).toEqual(issued);
    const eaten = { type: 'CreditNoteEaten', data: {} } as unknown as CreditNoteEvent;
    expect(() => evolveCreditNote(issued, eaten)).toThrow('unknown event CreditNoteEaten');
    expect(issueCreditNote(issued, granted, at('2026-02-01'))).toEqual([]);
    expect(refusal(() => issueCreditNote(none, granted, at('2026-02-01')))).toBe('credit-note-not-found');
    expect(() => evolveCreditNote(none, events[0]!)).toThrow('before it was drafted');
  });
});
