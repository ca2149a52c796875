import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { apiKeyType, createApiKey, revokeApiKey } from './api-key/api-key';
import type { ApiKeyEvent } from './api-key/events';
import {
  archiveCoupon,
  couponType,
  createCoupon,
  redeem,
  releaseRedemption,
  reserveRedemption,
  type Coupon,
} from './coupon/coupon';
import type { CouponEvent, CouponOffer } from './coupon/events';
import { grant, invoiceNumbersType } from './invoice-numbers/invoice-numbers';
import { creditNoteType, draftCreditNote, issueCreditNote, type CreditNote } from './credit-note/credit-note';
import type { CreditNoteEvent } from './credit-note/events';
import {
  applyCredit,
  customerBalanceType,
  grantCredit,
  returnCredit,
  type CustomerBalance,
} from './customer-balance/customer-balance';
import type { CustomerBalanceEvent } from './customer-balance/events';
import { changeCustomer, createCustomer, customerType, eraseCustomer, type Customer } from './customer/customer';
import type { CustomerEvent } from './customer/events';
import {
  changeInvoiceMetadata,
  draft,
  finalise,
  invoiceType,
  requestFinalisation,
  voidInvoice,
  type Invoice,
} from './invoice/invoice';
import { presets } from './billing-rules';
import type { PlanEvent, PlanTerms } from './plan/events';
import { archiveVersion, createPlan, draftVersion, planType, publishVersion, type Plan } from './plan/plan';
import { startOn, type Decision } from './subscription/decisions.fixture';
import { releaseHold } from './subscription/guard';
import { releaseBill } from './subscription/release-bill';
import { applyCoupon, removeCoupon } from './subscription/apply-coupon';
import type { SubscriptionEvent } from './subscription/events';
import { subscriptionType } from './subscription/subscription-type';
import { addLineItems } from './subscription/add-line-items';
import { changeMetadata } from './subscription/change-metadata';
import { changeBillingCycle } from './subscription/change-billing-cycle';
import { changeTimeZone } from './subscription/change-time-zone';
import { changeItems, changeQuantity, undoScheduledChange } from './subscription/change-items';
import { cancelNow, scheduleCancellation, undoCancellation } from './subscription/cancel';
import { pause, resume, schedulePause, undoPause } from './subscription/pause';
import { changePeriods } from './subscription/start';
import { addLineItem, rollOver, voidLineItem } from './subscription/subscription';
import { billUsage } from './subscription/bill-usage';
import type { StartedSubscription, Subscription } from './subscription/state';
import { usagePeriod } from './subscription/usage-period';
import type { UsageEvent } from './usage/events';
import type { UsageRecord } from './usage/usage-record';
import { meter } from './usage/meter';
import { countLateUsage, recordUsage } from './usage/record-usage';
import { cutUsage, sealUsage } from './usage/seal-usage';
import { usageType, type Usage } from './usage/usage';

/*
 * Stored events are history. Each folder `history/` holds one golden file for every event type and version that was ever
 * written, and the state that one list of events gives for every version of the state. A golden file is never edited:
 * a new shape is a new version with an upcast, a changed fold is a new state version. WRITE_GOLDEN=1 writes those that
 * are missing, and only those.
 */

interface Event {
  readonly type: string;
  readonly data: object;
}

interface AggregateType {
  readonly name: string;
  readonly catalog: Readonly<Record<string, readonly ((data: unknown) => unknown)[]>>;
  readonly initial: unknown;
  readonly snapshot: { readonly version: number };
  readonly evolve: (state: never, event: never) => unknown;
}

const day = (n: number) => new Date(Date.UTC(2026, 0, n, 9, 30)).toISOString();

const callsItem = {
  componentKey: 'calls',
  description: 'Calls',
  kind: 'usage',
  timing: 'arrears',
  meter: { key: 'calls', event: 'call', aggregation: 'sum', filters: [{ property: 'region', values: ['eu'] }] },
  price: { model: 'package', packageSize: '100', packagePrice: '295' },
} as const;
const tenOff: CouponOffer = {
  couponId: 'coupon-1',
  code: 'TEN',
  description: '10.00 off',
  discount: { kind: 'amount', amounts: { EUR: '1000', USD: '1100' } },
  periods: 3,
  componentKeys: ['seats'],
};

