import { instant, laterInstant } from '../calendar';
import { formatDecimal, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import type { JsonValue } from '../json';
import { currency, parseMinor } from '../money';
import { MAX_ITEMS, MAX_LINE_NET } from '../subscription/terms';
import { metadata, oneOf, text } from '../text';
import type { CouponCreated, CouponEvent, CouponOffer } from './events';

/*
 * A coupon guards one thing: it is redeemed no more often than it may be, whoever races. It counts what was redeemed and keeps, one
 * by one, only the redemptions that are reserved and not yet applied; that a subscription redeems it once is what the
 * subscription remembers.
 */

/** A coupon: its terms, which never change, and how often it was redeemed. */
export type Coupon = { readonly status: 'none' } | ExistingCoupon;

export interface ExistingCoupon extends Omit<CouponCreated['data'], 'effectiveAt'> {
  readonly status: 'active' | 'archived';
  readonly changedAt: string;
  readonly redeemed: number;
  readonly reserved: readonly Reservation[];
}

export interface Reservation {
  readonly reservationId: string;
  readonly subscriptionId: string;
  readonly reservedUntil: string;
}

/** Redemptions that may be reserved at one time: what a decision keeps stays small. */
export const MAX_RESERVATIONS = 500;

/** Currencies in which a coupon of an amount can be redeemed. */
export const MAX_COUPON_CURRENCIES = 20;

export interface NewCoupon {
  /** Derived from the code: ids.ts. */
  readonly couponId: string;
  readonly code: string;
  /** As it stands on the invoice; default: the code. */
  readonly description?: string | undefined;
  readonly discount: CouponOffer['discount'];
  /** Bills at boundaries off which it takes something; default: for ever. */
  readonly duration?: 'once' | 'forever' | { readonly periods: number } | undefined;
  readonly componentKeys?: readonly string[] | undefined;
  readonly maxRedemptions?: number | undefined;
  readonly expiresAt?: string | undefined;
  readonly externalId?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** A code as it is compared: without blanks around it, in capitals. Raises `invalid-text`. */
export function couponCode(code: string): string {
  return text('code', text('code', code, 50).trim().normalize('NFKC').toUpperCase(), 50);
}

/** Creates a coupon. Raises `coupon-exists`, `invalid-price` (a percentage beyond 0 to 100) and the codes of category `invalid`. */
export function createCoupon(state: Coupon, input: NewCoupon, now: string): CouponEvent[] {
  if (state.status !== 'none') throw new DomainError('coupon-exists');
  const { couponId, duration = 'forever', componentKeys, maxRedemptions, expiresAt, externalId } = input;
  const code = couponCode(input.code);
  const periods = typeof duration === 'object' ? count('periods', duration.periods, 1_000) : undefined;
  if (typeof duration === 'string') oneOf('duration', duration, ['once', 'forever']);
  if (componentKeys && (componentKeys.length === 0 || componentKeys.length > MAX_ITEMS)) {
    throw new DomainError('invalid-option', `1 to ${MAX_ITEMS} component keys`);
  }
  const data = {
    effectiveAt: instant(now),
    couponId,
    code,
    description: text('description', input.description ?? code, 200),
    discount: discountOf(input.discount),
    ...(duration === 'once' && { periods: 1 }),
    ...(periods !== undefined && { periods }),
    ...(componentKeys && { componentKeys: componentKeys.map((key) => text('componentKey', key, 100)) }),
    ...(maxRedemptions !== undefined && { maxRedemptions: count('maxRedemptions', maxRedemptions, 1_000_000_000) }),
    ...(expiresAt !== undefined && { expiresAt: instant(expiresAt) }),
    ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
    metadata: metadata(input.metadata),
  };
  return [{ type: 'CouponCreated', data }];
}

/**
 * Keeps one redemption for a subscription; nothing when this one is kept already. Raises `coupon-not-found`, `coupon-archived`,
 * `coupon-expired`, `coupon-exhausted`, `coupon-busy`.
 */
export function reserveRedemption(state: Coupon, reservation: Reservation, now: string): CouponEvent[] {
  const coupon = existing(state);
  const { code, maxRedemptions = Infinity, expiresAt, redeemed, reserved } = coupon;
  if (reserved.some(({ reservationId }) => reservationId === reservation.reservationId)) return [];
  if (coupon.status === 'archived') throw new DomainError('coupon-archived', undefined, { code });
  if (expiresAt !== undefined && instant(now) >= expiresAt) {
    throw new DomainError('coupon-expired', undefined, { code, expiresAt });
  }
  if (redeemed + reserved.length >= maxRedemptions) throw new DomainError('coupon-exhausted', undefined, { code });
  if (reserved.length >= MAX_RESERVATIONS) throw new DomainError('coupon-busy', undefined, { code });
  return [{ type: 'RedemptionReserved', data: { effectiveAt: changing(coupon, now), ...reservation } }];
}

type Of = Pick<Reservation, 'reservationId' | 'subscriptionId'>;

/** Counts a redemption that a subscription applied. Once per reservation: its key sees to that. Raises `coupon-not-found`. */
export function redeem(state: Coupon, { reservationId, subscriptionId }: Of, now: string): CouponEvent[] {
  const effectiveAt = changing(existing(state), now);
  return [{ type: 'CouponRedeemed', data: { effectiveAt, reservationId, subscriptionId } }];
}

/** Frees a reserved redemption; nothing when it is not kept (any more). Raises `coupon-not-found`. */
export function releaseRedemption(state: Coupon, { reservationId, subscriptionId }: Of, now: string): CouponEvent[] {
  const coupon = existing(state);
  if (coupon.reserved.every((each) => each.reservationId !== reservationId)) return [];
  return [{ type: 'RedemptionReleased', data: { effectiveAt: changing(coupon, now), reservationId, subscriptionId } }];
}

/** Nobody redeems it any more; what was redeemed goes on. Nothing when it is archived already. Raises `coupon-not-found`. */
export function archiveCoupon(state: Coupon, now: string): CouponEvent[] {
  const coupon = existing(state);
  if (coupon.status === 'archived') return [];
  return [{ type: 'CouponArchived', data: { effectiveAt: changing(coupon, now) } }];
}

/** What a coupon gives. Raises `coupon-not-found`. */
export function offerOf(state: Coupon): CouponOffer {
  const { couponId, code, description, discount, periods, componentKeys } = existing(state);
  return {
    couponId,
    code,
    description,
    discount,
    ...(periods !== undefined && { periods }),
    ...(componentKeys && { componentKeys }),
  };
}

/** Records what happened. */
export function evolveCoupon(state: Coupon, event: CouponEvent): ExistingCoupon {
  if (event.type === 'CouponCreated') {
    const { effectiveAt: changedAt, ...coupon } = event.data;
    return { ...coupon, status: 'active', changedAt, redeemed: 0, reserved: [] };
  }
  if (state.status === 'none') throw new Error(`${event.type} before CouponCreated`);
  const { effectiveAt: changedAt } = event.data;
  const without = (reservationId: string) => state.reserved.filter((each) => each.reservationId !== reservationId);
  switch (event.type) {
    case 'RedemptionReserved': {
      const { effectiveAt: _, ...reservation } = event.data;
      return { ...state, changedAt, reserved: [...state.reserved, reservation] };
    }
    case 'CouponRedeemed':
      return { ...state, changedAt, redeemed: state.redeemed + 1, reserved: without(event.data.reservationId) };
    case 'RedemptionReleased':
      return { ...state, changedAt, reserved: without(event.data.reservationId) };
    case 'CouponArchived':
      return { ...state, changedAt, status: 'archived' };
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

function discountOf(discount: CouponOffer['discount']): CouponOffer['discount'] {
  oneOf('kind', discount.kind, ['percentage', 'amount']);
  if (discount.kind === 'percentage') {
    const percent = parseDecimal(discount.percent);
    if (percent.units <= 0n || percent.units > 100n * 10n ** BigInt(percent.scale)) {
      throw new DomainError('invalid-price', 'a percentage is above 0 and at most 100');
    }
    return { kind: 'percentage', percent: formatDecimal(percent) };
  }
  const amounts = Object.entries(discount.amounts).map(([code, value]) => {
    const amount = parseMinor(value);
    if (amount <= 0n) throw new DomainError('invalid-amount', 'an amount above zero');
    if (amount > MAX_LINE_NET) throw new DomainError('amount-out-of-range');
    return [currency(code), amount.toString()] as const;
  });
  if (amounts.length === 0 || amounts.length > MAX_COUPON_CURRENCIES) {
    throw new DomainError('invalid-option', `an amount in 1 to ${MAX_COUPON_CURRENCIES} currencies`);
  }
  return { kind: 'amount', amounts: Object.fromEntries(amounts.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function count(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new DomainError('invalid-option', `${name} is a count from 1 to ${most}`);
}

function existing(state: Coupon): ExistingCoupon {
  if (state.status === 'none') throw new DomainError('coupon-not-found');
  return state;
}

const changing = ({ changedAt }: ExistingCoupon, now: string) => laterInstant(now, changedAt);

const couponEvents: Readonly<Record<CouponEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  CouponCreated: [],
  RedemptionReserved: [],
  CouponRedeemed: [],
  RedemptionReleased: [],
  CouponArchived: [],
};

/** What the aggregate repository needs to know of coupons. */
export const couponType = {
  name: 'coupon',
  catalog: couponEvents,
  initial: { status: 'none' } as Coupon,
  evolve: evolveCoupon,
  snapshot: {
    version: 1,
    toJSON: (state: Coupon) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Coupon,
  },
} as const;
