import { creditNoteId, invoiceId } from '@perennial/billing-domain';
import { AggregateNotFound } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../../test/support/eventstore';
import { AddLineItem } from '../commands/add-line-item';
import { CancelSubscription } from '../commands/cancel-subscription';
import { ChangeItems } from '../commands/change-items';
import { DraftInvoice } from '../commands/draft-invoice';
import { FinaliseInvoice } from '../commands/finalise-invoice';
import { GrantCredit } from '../commands/grant-credit';
import { RollOverBillingPeriod } from '../commands/roll-over-billing-period';
import { StartSubscription } from '../commands/start-subscription';
import { GetUpcomingInvoice, GetUpcomingInvoiceHandler } from './upcoming-invoice';

describe('the upcoming invoice', () => {
  let at: TestEventStore;
  let process: BillingProcess;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: '2026-01-01T00:00:00.000Z' });
  });

  afterAll(async () => {
    await process.close();
    await at.close();
  });

  const preview = (id: string, tenant = 'default') =>
    new GetUpcomingInvoiceHandler(process.repositories, process.clock).execute(new GetUpcomingInvoice(tenant, id));

  const start = async (customerId: string): Promise<string> => {
    process.clock.time = '2026-01-01T00:00:00.000Z';
    const terms = {
      customerId,
      currency: 'USD',
      timeZone: 'America/New_York',
      paymentTermsDays: 14,
      interval: { unit: 'month', count: 1 },
      anchor: { dayOfMonth: 1 },
      item: { description: 'Base', timing: 'advance', unitPrice: '3000' },
    } as const;
    return (await process.execute(new StartSubscription(terms, request()))).aggregateId;
  };

  it('is the invoice that follows, with the balance that settles it and its dates', async () => {
    const id = await start('anna');
    await process.execute(new AddLineItem(id, { lineItemId: 'a', description: 'Work', unitPrice: '250' }, request()));
    const credit = { creditNoteId: creditNoteId(id, 9), customerId: 'anna', currency: 'USD', amount: '700' };
    await process.execute(new GrantCredit(credit, request()));

    const { upcoming, revision } = await preview(id);
    expect((await process.repositories.subscriptions.load(id, 'default'))?.revision.toString()).toBe(revision);

    process.clock.time = '2026-01-01T05:00:00.000Z';
    const { events } = await process.execute(new RollOverBillingPeriod(id, 1, request()));
    const bill = events.find(({ type }) => type === 'LinesBilled')?.data as DraftInvoice['bill'];
    await process.execute(new DraftInvoice(bill, request()));
    const granted = { series: 'INV', sequence: 1, number: 'INV-000001' };
    const invoice = invoiceId(id, bill.billNumber);
    const finalised = await process.execute(new FinaliseInvoice(invoice, granted, request()));
    const { issuedOn, dueOn, creditApplied } = finalised.events[0]?.data as Record<string, string>;
    expect(upcoming).toEqual({
      kind: 'invoice',
      billNumber: bill.billNumber,
      periodNumber: bill.periodNumber,
      cause: bill.cause,
      customerId: 'anna',
      currency: 'USD',
      timeZone: 'America/New_York',
      paymentTermsDays: 14,
      billsAt: bill.effectiveAt,
      issuedOn,
      dueOn,
      lines: bill.lines,
      discounts: '0',
      subtotal: '3250',
      taxes: [],
      total: '3250',
      creditApplied,
      amountDue: '2550',
    });
    expect(creditApplied).toBe('700');
  });

  it('takes from the balance first what bills before it will take', async () => {
    const id = await start('bert');
    const credit = { creditNoteId: creditNoteId(id, 9), customerId: 'bert', currency: 'USD', amount: '3100' };
    await process.execute(new GrantCredit(credit, request()));
    process.clock.time = '2026-01-02T00:00:00.000Z';
    expect((await preview(id)).upcoming).toMatchObject({ billsAt: '2026-02-01T05:00:00.000Z', creditApplied: '100' });
  });

  it('is a credit note when more is given back than charged, and none after the end', async () => {
    const id = await start('cleo');
    process.clock.time = '2026-01-02T00:00:00.000Z';
    await process.execute(new RollOverBillingPeriod(id, 1, request()));
    await process.execute(
      new ChangeItems(id, { edits: [{ kind: 'quantity', itemId: 'base', quantity: '0' }] }, request()),
    );
    expect((await preview(id)).upcoming).toMatchObject({
      kind: 'credit-note',
      dueOn: null,
      subtotal: '3000',
      total: '3000',
      creditApplied: '0',
      amountDue: '0',
    });
    await process.execute(new CancelSubscription(id, { at: 'now', credit: 'none' }, request()));
    expect(await preview(id)).toMatchObject({ upcoming: null, reason: 'subscription-canceled' });
  });

  it('is nobody else’s', async () => {
    const id = await start('dora');
    await expect(preview(id, 'another')).rejects.toThrow(AggregateNotFound);
  });
});
