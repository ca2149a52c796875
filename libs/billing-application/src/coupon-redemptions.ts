import {
  couponCode,
  couponId,
  DomainError,
  offerOf,
  redeem,
  releaseRedemption,
  reservationId,
  reservationKey,
  reserveRedemption,
  type ApplyCoupon,
  type CouponOffer,
  type RedemptionReserved,
} from '@perennial/billing-domain';
import { RememberedIdReused, type Remembered } from '@perennial/event-sourcing';
import type { RequestContext } from './command-result';
import { fingerprintOf } from './fingerprint';
import type { BillingRepositories } from './repositories';

/*
 * A coupon and a subscription are two aggregates: the coupon reserves a redemption, the subscription applies the coupon, a policy
 * tells the coupon. A reservation is a lease on the clock on the wall: a subscription applies it only while there is much of it
 * left, and it is freed only after its end and when the subscription, which remembers for ever what it applied, did not.
 */

/** How long a redemption is kept for a subscription. */
const RESERVED_MS = 15 * 60_000;
/** What must be left of it for a subscription to apply it: far more than a command takes. */
const NEEDED_MS = 5 * 60_000;

/** Who redeems: a subscription, under the key of the command that applies the coupon. */
export interface Redemption {
  readonly couponId: string;
  readonly reservationId: string;
  readonly subscriptionId: string;
}

type Sender = Omit<RequestContext, 'key' | 'fingerprint' | 'expectedRevision'>;

/** Who asks and why, for a command that has a key of its own. */
export function senderOf({ tenant, principal, correlationId, causationId, traceparent }: RequestContext): Sender {
  return { tenant, principal, correlationId, causationId, traceparent };
}

/** What the coupons with these codes give, in their order. Raises `coupon-not-found`, `coupon-already-applied` (a code twice). */
export async function couponsOf(
  { coupons }: BillingRepositories,
  tenant: string,
  codes: readonly string[],
): Promise<CouponOffer[]> {
  const ids = codes.map((code) => couponId(tenant, couponCode(code)));
  if (new Set(ids).size < ids.length) throw new DomainError('coupon-already-applied');
  return Promise.all(
    ids.map(async (id) => {
      const coupon = await coupons.load(id, tenant);
      return offerOf(coupon?.state ?? { status: 'none' });
    }),
  );
}

/** What a subscription remembers for its life: it redeems a coupon once. */
export function remembering(applied: readonly ApplyCoupon[]): Remembered[] {
  return applied.map(({ coupon, reservationId: id }) => ({ kind: 'coupon', id: coupon.couponId, fingerprint: id }));
}

/**
 * Keeps a redemption of the coupon for the subscription, the same one for a command however often it is tried while that is fresh.
 * Raises what reserveRedemption raises; in a dry run nothing is kept.
 */
export async function reserve(
  { coupons }: BillingRepositories,
  coupon: CouponOffer,
  subscriptionId: string,
  context: RequestContext,
  now: string,
): Promise<ApplyCoupon> {
  const holds = async (id: string) => {
    const state = (await coupons.load(coupon.couponId, context.tenant))?.state;
    return state !== undefined && state.status !== 'none' && state.reserved.some((each) => each.reservationId === id);
  };
  for (let attempt = 0; ; attempt += 1) {
    const id = reservationId(
      coupon.couponId,
      subscriptionId,
      attempt === 0 ? context.key : `${context.key} ${attempt}`,
    );
    const reservedUntil = new Date(Date.now() + RESERVED_MS).toISOString();
    const { events, dryRun, repeated } = await coupons.change(
      coupon.couponId,
      {
        ...senderOf(context),
        key: reservationKey(id, 'reserve'),
        fingerprint: fingerprintOf({ command: 'ReserveRedemption', reservationId: id }),
        dryRun: context.dryRun,
        now,
      },
      (state) => reserveRedemption(state, { reservationId: id, subscriptionId, reservedUntil }, now),
    );
    const kept = events[0]?.event as RedemptionReserved | undefined;
    const left = kept ? Date.parse(kept.data.reservedUntil) - Date.now() : 0;
    if (dryRun || (left > NEEDED_MS && (!repeated || (await holds(id))))) return { reservationId: id, coupon };
  }
}

/** Tells the coupon that the subscription applied it; once, whoever tells. */
export async function countRedemption(
  { coupons }: BillingRepositories,
  redemption: Redemption,
  sender: Sender,
  now: string,
) {
  const key = reservationKey(redemption.reservationId, 'redeem');
  const fingerprint = fingerprintOf({ command: 'RedeemCoupon', ...redemption });
  return coupons.change(redemption.couponId, { ...sender, key, fingerprint, now }, (state) =>
    redeem(state, redemption, now),
  );
}

/** Frees a redemption that the subscription can no longer apply. */
export async function freeRedemption(
  { coupons }: BillingRepositories,
  redemption: Redemption,
  sender: Sender,
  now: string,
) {
  const key = reservationKey(redemption.reservationId, 'release');
  const fingerprint = fingerprintOf({ command: 'ReleaseRedemption', ...redemption });
  return coupons.change(redemption.couponId, { ...sender, key, fingerprint, now }, (state) =>
    releaseRedemption(state, redemption, now),
  );
}

/** Whether the subscription applied this redemption, however long ago. Changes nothing. */
export async function isApplied(
  { subscriptions }: BillingRepositories,
  { couponId: id, reservationId: fingerprint, subscriptionId }: Redemption,
  sender: Sender,
  now: string,
): Promise<boolean> {
  const unknown = new Error('the subscription remembers no redemption of this coupon');
  const key = reservationKey(fingerprint, 'redeem');
  try {
    await subscriptions.change(
      subscriptionId,
      { ...sender, key, fingerprint, now, dryRun: true },
      () => {
        throw unknown;
      },
      { remembers: [{ kind: 'coupon', id, fingerprint }] },
    );
    return true;
  } catch (error) {
    if (error === unknown || error instanceof RememberedIdReused) return false;
    throw error;
  }
}
