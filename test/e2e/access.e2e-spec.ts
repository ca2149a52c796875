import { get } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, lineItem, monthly, Service } from '../support/app';
import { type Schema, Values } from '../faults/fuzz-values';
import type { Answer, HttpClient } from '../support/http-client';
import { Random } from '../support/random';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly scope: string;
  readonly body?: unknown;
}

interface Described {
  readonly description: string;
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

/** A draft of a plan may be without components; the prices of one name each currency once, and a plan has one of two names, which no schema says. */
const leastOf = (name: string) =>
  ({ components: [], plan: { externalId: 'no-such-plan' } })[name as 'components' | 'plan'];

/** Every documented operation, with the scope that its description states and the least body that its schema allows. */
function operations(): Operation[] {
  const document = JSON.parse(readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8'));
  return Object.entries<Record<string, Described>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { description, requestBody }]) => {
      const values = new Values(document.components.schemas, new Random(1), leastOf, 0);
      return {
        method: method.toUpperCase(),
        path,
        scope: /Scope `([a-z:]+)`/.exec(description)?.[1] ?? 'none',
        // What is left out of a start is left to its plan.
        ...(requestBody && {
          body: path === '/v1/subscriptions' ? monthly() : values.valid(requestBody.content['application/json'].schema),
        }),
      };
    }),
  );
}

const all = ['commands:write', 'finance:read', 'audit:read', 'admin'];
const queries: Readonly<Record<string, string>> = {
  '/v1/audit/subscriptions/{subscriptionId}': '?atRevision=0',
  '/v1/audit/subscriptions/{subscriptionId}/diff': '?from=0&to=1',
  '/v1/audit/subscriptions/{subscriptionId}/usage/{periodNumber}': '?atRevision=0',
  '/v1/audit/subscriptions/{subscriptionId}/usage/{periodNumber}/diff': '?from=0&to=1',
};

