import type {
  BillingHeld,
  CouponTerms,
  CouponUse,
  Item,
  ItemEdit,
  SubscriptionCanceled,
  SubscriptionEvent,
} from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { subscriptionEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, deleteRows, upsertRows, type Table } from '../table';

/** A coupon that acts on a subscription, and how it stands. */
export interface CouponOnSubscription {
  readonly couponId: string;
  readonly code: string;
  readonly description: string;
  readonly discount: CouponTerms['discount'];
  /** Bills that it lasts for; null: for ever. */
  readonly periods: number | null;
  readonly componentKeys: readonly string[] | null;
  /** Bills at boundaries off which it took something. */
  readonly uses: number;
  /** Of an amount: minor units that are not used yet. */
  readonly left: string | null;
}

/** A subscription's terms, lifecycle and totals; one row for its life. Amounts are whole minor units of `currency`. */
export interface SubscriptionSummaryRow {
  tenant: string;
  subscription_id: string;
  external_id: string | null;
  customer_id: string;
  currency: string;
  time_zone: string;
  /** The zone that the end of the open period brings. */
  scheduled_time_zone: string | null;
  payment_terms_days: number;
  /** false: its invoices stay drafts until someone asks for their finalising. */
  auto_finalise: boolean;
  /** `scheduled`: not begun. `canceling`: with a cancellation to come. */
  status: 'scheduled' | 'trialing' | 'active' | 'canceling' | 'paused' | 'canceled';
  starts_at: string;
  trial_ends_at: string | null;
  anchor: string;
  interval_unit: 'day' | 'week' | 'month' | 'year';
  interval_count: number;
  /** The version of a plan that the terms in force are a copy of. */
  plan_id: string | null;
  plan_version: number | null;
  /** Number of the last period that was opened, and while one is open its bounds. */
  period_number: number | null;
  period_kind: 'regular' | 'trial' | null;
  period_starts_at: string | null;
  period_ends_at: string | null;
  cancels_at: string | null;
  pauses_at: string | null;
  /** Billing is held since then, and why. */
  held_at: string | null;
  held_reason: BillingHeld['data']['reason'] | null;
  periods: number | null;
  /** Paid periods that have reached their end. */
  completed_periods: number;
  minimum_term_periods: number;
  notice_days: number;
  canceled_at: string | null;
  canceled_cause: SubscriptionCanceled['data']['cause'] | null;
  paused_at: string | null;
  bills: number;
  /** Of the bills in `currency` that are not released. */
  billed_net: string;
  /** What the end of the open period changes. */
  scheduled_edits: readonly ItemEdit[];
  /** Coupons that act on its bills to come, in the order in which they do. */
  coupons: readonly CouponOnSubscription[];
  metadata: Readonly<Record<string, string>>;
  /** Log position of its first event: the order of the list. */
  started_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export interface SubscriptionSummaryItemRow {
  tenant: string;
  subscription_id: string;
  ordinal: number;
  item_id: string;
  component_key: string;
  description: string;
  kind: 'recurring' | 'one-time' | 'usage';
  meter: Item['meter'] | null;
  quantity: string;
  every: number;
  timing: 'advance' | 'arrears';
  price_model: string;
  unit_price: string;
  price: Item['price'];
}

export const subscriptionSummaries: Table<SubscriptionSummaryRow> = {
  name: 'subscription_summary',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    external_id: 'text?',
    customer_id: 'text',
    currency: 'char(3)',
    time_zone: 'text',
    scheduled_time_zone: 'text?',
    payment_terms_days: 'int4',
    auto_finalise: 'bool',
    status: 'text',
    starts_at: 'timestamptz',
    trial_ends_at: 'timestamptz?',
    anchor: 'text',
    interval_unit: 'text',
    interval_count: 'int4',
    plan_id: 'uuid?',
    plan_version: 'int4?',
    period_number: 'int4?',
    period_kind: 'text?',
    period_starts_at: 'timestamptz?',
    period_ends_at: 'timestamptz?',
    cancels_at: 'timestamptz?',
    pauses_at: 'timestamptz?',
    held_at: 'timestamptz?',
    held_reason: 'text?',
    periods: 'int4?',
    completed_periods: 'int4',
    minimum_term_periods: 'int4',
    notice_days: 'int4',
    canceled_at: 'timestamptz?',
    canceled_cause: 'text?',
    paused_at: 'timestamptz?',
    bills: 'int4',
    billed_net: 'numeric',
    scheduled_edits: 'jsonb',
    coupons: 'jsonb',
    metadata: 'jsonb',
    started_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['subscription_id'],
  indexes: [
    { on: ['tenant', 'started_position'] },
    { on: ['tenant', 'customer_id', 'started_position'] },
    { on: ['tenant', 'external_id'], notNull: 'external_id' },
    { on: ['tenant', 'status', 'started_position'] },
    { on: ['tenant', 'period_ends_at'], notNull: 'period_ends_at' },
    { on: ['held_at', 'tenant'], notNull: 'held_at' },
    { on: ['tenant', 'plan_id', 'plan_version'], notNull: 'plan_id' },
    { on: ['tenant', 'starts_at'] },
    { on: ['tenant', 'canceled_at'], notNull: 'canceled_at' },
    { on: ['tenant', 'currency', 'billed_net'] },
    { on: ['metadata'], using: 'gin' },
  ],
};

export const subscriptionSummaryItems: Table<SubscriptionSummaryItemRow> = {
  name: 'subscription_summary_item',
  columns: {
    tenant: 'text',
    subscription_id: 'uuid',
    ordinal: 'int4',
    item_id: 'text',
    component_key: 'text',
    description: 'text',
    kind: 'text',
    meter: 'jsonb?',
    quantity: 'numeric',
    every: 'int4',
    timing: 'text',
    price_model: 'text',
    unit_price: 'numeric',
    price: 'jsonb',
  },
  key: ['subscription_id', 'ordinal'],
  indexes: [],
};

/** The row after an event. CommandNoted and events that change no column still move revision and position. */
function evolve(row: SubscriptionSummaryRow | undefined, stored: StoredEvent): SubscriptionSummaryRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as SubscriptionEvent;
  if (event.type === 'SubscriptionStarted') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      subscription_id: stored.aggregateId,
      external_id: data.externalId ?? null,
      customer_id: data.customerId,
      currency: data.currency,
      time_zone: data.timeZone,
      scheduled_time_zone: null,
      payment_terms_days: data.paymentTermsDays,
      auto_finalise: data.autoFinalise ?? true,
      status: data.startsAt > data.effectiveAt ? 'scheduled' : 'active',
      starts_at: data.startsAt,
      trial_ends_at: data.trialEndsAt ?? null,
      anchor: data.anchor,
      interval_unit: data.interval.unit,
      interval_count: data.interval.count,
      plan_id: data.conditions?.plan?.planId ?? null,
      plan_version: data.conditions?.plan?.version ?? null,
      period_number: null,
      period_kind: null,
      period_starts_at: null,
      period_ends_at: null,
      cancels_at: null,
      pauses_at: null,
      held_at: null,
      held_reason: null,
      periods: data.periods ?? null,
      completed_periods: 0,
      minimum_term_periods: data.conditions?.minimumTermPeriods ?? 0,
      notice_days: data.conditions?.noticeDays ?? 0,
      canceled_at: null,
      canceled_cause: null,
      paused_at: null,
      bills: 0,
      billed_net: '0',
      scheduled_edits: [],
      coupons: [],
      metadata: data.metadata,
      started_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before SubscriptionStarted`);
  const next = { ...row, ...seen };
  switch (event.type) {
    case 'BillingPeriodOpened':
      next.paused_at = null;
      next.period_number = event.data.periodNumber;
      next.period_kind = event.data.kind;
      next.status = running(next);
      next.period_starts_at = event.data.startsAt;
      next.period_ends_at = event.data.endsAt;
      break;
    case 'BillingPeriodClosed':
      if (row.period_kind === 'regular' && row.period_ends_at === event.data.endsAt) next.completed_periods += 1;
      next.period_kind = null;
      next.period_starts_at = null;
      next.period_ends_at = null;
      break;
    case 'LinesBilled':
      next.bills = event.data.billNumber;
      if (event.data.currency === row.currency)
        next.billed_net = (BigInt(row.billed_net) + BigInt(event.data.net)).toString();
      next.coupons = row.coupons.flatMap((each) => afterBill(each, event.data.coupons ?? []));
      break;
    case 'SubscriptionPaused':
      next.status = 'paused';
      next.paused_at = event.data.effectiveAt;
      next.cancels_at = null;
      next.pauses_at = null;
      break;
    case 'SubscriptionResumed':
      next.status = 'active';
      next.paused_at = null;
      break;
    case 'PauseScheduled':
      next.pauses_at = event.data.pausesAt;
      break;
    case 'PauseUnscheduled':
      next.pauses_at = null;
      break;
    case 'BillingHeld':
      next.held_at = event.data.effectiveAt;
      next.held_reason = event.data.reason;
      break;
    case 'BillingHoldReleased':
      next.held_at = null;
      next.held_reason = null;
      break;
    case 'PeriodsChanged':
      next.periods = event.data.periods;
      break;
    case 'CancellationScheduled':
      next.status = 'canceling';
      next.cancels_at = event.data.cancelsAt;
      break;
    case 'CancellationUnscheduled':
      next.cancels_at = null;
      next.status = running(next);
      break;
    case 'SubscriptionCanceled':
      next.status = 'canceled';
      next.paused_at = null;
      next.cancels_at = null;
      next.pauses_at = null;
      next.canceled_at = event.data.effectiveAt;
      next.canceled_cause = event.data.cause;
      next.scheduled_time_zone = null;
      next.scheduled_edits = [];
      break;
    case 'BillingCycleChanged':
      next.anchor = event.data.anchor;
      next.interval_unit = event.data.interval.unit;
      next.interval_count = event.data.interval.count;
      break;
    case 'ItemsChanged': {
      const { plan, minimumTermPeriods = 0, noticeDays = 0 } = event.data.terms.at(-1)?.conditions ?? {};
      next.minimum_term_periods = minimumTermPeriods;
      next.notice_days = noticeDays;
      next.plan_id = plan?.planId ?? null;
      next.plan_version = plan?.version ?? null;
      if (event.data.cause === 'scheduled') next.scheduled_edits = [];
      break;
    }
    case 'ItemsChangeScheduled':
      next.scheduled_edits = [...row.scheduled_edits, ...event.data.edits];
      break;
    case 'ItemsChangeUnscheduled':
      next.scheduled_edits = [];
      break;
    case 'CurrencyChanged':
      next.currency = event.data.currency;
      next.billed_net = '0';
      break;
    case 'TimeZoneChangeScheduled':
      next.scheduled_time_zone = event.data.timeZone;
      break;
    case 'TimeZoneChangeUnscheduled':
      next.scheduled_time_zone = null;
      break;
    case 'TimeZoneChanged':
      next.time_zone = event.data.timeZone;
      next.scheduled_time_zone = null;
      break;
    case 'MetadataChanged':
      next.metadata = event.data.metadata;
      break;
    case 'LineItemAdded':
    case 'LineItemsAdded':
    case 'LineItemVoided':
    case 'UsageBilled':
      break;
    case 'CouponApplied':
      next.coupons = [...row.coupons, applied(event.data.coupon)];
      break;
    case 'CouponRemoved':
      next.coupons = row.coupons.filter(({ couponId }) => couponId !== event.data.couponId);
      break;
    case 'BillReleased':
      if (event.data.currency === undefined)
        next.billed_net = (BigInt(row.billed_net) - BigInt(event.data.net)).toString();
      break;
  }
  return next;
}

function applied({ couponId, code, description, discount, periods, componentKeys }: CouponTerms): CouponOnSubscription {
  return {
    couponId,
    code,
    description,
    discount,
    periods: periods ?? null,
    componentKeys: componentKeys ?? null,
    uses: 0,
    left: discount.kind === 'amount' ? discount.amount : null,
  };
}

/** None once it has done what it could. */
function afterBill(coupon: CouponOnSubscription, uses: readonly CouponUse[]): CouponOnSubscription[] {
  const use = uses.find(({ couponId }) => couponId === coupon.couponId);
  if (!use) return [coupon];
  return use.usedUp ? [] : [{ ...coupon, uses: use.uses, left: use.left ?? null }];
}

/** What a subscription with an open period is. */
function running({ cancels_at, period_kind }: SubscriptionSummaryRow): SubscriptionSummaryRow['status'] {
  if (cancels_at !== null) return 'canceling';
  return period_kind === 'trial' ? 'trialing' : 'active';
}

/** The items that are in force after the event, when it states them: the last terms of the timeline. */
function itemRows({ event, aggregateId, metadata }: StoredEvent): SubscriptionSummaryItemRow[] | undefined {
  const { type, data } = event as SubscriptionEvent;
  if (type !== 'SubscriptionStarted' && type !== 'ItemsChanged') return undefined;
  const items = type === 'ItemsChanged' ? (data.terms.at(-1)?.items ?? []) : data.items;
  return items.map((item, ordinal) => ({
    tenant: metadata.tenant,
    subscription_id: aggregateId,
    ordinal,
    item_id: item.itemId,
    component_key: item.componentKey,
    description: item.description,
    kind: item.kind ?? 'recurring',
    meter: item.meter ?? null,
    quantity: item.quantity,
    every: item.every,
    timing: item.timing,
    price_model: item.price.model,
    // A tiered price has none.
    unit_price: 'unitPrice' in item.price ? item.price.unitPrice : '0',
    price: item.price,
  }));
}

export const subscriptionSummary: Projection = {
  name: 'subscription-summary',
  version: 7,
  handles: subscriptionEventTypes,
  tables: [subscriptionSummaries.name, subscriptionSummaryItems.name],
  async create(db, schema) {
    await createTable(db, schema, subscriptionSummaries);
    await createTable(db, schema, subscriptionSummaryItems);
  },
  async apply(events, tx, schema) {
    const items = new Map<string, SubscriptionSummaryItemRow[]>();
    await foldRows(
      events.filter((event) => event.aggregate === 'subscription'),
      tx,
      schema,
      { table: subscriptionSummaries, column: 'subscription_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored) => {
        const rows = itemRows(stored);
        if (rows !== undefined) items.set(stored.aggregateId, rows);
      },
    );
    const changed = [...items.keys()].map((id) => ({ subscription_id: id }));
    await deleteRows(tx, schema, subscriptionSummaryItems, ['subscription_id'], changed);
    await upsertRows(tx, schema, subscriptionSummaryItems, [...items.values()].flat());
  },
};