const decisions: Decision[] = [
  startOn(
    day(5),
    {
      externalId: 'acme-1',
      timeZone: 'Europe/Berlin',
      paymentTermsDays: 14,
      currency: 'EUR',
      interval: { unit: 'month', count: 1 },
      anchor: { localDateTime: '2025-12-31T00:00:00' },
      metadata: { tier: 'gold' },
    },
    { quantity: '3', unitPrice: '999.5', timing: 'arrears', taxCode: 'txcd_10000000', taxBehaviour: 'exclusive' },
  ),
  (s) =>
    addLineItem(
      s,
      {
        lineItemId: 'li-1',
        description: 'Set-up',
        unitPrice: '0.04',
        quantity: '12.5',
        discountable: false,
        metadata: { po: '7' },
      },
      day(6),
    ),
  (s) => addLineItem(s, { lineItemId: 'li-2', description: 'Typo', unitPrice: '100' }, day(7)),
  (s) =>
    addLineItem(
      s,
      {
        lineItemId: 'li-3',
        description: 'Licence',
        unitPrice: '5000',
        service: { from: '2026-01-07', to: '2027-01-07' },
      },
      day(7),
    ),
  (s) => voidLineItem(s, 'li-2', day(8)),
  (s) => scheduleCancellation(s, day(9)),
  (s) => undoCancellation(s, day(10)),
  (s) => schedulePause(s, day(10)),
  (s) => undoPause(s, day(10)),
  (s) => changePeriods(s, { periods: 24 }, day(10)),
  (s) => changeMetadata(s, { tier: null, owner: 'finance' }, day(10)),
  (s) => rollOver(s, 1, day(40)),
  (s) => pause(s, { credit: 'none' }, day(41)),
  (s) => resume(s, { anchor: 'keep' }, day(43)),
  (s) => addLineItem(s, { lineItemId: 'li-4', description: 'Support', unitPrice: '250' }, day(44)),
  (s) =>
    addLineItems(
      s,
      [
        { lineItemId: 'li-5', description: 'Hours', unitPrice: '12000', quantity: '0.25' },
        { lineItemId: 'li-4', description: 'Support', unitPrice: '1' },
      ],
      [undefined, 'other'],
      day(44),
    ),
  (s) => rollOver(s, 3, day(60)),
  (s) => changeQuantity(s, { itemId: 'base', quantity: '4' }, day(60)),
  (s) =>
    changeItems(
      s,
      {
        edits: [
          {
            kind: 'put',
            item: {
              componentKey: 'seats',
              description: 'Seats',
              quantity: '12',
              timing: 'advance',
              price: {
                model: 'graduated',
                tiers: [
                  { upTo: '10', unitPrice: '700', flatFee: '50' },
                  { upTo: null, unitPrice: '650.5' },
                ],
                minimum: '100',
              },
            },
          },
        ],
        billing: 'now',
      },
      day(60),
    ),
  (s) => changeItems(s, { edits: [{ kind: 'remove', itemId: 'seats' }], when: 'period-end' }, day(60)),
  (s) => undoScheduledChange(s, day(60)),
  (s) => changeBillingCycle(s, { anchor: { dayOfMonth: 15 }, edits: [] }, day(61)),
  (s) => pause(s, { credit: 'prorated' }, day(61)),
  (s) => resume(s, { anchor: 'restart' }, day(61)),
  (s) => changeItems(s, { edits: [{ kind: 'put', item: callsItem }] }, day(61)),
  (s) => releaseBill(s, { billNumber: 1, lines: [], rebill: false }, day(61)),
  (s) => applyCoupon(s, { reservationId: 'r-1', coupon: tenOff }, day(61)),
  (s) => applyCoupon(s, { reservationId: 'r-2', coupon: { ...tenOff, couponId: 'coupon-2' } }, day(61)),
  (s) => removeCoupon(s, 'coupon-2', day(61)),
  (s) => changeTimeZone(s, { timeZone: 'America/New_York' }, day(61)),
  (s) => changeTimeZone(s, { timeZone: 'Europe/Berlin' }, day(61)),
  () => [{ type: 'CurrencyChanged', data: { effectiveAt: day(61), currency: 'EUR' } }],
  () => [{ type: 'TimeZoneChanged', data: { effectiveAt: day(61), timeZone: 'Europe/London' } }],
  (s) => scheduleCancellation(s, day(61)),
  () => [
    {
      type: 'BillingHeld',
      data: {
        effectiveAt: day(61),
        reason: 'repeated-lines',
        count: 51,
        itemId: 'base',
        serviceFrom: '2026-03-02',
        period: { periodNumber: 6, endsAt: day(80) },
      },
    },
  ],
  (s) => releaseHold(s, day(62)),
  (s) => cancelNow(s, { credit: 'none' }, day(62)),
  (s) => {
    const { periodNumber } = (s as StartedSubscription).awaitsUsage!;
    const meters = [{ meter: 'calls', records: 3, quantity: '120.5' }];
    const segments = usagePeriod(s as StartedSubscription, periodNumber, 0)!.segments.map(({ from }) => ({
      from,
      meters,
    }));
    const sealed = { subscriptionId: 's-1', periodNumber, startsAt: day(61), to: day(62), segments, carried: [] };
    return billUsage(s, periodNumber, sealed, day(62));
  },
];

