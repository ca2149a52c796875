/**
 * A stateful fuzz of the HTTP API, generated from its OpenAPI document:
 * `node test/run.mjs test/faults/fuzz-http.ts [--requests 20000] [--seed 1] [--max-seconds 900]`. Needs dist/.
 * Ends with 1 on a 5xx, a hang, an answer that is not documented, or a documented 2xx or 4xx (but 429) never reached.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { Service } from '../support/app';
import globalSetup from '../support/global-setup';
import globalTeardown from '../support/global-teardown';
import type { Answer, HttpClient } from '../support/http-client';
import { runToEnd } from '../support/processes';
import { Random } from '../support/random';
import { type Schema, Values } from './fuzz-values';

export interface FuzzCampaign {
  readonly requests: number;
  readonly seed: number;
  readonly maxSeconds: number;
  readonly say: (line: string) => void;
}

export interface FuzzReport {
  readonly requests: number;
  readonly seconds: number;
  /** Share of the requests that got as far as a handler. */
  readonly reached: number;
  /** `METHOD path status code` → how often. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly missing: readonly string[];
  readonly violations: readonly string[];
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  /** Documented statuses that must be reached, without 429 and 5xx. */
  readonly statuses: readonly string[];
}

interface Asked {
  readonly operation: Operation;
  readonly client: HttpClient;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What a request sets out to provoke, besides plain use. */
const intents = ['401', '403', '404', '409', '412', '413', '415', '422', '400', 'repeat', 'unknown query'] as const;
type Intent = (typeof intents)[number] | 'use';

/** Answered before any handler has a say. */
const edgeCodes = new Set([
  'malformed-request',
  'invalid-request',
  'idempotency-key-missing',
  'invalid-if-match',
  'unauthenticated',
  'insufficient-scope',
  'body-too-large',
  'unsupported-media-type',
  'rate-limited',
  'not-found',
]);

/** What no caller can aim at: a draft becomes final within milliseconds, the scheduler is never 500 periods behind, and what is created has no revision yet. */
const elsewhere = new Set([
  'POST /v1/invoices/{invoiceId}/void 409',
  'POST /v1/coupons 404',
  'GET /v1/subscriptions/{subscriptionId}/upcoming-invoice 409',
]);

const day = 86_400_000;

const priced = (price: object) => ['USD', 'EUR'].map((currency) => ({ currency, price }));
const flat = priced({ model: 'flat', unitPrice: '1999' });
const planIntervals = [
  { unit: 'month', count: 1 },
  { unit: 'year', count: 1 },
];
const planComponents = [
  [{ componentKey: 'base', description: 'Base', kind: 'recurring', timing: 'advance', prices: flat }],
  [
    { componentKey: 'base', description: 'Base', kind: 'recurring', timing: 'advance', every: 12, prices: flat },
    { componentKey: 'set-up', description: 'Set-up', kind: 'one-time', timing: 'advance', prices: flat },
    {
      componentKey: 'calls',
      description: 'Calls',
      kind: 'usage',
      timing: 'arrears',
      meter: { key: 'api-calls', aggregation: 'sum' },
      prices: priced({ model: 'per-unit', unitPrice: '0.04' }),
    },
    { componentKey: 'seats', description: 'Seats', kind: 'recurring', timing: 'arrears', optional: true, prices: flat },
  ],
];

const publishedComponents = [
  { componentKey: 'base', description: 'Base', kind: 'recurring', timing: 'advance', prices: flat },
  { componentKey: 'seats', description: 'Seats', kind: 'recurring', timing: 'arrears', optional: true, prices: flat },
];
const publishedTerms = {
  interval: { unit: 'month', count: 1 },
  currencies: ['USD', 'EUR'],
  components: publishedComponents,
};
const flatItem = {
  itemId: 'base',
  description: 'Base',
  timing: 'advance',
  price: { model: 'flat', unitPrice: '1999' },
};
const seats = {
  itemId: 'seats',
  componentKey: 'seats',
  description: 'Seats',
  quantity: '3',
  timing: 'arrears',
  price: {
    model: 'graduated',
    tiers: [
      { upTo: '2', unitPrice: '500' },
      { upTo: null, unitPrice: '12.5' },
    ],
  },
};
const measured = (meter: object, price: object) => ({
  kind: 'usage',
  itemId: 'calls',
  componentKey: 'calls',
  description: 'Calls',
  timing: 'arrears',
  meter,
  price,
});
const callsMeter = { key: 'calls', event: 'call', aggregation: 'count' };
const itemLists = [
  [flatItem],
  [{ ...flatItem, timing: 'arrears' }, seats],
  [{ ...flatItem, every: 3 }, measured(callsMeter, { model: 'per-unit', unitPrice: '0.04' })],
  [
    { ...flatItem, itemId: 'set-up', componentKey: 'set-up', kind: 'one-time' },
    measured(
      { key: 'traffic', event: 'transfer', aggregation: 'sum', valueProperty: 'bytes' },
      { model: 'package', packageSize: '5', packagePrice: '250' },
    ),
  ],
];

class Fuzz {
  readonly outcomes = new Map<string, number>();
  readonly violations: string[] = [];
  requests = 0;
  reached = 0;
  private readonly random: Random;
  private readonly values: Values;
  private readonly operations: Operation[];
  private readonly start: Operation | undefined;
  private readonly ajv = new Ajv({ strict: false });
  private readonly pools: Record<string, string[]> = {
    subscriptionId: [],
    lineItemId: [],
    invoiceId: [],
    creditNoteId: [],
    customerBalanceId: [],
    planId: [],
    couponId: [],
    code: [],
    apiKeyId: [],
    stream: [],
    minPosition: [],
    cursor: [],
    externalId: [],
    customerId: ['customer-1', 'customer-2', 'customer-3'],
    customer: [],
    number: [],
  };
  private readonly sent: Asked[] = [];
  /** Path of a subscription, an invoice or an API key → keys of commands that it has taken. */
  private readonly keysOf = new Map<string, string[]>();
  /** Subscriptions with a line item that was added to them. */
  private readonly added: { readonly subscriptionId: string; readonly lineItemId: string }[] = [];
  private clock = Date.UTC(2026, 0, 1);
  private keys = 0;
  /** Subscriptions that began on the published plan. */
  private readonly onPlan: string[] = [];
  /** Subscriptions that were cancelled, or will be: what most conflicts are about. */
  private readonly ended: string[] = [];
  /** What each customer is called by who starts a subscription. */
  private readonly nameOf = new Map<string, string>();
  /** Subscriptions that have usage, and the period of it. */
  private readonly measured: { readonly subscriptionId: string; readonly periodNumber: number }[] = [];

