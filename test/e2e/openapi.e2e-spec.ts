import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { eventually, lineItem, monthly, Service } from '../support/app';
import type { Answer } from '../support/http-client';

interface Described {
  readonly summary?: string;
  readonly responses: object;
  readonly parameters: readonly { readonly name: string }[];
  readonly security?: object;
}

const committed = JSON.parse(readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8'));

/** A subscription with something of everything that an item can say. */
const everything = {
  customerId: 'rich',
  currency: 'USD',
  timeZone: 'UTC',
  interval: { unit: 'month', count: 1 },
  trialDays: 5,
  minimumTermPeriods: 2,
  noticeDays: 3,
  usageGraceHours: 4,
  periods: 12,
  commitment: { minimum: '1000', maximum: '90000' },
  metadata: { team: 'blue' },
  items: [
    {
      componentKey: 'seats',
      description: 'Seats',
      timing: 'advance',
      every: 2,
      taxCode: 'txcd',
      taxBehaviour: 'exclusive',
      discountable: false,
      price: {
        model: 'volume',
        tiers: [
          { upTo: '10', unitPrice: '5', flatFee: '7' },
          { upTo: null, unitPrice: '4' },
        ],
        minimum: '100',
        maximum: '9000',
      },
    },
    {
      componentKey: 'payments',
      description: 'Payments',
      kind: 'usage',
      timing: 'arrears',
      segments: 'restart',
      meter: {
        key: 'payments',
        event: 'payment',
        aggregation: 'sum',
        valueProperty: 'amount',
        filters: [{ property: 'region', values: ['eu'] }],
        late: 'refuse',
      },
      price: { model: 'percentage', rate: '1.5', recordFee: '20', freeRecords: 2, freeAmount: '500' },
    },
    {
      componentKey: 'set-up',
      description: 'Set-up',
      kind: 'one-time',
      timing: 'advance',
      price: { model: 'flat', unitPrice: '500' },
    },
  ],
};

const prices = [{ currency: 'USD', price: everything.items[0]?.price }];
/** A version of a plan with something of everything that it can say. */
const draft = {
  interval: everything.interval,
  currencies: ['USD'],
  minimum: [{ currency: 'USD', amount: '1000' }],
  maximum: [{ currency: 'USD', amount: '90000' }],
  trialDays: 5,
  minimumTermPeriods: 2,
  noticeDays: 3,
  usageGraceHours: 4,
  rules: { preset: 'lago' },
  components: [
    { componentKey: 'seats', description: 'Seats', kind: 'recurring', timing: 'advance', optional: true, prices },
  ],
};

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

/** Fields of an answer that its schema does not name: nobody would look for them there. */
function undescribed(schema: Schema, value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const parts = resolved(schema);
  if (Array.isArray(value)) {
    const of = parts.find(({ items }) => items)?.items;
    return of ? value.flatMap((each) => undescribed(of, each, `${path}[]`)) : [];
  }
  const known = parts.filter(({ properties }) => properties);
  if (known.length === 0 || parts.some(({ additionalProperties }) => additionalProperties)) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const own = known.find(({ properties }) => properties && name in properties)?.properties?.[name];
    return own ? undescribed(own, each, `${path}.${name}`) : [`${path}.${name}`];
  });
}

/** All that a schema says, wherever it says it. */
function resolved(schema: Schema): Schema[] {
  const { $ref, allOf = [], anyOf = [], oneOf = [] } = schema;
  const named = $ref === undefined ? [] : [committed.components.schemas[$ref.replace('#/components/schemas/', '')]];
  return [schema, ...[...named, ...allOf, ...anyOf, ...oneOf].flatMap((each: Schema) => resolved(each))];
}

