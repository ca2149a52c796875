import {
  type Line,
  type Subscription,
  type SubscriptionEvent,
  addLineItem,
  cancelNow,
  changeItems,
  pause,
  releaseBill,
  resume,
  rollOver,
  start,
  subscriptionType,
  voidLineItem,
} from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import { checkAtRest, checkSubscriptionEvent, factsOf, openLedger } from './subscription-ledger';

const id = '6f9619ff-8b86-5d11-b42d-00c04fc964ff';
const stream = `perennial.subscription-${id}`;

/** A subscription of three months with line items, a pause and a final bill, as the domain decides it: append by append. */
function honestAppends(): SubscriptionEvent[][] {
  const appends: SubscriptionEvent[][] = [];
  let state: Subscription = subscriptionType.initial;
  const record = (events: SubscriptionEvent[]) => {
    appends.push(events);
    state = events.reduce(subscriptionType.evolve, state);
  };
  record(
    start(
      state,
      {
        subscriptionId: id,
        customerId: 'c1',
        currency: 'USD',
        timeZone: 'America/New_York',
        interval: { unit: 'month', count: 1 },
        item: { description: 'Seats', timing: 'advance', unitPrice: '3100', quantity: '2' },
      },
      '2026-01-01T05:00:00.000Z',
    ),
  );
  const lineItem = (lineItemId: string) => ({ lineItemId, description: lineItemId, unitPrice: '250' });
  record(addLineItem(state, lineItem('one'), '2026-01-10T00:00:00.000Z'));
  record(addLineItem(state, lineItem('two'), '2026-01-11T00:00:00.000Z'));
  record(addLineItem(state, lineItem('three'), '2026-01-12T00:00:00.000Z'));
  record(voidLineItem(state, 'two', '2026-01-13T00:00:00.000Z'));
  record(rollOver(state, 1, '2026-02-03T00:00:00.000Z'));
  record(addLineItem(state, lineItem('four'), '2026-02-03T00:00:00.000Z'));
  record(pause(state, { credit: 'none' }, '2026-02-10T12:00:00.000Z'));
  record(resume(state, { anchor: 'keep' }, '2026-02-20T12:00:00.000Z'));
  const first = appends.flat().find((event) => event.type === 'LinesBilled')?.data.lines ?? [];
  record(releaseBill(state, { billNumber: 1, lines: first, rebill: true }, '2026-02-21T00:00:00.000Z'));
  record(rollOver(state, 3, '2026-03-02T00:00:00.000Z'));
  // A fee that the same day takes back is no service.
  const fee = { kind: 'one-time', itemId: 'fee', componentKey: 'fee', description: 'Fee', timing: 'advance' } as const;
  const put = { kind: 'put', item: { ...fee, unitPrice: '777' } } as const;
  record(changeItems(state, { edits: [put], billing: 'now' }, '2026-03-10T15:00:00.000Z'));
  const remove = { kind: 'remove', itemId: 'fee' } as const;
  record(changeItems(state, { edits: [remove], billing: 'now' }, '2026-03-10T16:00:00.000Z'));
  record(cancelNow(state, { credit: 'none' }, '2026-03-15T00:00:00.000Z'));
  return appends;
}

function storedEvents(appends: SubscriptionEvent[][]): StoredEvent[] {
  let revision = 0n;
  return appends.flatMap((events, append) =>
    events.map((event) => ({
      event,
      aggregate: 'subscription',
      aggregateId: id,
      stream,
      revision,
      position: revision++,
      id: `e${revision}`,
      metadata: {
        version: 1,
        recordedAt: event.data.effectiveAt,
        tenant: 'default',
        key: `k${append}`,
        fingerprint: 'f',
        principal: 'p',
        correlationId: 'c',
        hash: '',
      },
    })),
  );
}

function check(appends: SubscriptionEvent[][]) {
  const ledger = openLedger(stream, id);
  const events = storedEvents(appends);
  const found = events.flatMap((event) => checkSubscriptionEvent(ledger, event));
  found.push(...checkAtRest(ledger, events.at(-1)?.revision ?? 0n));
  return { checks: [...new Set(found.map((each) => each.check))], found, ledger };
}

