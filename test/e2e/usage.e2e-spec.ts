import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** The requests of docs/usage.md, in order, each with the answer that follows it; a comment says what time it is. */
type Step =
  | { readonly clock: string }
  | { readonly method: string; readonly path: string; readonly body?: object; readonly answer?: object };

function stepsOf(page: string): Step[] {
  const parts = page.matchAll(
    /<!-- clock (\S+) -->|```sh\ncurl ([^`]*)```(?:\n(?!```)[^\n]*)*?(?=\n```json\n([^`]*)```|\n```sh|\n<!--|\n#)/g,
  );
  return [...parts].map(([, clock, curl = '', answer]) => {
    if (clock !== undefined) return { clock };
    const [, method = 'GET'] = /-X (\w+)/.exec(curl) ?? [];
    const [, path = ''] = /\$URL(\/[^\s"]*)/.exec(curl) ?? [];
    const [, body] = /-d '([^']*)'/.exec(curl) ?? [];
    return {
      method,
      path,
      ...(body !== undefined && { body: JSON.parse(body) as object }),
      ...(answer !== undefined && { answer: JSON.parse(answer) as object }),
    };
  });
}

describe('usage', () => {
  let service: Service;
  let keys = 0;
  const key = () => `key-${(keys += 1)}`;

  beforeAll(async () => {
    service = await Service.start();
  });
  afterAll(() => service.stop());

  it('is reported, read, sealed and billed as docs/usage.md says', async () => {
    const page = readFileSync(join(__dirname, '../../docs/usage.md'), 'utf8');
    const steps = stepsOf(page);
    expect(steps.filter((step) => 'answer' in step)).toHaveLength(5);
    let subscription = '';
    for (const step of steps) {
      if ('clock' in step) {
        await service.setClock(step.clock);
        // What the clock made due is done, and the read models know the subscriptions of a customer.
        if (subscription !== '')
          await eventually(
            () => service.client.get('/v1/subscriptions?customerId=customer-7'),
            ({ body }) => body.items?.length === 1 && body.items[0].period.endsAt > step.clock,
          );
        continue;
      }
      const { method, body, answer } = step;
      const path = step.path.replace('$SUBSCRIPTION', subscription);
      const told = await service.client.ask(method, path, { ...(body && { body, key: key() }) });
      expect([path, told.status, told.body.code]).toEqual([path, path === '/v1/subscriptions' ? 201 : 200, undefined]);
      if (path === '/v1/subscriptions') subscription = told.body.id;
      if (answer) expect(told.body).toMatchObject(answer);
    }
    const invoices = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${subscription}&status=finalised`),
      ({ body }) => body.items?.length === 1,
    );
    expect(invoices.body.items[0].total).toEqual({ amount: '5', currency: 'USD' });

    const audited = `/v1/audit/subscriptions/${subscription}/usage/1`;
    const opened = await service.client.get(`${audited}?at=2026-01-15T00:00:00Z`);
    expect(opened.body.usage).toMatchObject({ status: 'open', records: 3, partials: [{ calls: { records: 3 } }] });
    const diff = await service.client.get(`${audited}/diff?from=1&to=2026-02-01T12:00:00Z`);
    expect(diff.body.events.map(({ type }: { type: string }) => type)).toEqual(['UsageSealed', 'LateUsageNoted']);
    expect(diff.body.changes).toContainEqual({ path: '/status', before: 'open', after: 'sealed' });
    expect((await service.client.get(`${audited}?atRevision=99`)).body.code).toBe('usage-period-not-found');
    const listed = await service.client.get(`/v1/streams?subject=${subscription}`);
    expect(listed.body.items.map(({ aggregate }: { aggregate: string }) => aggregate)).toEqual(['usage', 'usage']);
  });

  it('takes a thousand records of some size at once, and not one more; each of a batch is bounded', async () => {
    const items = [
      {
        ...{ componentKey: 'bytes', description: 'Bytes', kind: 'usage', timing: 'arrears' },
        ...{ meter: { key: 'bytes', aggregation: 'sum' }, price: { model: 'per-unit', unitPrice: '0.000001' } },
      },
    ];
    const at = '2026-02-01T00:00:00Z';
    await service.setClock('2026-02-01T06:00:00.000Z');
    await service.client.post(
      '/v1/subscriptions',
      monthly({ externalId: 'many', timeZone: 'UTC', startsAt: at, items }),
      key(),
    );
    const record = (n: number) => ({
      id: `a-record-with-a-long-name-${'x'.repeat(60)}-${n}`,
      ...{ event: 'bytes', at: '2026-02-01T05:00:00Z', value: '999999.999999', externalId: 'many' },
      properties: { host: 'h'.repeat(300), region: 'eu-central-1' },
    });
    const thousand = Array.from({ length: 1_000 }, (_, n) => record(n));
    const put = (records: unknown) => service.client.ask('PUT', '/v1/usage', { body: { records }, key: key() });
    const taken = await put(thousand);
    expect([taken.status, taken.body.records.length]).toEqual([200, 1_000]);
    expect(new Set(taken.body.records.map(({ result }: { result: string }) => result))).toEqual(new Set(['accepted']));
    const shown = await service.client.ask('POST', '/v1/usage?dryRun=true', {
      body: { records: [thousand[0], record(1_000)] },
      key: key(),
    });
    expect([shown.body.dryRun, shown.body.records.map(({ result }: { result: string }) => result)]).toEqual([
      true,
      ['duplicate', 'accepted'],
    ]);
    const refusals: [unknown, number, string][] = [
      [[...thousand, record(1_000)], 400, 'invalid-request'],
      [[], 400, 'invalid-request'],
      [[null], 400, 'invalid-request'],
      [[{ ...record(1), value: '1e6' }], 400, 'invalid-request'],
      [[{ ...record(1), value: '1000000000000000' }], 400, 'invalid-request'],
      [[{ ...record(1), at: 'yesterday' }], 400, 'invalid-request'],
      [[{ ...record(1), subscriptionId: '0b7e6c1e-0000-5000-8000-000000000000' }], 400, 'invalid-request'],
      [[{ ...record(1), properties: { host: 'h'.repeat(1_100_000) } }], 413, 'body-too-large'],
    ];
    for (const [records, status, code] of refusals) {
      const answer = await put(records);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
    }
  });

  it('leaves books that verify clean', async () => {
    for (const [program, ...args] of [
      ['audit', 'verify'],
      ['projections', 'diff'],
    ] as const) {
      const { code, output } = await runToEnd(`apps/standalone/src/${program}.js`, args, service.surroundings);
      expect([code, output.slice(-2_000)]).toEqual([0, expect.any(String)]);
    }
  });
});
