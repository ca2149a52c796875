import { presets, type PresetName } from '@perennial/billing-domain';
import type { Random } from '../support/random';
import { zones } from './lifecycle-model';

/* Who calls the service in the simulated book: what a request is, by name, with how often it comes. */

export interface Call {
  /** Of the command. */
  readonly name: string;
  readonly method: 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

/** What a caller remembers of a subscription that it has started. */
export interface Contract {
  readonly id: string;
  readonly externalId: string;
  readonly zone: string;
  ended: boolean;
  readonly lineItems: string[];
  /** Records that were reported, to be sent again. */
  readonly usage: object[];
}

/** What callers know: their own customers and subscriptions, and the invoices that they have been shown. */
export interface Known {
  readonly random: Random;
  /** Business time, ms. */
  now: number;
  serial: number;
  /** In the order in which they are erased; the external id of the one that comes last. */
  readonly customers: string[];
  lastCustomer: string;
  readonly contracts: Contract[];
  /** Who was asked last to move to another zone. */
  moved?: Contract;
  readonly invoices: string[];
  /** Of subscriptions whose invoices wait for a review. */
  readonly drafts: string[];
  /** A customer that was erased. */
  erased?: string;
  /** Plans that are published, by their external ids. */
  readonly plans: string[];
  /** Of all plans, also those that are made to be archived. */
  readonly planIds: string[];
  /** Codes and ids, as they are learned. */
  readonly coupons: { readonly code: string; readonly id: string }[];
}

const DAY = 86_400_000;
/** The id of nothing. */
const NOBODY = '00000000-0000-5000-8000-000000000000';
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);
const itemIds = ['base', 'seats', 'extra'] as const;
const usageIds = ['calls', 'storage'] as const;
const currencies = ['USD', 'EUR', 'JPY', 'KWD'] as const;

export const presetNames = Object.keys(presets) as PresetName[];

export function price(random: Random, bounded: boolean): object {
  const amount = () => random.pick(['0', '99', '333.3', '1999', '5000', '12345.67', '0.04']);
  const tiers = () => [
    { upTo: '2', unitPrice: amount(), ...(random.chance(0.5) && { flatFee: amount() }) },
    { upTo: '7.5', unitPrice: amount(), ...(random.chance(0.2) && { packageSize: '2' }) },
    { upTo: null, unitPrice: amount() },
  ];
  const bounds = !bounded ? {} : random.chance(0.5) ? { minimum: '2500' } : { maximum: '20000' };
  const models = [
    () => ({ model: 'flat', unitPrice: amount() }),
    () => ({ model: 'per-unit', unitPrice: amount() }),
    () => ({ model: 'graduated', tiers: tiers() }),
    () => ({ model: 'volume', tiers: tiers() }),
    () => ({ model: 'package', packageSize: random.pick(['1', '2.5', '5']), packagePrice: amount(), freeUnits: '1' }),
  ];
  return { ...random.pick(models)(), ...bounds };
}