function decideAll(): SubscriptionEvent[] {
  let state: Subscription = subscriptionType.initial;
  return decisions.flatMap((decide) => {
    const events = decide(state);
    state = events.reduce<Subscription>(subscriptionType.evolve, state);
    return events;
  });
}

const subscriptionEvents = decideAll();
const bill = subscriptionEvents.find((event) => event.type === 'LinesBilled');
if (!bill) throw new Error('no bill in the scenario');
const granted = grant(invoiceNumbersType.initial, { series: 'INV', invoiceId: 'i-1' }, day(41));
const drafted = draft(invoiceType.initial, bill.data);
const requested = requestFinalisation(
  draft(invoiceType.initial, { ...bill.data, autoFinalise: false }).reduce<Invoice>(
    invoiceType.evolve,
    invoiceType.initial,
  ),
  day(41),
);
const finalised = finalise(drafted.reduce<Invoice>(invoiceType.evolve, invoiceType.initial), granted[0]!.data, day(41));
const voided = voidInvoice(
  [...drafted, ...finalised].reduce<Invoice>(invoiceType.evolve, invoiceType.initial),
  { rebill: true, reason: 'Wrong customer' },
  day(42),
);
const noted = changeInvoiceMetadata(
  drafted.reduce<Invoice>(invoiceType.evolve, invoiceType.initial),
  { po: '7' },
  day(42),
);
const below = subscriptionEvents.find((event) => event.type === 'LinesBilled' && event.data.net.startsWith('-'));
if (below?.type !== 'LinesBilled') throw new Error('no bill below zero in the scenario');
const creditEvents: CreditNoteEvent[] = draftCreditNote(creditNoteType.initial, below.data);
const credit = creditEvents.reduce<CreditNote>(creditNoteType.evolve, creditNoteType.initial);
creditEvents.push(...issueCreditNote(credit, { series: 'CN', sequence: 1, number: 'CN-000001' }, day(62)));
const balanceEvents: CustomerBalanceEvent[] = [];
let balance: CustomerBalance = customerBalanceType.initial;
for (const decide of [
  (s: CustomerBalance) =>
    grantCredit(s, { customerId: 'c-1', currency: 'EUR', amount: '500', creditNoteId: 'cn-1' }, day(62)),
  (s: CustomerBalance) =>
    applyCredit(s, { customerId: 'c-1', currency: 'EUR', amount: '200', invoiceId: 'i-1' }, day(63)),
  (s: CustomerBalance) =>
    returnCredit(s, { customerId: 'c-1', currency: 'EUR', amount: '200', invoiceId: 'i-1' }, day(64)),
]) {
  const made = decide(balance);
  balanceEvents.push(...made);
  balance = made.reduce(customerBalanceType.evolve, balance);
}
const usageMeters = [
  { meter: meter({ key: 'calls', aggregation: 'sum', valueProperty: 'n' }), first: 1 },
  { meter: meter({ key: 'people', event: 'calls', aggregation: 'unique-count', uniqueProperty: 'user' }) },
  { meter: meter({ key: 'level', aggregation: 'weighted-sum', carry: true }) },
  { meter: meter({ key: 'last', event: 'level', aggregation: 'latest' }) },
  { meter: meter({ key: 'top', event: 'level', aggregation: 'max' }) },
];
const usageOf = (cuts: readonly string[], knownAt: number) => ({
  subscriptionId: 's-1',
  periodNumber: 1,
  startsAt: day(1),
  endsAt: day(31),
  whole: { from: day(1), to: day(31) },
  meters: usageMeters,
  segments: [day(1), ...cuts].map((from) => ({ from, meters: usageMeters.map(({ meter: { key } }) => key) })),
  knownAt,
});
const usageRecords: UsageRecord[] = [
  { id: 'r-1', event: 'calls', at: day(2), properties: { n: '2.5', user: 'anna' } },
  { id: 'r-2', event: 'level', at: day(3), value: '10' },
];
const nothingKnown = { records: new Map(), values: new Set<string>() };
const usageEvents: UsageEvent[] = [];
let usage: Usage = usageType.initial;
for (const decide of [
  (s: Usage) =>
    recordUsage(s, { records: usageRecords, period: usageOf([], 1), prices: {} }, nothingKnown, day(4)).events,
  (s: Usage) =>
    countLateUsage(
      s,
      { home: 0, records: [{ ...usageRecords[0]!, id: 'r-0' }], period: usageOf([], 1) },
      nothingKnown,
      day(5),
    ),
  (s: Usage) => cutUsage(s, usageOf([day(10)], 4), undefined, day(10)),
  (s: Usage) => sealUsage(s, usageOf([day(10)], 4), [], day(31)),
  (s: Usage) =>
    recordUsage(
      s,
      { records: [{ ...usageRecords[0]!, id: 'r-3' }], prices: {}, open: { ...usageOf([], 6), periodNumber: 2 } },
      nothingKnown,
      day(32),
    ).events,
]) {
  const made = decide(usage);
  usageEvents.push(...made);
  usage = made.reduce<Usage>(usageType.evolve, usage);
}
const planTerms: PlanTerms = {
  interval: { unit: 'month', count: 1 },
  currencies: ['EUR'],
  rules: presets['kill-bill'],
  components: [
    {
      componentKey: 'calls',
      description: 'Calls',
      kind: 'usage',
      timing: 'arrears',
      every: 1,
      meter: { key: 'api-calls', aggregation: 'sum' },
      prices: { EUR: { model: 'package', packageSize: '100', packagePrice: '295', freeUnits: '50' } },
      taxCode: null,
      taxBehaviour: 'exclusive',
      discountable: true,
    },
  ],
  minimum: { EUR: '1000' },
  trialDays: 14,
  minimumTermPeriods: 12,
  noticeDays: 30,
  usageGraceHours: 24,
};
const planEvents: PlanEvent[] = [];
let plan: Plan = planType.initial;
for (const decide of [
  (s: Plan) => createPlan(s, { planId: 'p-1', externalId: 'pro', name: 'Pro', metadata: { team: 'a' } }, day(1)),
  (s: Plan) => draftVersion(s, 1, planTerms, day(1)),
  (s: Plan) => publishVersion(s, 1, day(2)),
  (s: Plan) => archiveVersion(s, 1, day(3)),
]) {
  const made = decide(plan);
  planEvents.push(...made);
  plan = made.reduce(planType.evolve, plan);
}
/** As events stand in the store: their personal data sealed, by the codec's scheme of version 1, under thirty-two times "k". */
const SUBJECT = '5b6f6d0a-5d0f-5c0e-8f5a-3f1f0b8a4c11';
const sealedIn: Readonly<Record<string, string>> = {
  CustomerCreated:
    'r18S11tnKCvjvpR25dXcD-WLGpV6hYIqlLXDzg2KNyxLWvekW7RLf5Dn5ui3abBIa-L1JixtV-_XNSHjUAwXgjuPOi0PtwZwGjqaRw',
  CustomerChanged: 'wVp05f3DZ6CuJJhbilJNqzxg5vJXSaWnH9eYB2m6PDQkZIUyHLpEoIHEUnIF4rIwQAmHpfod_NT_Dtrx24NtgxhneJ6JrA',
};
const stored = <E extends Event>(event: E): E => {
  if (!('personal' in event.data)) return event;
  const of = `customer-${SUBJECT}/${event.type}`;
  return { ...event, data: { ...event.data, personal: { subject: SUBJECT, of, sealed: sealedIn[event.type] } } };
};
const customerEvents: CustomerEvent[] = [];
let customer: Customer = customerType.initial;
for (const decide of [
  (s: Customer) =>
    createCustomer(
      s,
      {
        customerId: SUBJECT,
        externalId: 'acme',
        currency: 'EUR',
        timeZone: 'Europe/Berlin',
        paymentTermsDays: 14,
        metadata: { crm: '7' },
        personal: { billTo: { name: 'Ada Lovelace' }, contacts: [] },
      },
      day(1),
    ),
  (s: Customer) =>
    changeCustomer(
      s,
      {
        currency: 'USD',
        timeZone: 'UTC',
        paymentTermsDays: 30,
        metadata: { crm: null },
        personal: { contacts: [{ email: 'ada@example.com' }] },
      },
      day(2),
    ),
  (s: Customer) => eraseCustomer(s, day(3)),
]) {
  const made = decide(customer).map(stored);
  customerEvents.push(...made);
  customer = made.reduce(customerType.evolve, customer);
}
const couponEvents: CouponEvent[] = [];
let coupon: Coupon = couponType.initial;
const reservation = { reservationId: 'r-1', subscriptionId: 's-1' };
for (const decide of [
  (s: Coupon) =>
    createCoupon(
      s,
      {
        couponId: 'coupon-1',
        code: 'spring',
        description: 'Spring sale',
        discount: { kind: 'amount', amounts: { USD: '1100', EUR: '1000' } },
        duration: { periods: 3 },
        componentKeys: ['seats'],
        maxRedemptions: 10,
        expiresAt: day(90),
        externalId: 'campaign-7',
        metadata: { team: 'a' },
      },
      day(1),
    ),
  (s: Coupon) => reserveRedemption(s, { ...reservation, reservedUntil: day(2) }, day(1)),
  (s: Coupon) => redeem(s, reservation, day(2)),
  (s: Coupon) => reserveRedemption(s, { ...reservation, reservationId: 'r-2', reservedUntil: day(4) }, day(3)),
  (s: Coupon) => releaseRedemption(s, { ...reservation, reservationId: 'r-2' }, day(5)),
  (s: Coupon) => archiveCoupon(s, day(6)),
]) {
  const made = decide(coupon);
  couponEvents.push(...made);
  coupon = made.reduce<Coupon>(couponType.evolve, coupon);
}
const newKey = {
  apiKeyId: 'k-1',
  tenant: 'default',
  name: 'finance',
  scopes: ['finance:read'] as const,
  secretHash: 'a'.repeat(64),
};
const keyEvents: ApiKeyEvent[] = createApiKey(apiKeyType.initial, newKey, day(1));
keyEvents.push(...revokeApiKey(apiKeyType.evolve(apiKeyType.initial, keyEvents[0]!), day(2)));

