import type { Command } from '@nestjs/cqrs';
import {
  billingPolicies,
  CancelSubscription,
  ChangeItems,
  PauseSubscription,
  RollOverBillingPeriod,
  StartSubscription,
  UndoScheduledChange,
  VoidInvoice,
  type CommandResult,
} from '@perennial/billing-application';
import {
  billingCatalogs,
  creditNoteId,
  customerBalanceId,
  invoiceId,
  presets,
  type CreditNoteEvent,
  type CustomerBalanceEvent,
  type InvoiceEvent,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import { reconcile, verify } from '@perennial/billing-audit';
import { PolicyRunner } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger, until } from '../support/read-side';

const START = '2026-01-01T00:00:00.000Z';

describe('from bills below zero to credit, and from voided invoices back', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let runner: PolicyRunner;
  let dispatched = 0;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: START });
    runner = run();
  });

  afterAll(async () => {
    await runner.stop();
    await process.close();
    await at.close();
  });

  const run = (): PolicyRunner => {
    const made = new PolicyRunner({
      store: process.store,
      streamPrefix: at.prefix,
      policies: billingPolicies,
      catalogs: billingCatalogs,
      dispatch: async (command) => {
        await process.execute(command as Command<CommandResult>);
        dispatched += 1;
      },
      logger,
      saveEveryMs: 50,
    });
    made.start();
    return made;
  };

  const read = async <Event extends { type: string }>(stream: string): Promise<Event[]> => {
    const events: Event[] = [];
    for await (const { type, data } of process.store.read(`${at.prefix}.${stream}`))
      if (type !== 'CommandNoted') events.push({ type, data } as unknown as Event);
    return events;
  };

  const invoice = (subscription: string, bill: number) =>
    read<InvoiceEvent>(`invoice-${invoiceId(subscription, bill)}`);
  const creditNote = (subscription: string, bill: number) =>
    read<CreditNoteEvent>(`credit-note-${creditNoteId(subscription, bill)}`);
  const balance = (customer: string) =>
    read<CustomerBalanceEvent>(`customer-balance-${customerBalanceId('default', customer, 'USD')}`);
  const finalised = (subscription: string, bill: number) =>
    until(async () => (await invoice(subscription, bill)).length >= 2, 10_000);

  const start = async (customerId: string, unitPrice: string, over: object = {}): Promise<string> => {
    const terms = {
      customerId,
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      item: { description: 'Base', timing: 'advance', unitPrice },
      ...over,
    } as const;
    return (await process.execute(new StartSubscription(terms, request()))).aggregateId;
  };

  it('gives 67.74 back for 21 of 31 days of 100.00, and the next invoice is so much smaller', async () => {
    process.clock.time = '2026-01-01T00:00:00.000Z';
    const first = await start('anna', '10000');
    await finalised(first, 1);
    process.clock.time = '2026-01-11T00:00:00.000Z';
    await process.execute(new CancelSubscription(first, { at: 'now', credit: 'prorated' }, request()));
    await until(async () => (await balance('anna')).length === 1, 10_000);
    expect(await creditNote(first, 2)).toMatchObject([
      { type: 'CreditNoteDrafted', data: { total: '6774', lines: [{ kind: 'correction', net: '-6774' }] } },
      { type: 'CreditNoteIssued', data: { number: 'CN-000001', total: '6774', issuedOn: '2026-01-11' } },
    ]);
    expect(await invoice(first, 2)).toEqual([]);

    const second = await start('anna', '10000');
    await finalised(second, 1);
    expect(await invoice(second, 1)).toMatchObject([
      { type: 'InvoiceDrafted', data: { total: '10000' } },
      { type: 'InvoiceFinalised', data: { creditApplied: '6774' } },
    ]);
    expect(await balance('anna')).toMatchObject([
      { type: 'CreditGranted', data: { amount: '6774', balance: '6774', creditNoteId: creditNoteId(first, 2) } },
      { type: 'CreditApplied', data: { amount: '6774', balance: '0', invoiceId: invoiceId(second, 1) } },
    ]);
    const third = await start('anna', '500');
    await finalised(third, 1);
    expect((await invoice(third, 1))[1]?.data).not.toHaveProperty('creditApplied');
  });

  it('returns the credit of a voided invoice, and bills its lines again or waives them', async () => {
    process.clock.time = '2026-03-01T00:00:00.000Z';
    const paused = await start('ben', '3100');
    await finalised(paused, 1);
    process.clock.time = '2026-03-11T00:00:00.000Z';
    await process.execute(new PauseSubscription(paused, { credit: 'prorated' }, request()));
    await until(async () => (await balance('ben')).length === 1, 10_000);
    const voided = await start('ben', '1000');
    await finalised(voided, 1);
    const voidOne = (bill: number, rebill: boolean) =>
      process.execute(new VoidInvoice(invoiceId(voided, bill), { rebill, reason: 'wrong address' }, request()));
    await voidOne(1, true);
    await finalised(voided, 2);
    const [before] = await invoice(voided, 1);
    const lines = before?.type === 'InvoiceDrafted' ? before.data.lines : [];
    expect(lines).toHaveLength(1);
    expect(await invoice(voided, 2)).toMatchObject([
      { type: 'InvoiceDrafted', data: { cause: 'rebill', lines, total: '1000' } },
      { type: 'InvoiceFinalised', data: { creditApplied: '1000', number: expect.not.stringContaining('CN') } },
    ]);
    await voidOne(2, false);
    await until(async () => (await balance('ben')).length === 5, 10_000);
    await until(
      async () => (await read(`subscription-${voided}`)).filter(({ type }) => type === 'BillReleased').length === 2,
      10_000,
    );
    expect((await balance('ben')).map(({ type, data }) => [type, data.amount, data.balance])).toEqual([
      ['CreditGranted', '2100', '2100'],
      ['CreditApplied', '1000', '1100'],
      ['CreditReturned', '1000', '2100'],
      ['CreditApplied', '1000', '1100'],
      ['CreditReturned', '1000', '2100'],
    ]);
    // What was waived is not charged again, and nothing of it is given back.
    process.clock.time = '2026-03-21T00:00:00.000Z';
    const { events } = await process.execute(
      new CancelSubscription(voided, { at: 'now', credit: 'prorated' }, request()),
    );
    expect(events.at(-1)).toMatchObject({ type: 'LinesBilled', data: { billNumber: 3, net: '0' } });
    await finalised(voided, 3);
  });

  it('changes items now, at the period end and taken back, with elapsed periods rolled over on the way', async () => {
    process.clock.time = '2026-06-01T00:00:00.000Z';
    const seats = { description: 'Seats', itemId: 'seats', componentKey: 'seats', timing: 'advance', quantity: '10' };
    const tiers = [
      { upTo: '5', unitPrice: '200' },
      { upTo: null, unitPrice: '100' },
    ];
    const id = await start('cleo', '3000', {
      items: [{ ...seats, price: { model: 'graduated', tiers } }],
      rules: presets['kill-bill'],
    });
    await finalised(id, 1);
    const [drafted] = await invoice(id, 1);
    // 5 × 2.00 + 5 × 1.00 beside 30.00.
    expect(drafted).toMatchObject({ data: { total: '4500' } });
    const change = (itemId: string, quantity: string, over: object) =>
      process.execute(
        new ChangeItems(id, { edits: [{ kind: 'quantity', itemId, quantity }], ...over } as never, request()),
      );
    process.clock.time = '2026-07-16T00:00:00.000Z';
    const more = await change('seats', '20', { billing: 'now' });
    expect(more.events.map(({ type }) => type)).toEqual(['ItemsChanged', 'LinesBilled']);
    await change('base', '2', { when: 'period-end' });
    await process.execute(new UndoScheduledChange(id, request()));
    await change('base', '3', { when: 'period-end' });
    process.clock.time = '2026-08-01T00:00:00.000Z';
    await process.execute(new RollOverBillingPeriod(id, 2, request()));
    const bills = (await read<SubscriptionEvent>(`subscription-${id}`)).flatMap((event) =>
      event.type === 'LinesBilled' ? [event.data] : [],
    );
    // 16 of 31 days: 7.74 back, 12.90 for 20 seats.
    expect(bills.map(({ cause, net }) => [cause, net])).toEqual([
      ['start', '4500'],
      ['boundary', '4500'],
      ['change', '516'],
      ['boundary', '11500'],
    ]);
    await finalised(id, 4);
    // Fewer for the month that has begun: a bill below zero at once.
    process.clock.time = '2026-08-02T00:00:00.000Z';
    await process.execute(
      new ChangeItems(id, { edits: [{ kind: 'remove', itemId: 'seats' }], billing: 'now' }, request()),
    );
    await until(async () => (await balance('cleo')).length === 1, 10_000);
    expect(runner.status().map(({ parkedStreams }) => parkedStreams)).toEqual(billingPolicies.map(() => 0));
  });

  it('changes nothing when the policies start from the beginning', async () => {
    const streams = async () => {
      const events: string[] = [];
      for (const customer of ['anna', 'ben', 'cleo']) events.push(JSON.stringify(await balance(customer)));
      return events;
    };
    const [before, count] = [await streams(), dispatched];
    await runner.stop();
    for (const { name } of billingPolicies) await process.store.deleteStream(`${at.prefix}_position.${name}`);
    dispatched = 0;
    runner = run();
    await until(() => dispatched >= count, 20_000);
    const last = await start('dora', '1');
    await finalised(last, 1);
    expect(await streams()).toEqual(before);
    expect(runner.status().map(({ parkedStreams }) => parkedStreams)).toEqual(billingPolicies.map(() => 0));
  });

  it('holds for the auditor, and reconcile makes up for a credit note that is missing', async () => {
    const { dataKeys } = process.repositories;
    const book = { store: process.store, prefix: at.prefix, dataKeys };
    const audit = () => verify({ ...book, policyPosition: () => Promise.resolve(1n << 60n) });
    const clean = await audit();
    expect(clean.differences).toEqual([]);
    const { billed, invoiced, credited } = clean.totals['USD']!;
    expect(BigInt(invoiced) - BigInt(credited)).toBe(BigInt(billed));
    expect(BigInt(credited)).toBeGreaterThan(6774n + 2100n);

    await runner.stop();
    const id = await start('emma', '3100');
    process.clock.time = '2026-08-12T00:00:00.000Z';
    await process.execute(new CancelSubscription(id, { at: 'now', credit: 'prorated' }, request()));
    expect((await audit()).differences.map(({ check }) => check).sort()).toEqual([
      'missing-credit-note',
      'missing-invoice',
    ]);
    const fix = (command: object) => process.execute(command as Command<CommandResult>);
    const repaired = await reconcile({ ...book, now: START, fix });
    expect(repaired).toMatchObject({ gaps: [{ what: 'invoice' }, { what: 'credit-note' }], failures: [] });
    expect((await audit()).differences).toEqual([]);
    expect(await balance('emma')).toMatchObject([{ type: 'CreditGranted' }]);
  });
});
