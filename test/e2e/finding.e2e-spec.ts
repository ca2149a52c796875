import { eventually, lineItem, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** Previews, notes and lists over real sockets. */
describe('finding things', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  const started = async (key: string, more: object = {}) => {
    const { status, body } = await service.client.post('/v1/subscriptions', monthly({ timeZone: 'UTC', ...more }), key);
    expect([status, body.code]).toEqual([201, undefined]);
    return body.id as string;
  };
  const patch = (path: string, metadata: unknown, key: string) =>
    service.client.ask('PATCH', path, { body: { metadata }, key });
  const ids = ({ body }: { body: { items: { subscriptionId: string; invoiceId?: string }[] } }) =>
    body.items.map(({ subscriptionId }) => subscriptionId);

  it('finds a subscription by its metadata, also after they changed', async () => {
    const id = await started('noted', { customerId: 'noted', metadata: { tier: 'gold', team: 'a' } });
    const other = await started('other', { customerId: 'noted' });
    const changed = await patch(`/v1/subscriptions/${id}`, { tier: 'silver', team: null, 'po no': '7/8 ü' }, 'note');
    expect([changed.status, changed.body.events[0].type]).toEqual([200, 'MetadataChanged']);
    const minPosition = String(changed.headers['perennial-position']);
    const find = (query: string) =>
      service.client.get(`/v1/subscriptions?minPosition=${minPosition}&customerId=noted&${query}`);
    expect(ids(await find('metadata[tier]=silver'))).toEqual([id]);
    expect(ids(await find(`metadata%5Bpo%20no%5D=${encodeURIComponent('7/8 ü')}&metadata[tier]=silver`))).toEqual([id]);
    expect(ids(await find('metadata[tier]=gold'))).toEqual([]);
    expect(ids(await find('order=newest'))).toEqual([other, id]);
    expect(ids(await find('billedNetFrom=1999&currency=USD&startsBefore=2026-01-02T00:00:00Z'))).toEqual([id, other]);
    expect(ids(await find('billedNetTo=1998'))).toEqual([]);
    const page = await find('order=newest&limit=1');
    expect(ids(await find(`order=newest&limit=1&cursor=${page.body.nextCursor}`))).toEqual([id]);
    expect((await service.client.get(`/v1/subscriptions/${id}`)).body).toMatchObject({
      metadata: { tier: 'silver', 'po no': '7/8 ü' },
      autoFinalise: true,
    });
  });

  it.each([
    'status=gone',
    'metadata=gold',
    'metadata[]=x',
    'metadata[a]=1&metadata[a]=2',
    'metadata[__proto__]=x',
    `metadata[a]=${'x'.repeat(501)}`,
    'currency=usd',
    'order=up',
    'billedNetFrom=1.5',
    'startsFrom=2026-02-30T00:00:00Z',
    'unknown=1',
    'metadat[a]=1',
  ])('refuses ?%s as a filter', async (query) => {
    const { status, body } = await service.client.get(`/v1/subscriptions?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid-request']);
  });

  it.each(['totalFrom=x', 'issuedFrom=2026-02-30', 'draftedBefore=now', 'amountDueTo=-0', 'subscriptionId=7'])(
    'refuses ?%s of invoices',
    async (query) => {
      const { status, body } = await service.client.get(`/v1/invoices?${query}`);
      expect([status, body.code]).toEqual([400, 'invalid-request']);
    },
  );

  it('keeps an invoice as a draft for its review, and numbers it when it is asked to', async () => {
    const id = await started('reviewed', { customerId: 'reviewed', autoFinalise: false, paymentTermsDays: 10 });
    const list = (query = '') => service.client.get(`/v1/invoices?subscriptionId=${id}&${query}`);
    const { body } = await eventually(
      () => list(),
      (answer) => answer.body.items?.length === 1,
    );
    const [draft] = body.items;
    expect(draft).toMatchObject({ status: 'draft', waits: true, number: null, issuedOn: null, metadata: {} });
    const { invoiceId } = draft;
    // Others go on past it: it is not that the policy has yet to come.
    const next = await started('not reviewed', { customerId: 'reviewed' });
    await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${next}&status=finalised`),
      (answer) => answer.body.items?.length === 1,
    );
    const early = await service.client.post(`/v1/invoices/${invoiceId}/void`, { rebill: true, reason: 'x' }, 'early');
    expect([early.status, early.body.code]).toEqual([409, 'invoice-not-finalised']);

    await service.setClock('2026-01-05T00:00:00.000Z');
    const shown = await service.client.post(`/v1/invoices/${invoiceId}/finalise?dryRun=true`, {}, 'shown');
    expect(shown.body.events.map(({ type }: { type: string }) => type)).toEqual(['FinalisationRequested']);
    const asked = await service.client.post(`/v1/invoices/${invoiceId}/finalise`, {}, 'asked');
    expect([asked.status, asked.body.events[0].type]).toEqual([200, 'FinalisationRequested']);
    const final = await eventually(
      () => list('status=finalised'),
      (answer) => answer.body.items?.length === 1,
    );
    expect(final.body.items[0]).toMatchObject({ waits: false, issuedOn: '2026-01-05', dueOn: '2026-01-15' });
    expect(final.body.items[0].number).toMatch(/^INV-\d{6}$/);
    const again = await service.client.post(`/v1/invoices/${invoiceId}/finalise`, {}, 'again');
    expect([again.status, again.body.events]).toEqual([200, []]);

    const noted = await patch(`/v1/invoices/${invoiceId}`, { po: '4711' }, 'note');
    const minPosition = String(noted.headers['perennial-position']);
    const found = await list(
      `metadata[po]=4711&totalFrom=1999&totalTo=1999&issuedFrom=2026-01-05&minPosition=${minPosition}`,
    );
    expect(found.body.items.map((each: { invoiceId: string }) => each.invoiceId)).toEqual([invoiceId]);
    const { body: whole } = await service.client.get(`/v1/invoices/${invoiceId}`);
    expect(whole).toMatchObject({ taxes: [], taxTotal: { amount: '0' }, metadata: { po: '4711' } });
    expect(whole.lines[0]).toMatchObject({ taxCode: null, taxBehaviour: 'unspecified' });
  });

  it('adds a batch of line items with an answer for each, the same again for its key', async () => {
    const id = await started('batched', { customerId: 'batched' });
    const path = `/v1/subscriptions/${id}/line-items/batch`;
    const lineItems = [lineItem('a'), lineItem('a'), lineItem('a', { unitPrice: '1' }), lineItem('b')];
    const records = [
      { lineItemId: 'a', outcome: 'added' },
      { lineItemId: 'a', outcome: 'exists' },
      { lineItemId: 'a', outcome: 'refused', code: 'line-item-exists' },
      { lineItemId: 'b', outcome: 'added' },
    ];
    const shown = await service.client.post(`${path}?dryRun=true`, { lineItems }, 'batch');
    expect([shown.status, shown.body.records]).toEqual([200, records]);
    const first = await service.client.post(path, { lineItems }, 'batch');
    expect([first.status, first.body.records]).toEqual([200, records]);
    const again = await service.client.post(path, { lineItems }, 'batch');
    expect([again.body, again.headers['idempotent-replayed']]).toEqual([first.body, 'true']);
    const other = await service.client.post(path, { lineItems: [lineItem('c')] }, 'batch');
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused']);
    const minPosition = String(first.headers['perennial-position']);
    const { body } = await service.client.get(
      `/v1/subscriptions/${id}/current-billing-period?minPosition=${minPosition}`,
    );
    expect(body.period.pendingNet).toEqual({ amount: '2500', currency: 'USD' });
    for (const wrong of [[], [{}], Array.from({ length: 501 }, (_, n) => lineItem(`${n}`))]) {
      const refused = await service.client.post(path, { lineItems: wrong }, 'wrong');
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid-request']);
    }
  });

  it('previews the next bill, which is then billed', async () => {
    await service.setClock('2026-01-05T00:00:00.000Z');
    const id = await started('previewed', { customerId: 'previewed' });
    await service.client.post(`/v1/subscriptions/${id}/line-items`, lineItem('work'), 'work');
    const { body: shown } = await service.client.get(`/v1/subscriptions/${id}/upcoming-invoice`);
    expect(shown).toMatchObject({
      reason: null,
      upcoming: {
        kind: 'invoice',
        billNumber: 2,
        billsAt: '2026-02-05T00:00:00.000Z',
        total: { amount: '3249', currency: 'USD' },
        creditApplied: { amount: '0', currency: 'USD' },
      },
    });
    await service.setClock('2026-02-05T00:00:00.000Z');
    const { body } = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}&status=finalised&order=newest`),
      (answer) => answer.body.items?.[0]?.billNumber === 2,
    );
    const { body: invoice } = await service.client.get(`/v1/invoices/${body.items[0].invoiceId}`);
    for (const field of ['lines', 'taxes', 'subtotal', 'total', 'creditApplied', 'amountDue', 'issuedOn', 'dueOn'])
      expect([field, invoice[field]]).toEqual([field, shown.upcoming[field]]);

    await service.client.post(`/v1/subscriptions/${id}/cancel`, { at: 'now' }, 'end');
    const { body: ended } = await service.client.get(`/v1/subscriptions/${id}/upcoming-invoice`);
    expect(ended).toMatchObject({ upcoming: null, reason: 'subscription-canceled' });
    const unknown = await service.client.get('/v1/subscriptions/00000000-0000-4000-8000-000000000000/upcoming-invoice');
    expect([unknown.status, unknown.body.code]).toEqual([404, 'subscription-not-found']);
  });

  it('leaves books that the audit finds in order, with a draft that waits, batches and notes', async () => {
    const id = await started('waits', { customerId: 'waits', autoFinalise: false });
    await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}&status=draft`),
      (answer) => answer.body.items?.length === 1,
    );
    const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], service.surroundings);
    expect([code, output]).toEqual([0, expect.stringContaining('no difference')]);
  });
});
