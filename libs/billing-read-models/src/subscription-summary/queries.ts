import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { metadataHas } from '../metadata-filter';
import { orderOf, pageOf, pageSize, type Order, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type MoneyView, type Page } from '../read-models';
import { subscriptionSummary, type SubscriptionSummaryItemRow, type SubscriptionSummaryRow } from './projection';

export interface SubscriptionView {
  readonly subscriptionId: string;
  readonly externalId: string | null;
  readonly customerId: string;
  readonly status: SubscriptionSummaryRow['status'];
  readonly currency: string;
  readonly timeZone: string;
  readonly scheduledTimeZone: string | null;
  readonly paymentTermsDays: number;
  /** false: its invoices stay drafts until someone asks for their finalising. */
  readonly autoFinalise: boolean;
  readonly startsAt: string;
  readonly trialEndsAt: string | null;
  readonly anchor: string;
  readonly interval: { readonly unit: string; readonly count: number };
  /** The version of a plan that the terms in force are a copy of. */
  readonly plan: { readonly planId: string; readonly version: number } | null;
  readonly items: readonly {
    readonly itemId: string;
    readonly componentKey: string;
    readonly description: string;
    /** Absent: recurring. */
    readonly kind?: 'one-time' | 'usage';
    readonly meter?: NonNullable<SubscriptionSummaryItemRow['meter']>;
    readonly quantity: string;
    readonly every: number;
    readonly timing: 'advance' | 'arrears';
    /** `unitPrice` is "0" where the price has none (tiers, packages). */
    readonly price: { readonly unitPrice: string } & Omit<SubscriptionSummaryItemRow['price'], 'unitPrice'>;
  }[];
  /** The period that is open; null while none is. */
  readonly period: {
    readonly periodNumber: number;
    readonly kind: 'regular' | 'trial';
    readonly startsAt: string;
    readonly endsAt: string;
  } | null;
  /** What the end of the open period changes, in order. */
  readonly scheduledEdits: SubscriptionSummaryRow['scheduled_edits'];
  /** Coupons that act on its bills to come, in the order in which they do. */
  readonly coupons: SubscriptionSummaryRow['coupons'];
  readonly cancelsAt: string | null;
  readonly pausesAt: string | null;
  /** Why nothing is billed until someone has looked at it. */
  readonly hold: { readonly heldAt: string; readonly reason: 'repeated-bills' | 'repeated-lines' } | null;
  readonly periods: number | null;
  readonly completedPeriods: number;
  readonly minimumTermPeriods: number;
  readonly noticeDays: number;
  readonly canceledAt: string | null;
  /** Why it has ended. */
  readonly canceledCause: SubscriptionSummaryRow['canceled_cause'];
  readonly pausedAt: string | null;
  readonly bills: number;
  readonly billedNet: MoneyView;
  readonly metadata: Readonly<Record<string, string>>;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface SubscriptionFilter extends PageRequest {
  readonly tenant: string;
  readonly customerId?: string | undefined;
  readonly externalId?: string | undefined;
  readonly status?: SubscriptionSummaryRow['status'] | undefined;
  /** Whether billing is held. */
  readonly held?: boolean | undefined;
  readonly currency?: string | undefined;
  readonly planId?: string | undefined;
  readonly planVersion?: number | undefined;
  /** All of these keys with these values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Instants: started, or canceled, at or after the one and before the other. */
  readonly startsFrom?: string | undefined;
  readonly startsBefore?: string | undefined;
  readonly canceledFrom?: string | undefined;
  readonly canceledBefore?: string | undefined;
  /** Minor units: billed so far, both ends included. */
  readonly billedNetFrom?: string | undefined;
  readonly billedNetTo?: string | undefined;
  readonly order?: Order | undefined;
  /** Instants: open periods that end at or after the one and before the other. */
  readonly periodEndsFrom?: string | undefined;
  readonly periodEndsBefore?: string | undefined;
}

const LIST = subscriptionSummary.name;

interface Tables {
  subscription_summary: SubscriptionSummaryRow;
  subscription_summary_item: SubscriptionSummaryItemRow;
}

function view(row: SubscriptionSummaryRow, items: readonly SubscriptionSummaryItemRow[]): SubscriptionView {
  return {
    subscriptionId: row.subscription_id,
    externalId: row.external_id,
    customerId: row.customer_id,
    status: row.status,
    currency: row.currency,
    timeZone: row.time_zone,
    scheduledTimeZone: row.scheduled_time_zone,
    paymentTermsDays: row.payment_terms_days,
    autoFinalise: row.auto_finalise,
    startsAt: row.starts_at,
    trialEndsAt: row.trial_ends_at,
    anchor: row.anchor,
    interval: { unit: row.interval_unit, count: row.interval_count },
    plan: row.plan_id === null || row.plan_version === null ? null : { planId: row.plan_id, version: row.plan_version },
    items: items
      .filter((item) => item.subscription_id === row.subscription_id)
      .map((item) => ({
        itemId: item.item_id,
        componentKey: item.component_key,
        description: item.description,
        ...(item.kind !== 'recurring' && { kind: item.kind }),
        ...(item.meter && { meter: item.meter }),
        quantity: item.quantity,
        every: item.every,
        timing: item.timing,
        price: { ...item.price, unitPrice: item.unit_price },
      })),
    period:
      row.period_number === null ||
      row.period_kind === null ||
      row.period_starts_at === null ||
      row.period_ends_at === null
        ? null
        : {
            periodNumber: row.period_number,
            kind: row.period_kind,
            startsAt: row.period_starts_at,
            endsAt: row.period_ends_at,
          },
    scheduledEdits: row.scheduled_edits,
    coupons: row.coupons,
    cancelsAt: row.cancels_at,
    pausesAt: row.pauses_at,
    hold: row.held_at === null || row.held_reason === null ? null : { heldAt: row.held_at, reason: row.held_reason },
    periods: row.periods,
    completedPeriods: row.completed_periods,
    minimumTermPeriods: row.minimum_term_periods,
    noticeDays: row.notice_days,
    canceledAt: row.canceled_at,
    canceledCause: row.canceled_cause,
    pausedAt: row.paused_at,
    bills: row.bills,
    billedNet: { amount: row.billed_net, currency: row.currency },
    metadata: row.metadata,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

const itemsOf = (db: Kysely<Tables>, ids: readonly string[]) =>
  ids.length === 0
    ? Promise.resolve([])
    : db
        .selectFrom('subscription_summary_item')
        .selectAll()
        .where('subscription_id', 'in', ids)
        .orderBy('subscription_id')
        .orderBy('ordinal')
        .execute();

/** A subscription's terms, lifecycle and totals. */
export async function getSubscription(
  { db, schema }: ReadModels,
  { tenant, subscriptionId }: { readonly tenant: string; readonly subscriptionId: string },
): Promise<Found<SubscriptionView>> {
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(subscriptionId)) return { found: undefined, asOf: seen };
  const tables = (db as Kysely<Tables>).withSchema(schema);
  const row = await tables
    .selectFrom('subscription_summary')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription_id', '=', subscriptionId)
    .executeTakeFirst();
  return {
    found: row && view(row, await itemsOf(tables, [row.subscription_id])),
    asOf: seen,
  };
}

/** Subscriptions in the order in which they were started, or the last of them first. Throws InvalidCursor. */
export async function findSubscriptions(
  { db, schema }: ReadModels,
  filter: SubscriptionFilter,
): Promise<Page<SubscriptionView>> {
  const { list, after, compare, direction } = orderOf(LIST, filter);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  const tables = (db as Kysely<Tables>).withSchema(schema);
  let query = tables
    .selectFrom('subscription_summary')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('started_position', compare, after)
    .orderBy('started_position', direction)
    .limit(size + 1);
  if (filter.customerId !== undefined) query = query.where('customer_id', '=', filter.customerId);
  if (filter.externalId !== undefined) query = query.where('external_id', '=', filter.externalId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.held !== undefined) query = query.where('held_at', filter.held ? 'is not' : 'is', null);
  if (filter.currency !== undefined) query = query.where('currency', '=', filter.currency);
  if (filter.planId !== undefined) query = query.where('plan_id', '=', filter.planId);
  if (filter.planVersion !== undefined) query = query.where('plan_version', '=', filter.planVersion);
  if (filter.metadata !== undefined) query = query.where(metadataHas(filter.metadata));
  if (filter.startsFrom !== undefined) query = query.where('starts_at', '>=', filter.startsFrom);
  if (filter.startsBefore !== undefined) query = query.where('starts_at', '<', filter.startsBefore);
  if (filter.canceledFrom !== undefined) query = query.where('canceled_at', '>=', filter.canceledFrom);
  if (filter.canceledBefore !== undefined) query = query.where('canceled_at', '<', filter.canceledBefore);
  if (filter.billedNetFrom !== undefined) query = query.where('billed_net', '>=', filter.billedNetFrom);
  if (filter.billedNetTo !== undefined) query = query.where('billed_net', '<=', filter.billedNetTo);
  if (filter.periodEndsFrom !== undefined) query = query.where('period_ends_at', '>=', filter.periodEndsFrom);
  if (filter.periodEndsBefore !== undefined) query = query.where('period_ends_at', '<', filter.periodEndsBefore);
  const rows = await query.execute();
  const items = await itemsOf(
    tables,
    rows.slice(0, size).map((row) => row.subscription_id),
  );
  return {
    ...pageOf(
      list,
      rows,
      size,
      (row) => row.started_position,
      (row) => view(row, items),
    ),
    asOf: seen,
  };
}

export class GetSubscription extends Query<Found<SubscriptionView>> {
  constructor(
    readonly tenant: string,
    readonly subscriptionId: string,
  ) {
    super();
  }
}

@QueryHandler(GetSubscription)
export class GetSubscriptionHandler implements IQueryHandler<GetSubscription> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetSubscription) {
    return getSubscription(this.models, query);
  }
}

export class FindSubscriptions extends Query<Page<SubscriptionView>> {
  constructor(readonly filter: SubscriptionFilter) {
    super();
  }
}

@QueryHandler(FindSubscriptions)
export class FindSubscriptionsHandler implements IQueryHandler<FindSubscriptions> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindSubscriptions) {
    return findSubscriptions(this.models, filter);
  }
}
