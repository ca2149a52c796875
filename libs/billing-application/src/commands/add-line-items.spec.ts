import type { NewLineItem } from '@perennial/billing-domain';
import { billingProcess, request, type BillingProcess } from '../../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../../test/support/eventstore';
import { AddLineItem } from './add-line-item';
import { AddLineItems } from './add-line-items';
import { RollOverBillingPeriod } from './roll-over-billing-period';
import { StartSubscription } from './start-subscription';

const item = (lineItemId: string, unitPrice = '250'): NewLineItem => ({ lineItemId, description: 'Work', unitPrice });

describe('a batch of line items', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let id: string;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: '2026-01-01T00:00:00.000Z', snapshotEvery: 5 });
  });

  afterAll(async () => {
    await process.close();
    await at.close();
  });

  beforeEach(async () => {
    process.clock.time = '2026-01-01T00:00:00.000Z';
    const terms = {
      customerId: 'customer',
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'day', count: 1 },
      item: { description: 'Base', timing: 'advance', unitPrice: '3100' },
    } as const;
    ({ aggregateId: id } = await process.execute(new StartSubscription(terms, request())));
  });

  const batch = (items: readonly NewLineItem[], over: Parameters<typeof request>[0] = {}) =>
    process.execute(new AddLineItems(id, items, request(over)));
  const outcomesOf = ({ records }: Awaited<ReturnType<typeof batch>>) => records.map(({ outcome }) => outcome);

  it('is one append, whose key gives the same answers again', async () => {
    await process.execute(new AddLineItem(id, item('known'), request()));
    const items = [item('a'), item('known'), item('known', '1'), item('b')];
    const first = await batch(items, { key: 'batch' });
    expect(outcomesOf(first)).toEqual(['added', 'exists', 'refused', 'added']);
    expect(first.events).toHaveLength(1);
    // What it refused would be another answer now: the key gives the first.
    process.clock.time = '2026-01-02T00:00:00.000Z';
    await process.execute(new RollOverBillingPeriod(id, 1, request()));
    expect(await batch(items, { key: 'batch' })).toEqual({ ...first, repeated: true });
  });

  it('shares the ids of single ones, for the life of the subscription', async () => {
    await batch([item('a'), item('b')]);
    await process.execute(new AddLineItem(id, item('c'), request()));
    for (let n = 1; n <= 8; n += 1) {
      process.clock.time = new Date(Date.UTC(2026, 0, 1 + n)).toISOString();
      await process.execute(new RollOverBillingPeriod(id, n, request()));
    }
    // No line of them is in the state any more; another process has it from a snapshot.
    const other = await billingProcess(at, { time: process.clock.time });
    try {
      const command = new AddLineItems(id, [item('a'), item('d'), item('b', '1'), item('c')], request());
      expect(outcomesOf(await other.execute(command))).toEqual(['exists', 'added', 'refused', 'exists']);
      await expect(other.execute(new AddLineItem(id, item('d', '1'), request()))).rejects.toMatchObject({
        code: 'line-item-exists',
      });
      const again = await other.execute(new AddLineItem(id, item('d'), request()));
      expect(again.events).toMatchObject([{ type: 'LineItemsAdded' }]);
    } finally {
      await other.close();
    }
  });

  it('rolls the periods over first that have elapsed, also in a dry run, which writes nothing', async () => {
    process.clock.time = '2026-01-03T12:00:00.000Z';
    const shown = await batch([item('a')], { dryRun: true });
    expect(outcomesOf(shown)).toEqual(['added']);
    const before = await process.repositories.subscriptions.load(id, 'default');
    expect(before?.revision.toString()).toBe(shown.revision);
    const made = await batch([item('a')]);
    expect(made.events.map(({ type, data }) => ({ type, data }))).toEqual(
      shown.events.slice(-1).map(({ type, data }) => ({ type, data })),
    );
    expect(made.events[0]?.data).toMatchObject({ periodNumber: 3 });
  });

  it('takes the largest that a body can hold, and a repeat of it under another key is quick', async () => {
    const many = Array.from({ length: 500 }, (_, i) => item(`${'i'.repeat(90)}-${i}`));
    expect(new Set(outcomesOf(await batch(many, { actor: 'a'.repeat(200), reason: 'r'.repeat(500) })))).toEqual(
      new Set(['added']),
    );
    const began = performance.now();
    expect(new Set(outcomesOf(await batch(many)))).toEqual(new Set(['exists']));
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('leaves one winner to each id when batches race', async () => {
    const made = await Promise.all(
      Array.from({ length: 6 }, (_, n) => batch([item('x', `${n}`), item(`own-${n}`), item('y', `${n}`)])),
    );
    const won = (place: number) => made.filter(({ records }) => records[place]?.outcome === 'added').length;
    expect([won(0), won(1), won(2)]).toEqual([1, 6, 1]);
  });
});
