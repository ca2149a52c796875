import { defaultRules } from '../billing-rules';
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
import { DomainError } from '../domain-error';
import { lineItemLineId } from '../ids';
import type { Line } from '../line';
import { currency } from '../money';
import { metadata, oneOf, text } from '../text';
import { addLine, close, openAt, openNext, recurringLines, voidLine, type BillingPeriod } from './billing-period';
import type { LinesBilled, SubscriptionCanceled, SubscriptionEvent } from './events';
import { evolve, keptBytes, type StartedSubscription, type Subscription } from './state';
import { newItem, price, startGrid, taxFields, type Anchor, type NewItem } from './terms';

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
    items: [newItem(input.item, local)],
    rules: defaultRules,
    metadata: metadata(input.metadata),
  } as const;
  const started: SubscriptionEvent = { type: 'SubscriptionStarted', data };
  const opened = openAt(grid, zone, 1, at);
  const after = evolve(evolve(state, started), opened);
  return [started, opened, ...bill(after, 'start', 1, at, advanceLines(after))];
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
    change: subscription.terms.length - 1,
    rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
    metadata: metadata(input.metadata),
  };
  const room = { kept: keptBytes(subscription), items: termsInForce(subscription).items.length };
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
    return end(subscription, period, endsAt, 'scheduled');
  }
  const closed = close(period, subscription.timeZone, endsAt, 'boundary');
  const opened = openNext(subscription.grid, subscription.timeZone, period);
  const after = evolve(evolve(subscription, closed), opened);
  const lines = [...after.accrued, ...arrearsLines(subscription, period, period.to), ...advanceLines(after)];
  return [closed, opened, ...bill(after, 'boundary', periodNumber, endsAt, lines)];
}

/**
 * Pauses now: closes the period and bills its pending lines and its arrears so far; what is paid in advance beyond now is not
 * charged again on resume. Nothing when it is paused. Raises `cancellation-scheduled`, `boundary-due`,
 * `subscription-canceled`, `not-available` (a credit).
 */
export function pause(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  withoutCredit(input.credit);
  const subscription = living(state, now);
  if (subscription.status === 'paused') return [];
  if (subscription.cancelsAt !== null) throw new DomainError('cancellation-scheduled');
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const closed = close(period, subscription.timeZone, at, 'pause');
  const paused: SubscriptionEvent = {
    type: 'SubscriptionPaused',
    data: { effectiveAt: at, paidThrough: paidThrough(subscription, period), credit: 'none' },
  };
  const after = evolve(evolve(subscription, closed), paused);
  const lines = [...after.accrued, ...arrearsLines(subscription, period, closed.data.to)];
  return [closed, paused, ...bill(after, 'pause', period.periodNumber, at, lines)];
}

/**
 * Resumes now on the grid as it was: opens a period up to the next boundary and bills in advance what is not paid already.
 * Nothing when it is active. Raises `subscription-canceled`, `boundary-due`, `not-available` (a restart of the anchor).
 */
export function resume(
  state: Subscription,
  input: { readonly anchor: 'keep' | 'restart' },
  now: string,
): SubscriptionEvent[] {
  if (oneOf('anchor', input.anchor, ['keep', 'restart']) === 'restart') {
    throw new DomainError('not-available', 'the anchor can only be kept');
  }
  const subscription = living(state, now);
  if (subscription.status !== 'paused') return [];
  const at = laterInstant(now, subscription.lastClosed?.endsAt ?? now);
  const resumed: SubscriptionEvent = { type: 'SubscriptionResumed', data: { effectiveAt: at, anchor: 'keep' } };
  const periodNumber = subscription.periodNumber + 1;
  const opened = openAt(subscription.grid, subscription.timeZone, periodNumber, at);
  const after = evolve(evolve(subscription, resumed), opened);
  return [resumed, opened, ...bill(after, 'resume', periodNumber, at, advanceLines(after))];
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
 * paid in advance is not given back. Nothing when it has ended. Raises `boundary-due`, `not-available` (a credit).
 */
export function cancelNow(state: Subscription, input: { readonly credit: Credit }, now: string): SubscriptionEvent[] {
  withoutCredit(input.credit);
  if (startedState(state).status === 'canceled') return [];
  const subscription = living(state, now);
  const { openPeriod: period, lastClosed } = subscription;
  if (period) return end(subscription, period, laterInstant(now, period.startsAt), 'requested');
  const effectiveAt = laterInstant(now, lastClosed?.endsAt ?? now);
  return [{ type: 'SubscriptionCanceled', data: { effectiveAt, cause: 'requested', credit: 'none' } }];
}

function startedState(state: Subscription): StartedSubscription {
  if (state.status === 'none') throw new DomainError('subscription-not-found');
  return state;
}

/** A subscription that can still change, at a time within its open period. Raises `subscription-canceled`, `boundary-due`. */
function living(state: Subscription, now: string): StartedSubscription {
  const subscription = startedState(state);
  const at = instant(now);
  if (subscription.status === 'canceled') throw new DomainError('subscription-canceled');
  const { openPeriod: period } = subscription;
  if (period && at >= period.endsAt) {
    const { periodNumber } = period;
    throw new DomainError('boundary-due', `period ${periodNumber} ended at ${period.endsAt}`, { periodNumber });
  }
  return subscription;
}

function openPeriod({ openPeriod: period }: StartedSubscription): BillingPeriod {
  if (!period) throw new DomainError('no-open-period');
  return period;
}

function termsInForce({ terms }: StartedSubscription): StartedSubscription['terms'][number] {
  const last = terms.at(-1);
  if (!last) throw new Error('a subscription without terms');
  return last;
}

function advanceLines(subscription: StartedSubscription): Line[] {
  return recurringLines(subscription, termsInForce(subscription), 'advance', openPeriod(subscription));
}

function arrearsLines(subscription: StartedSubscription, { gridIndex, from }: BillingPeriod, to: string): Line[] {
  return recurringLines(subscription, termsInForce(subscription), 'arrears', { gridIndex, from, to });
}

/** The one event by which lines leave the subscription; none for no lines. */
function bill(
  subscription: StartedSubscription,
  cause: LinesBilled['data']['cause'],
  periodNumber: number,
  effectiveAt: string,
  lines: readonly Line[],
): LinesBilled[] {
  if (lines.length === 0) return [];
  const { subscriptionId, customerId, timeZone, paymentTermsDays } = subscription;
  const net = lines.reduce((sum, line) => sum + BigInt(line.net), 0n).toString();
  const data = {
    effectiveAt,
    subscriptionId,
    billNumber: subscription.billNumber + 1,
    periodNumber,
    cause,
    customerId,
    timeZone,
    paymentTermsDays,
    currency: subscription.currency,
    lines,
    net,
  };
  return [{ type: 'LinesBilled', data }];
}

function end(
  subscription: StartedSubscription,
  period: BillingPeriod,
  at: string,
  cause: SubscriptionCanceled['data']['cause'],
): SubscriptionEvent[] {
  const closed = close(period, subscription.timeZone, at, 'cancellation');
  const canceled: SubscriptionEvent = {
    type: 'SubscriptionCanceled',
    data: { effectiveAt: at, cause, credit: 'none' },
  };
  const after = evolve(evolve(subscription, closed), canceled);
  const lines = [...after.accrued, ...arrearsLines(subscription, period, closed.data.to)];
  return [closed, canceled, ...bill(after, 'final', period.periodNumber, at, lines)];
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

function withoutCredit(credit: Credit): void {
  if (oneOf('credit', credit, ['none', 'prorated']) === 'prorated') {
    throw new DomainError('not-available', 'a prorated credit is not available yet');
  }
}
