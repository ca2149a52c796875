import {
  AddLineItem,
  CancelSubscription,
  PauseSubscription,
  rollOverElapsedPeriods,
  RollOverBillingPeriod,
  StartSubscription,
  UndoCancellation,
  type CommandResult,
} from '@perennial/billing-application';
import { DomainError, rollOverKey, subscriptionId, type LinesBilled } from '@perennial/billing-domain';
import { AggregateNotFound, BudgetExhausted, KeyReused, RevisionMismatch } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';

const START = '2026-01-31T09:00:00.000Z';

const start = (externalId: string, interval: { unit: 'day' | 'month'; count: number } = { unit: 'month', count: 1 }) =>
  new StartSubscription(
    {
      externalId,
      customerId: 'customer',
      currency: 'USD',
      timeZone: 'Europe/Berlin',
      paymentTermsDays: 14,
      interval,
      item: { description: 'Base', timing: 'advance', unitPrice: '3100' },
    },
    request(),
  );

const lineItem = (id: string, lineItemId: string, over: Parameters<typeof request>[0] = {}) =>
  new AddLineItem(id, { lineItemId, description: 'Support', unitPrice: '250' }, request(over));

describe('boundaries that commands meet', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  let other: BillingProcess;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: START });
    other = await billingProcess(at, { time: START });
  });

  afterAll(async () => {
    await process.close();
    await other.close();
    await at.close();
  });

  const setTime = (time: string) => {
    process.clock.time = time;
    other.clock.time = time;
  };

  const started = async (externalId: string, interval?: { unit: 'day' | 'month'; count: number }): Promise<string> => {
    setTime(START);
    return (await process.execute(start(externalId, interval))).aggregateId;
  };

  const history = async (id: string, prefix = at.prefix) => {
    const events: {
      type: string;
      data: Record<string, unknown>;
      revision: bigint;
      metadata: Record<string, unknown>;
    }[] = [];
    for await (const { type, data, revision, metadata } of process.store.read(`${prefix}.subscription-${id}`))
      events.push({
        type,
        data: data as Record<string, unknown>,
        revision,
        metadata: metadata as Record<string, unknown>,
      });
    return events;
  };

  it('cancels at the end of the period that is open by the clock, however late the scheduler is', async () => {
    const id = await started('late cancel');
    setTime('2026-02-28T00:05:00.000Z');
    const answer = await process.execute(new CancelSubscription(id, { at: 'period-end', credit: 'none' }, request()));
    expect(answer.events).toMatchObject([
      { type: 'CancellationScheduled', data: { periodNumber: 2, cancelsAt: '2026-03-30T22:00:00.000Z' } },
    ]);
    expect((await history(id)).map(({ type }) => type)).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
      'LinesBilled',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
      'CancellationScheduled',
    ]);
    // The scheduler comes afterwards: it is so already.
    const late = await other.execute(new RollOverBillingPeriod(id, 1, request()));
    expect(late.events).toEqual([]);
    setTime('2026-04-02T00:00:00.000Z');
    await expect(process.execute(new UndoCancellation(id, request()))).rejects.toMatchObject({
      code: 'subscription-canceled',
    });
    expect((await history(id)).filter(({ type }) => type === 'SubscriptionCanceled')).toHaveLength(1);
  });

  it('rolls over under the key that the scheduler uses, as a command of its own', async () => {
    const id = await started('shared key');
    setTime('2026-04-03T12:00:00.000Z');
    const answer = await process.execute(lineItem(id, 'a', { actor: 'ada', reason: 'asked by phone' }));
    const events = await history(id);
    const keys = [...new Set(events.slice(3).map(({ metadata }) => metadata['key']))];
    expect(keys.slice(0, 3)).toEqual([1, 2].map((n) => rollOverKey(id, n)).concat(keys.at(-1) as string));
    expect(events.filter(({ metadata }) => metadata['principal'] === 'policy:rollOverElapsedPeriods')).toHaveLength(6);
    expect(events.filter(({ metadata }) => metadata['actor'] === 'ada').map(({ type }) => type)).toEqual([
      'LineItemAdded',
    ]);
    expect(new Set(events.slice(3).map(({ metadata }) => metadata['correlationId'])).size).toBe(1);
    expect(answer.events).toHaveLength(1);
    expect(answer.events[0]?.data).toMatchObject({ periodNumber: 3, effectiveAt: '2026-04-03T12:00:00.000Z' });
    const scheduled = await other.execute(
      rollOverElapsedPeriods([{ tenant: 'default', subscriptionId: id, periodNumber: 1 }])[0] as RollOverBillingPeriod,
    );
    expect(scheduled).toMatchObject({ repeated: true, events: [{ type: 'BillingPeriodClosed' }, {}, {}] });
    expect(await history(id)).toHaveLength(events.length);
  });

  it('takes a revision that a caller named for the one that the roll-over gave, and refuses any other', async () => {
    const id = await started('named revision');
    setTime('2026-04-03T12:00:00.000Z');
    await expect(process.execute(lineItem(id, 'a', { expectedRevision: 1n }))).rejects.toThrow(RevisionMismatch);
    expect(await history(id)).toHaveLength(3);
    const answer = await process.execute(lineItem(id, 'a', { expectedRevision: 2n }));
    expect(answer.revision).toBe('9');
    // Both of these mean revision 9; one of them is told that it is gone.
    setTime('2026-05-03T12:00:00.000Z');
    const both = await Promise.allSettled([
      process.execute(lineItem(id, 'b', { expectedRevision: 9n })),
      other.execute(lineItem(id, 'c', { expectedRevision: 9n })),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: expect.any(RevisionMismatch) as unknown,
    });
  });

  it('shows in a dry run the boundaries and the command, and writes nothing', async () => {
    const id = await started('dry run');
    setTime('2026-04-03T12:00:00.000Z');
    const dry = await process.execute(lineItem(id, 'a', { dryRun: true }));
    expect(dry.dryRun).toBe(true);
    expect(dry.events.map(({ type }) => type)).toEqual([
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
      'LineItemAdded',
    ]);
    expect(await history(id)).toHaveLength(3);
    await process.execute(lineItem(id, 'a'));
    const real = (await history(id)).slice(3).map(({ type, data }) => ({ type, data }));
    expect(dry.events.map(({ type, data }) => ({ type, data }))).toEqual(real);
  });

  it('answers a repeat from the record, whatever has become due since', async () => {
    const id = await started('repeat');
    const command = lineItem(id, 'a');
    const first = await process.execute(command);
    setTime('2026-04-03T12:00:00.000Z');
    const again = await other.execute(command);
    expect(again).toEqual({ ...first, repeated: true });
    await expect(
      other.execute(new AddLineItem(id, command.lineItem, { ...command.context, fingerprint: 'other' })),
    ).rejects.toThrow(KeyReused);
    expect(await history(id)).toHaveLength(4);
  });

  it('remembers line item ids for the life of the subscription', async () => {
    const id = await started('remembered');
    await process.execute(lineItem(id, 'a'));
    setTime('2026-04-03T12:00:00.000Z');
    const again = await other.execute(lineItem(id, 'a'));
    expect(again).toMatchObject({ repeated: false, events: [{ type: 'LineItemAdded', revision: '3' }] });
    const spelled = { lineItemId: 'a', description: 'Support', unitPrice: '250', quantity: '1.0', metadata: {} };
    expect((await process.execute(new AddLineItem(id, spelled, request()))).events).toHaveLength(1);
    await expect(
      process.execute(new AddLineItem(id, { ...spelled, unitPrice: '251' }, request())),
    ).rejects.toMatchObject({ code: 'line-item-exists' });
    expect((await history(id)).filter(({ type }) => type === 'LineItemAdded')).toHaveLength(1);
  });

  it('makes of one key sent fifty times at once through two processes one event and one answer', async () => {
    setTime(START);
    const fifty = <T>(command: () => T) => Array.from({ length: 50 }, command);
    const send = async (command: Parameters<BillingProcess['execute']>[0]): Promise<CommandResult> => {
      const answers = (await Promise.all(
        fifty(() => command).map((each, index) => (index % 2 === 0 ? process : other).execute(each)),
      )) as CommandResult[];
      expect(new Set(answers.map((answer) => JSON.stringify({ ...answer, repeated: false }))).size).toBe(1);
      expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1);
      return answers[0] as CommandResult;
    };
    const { aggregateId: id } = await send(
      new StartSubscription({ ...start('unused').terms, externalId: undefined }, request({ key: 'one start' })),
    );
    expect(id).toBe(subscriptionId('default', { key: 'one start' }));
    await send(lineItem(id, 'a'));
    setTime('2026-03-01T12:00:00.000Z');
    await send(new RollOverBillingPeriod(id, 1, request()));
    expect((await history(id)).map(({ type }) => type)).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
      'LinesBilled',
      'LineItemAdded',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
  });

  it('gives after a year of downtime the lines that a punctual scheduler gives', async () => {
    const bills = async (how: 'punctual' | 'late'): Promise<LinesBilled['data'][]> => {
      const world = { url: at.url, prefix: `${at.prefix}${how}` };
      const [one, two] = [await billingProcess(world, { time: START }), await billingProcess(world, { time: START })];
      const { aggregateId: id } = await one.execute(start('a year'));
      await one.execute(lineItem(id, 'in the first month', { key: 'in the first month' }));
      const tick = async (time: string) => {
        one.clock.time = two.clock.time = time;
        // What the read model of due periods would give: the open period, while it has elapsed.
        for (;;) {
          const loaded = await one.repositories.subscriptions.load(id, 'default');
          const open = loaded?.state.status === 'active' ? loaded.state.openPeriod : undefined;
          if (!open || open.endsAt > time) break;
          const due = [{ tenant: 'default', subscriptionId: id, periodNumber: open.periodNumber }];
          await Promise.all(
            [one, two].flatMap((scheduler) => rollOverElapsedPeriods(due).map((command) => scheduler.execute(command))),
          );
        }
      };
      if (how === 'punctual')
        for (let month = 2; month <= 12; month += 1) await tick(new Date(Date.UTC(2026, month, 0)).toISOString());
      await tick('2027-01-30T23:00:00.000Z');
      const events = await history(id, world.prefix);
      await one.close();
      await two.close();
      return events
        .filter(({ type }) => type === 'LinesBilled')
        .map(({ data }) => data as unknown as LinesBilled['data']);
    };
    const punctual = await bills('punctual');
    expect(await bills('late')).toEqual(punctual);
    expect(punctual).toHaveLength(13);
    expect(punctual.at(-1)).toMatchObject({ billNumber: 13, effectiveAt: '2027-01-30T23:00:00.000Z', net: '3100' });
    expect(punctual[1]?.lines).toHaveLength(2);
  });

  it('keeps what it has rolled over when the time is up, and goes on from there', async () => {
    const id = await started('budget', { unit: 'day', count: 1 });
    setTime('2026-06-30T12:00:00.000Z');
    await expect(process.execute(lineItem(id, 'a', { dryRun: true }))).rejects.toMatchObject({ code: 'boundary-due' });
    const context = request();
    const reached: number[] = [];
    for (let done = false, timeBudgetMs = 30; !done; timeBudgetMs *= 2) {
      try {
        await process.execute(lineItem(id, 'a', { ...context, timeBudgetMs }));
        done = true;
      } catch (error) {
        expect(error).toBeInstanceOf(BudgetExhausted);
      }
      reached.push((await history(id)).filter(({ type }) => type === 'BillingPeriodClosed').length);
    }
    expect(reached.length).toBeGreaterThan(1);
    expect(reached).toEqual([...reached].sort((a, b) => a - b));
    expect(reached.at(-1)).toBe(150);
    expect((await history(id)).filter(({ type }) => type === 'LineItemAdded')).toHaveLength(1);
  });

  it('never decides on what another process has changed since', async () => {
    const id = await started('in turn');
    await process.execute(lineItem(id, 'a'));
    await other.execute(new PauseSubscription(id, { credit: 'none' }, request()));
    await expect(process.execute(lineItem(id, 'b'))).rejects.toMatchObject({ code: 'no-open-period' });
    await expect(process.execute(lineItem(id, 'c', { dryRun: true }))).rejects.toMatchObject({
      code: 'no-open-period',
    });
    await expect(process.execute(lineItem(id, 'd', { expectedRevision: 3n }))).rejects.toMatchObject({ actual: 6n });
    const noOp = await process.execute(new PauseSubscription(id, { credit: 'none' }, request()));
    expect(noOp).toMatchObject({ events: [], revision: '7' });
  });

  it('knows nothing of what another tenant has', async () => {
    const id = await started('private');
    await expect(process.execute(lineItem(id, 'a', { tenant: 'other' }))).rejects.toThrow(AggregateNotFound);
    await expect(process.execute(lineItem(subscriptionId('default', { key: 'never' }), 'a'))).rejects.toThrow(
      DomainError,
    );
  });
});
