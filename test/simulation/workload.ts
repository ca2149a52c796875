import {
  AddLineItem,
  ApplyCoupon,
  CancelSubscription,
  ChangeItems,
  CreateCoupon,
  CreateCustomer,
  EraseCustomer,
  PauseSubscription,
  RecordUsage,
  type PlanStart,
  type ReportedUsage,
  ResumeSubscription,
  StartSubscription,
  type SubscriptionTerms,
  UndoCancellation,
  VoidInvoice,
  VoidLineItem,
} from '@perennial/billing-application';
import { customerIdOf, type NewItem, type Price } from '@perennial/billing-domain';
import type { Random } from '../support/random';
import { creditAskings } from './credit-workload';
import { offered, planAskings, planChoice } from './plan-workload';
import { type Askings, type Known, type KnownPlan, request, type Request } from './request';

/* Who asks what of the simulated service. */

const DAY = 86_400_000;
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Pacific/Apia'];
const intervals = [
  { unit: 'month', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 3 },
  { unit: 'year', count: 1 },
  { unit: 'week', count: 2 },
] as const;

function price(random: Random): Price {
  const amount = () => random.pick(['99', '1999', '333.3', '5000', '0.4']);
  return random.pick<() => Price>([
    () => ({ model: 'flat', unitPrice: amount() }),
    () => ({ model: 'per-unit', unitPrice: amount() }),
    () => ({
      model: 'graduated',
      tiers: [
        { upTo: '3', unitPrice: amount() },
        { upTo: null, unitPrice: amount() },
      ],
    }),
    () => ({
      model: 'volume',
      tiers: [
        { upTo: '10', unitPrice: amount() },
        { upTo: null, unitPrice: amount() },
      ],
    }),
  ])();
}

function item(random: Random, itemId: string): NewItem {
  return {
    itemId,
    componentKey: itemId,
    description: `What ${itemId} costs`,
    quantity: random.pick(['1', '2', '2.5', '10']),
    timing: random.pick(['advance', 'advance', 'arrears']),
    price: price(random),
  };
}

const usageItem = (random: Random): NewItem => ({
  kind: 'usage',
  itemId: 'calls',
  componentKey: 'calls',
  description: 'Calls',
  timing: 'arrears',
  meter: { key: 'calls', event: 'calls', aggregation: random.pick(['sum', 'count', 'max']) },
  price: { model: 'per-unit', unitPrice: random.pick(['0.4', '12.5', '100']) },
});

export function newCustomer(known: Known): Request {
  const externalId = `customer-${(known.serial += 1)}`;
  return request(
    'create-customer',
    {
      externalId,
      currency: 'EUR',
      timeZone: known.random.pick(zones),
      personal: { name: `Somebody ${known.serial}`, emails: [`${externalId}@example.org`] },
    },
    (customer, context) => new CreateCustomer(customer as never, context),
    { learn: () => void (known.customers.includes(externalId) || known.customers.push(externalId)) },
  );
}

export function newCoupon(known: Known): Request {
  const { random } = known;
  const code = `C${(known.serial += 1)}`;
  return request(
    'create-coupon',
    {
      code,
      discount: random.chance(0.5)
        ? ({ kind: 'percentage', percent: random.pick(['10', '33.33', '100']) } as const)
        : ({ kind: 'amount', amounts: { EUR: '1500', USD: '1500' } } as const),
      duration: random.pick([{ periods: 3 }, 'once', 'forever'] as const),
      ...(random.chance(0.4) && { maxRedemptions: 3 }),
    },
    (coupon, context) => new CreateCoupon(coupon as never, context),
    { learn: () => void (known.coupons.includes(code) || known.coupons.push(code)) },
  );
}

export function newSubscription(known: Known): Request {
  const { random } = known;
  const plans = offered(known);
  const currency = random.pick(['EUR', 'EUR', 'USD', 'JPY']);
  const common = {
    externalId: `contract-${(known.serial += 1)}`,
    customerId: known.customers.length > 0 && random.chance(0.7) ? random.pick(known.customers) : 'somebody',
    currency,
    timeZone: random.pick(zones),
    paymentTermsDays: random.between(0, 30),
    ...(random.chance(0.15) && { startsAt: new Date(known.now + random.between(-40, 20) * DAY).toISOString() }),
    ...(random.chance(0.15) && { trialDays: random.between(3, 30) }),
    ...(random.chance(0.2) && { usageGraceHours: random.pick([1, 48]) }),
    ...(random.chance(0.1) && { periods: random.between(3, 20) }),
    ...(random.chance(0.1) && { commitment: { minimum: '4000' } }),
    ...(random.chance(0.1) && { autoFinalise: false as const }),
    ...(known.coupons.length > 0 && random.chance(0.15) && { couponCodes: [random.pick(known.coupons)] }),
  };
  const terms: SubscriptionTerms | PlanStart =
    plans.length > 0 && random.chance(0.3)
      ? { ...common, plan: onPlan(known, random.pick(plans)) }
      : {
          ...common,
          interval: random.pick(intervals),
          item: item(random, 'base'),
          items: [
            ...(random.chance(0.5) ? [item(random, 'seats')] : []),
            ...(random.chance(0.6) ? [usageItem(random)] : []),
          ],
        };
  return request('start', terms, (content, context) => new StartSubscription(content, context), {
    learn({ aggregateId: id }) {
      if (!known.contracts.some((each) => each.id === id))
        known.contracts.push({ id, currency, lineItems: [], usage: [] });
    },
  });
}

