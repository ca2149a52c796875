import { addDays, date, dateOf, daysBetween, instant, laterInstant, toLocalDate } from '../calendar';
import { DomainError } from '../domain-error';
import { lineItemLineId } from '../ids';
import type { Line } from '../line';
import { metadata, text } from '../text';
import type { SealedUsage } from '../usage/events';
import { addLine, voidLine, type BillingPeriod } from './billing-period';
import { bill } from './bill';
import { needsSeal, usageDueAt } from './bill-usage';
import { atBoundary, begin, living, openPeriod, startedState, termsInForce, refuseHeld } from './boundary';
import { end, endsWith } from './cancel';
import type { SubscriptionEvent } from './events';
import { heldInstead } from './guard';
import { pauseAt } from './pause';
import { roomBeside, roomOf } from './room';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { price, taxFields } from './terms';

/** How far from the open period the service of a line item may lie. */
export const MAX_SERVICE_DISTANCE_DAYS = 1830;

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

/**
 * Adds a charge to the open period; nothing when the same one was added already. Raises `no-open-period`,
 * `boundary-due`, `line-item-exists`, `billing-period-full`, `subscription-canceled` and the codes of category `invalid`.
 */
export function addLineItem(state: Subscription, input: NewLineItem, now: string): SubscriptionEvent[] {
  const subscription = living(state, now);
  const period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  const { line, known } = newLine(subscription, period, input, at);
  return addLine(period, line, known, at, roomBeside(subscription, line, roomOf(subscription)));
}

/** The line that a line item asks for, and what the subscription knows under its id. Raises the codes of category `invalid`. */
export function newLine(
  subscription: StartedSubscription,
  period: BillingPeriod,
  input: NewLineItem,
  at: string,
): { readonly line: Line & { readonly lineItemId: string }; readonly known: Line | undefined } {
  const { quantity, unitPrice, net } = price(input.quantity, input.unitPrice);
  const lineItemId = text('lineItemId', input.lineItemId, 100);
  const known =
    period.lines.find((line) => line.lineItemId === lineItemId) ??
    subscription.billed.find(({ line }) => line.lineItemId === lineItemId)?.line;
  // A repeat without dates means the dates that the first one got.
  const service = input.service ?? known?.service ?? dayOf(toLocalDate(at, subscription.timeZone));
  const line = {
    lineId: lineItemLineId(subscription.subscriptionId, lineItemId),
    kind: 'one-time' as const,
    lineItemId,
    description: text('description', input.description, 500),
    service: nearService(service, period),
    quantity,
    unitPrice,
    net,
    ...taxFields(input),
    change: termsInForce(subscription).change,
    rule: {
      name: 'flat',
      fraction: { numerator: '1', denominator: '1' },
      rounding: 'half-away-from-zero' as const,
    },
    metadata: metadata(input.metadata),
  };
  return { line, known };
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
 * in one bill, all dated at the boundary however late it is done; where the subscription ends with it, it is the final bill, and
 * where a pause begins with it no other period opens.
 * Period 0 is the time before the start: its end begins the subscription. Nothing for a period that is closed already. `sealed`:
 * its usage, if it measures any; with a grace, the bill follows it (`billUsage`). A bill that passes a bound is not made: billing
 * is held. Raises `period-not-elapsed`, `usage-not-sealed`, `billing-held`, `subscription-canceled`.
 */
export function rollOver(
  state: Subscription,
  periodNumber: number,
  now: string,
  sealed?: SealedUsage,
): SubscriptionEvent[] {
  const subscription = startedState(state);
  const at = instant(now);
  if (!Number.isSafeInteger(periodNumber) || periodNumber < 0) throw new DomainError('invalid-option');
  if (subscription.status === 'scheduled') {
    if (periodNumber === 0 && at >= subscription.startsAt) return begin(subscription);
    throw new DomainError('period-not-elapsed', undefined, { periodNumber });
  }
  const period = subscription.openPeriod;
  if (periodNumber < (period?.periodNumber ?? subscription.periodNumber + 1)) return [];
  if (subscription.status === 'canceled') throw new DomainError('subscription-canceled');
  if (!period || periodNumber > period.periodNumber || at < period.endsAt) {
    throw new DomainError('period-not-elapsed', undefined, { periodNumber });
  }
  refuseHeld(subscription);
  const { awaitsUsage } = subscription;
  if (awaitsUsage) throw new DomainError('usage-not-sealed', undefined, { periodNumber: awaitsUsage.periodNumber });
  if (!sealed && needsSeal(subscription)) throw new DomainError('usage-not-sealed', undefined, { periodNumber });
  return heldInstead(subscription, endOf(subscription, period, sealed));
}

function endOf(
  subscription: StartedSubscription,
  period: BillingPeriod,
  sealed: SealedUsage | undefined,
): SubscriptionEvent[] {
  const { periodNumber, endsAt } = period;
  const cause = endsWith(subscription, period);
  if (cause) return end(subscription, period, endsAt, { cause, credit: 'none' }, sealed);
  if (subscription.pausesAt !== null) return pauseAt(subscription, period, endsAt, 'none', sealed);
  const dueAt = usageDueAt(subscription, endsAt, sealed);
  const { events, lines } = atBoundary(subscription, period, { usageDueAt: dueAt, sealed });
  if (dueAt !== undefined) return events;
  const after = events.reduce<StartedSubscription>(evolve, subscription);
  return [...events, ...bill(after, 'boundary', periodNumber, endsAt, lines)];
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