  constructor(
    private readonly service: Service,
    publishedPlan: string,
    document: { paths: Record<string, Record<string, never>>; components: { schemas: Record<string, Schema> } },
    private readonly narrow: {
      readonly reader: HttpClient;
      readonly writer: HttpClient;
      readonly stranger: HttpClient;
    },
    seed: number,
  ) {
    this.random = new Random(seed);
    this.pools['published'] = [publishedPlan];
    addFormats(this.ajv);
    this.ajv.addSchema({ ...document, $id: 'api' });
    this.values = new Values(document.components.schemas, this.random, (name) => this.plausible(name));
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]): Operation => {
        const {
          parameters = [],
          requestBody,
          responses,
        } = described as {
          parameters?: Parameter[];
          requestBody?: { content: { 'application/json': { schema: Schema } } };
          responses: object;
        };
        return {
          method,
          path,
          parameters,
          body: requestBody?.content['application/json'].schema,
          statuses: Object.keys(responses).filter((status) => /^[24]/.test(status) && status !== '429'),
        };
      }),
    );
    this.start = this.operations.find(({ method, path }) => method === 'post' && path === '/v1/subscriptions');
  }

  /** Values that mean something to the service: ids that it has given, and what people write. */
  private plausible(name: string): unknown {
    const { random } = this;
    const pool = this.pools[name];
    switch (name) {
      case 'externalId':
        if (random.chance(0.3) && pool?.length) return random.pick(pool);
        return `ext-${random.word(8)}`;
      case 'lineItemId':
        if (random.chance(0.2) && pool?.length) return random.pick(pool);
        return `item-${random.word(8)}`;
      case 'email':
        return `${random.word(6)}@example.com`;
      case 'country':
        return random.pick(['DE', 'US', 'JP']);
      case 'metadata':
        return random.chance(1 / 3) ? undefined : random.pick([{ tier: 'gold' }, { tier: random.word(3) }]);
      case 'currency':
        return this.mostly(['USD', 'EUR', 'JPY'], ['XQQ']);
      case 'timeZone':
        return this.mostly(['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu'], ['Mars/Olympus']);
      case 'interval':
        return this.mostly(
          [
            { unit: 'month', count: 1 },
            { unit: 'month', count: 3 },
            { unit: 'year', count: 1 },
            { unit: 'week', count: 2 },
            { unit: 'day', count: 30 },
          ],
          [{ unit: 'year', count: 900 }],
        );
      case 'anchor':
        return this.mostly(
          [{ dayOfMonth: random.between(1, 31) }, { localDateTime: '2026-01-15T00:00:00' }],
          [{ localDateTime: '2026-02-30T00:00:00' }],
        );
      case 'service':
        return this.mostly(
          [{ from: '2026-01-01', to: '2026-02-01' }],
          [
            { from: '2026-01-01', to: '2026-01-01' },
            { from: '2026-02-30', to: '2026-03-01' },
            { from: '1999-01-01', to: '1999-02-01' },
          ],
        );
      case 'unitPrice':
        return this.mostly(['0', '1', '1999', '0.04', '12.345'], ['999999999999']);
      case 'quantity':
        return this.mostly(['0', '1', '2.5', '3'], ['999999999999']);
      case 'componentKey':
        // Of an item without an id it is also that.
        return random.chance(0.7) ? undefined : random.pick(['base', 'seats', 'storage', 'support']);
      case 'itemId':
        return random.pick(['base', 'seats', 'storage', 'support']);
      case 'tiers':
        return this.mostly<unknown>(
          [
            [{ upTo: null, unitPrice: '250' }],
            [
              { upTo: '10', unitPrice: '500', flatFee: '1000' },
              { upTo: null, unitPrice: '12.5', packageSize: '5' },
            ],
          ],
          [[{ upTo: '10', unitPrice: '500' }]],
        );
      case 'packageSize':
        return this.mostly(['5', '2.5'], ['0']);
      case 'plan':
        return this.plan();
      case 'planVersion':
        return String(random.between(1, 3));
      case 'addOns':
      case 'remove':
        return this.mostly<unknown>([[], ['seats']], [['base']]);
      case 'add':
        return this.mostly<unknown>([[{ componentKey: 'seats', quantity: '2' }]], [[{ componentKey: 'none' }]]);
      case 'version':
        return random.pick(['1', '1', '1', '2']);
      case 'currencies':
        return this.mostly<unknown>([['USD'], ['USD', 'EUR']], [['XQQ']]);
      case 'code':
        return pool?.length && random.chance(0.6) ? random.pick(pool) : `CODE-${(this.keys += 1)}`;
      case 'couponCodes': {
        const codes = this.pools['code'] ?? [];
        return codes.length > 0 && random.chance(0.3) ? [random.pick(codes)] : [];
      }
      case 'maxRedemptions':
        return random.between(1, 5);
      case 'expiresAt':
        return new Date(this.clock + random.between(-5, 300) * day).toISOString();
      case 'items':
        // Items whose fields fit each other, and what the schema says.
        return random.chance(0.75) ? random.pick(itemLists) : undefined;
      case 'components':
        // What a subscription can be billed by, and what the schema says.
        return random.chance(0.6) ? random.pick(planComponents) : undefined;
      case 'edits':
        // Else what the schema says of each.
        if (random.chance(1 / 3)) return undefined;
        return random.pick([
          [{ kind: 'quantity', itemId: 'base', quantity: String(random.between(0, 9)) }],
          [{ kind: 'remove', itemId: 'seats' }],
        ]);
      case 'startsAt':
        return new Date(this.clock + random.between(-90, 20) * day).toISOString();
      case 'periods':
        return random.chance(0.3) ? null : random.between(1, 6);
      case 'minimumTermPeriods':
        return random.between(0, 2);
      case 'trialDays':
      case 'noticeDays':
        return random.between(0, 30);
      case 'meter':
        return this.mostly<unknown>(
          [
            { key: 'calls', event: 'call', aggregation: 'count' },
            { key: 'traffic', event: 'transfer', aggregation: 'sum', valueProperty: 'bytes' },
            { key: 'people', event: 'call', aggregation: 'unique-count', uniqueProperty: 'user' },
            { key: 'storage', event: 'stored', aggregation: 'weighted-sum', carry: true },
            { key: 'level', event: 'stored', aggregation: 'latest', late: 'refuse' },
          ],
          [{ key: 'calls', aggregation: 'count', carry: true }],
        );
      case 'records':
        return Array.from({ length: random.between(1, 5) }, () => this.usageRecord());
      case 'effectiveOn':
        return new Date(this.clock - random.between(0, 45) * day).toISOString().slice(0, 10);
      case 'periodNumber':
        return random.between(0, 6);
      case 'now':
        if (random.chance(0.05)) return new Date(this.clock - 40 * day).toISOString();
        return new Date((this.clock += random.between(0, 4) * day)).toISOString();
      case 'from':
      case 'to':
        return String(random.between(0, 6));
      case 'atRevision':
      case 'fromRevision':
        return String(random.between(0, 5));
      case 'traceparent':
        return '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
      case 'Idempotency-Key':
        return `key-${(this.keys += 1)}-${random.word(6)}`;
      default:
        return pool?.length ? random.pick(pool) : undefined;
    }
  }

  /** Of what the fuzzed meters read; an id comes again now and then. */
  private usageRecord(): object {
    const { random } = this;
    const { subscriptionId: ids = [], customerId: customers = [] } = this.pools;
    const id = ids.length > 0 ? random.pick(ids) : undefined;
    return {
      id: `use-${random.between(0, 400)}`,
      event: this.mostly(['call', 'transfer', 'stored'], ['nothing']),
      at: new Date(this.clock - random.between(0, 40) * day).toISOString(),
      value: String(random.between(-2, 20)),
      properties: { bytes: String(random.between(0, 9)), user: random.word(2) },
      ...(id !== undefined && random.chance(0.8) ? { subscriptionId: id } : { customerId: random.pick(customers) }),
    };
  }

  /** A plan that something can start on, if there is one; at times another, or a version that nobody has published. */
  private plan(): object {
    const { random } = this;
    const pool = this.pools[random.chance(0.9) ? 'published' : 'planId'] ?? [];
    const addOns = random.pick([undefined, [], ['seats'], ['none']]);
    const quantities = random.pick([undefined, { base: '2' }, { calls: '2' }]);
    return {
      ...(pool.length > 0 && random.chance(0.9) ? { planId: random.pick(pool) } : { externalId: 'no-such-plan' }),
      ...(random.chance(0.2) && { version: random.between(1, 3) }),
      ...(addOns && random.chance(0.5) && { addOns }),
      ...(quantities && random.chance(0.3) && { quantities }),
    };
  }

  /** A start says its own terms, or leaves them to a plan. */
  private startable(body: unknown): unknown {
    const start = body as Record<string, unknown>;
    const { plan, interval: _, rules: __, ...common } = start;
    const schema = this.values.resolve(this.start?.body ?? {}).properties ?? {};
    const known = (this.pools['published'] ?? []).length > 0;
    if (plan !== undefined && (known || this.random.chance(0.1))) return { ...common, plan };
    const own = ['interval', 'items'].map((name) => [name, start[name] ?? this.values.valid(schema[name] ?? {}, name)]);
    return { ...common, ...('rules' in start && { rules: start['rules'] }), ...Object.fromEntries(own) };
  }

  /** Seldom what will be refused: a subscription that never starts gives the other commands nothing to work on. */
  private mostly<T>(good: readonly T[], bad: readonly T[]): T {
    return this.random.pick(this.random.chance(0.93) ? good : bad);
  }

  /** One request and everything that its answer must hold. */
  async one(): Promise<void> {
    const few = (this.pools['subscriptionId']?.length ?? 0) < 8 && this.random.chance(0.2);
    const operation = (few ? this.start : undefined) ?? this.random.pick(this.operations);
    const intent: Intent = this.random.chance(0.62) ? 'use' : this.random.pick(intents);
    await this.ask(this.compose(operation, intent));
  }

  private compose(operation: Operation, intent: Intent): Asked {
    const { random, values } = this;
    const again = this.sent.filter((each) => each.operation === operation);
    if (intent === 'repeat' && again.length > 0) return random.pick(again);

    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    let path = operation.path;
    for (const parameter of operation.parameters) {
      const { name, schema, required } = parameter;
      const given = intent === '400' && random.chance(0.5) ? values.broken(schema) : values.valid(schema, name);
      const value = String(given);
      const customers = this.pools['customer'] ?? [];
      if (parameter.in === 'path' && name === 'customerId' && intent !== '400')
        path = path.replace('{customerId}', customers.length > 0 ? random.pick(customers) : values.uuid());
      else if (parameter.in === 'path')
        path = path.replace(`{${name}}`, encodeURIComponent(value === '' ? 'x' : value.slice(0, 300)));
      else if (parameter.in === 'query') {
        if (!required && !random.chance(name === 'dryRun' ? 0.15 : 0.25)) continue;
        if (typeof given !== 'object' || given === null) query.set(name, value);
        else for (const [key, each] of Object.entries(given)) query.set(`${name}[${key}]`, String(each));
      } else if (name === 'If-Match') {
        if (intent === '412') headers['if-match'] = `"${random.between(900, 9_999)}"`;
        else if (intent === '400' && random.chance(0.3)) headers['if-match'] = 'W/"1"';
        else if (random.chance(0.05)) headers['if-match'] = random.pick(['*', `"${random.between(0, 9)}"`]);
      } else if (required ? !(intent === '400' && random.chance(0.3)) : random.chance(0.2))
        headers[name.toLowerCase()] = value.replace(/[^\x20-\x7e]/g, '?');
    }
    if (path.includes('/line-items/') && this.added.length > 0 && random.chance(0.6)) {
      const { subscriptionId, lineItemId } = random.pick(this.added.slice(-20));
      path = operation.path.replace('{subscriptionId}', subscriptionId).replace('{lineItemId}', lineItemId);
    }
    if (operation.parameters.some(({ name }) => name === 'at') && operation.path.includes('audit')) {
      query.delete(random.chance(0.5) ? 'at' : 'atRevision');
      if (!query.has('at') && !query.has('atRevision') && intent !== '400') query.set('atRevision', '1');
    }
    if (/\/(plan|add-ons)$/.test(operation.path) && this.onPlan.length > 0 && random.chance(0.6))
      path = operation.path.replace('{subscriptionId}', random.pick(this.onPlan.slice(-5)));
    if (operation.path.includes('/usage/{periodNumber}') && this.measured.length > 0 && random.chance(0.6)) {
      const { subscriptionId, periodNumber } = random.pick(this.measured.slice(-20));
      path = operation.path.replace('{subscriptionId}', subscriptionId).replace('{periodNumber}', `${periodNumber}`);
    }
    if (intent === '409' && this.ended.length > 0 && random.chance(0.6))
      path = operation.path.replace('{subscriptionId}', random.pick(this.ended.slice(-5)));
    let body =
      operation.body &&
      (intent === '400' && random.chance(0.7) ? values.broken(operation.body) : values.valid(operation.body));
    if (operation === this.start && intent !== '400') body = this.startable(body);
    if (operation.path.endsWith('/plan') && intent === 'use' && random.chance(0.4))
      body = { plan: { planId: random.pick(this.pools['published'] ?? []) } };
    if (operation.path.startsWith('/v1/plans/{planId}/versions') && intent === 'use') {
      // Few plans, so that a version is drafted, published and archived before too many others are.
      const plans = this.pools['planId'] ?? [];
      if (plans.length > 0) path = path.replace(/plans\/[^/]+/, `plans/${random.pick(plans.slice(0, 6))}`);
      const interval = random.pick(planIntervals);
      if (operation.body && random.chance(0.6))
        body = { interval, currencies: ['USD', 'EUR'], components: random.pick(planComponents) };
    }
    if (operation.body) headers['content-type'] = 'application/json';

    let client: HttpClient = this.service.client;
    if (intent === '401') client = this.narrow.stranger;
    if (intent === '403')
      client =
        operation.method === 'get' && !operation.path.includes('api-keys') ? this.narrow.writer : this.narrow.reader;
    if (intent === '404') path = this.unknown(operation.path);
    if (intent === 'unknown query') query.set('unknown', 'x');
    if (intent === '413') {
      body = { description: 'x'.repeat(1_100_000) };
      headers['content-type'] = 'application/json';
    }
    if (intent === '415') {
      body ??= 'text';
      headers['content-type'] = random.pick(['text/plain', 'application/xml', 'multipart/form-data; boundary=x']);
    }
    if (intent === '422') {
      if (operation.parameters.some(({ name }) => name === 'minPosition')) query.set('minPosition', '999999999999999');
      const kind = /\/v1\/[\w-]+\/(?=\{(subscriptionId|customerId|invoiceId|planId|couponId|apiKeyId)\})/.exec(
        operation.path,
      )?.[0];
      const known = [...this.keysOf].filter(([of]) => kind !== undefined && of.startsWith(kind));
      const [of, keys] = known.length > 0 ? random.pick(known) : ['', []];
      const earlier = again.find((each) => each.body !== undefined);
      if (keys.length > 0) {
        // A key that this very thing knows, for another command.
        path = path.replace(/\/v1\/[\w-]+\/[^/]+/, of);
        headers['idempotency-key'] = random.pick(keys);
      } else if (earlier?.headers['idempotency-key'] !== undefined) {
        headers['idempotency-key'] = earlier.headers['idempotency-key'];
        const { externalId } = earlier.body as { externalId?: string };
        const valid = values.valid(operation.body ?? {});
        const { externalId: _, ...other } = (operation === this.start ? this.startable(valid) : valid) as {
          externalId?: string;
        };
        body = { ...other, ...(externalId === undefined ? {} : { externalId }) };
      }
    }
    if (intent === '400' && random.chance(0.15) && operation.body)
      body = random.pick(['{', '[]', 'null', '"x"', '{"a":1,}']);
    const rest = query.toString();
    return { operation, client, url: rest === '' ? path : `${path}?${rest}`, headers, body };
  }

  private unknown(path: string): string {
    return path.replace(/\{(\w+)\}/g, (_, name: string) =>
      name === 'stream'
        ? `perennial.subscription-${this.values.uuid()}`
        : name === 'lineItemId'
          ? 'no-such-item'
          : name === 'version' || name === 'periodNumber'
            ? '1'
            : this.values.uuid(),
    );
  }

  private async ask(asked: Asked): Promise<void> {
    const { operation, client, url, headers, body } = asked;
    this.requests += 1;
    const name = `${operation.method.toUpperCase()} ${operation.path}`;
    const told = `${operation.method.toUpperCase()} ${url} ${JSON.stringify(headers)} ${JSON.stringify(body)?.slice(0, 500)}`;
    let answer: Answer;
    try {
      const send = () => client.ask(operation.method.toUpperCase(), url, { body, headers, timeoutMs: 20_000 });
      answer = await send();
      // A read says so when it had to wait for too long; who asks again later must be answered.
      for (let again = 0; again < 3 && answer.status === 503 && operation.method === 'get'; again += 1) {
        await delay(2_000);
        answer = await send();
      }
    } catch (error) {
      this.violations.push(`${told}: no answer (${String(error)})`);
      return;
    }
    const { status } = answer;
    const code = status >= 400 ? String(answer.body?.code) : '';
    const outcome = `${name} ${status} ${code}`.trim();
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (status < 500 && !edgeCodes.has(code)) this.reached += 1;
    if (status >= 500 || status === 429)
      this.violations.push(
        `${told}: ${status} ${JSON.stringify(answer.body)}\n${this.service.program.log.slice(-4_000)}`,
      );
    else this.check(operation, answer, told);
    if (status < 300) this.learn(asked, answer);
    else if (code === 'subscription-canceled' && this.random.chance(0.5)) this.forget(url);
    else if (code === 'revision-mismatch' || code === 'period-not-elapsed') this.keep(asked);
  }

  /** The answer is one that the document describes for this operation. */
  private check(operation: Operation, { status, headers, body }: Answer, told: string): void {
    const type = String(headers['content-type']).split(';')[0] ?? '';
    const pointer = ['paths', operation.path, operation.method, 'responses', String(status), 'content', type, 'schema']
      .map((part) => encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1')))
      .join('/');
    const validate = this.ajv.getSchema(`api#/${pointer}`);
    if (!validate)
      this.violations.push(`${told}: ${status} ${type} is not documented: ${JSON.stringify(body)?.slice(0, 300)}`);
    else if (validate(body) !== true)
      this.violations.push(
        `${told}: ${status} is not as documented: ${this.ajv.errorsText(validate.errors)} ${JSON.stringify(body)?.slice(0, 300)}`,
      );
    if (type === 'application/problem+json' && body?.status !== status)
      this.violations.push(`${told}: the problem says ${body?.status}, not ${status}`);
  }

  /** Most commands should meet a subscription that still lives. */
  private forget(url: string): void {
    const pool = this.pools['subscriptionId'] ?? [];
    const at = pool.findIndex((id) => url.includes(id));
    if (at >= 0) pool.splice(at, 1);
  }

  private keep(asked: Asked): void {
    this.sent.push(asked);
    if (this.sent.length > 600) this.sent.splice(0, 200);
  }

  /** Remembers ids, positions and cursors that the service has given, to use them later. */
  private learn(asked: Asked, { body }: Answer): void {
    this.keep(asked);
    const note = (pool: string, value: unknown) => {
      const known = this.pools[pool];
      if (typeof value !== 'string' || !known || known.includes(value)) return;
      known.push(value);
      if (known.length > 150) known.splice(this.random.between(0, 100), 1);
    };
    const { path, method } = asked.operation;
    const request = asked.body as Record<string, unknown> | undefined;
    const key = asked.headers['idempotency-key'];
    if (key !== undefined && body.dryRun === false) {
      const of = `${/\/v1\/[\w-]+/.exec(path)?.[0]}/${body.id}`;
      this.keysOf.set(of, [...(this.keysOf.get(of) ?? []), key].slice(-5));
      if (this.keysOf.size > 100) this.keysOf.delete([...this.keysOf.keys()][0] ?? '');
    }
    if (path === '/v1/subscriptions' && method === 'post' && body.dryRun === false) {
      note('subscriptionId', body.id);
      note('stream', body.stream);
      note('externalId', request?.['externalId']);
      if (request?.['plan'] !== undefined) this.onPlan.push(body.id);
    }
    if (path.endsWith('/cancel') && body.dryRun === false) this.ended.push(body.id);
    // Where all customers are erased nobody starts anything any more; now and then one is tried.
    if (path.endsWith('/erase') && body.dryRun === false && this.random.chance(0.9)) {
      const known = this.pools['customerId'] ?? [];
      const at = known.indexOf(this.nameOf.get(body.id) ?? '');
      if (at >= 0) known.splice(at, 1);
    }
    if (path === '/v1/usage' && body.dryRun === false) {
      const sent = (request?.['records'] ?? []) as readonly { readonly subscriptionId?: string }[];
      (body.records as readonly { readonly periodNumber?: number }[]).forEach(({ periodNumber }, i) => {
        const subscriptionId = sent[i]?.subscriptionId;
        if (subscriptionId !== undefined && periodNumber !== undefined)
          this.measured.push({ subscriptionId, periodNumber });
      });
    }
    if (path.endsWith('/publish') && body.dryRun === false) note('published', body.id);
    if (path === '/v1/plans' && method === 'post' && body.dryRun === false) note('planId', body.id);
    if (path === '/v1/coupons' && method === 'post' && body.dryRun === false) {
      note('couponId', body.id);
      note('code', request?.['code']);
    }
    if (path === '/v1/customers' && method === 'post' && body.dryRun === false) {
      note('customer', body.id);
      note('customerId', request?.['externalId'] ?? body.id);
      this.nameOf.set(body.id, String(request?.['externalId'] ?? body.id));
      note('externalId', request?.['externalId']);
    }
    if (path === '/v1/api-keys' && method === 'post' && body.dryRun === false) note('apiKeyId', body.id);
    if (path.endsWith('/line-items') && body.dryRun === false) {
      note('lineItemId', request?.['lineItemId']);
      this.added.push({ subscriptionId: body.id, lineItemId: String(request?.['lineItemId']) });
    }
    note('minPosition', body.position);
    note('cursor', body.nextCursor);
    for (const item of body.items ?? []) {
      note('invoiceId', item.invoiceId);
      note('creditNoteId', item.creditNoteId);
      note('customerBalanceId', item.customerBalanceId);
      note('planId', item.planId);
      note('couponId', item.couponId);
      note('stream', item.stream);
      note('number', item.number);
    }
  }

  /** Documented statuses that no request has reached. */
  missing(): string[] {
    const met = new Set([...this.outcomes.keys()].map((each) => each.split(' ').slice(0, 3).join(' ')));
    return this.operations.flatMap(({ method, path, statuses }) =>
      statuses
        .map((status) => `${method.toUpperCase()} ${path} ${status}`)
        .filter((each) => !met.has(each) && !elsewhere.has(each)),
    );
  }

  /** A plan that nobody has archived, and a subscription that has just begun on it: chance may have left none that can change. */
  private async beginOnPlan(): Promise<{ readonly planId: string; readonly subscriptionId: string }> {
    const { client } = this.service;
    const name = `aimed-at-${(this.keys += 1)}`;
    const planId = await publishPlan(client, name);
    const start = { customerId: name, currency: 'USD', timeZone: 'UTC', plan: { planId } };
    const { body } = await client.post('/v1/subscriptions', start, `${name}-start`);
    return { planId, subscriptionId: body.id };
  }

  /** Aims at what chance has left out, with a subscription that has just begun among those to choose from. */
  async aim(): Promise<void> {
    if (this.start) await this.ask(this.compose(this.start, 'use'));
    for (const each of this.missing()) {
      const [method, path = '', status = ''] = each.split(' ');
      const operation = this.operations.find((one) => one.method.toUpperCase() === method && one.path === path);
      if (!operation) continue;
      if (/\{subscriptionId\}\/(plan|add-ons)$/.test(path) && status === '200') {
        const { planId, subscriptionId } = await this.beginOnPlan();
        const headers = { 'content-type': 'application/json', 'idempotency-key': `aimed-${subscriptionId}` };
        const body = path.endsWith('/plan') ? { plan: { planId } } : { add: [{ componentKey: 'seats' }] };
        const url = path.replace('{subscriptionId}', subscriptionId);
        await this.ask({ operation, client: this.service.client, url, headers, body });
        continue;
      }
      const intent = intents.find((one) => one === status) ?? 'use';
      const asked = this.compose(operation, this.random.chance(0.8) ? intent : 'use');
      const recents = (this.pools['subscriptionId'] ?? []).slice(-3);
      const recent = recents.length > 0 ? this.random.pick(recents) : undefined;
      const url =
        recent !== undefined && this.random.chance(0.5) && intent !== '404'
          ? asked.url.replace(/(subscriptions)\/[^/?]+/, `$1/${recent}`)
          : asked.url;
      // Of what creates something, 200 is the answer to a dry run.
      const dry = status === '200' && operation.statuses.includes('201') && !url.includes('dryRun');
      await this.ask({ ...asked, url: dry ? `${url}${url.includes('?') ? '&' : '?'}dryRun=true` : url });
    }
  }
}

