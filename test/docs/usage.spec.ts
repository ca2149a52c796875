import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  changeItems,
  evolveSubscription,
  rollOver,
  start,
  usagePeriod,
  type NewItem,
  type NewMeter,
  type StartSubscription,
  type Subscription,
  type SubscriptionEvent,
  type UsageRecord,
} from '@perennial/billing-domain';
import { UsageStream } from '../../libs/billing-domain/src/usage/usage.fixture';

/** Quantity and net of the lines of the first period, or what a meter comes to in it and with nothing more in the next. */
interface Example {
  readonly meter?: Omit<NewMeter, 'key'>;
  readonly item?: Omit<Partial<NewItem>, 'meter'> & { readonly meter: Omit<NewMeter, 'key'> };
  readonly interval?: StartSubscription['interval'];
  readonly change?: { readonly at: string; readonly item: Partial<NewItem> };
  readonly records: readonly (Omit<Partial<UsageRecord>, 'id' | 'event'> & { readonly times?: number })[];
  readonly quantity?: string;
  readonly nextPeriod?: string;
  readonly lines?: readonly (readonly [quantity: string, net: string])[];
}

const page = readFileSync(join(__dirname, '../../docs/usage.md'), 'utf8');
const isExample = (block: object): block is Example => 'records' in block && ('quantity' in block || 'lines' in block);
const examples = [...page.matchAll(/```json\n([^`]*)```/g)]
  .map(([, text = '']) => JSON.parse(text) as object)
  .filter(isExample);

const began = '2026-01-01T00:00:00.000Z';

function lived({ meter, item, interval = { unit: 'month', count: 1 }, change, records }: Example) {
  const asked: NewItem = {
    componentKey: 'm',
    description: 'Calls',
    kind: 'usage',
    timing: 'arrears',
    price: { model: 'per-unit', unitPrice: '1' },
    ...item,
    meter: { key: 'm', event: 'use', ...(item?.meter ?? meter ?? { aggregation: 'count' }) },
  };
  const fold = (state: Subscription, events: readonly SubscriptionEvent[]) =>
    events.reduce<Subscription>(evolveSubscription, state);
  const terms = {
    subscriptionId: '00000000-0000-5000-8000-000000000000',
    customerId: 'customer-1',
    currency: 'USD',
    timeZone: 'UTC',
    interval,
    item: asked,
  };
  let subscription = fold({ status: 'none' }, start({ status: 'none' }, terms, began));
  if (change) {
    const edits = [{ kind: 'put' as const, item: { ...asked, ...change.item } }];
    subscription = fold(subscription, changeItems(subscription, { edits }, change.at));
  }
  const streamOf = (periodNumber: number) => {
    const period = subscription.status === 'none' ? undefined : usagePeriod(subscription, periodNumber, 1);
    if (!period) throw new Error('no such period');
    return new UsageStream(period);
  };
  const first = streamOf(1);
  const { endsAt } = first.period;
  const reported = records.flatMap(({ times = 1, ...record }) => Array<typeof record>(times).fill(record));
  const taken = first.record(
    reported.map((record, n) => ({ event: 'use', at: '2026-01-05T00:00:00.000Z', ...record, id: `r-${n}` })),
    '2026-01-30T00:00:00.000Z',
  );
  expect(new Set(taken)).toEqual(new Set(['accepted']));
  const sealed = first.seal(endsAt);
  const events = rollOver(subscription, 1, endsAt, sealed);
  subscription = fold(subscription, events);
  const next = streamOf(2);
  const total = (of: typeof sealed) =>
    of.segments.flatMap(({ meters }) => meters.map(({ quantity }) => quantity)).join();
  return {
    quantity: total(sealed),
    nextPeriod: total(next.seal(next.period.endsAt, sealed.carried)),
    lines: events.flatMap((event) =>
      event.type === 'LinesBilled' ? event.data.lines.map(({ quantity, net }) => [quantity, net]) : [],
    ),
  };
}

describe('docs/usage.md', () => {
  it('has an example of every aggregation, of what is carried, and of segments', () => {
    const shown = examples.map(({ meter, item }) => (meter ?? item?.meter)?.aggregation);
    expect(new Set(shown)).toEqual(new Set(['sum', 'count', 'max', 'latest', 'unique-count', 'weighted-sum']));
    expect(examples.filter(({ change }) => change)).toHaveLength(4);
  });

  it.each(examples)('%j', (example) => {
    const { quantity, nextPeriod, lines } = lived(example);
    if (example.lines) expect(lines).toEqual(example.lines);
    else expect(quantity).toBe(example.quantity);
    if (example.nextPeriod !== undefined) expect(nextPeriod).toBe(example.nextPeriod);
  });
});