/** Usage by one meter or another; a meter's key says what it is, as one key stands for one definition. */
function usageItem(random: Random, itemId: string): object {
  const amount = () => random.pick(['0', '0.4', '12.5', '100', '999']);
  const percentages = [
    () => ({ model: 'percentage', rate: '1.3', recordFee: '20', freeRecords: random.between(0, 4) }),
    () => ({ model: 'percentage', rate: '2.9', freeRecords: 3, freeAmount: '250' }),
    () => ({
      model: 'graduated-percentage',
      tiers: [
        { upTo: '100', rate: '1', flatFee: '200' },
        { upTo: null, rate: '0.5' },
      ],
    }),
  ];
  const tiers = () => [
    { upTo: '5', unitPrice: amount(), ...(random.chance(0.4) && { flatFee: amount() }) },
    { upTo: '60.5', unitPrice: amount(), ...(random.chance(0.3) && { flatFee: amount() }) },
    { upTo: null, unitPrice: amount(), ...(random.chance(0.2) && { packageSize: '7.5' }) },
  ];
  const models = [
    () => ({ model: 'per-unit', unitPrice: amount() }),
    () => ({ model: 'graduated', tiers: tiers() }),
    () => ({ model: 'volume', tiers: tiers() }),
    () => ({ model: 'package', packageSize: '10', packagePrice: '500', freeUnits: random.pick(['0', '5']) }),
  ];
  const aggregation = random.pick(['sum', 'sum', 'count', 'max', 'latest', 'unique-count', 'weighted-sum']);
  const carry = (aggregation === 'latest' || aggregation === 'weighted-sum') && random.chance(0.5);
  const refuse = random.chance(0.3);
  const filtered = random.chance(0.2);
  const isPercentage = aggregation === 'sum' && random.chance(0.5);
  const bounds = random.chance(0.15) ? random.pick([{ minimum: '900' }, { maximum: '4000' }]) : {};
  return {
    kind: 'usage',
    itemId,
    componentKey: itemId,
    description: `Usage of ${itemId}`,
    timing: 'arrears',
    meter: {
      key: [itemId, aggregation, carry && 'carry', refuse && 'refuse', filtered && 'filtered']
        .filter(Boolean)
        .join('-'),
      event: itemId,
      aggregation,
      ...(aggregation === 'unique-count' && { uniqueProperty: 'user' }),
      ...(carry && { carry }),
      ...(refuse && { late: 'refuse' }),
      ...(filtered && { filters: [{ property: 'region', values: ['eu', 'us'] }] }),
    },
    ...(random.chance(0.15) && { segments: 'restart' }),
    price: { ...random.pick<() => object>(isPercentage ? percentages : models)(), ...bounds },
  };
}

function fee(random: Random): object {
  return {
    kind: 'one-time',
    itemId: 'set-up',
    componentKey: 'set-up',
    description: 'Set-up',
    quantity: random.pick(['1', '2']),
    timing: random.pick(['advance', 'advance', 'arrears']),
    price: { model: 'flat', unitPrice: random.pick(['777', '5000']) },
  };
}

function item(random: Random, itemId: string): object {
  return {
    itemId,
    componentKey: itemId,
    description: `What ${itemId} costs`,
    quantity: random.pick(['1', '1', '2', '3', '2.5', '10', '0']),
    ...(random.chance(0.15) && { every: random.pick([2, 3]) }),
    timing: random.pick(['advance', 'advance', 'arrears']),
    ...(random.chance(0.1) && { discountable: false }),
    price: price(random, random.chance(0.1)),
  };
}

function edits(random: Random): object[] {
  return Array.from({ length: random.between(1, 2) }, () => {
    const itemId = random.pick(itemIds);
    const dice = random.next();
    if (dice < 0.5) return { kind: 'quantity', itemId, quantity: String(random.between(0, 12)) };
    if (dice < 0.66) return { kind: 'put', item: item(random, itemId) };
    if (dice < 0.78) return { kind: 'put', item: usageItem(random, random.pick(usageIds)) };
    if (dice < 0.82) return { kind: 'put', item: fee(random) };
    if (dice < 0.93) return { kind: 'remove', itemId: random.pick([...itemIds, ...usageIds, 'set-up']) };
    return {
      kind: 'commitment',
      ...random.pick([{ minimum: '3000' }, { maximum: '30000' }, { minimum: null, maximum: null }]),
    };
  });
}

const month = { unit: 'month', count: 1 } as const;

const intervals = [
  { unit: 'month', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 3 },
  { unit: 'year', count: 1 },
  { unit: 'week', count: 2 },
  { unit: 'day', count: 30 },
] as const;

function anchor(random: Random, unit: string): object {
  const dice = random.next();
  if (dice < 0.5) return {};
  if (dice < 0.8 && (unit === 'month' || unit === 'year')) return { anchor: { dayOfMonth: random.between(1, 31) } };
  return { anchor: { localDateTime: `2023-12-31T0${random.between(0, 9)}:30:00` } };
}

