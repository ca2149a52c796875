import { refusal, startOn } from '../subscription/decisions.fixture';
import type { LinesBilled } from '../subscription/events';
import { notStarted } from '../subscription/state';
import { invoiceId } from '../ids';
import {
  changeInvoiceMetadata,
  draft,
  evolveInvoice,
  finalise,
  invoiceType,
  requestFinalisation,
  voidInvoice,
  type Invoice,
} from './invoice';
import type { InvoiceEvent } from './events';

const none: Invoice = invoiceType.initial;
const after = (state: Invoice, events: readonly InvoiceEvent[]) => events.reduce<Invoice>(evolveInvoice, state);
const granted = { series: 'INV', sequence: 42, number: 'INV-000042' };
const billIn = (timeZone: string, paymentTermsDays = 0): LinesBilled['data'] => {
  const bill = startOn('2026-01-01T09:00:00.000Z', { timeZone, paymentTermsDays })(notStarted).at(-1);
  if (bill?.type !== 'LinesBilled') throw new Error('no bill');
  return bill.data;
};

describe('an invoice', () => {
  it('is drafted from a bill, dated as the bill is', () => {
    const bill = billIn('UTC', 14);
    const { net, ...same } = bill;
    expect(draft(none, bill)).toEqual([
      {
        type: 'InvoiceDrafted',
        data: {
          ...same,
          effectiveAt: '2026-01-01T09:00:00.000Z',
          invoiceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          billNumber: 1,
          subtotal: net,
          taxes: [],
          total: net,
        },
      },
    ]);
    expect(draft(after(none, draft(none, bill)), bill)).toEqual([]);
  });

  it('of a bill of nothing has nothing due; a bill below zero or without lines is none', () => {
    const bill = billIn('UTC');
    const line = { ...bill.lines[0]! };
    expect(draft(none, { ...bill, lines: [{ ...line, net: '0' }] })[0]?.data).toMatchObject({
      subtotal: '0',
      total: '0',
    });
    expect(refusal(() => draft(none, { ...bill, lines: [{ ...line, net: '-1' }] }))).toBe('bill-below-zero');
    expect(refusal(() => draft(none, { ...bill, lines: [] }))).toBe('bill-without-lines');
  });

  it('is finalised once, with its number, on the local date of finalising', () => {
    const drafted = after(none, draft(none, billIn('America/New_York', 30)));
    const events = finalise(drafted, granted, '2026-02-01T02:00:00.000Z');
    expect(events).toEqual([
      {
        type: 'InvoiceFinalised',
        data: { ...granted, effectiveAt: '2026-02-01T02:00:00.000Z', issuedOn: '2026-01-31', dueOn: '2026-03-02' },
      },
    ]);
    expect(finalise(after(drafted, events), { ...granted, number: 'INV-000043' }, '2026-02-02T00:00:00.000Z')).toEqual(
      [],
    );
    expect(after(drafted, events)).toMatchObject({ status: 'finalised', number: 'INV-000042' });
  });

  it('is not finalised before it was drafted', () => {
    const drafted = after(none, draft(none, billIn('UTC')));
    expect(finalise(drafted, granted, '2025-12-31T23:00:00.000Z')[0]?.data.effectiveAt).toBe(
      '2026-01-01T09:00:00.000Z',
    );
    expect(refusal(() => finalise(none, granted, '2026-01-01T00:00:00.000Z'))).toBe('invoice-not-found');
  });

  it('keeps of its bill what finalising and voiding ask for', () => {
    const bill = billIn('America/New_York', 30);
    const drafted = after(none, draft(none, bill));
    const { timeZone, paymentTermsDays, subscriptionId, billNumber, customerId, currency, lines } = bill;
    const kept = { timeZone, paymentTermsDays, subscriptionId, billNumber, customerId, currency, lines };
    const draftedAt = '2026-01-01T09:00:00.000Z';
    expect(drafted).toStrictEqual({ status: 'draft', draftedAt, ...kept, total: '3000' });
    const finalised = after(drafted, finalise(drafted, granted, '2026-02-01T00:00:00.000Z'));
    expect(finalised).toStrictEqual({ ...drafted, status: 'finalised', number: 'INV-000042' });
    const { toJSON, fromJSON } = invoiceType.snapshot;
    expect(fromJSON(JSON.parse(JSON.stringify(toJSON(finalised))))).toEqual(finalised);
  });

  it('says who is billed when that is known', () => {
    const drafted = after(none, draft(none, billIn('UTC')));
    const personal = { subject: 'c', clear: { billTo: { name: 'Ada' } } };
    const [event] = finalise(drafted, granted, '2026-02-01T00:00:00.000Z', '0', personal);
    expect(event?.data).toMatchObject({ personal });
    expect(event?.data).not.toHaveProperty('creditApplied');
    expect(finalise(drafted, granted, '2026-02-01T00:00:00.000Z')[0]?.data).not.toHaveProperty('personal');
  });

  it('is drafted before all else that happens to it', () => {
    const drafted = after(none, draft(none, { ...billIn('UTC'), autoFinalise: false }));
    const now = '2026-02-01T00:00:00.000Z';
    const finalised = after(drafted, finalise(drafted, granted, now));
    for (const [event] of [
      requestFinalisation(drafted, now),
      changeInvoiceMetadata(drafted, { po: '7' }, now),
      finalise(drafted, granted, now),
      voidInvoice(finalised, { rebill: true, reason: 'x' }, now),
    ]) {
      expect(() => evolveInvoice(none, event!)).toThrow('before it was drafted');
    }
  });

  it('throws at an event that it does not know', () => {
    expect(() => evolveInvoice(none, { type: 'InvoiceEaten', data: {} } as unknown as InvoiceEvent)).toThrow(
      'unknown event',
    );
  });
});

