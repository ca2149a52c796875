import type { Command } from '@nestjs/cqrs';
import {
  AddLineItem,
  billingPolicies,
  rollOverElapsedPeriods,
  StartSubscription,
  type CommandResult,
} from '@perennial/billing-application';
import {
  billingCatalogs,
  DEFAULT_SERIES,
  invoiceId,
  invoiceNumbersId,
  type InvoiceEvent,
  type LinesBilled,
} from '@perennial/billing-domain';
import { PolicyRunner } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger, until } from '../support/read-side';

const START = '2026-01-31T23:00:00.000Z';
const MONTHS = 4;
const SUBSCRIPTIONS = 12;

describe('from bills to finalised invoices', () => {
  let at: TestEventStore;
  let processes: readonly [BillingProcess, BillingProcess];
  const runners: PolicyRunner[] = [];
  let dispatched = 0;

  beforeAll(async () => {
    at = await testEventStore();
    processes = [await billingProcess(at, { time: START }), await billingProcess(at, { time: START })];
  });

  afterAll(async () => {
    for (const runner of runners) await runner.stop();
    for (const process of processes) await process.close();
    await at.close();
  });

  const run = (process: BillingProcess): PolicyRunner => {
    const runner = new PolicyRunner({
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
    runners.push(runner);
    runner.start();
    return runner;
  };

  const read = async <Event>(stream: string): Promise<Event[]> => {
    const events: Event[] = [];
    for await (const { type, data } of processes[0].store.read(`${at.prefix}.${stream}`))
      events.push({ type, data } as Event);
    return events;
  };

  const numbers = async () =>
    (
      await read<{ data: { sequence: number; number: string; invoiceId: string } }>(
        `invoice-numbers-${invoiceNumbersId('default', DEFAULT_SERIES)}`,
      )
    ).map(({ data }) => data);

  it('makes of every bill one invoice with a number of a gapless series, whichever of two policy runners comes first', async () => {
    const ids = await Promise.all(
      Array.from({ length: SUBSCRIPTIONS }, async (_, n) => {
        const terms = {
          externalId: `subscription-${n}`,
          customerId: `customer-${n}`,
          currency: 'USD',
          timeZone: n % 2 === 0 ? 'Pacific/Auckland' : 'America/Los_Angeles',
          paymentTermsDays: 10,
          interval: { unit: 'month', count: 1 },
          item: { description: 'Base', timing: n % 3 === 0 ? 'arrears' : 'advance', unitPrice: `${1_000 + n}` },
        } as const;
        return (await processes[0].execute(new StartSubscription(terms, request()))).aggregateId;
      }),
    );
    run(processes[0]);
    const second = run(processes[1]);
    for (let month = 1; month <= MONTHS; month += 1) {
      for (const { clock } of processes) clock.time = new Date(Date.UTC(2026, month + 1, 1, 12)).toISOString();
      await Promise.all(
        ids.map(async (id, n) => {
          const due = [{ tenant: 'default', subscriptionId: id, periodNumber: month }];
          const schedulers = processes.map((process) =>
            rollOverElapsedPeriods(due).map((each) => process.execute(each)),
          );
          await Promise.all(schedulers.flat());
          const item = { lineItemId: `item-${month}`, description: 'Charge', unitPrice: `${n}` };
          await processes[month % 2]?.execute(new AddLineItem(id, item, request()));
        }),
      );
      // One of them goes away in the middle and another comes back where the positions say.
      if (month === 2) {
        await second.stop();
        run(processes[1]);
      }
    }

    const bills = (await Promise.all(ids.map((id) => read<LinesBilled>(`subscription-${id}`))))
      .flat()
      .filter(({ type }) => type === 'LinesBilled')
      .map(({ data }) => data);
    expect(bills.length).toBeGreaterThan(SUBSCRIPTIONS * MONTHS);
    const invoiceOf = (bill: LinesBilled['data']) => invoiceId(bill.subscriptionId, bill.billNumber);
    const eventsOf = (bill: LinesBilled['data']) => read<InvoiceEvent>(`invoice-${invoiceOf(bill)}`);
    await until(async () => {
      const all = await Promise.all(bills.map(eventsOf));
      return all.every((events) => events.some(({ type }) => type === 'InvoiceFinalised'));
    }, 30_000);

    const granted = await numbers();
    expect(granted.map(({ sequence }) => sequence)).toEqual(bills.map((_, n) => n + 1));
    expect(new Set(granted.map((each) => each.invoiceId))).toEqual(new Set(bills.map(invoiceOf)));
    for (const bill of bills) {
      const events = (await eventsOf(bill)).filter(({ type }) => (type as string) !== 'CommandNoted');
      const number = granted.find((each) => each.invoiceId === invoiceOf(bill))?.number;
      expect(events).toMatchObject([
        { type: 'InvoiceDrafted', data: { lines: bill.lines, total: bill.net, effectiveAt: bill.effectiveAt } },
        { type: 'InvoiceFinalised', data: { number } },
      ]);
    }
    for (const runner of runners)
      expect(runner.status().map(({ parkedStreams }) => parkedStreams)).toEqual(billingPolicies.map(() => 0));
  });

  it('finalises again nothing when a policy starts from the beginning', async () => {
    const before = await numbers();
    for (const runner of runners.splice(0)) await runner.stop();
    for (const { name } of billingPolicies) await processes[0].store.deleteStream(`${at.prefix}_position.${name}`);
    dispatched = 0;
    run(processes[1]);
    await processes[0].execute(
      new StartSubscription(
        {
          customerId: 'last',
          currency: 'USD',
          timeZone: 'UTC',
          interval: { unit: 'month', count: 1 },
          item: { description: 'Base', timing: 'advance', unitPrice: '5' },
        },
        request(),
      ),
    );
    // Each invoice is drafted, numbered and finalised once more.
    await until(() => dispatched >= 3 * (before.length + 1), 30_000);
    const after = await numbers();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after).toHaveLength(before.length + 1);
  });
});
