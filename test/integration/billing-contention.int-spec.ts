import {
  AddLineItem,
  rollOverElapsedPeriods,
  StartSubscription,
  type CommandResult,
} from '@perennial/billing-application';
import type { SubscriptionEvent } from '@perennial/billing-domain';
import { RevisionMismatch } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';

const START = '2026-01-01T00:00:00.000Z';
const month = (n: number) => new Date(Date.UTC(2026, n, 1, 1)).toISOString();

describe('many writers on one subscription', () => {
  let at: TestEventStore;
  let processes: readonly [BillingProcess, BillingProcess];

  beforeAll(async () => {
    at = await testEventStore();
    processes = [await billingProcess(at, { time: START }), await billingProcess(at, { time: START })];
  });

  afterAll(async () => {
    for (const process of processes) await process.close();
    await at.close();
  });

  const started = async (): Promise<string> => {
    for (const { clock } of processes) clock.time = START;
    const terms = {
      customerId: 'customer',
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      item: { description: 'Base', timing: 'arrears', unitPrice: '3100' },
    } as const;
    return (await processes[0].execute(new StartSubscription(terms, request()))).aggregateId;
  };

  const history = async (id: string) => {
    const events: (SubscriptionEvent & { revision: bigint })[] = [];
    for await (const { type, data, revision } of processes[0].store.read(`${at.prefix}.subscription-${id}`))
      events.push({ type, data, revision } as SubscriptionEvent & { revision: bigint });
    return events;
  };

  it.each([
    ['one process', 1],
    ['two processes', 2],
  ])(
    'puts each of 1,000 line items of 64 writers once into the period that is open, on one bill, through %s',
    async (_, count) => {
      const id = await started();
      const items = 1_000;
      const rollOvers = 10;
      let next = 0;
      let period = 1;
      const answers = new Map<string, CommandResult>();

      const write = async (writer: number) => {
        const process = processes[count === 1 ? 0 : writer % 2] as BillingProcess;
        for (let item = next++; item < items; item = next++) {
          if (period <= rollOvers && item >= period * (items / (rollOvers + 1))) {
            const due = [{ tenant: 'default', subscriptionId: id, periodNumber: period }];
            const elapsed = month(period);
            period += 1;
            // The clocks of two machines move one after the other, and every other boundary is met by a writer first.
            process.clock.time = elapsed;
            if (period % 2 === 0)
              await Promise.all(
                rollOverElapsedPeriods(due).flatMap((command) => [process.execute(command), process.execute(command)]),
              );
            for (const { clock } of processes) if (clock.time < elapsed) clock.time = elapsed;
          }
          const lineItemId = `item-${item}`;
          const line = { lineItemId, description: 'Charge', unitPrice: `${item}` };
          answers.set(lineItemId, await process.execute(new AddLineItem(id, line, request())));
        }
      };
      await Promise.all(Array.from({ length: 64 }, (_each, writer) => write(writer)));
      expect(answers.size).toBe(items);

      const events = await history(id);
      const added = new Map<string, number>();
      const billedBy = new Map<string, number[]>();
      let open: { periodNumber: number; endsAt: string } | undefined;
      let end: string | undefined;
      for (const event of events) {
        if (event.type === 'BillingPeriodOpened') {
          expect(open).toBeUndefined();
          if (end !== undefined) expect(event.data.startsAt).toBe(end);
          open = event.data;
        } else if (event.type === 'BillingPeriodClosed') {
          expect(event.data).toMatchObject({ periodNumber: open?.periodNumber, endsAt: open?.endsAt });
          end = event.data.endsAt;
          open = undefined;
        } else if (event.type === 'LineItemAdded') {
          const { lineItemId, periodNumber } = event.data;
          expect(added.has(lineItemId)).toBe(false);
          expect(periodNumber).toBe(open?.periodNumber);
          added.set(lineItemId, periodNumber);
          expect(answers.get(lineItemId)).toMatchObject({
            revision: `${event.revision}`,
            events: [{ type: 'LineItemAdded', revision: `${event.revision}` }],
          });
        } else if (event.type === 'LinesBilled') {
          for (const { lineItemId } of event.data.lines)
            if (lineItemId !== undefined)
              billedBy.set(lineItemId, [...(billedBy.get(lineItemId) ?? []), event.data.periodNumber]);
        }
      }
      expect(added.size).toBe(items);
      expect(events.filter(({ type }) => type === 'BillingPeriodClosed')).toHaveLength(rollOvers);
      for (const [lineItemId, periodNumber] of added)
        expect(billedBy.get(lineItemId) ?? []).toEqual(periodNumber > rollOvers ? [] : [periodNumber]);
    },
  );

  it('lets exactly one of those win who name the same revision, also across a boundary', async () => {
    const id = await started();
    let revision = (await history(id)).at(-1)?.revision ?? 0n;
    for (let round = 0; round < 12; round += 1) {
      if (round % 3 === 2) for (const { clock } of processes) clock.time = month(round);
      const race = await Promise.allSettled(
        Array.from({ length: 16 }, (_, writer) =>
          (processes[writer % 2] as BillingProcess).execute(
            new AddLineItem(
              id,
              { lineItemId: `${round}-${writer}`, description: 'Charge', unitPrice: '1' },
              request({ expectedRevision: revision }),
            ),
          ),
        ),
      );
      const won = race.filter((each) => each.status === 'fulfilled');
      expect(won).toHaveLength(1);
      for (const each of race) if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(RevisionMismatch);
      revision = BigInt(won[0]?.value.revision ?? '0');
    }
    const events = await history(id);
    expect(events.filter(({ type }) => type === 'LineItemAdded')).toHaveLength(12);
    expect(events.at(-1)?.revision).toBe(revision);
  });
});