const aggregates: readonly (readonly [AggregateType, readonly Event[]])[] = [
  [subscriptionType, subscriptionEvents],
  [invoiceType, [...drafted, ...requested, ...finalised, ...voided, ...noted]],
  [creditNoteType, creditEvents],
  [customerBalanceType, balanceEvents],
  [couponType, couponEvents],
  [customerType, customerEvents],
  [invoiceNumbersType, granted],
  [apiKeyType, keyEvents],
  [planType, planEvents],
  [usageType, usageEvents],
];

function golden(file: string, value: unknown): unknown {
  if (process.env['WRITE_GOLDEN'] === '1' && !existsSync(file))
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

describe.each(aggregates.map(([aggregate, events]) => ({ name: aggregate.name, aggregate, events })))(
  'history of $name',
  ({ aggregate, events }) => {
    const folder = join(__dirname, aggregate.name, 'history');
    const lift = (type: string, version: number, data: object) =>
      (aggregate.catalog[type] ?? [])
        .slice(version - 1)
        .reduce<unknown>((lifted, upcast) => upcast(lifted), data) as object;

    it('has a golden file for every version of every event type, and none besides', () => {
      const versions = Object.entries(aggregate.catalog).flatMap(([type, upcasts]) =>
        Array.from({ length: upcasts.length + 1 }, (_, i) => `${type}.v${i + 1}.json`),
      );
      const states = Array.from({ length: aggregate.snapshot.version }, (_, i) => `state.v${i + 1}.json`);
      expect(readdirSync(folder).sort()).toEqual([...versions, ...states].sort());
    });

    it.each(Object.entries(aggregate.catalog))('%s has the shape of its newest version', (type, upcasts) => {
      const event = events.find((each) => each.type === type);
      expect(event).toBeDefined();
      expect(golden(join(folder, `${type}.v${upcasts.length + 1}.json`), event?.data)).toEqual(
        JSON.parse(JSON.stringify(event?.data)),
      );
    });

    it.each(Object.entries(aggregate.catalog))('%s of every version is lifted to what it is now', (type, upcasts) => {
      const keys = upcasts.concat(String).map((_, i) => {
        const data = JSON.parse(readFileSync(join(folder, `${type}.v${i + 1}.json`), 'utf8')) as object;
        return Object.keys(lift(type, i + 1, data)).sort();
      });
      expect(keys).toEqual(keys.map(() => keys.at(-1)));
    });

    it('folds a fixed list of events to the golden states: another fold is another state version', () => {
      let state = aggregate.initial;
      const today = events.map((event) => {
        const version = (aggregate.catalog[event.type]?.length ?? 0) + 1;
        state = aggregate.evolve(state as never, event as never);
        return { type: event.type, version, data: event.data, state };
      });
      const file = join(folder, `state.v${aggregate.snapshot.version}.json`);
      const written = golden(file, today) as typeof today;
      let folded = aggregate.initial;
      for (const { type, version, data, state: expected } of written) {
        folded = aggregate.evolve(folded as never, { type, data: lift(type, version, data) } as never);
        expect(JSON.parse(JSON.stringify(folded))).toEqual(expected);
      }
    });
  },
);

it('has golden files that nobody edited', () => {
  const digests = aggregates.flatMap(([{ name }]) =>
    readdirSync(join(__dirname, name, 'history')).map((file) => {
      const bytes = readFileSync(join(__dirname, name, 'history', file));
      return `${createHash('sha256').update(bytes).digest('hex').slice(0, 16)} ${name}/${file}`;
    }),
  );
  expect(digests.sort((a, b) => (a.slice(17) < b.slice(17) ? -1 : 1)).join('\n')).toMatchInlineSnapshot(`
   "2ea0d8842324bc02 api-key/ApiKeyCreated.v1.json
   5bf14c6fe14c8970 api-key/ApiKeyRevoked.v1.json
   898e4797eabeccaa api-key/state.v1.json
   7e800015a10627ce coupon/CouponArchived.v1.json
   8a40a529808d7aba coupon/CouponCreated.v1.json
   c07a4d9d0bef89ac coupon/CouponRedeemed.v1.json
   4e3a778bb4500ac4 coupon/RedemptionReleased.v1.json
   525831c5ff429140 coupon/RedemptionReserved.v1.json
   f8b5364707944f07 coupon/state.v1.json
   275ab0c28519e3de credit-note/CreditNoteDrafted.v1.json
   82cb7771818efdd2 credit-note/CreditNoteIssued.v1.json
   bf3e22d4d070c1d8 credit-note/state.v1.json
   2f3e368bee46637d customer-balance/CreditApplied.v1.json
   384d71dedbc3b658 customer-balance/CreditGranted.v1.json
   a96e423a93f2e0f4 customer-balance/CreditReturned.v1.json
   0a7d632d54a4d735 customer-balance/state.v1.json
   42c2763e41645875 customer/CustomerChanged.v1.json
   8554f0a9b897e5b5 customer/CustomerCreated.v1.json
   a8b0708ddf7035fd customer/CustomerErased.v1.json
   02d62ce687ceb53e customer/state.v1.json
   9226d3ee5aeb2e60 invoice-numbers/InvoiceNumberGranted.v1.json
   ff1039fc69daa395 invoice-numbers/state.v1.json
   9683575f35eed94b invoice/FinalisationRequested.v1.json
   f9fe36dd37eeceb6 invoice/InvoiceDrafted.v1.json
   34ee6554ab6c12c5 invoice/InvoiceFinalised.v1.json
   f750dfb5b49cda34 invoice/InvoiceMetadataChanged.v1.json
   55563fee884bf251 invoice/InvoiceVoided.v1.json
   5e03e96f67774cb5 invoice/state.v1.json
   98196743daf80039 invoice/state.v2.json
   9c4cb74f8cc5bd4e plan/PlanCreated.v1.json
   85345c2f0ca7b220 plan/PlanVersionArchived.v1.json
   8198e3d53f93cc88 plan/PlanVersionDrafted.v1.json
   acc301d79b34562c plan/PlanVersionPublished.v1.json
   b3a877a505449a9a plan/state.v1.json
   5f839ebe9e9135ef subscription/BillReleased.v1.json
   95a71750f0de3841 subscription/BillingCycleChanged.v1.json
   47c88ef1126afb12 subscription/BillingHeld.v1.json
   c3202e8ce638b61e subscription/BillingHoldReleased.v1.json
   cfe5029805fc4f83 subscription/BillingPeriodClosed.v1.json
   bb8baef9a37aeec2 subscription/BillingPeriodOpened.v1.json
   fbb5cdb062fd6299 subscription/CancellationScheduled.v1.json
   c971863e29c5b5b7 subscription/CancellationUnscheduled.v1.json
   ccaae271f0078c1d subscription/CouponApplied.v1.json
   45eaa58a3bdfe8ca subscription/CouponRemoved.v1.json
   c105ba41f3e55559 subscription/CurrencyChanged.v1.json
   4496834660a35ceb subscription/ItemsChangeScheduled.v1.json
   24c5f632cce650c7 subscription/ItemsChangeUnscheduled.v1.json
   5cc2a47145f6f4b6 subscription/ItemsChanged.v1.json
   f32726471d0c8771 subscription/LineItemAdded.v1.json
   4befcd551b895b2a subscription/LineItemVoided.v1.json
   6ba9129aed5731e3 subscription/LineItemsAdded.v1.json
   f0b282289bf977d7 subscription/LinesBilled.v1.json
   059b405715bbab0e subscription/MetadataChanged.v1.json
   f0c5c6e13e4d0744 subscription/PauseScheduled.v1.json
   c971863e29c5b5b7 subscription/PauseUnscheduled.v1.json
   07a6de65d0b3a951 subscription/PeriodsChanged.v1.json
   baa6b2adc7541dc9 subscription/SubscriptionCanceled.v1.json
   06069e8687e99454 subscription/SubscriptionPaused.v1.json
   4097799d62389da6 subscription/SubscriptionResumed.v1.json
   c5e4c3d418cf51aa subscription/SubscriptionStarted.v1.json
   8579fc8db6cc0dcd subscription/TimeZoneChangeScheduled.v1.json
   827637b2d0ac8204 subscription/TimeZoneChangeUnscheduled.v1.json
   b7318c1c6a86764f subscription/TimeZoneChanged.v1.json
   3fd32260da48e7ae subscription/UsageBilled.v1.json
   1034e3df9e239acc subscription/state.v1.json
   96cacd51cc7b65d8 subscription/state.v2.json
   96cacd51cc7b65d8 subscription/state.v3.json
   d8da2e7987bbf209 usage/LateUsageCounted.v1.json
   ded5ff140322c09e usage/LateUsageNoted.v1.json
   faea7900f8ca4661 usage/UsageCut.v1.json
   136264594eb1c4d3 usage/UsageOpened.v1.json
   e32e03bc42c7023e usage/UsageRecorded.v1.json
   4f388b07a3ce89dc usage/UsageSealed.v1.json
   9e71a50effebfd15 usage/state.v1.json"
  `);
});
