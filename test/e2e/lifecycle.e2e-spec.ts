import { eventually, lineItem, monthly, Service } from '../support/app';

/** From start to end over real sockets: what a caller sees of it, and what is billed, to the cent. */
describe('the life of a subscription', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  const flat = (unitPrice: string) => [{ description: 'Base', timing: 'advance', price: { model: 'flat', unitPrice } }];
  const start = async (key: string, more: object) => {
    const answer = await service.client.post(
      '/v1/subscriptions',
      monthly({ timeZone: 'UTC', items: flat('3100'), ...more }),
      key,
    );
    expect([answer.status, answer.body.code]).toEqual([201, undefined]);
    return answer.body.id as string;
  };
  const on = async (id: string, rest: string, body: object, key: string) => {
    const answer = await service.client.post(`/v1/subscriptions/${id}/${rest}`, body, key);
    expect([answer.status, answer.body.code]).toEqual([200, undefined]);
    return answer.body;
  };
  const seen = async (id: string, status: string) =>
    (
      await eventually(
        () => service.client.get(`/v1/subscriptions/${id}`),
        ({ body }) => body.status === status,
      )
    ).body;
  /** The totals of the invoices, in the order of the bills, when there are so many. */
  const invoiced = async (id: string, count: number) => {
    const { body } = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}`),
      (answer) => answer.body.items?.length === count,
    );
    return (body.items as { total: { amount: string }; billNumber: number }[])
      .sort((a, b) => a.billNumber - b.billNumber)
      .map(({ total }) => total.amount);
  };

  it('starts: in a trial, in the future, in the past', async () => {
    const trial = await start('trial', { trialDays: 10, anchor: { dayOfMonth: 1 } });
    const ending = await start('trial-ends', { trialDays: 10, trialEnd: 'cancel' });
    const future = await start('future', { startsAt: '2026-01-16T00:00:00Z' });
    const never = await start('never', { startsAt: '2026-01-16T00:00:00Z' });
    const past = await start('past', { startsAt: '2025-11-01T00:00:00Z' });

    expect(await invoiced(past, 3)).toEqual(['3100', '3100', '3100']);
    expect(await seen(trial, 'trialing')).toMatchObject({
      trialEndsAt: '2026-01-11T00:00:00.000Z',
      period: { periodNumber: 1, kind: 'trial', endsAt: '2026-01-11T00:00:00.000Z' },
      bills: 0,
    });
    expect(await seen(future, 'scheduled')).toMatchObject({ startsAt: '2026-01-16T00:00:00.000Z', period: null });
    const upcoming = await service.client.get(`/v1/subscriptions/${future}/upcoming-invoice`);
    expect([upcoming.status, upcoming.body.upcoming.lines[0].net]).toEqual([200, '3100']);
    await on(future, 'changes', { edits: [{ kind: 'quantity', itemId: 'base', quantity: '2' }] }, 'change');
    await on(never, 'cancel', { at: 'now' }, 'cancel-never');
    const added = await service.client.post(`/v1/subscriptions/${trial}/line-items`, lineItem('a'), 'add');
    expect(added.status).toBe(201);
    const due = await service.client.get('/v1/due-billing-periods?at=2026-01-16T00:00:00Z');
    expect(due.body.items).toContainEqual({
      subscriptionId: future,
      periodNumber: 0,
      endsAt: '2026-01-16T00:00:00.000Z',
      held: false,
    });

    await service.setClock('2026-01-20T00:00:00.000Z');
    // 21 of 31 days from 11 January, and the line item of the trial.
    expect(await invoiced(trial, 1)).toEqual(['3350']);
    expect(await invoiced(future, 1)).toEqual(['6200']);
    expect(await seen(trial, 'active')).toMatchObject({ period: { periodNumber: 2, kind: 'regular' } });
    expect(await seen(ending, 'canceled')).toMatchObject({
      canceledAt: '2026-01-11T00:00:00.000Z',
      canceledCause: 'trial-ended',
      bills: 0,
    });
    expect(await seen(never, 'canceled')).toMatchObject({ canceledCause: 'requested', bills: 0 });
  });

  it('ends: with its periods, after its term, with notice; and pauses with a period', async () => {
    const dated = { startsAt: '2026-01-20T00:00:00Z', anchor: { dayOfMonth: 20 } };
    const fixed = await start('fixed', { ...dated, periods: 5 });
    const bound = await start('bound', { ...dated, minimumTermPeriods: 2, noticeDays: 10 });
    const paused = await start('paused', dated);
    await on(fixed, 'periods', { periods: 2 }, 'fewer');
    const refused = await service.client.post(`/v1/subscriptions/${bound}/cancel`, { at: 'now' }, 'too-soon');
    expect([refused.status, refused.body.code]).toEqual([409, 'minimum-term']);
    await on(bound, 'cancel', { at: 'period-end' }, 'in-time');
    expect(await seen(bound, 'canceling')).toMatchObject({
      cancelsAt: '2026-03-20T00:00:00.000Z',
      minimumTermPeriods: 2,
      noticeDays: 10,
    });
    for (const [n, step] of ['pause', 'undo-pause', 'pause'].entries())
      await on(paused, step, step === 'pause' ? { at: 'period-end' } : {}, `pause-${n}`);
    await eventually(
      () => service.client.get(`/v1/subscriptions/${paused}`),
      ({ body }) => body.status === 'active' && body.pausesAt === '2026-02-20T00:00:00.000Z',
    );

    await service.setClock('2026-04-01T00:00:00.000Z');
    expect(await seen(fixed, 'canceled')).toMatchObject({
      canceledCause: 'expired',
      canceledAt: '2026-03-20T00:00:00.000Z',
      periods: 2,
      completedPeriods: 2,
    });
    expect(await seen(bound, 'canceled')).toMatchObject({ canceledAt: '2026-03-20T00:00:00.000Z', bills: 2 });
    expect(await seen(paused, 'paused')).toMatchObject({ pausedAt: '2026-02-20T00:00:00.000Z', pausesAt: null });
    expect(await invoiced(paused, 1)).toEqual(['3100']);
    expect(await invoiced(fixed, 2)).toEqual(['3100', '3100']);
  });

  it('is held when billing runs away, visibly, until someone releases it', async () => {
    const id = await start('runaway', { startsAt: '2026-04-01T00:00:00Z' });
    const change = (n: number) => {
      const edits = [{ kind: 'quantity', itemId: 'base', quantity: `${2 + (n % 2)}` }];
      return service.client.post(`/v1/subscriptions/${id}/changes`, { edits, billing: 'now' }, `change-${n}`);
    };
    let answer = await change(1);
    for (let n = 2; n < 60 && answer.status === 200; n += 1) answer = await change(n);
    expect([answer.status, answer.body.code]).toEqual([409, 'billing-held']);
    const list = (query: string) => service.client.get(`/v1/subscriptions?${query}`);
    const held = await eventually(
      () => list('held=true'),
      ({ body }) => body.items?.length === 1,
    );
    expect(held.body.items[0]).toMatchObject({
      subscriptionId: id,
      hold: { heldAt: '2026-04-01T00:00:00.000Z', reason: 'repeated-lines' },
    });
    await service.setClock('2026-05-02T00:00:00.000Z');
    const waiting = { subscriptionId: id, periodNumber: 1, endsAt: '2026-05-01T00:00:00.000Z', held: true };
    await eventually(
      () => service.client.get('/v1/due-billing-periods'),
      ({ body }) => JSON.stringify(body.items) === JSON.stringify([waiting]),
    );
    const bills = held.body.items[0].bills as number;
    await on(id, 'release-hold', {}, 'looked-at');
    await eventually(
      () => service.client.get(`/v1/subscriptions/${id}`),
      ({ body }) => body.hold === null && body.period?.periodNumber === 2 && body.bills === bills + 1,
    );
    expect((await list('held=true')).body.items).toEqual([]);
  });
});
