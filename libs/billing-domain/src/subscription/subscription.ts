import { defaultRules, type BillingRules } from '../billing-rules';
import {
  addDays,
  date,
  dateOf,
  daysBetween,
  instant,
  laterInstant,
  timeZone,
  toLocal,
  toLocalDate,
  type Interval,
} from '../calendar';
import { commitmentEdit, committed, type CommitmentEdit } from '../commitment/bounds';
import { DomainError } from '../domain-error';
import { lineItemLineId } from '../ids';
import type { Line } from '../line';
import { currency } from '../money';
import { metadata, oneOf, text } from '../text';
import { addLine, close, openAt, voidLine, type BillingPeriod } from './billing-period';
import { bill } from './bill';
import {
  atBoundary,
  cycleChanged,
  living,
  openPeriod,
  reservedBytes,
  startedState,
  termsInForce,
} from './boundary';
import type { SubscriptionCanceled, SubscriptionEvent } from './events';
import { evolve, keptBytes, type StartedSubscription, type Subscription } from './state';
import { outstandingLines, type Stop } from './outstanding';
import { newItems, price, startGrid, taxFields, type Anchor, type NewItem } from './terms';

/** How far from the open period the service of a line item may lie. */
export const MAX_SERVICE_DISTANCE_DAYS = 1830;

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
  /** Default: the start of the local date of the start. */
  readonly anchor?: Anchor | undefined;
  /** Only now, which is the default: anything else raises `not-available`. */
  readonly startsAt?: string | undefined;
  readonly item: NewItem;
  /** Further items besides the first. */
  readonly items?: readonly NewItem[] | undefined;
  /** What a whole period comes to at least and at most, before discounts: decimals of the minor unit. Default: no bounds. */
  readonly commitment?: CommitmentEdit | undefined;
  /** Default: those of `defaultRules`. */
  readonly rules?: BillingRules | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface NewLineItem {
  /** The caller's id, of this line item alone for the subscription's life. */
  readonly lineItemId: string;
  readonly description: string;
  /** Default "1". */
  readonly quantity?: string | undefined;
  /** Decimal of the minor unit. */
  readonly unitPrice: string;
  /** Local dates, half-open; default: the local date of adding. */
  readonly service?: { readonly from: string; readonly to: string } | undefined;
  readonly taxCode?: string | null | undefined;
  readonly taxBehaviour?: Line['taxBehaviour'] | undefined;
  readonly discountable?: boolean | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

type Credit = SubscriptionCanceled['data']['credit'];

/**
 * Starts a subscription now, opens its first period and bills what is due in advance. Raises `subscription-exists`,
 * `not-available` (a start at another time) and the codes of category `invalid`.
 */
export function start(state: Subscription, input: StartSubscription, now: string): SubscriptionEvent[] {
  if (state.status !== 'none') throw new DomainError('subscription-exists');
  const at = instant(now);
  if (input.startsAt !== undefined && instant(input.startsAt) !== at) {
    throw new DomainError('not-available', 'a subscription can only start now');
  }
  const zone = timeZone(input.timeZone);
  const local = toLocal(at, zone);
  const { externalId, paymentTermsDays = 0 } = input;
  if (!Number.isInteger(paymentTermsDays) || paymentTermsDays < 0 || paymentTermsDays > 365) {
    throw new DomainError('invalid-payment-terms');
  }
  const grid = startGrid(input.anchor, input.interval, local);
  const conditions = committed(undefined, commitmentEdit(input.commitment ?? {}));
  const data = {
    effectiveAt: at,
    subscriptionId: input.subscriptionId,
    ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
    customerId: text('customerId', input.customerId, 200),
    currency: currency(input.currency),
    timeZone: zone,
    paymentTermsDays,
    startsAt: at,
    anchor: grid.anchor,
    ...(grid.anchorDay !== undefined && { anchorDay: grid.anchorDay }),
    interval: grid.interval,
    items: newItems([input.item, ...(input.items ?? [])], local),
    rules: input.rules ?? defaultRules,
    metadata: metadata(input.metadata),
    ...(Object.keys(conditions).length > 0 && { conditions }),
  } as const;
  const started: SubscriptionEvent = { type: 'SubscriptionStarted', data };
  const opened = openAt(grid, zone, 1, at);
  const after = evolve(evolve(state, started), opened);
  return [started, opened, ...bill(after, 'start', 1, at, outstandingLines(after))];
}

/**
 * Adds a charge to the open period; nothing when the same one was added already. Raises `no-open-period`,
 * `boundary-due`, `line-item-exists`, `billing-period-full`, `subscription-canceled` and the codes of category `invalid`.
 */
export function addLineItem(state: Subscription, input: NewLineItem, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const { quantity, unitPrice, net } = price(input.quantity, input.unitPrice);
  const lineItemId = text('lineItemId', input.lineItemId, 100);
  const known =
    period.lines.find((line) => line.lineItemId === lineItemId) ??
    subscription.billed.find(({ line }) => line.lineItemId === lineItemId)?.line;
  // A repeat without dates means the dates that the first one got.
  const service = input.service ?? known?.service ?? dayOf(toLocalDate(at, subscription.timeZone));
  const line: Line & { lineItemId: string } = {
    lineId: lineItemLineId(subscription.subscriptionId, lineItemId),
    kind: 'one-time',
    lineItemId,
    description: text('description', input.description, 500),
    service: nearService(service, period),
    quantity,
    unitPrice,
    net,
    ...taxFields(input),
    change: termsInForce(subscription).change,
    rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
    metadata: metadata(input.metadata),
  };
  const room = { kept: keptBytes(subscription), reserved: reservedBytes(subscription) };
  return addLine(period, line, known, at, room);
}

/**
 * Takes a line item back out of the open period; nothing when it is voided already. Raises `line-item-not-found`,
 * `line-item-already-billed`, `no-open-period`, `boundary-due`, `subscription-canceled`.
 */
export function voidLineItem(state: Subscription, lineItemId: string, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.billed.some(({ line }) => line.lineItemId === lineItemId)) {
    throw new DomainError('line-item-already-billed', undefined, { lineItemId });
  }
  const period = openPeriod(subscription);
  return voidLine(period, lineItemId, laterInstant(now, period.startsAt));
}

