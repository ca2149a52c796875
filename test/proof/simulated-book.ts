/**
 * A book of subscriptions that live for months as they would: started, changed, paused, canceled, voided, by HTTP commands against a
 * standalone whose clock is moved. At the end `audit verify` must be clean, a second calculator must come to every line, and what was
 * invoiced less what was credited must be what was asked for:
 * `npm run check:book -- [--subscriptions 1000] [--months 24] [--seed 1] [--max-seconds 7200]`.
 * Needs dist/. Ends with 1 when anything differs, or when a command, rule or refusal never occurred.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import {
  domainErrors,
  presets,
  subscriptionType,
  type BillingRules,
  type DomainErrorCode,
} from '@perennial/billing-domain';
import { Service } from '../support/app';
import globalSetup from '../support/global-setup';
import globalTeardown from '../support/global-teardown';
import { runToEnd } from '../support/processes';
import { Random } from '../support/random';
import { auditBook, type BookFindings } from './book-audit';
import { anything, askings, newSubscription, planTerms, type Call, type Known } from './book-callers';

export interface BookCampaign {
  readonly subscriptions: number;
  readonly months: number;
  readonly seed: number;
  readonly maxSeconds: number;
  readonly say: (line: string) => void;
}

export interface BookReport extends BookFindings {
  readonly seconds: number;
  /** `command outcome` → how often; the outcome is `done`, `nothing to do`, or a refusal's code. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly refusals: ReadonlyMap<string, number>;
  /** Commands, lines, prices, rules and refusals that never occurred. */
  readonly missing: readonly string[];
  readonly violations: readonly string[];
}

/** Refusals that no caller of a book can meet over HTTP, and why. */
const unmet: Partial<Record<DomainErrorCode, string>> = {
  ...of('a handler meets it', ['boundary-due', 'usage-not-sealed', 'usage-sealed', 'usage-terms-differ']),
  ...of('a policy meets it', ['bill-below-zero', 'bill-not-below-zero', 'bill-not-found', 'bill-without-lines']),
  ...of('it needs more than a book holds', ['billing-period-full', 'plan-full', 'usage-out-of-range', 'coupon-busy']),
  ...of('the request is refused before it', [
    ...(['invalid-amount', 'invalid-decimal', 'invalid-instant', 'invalid-date', 'date-out-of-range'] as const),
    ...(['negative-amount', 'invalid-text', 'invalid-metadata', 'invalid-payment-terms', 'currency-mismatch'] as const),
    ...(['not-available', 'invalid-usage-record'] as const),
  ]),
  ...of('a read gives it', ['credit-note-not-found', 'customer-balance-not-found']),
  ...of('the keys of the API are no part of a book', ['api-key-not-found', 'api-key-exists']),
};

function of(why: string, codes: readonly DomainErrorCode[]): Partial<Record<DomainErrorCode, string>> {
  return Object.fromEntries(codes.map((code) => [code, why]));
}

const refusals = (Object.keys(domainErrors) as DomainErrorCode[]).filter((code) => !(code in unmet));

/** What the second calculator must have met. */
const seen = [
  ...['recurring', 'usage', 'correction', 'one-time', 'minimum', 'maximum', 'discount'].map((kind) => `line ${kind}`),
  ...['flat', 'per-unit', 'graduated', 'volume', 'package', 'percentage', 'graduated-percentage'].map(
    (model) => `price ${model}`,
  ),
  ...['start', 'boundary', 'change', 'pause', 'resume', 'final', 'rebill'].map((cause) => `bill ${cause}`),
  ...['sum', 'count', 'max', 'latest', 'unique-count', 'weighted-sum'].map((each) => `meter ${each}`),
  ...new Set(
    Object.values<BillingRules>(presets).flatMap((rules) =>
      Object.entries(rules).map((rule) => `rule ${rule.join(' ')}`),
    ),
  ),
  ...['re-rate', 'billed', 'current-price'].map((basis) => `credit ${basis}`),
  ...['fee given back', 'every 2', 'every 3'],
  ...Object.keys(subscriptionType.catalog).map((type) => `event ${type}`),
];

