import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Schema, Values } from '../faults/fuzz-values';
import { eventually, lineItem, monthly, Service } from '../support/app';
import type { Answer } from '../support/http-client';
import { Random } from '../support/random';

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly string[];
  readonly body: Schema | undefined;
}

const document = JSON.parse(readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8')) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};
interface Described {
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

/** Every operation that takes an Idempotency-Key. */
const commands: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, { parameters = [], requestBody }]) => {
    const names = parameters.map(({ name }) => name);
    const body = requestBody?.content['application/json'].schema;
    return names.includes('Idempotency-Key') ? [{ method: method.toUpperCase(), path, parameters: names, body }] : [];
  }),
);

interface Recorded {
  readonly type: string;
  readonly revision: string;
  readonly data: object;
}

describe('a dry run', () => {
  let service: Service;
  let keys = 0;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  /** Every stream with its revision, once no policy changes any. */
  const settled = async (): Promise<string> => {
    let before = '';
    const streams = async (): Promise<Answer> => {
      const all: string[] = [];
      for (let cursor = ''; ;) {
        const answer = await service.client.get(`/v1/streams?limit=200${cursor && `&cursor=${cursor}`}`);
        const { items, nextCursor } = answer.body;
        all.push(...items.map((each: { stream: string; revision: string }) => `${each.stream} ${each.revision}`));
        if (nextCursor === undefined) return { ...answer, body: all.join('\n') };
        cursor = nextCursor;
      }
    };
    let same = 0;
    const { body } = await eventually(streams, (answer) => {
      same = answer.body === before ? same + 1 : 0;
      before = answer.body;
      return same === 2;
    });
    return body;
  };

  /** Shows a command, sees that nothing was written, does it, and sees that this was what was shown. */
  const shownAndDone = async (operation: string, path: string, body?: object) => {
    const [method = ''] = operation.split(' ');
    const key = `key-${(keys += 1)}`;
    const before = await settled();
    const shown = await service.client.ask(method, `${path}?dryRun=true`, { body, key });
    expect([operation, shown.status, shown.body.code]).toEqual([operation, 200, undefined]);
    expect([operation, await settled()]).toEqual([operation, before]);
    const done = await service.client.ask(method, path, { body, key });
    expect([operation, done.status < 300, done.body.code]).toEqual([operation, true, undefined]);
    const { dryRun, events, revision } = shown.body as { dryRun: boolean; events: Recorded[]; revision: string };
    expect([operation, dryRun, events.length > 0]).toEqual([operation, true, true]);
    // What it rolls over first is recorded under keys of its own.
    const own = events.slice(-done.body.events.length);
    expect([operation, own]).toEqual([operation, done.body.events]);
    expect([operation, BigInt(events[0]?.revision ?? 0)]).toEqual([operation, BigInt(revision) + 1n]);
    return { id: done.body.id as string, events };
  };

  const subscription = '/v1/subscriptions/{subscriptionId}';
  const plan = '/v1/plans/{planId}/versions/{version}';
  const price = { model: 'flat', unitPrice: '1999' };
  const terms = {
    interval: { unit: 'month', count: 1 },
    currencies: ['USD'],
    components: [
      {
        componentKey: 'base',
        description: 'Base',
        kind: 'recurring',
        timing: 'advance',
        prices: [{ currency: 'USD', price }],
      },
    ],
  };
  const net = (events: readonly Recorded[]) =>
    events.flatMap(({ type, data }) => (type === 'LinesBilled' ? [(data as { net: string }).net] : []));

  it('can be asked of every command', () => {
    expect(commands.length).toBeGreaterThanOrEqual(25);
    expect(commands.filter(({ parameters }) => !parameters.includes('dryRun'))).toEqual([]);
  });

  it('shows what each command then does, with the lines that it bills', async () => {
    const done = new Set<string>();
    const run = (operation: string, ids: Readonly<Record<string, string>> = {}, body?: object) => {
      done.add(operation);
      const path = operation.split(' ')[1]?.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '') ?? '';
      return shownAndDone(operation, path, body);
    };
    const started = await run('POST /v1/subscriptions', {}, monthly({ timeZone: 'UTC', autoFinalise: false }));
    expect(net(started.events)).toEqual(['1999']);
    const of = { subscriptionId: started.id, lineItemId: 'a' };
    await run(`POST ${subscription}/line-items`, of, lineItem('a'));
    await run(`POST ${subscription}/line-items/batch`, of, { lineItems: [lineItem('b'), lineItem('a')] });
    await run(`POST ${subscription}/line-items/{lineItemId}/void`, of);
    await run(`PATCH ${subscription}`, of, { metadata: { tier: 'gold' } });
    const edits = [{ kind: 'quantity', itemId: 'base', quantity: '2' }];
    expect(net((await run(`POST ${subscription}/changes`, of, { edits, billing: 'now' })).events)).toEqual(['1999']);
    await service.client.post(
      `/v1/subscriptions/${of.subscriptionId}/changes`,
      { edits: [{ ...edits[0], quantity: '3' }], when: 'period-end' },
      'end',
    );
    await run(`POST ${subscription}/undo-changes`, of);
    expect(net((await run(`POST ${subscription}/cancel`, of, { at: 'period-end' })).events)).toEqual([]);
    await run(`POST ${subscription}/undo-cancellation`, of);
    await service.setClock('2026-01-11T00:00:00.000Z');
    // 21 of 31 days of 2 × 19.99 are given back, 20 of 28 of them and the line item stay.
    const moved = await run(`POST ${subscription}/billing-cycle`, of, { anchor: { dayOfMonth: 15 } });
    expect(net(moved.events)).toHaveLength(1);
    const paused = await run(`POST ${subscription}/pause`, of, { credit: 'prorated' });
    expect(paused.events.map(({ type }) => type)).toContain('SubscriptionPaused');
    await run(`POST ${subscription}/resume`, of, {});
    const { body } = await service.client.get(`/v1/invoices?subscriptionId=${of.subscriptionId}&status=draft`);
    const { invoiceId } = body.items[0];
    await run('PATCH /v1/invoices/{invoiceId}', { invoiceId }, { metadata: { po: '7' } });
    await run('POST /v1/invoices/{invoiceId}/finalise', { invoiceId });
    await eventually(
      () => service.client.get(`/v1/invoices/${invoiceId}`),
      (answer) => answer.body.status === 'finalised',
    );
    await run('POST /v1/invoices/{invoiceId}/void', { invoiceId }, { rebill: true, reason: 'wrong' });

    const { id: planId } = await run('POST /v1/plans', {}, { name: 'Pro' });
    const version = { planId, version: '1' };
    await run(`PUT ${plan}`, version, terms);
    await run(`POST ${plan}/publish`, version);
    await run(`POST ${plan}/archive`, version);
    const customer = { currency: 'USD', timeZone: 'UTC', metadata: { a: 'b' } };
    const { id: customerId } = await run('POST /v1/customers', {}, customer);
    await run('PATCH /v1/customers/{customerId}', { customerId }, { paymentTermsDays: 14 });
    await run('POST /v1/customers/{customerId}/erase', { customerId });

    // Each is a command of the document; what is not among them is asked below.
    expect([...done].filter((each) => !commands.some(({ method, path }) => `${method} ${path}` === each))).toEqual([]);
    expect(done.size).toBeGreaterThanOrEqual(22);
  });

  it('writes nothing, whatever it is asked, and shows what is then done', async () => {
    const random = new Random(11);
    const ids: Record<string, string[]> = {};
    for (const list of ['subscriptions', 'invoices', 'plans', 'customers']) {
      const { body } = await service.client.get(`/v1/${list}`);
      for (const item of body.items as Readonly<Record<string, unknown>>[])
        for (const [name, value] of Object.entries(item))
          if (name.endsWith('Id') && typeof value === 'string') (ids[name] ??= []).push(value);
    }
    const plausible = (name: string) => {
      if (name === 'currency') return 'USD';
      if (name === 'timeZone') return 'UTC';
      return ids[name] ? random.pick(ids[name]) : undefined;
    };
    const values = new Values(document.components.schemas, random, plausible);
    const before = await settled();
    const answers = new Set<number>();
    const decided: (() => Promise<void>)[] = [];
    for (const { method, path, body } of commands)
      for (let attempt = 0; attempt < 4; attempt += 1) {
        const url = path.replace(/\{(\w+)\}/g, (_, name: string) =>
          encodeURIComponent(plausible(name) ?? (name === 'version' ? '1' : values.uuid())),
        );
        const given = body && values.valid(body);
        const key = `dry-${(keys += 1)}`;
        const shown = await service.client.ask(method, `${url}?dryRun=true`, { body: given, key });
        expect([method, path, shown.status < 500]).toEqual([method, path, true]);
        answers.add(shown.status);
        if (shown.status === 200 && !path.includes('api-keys'))
          decided.push(async () => {
            // Others of these came in between: only what still stands where it was decided can be compared.
            const { body: again } = await service.client.ask(method, `${url}?dryRun=true`, { body: given, key });
            const { body: done } = await service.client.ask(method, url, { body: given, key });
            const [from] = done.events ?? [];
            if (from !== undefined && BigInt(from.revision) === BigInt(again.revision) + 1n)
              expect([method, url, again.events]).toEqual([method, url, done.events]);
          });
      }
    expect([...answers]).toEqual(expect.arrayContaining([200, 404, 422]));
    expect(await settled()).toEqual(before);
    expect(decided.length).toBeGreaterThan(10);
    for (const check of decided) await check();
  });
});
