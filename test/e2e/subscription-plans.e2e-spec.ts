import { eventually, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** Subscriptions on plans over real sockets, to the cent. */
describe('a subscription on a plan', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  let keys = 0;
  const post = async (path: string, body?: object, status = 200) => {
    const answer = await service.client.post(path, body, `key-${(keys += 1)}`);
    expect([answer.status, answer.body.code]).toEqual([status, undefined]);
    return answer.body;
  };
  const refused = async (path: string, body: object) => {
    const { status, body: problem } = await service.client.post(path, body, `key-${(keys += 1)}`);
    return `${status} ${problem.code}`;
  };
  const flat = (unitPrice: string) => [{ currency: 'USD', price: { model: 'flat', unitPrice } }];
  const recurring = (componentKey: string, unitPrice: string, more: object = {}) => ({
    componentKey,
    description: componentKey,
    kind: 'recurring',
    timing: 'advance',
    prices: flat(unitPrice),
    ...more,
  });
  const calls = (description: string) => ({
    componentKey: 'calls',
    description,
    kind: 'usage',
    timing: 'arrears',
    meter: { key: 'calls', aggregation: 'sum' },
    prices: [
      {
        currency: 'USD',
        price: {
          model: 'graduated',
          tiers: [
            { upTo: '1000', unitPrice: '0' },
            { upTo: null, unitPrice: '1' },
          ],
        },
      },
    ],
  });
  const support = recurring('support', '500', { optional: true });
  const setUp = recurring('set-up', '5000', { kind: 'one-time' });
  const drafted = async (planId: string, version: number, components: object[], more: object = {}) => {
    const body = { interval: { unit: 'month', count: 1 }, currencies: ['USD'], components, ...more };
    const { status } = await service.client.ask('PUT', `/v1/plans/${planId}/versions/${version}`, {
      body,
      key: `key-${(keys += 1)}`,
    });
    expect(status).toBe(200);
  };
  /** A plan with these versions, all published. */
  const planOf = async (externalId: string, versions: { components: object[]; more?: object }[]) => {
    const { id } = await post('/v1/plans', { externalId, name: externalId }, 201);
    for (const [i, { components, more }] of versions.entries()) {
      await drafted(id, i + 1, components, more);
      await post(`/v1/plans/${id}/versions/${i + 1}/publish`);
    }
    return id as string;
  };
  const startOn = async (plan: object, more: object = {}) =>
    post('/v1/subscriptions', { customerId: 'customer-1', currency: 'USD', timeZone: 'UTC', plan, ...more }, 201);
  type Line = { itemId: string; kind: string; net: string };
  const linesOf = ({ events }: { events: { type: string; data: { lines: Line[] } }[] }) =>
    events
      .flatMap(({ type, data }) => (type === 'LinesBilled' ? data.lines : []))
      .map(({ kind, itemId, net }) => `${kind} ${itemId} ${net}`);

  it('starts on a version, moves to others now and at the period end, picks add-ons, and is read with its plan', async () => {
    const basic = await planOf('basic', [
      { components: [recurring('seats', '1000'), setUp], more: { trialDays: 0, noticeDays: 5 } },
    ]);
    const pro = await planOf('pro', [
      { components: [recurring('seats', '3100'), support] },
      { components: [recurring('seats', '6200'), support] },
    ]);
    await drafted(pro, 3, [recurring('seats', '9300')]);

    const started = await startOn({ externalId: 'basic', quantities: { seats: '3' } });
    expect(linesOf(started)).toEqual(['recurring seats 3000', 'one-time set-up 5000']);
    const path = `/v1/subscriptions/${started.id}`;
    const read = async (position: string) => (await service.client.get(`${path}?minPosition=${position}`)).body;
    expect(await read(started.position)).toMatchObject({ plan: { planId: basic, version: 1 }, noticeDays: 5 });

    const move = { plan: { planId: pro, version: 1, addOns: ['support'] }, billing: 'now' };
    const shown = await post(`${path}/plan?dryRun=true`, move);
    const moved = await post(`${path}/plan`, move);
    expect(linesOf(moved)).toEqual(linesOf(shown));
    expect(linesOf(moved).sort()).toEqual(['correction seats -3000', 'recurring seats 9300', 'recurring support 500']);
    const after = await read(moved.position);
    expect(after).toMatchObject({ plan: { planId: pro, version: 1 }, noticeDays: 0, scheduledEdits: [] });
    expect(after.items.map(({ itemId, quantity }: Record<string, string>) => [itemId, quantity])).toEqual([
      ['seats', '3'],
      ['set-up', '1'],
      ['support', '1'],
    ]);
    const { body: found } = await service.client.get(`/v1/subscriptions?planId=${pro}&planVersion=1`);
    expect(found.items.map(({ subscriptionId }: Record<string, string>) => subscriptionId)).toEqual([started.id]);
    expect((await service.client.get(`/v1/subscriptions?planId=${pro}&planVersion=2`)).body.items).toEqual([]);

    // Scheduled, taken back, scheduled again.
    const later = { plan: { externalId: 'pro' }, when: 'period-end' };
    const scheduled = await post(`${path}/plan`, later);
    expect((await read(scheduled.position)).scheduledEdits).toMatchObject([
      { kind: 'plan', conditions: { plan: { planId: pro, version: 2 } } },
    ]);
    await post(`${path}/undo-changes`);
    await post(`${path}/plan`, later);
    await service.setClock('2026-01-17T00:00:00.000Z');
    const grown = await post(`${path}/add-ons`, { add: [{ componentKey: 'support', quantity: '2' }], billing: 'now' });
    expect(linesOf(grown).sort()).toEqual(['correction support -242', 'recurring support 484']);
    await service.setClock('2026-02-01T00:00:00.000Z');
    const { body: next } = await eventually(
      () => service.client.get(path),
      ({ body }) => body.period?.periodNumber === 2,
    );
    expect(next).toMatchObject({ plan: { planId: pro, version: 2 }, billedNet: { amount: '34642', currency: 'USD' } });
    const removed = await post(`${path}/add-ons`, { remove: ['support'], billing: 'now' });
    expect(linesOf(removed)).toEqual(['correction support -1000']);

    // No draft, none that is archived, nothing that the plan does not have.
    expect(await refused(`${path}/plan`, { plan: { planId: pro, version: 3 } })).toBe('409 plan-version-draft');
    expect(await refused(`${path}/plan`, { plan: { planId: pro, version: 4 } })).toBe('404 plan-version-not-found');
    expect(await refused(`${path}/plan`, { plan: { externalId: 'none' } })).toBe('404 plan-not-found');
    expect(await refused(`${path}/plan`, { plan: {} })).toBe('400 invalid-request');
    expect(await refused(`${path}/add-ons`, { add: [{ componentKey: 'x' }] })).toBe('422 unknown-component');
    await post(`/v1/plans/${basic}/versions/1/archive`);
    expect(await refused(`${path}/plan`, { plan: { planId: basic } })).toBe('404 plan-version-not-found');
    const start = { customerId: 'c', currency: 'USD', timeZone: 'UTC', plan: { planId: basic, version: 1 } };
    expect(await refused('/v1/subscriptions', start)).toBe('409 plan-version-archived');
    const own = { ...start, plan: { planId: pro }, interval: { unit: 'month', count: 1 } };
    expect(await refused('/v1/subscriptions', own)).toBe('400 invalid-request');
    expect(await refused('/v1/subscriptions', { ...start, plan: { planId: pro }, currency: 'EUR' })).toBe(
      '422 currency-mismatch',
    );
  });

  it('gives the repeat of a start its first answer, although the version was archived since', async () => {
    const plan = await planOf('once', [{ components: [recurring('base', '100')] }]);
    const body = { customerId: 'once', currency: 'USD', timeZone: 'UTC', plan: { planId: plan } };
    const first = await service.client.post('/v1/subscriptions', body, 'start-once');
    expect(first.status).toBe(201);
    await post(`/v1/plans/${plan}/versions/1/archive`);
    const again = await service.client.post('/v1/subscriptions', body, 'start-once');
    expect([again.status, again.body]).toEqual([201, first.body]);
    // What has begun goes on, add-ons included.
    expect(await refused(`/v1/subscriptions/${first.body.id}/add-ons`, { remove: ['x'] })).toBe(
      '422 unknown-component',
    );
  });

  it('1,000 free then 0.01; 900 units before and 900 after a move to another version of the plan: 8.00', async () => {
    // billing-model.md §6
    await service.setClock('2026-03-01T00:00:00.000Z');
    const plan = await planOf('metered', [{ components: [calls('Calls')] }, { components: [calls('API calls')] }]);
    const { id } = await startOn({ planId: plan, version: 1 }, { customerId: 'metered' });
    const use = async (record: string) => {
      const at = record === 'before' ? '2026-03-10T00:00:00.000Z' : '2026-03-20T00:00:00.000Z';
      await service.setClock(at);
      await post('/v1/usage', {
        records: [{ id: record, subscriptionId: id, event: 'calls', at, value: '900' }],
      });
    };
    await use('before');
    await service.setClock('2026-03-16T00:00:00.000Z');
    await post(`/v1/subscriptions/${id}/plan`, { plan: { planId: plan } });
    await use('after');
    await service.setClock('2026-04-01T00:00:00.000Z');
    const { body } = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}&status=finalised`),
      (answer) => answer.body.items?.length === 1,
    );
    expect(body.items[0].total).toEqual({ amount: '800', currency: 'USD' });
  });

  it('moves from Tokyo to New York with its next boundary, without a gap', async () => {
    await service.setClock('2026-05-31T15:00:00.000Z');
    const plan = await planOf('moving', [{ components: [recurring('base', '3000')] }]);
    const { id } = await startOn({ planId: plan }, { customerId: 'moving', timeZone: 'Asia/Tokyo' });
    const path = `/v1/subscriptions/${id}`;
    expect(await refused(`${path}/time-zone`, { timeZone: 'Mars/Olympus' })).toBe('422 unknown-time-zone');
    const { position } = await post(`${path}/time-zone`, { timeZone: 'America/New_York' });
    const { body: before } = await service.client.get(`${path}?minPosition=${position}`);
    expect(before).toMatchObject({ timeZone: 'Asia/Tokyo', scheduledTimeZone: 'America/New_York' });
    await service.setClock('2026-06-30T15:00:00.000Z');
    const { body: after } = await eventually(
      () => service.client.get(path),
      ({ body }) => body.period?.periodNumber === 2,
    );
    expect(after).toMatchObject({
      timeZone: 'America/New_York',
      scheduledTimeZone: null,
      period: { startsAt: '2026-06-30T15:00:00.000Z', endsAt: '2026-08-01T04:00:00.000Z' },
      billedNet: { amount: '6000', currency: 'USD' },
    });
  });

  it('changes its currency with a plan at the end of a period, and a voided bill is made out anew in its own', async () => {
    await service.setClock('2026-08-01T00:00:00.000Z');
    const priced = (usd: string, eur: string) => [
      ...flat(usd),
      { currency: 'EUR', price: { model: 'flat', unitPrice: eur } },
    ];
    const plan = await planOf('two-currencies', [
      {
        components: [
          recurring('base', '', { prices: priced('3000', '2800') }),
          recurring('late', '', { timing: 'arrears', prices: priced('300', '280') }),
        ],
        more: { currencies: ['USD', 'EUR'] },
      },
    ]);
    const { id } = await startOn({ planId: plan }, { customerId: 'euros' });
    const path = `/v1/subscriptions/${id}`;
    const move = { plan: { planId: plan }, currency: 'EUR', when: 'period-end' };
    expect(await refused(`${path}/plan`, { ...move, when: 'now' })).toBe('422 invalid-option');
    const item = { lineItemId: 'one', description: 'One', unitPrice: '5' };
    await post(`${path}/line-items`, item, 201);
    expect(await refused(`${path}/plan`, move)).toBe('409 currency-in-use');
    await post(`${path}/line-items/one/void`);
    await post(`${path}/plan`, move);
    await service.setClock('2026-09-01T00:00:00.000Z');
    const invoices = (count: number) =>
      eventually(
        () => service.client.get(`/v1/invoices?subscriptionId=${id}&status=finalised`),
        ({ body }) => body.items?.length === count,
      );
    const { body } = await invoices(3);
    expect(body.items.map(({ total }: { total: object }) => total)).toEqual([
      { amount: '3000', currency: 'USD' },
      { amount: '300', currency: 'USD' },
      { amount: '2800', currency: 'EUR' },
    ]);
    const { body: read } = await service.client.get(path);
    expect(read).toMatchObject({ currency: 'EUR', billedNet: { amount: '2800', currency: 'EUR' } });
    await post(`/v1/invoices/${body.items[0].invoiceId}/void`, { rebill: true, reason: 'wrong address' });
    const { body: again } = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}`),
      (answer) => answer.body.items?.length === 4,
    );
    expect(again.items[3].total).toEqual({ amount: '3000', currency: 'USD' });
  });

  it('stands up to the audit, and to a rebuild of what is read', async () => {
    for (const [program, ...args] of [
      ['audit', 'verify'],
      ['projections', 'diff'],
    ]) {
      const { code, output } = await runToEnd(`apps/standalone/src/${program}.js`, args, service.surroundings);
      expect([program, code, code === 0 || output]).toEqual([program, 0, true]);
    }
  });
});