/** What can be asked for over HTTP that changes anything, by the service's own document. */
const writes = Object.entries(
  (JSON.parse(readFileSync(join(__dirname, '../../docs/openapi.json'), 'utf8')) as { paths: Record<string, object> })
    .paths,
).flatMap(([path, operations]) =>
  Object.keys(operations)
    .filter((method) => method !== 'get' && !/api-keys|test-clock/.test(path))
    .map((method) => ({
      name: `${method.toUpperCase()} ${path}`,
      pattern: new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`),
    })),
);

/** What became of one of a batch. */
interface Answered {
  readonly result?: string;
  readonly outcome?: string;
  readonly code?: string;
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

const DAY = 86_400_000;
/** Requests in flight at a time. */
const IN_FLIGHT = 32;

class Book {
  readonly outcomes = new Map<string, number>();
  readonly refused = new Map<string, number>();
  readonly violations: string[] = [];
  /** `METHOD path` as the document has it, of what was done. */
  readonly routes = new Set<string>();
  readonly known: Known;
  private keys = 0;

  constructor(
    private readonly service: Service,
    private readonly o: BookCampaign,
  ) {
    const random = new Random(o.seed);
    this.known = {
      random,
      now: Date.UTC(2024, 0, 1),
      serial: 0,
      customers: [],
      lastCustomer: '',
      contracts: [],
      invoices: [],
      drafts: [],
      plans: [],
      planIds: [],
      coupons: [],
    };
  }

  /** Moves time in uneven steps, with so many commands in each that a subscription gets about one and a half a month. */
  async live(): Promise<void> {
    const { o, known } = this;
    const end = known.now + o.months * 30.5 * DAY;
    const began = performance.now();
    await this.moveTo(known.now);
    await this.all(
      Array.from({ length: Math.max(3, Math.ceil(o.subscriptions / 20)) }, () => () => this.newCustomer()),
    );
    for (let n = 0; n < 5; n += 1) await this.newPlan(n);
    const starting = Math.max(1, Math.ceil(o.subscriptions / Math.max(1, o.months * 2)));
    while (known.now < end && performance.now() - began < o.maxSeconds * 1_000) {
      const missing = o.subscriptions - known.contracts.length;
      const late = known.now > end - o.months * 10 * DAY;
      const starts = Math.min(
        missing,
        known.contracts.length === 0 ? Math.ceil(o.subscriptions / 3) : late ? missing : starting,
      );
      await this.all(Array.from({ length: starts }, () => () => this.start()));
      const days = known.random.between(2, 14);
      const commands = Math.ceil((known.contracts.length * days) / 20);
      await this.learnInvoices();
      await this.all(Array.from({ length: commands }, () => () => this.command()));
      await this.moveTo(Math.min(end, known.now + days * DAY + known.random.between(0, DAY)));
      if (known.random.chance(0.3)) await this.overtake();
      if (known.random.chance(0.15)) await this.runAway();
      // At most steps the scheduler is waited for; at the others commands meet boundaries before it does.
      if (known.random.chance(0.7)) await this.settle();
      o.say(
        `${new Date(known.now).toISOString().slice(0, 10)}: ${known.contracts.length} subscriptions, ${this.keys} commands, ${Math.round((performance.now() - began) / 1000)} s`,
      );
    }
    await this.settle();
  }

  private async all(tasks: readonly (() => Promise<void>)[]): Promise<void> {
    const waiting = tasks.values();
    const worker = async () => {
      for (const task of waiting) await task();
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  }

  private async send(call: Call): Promise<{ status: number; body: Record<string, unknown> }> {
    const key = `book-${(this.keys += 1)}`;
    const ask = () => this.service.client.ask(call.method, call.path, { body: call.body, key, timeoutMs: 120_000 });
    let { status, body } = await ask();
    // A busy machine: the same key again, as the answer says.
    for (let n = 0; status === 503 && n < 5; n += 1) {
      count(this.outcomes, `again after ${body?.code}`);
      await delay(1_000);
      ({ status, body } = await ask());
    }
    const answers = (body?.records ?? []) as readonly Answered[];
    const done = body?.events?.length > 0 || answers.length > 0;
    count(this.outcomes, `${call.name} ${status >= 300 ? body?.code : done ? 'done' : 'nothing to do'}`);
    for (const { result, outcome, code } of answers) count(this.outcomes, `record ${code ?? result ?? outcome}`);
    for (const { code } of [body as { code?: string }, ...answers]) if (code !== undefined) count(this.refused, code);
    if (status < 300) this.routes.add(this.routeOf(call));
    if (status >= 500 || status === 429)
      this.violations.push(
        `${call.method} ${call.path} ${JSON.stringify(call.body)}: ${status} ${JSON.stringify(body)}\n${this.service.program.log.slice(-3_000)}`,
      );
    return { status, body };
  }

  private routeOf({ method, path }: Call): string {
    return writes.find(({ name, pattern }) => name.startsWith(`${method} `) && pattern.test(path))?.name ?? path;
  }

  private async newCustomer(): Promise<void> {
    const { known } = this;
    const externalId = `customer-${(known.serial += 1)}`;
    const body = {
      externalId,
      currency: 'USD',
      timeZone: 'UTC',
      personal: { billTo: { name: `Customer ${externalId}` }, contacts: [{ email: `${externalId}@example.com` }] },
    };
    const { status, body: answer } = await this.send({
      name: 'create-customer',
      method: 'POST',
      path: '/v1/customers',
      body,
    });
    if (status !== 201) return;
    known.customers.push(String(answer['id']));
    known.lastCustomer = externalId;
  }

  /** A plan with two versions; the last one is for whoever archives. */
  private async newPlan(n: number): Promise<void> {
    const { known } = this;
    const externalId = `plan-${n}`;
    const make = (name: string, path: string, body?: object, method: Call['method'] = 'POST') =>
      this.send({ name, method, path: `/v1/plans${path}`, ...(body && { body }) });
    const { body } = await make('create-plan', '', { externalId, name: `Plan ${n}` });
    const id = String(body['id']);
    for (const version of [1, 2]) {
      const terms = planTerms(known.random);
      await make('draft-plan-version', `/${id}/versions/${version}`, terms, 'PUT');
      const { status, body: answer } = await make('publish-plan-version', `/${id}/versions/${version}/publish`);
      if (status !== 200) this.violations.push(`a plan was refused: ${JSON.stringify([terms, answer])}`);
    }
    known.planIds.push(id);
    if (n < 4) known.plans.push(externalId);
  }

  private async start(): Promise<void> {
    const call = newSubscription(this.known);
    const { status, body } = await this.send(call);
    const { externalId, zone } = call;
    if (status === 201)
      this.known.contracts.push({ id: String(body['id']), externalId, zone, ended: false, lineItems: [], usage: [] });
    else this.violations.push(`a start was refused: ${JSON.stringify(call.body)} ${JSON.stringify(body)}`);
  }

  private async command(): Promise<void> {
    const { of, ...call } = anything(this.known);
    const { status, body } = await this.send(call);
    if (body?.['code'] === 'subscription-canceled') of.ended = true;
    if (call.name === 'create-coupon' && status === 201)
      this.known.coupons.push({ code: (call.body as { code: string }).code, id: String(body['id']) });
  }

  /** Somebody's loop changes one thing to and fro, until the service will not bill it any more; then it is looked at. */
  private async runAway(): Promise<void> {
    const { known } = this;
    const of = known.random.pick(known.contracts);
    const on = (name: string, rest: string, body?: object) =>
      this.send({ name, method: 'POST', path: `/v1/subscriptions/${of.id}/${rest}`, ...(body && { body }) });
    const item = { itemId: 'loop', componentKey: 'loop', description: 'Loop', timing: 'advance' };
    for (let n = 0; n < 60; n += 1) {
      const price = { model: 'flat', unitPrice: n % 2 === 0 ? '100' : '200' };
      const edits = [{ kind: 'put', item: { ...item, price } }];
      const { body } = await on('run-away', 'changes', { edits, billing: 'now' });
      if (body['code'] !== undefined) break;
    }
    await on('release-hold', 'release-hold');
    for (const { code } of known.coupons.slice(-9)) await on('apply-coupon', 'coupons', { code });
    await on('run-away', 'changes', { edits: [{ kind: 'remove', itemId: 'loop' }], billing: 'now' });
  }

  private async learnInvoices(): Promise<void> {
    const { known } = this;
    const of = known.contracts.length > 0 ? known.random.pick(known.contracts) : undefined;
    if (!of) return;
    const { body } = await this.service.client.get(`/v1/invoices?subscriptionId=${of.id}&limit=20`);
    for (const { invoiceId } of (body.items ?? []) as { invoiceId: string }[]) known.invoices.push(invoiceId);
    known.invoices.splice(0, Math.max(0, known.invoices.length - 200));
    const drafts = await this.service.client.get('/v1/invoices?status=draft&limit=20');
    known.drafts.splice(0, known.drafts.length);
    for (const { invoiceId } of (drafts.body.items ?? []) as { invoiceId: string }[]) known.drafts.push(invoiceId);
  }

  /** Rolls over by hand what is due, while the scheduler does the same. */
  private async overtake(): Promise<void> {
    const { body } = await this.service.client.get('/v1/due-billing-periods?limit=5');
    const due = (body.items ?? []) as { subscriptionId: string; periodNumber: number }[];
    await this.all(
      due.map(({ subscriptionId, periodNumber }) => async () => {
        const path = `/v1/subscriptions/${subscriptionId}/roll-over`;
        await this.send({ name: 'roll-over', method: 'POST', path, body: { periodNumber } });
      }),
    );
  }

  private async moveTo(time: number): Promise<void> {
    this.known.now = time;
    await this.service.setClock(new Date(time).toISOString());
  }

  /** Waits until nothing is due; what is held is released. */
  private async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      const { body } = await this.service.client.get('/v1/due-billing-periods?limit=50');
      const items = (body.items ?? []) as { subscriptionId: string; held: boolean }[];
      const due = items.length;
      for (const { subscriptionId } of items.filter(({ held }) => held)) {
        const path = `/v1/subscriptions/${subscriptionId}/release-hold`;
        await this.send({ name: 'release-hold', method: 'POST', path });
      }
      quiet = due === 0 ? quiet + 1 : 0;
      await delay(due === 0 ? 60 : 250);
    }
  }
}

/** Lives the book on a standalone of its own, and works out what became of it. */
export async function bookCampaign(o: BookCampaign): Promise<BookReport> {
  const service = await Service.start();
  const started = performance.now();
  try {
    const book = new Book(service, o);
    await book.live();
    const { surroundings } = service;
    let findings: BookFindings;
    let bills = -1;
    // Policies are at work for a moment longer: until every bill is a document, or nothing moves any more.
    for (;;) {
      findings = await auditBook(surroundings['EVENTSTORE_URL'] ?? '', surroundings['STREAM_PREFIX'] ?? '');
      const made = findings.invoices + findings.creditNotes;
      if (made >= findings.bills || made === bills) break;
      bills = made;
      o.say(`${made} of ${findings.bills} bills have become documents`);
      await delay(1_500);
    }
    o.say('audit verify');
    const audit = await runToEnd('apps/standalone/src/audit.js', ['verify'], surroundings, 1_800_000);
    const violations = [...book.violations];
    if (audit.code !== 0) violations.push(`audit verify ended with ${audit.code}\n${audit.output.slice(-4_000)}`);
    violations.push(...findings.differences);
    const done = new Set(
      [...book.outcomes.keys()].filter((each) => each.endsWith(' done')).map((each) => each.split(' ')[0]),
    );
    const missing = [
      ...usual.filter((name) => !done.has(name)).map((name) => `command ${name}`),
      ...writes.filter(({ name }) => !book.routes.has(name)).map(({ name }) => `route ${name}`),
      ...seen.filter((what) => !findings.counts.has(what)),
      ...refusals.filter((code) => !book.refused.has(code)).map((code) => `refusal ${code}`),
    ];
    return {
      ...findings,
      seconds: (performance.now() - started) / 1_000,
      outcomes: book.outcomes,
      refusals: book.refused,
      missing,
      violations,
    };
  } finally {
    await service.stop();
  }
}

/** Askings that are meant to be done; the rest are there to be refused. */
const usual = Object.keys(askings).slice(0, Object.keys(askings).indexOf('start-again'));

export function printableBookReport(report: BookReport, o: Pick<BookCampaign, 'seed' | 'months'>): string {
  const row = (name: string, value: string | number) => `${name.padEnd(40)} ${value}`;
  const listed = (counts: ReadonlyMap<string, number>) =>
    [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${String(count).padStart(8)} ${name}`);
  return [
    ...listed(report.outcomes),
    '',
    ...listed(report.refusals),
    '',
    ...listed(report.counts),
    '',
    row('seed', o.seed),
    row('months', o.months),
    row('subscriptions', report.subscriptions),
    row('events', report.events),
    row('bills', report.bills),
    row('lines recomputed', report.lines),
    row('invoices', report.invoices),
    row('credit notes', report.creditNotes),
    ...Object.entries(report.totals).map(([currency, { invoiced, credited, asked }]) =>
      row(`${currency} invoiced − credited = asked`, `${invoiced} − ${credited} = ${asked}`),
    ),
    row('seconds', Math.round(report.seconds)),
    ...report.missing.map((each) => `MISSING ${each}`),
    row('violations', report.violations.length),
    ...report.violations.slice(0, 50).map((each) => `VIOLATION ${each}`),
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      subscriptions: { type: 'string', default: '1000' },
      months: { type: 'string', default: '24' },
      seed: { type: 'string', default: '1' },
      'max-seconds': { type: 'string', default: '7200' },
    },
  });
  const o = {
    subscriptions: Number(values.subscriptions),
    months: Number(values.months),
    seed: Number(values.seed),
    maxSeconds: Number(values['max-seconds']),
    say: (line: string) => void process.stderr.write(`${line}\n`),
  };
  await globalSetup();
  const report = await bookCampaign(o).finally(globalTeardown);
  process.stdout.write(`${printableBookReport(report, o)}\n`);
  process.exit(report.violations.length + report.missing.length === 0 ? 0 : 1);
}

if (process.argv[1] === __filename) void main();