/** What a version of a plan says: the components that all plans of the book have, at prices of its own. */
export function planTerms(random: Random): object {
  const component = (componentKey: string, of: object, more: object = {}) => {
    const { price: one, ...others } = of as { price: object };
    const { quantity: _, itemId: __, every: ___, ...named } = others as Record<string, unknown>;
    const prices = currencies.map((currency) => ({ currency, price: one }));
    return { kind: 'recurring', ...named, componentKey, prices, ...more };
  };
  const interval = random.pick([month, month, month, { unit: 'year', count: 1 }]);
  return {
    interval,
    currencies,
    components: [
      component('base', item(random, 'base')),
      component('seats', item(random, 'seats')),
      component('calls', usageItem(random, 'calls')),
      component('extra', item(random, 'extra'), { optional: true }),
      component('set-up', fee(random)),
    ],
    rules: { preset: random.pick(presetNames) },
    ...(random.chance(0.3) && { minimum: currencies.map((currency) => ({ currency, amount: '3000' })) }),
    ...(random.chance(0.2) && { trialDays: 14 }),
  };
}

/** A plan of the book, as one picks it. */
function planChoice({ random, plans }: Known): object {
  return {
    externalId: random.chance(0.02) ? 'nobodys' : random.pick(plans),
    ...(random.chance(0.02) && { version: random.pick([3, 99]) }),
    ...(random.chance(0.5) && { quantities: { seats: String(random.between(0, 9)) } }),
    ...(random.chance(0.03) && { quantities: { nonsense: '1' } }),
    ...(random.chance(0.3) && { addOns: ['extra'] }),
  };
}

/** A new subscription; now, later, or backdated, some in a trial. */
export function newSubscription(known: Known): Call & { readonly externalId: string; readonly zone: string } {
  const { random } = known;
  const interval = random.pick(intervals);
  const zone = random.pick(zones);
  const externalId = `contract-${(known.serial += 1)}`;
  const startsAt = random.chance(0.2) ? known.now + random.between(-70, 40) * DAY : undefined;
  const preset = random.chance(0.5) ? 'perennial' : random.pick(presetNames);
  const first = {
    externalId,
    customerId: random.pick(known.customers),
    currency: random.pick(currencies),
    timeZone: zone,
    ...(startsAt !== undefined && { startsAt: new Date(startsAt).toISOString() }),
    ...(random.chance(0.15) && {
      trialDays: random.between(1, 40),
      trialEnd: random.pick(['activate', 'activate', 'cancel']),
    }),
    ...(random.chance(0.1) && {
      commitment: { minimum: '4000', ...(random.chance(0.5) && { discountableTrueUps: true }) },
    }),
    ...(random.chance(0.2) && { usageGraceHours: random.pick([1, 24, 72]) }),
    ...(random.chance(0.06) && { minimumTermPeriods: random.between(1, 3) }),
    ...(random.chance(0.06) && { noticeDays: random.pick([10, 40]) }),
    ...(random.chance(0.05) && { periods: random.between(1, 8) }),
    ...(random.chance(0.05) && { autoFinalise: false }),
    paymentTermsDays: random.between(0, 60),
  };
  const own = {
    interval,
    ...anchor(random, interval.unit),
    items: [
      item(random, 'base'),
      ...(random.chance(0.5) ? [item(random, 'seats')] : []),
      ...(random.chance(0.5) ? [usageItem(random, 'calls')] : []),
      ...(random.chance(0.2) ? [usageItem(random, 'storage')] : []),
      ...(random.chance(0.2) ? [fee(random)] : []),
    ],
    rules: { preset },
  };
  const picked = {
    externalId: random.pick(known.plans),
    ...(random.chance(0.5) && { quantities: { seats: String(random.between(0, 9)) } }),
    ...(random.chance(0.3) && { addOns: ['extra'] }),
  };
  const body = { ...first, ...(random.chance(0.3) ? { plan: picked } : own) };
  return { name: 'start', method: 'POST', path: '/v1/subscriptions', body, externalId, zone };
}

type Asking = (known: Known, of: Contract) => Omit<Call, 'name' | 'method'> & { readonly method?: Call['method'] };

const on = (of: Contract, rest: string, body?: object) => ({
  path: `/v1/subscriptions/${of.id}/${rest}`,
  ...(body && { body }),
});
const billing = (random: Random) => random.pick(['now', 'next-bill']);

