import { createHash, randomUUID } from 'node:crypto';
import {
  addLineItem,
  addLineItems,
  applyCredit,
  cancelNow,
  changeMetadata,
  changeQuantity,
  createCoupon,
  createCustomer,
  createPlan,
  creditNoteId,
  creditNoteType,
  CREDIT_NOTE_SERIES,
  customerBalanceId,
  customerBalanceType,
  customerType,
  couponType,
  defaultRules,
  DEFAULT_SERIES,
  draft,
  draftCreditNote,
  draftVersion,
  finalise,
  grant,
  grantCredit,
  invoiceId,
  invoiceNumbersType,
  invoiceType,
  issueCreditNote,
  planType,
  publishVersion,
  recordUsage,
  rollOver,
  sealUsage,
  start,
  subscriptionType,
  usageId,
  usagePeriod,
  usagePrices,
  usageRecord,
  usageType,
  voidLineItem,
  type Subscription,
} from '@perennial/billing-domain';
import { EventStore, type NewEvent } from '@perennial/event-sourcing';
import { Random } from '../support/random';
import { uuidOf } from '../support/stored-events';

interface Fact {
  readonly type: string;
  readonly data: object;
}

interface Aggregate<State, Event extends Fact> {
  readonly name: string;
  readonly initial: State;
  readonly evolve: (state: State, event: Event) => State;
}

/** What one command records in one stream, and when. */
interface Recorded {
  readonly aggregate: string;
  readonly id: string;
  readonly at: string;
  readonly events: readonly Fact[];
}

/** What happens to a customer with a subscription, in the order in which it does; a part of it is done in one go. */
type Story = readonly (readonly Recorded[])[];

const PERIODS = 12;
const TENANTS = 48;
const STORIES = 12;
const SEALED = Buffer.alloc(180, 'sealed personal data').toString('base64');
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const NUMBER = /"sequence":\d+,"number":"([A-Z]+)-\d+"/;

/**
 * Appends about `events` events that billing records: subscriptions of many tenants that live at the same time, with line
 * items, usage, roll-overs, invoices, credit notes and balances, made by the domain's own decisions for a few and told
 * again with ids of their own for all others. Resolves with how many there are and the log position of the last.
 */
export async function appendBillingHistory(
  store: EventStore,
  prefix: string,
  { events, seed }: { readonly events: number; readonly seed: number },
): Promise<{ events: number; head: bigint }> {
  const random = new Random(seed);
  const stories = Array.from({ length: STORIES }, (_, n) => story(n, random).map((part) => part.map(asText)));
  const average = stories.flat(2).reduce((sum, { count }) => sum + count, 0) / STORIES;
  const subscriptions = Math.max(TENANTS, Math.round(events / average));
  const parts = Math.max(...stories.map(({ length }) => length));
  const revisions = new Map<string, bigint>();
  const sequences = new Map<string, number>();
  let written = 0;
  let head = 0n;

  const append = async (recorded: Text, tenant: string, subscription: number) => {
    const own = recorded.aggregate === invoiceNumbersType.name || recorded.numbered ? tenant : undefined;
    const aggregateId =
      own && !recorded.numbered ? uuidOf(`${tenant} ${recorded.id}`) : idOf(recorded.id, subscription);
    let text = recorded.text.replace(UUID, (id) => idOf(id, subscription)).replaceAll('@@', String(subscription));
    const number = NUMBER.exec(text);
    if (number !== null) {
      const series = `${tenant} ${number[1]}`;
      const granting = recorded.aggregate === invoiceNumbersType.name;
      const sequence = (sequences.get(series) ?? 0) + (granting ? 1 : 0);
      sequences.set(series, sequence);
      const padded = String(sequence).padStart(6, '0');
      text = text.replace(NUMBER, `"sequence":${sequence},"number":"${number[1]}-${padded}"`);
    }
    const stream = `${prefix}.${recorded.aggregate}-${aggregateId}`;
    const key = randomUUID();
    const batch = (JSON.parse(text) as Fact[]).map((fact): NewEvent => {
      const id = randomUUID();
      return { id, ...fact, metadata: envelope(recorded.at, tenant, key, id) };
    });
    const before = revisions.get(stream);
    const appended = await store.append(stream, batch, before ?? 'no_stream');
    revisions.set(stream, appended.revision);
    written += batch.length;
    if (appended.position > head) head = appended.position;
  };

  // The appends of a tenant follow each other; those of different tenants share the store's commits.
  const tell = async (lane: number) => {
    const tenant = `tenant-${lane}`;
    for (let part = 0; part < parts; part += 1)
      for (let subscription = lane; subscription < subscriptions; subscription += TENANTS)
        for (const recorded of stories[subscription % STORIES]?.[part] ?? [])
          await append(recorded, tenant, subscription);
  };
  await Promise.all(Array.from({ length: TENANTS }, (_, lane) => tell(lane)));
  return { events: written, head };
}

type Text = Omit<Recorded, 'events'> & { readonly text: string; readonly count: number; readonly numbered: boolean };