describe('who may do what', () => {
  let service: Service;
  let ids: Record<string, string>;
  let keyId: string;
  const secured = operations().filter(({ scope }) => scope !== 'none');

  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00Z');
    const { body } = await service.client.post('/v1/subscriptions', monthly(), 'start');
    const { position } = (await service.client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem('one'), 'add'))
      .body;
    const left = await service.client.post('/v1/subscriptions', monthly({ customerId: 'credited' }), 'leave');
    await service.client.post(`/v1/subscriptions/${left.body.id}/cancel`, { at: 'now', credit: 'prorated' }, 'left');
    await service.setClock('2026-02-02T00:00:00Z');
    const key = await service.client.post('/v1/api-keys', { name: 'a', scopes: ['finance:read'] }, 'key');
    keyId = key.body.id;
    const customer = { externalId: 'c', currency: 'EUR', timeZone: 'UTC' };
    const { id: customerId } = (await service.client.post('/v1/customers', customer, 'customer')).body;
    let invoices: Answer;
    do invoices = await service.client.get(`/v1/invoices?minPosition=${position}`);
    while (invoices.body.items.length === 0);
    const balances = await eventually(
      () => service.client.get('/v1/customer-balances'),
      (answer) => answer.body.items?.length === 1,
    );
    const plan = await service.client.post('/v1/plans', { name: 'Pro' }, 'plan');
    const discount = { kind: 'percentage', percent: '20' };
    const coupon = await service.client.post('/v1/coupons', { code: 'access', discount }, 'coupon');
    ids = {
      creditNoteId: (await service.client.get('/v1/credit-notes')).body.items[0].creditNoteId,
      customerBalanceId: balances.body.items[0].customerBalanceId,
      planId: plan.body.id,
      couponId: coupon.body.id,
      version: '1',
      subscriptionId: body.id,
      lineItemId: 'one',
      periodNumber: '1',
      invoiceId: invoices.body.items[0].invoiceId,
      apiKeyId: keyId,
      customerId,
      stream: (await service.client.get(`/v1/streams?aggregateId=${body.id}`)).body.items[0].stream,
    };
  });
  afterAll(() => service.stop());

  let counter = 0;
  const ask = (client: HttpClient, { method, path, body }: Operation) =>
    client.ask(method, path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '') + (queries[path] ?? ''), {
      key: `k${(counter += 1)}`,
      ...(body !== undefined && { body }),
    });

  it('knows every operation', () => {
    expect(secured.length).toBeGreaterThan(18);
  });

  it('answers nothing but health without a key, whether the path exists or not', async () => {
    const client = service.as();
    for (const operation of secured) {
      const { status, headers, body } = await ask(client, operation);
      expect([operation, status, body.code]).toEqual([operation, 401, 'unauthenticated']);
      expect(headers['www-authenticate']).toContain('Bearer');
    }
    for (const path of ['/', '/nothing', '/docs', '/openapi.json', '/problems', '/problems/not-found', '/metrics']) {
      expect([path, (await client.get(path)).status]).toEqual([path, 401]);
    }
    expect((await client.get('/health/live')).status).toBe(200);
    expect((await client.get('/health/ready')).status).toBe(200);
  });

  it('refuses a key that is made up, changed or revoked', async () => {
    const [key] = [await service.newKey('default', all)];
    const wrong = `${key.slice(0, -2)}${key.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const token of ['x', wrong, key.replace('pk_', 'pk_0')]) {
      expect((await service.as(token).get('/v1/subscriptions')).status).toBe(401);
    }
    const mine = service.as(key);
    expect((await mine.get('/v1/subscriptions')).status).toBe(200);
    const revoked = await service.client.ask('DELETE', `/v1/api-keys/${key.split('_')[1]}`, { key: 'revoke' });
    expect(revoked.status).toBe(200);
    expect((await mine.get('/v1/subscriptions')).status).toBe(401);
  });

  it('demands the scope of each operation', async () => {
    for (const scope of all) {
      const others = all.filter((other) => other !== scope);
      const client = service.as(await service.newKey('default', others));
      for (const operation of secured.filter((each) => each.scope === scope)) {
        const { status, body } = await ask(client, operation);
        expect([operation, status, body.code]).toEqual([operation, 403, 'insufficient-scope']);
        expect(body.detail).toContain(scope);
      }
    }
  });

  it('shows another tenant nothing, not even that something is there', async () => {
    const stranger = service.as(await service.newKey('other', all));
    const before = (await service.client.get(`/v1/audit/streams/${ids['stream']}/events`)).body.events.length;
    for (const operation of secured.filter(({ path }) => path.includes('{'))) {
      const { status, body } = await ask(stranger, operation);
      expect([operation, status, status === 404 || body]).toEqual([operation, 404, true]);
      expect(body.code).toMatch(/not-found$/);
    }
    for (const list of [
      '/v1/subscriptions',
      '/v1/invoices',
      '/v1/credit-notes',
      '/v1/plans',
      '/v1/coupons',
      '/v1/customer-balances',
      '/v1/due-billing-periods',
    ]) {
      expect([list, (await stranger.get(list)).body.items]).toEqual([list, []]);
    }
    const streams = (await stranger.get('/v1/streams')).body.items as { aggregate: string }[];
    expect(streams.every(({ aggregate }) => aggregate === 'api-key')).toBe(true);
    expect((await service.client.get(`/v1/audit/streams/${ids['stream']}/events`)).body.events).toHaveLength(before);
  });

  it('gives two tenants with one external id and one key a subscription each', async () => {
    const stranger = service.as(await service.newKey('other', all));
    const body = monthly({ externalId: 'shared' });
    const [mine, theirs] = await Promise.all([
      service.client.post('/v1/subscriptions', body, 'same'),
      stranger.post('/v1/subscriptions', body, 'same'),
    ]);
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(mine.body.id).not.toBe(theirs.body.id);
  });

  it('shows its pages to a browser that sends the key as a password, and takes no command that way', async () => {
    const [, token] = [0, await service.newKey('default', all)];
    const authorization = `Basic ${Buffer.from(`me:${token}`).toString('base64')}`;
    const browser = service.as();
    for (const path of [
      '/docs',
      '/docs/swagger-ui-bundle.js',
      '/docs/start.js',
      '/openapi.json',
      '/problems/not-found',
    ]) {
      expect([path, (await browser.get(path, { headers: { authorization } })).status]).toEqual([path, 200]);
    }
    expect((await browser.get('/v1/subscriptions', { headers: { authorization } })).status).toBe(401);
  });

  it('challenges a browser on a line of its own: Chromium takes two on one line for the first alone', async () => {
    const challenges = await new Promise<string[]>((resolve, reject) => {
      get(new URL('/docs', service.as().url), { agent: false }, (response) => {
        response.resume();
        const { rawHeaders } = response;
        resolve(rawHeaders.filter((_, index) => rawHeaders[index - 1]?.toLowerCase() === 'www-authenticate'));
      }).on('error', reject);
    });
    expect(challenges.map((challenge) => challenge.split(' ')[0])).toEqual(['Basic', 'Bearer']);
  });
});