function lineItem(
  { random, now }: Known,
  of: Contract,
  unitPrice = random.pick(['100', '2550', '0.5', '99999']),
): object {
  const lineItemId = `work-${of.lineItems.length}-${random.word(4)}`;
  of.lineItems.push(lineItemId);
  const from = dayOf(now - random.between(0, 20) * DAY);
  return {
    lineItemId,
    description: 'Work',
    quantity: random.pick(['1', '1.5', '3']),
    unitPrice,
    ...(random.chance(0.3) && { service: { from, to: dayOf(Date.parse(from) + 3 * DAY) } }),
  };
}

/** A customer that nobody names any more from now on. */
function erasable(known: Known): string {
  const first = known.customers.length > 2 ? known.customers.shift() : undefined;
  return (known.erased = first ?? known.erased ?? NOBODY);
}

const nowhere = { code: 'NOBODYS', id: NOBODY };

/** Coupons of every kind; some for few, some for a short time. */
function newCoupon(known: Known): object {
  const { random, now } = known;
  const amounts = currencies
    .filter((each) => each !== 'KWD')
    .map((currency) => ({ amount: String(random.between(1, 40) * 100), currency }));
  return {
    code: `C${(known.serial += 1)}`,
    discount: random.chance(0.6)
      ? { kind: 'percentage', percent: random.pick(['5', '12.5', '20', '33.33', '100']) }
      : { kind: 'amount', amounts },
    ...random.pick([{ duration: 'once' }, { periods: 3 }, { duration: 'forever' }, {}]),
    ...(random.chance(0.3) && { componentKeys: random.pick([['base'], ['seats', 'calls'], ['set-up', 'base']]) }),
    ...(random.chance(0.2) && { maxRedemptions: 2 }),
    ...(random.chance(0.2) && { expiresAt: new Date(now + 30 * DAY).toISOString() }),
  };
}

/** What a subscription used: mostly just now, some long ago; and, less often, sent again, or nothing that anybody measures. */
function records(known: Known, of: Contract): object[] {
  const { random, now } = known;
  const address = random.pick([{ subscriptionId: of.id }, { subscriptionId: of.id }, { externalId: of.externalId }]);
  return Array.from({ length: random.between(1, 12) }, () => {
    const before = of.usage.length > 0 && random.chance(0.15) ? random.pick(of.usage) : undefined;
    if (before) return random.chance(0.8) ? before : { ...before, value: '7.25' };
    const ago = random.chance(0.1) ? random.between(10, 80) * DAY : random.between(0, 3 * DAY);
    const record = {
      ...address,
      id: `r${(known.serial += 1)}`,
      event: random.chance(0.03) ? 'nothing-known' : random.pick(usageIds),
      at: new Date(random.chance(0.02) ? now + DAY : now - ago).toISOString(),
      ...(!random.chance(0.02) && { value: random.pick(['1', '1', '2', '10', '33.3', '0', '-2', '250']) }),
      properties: { user: `u${random.between(1, 9)}`, region: random.pick(['eu', 'us', 'apac']) },
    };
    of.usage.push(record);
    of.usage.splice(0, Math.max(0, of.usage.length - 60));
    return record;
  });
}

