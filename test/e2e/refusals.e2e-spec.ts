import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { edgeProblems, type ProblemCode, problems } from '../../apps/api/src/http/problem';
import { lineItem, monthly, Service } from '../support/app';
import type { Answer } from '../support/http-client';

/** Codes that no single caller can bring about at will; each is shown elsewhere. */
const elsewhere: Readonly<Partial<Record<ProblemCode, string>>> = {
  'rate-limited': 'processes.e2e-spec.ts',
  'coupon-busy': 'coupon.spec.ts',
  'request-timeout': 'below, with a limit of its own',
  'internal-error': 'a fault of ours',
  'not-yet-visible': 'processes.e2e-spec.ts, without a worker',
  'outcome-unknown': 'test/integration/write-side-repository.int-spec.ts',
  'too-much-contention': 'test/integration/write-side-repository.int-spec.ts',
  'queue-full': 'test/integration/write-side-repository.int-spec.ts',
  'store-unavailable': 'processes.e2e-spec.ts',
  'read-models-unavailable': 'processes.e2e-spec.ts',
  'personal-data-unavailable': 'customers.e2e-spec.ts, with another master key',
};

/** Codes of the domain that the checks of the edge leave nothing for, or that only policies meet. */
const guarded: readonly ProblemCode[] = [
  'boundary-due',
  'api-key-exists',
  'invoice-exists',
  'bill-below-zero',
  'bill-not-below-zero',
  'bill-without-lines',
  'bill-not-found',
  'credit-note-not-found',
  // A draft becomes final within milliseconds.
  'invoice-not-finalised',
  // Steps that the service takes by itself before it decides.
  'usage-sealed',
  'usage-not-sealed',
  'usage-terms-differ',
  // Every option that is offered is available.
  'not-available',
  'currency-mismatch',
  'negative-amount',
  'invalid-amount',
  'invalid-decimal',
  'invalid-date',
  'invalid-instant',
  'invalid-text',
  'invalid-metadata',
  'invalid-option',
  'invalid-payment-terms',
  'date-out-of-range',
].filter((code): code is ProblemCode => code in problems);