describe('a void', () => {
  const drafted = after(none, draft(none, billIn('UTC')));
  const now = '2026-02-01T00:00:00.000Z';
  const finalised = after(drafted, finalise(drafted, granted, now, '1000'));
  const wrong = { rebill: true, reason: 'Wrong customer' };

  it('carries the lines and the credit that go back, keeps the number and happens once', () => {
    const events = voidInvoice(finalised, wrong, now);
    const { lines, subscriptionId } = billIn('UTC');
    expect(events).toEqual([
      {
        type: 'InvoiceVoided',
        data: {
          effectiveAt: now,
          ...wrong,
          subscriptionId,
          billNumber: 1,
          customerId: 'customer-1',
          currency: 'USD',
          lines,
          creditApplied: '1000',
        },
      },
    ]);
    const voided = after(finalised, events);
    expect(voided).toEqual({ ...finalised, status: 'voided' });
    const again = after(drafted, finalise(drafted, granted, now, '1000'));
    expect(again).toStrictEqual({ ...drafted, status: 'finalised', number: 'INV-000042', creditApplied: '1000' });
    expect(voidInvoice(again, wrong, now)).toEqual(events);
    const [paid] = voidInvoice(after(drafted, finalise(drafted, granted, now)), wrong, now);
    expect(paid?.data).not.toHaveProperty('creditApplied');
    expect(voidInvoice(voided, wrong, now)).toEqual([]);
    expect(finalise(voided, granted, now)).toEqual([]);
  });

  it('is only of what is finalised; and no credit is more than the total', () => {
    expect(refusal(() => voidInvoice(none, wrong, now))).toBe('invoice-not-found');
    expect(refusal(() => voidInvoice(drafted, wrong, now))).toBe('invoice-not-finalised');
    expect(refusal(() => voidInvoice(finalised, { rebill: true, reason: '' }, now))).toBe('invalid-text');
    expect(refusal(() => finalise(drafted, granted, now, '3001'))).toBe('invalid-amount');
    expect(refusal(() => finalise(drafted, granted, now, '-1'))).toBe('invalid-amount');
    expect(finalise(drafted, granted, now, '3000')[0]?.data).toMatchObject({ creditApplied: '3000' });
  });

  it('says why, in at most 500 characters, and is dated no earlier than the draft', () => {
    const why = (reason: string) => voidInvoice(finalised, { rebill: false, reason }, '2025-12-31T00:00:00.000Z');
    expect(why('x'.repeat(500))[0]?.data).toMatchObject({
      effectiveAt: '2026-01-01T09:00:00.000Z',
      rebill: false,
      reason: 'x'.repeat(500),
    });
    expect(refusal(() => why('x'.repeat(501)))).toBe('invalid-text');
  });
});

describe('a draft for review', () => {
  const now = '2026-02-01T00:00:00.000Z';
  const bill = { ...billIn('UTC'), autoFinalise: false as const };
  const drafted = after(none, draft(none, bill));

  it('waits until someone asks, once, for its finalising', () => {
    expect(drafted).toMatchObject({ status: 'draft', waits: true });
    const events = requestFinalisation(drafted, now);
    const id = invoiceId(bill.subscriptionId, 1);
    expect(events).toEqual([{ type: 'FinalisationRequested', data: { effectiveAt: now, invoiceId: id } }]);
    const asked = after(drafted, events);
    expect(asked).toEqual(after(none, draft(none, billIn('UTC'))));
    expect(requestFinalisation(asked, now)).toEqual([]);
    expect(requestFinalisation(after(asked, finalise(asked, granted, now)), now)).toEqual([]);
    expect(refusal(() => requestFinalisation(none, now))).toBe('invoice-not-found');
  });

  it('is none by default', () => {
    expect(requestFinalisation(after(none, draft(none, billIn('UTC'))), now)).toEqual([]);
    expect(after(none, draft(none, { ...billIn('UTC'), autoFinalise: true as never }))).not.toHaveProperty('waits');
  });

  it('is asked for no earlier than it was drafted, and no more once it is finalised', () => {
    const [event] = requestFinalisation(drafted, '2025-12-31T00:00:00.000Z');
    expect(event?.data.effectiveAt).toBe('2026-01-01T09:00:00.000Z');
    expect(requestFinalisation(after(drafted, finalise(drafted, granted, now)), now)).toEqual([]);
  });
});

describe('the metadata of an invoice', () => {
  const now = '2026-02-01T00:00:00.000Z';
  const drafted = after(none, draft(none, billIn('UTC')));

  it('is set and taken away by name, in any status, and nothing when it is so', () => {
    const events = changeInvoiceMetadata(drafted, { po: '7', gone: null }, now);
    expect(events).toEqual([{ type: 'InvoiceMetadataChanged', data: { effectiveAt: now, metadata: { po: '7' } } }]);
    const noted = after(after(drafted, events), finalise(drafted, granted, now));
    expect(changeInvoiceMetadata(noted, { po: '7' }, now)).toEqual([]);
    expect(changeInvoiceMetadata(noted, { po: null }, now)[0]?.data).toMatchObject({ metadata: {} });
    expect(refusal(() => changeInvoiceMetadata(none, {}, now))).toBe('invoice-not-found');
    expect(changeInvoiceMetadata(drafted, {}, now)).toEqual([]);
    expect(refusal(() => changeInvoiceMetadata(drafted, { '': 'x' }, now))).toBe('invalid-metadata');
    expect(changeInvoiceMetadata(drafted, { po: '7' }, '2025-12-31T00:00:00.000Z')[0]?.data.effectiveAt).toBe(
      '2026-01-01T09:00:00.000Z',
    );
  });
});
