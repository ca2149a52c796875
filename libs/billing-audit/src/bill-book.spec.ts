import {
  type InvoiceEvent,
  type LinesBilled,
  draft,
  finalise,
  grant,
  invoiceId,
  invoiceNumbersType,
  invoiceType,
} from '@perennial/billing-domain';
import type { DomainEvent, StoredEvent } from '@perennial/event-sourcing';
import { enterInBook, openBillBook, settleBook } from './bill-book';

const subscription = '6f9619ff-8b86-5d11-b42d-00c04fc964ff';
const now = '2026-01-03T00:00:00.000Z';

function bill(billNumber: number, net: string): LinesBilled {
  return {
    type: 'LinesBilled',
    data: {
      effectiveAt: now,
      subscriptionId: subscription,
      billNumber,
      periodNumber: billNumber,
      cause: 'boundary',
      customerId: 'c1',
      timeZone: 'UTC',
      paymentTermsDays: 14,
      currency: 'USD',
      lines: [
        {
          lineId: `line-${billNumber}`,
          kind: 'one-time',
          description: '',
          service: { from: '2026-01-01', to: '2026-01-02' },
          quantity: '1',
          unitPrice: net,
          net,
          taxCode: null,
          taxBehaviour: 'unspecified',
          discountable: true,
          change: 0,
          rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
          metadata: {},
        },
      ],
      net,
    },
  };
}

interface Entry {
  aggregate: string;
  id: string;
  event: DomainEvent;
}

/** Three bills with their invoices and numbers, as the domain makes them. */
function honestBook(): Entry[] {
  let numbers = invoiceNumbersType.initial;
  return [1, 2, 3].flatMap((n) => {
    const billed = bill(n, `${n}00`);
    const id = invoiceId(subscription, n);
    const drafted = draft(invoiceType.initial, billed.data);
    const granted = grant(numbers, { series: 'INV', invoiceId: id }, now);
    numbers = granted.reduce(invoiceNumbersType.evolve, numbers);
    const finalised = finalise(drafted.reduce(invoiceType.evolve, invoiceType.initial), granted[0]!.data, now);
    return [
      { aggregate: 'subscription', id: subscription, event: billed },
      ...drafted.map((event) => ({ aggregate: 'invoice', id, event })),
      ...granted.map((event) => ({ aggregate: 'invoice-numbers', id: 'numbers', event })),
      ...finalised.map((event) => ({ aggregate: 'invoice', id, event })),
    ];
  });
}

function settle(entries: readonly Entry[]) {
  const book = openBillBook();
  const found = entries.flatMap(({ aggregate, id, event }, n) =>
    enterInBook(book, {
      event,
      aggregate,
      aggregateId: id,
      stream: `perennial.${aggregate}-${id}`,
      revision: BigInt(n),
      position: BigInt(n),
      id: `e${n}`,
      metadata: { tenant: 'default', recordedAt: now } as StoredEvent['metadata'],
    }),
  );
  const settled = settleBook(book);
  return { ...settled, checks: [...found, ...settled.differences].map((each) => each.check) };
}

/** The book with the data of the second event of a type changed, or without it. */
function forged(type: string, change: object | 'left out'): Entry[] {
  let seen = 0;
  return honestBook().flatMap((entry) => {
    if (entry.event.type !== type || ++seen !== 2) return [entry];
    if (change === 'left out') return [];
    return [{ ...entry, event: { type, data: { ...entry.event.data, ...change } } }];
  });
}

describe('the book of bills', () => {
  it('settles when every bill has its invoice, and gives the totals', () => {
    const { checks, missing, totals } = settle(honestBook());
    expect({ checks, missing }).toEqual({ checks: [], missing: [] });
    expect(totals.get('USD')).toEqual({ billed: 600n, invoiced: 600n, finalised: 600n, credited: 0n });
  });

  it('names what is missing', () => {
    const lost = (type: string) => settle(forged(type, 'left out'));
    expect(lost('InvoiceFinalised').missing).toMatchObject([{ what: 'finalisation', billNumber: 2 }]);
    const withoutInvoice = honestBook().filter(({ event }, n) => n < 4 || event.type !== 'InvoiceDrafted');
    expect(settle(withoutInvoice).missing.map((each) => each.what)).toEqual(['invoice', 'invoice']);
    expect(settle(withoutInvoice).checks).toContain('invoice-once');
  });

  const drafted = honestBook()[5]!.event as Extract<InvoiceEvent, { type: 'InvoiceDrafted' }>;
  it.each<[string, string, Entry[]]>([
    ['an invoice that does not repeat its bill', 'invoice-equals-bill', forged('InvoiceDrafted', { customerId: 'c2' })],
    ['a cent in a subtotal', 'invoice-total', forged('InvoiceDrafted', { subtotal: '201', total: '201' })],
    ['a cent in a total', 'invoice-total', forged('InvoiceDrafted', { total: '201' })],
    [
      'a cent in a line',
      'invoice-equals-bill',
      forged('InvoiceDrafted', { lines: drafted.data.lines.map((line) => ({ ...line, unitPrice: '201' })) }),
    ],
    ['the invoice of another bill', 'identity', forged('InvoiceDrafted', { billNumber: 7 })],
    ['an invoice without a bill', 'invoice-of-a-bill', forged('LinesBilled', 'left out')],
    ['a number that was not granted', 'invoice-number', forged('InvoiceNumberGranted', 'left out')],
    ['another number than was granted', 'invoice-number', forged('InvoiceFinalised', { number: 'INV-000009' })],
    ['one number on two invoices', 'invoice-number', forged('InvoiceFinalised', { number: 'INV-000001' })],
    ['a gap in the numbers', 'invoice-number', forged('InvoiceNumberGranted', { sequence: 3 })],
    ['a due date that is not the terms', 'invoice-due', forged('InvoiceFinalised', { dueOn: '2026-02-18' })],
    ['a second draft', 'invoice-once', [...honestBook(), honestBook()[1]!]],
    ['a second finalisation', 'invoice-once', [...honestBook(), honestBook()[3]!]],
    ['a second bill of one number', 'bill-number', [...honestBook(), honestBook()[0]!]],
  ])('finds %s', (_, expected, entries) => {
    expect(settle(entries).checks).toContain(expected);
  });
});