describe('refusals', () => {
  let service: Service;
  let counter = 0;
  const key = () => `key-${(counter += 1)}`;
  const met = new Set<string>();

  beforeAll(async () => {
    service = await Service.start({ env: { REQUEST_TIMEOUT_MS: '1000' } });
    await service.setClock('2026-01-01T00:00:00Z');
  });
  afterAll(() => service.stop());

  function refused(answer: Answer, code: ProblemCode): void {
    expect([answer.status, answer.body]).toEqual([
      problems[code].status,
      expect.objectContaining({
        type: `/problems/${code}`,
        title: problems[code].title,
        status: problems[code].status,
        code,
        retryable: problems[code].retryable,
        correlationId: expect.any(String),
        detail: expect.any(String),
        instance: expect.any(String),
      }),
    ]);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    met.add(code);
  }

  const start = async (more: object = {}) =>
    (await service.client.post('/v1/subscriptions', monthly(more), key())).body;
  const on = (id: string, rest: string, body: unknown = {}) =>
    service.client.post(`/v1/subscriptions/${id}/${rest}`, body, key());
  const startWith = (more: object) => service.client.post('/v1/subscriptions', monthly(more), key());
  const item = (more: object) => [
    { description: 'x', timing: 'advance', price: { model: 'flat', unitPrice: '1' }, ...more },
  ];

  describe('of requests that cannot be read', () => {
    it.each([
      ['half a body', '{"at":'],
      ['no JSON', 'at=now'],
      ['a list', '[]'],
      ['null', 'null'],
      ['a name twice', '{"at":"now","at":"period-end"}'],
      ['__proto__', '{"at":"now","__proto__":{"at":"now"}}'],
      ['constructor.prototype', '{"at":"now","constructor":{"prototype":{}}}'],
      ['NUL', '{"at":"now\\u0000"}'],
      ['half of a character', '{"at":"\\ud800"}'],
      ['nesting', `{"at":${'['.repeat(200)}${']'.repeat(200)}}`],
    ])('%s', async (_, body) => {
      const { id } = await start();
      refused(await on(id, 'cancel', body), 'malformed-request');
    });

    it('another kind of content, too much of it, too long a path, a broken URL', async () => {
      const { id } = await start();
      const headers = { 'content-type': 'text/plain' };
      refused(
        await service.client.post(`/v1/subscriptions/${id}/cancel`, '{"at":"now"}', key(), { headers }),
        'unsupported-media-type',
      );
      refused(await on(id, 'cancel', { at: 'x'.repeat(300_000) }), 'body-too-large');
      refused(await service.client.get(`/v1/subscriptions/${'x'.repeat(600)}`), 'uri-too-long');
      refused(await service.client.get('/v1/subscriptions/%zz'), 'malformed-request');
    });

    it('too many headers, and what is no HTTP, on the socket', async () => {
      refused(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), 'headers-too-large');
      refused(await raw('NONSENSE\r\n\r\n'), 'malformed-request');
    });

    it('one that does not arrive in time', async () => {
      refused(await raw('POST /v1/subscriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n'), 'request-timeout');
    });

    it('paths and methods that are not there', async () => {
      refused(await service.client.get('/v1/nothing'), 'not-found');
      refused(await service.client.get('/v2/subscriptions'), 'not-found');
      const wrong = await service.client.ask('DELETE', '/v1/subscriptions');
      refused(wrong, 'method-not-allowed');
      expect(wrong.headers['allow']).toBe('POST, GET, HEAD, OPTIONS');
      const options = await service.client.ask('OPTIONS', '/v1/subscriptions');
      expect([options.status, options.headers['allow']]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
      const head = await service.client.ask('HEAD', '/v1/subscriptions');
      expect([head.status, head.body]).toEqual([200, undefined]);
    });
  });

  describe('of requests with wrong fields', () => {
    it.each<[string, object]>([
      ['/customerId', { customerId: '' }],
      ['/customerId', { customerId: 'x'.repeat(201) }],
      ['/customerId', { customerId: 'a\nb' }],
      ['/customerId', { customerId: null }],
      ['/currency', { currency: 'usd' }],
      ['/timeZone', { timeZone: '+01:00' }],
      ['/interval/count', { interval: { unit: 'month', count: 0 } }],
      ['/interval/count', { interval: { unit: 'month', count: 1.5 } }],
      ['/interval/count', { interval: { unit: 'month', count: 1e21 } }],
      ['/interval/count', { interval: { unit: 'month', count: '1' } }],
      ['/interval/unit', { interval: { unit: 'eon', count: 1 } }],
      ['/interval', { interval: null }],
      ['/anchor', { anchor: null }],
      ['/anchor', { anchor: {} }],
      ['/anchor', { anchor: { dayOfMonth: 1, localDateTime: '2026-01-01T00:00:00' } }],
      ['/anchor/dayOfMonth', { anchor: { dayOfMonth: 32 } }],
      ['/items', { items: [] }],
      ['/items', { items: 'x' }],
      ['/items', { items: Array.from({ length: 21 }, (_, n) => item({ componentKey: `c${n}` })[0]) }],
      ['/items', { items: [null] }],
      ['/items/0/price', { items: item({ price: [] }) }],
      ['/items/0/price/model', { items: item({ price: { model: 'per-hour', unitPrice: '1' } }) }],
      ['/items/0/price/tiers', { items: item({ price: { model: 'volume', tiers: [] } }) }],
      ['/items/0/price/tiers/0/upTo', { items: item({ price: { model: 'volume', tiers: [{ unitPrice: '1' }] } }) }],
      ['/items/0/price/packageSize', { items: item({ price: { model: 'package', packagePrice: '1' } }) }],
      ['/rules/preset', { rules: { preset: 'other' } }],
      ['/rules/fractionDigits', { rules: { fractionDigits: 19 } }],
      ['/rules/fixedMonths', { rules: { fixedMonths: false } }],
      ['/items/0/price', { items: [{ description: 'x', timing: 'advance' }] }],
      ['/items/0/price/unitPrice', { items: item({ price: { model: 'flat', unitPrice: 12 } }) }],
      ['/items/0/price/unitPrice', { items: item({ price: { model: 'flat', unitPrice: '-1' } }) }],
      ['/items/0/price/unitPrice', { items: item({ price: { model: 'flat', unitPrice: '1e3' } }) }],
      ['/items/0/quantity', { items: item({ quantity: '1'.repeat(40) }) }],
      ['/items/0/evil', { items: item({ evil: 1 }) }],
      ['/paymentTermsDays', { paymentTermsDays: 366 }],
      ['/startsAt', { startsAt: '2026-02-30T00:00:00Z' }],
      ['/trialDays', { trialDays: 3661 }],
      ['/trialEnd', { trialEnd: 'stop' }],
      ['/metadata', { metadata: { a: 1 } }],
      ['/metadata', { metadata: { a: { b: 'c' } } }],
      ['/metadata', { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, ''])) }],
      ['/tenant', { tenant: 'other' }],
    ])('%s of %j', async (pointer, more) => {
      const answer = await startWith(more);
      refused(answer, 'invalid-request');
      expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    });

    it('in the query and in the path', async () => {
      refused(await service.client.get('/v1/subscriptions/not-a-uuid'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?limit=0'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?limit=1&limit=2'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?unknown=1'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?minPosition=-1'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?externalId=%00'), 'invalid-request');
      refused(await service.client.get('/v1/subscriptions?cursor=bm9uZQ'), 'invalid-cursor');
      refused(await service.client.get('/v1/invoices?dueFrom=2026-02-30'), 'invalid-request');
      const { id } = await start();
      refused(await on(id, 'pause?dryRun=yes'), 'invalid-request');
      refused(await on(id, 'undo-cancellation', { at: 'now' }), 'invalid-request');
      refused(await service.client.get(`/v1/audit/subscriptions/${id}`), 'invalid-request');
    });

    it('in the headers', async () => {
      const { id } = await start();
      const send = (headers: Readonly<Record<string, string>>) =>
        service.client.ask('POST', `/v1/subscriptions/${id}/pause`, { headers });
      refused(await send({}), 'idempotency-key-missing');
      refused(await send({ 'idempotency-key': '' }), 'idempotency-key-missing');
      refused(await send({ 'idempotency-key': 'x'.repeat(256) }), 'idempotency-key-missing');
      refused(await send({ 'idempotency-key': '"é"' }), 'idempotency-key-missing');
      refused(await send({ 'idempotency-key': key(), 'if-match': '3' }), 'invalid-if-match');
      refused(await send({ 'idempotency-key': key(), 'x-actor': 'x'.repeat(201) }), 'malformed-request');
    });
  });

  describe('of the domain', () => {
    it('things that are not there', async () => {
      const nobody = '00000000-0000-5000-8000-000000000000';
      refused(await on(nobody, 'pause'), 'subscription-not-found');
      refused(await service.client.get(`/v1/subscriptions/${nobody}`), 'subscription-not-found');
      refused(await service.client.get(`/v1/invoices/${nobody}`), 'invoice-not-found');
      refused(await service.client.get(`/v1/customer-balances/${nobody}`), 'customer-balance-not-found');
      refused(await service.client.ask('DELETE', `/v1/api-keys/${nobody}`, { key: key() }), 'api-key-not-found');
      refused(await service.client.get('/v1/audit/streams/nothing/events'), 'not-found');
      const { id } = await start();
      refused(await on(id, 'line-items/nothing/void', undefined), 'line-item-not-found');
    });

    it('content that makes no sense', async () => {
      refused(await startWith({ currency: 'XXQ' }), 'unknown-currency');
      refused(await startWith({ timeZone: 'Mars/Olympus' }), 'unknown-time-zone');
      refused(await startWith({ interval: { unit: 'year', count: 11 } }), 'invalid-interval');
      refused(await startWith({ anchor: { localDateTime: '2026-02-30T00:00:00' } }), 'invalid-local-date-time');
      refused(await startWith({ interval: { unit: 'day', count: 1 }, anchor: { dayOfMonth: 1 } }), 'invalid-anchor');
      refused(await startWith({ items: [...item({}), ...item({})] }), 'duplicate-component');
      refused(await startWith({ startsAt: '2019-01-01T00:00:00Z' }), 'start-out-of-range');
      const tiers = [{ upTo: '10', unitPrice: '1' }];
      refused(await startWith({ items: item({ price: { model: 'volume', tiers } }) }), 'invalid-price');
      refused(await startWith({ items: item({ price: { model: 'percentage', rate: '1' } }) }), 'invalid-price');
      const { id } = await start();
      const service2 = (from: string, to: string) => on(id, 'line-items', lineItem(key(), { service: { from, to } }));
      refused(await service2('2026-02-30', '2026-03-01'), 'invalid-request');
      refused(await service2('2026-02-02', '2026-02-01'), 'invalid-service');
      const huge = { quantity: '999999999999', unitPrice: '999999999999' };
      refused(await on(id, 'line-items', lineItem(key(), huge)), 'amount-out-of-range');
    });

    it('what the state does not allow', async () => {
      const { id } = await start({ externalId: 'taken' });
      refused(await startWith({ externalId: 'taken' }), 'subscription-exists');
      refused(await on(id, 'roll-over', { periodNumber: 1 }), 'period-not-elapsed');
      await on(id, 'line-items', lineItem('once'));
      refused(await on(id, 'line-items', lineItem('once', { unitPrice: '1' })), 'line-item-exists');
      await on(id, 'cancel', { at: 'period-end' });
      refused(await on(id, 'pause'), 'cancellation-scheduled');
      await on(id, 'undo-cancellation', undefined);
      await on(id, 'pause');
      refused(await on(id, 'line-items/once/void', undefined), 'line-item-already-billed');
      refused(await on(id, 'cancel', { at: 'period-end' }), 'subscription-paused');
      refused(await on(id, 'line-items', lineItem('paused')), 'no-open-period');
      await on(id, 'cancel', { at: 'now' });
      refused(await on(id, 'resume'), 'subscription-canceled');
    });

    it('anything while billing is held', async () => {
      const { id } = await start();
      let answer: Answer;
      let n = 0;
      const edits = () => [{ kind: 'quantity', itemId: 'base', quantity: `${1 + ((n += 1) % 2)}` }];
      do answer = await on(id, 'changes', { edits: edits(), billing: 'now' });
      while (answer.status === 200 && n < 100);
      refused(answer, 'billing-held');
    });

    it('an end that comes too soon', async () => {
      const term = await start({ minimumTermPeriods: 2 });
      refused(await on(term.id, 'cancel', { at: 'now' }), 'minimum-term');
      const notice = await start({ noticeDays: 30 });
      refused(await on(notice.id, 'cancel', { at: 'now' }), 'notice-period');
      await on(notice.id, 'pause', { at: 'period-end' });
      refused(await on(notice.id, 'cancel', { at: 'period-end' }), 'pause-scheduled');
      refused(await on(notice.id, 'periods', { periods: 0 }), 'invalid-request');
      refused(await on(notice.id, 'periods', {}), 'invalid-request');
    });

    it('customers that are not there, or no longer', async () => {
      const create = (body: object) => service.client.post('/v1/customers', body, key());
      const terms = { currency: 'EUR', timeZone: 'UTC' };
      refused(await service.client.get(`/v1/customers/${randomUUID()}`), 'customer-not-found');
      const { id } = (await create({ ...terms, externalId: 'gone' })).body;
      refused(await create({ ...terms, externalId: 'gone' }), 'customer-exists');
      refused(await create({ ...terms, externalId: id }), 'invalid-external-id');
      await service.client.post(`/v1/customers/${id}/erase`, {}, key());
      refused(await startWith({ customerId: 'gone' }), 'customer-erased');
      refused(await startWith({ customerId: 'unheard of', currency: undefined }), 'customer-terms-missing');
    });

    it('changes of items that cannot be', async () => {
      const { id } = await start();
      const change = (...edits: object[]) => on(id, 'changes', { edits });
      const put = (n: number) => ({ kind: 'put', item: item({ itemId: `i${n}`, componentKey: `c${n}` })[0] });
      refused(await change({ kind: 'quantity', itemId: 'nothing', quantity: '1' }), 'item-not-found');
      refused(await change(...Array.from({ length: 20 }, (_, n) => put(n))), 'too-many-items');
      refused(await change({ kind: 'put', item: item({ itemId: 'other' })[0] }), 'duplicate-component');
      const edits = [{ kind: 'quantity', itemId: 'base', quantity: '2' }];
      refused(await on(id, 'changes', { edits, effectiveOn: '2025-12-31' }), 'before-correction-horizon');
      refused(await on(id, 'changes', { edits, effectiveOn: '2026-01-02' }), 'invalid-option');
      refused(await on(id, 'changes', { edits, effectiveOn: '2026-01-01', when: 'now' }), 'invalid-request');
      for (const wrong of [null, [], 'x', {}, { kind: 'constructor' }, { kind: 'remove', itemId: 'base', extra: 1 }])
        refused(await change(wrong as object), 'invalid-request');
    });

    it('plans that cannot be', async () => {
      const create = (more: object) => service.client.post('/v1/plans', { name: 'Pro', ...more }, key());
      const { id } = (await create({ externalId: 'pro' })).body;
      refused(await create({ externalId: 'pro' }), 'plan-exists');
      const put = (body: object, version = 1, plan: string = id) =>
        service.client.ask('PUT', `/v1/plans/${plan}/versions/${version}`, { body, key: key() });
      const then = (verb: 'publish' | 'archive', version = 1) =>
        service.client.post(`/v1/plans/${id}/versions/${version}/${verb}`, undefined, key());
      const prices = [{ currency: 'USD', price: { model: 'flat', unitPrice: '1999' } }];
      const base = { componentKey: 'base', description: 'Base', kind: 'recurring', timing: 'advance', prices };
      const terms = { interval: { unit: 'month', count: 1 }, currencies: ['USD'], components: [base] };
      refused(await put(terms, 1, '00000000-0000-5000-8000-000000000000'), 'plan-not-found');
      refused(await put(terms, 2), 'plan-version-not-found');
      refused(await put({ ...terms, components: [{ ...base, prices: [...prices, ...prices] }] }), 'invalid-request');
      refused(await put({ ...terms, components: [null] }), 'invalid-request');
      refused(await put({ ...terms, components: [{ ...base, prices: [null] }] }), 'invalid-request');
      refused(await put({ ...terms, components: [{ ...base, prices: [{ currency: 'USD' }] }] }), 'invalid-request');
      refused(await put({ ...terms, minimum: [1] }), 'invalid-request');
      expect((await put({ ...terms, components: [] })).status).toBe(200);
      refused(await then('publish'), 'incomplete-plan');
      expect((await put(terms)).status).toBe(200);
      const startOn = (plan: object) =>
        service.client.post('/v1/subscriptions', { customerId: 'c', currency: 'USD', timeZone: 'UTC', plan }, key());
      refused(await startOn({ planId: id, version: 1 }), 'plan-version-draft');
      expect((await then('publish')).status).toBe(200);
      refused(await startOn({ planId: id, addOns: ['none'] }), 'unknown-component');
      const both = (await create({ externalId: 'both' })).body.id;
      const euros = { ...prices[0], currency: 'EUR' };
      const inBoth = { ...terms, currencies: ['USD', 'EUR'], components: [{ ...base, prices: [...prices, euros] }] };
      expect((await put(inBoth, 1, both)).status).toBe(200);
      await service.client.post(`/v1/plans/${both}/versions/1/publish`, undefined, key());
      const dollars = (await startOn({ planId: both })).body.id;
      await on(dollars, 'line-items', lineItem('unbilled'));
      const inEuros = { plan: { planId: both }, currency: 'EUR', when: 'period-end' };
      refused(await on(dollars, 'plan', inEuros), 'currency-in-use');
      refused(await on((await start()).id, 'add-ons', { add: [{ componentKey: 'base' }] }), 'no-plan');
      refused(await put(terms), 'plan-version-published');
      expect((await then('archive')).status).toBe(200);
      refused(await then('publish'), 'plan-version-archived');
      const tiers = Array.from({ length: 20 }, (_, n) => ({ upTo: n < 19 ? `${n + 1}` : null, unitPrice: '1' }));
      const many = Array.from({ length: 50 }, (_, n) => ({
        ...base,
        componentKey: `c${n}`,
        description: 'x'.repeat(500),
        prices: ['USD', 'EUR', 'JPY'].map((currency) => ({ currency, price: { model: 'volume', tiers } })),
      }));
      let answer: Answer;
      let version = 1;
      do answer = await put({ ...terms, components: many }, (version += 1));
      while (answer.status === 200 && version < 20);
      refused(answer, 'plan-full');
    });

    it('coupons', async () => {
      const percent = { kind: 'percentage', percent: '10' };
      const create = (more: object) => service.client.post('/v1/coupons', { discount: percent, ...more }, key());
      const apply = (id: string, code: string) => on(id, 'coupons', { code });
      const id = (await create({ code: 'one', maxRedemptions: 1 })).body.id;
      refused(await create({ code: 'ONE' }), 'coupon-exists');
      refused(await create({ code: 'two', duration: 'once', periods: 2 }), 'invalid-request');
      refused(await service.client.get(`/v1/coupons/${id.replace(/^./, 'f')}`), 'coupon-not-found');
      const { id: first } = await start();
      const { id: second } = await start();
      refused(await apply(first, 'none'), 'coupon-not-found');
      expect((await apply(first, 'one')).status).toBe(201);
      refused(await apply(first, 'One'), 'coupon-already-applied');
      refused(await apply(second, 'one'), 'coupon-exhausted');
      await create({ code: 'gone', expiresAt: '2026-01-01T00:00:00Z' });
      refused(await apply(second, 'gone'), 'coupon-expired');
      await create({ code: 'yen', discount: { kind: 'amount', amounts: [{ amount: '1', currency: 'JPY' }] } });
      refused(await apply(second, 'yen'), 'coupon-currency-mismatch');
      await create({ code: 'begins' });
      const begin = { externalId: 'begins', couponCodes: ['begins'] };
      expect((await startWith(begin)).status).toBe(201);
      refused(await startWith(begin), 'subscription-exists');
      const named = service.client.post('/v1/coupons', { discount: percent, code: 'named' }, key(), { revision: '7' });
      refused(await named, 'revision-mismatch');
      const { body } = await create({ code: 'old' });
      expect((await service.client.post(`/v1/coupons/${body.id}/archive`, undefined, key())).status).toBe(200);
      refused(await startWith({ couponCodes: ['old'] }), 'coupon-archived');
      for (const n of [1, 2, 3, 4, 5, 6]) await create({ code: `many-${n}` });
      for (const n of [1, 2, 3, 4, 5]) expect((await apply(second, `many-${n}`)).status).toBe(201);
      refused(await apply(second, 'many-6'), 'too-many-coupons');
    });

    it('an open period that is full', async () => {
      const { id } = await start();
      const metadata = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`name-${n}`, 'x'.repeat(480)]));
      let answer: Answer;
      let n = 0;
      do answer = await on(id, 'line-items', lineItem(`full-${(n += 1)}`, { metadata }));
      while (answer.status === 201 && n < 200);
      refused(answer, 'billing-period-full');
    });

    it('usage, record by record', async () => {
      const calls = (meter: object) =>
        item({
          ...{ kind: 'usage', itemId: 'calls', componentKey: 'calls', timing: 'arrears' },
          ...{ meter: { key: 'calls', aggregation: 'sum', ...meter }, price: { model: 'per-unit', unitPrice: '1' } },
        });
      refused(await startWith({ items: calls({ aggregation: 'unique-count' }) }), 'invalid-meter');
      const id = (await startWith({ customerId: 'measured', items: calls({ late: 'refuse' }) })).body.id;
      const { position } = (await startWith({ customerId: 'measured', items: calls({}) })).body;
      const edits = [{ kind: 'put', item: calls({ aggregation: 'max' })[0] }];
      refused(await on(id, 'changes', { edits }), 'meter-changed');
      await service.client.get(`/v1/subscriptions/${id}?minPosition=${position}`);
      const record = { id: 'one', event: 'calls', at: '2026-01-01T00:00:00Z', value: '1', subscriptionId: id };
      const codeOf = async (more: object) => {
        const records = [{ ...record, id: key(), ...more }];
        const { status, body } = await service.client.post('/v1/usage', { records }, key());
        expect([status, body.records?.length]).toEqual([200, 1]);
        const { code } = body.records[0];
        met.add(code);
        return code as string;
      };
      await service.client.post('/v1/usage', { records: [record] }, key());
      expect(await codeOf({ id: 'one', value: '2' })).toBe('usage-record-exists');
      expect(await codeOf({ event: 'hours' })).toBe('meter-not-found');
      expect(await codeOf({ value: undefined })).toBe('invalid-usage-value');
      const most = { id: 'most', value: '9'.repeat(15) };
      expect((await service.client.post('/v1/usage', { records: [{ ...record, ...most }] }, key())).status).toBe(200);
      expect(await codeOf({ value: '9' })).toBe('usage-out-of-range');
      expect(await codeOf({ at: '2026-01-02T00:00:00Z' })).toBe('usage-record-in-future');
      expect(await codeOf({ at: '2025-12-31T00:00:00Z' })).toBe('usage-period-not-found');
      const properties = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`p${n}`, 'x'.repeat(450)]));
      expect(await codeOf({ properties })).toBe('invalid-usage-record');
      expect(await codeOf({ subscriptionId: undefined, customerId: 'measured' })).toBe('ambiguous-subscription');
      await service.setClock('2026-02-02T00:00:00Z');
      await on(id, 'roll-over', { periodNumber: 1 });
      expect(await codeOf({})).toBe('usage-record-late');
    });

    it('a clock that should go back, a position and a key that belong to nothing', async () => {
      const back = await service.client.ask('PUT', '/v1/test-clock', { body: { now: '2020-01-01T00:00:00Z' } });
      refused(back, 'clock-cannot-go-back');
      refused(await service.client.get('/v1/subscriptions?minPosition=123456789012'), 'unknown-position');
      refused(await service.as().get('/v1/subscriptions'), 'unauthenticated');
      const reader = service.as(await service.newKey('default', ['finance:read']));
      refused(await reader.post('/v1/subscriptions', monthly(), key()), 'insufficient-scope');
      const { id, revision } = await start();
      const used = key();
      await service.client.post(`/v1/subscriptions/${id}/pause`, {}, used);
      refused(await service.client.post(`/v1/subscriptions/${id}/resume`, {}, used), 'idempotency-key-reused');
      refused(
        await service.client.post(`/v1/subscriptions/${id}/resume`, {}, key(), { revision }),
        'revision-mismatch',
      );
    });
  });

  it('are all in the catalogue, and all of the catalogue has been met', async () => {
    const list = (await service.client.get('/problems')).body as string;
    for (const [code, { title }] of Object.entries(problems)) {
      expect(list).toContain(`/problems/${code}"`);
      const page = await service.client.get(`/problems/${code}`);
      expect([code, page.status]).toEqual([code, 200]);
      expect(page.body).toContain(title.split('`')[0]?.split("'")[0]);
    }
    refused(await service.client.get('/problems/none-such'), 'not-found');
    const missing = Object.keys(problems).filter(
      (code) => !met.has(code) && !(code in elsewhere) && !(guarded as readonly string[]).includes(code),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(edgeProblems).length).toBeGreaterThan(20);
  });

  /** What a server answers to these bytes. */
  async function raw(text: string): Promise<Answer> {
    const { hostname, port } = new URL(service.program.url);
    const whole = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let got = '';
      socket.on('data', (part: Buffer) => (got += part.toString()));
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
    });
    const [head = '', body = ''] = whole.split('\r\n\r\n');
    const [status = '', ...lines] = head.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(': ')[0]?.toLowerCase(), line.split(': ')[1]] as [string, string]),
    );
    return { status: Number(status.split(' ')[1]), headers, body: JSON.parse(body) };
  }
});
