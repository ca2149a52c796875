import { eventually, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** Coupons over real sockets: what a caller sees of them, and what the invoices say, to the cent. */
describe('coupons', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  let keys = 0;
  const key = () => `key-${(keys += 1)}`;
  const percentage = (percent: string) => ({ kind: 'percentage', percent });
  const amount = (...amounts: [string, string][]) => ({
    kind: 'amount',
    amounts: amounts.map(([value, currency]) => ({ amount: value, currency })),
  });
  const post = (path: string, body?: object, idempotencyKey = key()) =>
    service.client.post(`/v1/${path}`, body, idempotencyKey);
  const created = async (body: object) => {
    const answer = await post('coupons', body);
    expect([answer.status, answer.body.code]).toEqual([201, undefined]);
    return answer.body as { id: string; position: string };
  };
  const started = async (more: object = {}) => {
    const items = [{ description: 'Base', timing: 'advance', price: { model: 'flat', unitPrice: '10000' } }];
    const answer = await post('subscriptions', monthly({ timeZone: 'UTC', items, ...more }));
    expect([answer.status, answer.body.code]).toEqual([201, undefined]);
    return answer.body.id as string;
  };
  interface Invoice {
    readonly invoiceId: string;
    readonly billNumber: number;
    readonly total: { readonly amount: string };
  }
  const invoiced = async (id: string, count: number) => {
    const { body } = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}`),
      (answer) => answer.body.items?.length === count,
    );
    return (body.items as Invoice[]).sort((a, b) => a.billNumber - b.billNumber);
  };
  const totals = async (id: string, count: number) => (await invoiced(id, count)).map(({ total }) => total.amount);
  const counted = async (id: string, redeemed: number) =>
    (
      await eventually(
        () => service.client.get(`/v1/coupons/${id}`),
        ({ body }) => body.redeemed === redeemed && body.reserved === 0,
      )
    ).body;

  it('are redeemed by exactly 10 of 50 subscriptions that race for 10 redemptions', async () => {
    const { id } = await created({ code: 'ten', discount: percentage('10'), maxRedemptions: 10 });
    // For a year: the rest of this file has no boundaries of theirs to wait for.
    const yearly = { interval: { unit: 'year', count: 1 } };
    const subscriptions = await Promise.all(Array.from({ length: 50 }, () => started(yearly)));
    const asked = subscriptions.map((subscription) => ({ path: `subscriptions/${subscription}/coupons`, key: key() }));
    const race = () => Promise.all(asked.map((each) => post(each.path, { code: 'TEN' }, each.key)));
    const first = await race();
    const answers = first.map(({ status, body }) => (status === 201 ? 'applied' : body.code));
    expect(answers.filter((answer) => answer === 'applied')).toHaveLength(10);
    expect(answers.filter((answer) => answer === 'coupon-exhausted')).toHaveLength(40);
    expect((await counted(id, 10)).maxRedemptions).toBe(10);
    // Asked again, who has it has it, and nobody else gets one.
    const second = await race();
    expect(second.map(({ status }) => status)).toEqual(first.map(({ status }) => status));
    const bodies = (of: typeof first) => of.filter(({ status }) => status === 201).map(({ body }) => body);
    expect(bodies(second)).toEqual(bodies(first));
    expect(await counted(id, 10)).toMatchObject({ redeemed: 10, reserved: 0 });
  });

  it('take what they give off the bills for which they last, line by line, and are gone', async () => {
    const { id } = await created({
      code: 'two-bills',
      discount: percentage('20'),
      periods: 2,
      description: '20 % off',
    });
    const rest = await created({ code: 'rest', discount: amount(['25000', 'USD'], ['20000', 'EUR']) });
    const discounted = await started({ couponCodes: ['Two-Bills'] });
    const euros = await started({ couponCodes: ['REST'], currency: 'EUR' });
    const dryRun = await post(`subscriptions/${discounted}/coupons?dryRun=true`, { code: 'rest' });
    expect([dryRun.status, dryRun.body.dryRun]).toEqual([200, true]);

    const seen = await eventually(
      () => service.client.get(`/v1/subscriptions/${euros}`),
      ({ body }) => body.bills === 1,
    );
    expect(seen.body.coupons).toEqual([
      {
        couponId: rest.id,
        code: 'REST',
        description: 'REST',
        discount: { kind: 'amount', amount: '20000', currency: 'EUR' },
        periods: null,
        componentKeys: null,
        uses: 1,
        left: '10000',
      },
    ]);
    const preview = await service.client.get(`/v1/subscriptions/${discounted}/upcoming-invoice`);
    expect(preview.body.upcoming.total.amount).toBe('8000');

    await service.setClock('2026-03-02T00:00:00.000Z');
    expect(await totals(discounted, 3)).toEqual(['8000', '8000', '10000']);
    expect(await totals(euros, 3)).toEqual(['0', '0', '10000']);
    const [first] = await invoiced(discounted, 3);
    const { lines } = (await service.client.get(`/v1/invoices/${first?.invoiceId ?? ''}`)).body;
    expect(lines).toMatchObject([
      { kind: 'recurring', net: '10000', description: 'Base' },
      { kind: 'discount', net: '-2000', description: '20 % off', corrects: lines[0].lineId },
    ]);
    for (const subscription of [discounted, euros]) {
      const { body } = await service.client.get(`/v1/subscriptions/${subscription}`);
      expect(body.coupons).toEqual([]);
    }
    expect(await counted(id, 1)).toMatchObject({ status: 'active', periods: 2 });
    expect(await counted(rest.id, 1)).toMatchObject({ discount: amount(['20000', 'EUR'], ['25000', 'USD']) });
  });

  it('are removed, archived and found', async () => {
    const { id } = await created({
      code: 'leaves',
      discount: percentage('50'),
      externalId: 'campaign-7',
      metadata: { team: 'growth' },
      expiresAt: '2027-01-01T00:00:00Z',
      componentKeys: ['base'],
    });
    const subscription = await started({ couponCodes: ['leaves'] });
    const removing = key();
    const remove = () => post(`subscriptions/${subscription}/coupons/${id}/remove`, undefined, removing);
    const removed = await remove();
    expect([removed.status, removed.body.events.map(({ type }: { type: string }) => type)]).toEqual([
      200,
      ['CouponRemoved'],
    ]);
    expect((await remove()).body).toEqual(removed.body);
    await service.setClock('2026-04-02T00:00:00.000Z');
    expect(await totals(subscription, 2)).toEqual(['5000', '10000']);

    const archived = await post(`coupons/${id}/archive`);
    expect(archived.status).toBe(200);
    const { position } = archived.body;
    const found = async (query: string) =>
      (await service.client.get(`/v1/coupons?minPosition=${position}&${query}`)).body.items.map(
        (each: { code: string }) => each.code,
      );
    expect(await found('status=archived')).toEqual(['LEAVES']);
    expect(await found('externalId=campaign-7')).toEqual(['LEAVES']);
    expect(await found('code=Leaves')).toEqual(['LEAVES']);
    expect(await found('status=active')).toEqual(['TEN', 'TWO-BILLS', 'REST']);
    const page = await service.client.get(`/v1/coupons?limit=3`);
    const { nextCursor } = page.body as { nextCursor: string };
    expect(await found(`limit=3&cursor=${encodeURIComponent(nextCursor)}`)).toEqual(['LEAVES']);
    expect(await counted(id, 1)).toMatchObject({
      code: 'LEAVES',
      status: 'archived',
      externalId: 'campaign-7',
      metadata: { team: 'growth' },
      expiresAt: '2027-01-01T00:00:00.000Z',
      componentKeys: ['base'],
    });
    const streams = await service.client.get(`/v1/streams?aggregateId=${id}`);
    expect(streams.body.items).toMatchObject([{ aggregate: 'coupon', aggregateId: id }]);
  });

  it('leave books that the audit finds in order', async () => {
    const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], service.surroundings);
    expect([code, output]).toEqual([0, expect.stringContaining('no difference')]);
  });
});