/** A plan with a published version; its id. */
async function publishPlan(client: HttpClient, name: string): Promise<string> {
  const { body: plan } = await client.post('/v1/plans', { name }, `${name}-plan`);
  const version = `/v1/plans/${plan.id}/versions/1`;
  await client.ask('PUT', version, { body: publishedTerms, key: `${name}-version` });
  await client.post(`${version}/publish`, undefined, `${name}-publish`);
  return plan.id;
}

/** Runs the campaign against a standalone of its own. */
export async function fuzzCampaign(o: FuzzCampaign): Promise<FuzzReport> {
  const service = await Service.start();
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1_000;
  try {
    await service.setClock('2026-01-01T00:00:00.000Z');
    const { body: document } = await service.client.get('/openapi.json');
    const narrow = {
      reader: service.as(await service.newKey('default', ['finance:read', 'audit:read'])),
      writer: service.as(await service.newKey('default', ['commands:write'])),
      stranger: service.as('pk_00000000-0000-5000-8000-000000000000_'.padEnd(83, 'A')),
    };
    const published = await publishPlan(service.client, 'published');
    const fuzz = new Fuzz(service, published, document, narrow, o.seed);
    let said = 0;
    const worker = async () => {
      while (fuzz.requests < o.requests && seconds() < o.maxSeconds && fuzz.violations.length < 20) {
        await fuzz.one();
        if (Math.floor(fuzz.requests / 1_000) > said) {
          said = Math.floor(fuzz.requests / 1_000);
          o.say(`${fuzz.requests} requests, ${Math.round(seconds())} s, ${fuzz.missing().length} outcomes left`);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    const aiming = (round: number) => round < 60 || seconds() < o.maxSeconds;
    for (let round = 0; aiming(round) && fuzz.missing().length > 0 && fuzz.violations.length < 20; round += 1)
      await fuzz.aim();
    const audit = await runToEnd('apps/standalone/src/audit.js', ['verify'], service.surroundings);
    if (audit.code !== 0) fuzz.violations.push(`audit verify ended with ${audit.code}\n${audit.output.slice(-4_000)}`);
    return {
      requests: fuzz.requests,
      seconds: seconds(),
      reached: fuzz.reached / fuzz.requests,
      outcomes: fuzz.outcomes,
      missing: fuzz.missing(),
      violations: fuzz.violations,
    };
  } finally {
    await service.stop();
  }
}

export function printableFuzzReport(report: FuzzReport, seed: number): string {
  const row = (name: string, value: string | number) => `${name.padEnd(40)} ${value}`;
  return [
    ...[...report.outcomes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${String(count).padStart(7)} ${name}`),
    row('seed', seed),
    row('requests', report.requests),
    row('seconds', Math.round(report.seconds)),
    row('reached a handler', `${(100 * report.reached).toFixed(1)} %`),
    row('documented outcomes never reached', report.missing.length),
    ...report.missing.map((each) => `MISSING ${each}`),
    row('violations', report.violations.length),
    ...report.violations.map((each) => `VIOLATION ${each}`),
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      'max-seconds': { type: 'string', default: '900' },
    },
  });
  const seed = Number(values.seed);
  await globalSetup();
  const report = await fuzzCampaign({
    requests: Number(values.requests),
    seed,
    maxSeconds: Number(values['max-seconds']),
    say: (line) => void process.stderr.write(`${line}\n`),
  }).finally(globalTeardown);
  process.stdout.write(`${printableFuzzReport(report, seed)}\n`);
  process.exit(report.violations.length + report.missing.length === 0 && report.reached >= 0.4 ? 0 : 1);
}

if (process.argv[1] === __filename) void main();
