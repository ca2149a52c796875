import {
  BillUsage,
  CancelSubscription,
  ChangeBillingCycle,
  FindUsageRecords,
  GetUpcomingInvoice,
  GetUsage,
  ChangeItems,
  PauseSubscription,
  RecordUsage,
  RollOverBillingPeriod,
  StartSubscription,
  type ReportedUsage,
  type SubscriptionTerms,
} from '@perennial/billing-application';
import { usageId, type Line, type UsageEvent } from '@perennial/billing-domain';
import { verify } from '@perennial/billing-audit';
import { GetUpcomingInvoiceHandler } from '../../libs/billing-application/src/queries/upcoming-invoice';
import { FindUsageRecordsHandler, GetUsageHandler } from '../../libs/billing-application/src/queries/usage';
import { sealUsageOf } from '../../libs/billing-application/src/usage-of-period';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';

const calls = {
  componentKey: 'calls',
  description: 'API calls',
  kind: 'usage',
  timing: 'arrears',
  meter: { key: 'calls', event: 'call', aggregation: 'count' },
  price: {
    model: 'graduated',
    tiers: [
      { upTo: '1000', unitPrice: '0' },
      { upTo: null, unitPrice: '1' },
    ],
  },
} as const;

describe('usage', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let other: BillingProcess;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: '2026-01-01T00:00:00.000Z', snapshotEvery: 5 });
    other = await billingProcess(at, { time: '2026-01-01T00:00:00.000Z' });
  });

  afterAll(async () => {
    await process.close();
    await other.close();
    await at.close();
  });

  const moveTo = (time: string) => {
    process.clock.time = time;
    other.clock.time = time;
  };

  const start = async (over: Partial<SubscriptionTerms> = {}): Promise<string> => {
    moveTo('2026-01-01T00:00:00.000Z');
    const terms: SubscriptionTerms = {
      customerId: 'anna',
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      item: calls,
      ...over,
    };
    return (await process.execute(new StartSubscription(terms, request()))).aggregateId;
  };

  const records = (id: string, count: number, time: string, name = 'r'): ReportedUsage[] =>
    Array.from({ length: count }, (_, i) => ({ subscriptionIds: [id], id: `${name}-${i}`, event: 'call', at: time }));

  const record = async (reported: readonly ReportedUsage[], by = process, key?: string) => {
    const report = await by.execute(new RecordUsage(reported, request(key === undefined ? {} : { key })));
    const counts: Record<string, number> = {};
    for (const each of report.records) {
      const name = each.result === 'refused' || each.result === 'failed' ? each.code : each.result;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };

  const bills = async (id: string): Promise<Line[][]> => {
    const made: Line[][] = [];
    for await (const { event } of process.repositories.subscriptions.history(id, 'default')) {
      const { type, data } = event;
      if (type === 'LinesBilled') made.push([...data.lines]);
    }
    return made;
  };
  const nets = async (id: string) => (await bills(id)).map((lines) => lines.map(({ kind, net }) => `${kind} ${net}`));

  const usageEvents = async (id: string, period: number) => {
    const events: UsageEvent[] = [];
    for await (const { event } of process.repositories.usages.history(usageId('default', id, period), 'default')) {
      events.push(event);
    }
    return events;
  };

  const rollOver = (id: string, period: number) => process.execute(new RollOverBillingPeriod(id, period, request()));

  it('counts each record once, whoever sends it however often, and bills what was sealed', async () => {
    const id = await start();
    moveTo('2026-01-20T00:00:00.000Z');
    const batch = records(id, 1_000, '2026-01-10T00:00:00.000Z');
    expect(await record(batch, process, 'k1')).toEqual({ accepted: 1_000 });
    expect(await record(batch, other, 'k1')).toEqual({ accepted: 1_000 });
    expect(await record(batch, other)).toEqual({ duplicate: 1_000 });
    expect(await record([...batch.slice(990), ...records(id, 20, '2026-01-11T00:00:00.000Z', 's')])).toEqual({
      accepted: 20,
      duplicate: 10,
    });
    const [first] = batch;
    expect(await record([{ ...first!, value: '2' }])).toEqual({ 'usage-record-exists': 1 });
    moveTo('2026-02-01T00:00:01.000Z');
    await rollOver(id, 1);
    expect(await nets(id)).toEqual([['usage 20']]);
    expect((await bills(id))[0]?.[0]).toMatchObject({
      itemId: 'calls',
      quantity: '1020',
      service: { from: '2026-01-01', to: '2026-02-01' },
      parts: [
        { tier: 0, per: 'unit', quantity: '1000', unitPrice: '0' },
        { tier: 1, per: 'unit', quantity: '20', unitPrice: '1' },
      ],
    });
    // Sealing froze the totals, not the ids.
    expect(await record(batch.slice(0, 5))).toEqual({ duplicate: 5 });
  });

  it('counts what comes after the seal in the open period, with its own time', async () => {
    const id = await start();
    moveTo('2026-02-02T00:00:00.000Z');
    await rollOver(id, 1);
    const late = records(id, 3, '2026-01-31T00:00:00.000Z');
    const report = await process.execute(new RecordUsage(late, request({ key: 'late' })));
    expect(report.records[0]).toEqual({ id: 'r-0', result: 'late-accepted', periodNumber: 1, countsIn: 2 });
    expect(await other.execute(new RecordUsage(late, request({ key: 'late' })))).toEqual(report);
    expect(await record(late)).toEqual({ duplicate: 3 });
    expect((await usageEvents(id, 2)).map(({ type }) => type)).toEqual(['UsageOpened', 'LateUsageCounted']);
  });

  it('goes on counting tiers when the terms change: 900 and 900 over 1,000 free', async () => {
    const id = await start();
    moveTo('2026-01-15T12:00:00.000Z');
    expect(await record(records(id, 900, '2026-01-10T00:00:00.000Z', 'a'))).toEqual({ accepted: 900 });
    expect(await record(records(id, 100, '2026-01-15T12:00:00.000Z', 'b'))).toEqual({ accepted: 100 });
    moveTo('2026-01-15T13:00:00.000Z');
    const item = { ...calls, description: 'API calls (new)' };
    await process.execute(
      new ChangeItems(id, { edits: [{ kind: 'put', item }], when: { effectiveOn: '2026-01-12' } }, request()),
    );
    expect(await record(records(id, 800, '2026-01-15T12:30:00.000Z', 'c'))).toEqual({ accepted: 800 });
    moveTo('2026-02-01T00:00:01.000Z');
    await rollOver(id, 1);
    expect(await nets(id)).toEqual([['usage 800']]);
    expect((await usageEvents(id, 1)).map(({ type }) => type)).toContain('UsageCut');
  });

  it('waits for late records through the grace, then bills all in one', async () => {
    const id = await start({
      item: { componentKey: 'base', description: 'Base', timing: 'advance', unitPrice: '5000' },
      items: [{ ...calls, price: { model: 'per-unit', unitPrice: '2' } }],
      usageGraceHours: 24,
    });
    moveTo('2026-01-20T00:00:00.000Z');
    await record(records(id, 10, '2026-01-10T00:00:00.000Z'));
    moveTo('2026-02-01T00:00:01.000Z');
    await rollOver(id, 1);
    expect(await record(records(id, 5, '2026-01-31T00:00:00.000Z', 'in-grace'))).toEqual({ accepted: 5 });
    expect(await nets(id)).toEqual([['recurring 5000']]);
    moveTo('2026-02-02T00:00:01.000Z');
    await process.execute(
      new ChangeItems(id, { edits: [{ kind: 'quantity', itemId: 'base', quantity: '1' }] }, request()),
    );
    expect(await nets(id)).toEqual([['recurring 5000'], ['recurring 5000', 'usage 30']]);
    expect(await record(records(id, 2, '2026-01-31T00:00:00.000Z', 'too-late'))).toEqual({ 'late-accepted': 2 });
  });

  it('bills a period that ends as it begins, with nothing in it', async () => {
    const items = [{ ...calls, price: { model: 'per-unit', unitPrice: '2' } } as const];
    const base = { componentKey: 'base', description: 'Base', timing: 'advance', unitPrice: '5000' } as const;
    const id = await start({ externalId: 'at once', item: base, items });
    await process.execute(new CancelSubscription(id, { at: 'now', credit: 'prorated' }, request()));
    expect(await nets(id)).toEqual([['recurring 5000'], ['correction -5000']]);
  });

  it.each([
    ['a pause', (id: string, over: object) => new PauseSubscription(id, { credit: 'none' }, request(over))],
    ['an end', (id: string, over: object) => new CancelSubscription(id, { at: 'now', credit: 'none' }, request(over))],
    [
      'a new grid',
      (id: string, over: object) => new ChangeBillingCycle(id, { anchor: { dayOfMonth: 9 }, edits: [] }, request(over)),
    ],
  ])('bills what waits in its grace before %s cuts the next period short', async (name, command) => {
    const id = await start({
      externalId: name,
      item: { componentKey: 'base', description: 'Base', timing: 'arrears', unitPrice: '2800' },
      items: [{ ...calls, price: { model: 'per-unit', unitPrice: '2' } }],
      usageGraceHours: 400,
    });
    moveTo('2026-02-01T00:00:01.000Z');
    await record(records(id, 10, '2026-01-10T00:00:00.000Z'));
    await rollOver(id, 1);
    await record(records(id, 5, '2026-02-02T00:00:00.000Z', 'next'));
    moveTo('2026-02-03T00:00:00.000Z');
    await record(records(id, 3, '2026-02-02T00:00:00.000Z', 'next'));
    const { events } = await process.execute(command(id, { dryRun: true }));
    const billed = events.flatMap(({ data }) => ('lines' in data ? [data.lines as Line[]] : []));
    const expectedRevision = (await process.repositories.subscriptions.load(id, 'default'))!.revision;
    await process.execute(command(id, { expectedRevision }));
    const first = ['recurring 2800', 'usage 20'];
    expect(billed[0]?.map(({ kind, net }) => `${kind} ${net}`)).toEqual(first);
    // Two of February's 28 days.
    expect(await nets(id)).toEqual([first, ['recurring 200', 'usage 6']]);
    moveTo('2026-03-20T00:00:00.000Z');
    expect(await record(records(id, 1, '2026-01-11T00:00:00.000Z', 'late'))).not.toEqual({ accepted: 1 });
  });

  it('bills the usage so far when the subscription pauses or ends', async () => {
    const id = await start({ item: { ...calls, price: { model: 'per-unit', unitPrice: '2' } } });
    moveTo('2026-01-10T00:00:00.000Z');
    await record(records(id, 10, '2026-01-05T00:00:00.000Z'));
    await process.execute(new PauseSubscription(id, { credit: 'none' }, request()));
    expect(await nets(id)).toEqual([['usage 20']]);
    const ended = await start({
      externalId: 'ended',
      item: { ...calls, price: { model: 'per-unit', unitPrice: '2' } },
    });
    moveTo('2026-01-10T00:00:00.000Z');
    await record(records(ended, 10, '2026-01-05T00:00:00.000Z'));
    const cancel = new CancelSubscription(ended, { at: 'now', credit: 'none' }, request({ dryRun: true }));
    expect((await process.execute(cancel)).events.at(-1)).toMatchObject({ type: 'LinesBilled', data: { net: '20' } });
    await process.execute(new CancelSubscription(ended, { at: 'now', credit: 'none' }, request()));
    expect(await nets(ended)).toEqual([['usage 20']]);
    expect(await record(records(ended, 1, '2026-01-06T00:00:00.000Z', 'late'))).toEqual({ 'no-open-period': 1 });
  });

  it('tells what was used so far, and lists the records page by page', async () => {
    const id = await start({ externalId: 'read' });
    moveTo('2026-01-20T00:00:00.000Z');
    await record(records(id, 5, '2026-01-10T00:00:00.000Z'));
    const usage = await new GetUsageHandler(process.repositories, process.clock).execute(
      new GetUsage('default', id, undefined),
    );
    expect(usage).toMatchObject({
      periodNumber: 1,
      status: 'open',
      records: 5,
      meters: [{ meter: 'calls', event: 'call', aggregation: 'count', records: 5, quantity: '5' }],
    });
    const find = new FindUsageRecordsHandler(process.repositories);
    const first = await find.execute(new FindUsageRecords('default', id, 1, { limit: 3 }));
    const rest = await find.execute(new FindUsageRecords('default', id, 1, { limit: 3, cursor: first.nextCursor }));
    expect([...first.items, ...rest.items].map((each) => each.id)).toEqual(['r-0', 'r-1', 'r-2', 'r-3', 'r-4']);
    expect(rest.nextCursor).toBeUndefined();
    expect(first.items[0]).toMatchObject({ counts: 'here', otherPeriod: null, at: '2026-01-10T00:00:00.000Z' });
    const upcoming = await new GetUpcomingInvoiceHandler(process.repositories, process.clock).execute(
      new GetUpcomingInvoice('default', id),
    );
    expect(upcoming).toMatchObject({
      upcoming: {
        subtotal: '0',
        lines: [{ kind: 'usage', quantity: '5', net: '0', rule: { usage: { periodNumber: 1 } } }],
      },
    });
  });

  it('each record is in the sealed total or late, never both, never neither, while a seal is under way', async () => {
    const id = await start({ externalId: 'race', item: { ...calls, price: { model: 'per-unit', unitPrice: '1' } } });
    moveTo('2026-02-01T00:00:00.000Z');
    const batches = Array.from({ length: 12 }, (_, i) => records(id, 20, '2026-01-31T23:00:00.000Z', `race-${i}`));
    const [early, late] = [batches.slice(0, 4), batches.slice(9)];
    for (const [i, batch] of early.entries()) await record(batch, process, `one-${i}`);
    // The seal goes on while others come, and while all that came before is sent again by another process.
    await Promise.all([
      ...batches.slice(4, 9).flatMap((batch) => [record(batch), record(batch, other)]),
      ...early.map((batch) => record(batch, other)),
      rollOver(id, 1),
    ]);
    for (const batch of late) await record(batch, other);
    // Whoever comes later finds every one of them there.
    expect(await record(batches.flat())).toEqual({ duplicate: 240 });
    const own = (await usageEvents(id, 1)).flatMap((event) =>
      event.type === 'UsageRecorded' ? event.data.records : [],
    );
    const counted = (await usageEvents(id, 2)).flatMap((event) =>
      event.type === 'LateUsageCounted' ? event.data.records : [],
    );
    expect([own.length >= 80, counted.length >= 60]).toEqual([true, true]);
    const ids = [...own, ...counted].map((each) => each.id);
    expect(ids).toHaveLength(240);
    expect(new Set(ids).size).toBe(240);
    const [[line] = []] = await bills(id);
    expect(line?.quantity ?? '0').toBe(String(own.length));
  });

  it('bills what was sealed before a crash, once, whoever comes next', async () => {
    const price = { model: 'per-unit', unitPrice: '2' } as const;
    const withoutGrace = await start({ externalId: 'crashed', item: { ...calls, price } });
    const withGrace = await start({ externalId: 'crashed-in-grace', item: { ...calls, price }, usageGraceHours: 24 });
    moveTo('2026-01-20T00:00:00.000Z');
    for (const id of [withoutGrace, withGrace]) await record(records(id, 10, '2026-01-10T00:00:00.000Z'));
    const sealed = async (id: string) => {
      const { state, revision } = (await process.repositories.subscriptions.load(id, 'default')) ?? {};
      if (!state || state.status === 'none' || revision === undefined) throw new Error('not started');
      const context = { ...request(), now: process.clock.time };
      return sealUsageOf(process.repositories, context, state, 1, revision);
    };
    moveTo('2026-02-01T00:00:01.000Z');
    await rollOver(withGrace, 1);
    expect(await sealed(withoutGrace)).toMatchObject({ segments: [{ meters: [{ quantity: '10' }] }] });
    // Nothing counts between the seal and its bill.
    expect(await record(records(withoutGrace, 3, '2026-01-31T00:00:00.000Z', 'between'))).toEqual({
      'late-accepted': 3,
    });
    expect(await nets(withoutGrace)).toEqual([['usage 20']]);
    moveTo('2026-02-02T00:00:01.000Z');
    await sealed(withGrace);
    expect(await nets(withGrace)).toEqual([]);
    const billUsage = () => other.execute(new BillUsage(withGrace, 1, request()));
    await billUsage();
    await billUsage();
    await other.execute(new RollOverBillingPeriod(withoutGrace, 1, request()));
    expect([await nets(withGrace), await nets(withoutGrace)]).toEqual([[['usage 20']], [['usage 20']]]);
  });

  it('counts unique values over a change that is dated back, and again what comes after it', async () => {
    const price = { model: 'per-unit', unitPrice: '1' } as const;
    const id = await start({ externalId: 'unique', item: { ...calls, price } });
    const by = (name: string, day: string, user: string): ReportedUsage => ({
      subscriptionIds: [id],
      id: name,
      event: 'call',
      at: `2026-01-${day}T00:00:00.000Z`,
      properties: { user },
    });
    moveTo('2026-01-15T00:00:00.000Z');
    const before = [by('1', '05', 'anna'), by('2', '12', 'anna'), by('3', '13', 'ben')];
    expect(await record(before)).toEqual({ accepted: 3 });
    const users = {
      ...calls,
      componentKey: 'users',
      description: 'Users',
      price: { model: 'per-unit', unitPrice: '100' },
      meter: { key: 'users', event: 'call', aggregation: 'unique-count', uniqueProperty: 'user' },
    } as const;
    const when = { effectiveOn: '2026-01-10' };
    await process.execute(new ChangeItems(id, { edits: [{ kind: 'put', item: users }], when }, request()));
    expect(await record([by('4', '15', 'ben'), by('5', '15', 'cem')], other)).toEqual({ accepted: 2 });
    moveTo('2026-02-01T00:00:01.000Z');
    await rollOver(id, 1);
    // Five calls; anna, ben and cem since the 10th.
    expect(await nets(id)).toEqual([['usage 5', 'usage 300']]);
  });

  it('stands up to the audit', async () => {
    await process.repositories.flushSnapshots();
    await other.repositories.flushSnapshots();
    const { dataKeys } = process.repositories;
    const report = await verify({ store: process.store, prefix: at.prefix, dataKeys, policyPosition: async () => -1n });
    expect(report.differences).toEqual([]);
  });
});
