import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, monthly, Service } from '../support/app';
import { HttpClient } from '../support/http-client';
import { Program, runToEnd } from '../support/processes';
import { apiKeyOf } from '../support/standalone';

const personal = {
  billTo: {
    name: 'Zaphod Quillfeather',
    address: { line1: 'Mondgasse 17', city: 'Wien', postalCode: '1010', country: 'AT' },
    taxIds: [{ type: 'eu_vat', value: 'ATU99999042' }],
  },
  contacts: [{ email: 'zaphod@quillfeather.example', name: 'Zaphod' }],
};
const acme = {
  externalId: 'crm-4711',
  currency: 'EUR',
  timeZone: 'Europe/Vienna',
  paymentTermsDays: 14,
  metadata: { segment: 'smb' },
  personal,
};
/** What of it would tell a reader of raw bytes who it is. */
const telling = /quillfeather|mondgasse|ATU99999042|zaphod/i;

describe('a customer', () => {
  let service: Service;
  let id: string;
  let subscriptionId: string;
  let invoiceId: string;

  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00Z');
  });
  afterAll(() => service.stop());

  const read = async (customerId: string, { position }: { position: string }) =>
    (await service.client.get(`/v1/customers/${customerId}?minPosition=${position}`)).body;
  const change = (customerId: string, body: object, key: string) =>
    service.client.ask('PATCH', `/v1/customers/${customerId}`, { body, headers: { 'idempotency-key': key } });
  const operate = (program: string, ...args: string[]) =>
    runToEnd(`apps/standalone/src/${program}.js`, args, service.surroundings);

  it('is created once, answers without its personal data and is read with it', async () => {
    const dry = await service.client.post('/v1/customers?dryRun=true', acme, 'create');
    expect([dry.status, dry.body.events[0].data.personal]).toEqual([200, { withheld: true }]);
    const created = await service.client.post('/v1/customers', acme, 'create');
    expect(created.status).toBe(201);
    expect(created.body.events).toEqual([
      {
        type: 'CustomerCreated',
        revision: '0',
        data: {
          effectiveAt: '2026-01-01T00:00:00.000Z',
          customerId: created.body.id,
          ...acme,
          personal: { withheld: true },
        },
      },
    ]);
    id = created.body.id;
    const { asOf: _, recordedAt: __, position, ...view } = await read(id, created.body);
    expect({ ...view, position }).toEqual({
      ...acme,
      customerId: id,
      status: 'active',
      createdAt: '2026-01-01T00:00:00.000Z',
      erasedAt: null,
      revision: '0',
      position: created.body.position,
    });
    const listed = await service.client.get('/v1/customers?externalId=crm-4711&status=active&metadata[segment]=smb');
    expect(listed.body.items).toEqual([expect.objectContaining({ customerId: id, personal })]);
    for (const none of ['externalId=other', 'status=erased', 'metadata[segment]=big'])
      expect((await service.client.get(`/v1/customers?${none}`)).body.items).toEqual([]);
    expect((await service.client.post('/v1/customers', acme, 'create-2')).body.code).toBe('customer-exists');
  });

  it('tells a repeat from a reused key by the personal data too, though no fingerprint covers it', async () => {
    const again = await service.client.post('/v1/customers', acme, 'create');
    expect([again.status, again.body.id, again.headers['idempotent-replayed']]).toEqual([201, id, 'true']);
    for (const other of [
      { ...acme, personal: { ...personal, contacts: [] } },
      { ...acme, personal: undefined },
    ])
      expect((await service.client.post('/v1/customers', other, 'create')).body.code).toBe('idempotency-key-reused');
  });

  it('is changed as far as the body says', async () => {
    const changed = await change(id, { currency: 'USD', personal: { ...personal, contacts: [] } }, 'change');
    expect(changed.body.events).toMatchObject([{ type: 'CustomerChanged', data: { currency: 'USD' } }]);
    expect(await read(id, changed.body)).toMatchObject({
      currency: 'USD',
      timeZone: 'Europe/Vienna',
      metadata: { segment: 'smb' },
      personal: { ...personal, contacts: [] },
      revision: '1',
    });
    const same = await change(id, { currency: 'USD' }, 'change-2');
    expect([same.status, same.body.events]).toEqual([200, []]);
    expect((await change(id, { timeZone: 'Mars/Olympus' }, 'change-3')).body.code).toBe('unknown-time-zone');
    expect((await change(id, { externalId: 'x' }, 'change-4')).body.code).toBe('invalid-request');
  });

  it('gives its subscriptions what they leave open, and its invoices who is billed', async () => {
    const { currency: _, timeZone: __, customerId: ___, ...open } = monthly() as Record<string, unknown>;
    const started = await service.client.post('/v1/subscriptions', { ...open, customerId: id }, 'start');
    expect(started.body.events[0].data).toMatchObject({
      customerId: 'crm-4711',
      currency: 'USD',
      timeZone: 'Europe/Vienna',
      paymentTermsDays: 14,
    });
    const own = { currency: 'EUR', timeZone: 'UTC', paymentTermsDays: 0, customerId: 'crm-4711' };
    const other = await service.client.post('/v1/subscriptions', { ...open, ...own }, 'start-2');
    expect(other.body.events[0].data).toMatchObject(own);
    const unknown = await service.client.post('/v1/subscriptions', { ...open, customerId: 'nobody' }, 'start-3');
    expect([unknown.status, unknown.body.code]).toEqual([422, 'customer-terms-missing']);
    subscriptionId = started.body.id;

    const invoices = await eventually(
      () => service.client.get(`/v1/invoices?customerId=crm-4711&status=finalised`),
      ({ body }) => body.items?.length === 2,
    );
    expect(invoices.body.items[0]).not.toHaveProperty('billTo');
    invoiceId = invoices.body.items[0].invoiceId;
    expect((await service.client.get(`/v1/invoices/${invoiceId}`)).body.billTo).toEqual(personal.billTo);
  });

  it('says nothing of a person where a body cannot be read', async () => {
    const { body } = await service.client.ask('POST', '/v1/customers', {
      body: `{"personal":{"billTo":{"name":"Zaphod Quillfeather"}} nonsense`,
      headers: { 'idempotency-key': 'broken' },
    });
    expect(body.code).toBe('malformed-request');
    expect(JSON.stringify(body)).not.toMatch(telling);
  });

  it('stands sealed in the store: in the streams, in the read models and in every byte on disk', async () => {
    const [stream] = (await service.client.get('/v1/streams?aggregate=customer')).body.items;
    const { events } = (await service.client.get(`/v1/audit/streams/${stream.stream}/events`)).body;
    expect(events[0].stored.data.personal).toEqual({
      subject: id,
      of: `customer-${id}/CustomerCreated`,
      sealed: expect.stringMatching(/^[\w-]{100,}$/),
    });
    expect(JSON.stringify(events)).not.toMatch(telling);
    const files = readdirSync(service.dataDir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    expect(files.some((file) => /eventstore/.test(file)) || process.env['EVENTSTORE_URL']).toBeTruthy();
    for (const file of files) expect([file, telling.test(readFileSync(file, 'latin1'))]).toEqual([file, false]);
    expect(service.program.log).not.toMatch(telling);
  });

  it('cannot be opened with another master key, which is no erasure, and can with both', async () => {
    const made = readFileSync(join(service.dataDir, 'personal-data-master-key'), 'utf8').trim();
    const fresh = randomBytes(32).toString('base64');
    const withKeys = async (keys: string, test: (client: HttpClient) => Promise<void>) => {
      const env = { ...service.surroundings, PERSONAL_DATA_MASTER_KEY: keys };
      const program = await Program.start({ program: 'api', env, args: ['--test-clock'] });
      const client = new HttpClient(program.url, apiKeyOf(service.dataDir));
      try {
        await program.answers();
        await test(client);
      } finally {
        client.close();
        await program.stop();
      }
    };
    await withKeys(fresh, async (client) => {
      for (const path of [`customers/${id}`, 'customers', `invoices/${invoiceId}`]) {
        const { status, body } = await client.get(`/v1/${path}`);
        expect([path, status, body.code]).toEqual([path, 503, 'personal-data-unavailable']);
      }
      const changing = { body: { personal }, key: 'wrong-master' };
      const changed = await client.ask('PATCH', `/v1/customers/${id}`, changing);
      expect([changed.status, changed.body.code]).toEqual([503, 'personal-data-unavailable']);
    });
    let position = '';
    await withKeys(`${fresh},${made}`, async (client) => {
      expect((await client.get(`/v1/customers/${id}`)).body.personal.billTo).toEqual(personal.billTo);
      const changed = await client.ask('PATCH', `/v1/customers/${id}`, { body: { personal }, key: 'both' });
      expect(changed.status).toBe(200);
      position = changed.body.position as string;
    });
    expect((await service.client.get(`/v1/customers/${id}?minPosition=${position}`)).body.personal).toEqual(personal);
  });

  it('is erased: reads say so, repeats answer, nothing can be changed, and everything stays clean', async () => {
    const dry = await service.client.post(`/v1/customers/${id}/erase?dryRun=true`, {}, 'erase');
    expect(dry.body.events).toMatchObject([{ type: 'CustomerErased' }]);
    expect((await service.client.get(`/v1/customers/${id}`)).body.personal).toMatchObject({ billTo: personal.billTo });

    const erased = await service.client.post(`/v1/customers/${id}/erase`, {}, 'erase');
    expect([erased.status, erased.body.events]).toEqual([
      200,
      [expect.objectContaining({ type: 'CustomerErased', revision: '4' })],
    ]);
    expect(await read(id, erased.body)).toMatchObject({
      status: 'erased',
      externalId: 'crm-4711',
      metadata: {},
      personal: { erased: true },
      revision: '4',
    });
    expect((await service.client.post(`/v1/customers/${id}/erase`, {}, 'erase-2')).body.events).toEqual([]);
    expect((await change(id, { currency: 'EUR' }, 'late')).body.code).toBe('customer-erased');
    expect((await service.client.post('/v1/customers', acme, 'create-3')).body.code).toBe('customer-erased');
    expect((await service.client.post('/v1/customers', acme, 'create')).body).toMatchObject({ id, revision: '0' });

    const { customerId: _, ...terms } = monthly() as Record<string, unknown>;
    for (const name of [id, 'crm-4711'])
      expect((await service.client.post('/v1/subscriptions', { ...terms, customerId: name }, name)).body.code).toBe(
        'customer-erased',
      );
    expect((await service.client.get(`/v1/invoices/${invoiceId}`)).body).toMatchObject({
      billTo: { erased: true },
      total: { amount: '1999', currency: 'USD' },
    });
    // What runs goes on, and bills nobody by name.
    await service.setClock('2026-02-01T00:00:00Z');
    const later = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${subscriptionId}&status=finalised`),
      ({ body }) => body.items?.length === 2,
    );
    expect((await service.client.get(`/v1/invoices/${later.body.items[1].invoiceId}`)).body.billTo).toEqual({
      erased: true,
    });

    const verified = await operate('audit', 'verify');
    expect([verified.code, verified.output]).toEqual([0, expect.stringContaining('no difference')]);
    expect((await operate('projections', 'rebuild', 'customers')).code).toBe(0);
    expect((await operate('projections', 'diff')).code).toBe(0);
    expect((await operate('parked', 'list')).output).toBe('nothing is parked\n');
    expect((await service.client.get('/health/ready')).status).toBe(200);
    expect((await service.client.get(`/v1/customers/${id}`)).body.personal).toEqual({ erased: true });
  });

  it('that does not exist is not found, and an id given here is no external id', async () => {
    const nobody = '5b6f6d0a-5d0f-5c0e-8f5a-3f1f0b8a4c11';
    expect((await service.client.get(`/v1/customers/${nobody}`)).body.code).toBe('customer-not-found');
    expect((await change(nobody, {}, 'nobody')).body.code).toBe('customer-not-found');
    expect((await service.client.post(`/v1/customers/${nobody}/erase`, {}, 'nobody')).body.code).toBe(
      'customer-not-found',
    );
    const posing = await service.client.post('/v1/customers', { ...acme, externalId: nobody }, 'posing');
    expect([posing.status, posing.body.code]).toEqual([422, 'invalid-external-id']);
  });
});
