import { Service } from '../support/app';

/** The catalog over real sockets. */
describe('a plan', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  const price = (currency: string, unitPrice: string) => ({ currency, price: { model: 'flat', unitPrice } });
  const terms = {
    interval: { unit: 'month', count: 1 },
    currencies: ['USD', 'EUR'],
    rules: { preset: 'kill-bill' },
    components: [
      {
        componentKey: 'base',
        description: 'Base',
        kind: 'recurring',
        timing: 'advance',
        every: 12,
        prices: [price('USD', '120000'), price('EUR', '110000.50')],
      },
      {
        componentKey: 'calls',
        description: 'Calls',
        kind: 'usage',
        timing: 'arrears',
        meter: { key: 'api-calls', aggregation: 'sum' },
        prices: [
          { currency: 'USD', price: { model: 'percentage', rate: '1.3', freeRecords: 10, minimum: '5' } },
          {
            currency: 'EUR',
            price: {
              model: 'graduated-percentage',
              tiers: [
                { upTo: '1000', rate: '2' },
                { upTo: null, rate: '1' },
              ],
            },
          },
        ],
      },
    ],
    minimum: [
      { currency: 'USD', amount: '1000' },
      { currency: 'EUR', amount: '900' },
    ],
    trialDays: 14,
  };

  it('is created, drafted, published, read and archived; a repeat gives the first answer', async () => {
    const created = await service.client.post(
      '/v1/plans',
      { externalId: 'pro', name: 'Pro', metadata: { a: 'b' } },
      'c',
    );
    expect([created.status, created.headers['location']]).toEqual([201, `/v1/plans/${created.body.id}`]);
    const path = `/v1/plans/${created.body.id}`;
    const put = (body: object, key: string) => service.client.ask('PUT', `${path}/versions/1`, { body, key });
    expect((await put({ ...terms, components: [] }, 'd1')).status).toBe(200);
    const drafted = await put(terms, 'd2');
    expect((await put(terms, 'd2')).body).toEqual(drafted.body);
    expect((await put(terms, 'd3')).body.events).toEqual([]);
    const shown = await service.client.post(`${path}/versions/1/publish?dryRun=true`, undefined, 'p');
    expect(shown.body.events.map(({ type }: { type: string }) => type)).toEqual([
      'PlanVersionDrafted',
      'PlanVersionPublished',
    ]);
    const published = await service.client.post(`${path}/versions/1/publish`, undefined, 'p');
    expect(published.status).toBe(200);

    const { body: plan } = await service.client.get(`${path}?minPosition=${published.body.position}`);
    expect(plan).toMatchObject({ externalId: 'pro', name: 'Pro', versionCount: 1, publishedVersion: 1 });
    const [version] = plan.versions;
    expect(version).toMatchObject({ version: 1, status: 'published', archivedAt: null });
    expect(version.terms.components[0].prices).toEqual([price('USD', '120000'), price('EUR', '110000.5')]);
    // What is read drafts the same again.
    const again = await service.client.ask('PUT', `${path}/versions/2`, { body: version.terms, key: 'd4' });
    expect(again.body.events[0].data).toMatchObject({
      version: 2,
      terms: published.body.events[0].data.terms,
    });

    const archived = await service.client.post(`${path}/versions/1/archive`, undefined, 'a');
    const { body: list } = await service.client.get(`/v1/plans?externalId=pro&minPosition=${archived.body.position}`);
    expect(list.items).toMatchObject([{ externalId: 'pro', versionCount: 2, publishedVersion: null }]);
    const events = await service.client.get(`/v1/streams?aggregate=plan&limit=1`);
    expect(events.body.items).toMatchObject([{ subject: 'pro' }]);
  });
});