/**
 * Closes period n at its boundary, opens the next and bills the pending lines, the arrears of n and the advance of the next
 * in one bill, all dated at the boundary however late it is done; a scheduled cancellation makes it the final bill. Nothing
 * for a period that is closed already. Raises `period-not-elapsed`, `subscription-canceled`.
 */
export function rollOver(state: Subscription, periodNumber: number, now: string): SubscriptionEvent[] {
  const subscription = startedState(state);
  const at = instant(now);
  if (!Number.isSafeInteger(periodNumber) || periodNumber < 1) throw new DomainError('invalid-option');
  const period = subscription.openPeriod;
  if (periodNumber < (period?.periodNumber ?? subscription.periodNumber + 1)) return [];
  if (subscription.status === 'canceled') throw new DomainError('subscription-canceled');
  if (!period || periodNumber > period.periodNumber || at < period.endsAt) {
    throw new DomainError('period-not-elapsed', undefined, { periodNumber });
  }
  const { endsAt } = period;
  if (subscription.cancelsAt !== null && subscription.cancelsAt <= endsAt) {
    return end(subscription, period, endsAt, 'scheduled', 'none');
  }
  const { events, lines } = atBoundary(subscription, period);
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  return [...events, ...bill(after, 'boundary', periodNumber, endsAt, lines)];
}

/**
 * Pauses now: closes the period and bills its pending lines and its arrears so far. What is paid in advance beyond now is given
 * back (`prorated`), or not charged again on resume. Nothing when it is paused. Raises `cancellation-scheduled`,
 * `boundary-due`, `subscription-canceled`.
 */
export function pause(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  const credit = oneOf('credit', input.credit, ['none', 'prorated']);
  const subscription = living(state, now);
  if (subscription.status === 'paused') return [];
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const closed = close(period, subscription.timeZone, at, 'pause');
  const paused: SubscriptionEvent = {
    type: 'SubscriptionPaused',
    data: { effectiveAt: at, paidThrough: credit === 'none' ? paidThrough(subscription, period) : {}, credit },
  };
  const after = evolve(evolve(subscription, closed), paused);
  const stop = { at: { date: dateOf(closed.data.to), at }, credit, cause: 'pause' } as const;
  const lines = [...after.accrued, ...outstandingLines(after, stop)];
  return [closed, paused, ...bill(after, 'pause', period.periodNumber, at, lines, stop)];
}

/**
 * Resumes now, on the grid as it was (`keep`) or on one that begins with today (`restart`): opens a period up to the next
 * boundary and bills in advance what is not paid already. Nothing when it is active. Raises `subscription-canceled`,
 * `boundary-due`.
 */