/** The book with the data of the n-th event of a type changed. */
function forged<Type extends SubscriptionEvent['type']>(
  type: Type,
  n: number,
  change: (data: Extract<SubscriptionEvent, { type: Type }>['data']) => object,
): SubscriptionEvent[][] {
  let seen = 0;
  return honestAppends().map((events) =>
    events.map((event) =>
      event.type === type && seen++ === n
        ? ({ type, data: { ...event.data, ...change(event.data as never) } } as SubscriptionEvent)
        : event,
    ),
  );
}

const firstLine = (data: { lines: readonly Line[] }, change: Partial<Line>) => ({
  lines: data.lines.map((line, n) => (n === 0 ? { ...line, ...change } : line)),
});

describe('the ledger of a subscription', () => {
  it('holds for what the domain decides, and tells the same state', () => {
    const { found, ledger } = check(honestAppends());
    expect(found).toEqual([]);
    expect(factsOf(ledger)).toMatchObject({ status: 'canceled', periodNumber: 4, open: undefined });
    expect(ledger.billNumber).toBeGreaterThanOrEqual(3);
  });

  it.each<[string, string, SubscriptionEvent[][]]>([
    ['a cent in the net of a line', 'line-net', forged('LinesBilled', 0, (bill) => firstLine(bill, { net: '6201' }))],
    ['a cent in the net of a bill', 'bill-net', forged('LinesBilled', 1, () => ({ net: '1' }))],
    ['a gap in the bill numbers', 'bill-number', forged('LinesBilled', 1, () => ({ billNumber: 3 }))],
    ['a bill in another currency', 'bill-currency', forged('LinesBilled', 1, () => ({ currency: 'EUR' }))],
    [
      'a line that is left out of its bill',
      'line-billed',
      forged('LinesBilled', 1, ({ lines }) => ({ lines: lines.filter((line) => line.lineItemId !== 'one') })),
    ],
    ['a line on two bills', 'line-once', forged('LinesBilled', 1, ({ lines }) => ({ lines: [...lines, lines[0]!] }))],
    [
      'a line that changes on its way to the bill',
      'line-billed',
      forged('LinesBilled', 1, (bill) => firstLine(bill, { description: 'other' })),
    ],
    [
      'days charged twice',
      'service-once',
      forged('LinesBilled', 1, ({ lines }) => ({
        lines: lines.map((line) =>
          line.kind === 'recurring' ? { ...line, service: { ...line.service, from: '2026-01-31' } } : line,
        ),
      })),
    ],
    [
      'a period that overlaps',
      'periods-tile',
      forged('BillingPeriodOpened', 1, () => ({ startsAt: '2026-01-31T05:00:00.000Z' })),
    ],
    ['a gap in the period numbers', 'period-number', forged('BillingPeriodOpened', 1, () => ({ periodNumber: 3 }))],
    [
      'a line in a period that is not open',
      'open-period-only',
      forged('LineItemAdded', 3, () => ({ periodNumber: 1 })),
    ],
    [
      'a line dated outside of its period',
      'open-period-only',
      forged('LineItemAdded', 0, () => ({ effectiveAt: '2026-02-02T00:00:00.000Z' })),
    ],
    [
      'a boundary that is not at the end',
      'periods-tile',
      forged('BillingPeriodClosed', 0, () => ({ endsAt: '2026-01-30T05:00:00.000Z' })),
    ],
    [
      'a released bill whose net is not that of its lines',
      'bill-released',
      forged('BillReleased', 0, () => ({ net: '1' })),
    ],
    ['the bill of another subscription', 'identity', forged('LinesBilled', 0, () => ({ subscriptionId: 'other' }))],
    [
      'a period that stays open after a pause',
      'one-open-period',
      honestAppends().map((events) =>
        events.some((each) => each.type === 'SubscriptionPaused')
          ? events.filter((each) => each.type !== 'BillingPeriodClosed')
          : events,
      ),
    ],
    ['an event after the end', 'lifecycle', [...honestAppends(), honestAppends()[1]!]],
  ])('finds %s', (_, expected, appends) => {
    expect(check(appends).checks).toContain(expected);
  });
});
