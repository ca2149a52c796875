import { randomUUID } from 'node:crypto';
import {
  AddLineItem,
  CancelSubscription,
  PauseSubscription,
  ResumeSubscription,
  RollOverBillingPeriod,
  StartSubscription,
  VoidLineItem,
} from '@perennial/billing-application';
import { type StartedSubscription, type SubscriptionEvent, subscriptionType } from '@perennial/billing-domain';
import { decode, isCommandNoted, streamNames } from '@perennial/event-sourcing';
import { type BillingProcess, billingProcess, request } from '../../../test/support/billing-process';
import { type TestEventStore, testEventStore } from '../../../test/support/eventstore';
import { streamEvents } from './stream-events';
import { subscriptionDocument } from './subscription-document';
import { subscriptionAt, subscriptionDiff } from './subscription-history';

describe('the history of a subscription', () => {
  let server: TestEventStore;
  let billing: BillingProcess;
  let id: string;
  let stream: string;
  const times: string[] = [];

  beforeAll(async () => {
    server = await testEventStore();
    billing = await billingProcess(server, { time: '2026-01-01T00:00:00.000Z', snapshotEvery: 3 });
    const { aggregateId } = await billing.execute(
      new StartSubscription(
        {
          customerId: 'c1',
          currency: 'USD',
          timeZone: 'UTC',
          interval: { unit: 'month', count: 1 },
          item: { description: 'Seats', timing: 'advance', unitPrice: '3100' },
        },
        request(),
      ),
    );
    id = aggregateId;
    stream = streamNames(server.prefix).of('subscription', id);
    const lineItem = (lineItemId: string) => ({ lineItemId, description: lineItemId, unitPrice: '250' });
    const at = (time: string) => {
      billing.clock.time = time;
      times.push(time);
    };
    at('2026-01-05T00:00:00.000Z');
    await billing.execute(new AddLineItem(id, lineItem('one'), request({ actor: 'ada', reason: 'asked for' })));
    await billing.execute(new AddLineItem(id, lineItem('two'), request()));
    at('2026-01-07T00:00:00.000Z');
    await billing.execute(new VoidLineItem(id, 'two', request()));
    at('2026-02-02T00:00:00.000Z');
    await billing.execute(new RollOverBillingPeriod(id, 1, request()));
    at('2026-02-10T00:00:00.000Z');
    await billing.execute(new PauseSubscription(id, { credit: 'none' }, request()));
    await billing.execute(new PauseSubscription(id, { credit: 'none' }, request()));
    at('2026-02-12T00:00:00.000Z');
    await billing.execute(new ResumeSubscription(id, { anchor: 'keep' }, request()));
    await billing.execute(new CancelSubscription(id, { at: 'period-end', credit: 'none' }, request()));
  });
  afterAll(async () => {
    await billing.close();
    await server.close();
  });

  const subscriptions = () => billing.repositories.subscriptions;

  it('is shown at every revision as folding the events up to it gives, and before the first not at all', async () => {
    let state = subscriptionType.initial;
    let revisions = 0;
    for await (const recorded of billing.store.read(stream)) {
      const { event } = decode<SubscriptionEvent>(recorded, subscriptionType.catalog);
      if (!isCommandNoted(event)) state = subscriptionType.evolve(state, event);
      const shown = await subscriptionAt(subscriptions(), id, 'default', { atRevision: recorded.revision });
      expect(shown?.revision).toBe(String(recorded.revision));
      expect(shown?.subscription).toEqual(subscriptionDocument(state as StartedSubscription));
      revisions += 1;
    }
    expect(revisions).toBe(15);
    const beyond = await subscriptionAt(subscriptions(), id, 'default', { atRevision: BigInt(revisions) });
    expect(beyond).toBeUndefined();
    const before = await subscriptionAt(subscriptions(), id, 'default', { at: '2025-12-31T23:59:59.999Z' });
    expect(before).toBeUndefined();
    expect(await subscriptionAt(subscriptions(), id, 'other', { atRevision: 0n })).toBeUndefined();
  });

  it('is shown at an instant before the first event recorded after it, with the open period in it', async () => {
    const at = async (time: string) =>
      (await subscriptionAt(subscriptions(), id, 'default', { at: time }))?.subscription as Record<string, never>;
    const january = await at('2026-01-06T00:00:00.000Z');
    expect(january).toMatchObject({
      status: 'active',
      openPeriod: {
        periodNumber: 1,
        net: { amount: '500', currency: 'USD' },
        lines: [
          { lineItemId: 'one', net: { amount: '250', currency: 'USD' } },
          { lineItemId: 'two', net: { amount: '250', currency: 'USD' } },
        ],
      },
    });
    expect(await at('2026-01-05T00:00:00.000Z')).toEqual(january);
    expect(await at('2026-01-04T23:59:59.999Z')).toMatchObject({ openPeriod: { lines: [] } });
    expect(await at('2026-02-11T00:00:00.000Z')).toMatchObject({ status: 'paused', openPeriod: null });
    expect(await at('2030-01-01T00:00:00.000Z')).toMatchObject({
      status: 'canceling',
      openPeriod: { periodNumber: 3 },
    });
  });

  it('tells what changed between two points, by whom and why', async () => {
    const deps = { subscriptions: subscriptions(), store: billing.store, prefix: server.prefix };
    const from = { at: '2026-01-04T00:00:00.000Z' };
    const diff = await subscriptionDiff(deps, id, 'default', from, { at: '2026-01-05T00:00:00.000Z' });
    const paths = diff?.changes.map(({ path }) => path) ?? [];
    expect(paths).toContain('/openPeriod/net/amount');
    expect(paths.filter((path) => path.startsWith('/openPeriod/lines/'))).toHaveLength(2);
    expect(diff?.events).toMatchObject([
      { revision: '3', type: 'LineItemAdded', actor: 'ada', reason: 'asked for', principal: 'test' },
      { revision: '4', type: 'LineItemAdded', actor: null, reason: null },
    ]);
    expect(diff?.nextRevision).toBeNull();
    const same = await subscriptionDiff(deps, id, 'default', from, from);
    expect(same).toMatchObject({ changes: [], events: [] });
    const never = await subscriptionDiff(deps, id, 'default', { atRevision: 999n }, from);
    expect(never).toBeUndefined();
  });

  it('is read page by page as stored, each page chained to the one before', async () => {
    const read = (fromRevision: bigint, limit: number, tenant = 'default') =>
      streamEvents(billing.store, server.prefix, stream, { tenant, fromRevision, limit });
    const whole = await read(0n, 1_000);
    expect(whole).toMatchObject({ aggregate: 'subscription', aggregateId: id, chainHolds: true, nextRevision: null });
    const paged = [];
    for (let from: string | null = '0'; from !== null;) {
      const page = await read(BigInt(from), 4);
      expect(page?.chainHolds).toBe(true);
      expect(page?.events.length).toBeLessThanOrEqual(4);
      paged.push(...(page?.events ?? []));
      from = page?.nextRevision ?? null;
    }
    expect(paged).toEqual(whole?.events);
    expect(paged[3]?.stored.metadata).toMatchObject({ actor: 'ada', hash: paged[3]?.hash });
    expect(await read(0n, 10, 'other')).toBeUndefined();
    expect(await read(10_000n, 10)).toMatchObject({ events: [], nextRevision: null });
    for (const name of [`${server.prefix}.heartbeat`, `${server.prefix}.unknown-${id}`, 'no stream', `${stream}x`])
      expect(await streamEvents(billing.store, server.prefix, name, { tenant: 'default' })).toBeUndefined();
  });

  it('shows where a chain is broken and what cannot be decoded, also at the edge of a page', async () => {
    const head = (await billing.store.last(stream))!;
    const event = (type: string) => ({
      id: randomUUID(),
      type,
      data: head.data as object,
      metadata: head.metadata as object,
    });
    await billing.store.append(stream, [event(head.type), event('Unheard')], head.revision);
    const page = await streamEvents(billing.store, server.prefix, stream, {
      tenant: 'default',
      fromRevision: head.revision + 1n,
    });
    expect(page?.chainHolds).toBe(false);
    expect(page?.events.map(({ chainHolds, data }) => [chainHolds, data === null])).toEqual([
      [false, false],
      [false, true],
    ]);
    expect(page?.events[1]?.problems.join()).toContain('unknown event type Unheard');
  });
});