describe('the OpenAPI document', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start({ args: [] });
  });
  afterAll(() => service.stop());

  it('is the one in docs/openapi.json (npm run openapi writes it)', async () => {
    expect((await service.client.get('/openapi.json')).body).toEqual(committed);
  });

  it('describes every operation: scope, parameters, success and refusals', () => {
    for (const [path, methods] of Object.entries<Record<string, Described>>(committed.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const name = `${method} ${path}`;
        const statuses = Object.keys(operation.responses);
        expect([name, typeof operation.summary]).toEqual([name, 'string']);
        expect([name, statuses.some((status) => status.startsWith('2'))]).toEqual([name, true]);
        for (const parameter of path.match(/(?<=\{)\w+/g) ?? []) {
          expect([name, operation.parameters.map((each: { name: string }) => each.name)]).toEqual([
            name,
            expect.arrayContaining([parameter]),
          ]);
        }
        if (path.startsWith('/health')) continue;
        expect([name, statuses]).toEqual([name, expect.arrayContaining(['401', '403', '429'])]);
        expect([name, operation.security]).toEqual([name, [{ apiKey: [] }]]);
        if (method !== 'get') expect([name, operation.parameters[0] !== undefined]).toEqual([name, true]);
      }
    }
  });

  it('has every schema that it refers to: a body whose choices are missing cannot be written from it', () => {
    const names = Object.keys(committed.components.schemas).map((name) => `#/components/schemas/${name}`);
    const referred = JSON.stringify(committed).matchAll(/"\$ref":"([^"]+)"/g);
    expect([...new Set([...referred].map(([, ref]) => ref))].filter((ref) => !names.includes(ref ?? ''))).toEqual([]);
  });

  it('is made of schemas that a validator can read: a choice that may be null had no type', () => {
    const ajv = addFormats(new Ajv({ strict: false }));
    ajv.addSchema({ ...committed, $id: 'api' });
    for (const name of Object.keys(committed.components.schemas))
      expect([name, typeof ajv.getSchema(`api#/components/schemas/${name}`)]).toEqual([name, 'function']);
  });

  it('describes what is really answered', async () => {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    ajv.addSchema({ ...committed, $id: 'api' });
    const check = (method: string, path: string, { status, body, headers }: Answer) => {
      const type = String(headers['content-type']).split(';')[0] ?? '';
      const pointer = ['paths', path, method, 'responses', String(status), 'content', type, 'schema']
        .map((part) => encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1')))
        .join('/');
      const validate = ajv.getSchema(`api#/${pointer}`);
      if (!validate) throw new Error(`${method} ${path} does not document ${status} ${type}`);
      void validate(body);
      expect([method, path, status, validate.errors]).toEqual([method, path, status, null]);
      const { schema } = committed.paths[path][method].responses[status].content[type];
      expect([method, path, status, undescribed(schema, body)]).toEqual([method, path, status, []]);
    };
    const { client } = service;
    const started = await client.post('/v1/subscriptions', monthly(), 'start');
    check('post', '/v1/subscriptions', started);
    const { id } = started.body;
    const on = '/v1/subscriptions/{subscriptionId}';
    check('post', `${on}/line-items`, await client.post(`/v1/subscriptions/${id}/line-items`, lineItem('a'), 'a'));
    const paused = await client.post(`/v1/subscriptions/${id}/pause`, {}, 'p');
    check('post', `${on}/pause`, paused);
    const at = `minPosition=${paused.body.position}`;
    check('get', on, await client.get(`/v1/subscriptions/${id}?${at}`));
    check('get', '/v1/subscriptions', await client.get('/v1/subscriptions?limit=1'));
    const rich = await client.post('/v1/subscriptions', everything, 'rich');
    const edits = [{ kind: 'put', item: { ...everything.items[0], quantity: '3' } }];
    const change = { edits, when: 'period-end' };
    const scheduled = await client.post(`/v1/subscriptions/${rich.body.id}/changes`, change, 'scheduled');
    check('post', `${on}/changes`, scheduled);
    const found = await client.get(`/v1/subscriptions/${rich.body.id}?minPosition=${scheduled.body.position}`);
    check('get', on, found);
    expect([found.body.scheduledEdits.length, found.body.items.length]).toEqual([1, 3]);
    const backdated = { interval: { unit: 'year', count: 1 }, effectiveOn: '2026-01-01' };
    const refused = await client.post(`/v1/subscriptions/${rich.body.id}/billing-cycle`, backdated, 'backdated');
    check('post', `${on}/billing-cycle`, refused);
    expect([refused.status, JSON.stringify(refused.body.errors)]).toEqual([
      400,
      expect.stringContaining('effectiveOn'),
    ]);
    const plan = await client.post('/v1/plans', { externalId: 'team', name: 'Team' }, 'plan');
    check('post', '/v1/plans', plan);
    const drafted = await client.ask('PUT', `/v1/plans/${plan.body.id}/versions/1`, { body: draft, key: 'draft' });
    check('put', '/v1/plans/{planId}/versions/{version}', drafted);
    check(
      'get',
      '/v1/plans/{planId}',
      await client.get(`/v1/plans/${plan.body.id}?minPosition=${drafted.body.position}`),
    );
    check(
      'get',
      `${on}/current-billing-period`,
      await client.get(`/v1/subscriptions/${id}/current-billing-period?${at}`),
    );
    const list = await eventually(
      () => client.get('/v1/invoices?status=finalised'),
      ({ body }) => body.items.length > 0,
    );
    check('get', '/v1/invoices', list);
    check('get', '/v1/invoices/{invoiceId}', await client.get(`/v1/invoices/${list.body.items[0].invoiceId}`));
    check('get', '/v1/due-billing-periods', await client.get('/v1/due-billing-periods'));
    const streams = await client.get('/v1/streams');
    check('get', '/v1/streams', streams);
    const { stream } = streams.body.items[0];
    check('get', '/v1/audit/streams/{stream}/events', await client.get(`/v1/audit/streams/${stream}/events`));
    const replayed = '/v1/audit/subscriptions/{subscriptionId}';
    check('get', replayed, await client.get(`/v1/audit/subscriptions/${id}?atRevision=1`));
    check('get', `${replayed}/diff`, await client.get(`/v1/audit/subscriptions/${id}/diff?from=0&to=3`));
    check('post', '/v1/api-keys', await client.post('/v1/api-keys', { name: 'x', scopes: ['admin'] }, 'k'));
    check('get', on, await client.get('/v1/subscriptions/x'));
    check('post', `${on}/cancel`, await client.post(`/v1/subscriptions/${id}/cancel`, { at: 'period-end' }, 'c'));
    const payment = {
      subscriptionId: rich.body.id,
      id: 'p-1',
      event: 'payment',
      at: new Date().toISOString(),
      properties: { region: 'eu', amount: '12.5' },
    };
    const used = await client.post('/v1/usage', { records: [payment] }, 'used');
    check('post', '/v1/usage', used);
    expect(used.body.records).toEqual([{ id: 'p-1', result: 'accepted', periodNumber: 1 }]);
    const coupon = { code: 'TEN', description: 'Ten', discount: { kind: 'percentage', percent: '10' }, periods: 3 };
    const made = await client.post('/v1/coupons', coupon, 'coupon');
    check('post', '/v1/coupons', made);
    const carla = { currency: 'USD', timeZone: 'UTC', personal: { billTo: { name: 'Carla' } }, metadata: { a: 'b' } };
    const customer = await client.post('/v1/customers', { externalId: 'carla', ...carla }, 'customer');
    check('post', '/v1/customers', customer);
    const spare = await client.post('/v1/subscriptions', { ...monthly(), customerId: customer.body.id }, 'spare');
    await client.post(`/v1/subscriptions/${spare.body.id}/cancel`, { at: 'now', credit: 'prorated' }, 'end');
    const notes = await eventually(
      () => client.get('/v1/credit-notes'),
      ({ body }) => body.items.length > 0,
    );
    const balances = await eventually(
      () => client.get('/v1/customer-balances'),
      ({ body }) => body.items.length > 0,
    );
    const ids: Readonly<Record<string, string>> = {
      subscriptionId: rich.body.id,
      planId: plan.body.id,
      couponId: made.body.id,
      customerId: customer.body.id,
      invoiceId: list.body.items[0].invoiceId,
      creditNoteId: notes.body.items[0].creditNoteId,
      customerBalanceId: balances.body.items[0].customerBalanceId,
      stream,
      periodNumber: '1',
    };
    for (const [path, methods] of Object.entries<Record<string, Described>>(committed.paths)) {
      if (!methods['get'] || path.endsWith('/diff')) continue;
      const asked = path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '');
      const answer = await client.get(`${asked}${path.startsWith('/v1/audit/subscriptions') ? '?atRevision=0' : ''}`);
      expect([path, answer.status]).toEqual([path, 200]);
      check('get', path, answer);
    }
    check('get', '/health/ready', await client.get('/health/ready'));
    check('get', '/health/live', await client.get('/health/live'));
  });
});