function asText({ events, ...recorded }: Recorded): Text {
  const text = JSON.stringify(events);
  const numbered = recorded.aggregate !== invoiceNumbersType.name && NUMBER.test(text);
  return { ...recorded, text, count: events.length, numbered };
}

/** The id that stands for a story's id in one subscription's telling of it. */
function idOf(id: string, subscription: number): string {
  const first = (Number.parseInt(id.slice(0, 8), 16) ^ Math.imul(subscription + 1, 0x9e3779b1)) >>> 0;
  return first.toString(16).padStart(8, '0') + id.slice(8);
}

function envelope(recordedAt: string, tenant: string, key: string, id: string) {
  const sha256 = createHash('sha256').update(id).digest('hex');
  return {
    version: 1,
    recordedAt,
    tenant,
    key,
    fingerprint: sha256,
    principal: 'api-key:bench',
    correlationId: key,
    hash: sha256,
  };
}

/** Twelve months of a customer and its subscription; every story has its own prices and its own turns. */
function story(n: number, random: Random): Story {
  const parts: Recorded[][] = [];
  let part: Recorded[] = [];
  let now = '2026-01-05T09:00:00.000Z';
  const next = () => {
    if (part.length > 0) parts.push(part);
    part = [];
  };
  const record = <State, Event extends Fact>(
    { name, evolve }: Aggregate<State, Event>,
    id: string,
    state: State,
    events: readonly Event[],
  ): State => {
    if (events.length > 0) part.push({ aggregate: name, id, at: now, events });
    return events.reduce((before, event) => evolve(before, event), state);
  };

  const customer = uuidOf(`customer ${n}`);
  const id = uuidOf(`subscription ${n}`);
  const terms = { currency: 'EUR', timeZone: 'Europe/Berlin', paymentTermsDays: 14 };
  const created = createCustomer(
    customerType.initial,
    { ...terms, customerId: customer, externalId: 'customer @@', metadata: { region: 'eu', tier: `t${n % 3}` } },
    now,
  ).map((event) => ({
    ...event,
    data: {
      ...event.data,
      personal: { subject: customer, of: `customer-${customer}/CustomerCreated`, sealed: SEALED },
    },
  }));
  part.push({ aggregate: customerType.name, id: customer, at: now, events: created });
  if (n === 0) shelf(now, record);

  const meter = { key: 'calls', event: 'api-call', aggregation: 'sum', valueProperty: 'calls' } as const;
  let subscription: Subscription = subscriptionType.initial;
  let numbers = invoiceNumbersType.initial;
  let balance = customerBalanceType.initial;
  const metered = n % 2 === 0;
  const decide = (events: ReturnType<typeof start>) => {
    subscription = record(subscriptionType, id, subscription, events);
    for (const { type, data } of events) if (type === 'LinesBilled') billed(data);
  };
  const billed = (bill: Parameters<typeof draft>[1]) => {
    const net = BigInt(bill.net);
    if (bill.lines.length === 0) return;
    const series = net < 0n ? CREDIT_NOTE_SERIES : DEFAULT_SERIES;
    const number = (document: string) => {
      const granted = grant(numbers, { series, invoiceId: document }, now);
      numbers = record(invoiceNumbersType, uuidOf(`numbers ${series}`), numbers, granted);
      const [first] = granted;
      if (first === undefined) throw new Error('no number');
      const { sequence, number: text } = first.data as { sequence: number; number: string };
      return { series, sequence, number: text };
    };
    const balances = customerBalanceId('default', customer, 'EUR');
    if (net < 0n) {
      const note = creditNoteId(id, bill.billNumber);
      const drafted = record(
        creditNoteType,
        note,
        creditNoteType.initial,
        draftCreditNote(creditNoteType.initial, bill),
      );
      record(creditNoteType, note, drafted, issueCreditNote(drafted, number(note), now));
      const granted = { customerId: customer, currency: 'EUR', amount: (-net).toString(), creditNoteId: note };
      balance = record(customerBalanceType, balances, balance, grantCredit(balance, granted, now));
      return;
    }
    const invoice = invoiceId(id, bill.billNumber);
    const drafted = record(invoiceType, invoice, invoiceType.initial, draft(invoiceType.initial, bill));
    const use = { customerId: customer, currency: 'EUR', amount: bill.net, invoiceId: invoice };
    const used = applyCredit(balance, use, now);
    balance = record(customerBalanceType, balances, balance, used);
    const personal = { subject: customer, of: `invoice-${invoice}/InvoiceFinalised`, sealed: SEALED };
    const applied = (used[0]?.data as { amount?: string } | undefined)?.amount;
    record(invoiceType, invoice, drafted, finalise(drafted, number(invoice), now, applied, personal));
  };

  decide(
    start(
      subscription,
      {
        subscriptionId: id,
        ...(n % 4 !== 3 && { externalId: 'contract @@' }),
        customerId: 'customer @@',
        ...terms,
        interval: { unit: 'month', count: 1 },
        item: { description: 'Seats', unitPrice: String(900 + 100 * n), quantity: String(1 + n), timing: 'advance' },
        items: [
          { componentKey: 'support', description: 'Support', unitPrice: '4900', timing: 'advance' },
          ...(metered
            ? [
                {
                  componentKey: 'calls',
                  kind: 'usage',
                  meter,
                  description: 'API calls',
                  unitPrice: '0.02',
                  timing: 'arrears',
                } as const,
              ]
            : []),
        ],
        metadata: { channel: n % 2 ? 'web' : 'sales', ref: `R-${n}` },
      },
      now,
    ),
  );
  next();

  let usage = usageType.initial;
  for (let period = 1; period <= PERIODS; period += 1) {
    const open = subscription.status === 'none' ? null : subscription.openPeriod;
    if (subscription.status === 'none' || !open) break;
    const began = Date.parse(open.startsAt);
    const moment = (day: number) => (now = new Date(began + day * 86_400_000 + 1_000 * n).toISOString());
    const item = (m: number) => ({
      lineItemId: `order-${period}-${m}`,
      description: `Order ${period}-${m} of widgets`,
      quantity: String(random.between(1, 9)),
      unitPrice: String(random.between(100, 9_999)),
      metadata: { order: `O-${period}-${m}` },
    });
    for (let m = 0; m < 4; m += 1) {
      moment(2 + 4 * m);
      decide(addLineItem(subscription, item(m), now));
      next();
      if (!metered || m % 2 === 1) continue;
      const terms = usagePeriod(subscription, open.periodNumber, 1);
      const records = Array.from({ length: 10 }, (_, r) =>
        usageRecord({
          id: `rec-@@-${period}-${m}-${r}`,
          event: 'api-call',
          at: now,
          value: String(random.between(1, 500)),
          properties: { calls: String(random.between(1, 500)), route: '/v1/things' },
        }),
      );
      const memory = { records: new Map(), values: new Set<string>() };
      const { events } = recordUsage(usage, { records, period: terms, prices: usagePrices(subscription) }, memory, now);
      usage = record(usageType, usageId('default', id, open.periodNumber), usage, events);
      next();
    }
    if (period % 3 === 1) {
      decide(addLineItems(subscription, [item(10), item(11), item(12)], [undefined, undefined, undefined], now));
      next();
    }
    if (n % 4 === 1) decide(voidLineItem(subscription, `order-${period}-0`, now));
    if (period === 5) decide(changeMetadata(subscription, { note: `changed ${n}` }, now));
    if (n % 3 === 0 && period % 4 === 2) {
      const quantity = String(random.between(1, 20));
      decide(changeQuantity(subscription, { itemId: 'base', quantity, billing: 'now' }, now));
    }
    next();
    if (n === 7 && period === 8) {
      decide(cancelNow(subscription, { credit: 'prorated' }, now));
      next();
      break;
    }
    now = new Date(Date.parse(open.endsAt) + 1_000 * (n + 1)).toISOString();
    if (metered) {
      const usages = usageId('default', id, open.periodNumber);
      const terms = usagePeriod(subscription, open.periodNumber, 1);
      if (terms === undefined) throw new Error('no terms of usage');
      const sealed = sealUsage(usage, terms, [], now);
      record(usageType, usages, usage, sealed);
      usage = usageType.initial;
      const last = sealed.at(-1);
      if (last?.type !== 'UsageSealed') throw new Error('not sealed');
      decide(rollOver(subscription, open.periodNumber, now, last.data));
    } else decide(rollOver(subscription, open.periodNumber, now));
    next();
  }
  return parts;
}