export function resume(
  state: Subscription,
  input: { readonly anchor: 'keep' | 'restart' },
  now: string,
): SubscriptionEvent[] {
  const anchor = oneOf('anchor', input.anchor, ['keep', 'restart']);
  const subscription = living(state, now);
  if (subscription.status !== 'paused') return [];
  const at = laterInstant(now, subscription.lastClosed?.endsAt ?? now);
  const { timeZone: zone, grid: before } = subscription;
  const events: SubscriptionEvent[] = [{ type: 'SubscriptionResumed', data: { effectiveAt: at, anchor } }];
  const grid = anchor === 'keep' ? before : startGrid(undefined, before.interval, toLocal(at, zone));
  if (anchor === 'restart') events.push(cycleChanged(grid, at));
  const periodNumber = subscription.periodNumber + 1;
  events.push(openAt(grid, zone, periodNumber, at));
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  return [...events, ...bill(after, 'resume', periodNumber, at, outstandingLines(after))];
}

/**
 * Makes the open period the last. Nothing when it is so already. Raises `subscription-paused`, `subscription-canceled`,
 * `boundary-due`.
 */
export function scheduleCancellation(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.status === 'paused') throw new DomainError('subscription-paused');
  if (subscription.cancelsAt !== null) return [];
  const { periodNumber, startsAt, endsAt } = openPeriod(subscription);
  const effectiveAt = laterInstant(now, startsAt);
  return [{ type: 'CancellationScheduled', data: { effectiveAt, periodNumber, cancelsAt: endsAt } }];
}

/** Takes a scheduled cancellation back. Nothing when there is none. Raises `subscription-canceled`, `boundary-due`. */
export function undoCancellation(state: Subscription, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  if (subscription.cancelsAt === null) return [];
  const { periodNumber, startsAt } = openPeriod(subscription);
  return [{ type: 'CancellationUnscheduled', data: { effectiveAt: laterInstant(now, startsAt), periodNumber } }];
}

/**
 * Ends the subscription now, also while it is paused, with a final bill of the pending lines and the arrears to the day; what is
 * paid in advance is given back (`prorated`) or not. Nothing when it has ended. Raises `boundary-due`.
 */
export function cancelNow(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  const credit = oneOf('credit', input.credit, ['none', 'prorated']);
  if (startedState(state).status === 'canceled') return [];
  const subscription = living(state, now);
  const { openPeriod: period, lastClosed } = subscription;
  if (period) return end(subscription, period, laterInstant(now, period.startsAt), 'requested', credit);
  const effectiveAt = laterInstant(now, lastClosed?.endsAt ?? now);
  const canceled: SubscriptionEvent = {
    type: 'SubscriptionCanceled',
    data: { effectiveAt, cause: 'requested', credit },
  };
  const date = toLocalDate(effectiveAt, subscription.timeZone);
  const stop = { at: { date, at: effectiveAt }, credit, cause: 'cancellation' } as const;
  const after = evolve(subscription, canceled);
  return [canceled, ...bill(after, 'final', after.periodNumber, effectiveAt, outstandingLines(after, stop), stop)];
}

function end(
  subscription: StartedSubscription,
  period: BillingPeriod,
  at: string,
  cause: SubscriptionCanceled['data']['cause'],
  credit: Credit,
): SubscriptionEvent[] {
  const closed = close(period, subscription.timeZone, at, 'cancellation');
  const canceled: SubscriptionEvent = {
    type: 'SubscriptionCanceled',
    data: { effectiveAt: at, cause, credit },
  };
  const after = evolve(evolve(subscription, closed), canceled);
  const stop: Stop = { at: { date: dateOf(closed.data.to), at }, credit, cause: 'cancellation' };
  const lines = [...after.accrued, ...outstandingLines(after, stop)];
  return [closed, canceled, ...bill(after, 'final', period.periodNumber, at, lines, stop)];
}

/** Up to which date each item in advance is billed: the end of the period that is cut short. */
function paidThrough(subscription: StartedSubscription, { to }: BillingPeriod): Record<string, string> {
  const advance = termsInForce(subscription).items.filter((item) => item.timing === 'advance');
  return Object.fromEntries(advance.map(({ itemId }) => [itemId, dateOf(to)]));
}

function nearService(service: { readonly from: string; readonly to: string }, period: BillingPeriod) {
  const [from, to] = [date(service.from), date(service.to)];
  const near =
    daysBetween(from, dateOf(period.from)) <= MAX_SERVICE_DISTANCE_DAYS &&
    daysBetween(dateOf(period.to), to) <= MAX_SERVICE_DISTANCE_DAYS;
  if (from >= to || !near) throw new DomainError('invalid-service');
  return { from, to };
}

const dayOf = (day: string) => ({ from: day, to: addDays(day, 1) });
