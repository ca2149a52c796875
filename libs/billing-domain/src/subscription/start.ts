import { defaultRules, type BillingRules } from '../billing-rules';
import {
  addDays,
  dateOf,
  daysBetween,
  gridPeriodAt,
  instant,
  laterInstant,
  timeZone,
  toInstant,
  toLocal,
  toLocalDate,
  type Interval,
} from '../calendar';
import { commitmentEdit, committed, type CommitmentEdit } from '../commitment/bounds';
import { DomainError } from '../domain-error';
import { currency } from '../money';
import { metadata, oneOf, text } from '../text';
import { applying, type ApplyCoupon } from './apply-coupon';
import { begin, living } from './boundary';
import type { Conditions, SubscriptionEvent } from './events';
import { roomToBegin } from './room';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { newItems, startGrid, type Anchor, type NewItem } from './terms';

export interface StartSubscription {
  /** Derived from the external id or the key: ids.ts. */
  readonly subscriptionId: string;
  readonly externalId?: string | undefined;
  readonly customerId: string;
  readonly currency: string;
  readonly timeZone: string;
  /** Default 0. */
  readonly paymentTermsDays?: number | undefined;
  readonly interval: Interval;
  /** Default: the start of the local date on which what is paid for begins, the trial's end or the start. */
  readonly anchor?: Anchor | undefined;
  /** Default: now. Later: nothing is billed until then. Earlier: the periods since then are billed one after another. */
  readonly startsAt?: string | undefined;
  /** Local dates from the start, to the same time of day. Default: no trial. */
  readonly trialDays?: number | undefined;
  /** cancel: it ends with the trial. Default: the first paid period follows. */
  readonly trialEnd?: 'activate' | 'cancel' | undefined;
  /** How long usage may arrive after the end of its period, before the period is billed. Default 0. */
  readonly usageGraceHours?: number | undefined;
  /** It expires with the end of so many paid periods. Default: it goes on. */
  readonly periods?: number | undefined;
  /** Paid periods before the end of which nobody cancels. */
  readonly minimumTermPeriods?: number | undefined;
  /** Local dates between a cancellation and the end that it asks for. */
  readonly noticeDays?: number | undefined;
  readonly item: NewItem;
  /** Further items besides the first. */
  readonly items?: readonly NewItem[] | undefined;
  /** What a whole period comes to at least and at most, before discounts: decimals of the minor unit. Default: no bounds. */
  readonly commitment?: CommitmentEdit | undefined;
  /** The version of the plan that the terms are a copy of. */
  readonly plan?: Conditions['plan'];
  /** Coupons that act on it from its first bill on, in this order. */
  readonly coupons?: readonly ApplyCoupon[] | undefined;
  /** Default: those of `defaultRules`. */
  readonly rules?: BillingRules | undefined;
  /** false: its invoices stay drafts until someone asks for their finalising. */
  readonly autoFinalise?: boolean | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** How far from now a start may lie, either way. */
const MAX_START_DISTANCE_DAYS = 1830;
/** Periods that a backdated start may have to bill. */
const MAX_ELAPSED_PERIODS = 120;
/** Days of a trial or a notice, periods of a minimum term. */
const MAX_COUNT = 3660;
const MAX_PERIODS = 10_000;

/**
 * Starts a subscription: opens its first period, the trial if there is one, and bills what is due in advance; before `startsAt`
 * it is only scheduled. Raises `subscription-exists`, `start-out-of-range`, `billing-period-full` and the codes of category `invalid`.
 */
export function start(state: Subscription, input: StartSubscription, now: string): SubscriptionEvent[] {
  if (state.status !== 'none') throw new DomainError('subscription-exists');
  const at = instant(now);
  const startsAt = instant(input.startsAt ?? at);
  const zone = timeZone(input.timeZone);
  const local = toLocal(startsAt, zone);
  const { externalId, paymentTermsDays = 0, trialDays = 0 } = input;
  if (!Number.isInteger(paymentTermsDays) || paymentTermsDays < 0 || paymentTermsDays > 365) {
    throw new DomainError('invalid-payment-terms');
  }
  count('trialDays', trialDays);
  if (Math.abs(daysBetween(dateOf(local), toLocalDate(at, zone))) > MAX_START_DISTANCE_DAYS) {
    throw new DomainError('start-out-of-range');
  }
  const trialEndsAt =
    trialDays === 0 ? undefined : toInstant(`${addDays(dateOf(local), trialDays)}${local.slice(10)}`, zone);
  const { periods, minimumTermPeriods = 0, noticeDays = 0, usageGraceHours = 0 } = input;
  if (periods !== undefined) paidPeriods(periods);
  count('minimumTermPeriods', minimumTermPeriods);
  count('noticeDays', noticeDays);
  count('usageGraceHours', usageGraceHours);
  const conditions = {
    ...(input.plan && { plan: input.plan }),
    ...committed(undefined, commitmentEdit(input.commitment ?? {})),
    ...(minimumTermPeriods > 0 && { minimumTermPeriods }),
    ...(noticeDays > 0 && { noticeDays }),
    ...(usageGraceHours > 0 && { usageGraceHours }),
  };
  const trialEnd = oneOf('trialEnd', input.trialEnd ?? 'activate', ['activate', 'cancel']);
  const paidFrom = trialEndsAt ?? startsAt;
  const grid = startGrid(input.anchor, input.interval, toLocal(paidFrom, zone));
  if (paidFrom < at) {
    const elapsed = gridPeriodAt(grid, zone, at).gridIndex - gridPeriodAt(grid, zone, paidFrom).gridIndex;
    if (elapsed > MAX_ELAPSED_PERIODS) throw new DomainError('start-out-of-range');
  }
  const data = {
    effectiveAt: startsAt < at ? startsAt : at,
    subscriptionId: input.subscriptionId,
    ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
    customerId: text('customerId', input.customerId, 200),
    currency: currency(input.currency),
    timeZone: zone,
    paymentTermsDays,
    startsAt,
    anchor: grid.anchor,
    ...(grid.anchorDay !== undefined && { anchorDay: grid.anchorDay }),
    interval: grid.interval,
    items: newItems([input.item, ...(input.items ?? [])], local),
    rules: input.rules ?? defaultRules,
    ...(input.autoFinalise === false && { autoFinalise: false as const }),
    metadata: metadata(input.metadata),
    ...(trialEndsAt !== undefined && { trialEndsAt }),
    ...(trialEndsAt !== undefined && trialEnd === 'cancel' && { trialEnd }),
    ...(periods !== undefined && { periods }),
    ...(Object.keys(conditions).length > 0 && { conditions }),
  } as const;
  const started: SubscriptionEvent = { type: 'SubscriptionStarted', data };
  const applied: SubscriptionEvent[] = [];
  let subscription = evolve(state, started);
  for (const coupon of input.coupons ?? []) {
    const events = applying(subscription, coupon, at);
    applied.push(...events);
    subscription = events.reduce<StartedSubscription>(evolve, subscription);
  }
  roomToBegin(subscription);
  return startsAt > at ? [started, ...applied] : [started, ...applied, ...begin(subscription)];
}

/**
 * Lets it expire with the end of another number of paid periods, those before included, or go on for ever (`null`). Nothing when
 * it is so already. Raises `invalid-option` for a number that has been reached, `subscription-canceled`, `boundary-due`.
 */
export function changePeriods(
  state: Subscription,
  { periods }: { readonly periods: number | null },
  now: string,
): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (periods === (subscription.periods ?? null)) return [];
  if (periods !== null && paidPeriods(periods) <= subscription.completedPeriods) {
    throw new DomainError('invalid-option', `${subscription.completedPeriods} periods have ended`);
  }
  const effectiveAt = laterInstant(now, subscription.openPeriod?.startsAt ?? subscription.lastClosed?.endsAt ?? now);
  return [{ type: 'PeriodsChanged', data: { effectiveAt, periods } }];
}

function paidPeriods(periods: number): number {
  if (!Number.isInteger(periods) || periods < 1 || periods > MAX_PERIODS) {
    throw new DomainError('invalid-option', `periods is a number from 1 to ${MAX_PERIODS}`);
  }
  return periods;
}

function count(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > MAX_COUNT) {
    throw new DomainError('invalid-option', `${name} is a count from 0 to ${MAX_COUNT}`);
  }
}