/** A plan and a coupon. */
function shelf(
  now: string,
  record: <State, Event extends Fact>(
    type: Aggregate<State, Event>,
    id: string,
    state: State,
    events: readonly Event[],
  ) => State,
): void {
  const planId = uuidOf('plan');
  const plan = record(
    planType,
    planId,
    planType.initial,
    createPlan(planType.initial, { planId, externalId: 'plan @@', name: 'Plan' }, now),
  );
  const drafted = record(
    planType,
    planId,
    plan,
    draftVersion(
      plan,
      1,
      {
        interval: { unit: 'month', count: 1 },
        currencies: ['EUR'],
        rules: defaultRules,
        components: [
          {
            componentKey: 'base',
            description: 'Seats',
            kind: 'recurring',
            timing: 'advance',
            every: 1,
            prices: { EUR: { model: 'flat', unitPrice: '900' } },
            taxCode: null,
            taxBehaviour: 'unspecified',
            discountable: true,
          },
        ],
      },
      now,
    ),
  );
  record(planType, planId, drafted, publishVersion(drafted, 1, now));
  const couponId = uuidOf('coupon');
  const discount = { kind: 'percentage', percent: '10' } as const;
  const offer = createCoupon(couponType.initial, { couponId, code: 'TEN', description: 'Ten off', discount }, now);
  record(couponType, couponId, couponType.initial, offer);
}
