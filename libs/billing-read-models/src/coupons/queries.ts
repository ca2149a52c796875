import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Reservation } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { pageOf, pageSize, positionOf, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type Page } from '../read-models';
import { coupons, type CouponRow } from './projection';

export interface CouponView {
  readonly couponId: string;
  readonly code: string;
  readonly externalId: string | null;
  readonly description: string;
  readonly status: CouponRow['status'];
  readonly discount:
    | { readonly kind: 'percentage'; readonly percent: string }
    | { readonly kind: 'amount'; readonly amounts: readonly { readonly amount: string; readonly currency: string }[] };
  /** Bills that it lasts for; null: for ever. */
  readonly periods: number | null;
  readonly componentKeys: readonly string[] | null;
  readonly maxRedemptions: number | null;
  readonly expiresAt: string | null;
  /** Subscriptions that applied it. */
  readonly redeemed: number;
  /** Redemptions that are kept for a subscription and not yet applied. */
  readonly reserved: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface CouponFilter extends PageRequest {
  readonly tenant: string;
  readonly code?: string | undefined;
  readonly externalId?: string | undefined;
  readonly status?: CouponRow['status'] | undefined;
}

const LIST = coupons.name;

function view(row: CouponRow): CouponView {
  return {
    couponId: row.coupon_id,
    code: row.code,
    externalId: row.external_id,
    description: row.description,
    status: row.status,
    discount: discountOf(row.discount),
    periods: row.periods,
    componentKeys: row.component_keys,
    maxRedemptions: row.max_redemptions,
    expiresAt: row.expires_at,
    redeemed: row.redeemed,
    reserved: row.reservations.length,
    metadata: row.metadata,
    createdAt: row.created_at,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

function discountOf(discount: CouponRow['discount']): CouponView['discount'] {
  if (discount.kind === 'percentage') return discount;
  const amounts = Object.entries(discount.amounts).map(([currency, amount]) => ({ amount, currency }));
  // The database keeps no order of them.
  return { kind: 'amount', amounts: amounts.sort((a, b) => (a.currency < b.currency ? -1 : 1)) };
}

const tablesOf = ({ db, schema }: ReadModels) => (db as Kysely<{ coupon: CouponRow }>).withSchema(schema);

export async function getCoupon(
  models: ReadModels,
  { tenant, couponId }: { readonly tenant: string; readonly couponId: string },
): Promise<Found<CouponView>> {
  const seen = await asOf(models.db, models.schema, LIST);
  if (!isUuid(couponId)) return { found: undefined, asOf: seen };
  const row = await tablesOf(models)
    .selectFrom('coupon')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('coupon_id', '=', couponId)
    .executeTakeFirst();
  return { found: row && view(row), asOf: seen };
}

/** Coupons in the order in which they were created. Throws InvalidCursor. */
export async function findCoupons(models: ReadModels, filter: CouponFilter): Promise<Page<CouponView>> {
  const { tenant, code, externalId, status } = filter;
  const after = positionOf(LIST, filter.cursor);
  const size = pageSize(filter);
  // Before the rows, so that they hold at least this much.
  const seen = await asOf(models.db, models.schema, LIST);
  let query = tablesOf(models)
    .selectFrom('coupon')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('created_position', '>', after);
  if (code !== undefined) query = query.where('code', '=', code);
  if (externalId !== undefined) query = query.where('external_id', '=', externalId);
  if (status !== undefined) query = query.where('status', '=', status);
  const rows = await query
    .orderBy('created_position')
    .limit(size + 1)
    .execute();
  return { ...pageOf(LIST, rows, size, (row) => row.created_position, view), asOf: seen };
}

const MAX_EXPIRED = 100;

/** Reservations whose time was over at `at` (ISO 8601 UTC, of the clock on the wall): the scheduler's question, of every tenant. */
export async function findExpiredReservations(
  models: ReadModels,
  at: string,
): Promise<(Reservation & { readonly tenant: string; readonly couponId: string })[]> {
  const rows = await tablesOf(models)
    .selectFrom('coupon')
    .select(['tenant', 'coupon_id', 'reservations'])
    .where('next_release_at', '<=', at)
    .orderBy('next_release_at')
    .limit(MAX_EXPIRED)
    .execute();
  return rows
    .flatMap(({ tenant, coupon_id: couponId, reservations }) =>
      reservations
        .filter(({ reservedUntil }) => reservedUntil <= at)
        .map((reservation) => ({ tenant, couponId, ...reservation })),
    )
    .slice(0, MAX_EXPIRED);
}

export class GetCoupon extends Query<Found<CouponView>> {
  constructor(
    readonly tenant: string,
    readonly couponId: string,
  ) {
    super();
  }
}

@QueryHandler(GetCoupon)
export class GetCouponHandler implements IQueryHandler<GetCoupon> {
  constructor(private readonly models: ReadModels) {}

  execute(query: GetCoupon): Promise<Found<CouponView>> {
    return getCoupon(this.models, query);
  }
}

export class FindCoupons extends Query<Page<CouponView>> {
  constructor(readonly filter: CouponFilter) {
    super();
  }
}

@QueryHandler(FindCoupons)
export class FindCouponsHandler implements IQueryHandler<FindCoupons> {
  constructor(private readonly models: ReadModels) {}

  execute({ filter }: FindCoupons): Promise<Page<CouponView>> {
    return findCoupons(this.models, filter);
  }
}
