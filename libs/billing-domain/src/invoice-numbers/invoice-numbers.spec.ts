import { refusal } from '../subscription/decisions.fixture';
import { evolveInvoiceNumbers, grant, invoiceNumbersType, type InvoiceNumbers } from './invoice-numbers';
import type { InvoiceNumbersEvent } from './events';

const now = '2026-01-01T00:00:00.000Z';
const none: InvoiceNumbers = invoiceNumbersType.initial;

it('grants numbers without gaps in their series, each to one invoice', () => {
  let state = none;
  const events = ['a', 'b', 'c'].flatMap((invoiceId) => {
    const granted = grant(state, { series: 'INV', invoiceId }, now);
    state = granted.reduce(evolveInvoiceNumbers, state);
    return granted;
  });
  expect(events).toEqual(
    ['a', 'b', 'c'].map((invoiceId, i) => ({
      type: 'InvoiceNumberGranted',
      data: { effectiveAt: now, series: 'INV', sequence: i + 1, number: `INV-00000${i + 1}`, invoiceId },
    })),
  );
  expect(state).toEqual({ last: 3 });
});

it('goes on where the last number was, whichever series it is asked in', () => {
  const [event] = grant({ last: 41 }, { series: 'CN-2026', invoiceId: 'a' }, now);
  expect(event?.data).toMatchObject({ series: 'CN-2026', sequence: 42, number: 'CN-2026-000042' });
});

it('outgrows its padding', () => {
  expect(grant({ last: 999_998 }, { series: 'INV', invoiceId: 'a' }, now)[0]?.data.number).toBe('INV-999999');
  expect(grant({ last: 999_999 }, { series: 'INV', invoiceId: 'a' }, now)[0]?.data.number).toBe('INV-1000000');
});

it.each(['A', '9', 'A-', `A${'9'.repeat(19)}`])('takes the series %j', (series) => {
  expect(grant(none, { series, invoiceId: 'a' }, now)[0]?.data.number).toBe(`${series}-000001`);
});

it.each(['', 'inv', 'A B', '-A', 'aA', 'Aa', 'A\n', 'A'.repeat(21)])('refuses the series %j', (series) => {
  expect(refusal(() => grant(none, { series, invoiceId: 'a' }, now))).toBe('invalid-option');
});

it('refuses a time that is none', () => {
  expect(refusal(() => grant(none, { series: 'INV', invoiceId: 'a' }, 'today'))).toBe('invalid-instant');
});

it('keeps the last number alone, and is the same from a snapshot', () => {
  const { toJSON, fromJSON } = invoiceNumbersType.snapshot;
  expect(toJSON({ last: 42 })).toEqual({ last: 42 });
  expect(fromJSON({ last: 42 })).toEqual({ last: 42 });
  expect(none).toEqual({ last: 0 });
});

it('throws at an event that it does not know', () => {
  const eaten = { type: 'NumberEaten', data: {} } as unknown as InvoiceNumbersEvent;
  expect(() => evolveInvoiceNumbers(none, eaten)).toThrow('unknown event NumberEaten');
});
