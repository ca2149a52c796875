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
    check('get', '/health/ready', await client.get('/health/ready'));
    check('get', '/health/live', await client.get('/health/live'));
  });
});