/** What is asked of a subscription, as people would; and, less often, what must be refused. */
export const askings: Readonly<Record<string, readonly [weight: number, Asking]>> = {
  'add-line-item': [12, (known, of) => on(of, 'line-items', lineItem(known, of))],
  'void-line-item': [
    4,
    ({ random }, of) => on(of, `line-items/${of.lineItems.at(-random.between(1, 2)) ?? 'none'}/void`),
  ],
  'change-now': [14, ({ random }, of) => on(of, 'changes', { edits: edits(random), billing: billing(random) })],
  'change-at-period-end': [6, ({ random }, of) => on(of, 'changes', { edits: edits(random), when: 'period-end' })],
  'change-backdated': [
    8,
    ({ random, now }, of) =>
      on(of, 'changes', { edits: edits(random), effectiveOn: dayOf(now - random.between(1, 45) * DAY) }),
  ],
  'undo-changes': [3, (_, of) => on(of, 'undo-changes')],
  'add-line-items': [
    2,
    (known, of) =>
      on(of, 'line-items/batch', {
        lineItems: [
          lineItem(known, of),
          lineItem(known, of),
          { lineItemId: of.lineItems[0] ?? 'none-yet', description: 'Work', unitPrice: '100' },
        ],
      }),
  ],
  'record-usage': [30, (known, of) => ({ path: '/v1/usage', body: { records: records(known, of) } })],
  'report-usage': [3, (known, of) => ({ method: 'PUT', path: '/v1/usage', body: { records: records(known, of) } })],
  'change-periods': [1, ({ random }, of) => on(of, 'periods', { periods: random.pick([null, null, 1, 24]) })],
  'create-coupon': [0.6, (known) => ({ path: '/v1/coupons', body: newCoupon(known) })],
  'apply-coupon': [
    4,
    ({ random, coupons }, of) => on(of, 'coupons', { code: random.pick([...coupons, nowhere]).code }),
  ],
  'remove-coupon': [
    1.2,
    ({ random, coupons }, of) => on(of, `coupons/${random.pick([...coupons, nowhere]).id}/remove`),
  ],
  'archive-coupon': [
    0.25,
    ({ random, coupons }) => ({ path: `/v1/coupons/${random.pick([...coupons, nowhere]).id}/archive` }),
  ],
  'change-plan': [
    6,
    (known, of) =>
      on(of, 'plan', {
        plan: planChoice(known),
        ...known.random.pick([
          {},
          { when: 'period-end' },
          { billing: 'now' },
          { when: 'period-end', currency: known.random.pick(currencies) },
        ]),
      }),
  ],
  'change-plan-backdated': [
    1,
    (known, of) =>
      on(of, 'plan', { plan: planChoice(known), effectiveOn: dayOf(known.now - known.random.between(1, 20) * DAY) }),
  ],
  'change-add-ons': [
    3,
    ({ random }, of) =>
      on(of, 'add-ons', {
        ...random.pick([{ add: [{ componentKey: 'extra', quantity: '2' }] }, { remove: ['extra'] }]),
        ...random.pick([{}, { when: 'period-end' }]),
      }),
  ],
  'change-time-zone': [
    2,
    (known, of) => {
      known.moved = of;
      return on(of, 'time-zone', { timeZone: known.random.pick(zones) });
    },
  ],
  // Soon after, so that it is still to come.
  'take-back-time-zone': [1, ({ moved }, of) => on(moved ?? of, 'time-zone', { timeZone: (moved ?? of).zone })],
  'draft-plan-version': [
    0.4,
    ({ random, planIds }) => ({
      method: 'PUT',
      path: `/v1/plans/${random.pick([...planIds, NOBODY])}/versions/${random.pick([1, 2, 3, 3, 4])}`,
      body: random.chance(0.3) ? { ...planTerms(random), components: [] } : planTerms(random),
    }),
  ],
  'publish-plan-version': [
    0.4,
    ({ random, planIds }) => ({
      path: `/v1/plans/${random.pick(planIds)}/versions/${random.pick([1, 2, 3, 4, 9])}/publish`,
    }),
  ],
  // Only of plans that nobody starts on.
  'archive-plan-version': [
    0.3,
    ({ random, planIds }) => ({
      path: `/v1/plans/${planIds.at(-1) ?? NOBODY}/versions/${random.pick([1, 2])}/archive`,
    }),
  ],
  'change-invoice-metadata': [
    0.5,
    ({ random, invoices }) => ({
      method: 'PATCH',
      path: `/v1/invoices/${invoices.at(-1) ?? NOBODY}`,
      body: { metadata: { note: random.word(8) } },
    }),
  ],
  'erase-customer': [0.08, (known) => ({ path: `/v1/customers/${erasable(known)}/erase` })],
  'release-hold': [0.7, (_, of) => on(of, 'release-hold')],
  'billing-cycle': [
    4,
    ({ random }, of) => {
      const interval = random.pick(intervals);
      return on(of, 'billing-cycle', {
        ...(random.chance(0.7) && { interval }),
        ...(random.chance(0.4) && { anchor: { localDateTime: '2024-01-31T00:00:00' } }),
        ...(random.chance(0.4) && { edits: edits(random) }),
      });
    },
  ],
  pause: [5, ({ random }, of) => on(of, 'pause', { credit: random.pick(['none', 'prorated']) })],
  'pause-at-period-end': [2, (_, of) => on(of, 'pause', { at: 'period-end' })],
  'undo-pause': [1.5, (_, of) => on(of, 'undo-pause')],
  resume: [8, ({ random }, of) => on(of, 'resume', { anchor: random.pick(['keep', 'keep', 'restart']) })],
  'cancel-now': [1.2, ({ random }, of) => on(of, 'cancel', { at: 'now', credit: random.pick(['none', 'prorated']) })],
  'cancel-waiving-term': [
    0.2,
    ({ random }, of) => on(of, 'cancel', { at: 'now', credit: random.pick(['none', 'prorated']), waiveTerm: true }),
  ],
  'cancel-at-period-end': [3, (_, of) => on(of, 'cancel', { at: 'period-end' })],
  'undo-cancellation': [5, (_, of) => on(of, 'undo-cancellation')],
  'change-metadata': [
    1,
    ({ random }, of) => ({
      method: 'PATCH',
      path: `/v1/subscriptions/${of.id}`,
      body: { metadata: { note: random.word(8) } },
    }),
  ],
  'void-invoice': [
    4,
    ({ random, invoices }) => ({
      path: `/v1/invoices/${invoices.length > 0 && !random.chance(0.03) ? random.pick(invoices) : NOBODY}/void`,
      body: { rebill: random.chance(0.6), reason: 'it was not right' },
    }),
  ],
  'finalise-invoice': [
    1,
    ({ random, invoices, drafts }) => ({
      path: `/v1/invoices/${drafts.pop() ?? (random.chance(0.3) ? NOBODY : (invoices.at(-1) ?? NOBODY))}/finalise`,
    }),
  ],
  'change-customer': [
    0.5,
    ({ random, customers }) => ({
      method: 'PATCH',
      path: `/v1/customers/${random.pick(customers)}`,
      body: { paymentTermsDays: random.between(0, 90) },
    }),
  ],
  // What must be refused, with its own code each, or changes nothing.
  'start-again': [
    0.5,
    (known, of) => {
      const { path, body } = newSubscription(known);
      return { path, body: { ...(body as object), externalId: of.externalId } };
    },
  ],
  'roll-over-again': [1, ({ random }, of) => on(of, 'roll-over', { periodNumber: random.between(1, 30) })],
  'add-other-content': [
    0.7,
    ({ random }, of) =>
      on(of, 'line-items', { lineItemId: of.lineItems[0] ?? 'none-yet', description: random.word(9), unitPrice: '1' }),
  ],
  'add-too-far-away': [
    0.5,
    (known, of) => on(of, 'line-items', { ...lineItem(known, of), service: { from: '1999-01-01', to: '1999-02-01' } }),
  ],
  'add-too-much': [
    0.5,
    (known, of) => on(of, 'line-items', { ...lineItem(known, of, '999999999999'), quantity: '999999999999' }),
  ],
  'change-what-is-not-there': [
    0.7,
    (_, of) => on(of, 'changes', { edits: [{ kind: 'quantity', itemId: 'nobody', quantity: '1' }] }),
  ],
  'change-long-ago': [
    0.7,
    ({ now, random }, of) => on(of, 'changes', { edits: edits(random), effectiveOn: dayOf(now - 900 * DAY) }),
  ],
  'change-tomorrow': [
    0.5,
    ({ now, random }, of) => on(of, 'changes', { edits: edits(random), effectiveOn: dayOf(now + 9 * DAY) }),
  ],
  'change-to-a-double': [
    0.5,
    ({ random }, of) =>
      on(of, 'changes', { edits: [{ kind: 'put', item: { ...item(random, 'twin'), componentKey: 'base' } }] }),
  ],
  'change-to-too-many': [
    0.5,
    ({ random }, of) =>
      on(of, 'changes', {
        edits: Array.from({ length: 21 }, (_, i) => ({ kind: 'put', item: item(random, `item-${i}`) })),
        when: 'period-end',
      }),
  ],
  'change-to-nonsense': [
    0.5,
    ({ random }, of) =>
      on(of, 'changes', {
        edits: [
          {
            kind: 'put',
            item: { ...item(random, 'base'), price: { model: 'package', packageSize: '0', packagePrice: '1' } },
          },
        ],
      }),
  ],
  'move-to-no-day': [
    0.5,
    (_, of) => on(of, 'billing-cycle', { interval: { unit: 'day', count: 10 }, anchor: { dayOfMonth: 3 } }),
  ],
  'move-too-far': [0.5, (_, of) => on(of, 'billing-cycle', { interval: { unit: 'year', count: 900 } })],
  'customers-wrongly': [
    0.6,
    ({ random, customers, lastCustomer }) =>
      random.pick([
        { path: '/v1/customers', body: { externalId: lastCustomer, currency: 'EUR', timeZone: 'UTC' } },
        { path: '/v1/customers', body: { externalId: customers[0], currency: 'USD', timeZone: 'UTC' } },
        { method: 'PATCH', path: `/v1/customers/${NOBODY}`, body: { paymentTermsDays: 3 } },
        { path: `/v1/customers/${NOBODY}/erase` },
      ] as const),
  ],
  'plans-wrongly': [0.3, () => ({ path: '/v1/plans', body: { externalId: 'plan-0', name: 'Another' } })],
  'coupons-wrongly': [
    0.4,
    ({ coupons }) => ({
      path: '/v1/coupons',
      body: { code: coupons[0]?.code ?? 'C', discount: { kind: 'percentage', percent: '1' } },
    }),
  ],
  'use-all-coupons': [
    1.5,
    ({ random, coupons }, of) => on(of, 'coupons', { code: random.pick([...coupons.slice(0, 6), nowhere]).code }),
  ],
  'change-to-no-meter': [
    0.4,
    ({ random }, of) => {
      const put = usageItem(random, 'calls') as { meter: object };
      const meter = random.pick([
        { ...put.meter, key: 'a-key', aggregation: 'count', uniqueProperty: 'user' },
        { key: 'calls-sum', event: 'calls', aggregation: 'sum', valueProperty: random.word(3) },
      ]);
      return on(of, 'changes', {
        edits: [{ kind: 'put', item: { ...put, price: { model: 'per-unit', unitPrice: '1' }, meter } }],
      });
    },
  ],
  'report-for-a-customer': [
    1,
    (known) => ({
      path: '/v1/usage',
      body: {
        records: [
          {
            customerId: known.lastCustomer,
            id: `r${(known.serial += 1)}`,
            event: 'calls',
            at: new Date(known.now - DAY / 2).toISOString(),
            value: '1',
          },
        ],
      },
    }),
  ],
  'ask-for-nobody': [
    0.5,
    ({ random }) => ({
      path: `/v1/subscriptions/${NOBODY}/${random.pick(['resume', 'undo-changes'])}`,
      body: {},
    }),
  ],
  'start-wrongly': [
    0.8,
    (known) => {
      const { path, body } = newSubscription(known);
      const wrong = known.random.pick<object>([
        { currency: 'XQQ' },
        { timeZone: 'Mars/Olympus' },
        { startsAt: '2001-01-01T00:00:00.000Z' },
        { interval: { unit: 'week', count: 9_999 } },
        { anchor: { localDateTime: '2026-02-30T00:00:00' } },
        { customerId: ' ' },
        { customerId: 'somebody', currency: undefined },
        { interval: { unit: 'week', count: 600 } },
        { customerId: known.erased ?? 'somebody-else', currency: undefined },
      ]);
      return { path, body: { ...(body as object), ...wrong } };
    },
  ],
};

const total = Object.values(askings).reduce((sum, [weight]) => sum + weight, 0);

/** One thing that somebody asks of one of the subscriptions. */
export function anything(known: Known): Call & { readonly of: Contract } {
  const { random } = known;
  const alive = known.contracts.filter(({ ended }) => !ended);
  const of = random.pick(alive.length > 0 && !random.chance(0.04) ? alive : known.contracts);
  let dice = random.next() * total;
  for (const [name, [weight, ask]] of Object.entries(askings)) {
    dice -= weight;
    if (dice <= 0) return { name, method: 'POST', ...ask(known, of), of };
  }
  throw new Error('the weights do not sum');
}