const onPlan = (known: Known, plan: KnownPlan) => ({ planId: plan.id, ...planChoice(known, plan) });

const askings: Askings = {
  ...planAskings,
  ...creditAskings,
  'add-line-item': [
    10,
    ({ random, serial }, of) => {
      const lineItemId = `work-${serial}-${of.lineItems.length}`;
      of.lineItems.push(lineItemId);
      const content = {
        lineItemId,
        description: 'Work',
        unitPrice: random.pick(['100', '2550']),
        quantity: random.pick(['1', '1.5']),
      };
      return request('add-line-item', content, (each, context) => new AddLineItem(of.id, each, context));
    },
  ],
  'void-line-item': [
    2,
    ({ random }, of) =>
      of.lineItems.length === 0
        ? undefined
        : request(
            'void-line-item',
            { lineItemId: random.pick(of.lineItems.slice(-3)) },
            (each, context) => new VoidLineItem(of.id, each.lineItemId, context),
          ),
  ],
  usage: [
    8,
    (known, of) => {
      const { random, now } = known;
      const records = Array.from({ length: random.between(1, 6) }, (): ReportedUsage => {
        if (of.usage.length > 0 && random.chance(0.2)) return random.pick(of.usage);
        const record = {
          subscriptionIds: [of.id],
          id: `r${(known.serial += 1)}`,
          event: random.pick(['calls', 'calls', 'traffic']),
          at: new Date(now - random.between(0, random.chance(0.2) ? 50 * DAY : DAY)).toISOString(),
          value: random.pick(['1', '2', '33.3', '250']),
        };
        of.usage.push(record);
        of.usage.splice(0, of.usage.length - 20);
        return record;
      });
      return request('usage', { records }, (each, context) => new RecordUsage(each.records, context));
    },
  ],
  change: [
    6,
    ({ random }, of) => {
      const edit = random.pick([
        () =>
          ({
            kind: 'quantity',
            itemId: random.pick(['base', 'seats']),
            quantity: String(random.between(0, 9)),
          }) as const,
        () => ({ kind: 'put', item: item(random, random.pick(['base', 'seats'])) }) as const,
        () => ({ kind: 'remove', itemId: random.pick(['seats', 'calls']) }) as const,
        () => ({ kind: 'put', item: usageItem(random) }) as const,
      ])();
      const content = {
        edits: [edit],
        when: random.pick(['now', 'now', 'period-end'] as const),
        billing: random.pick(['now', 'next-bill'] as const),
      };
      return request('change', content, (each, context) => new ChangeItems(of.id, each, context));
    },
  ],
  pause: [
    2,
    ({ random }, of) =>
      request(
        'pause',
        { at: random.pick(['now', 'period-end'] as const), credit: random.pick(['none', 'prorated'] as const) },
        (each, context) => new PauseSubscription(of.id, each, context),
      ),
  ],
  resume: [
    3,
    ({ random }, of) =>
      request(
        'resume',
        { anchor: random.pick(['keep', 'restart'] as const) },
        (each, context) => new ResumeSubscription(of.id, each, context),
      ),
  ],
  cancel: [
    0.4,
    ({ random }, of) =>
      request(
        'cancel',
        {
          at: random.pick(['now', 'period-end', 'period-end'] as const),
          credit: random.pick(['none', 'prorated'] as const),
        },
        (each, context) => new CancelSubscription(of.id, each, context),
      ),
  ],
  'undo-cancellation': [
    1,
    (_, of) => request('undo-cancellation', {}, (__, context) => new UndoCancellation(of.id, context)),
  ],
  coupon: [
    2,
    ({ random, coupons }, of) =>
      coupons.length === 0
        ? undefined
        : request(
            'coupon',
            { code: random.pick(coupons) },
            ({ code }, context) => new ApplyCoupon(of.id, code, context),
          ),
  ],
  'void-invoice': [
    1,
    ({ random, documents: { invoices } }) =>
      invoices.length === 0
        ? undefined
        : request(
            'void-invoice',
            { invoiceId: random.pick(invoices), rebill: random.chance(0.7), reason: 'wrong' },
            ({ invoiceId, ...how }, context) => new VoidInvoice(invoiceId, how, context),
          ),
  ],
  'erase-customer': [
    0.1,
    (known) => {
      const externalId = known.customers.length > 2 ? known.customers.shift() : undefined;
      return externalId === undefined
        ? undefined
        : request(
            'erase-customer',
            { externalId },
            (_, context) => new EraseCustomer(customerIdOf(context.tenant, externalId), context),
          );
    },
  ],
};

const total = Object.values(askings).reduce((sum, [weight]) => sum + weight, 0);

/** One thing that somebody asks of one of the subscriptions. */
export function anything(known: Known): Request | undefined {
  const of = known.random.pick(known.contracts);
  let dice = known.random.next() * total;
  for (const [weight, ask] of Object.values(askings)) {
    dice -= weight;
    if (dice <= 0) {
      known.serial += 1;
      return ask(known, of);
    }
  }
  return undefined;
}
