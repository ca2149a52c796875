import { toLocal, type Grid } from '../calendar';
import type { Line } from '../line';
import { encodedBytes } from '../text';
import { evolvePeriod, localAt, sumOfBytes, withLines, type BillingPeriod, type ClosedPeriod } from './billing-period';
import { isKept, keptSince, runUpTo } from './cycle';
import type {
  BillingPeriodClosed,
  BillingRules,
  CouponTerms,
  CouponUse,
  ItemEdit,
  ItemsChanged,
  LinesBilled,
  SubscriptionEvent,
  BillingHeld,
} from './events';

/** A subscription as its decisions need it (billing-model.md §4): plain JSON-safe data that does not grow with its life. */
export type Subscription = NotStarted | StartedSubscription;

export interface NotStarted {
  readonly status: 'none';
}

export interface StartedSubscription {
  /** scheduled: it has not begun. */
  readonly status: 'scheduled' | 'active' | 'paused' | 'canceled';
  readonly subscriptionId: string;
  readonly externalId?: string;
  readonly customerId: string;
  readonly currency: string;
  /** Local date-time since when, where it has had another one: nothing before it is corrected. */
  readonly currencyFrom?: string;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  readonly grid: Grid;
  readonly rules: BillingRules;
  /** The timeline of terms since the correction horizon, or since arrears may be unbilled, by ordinal of the change; the last are those in force. */
  readonly terms: readonly (ItemsChanged['data']['terms'][number] & {
    /** Of `from`, where it is another than the subscription's. */
    readonly timeZone?: string;
    /** The instant at which they begin, where the clocks were behind `from` then. */
    readonly at?: string;
  })[];
  /** What the end of the open period changes, in order. */
  readonly scheduledEdits: readonly ItemEdit[];
  /** The zone that the end of the open period brings. */
  readonly scheduledTimeZone?: string;
  /** Absent: its invoices are finalised by themselves. */
  readonly autoFinalise?: false;
  readonly metadata: Readonly<Record<string, string>>;
  readonly startsAt: string;
  /** When what is paid for begins: the end of the trial, or of the pause that it lies in, else the start. */
  readonly paidFrom: string;
  /** The same as the local date-time that it was then; absent before. */
  readonly paidOn?: string;
  readonly trialEnd?: 'cancel';
  /** It expires with the end of so many paid periods. */
  readonly periods?: number;
  /** Paid periods that have reached their end. */
  readonly completedPeriods: number;
  /** Number of the last period that was opened. */
  readonly periodNumber: number;
  /** Number of the last bill. */
  readonly billNumber: number;
  /** None before its start, while it is paused, and after its end. */
  readonly openPeriod: BillingPeriod | null;
  /** Its start is the correction horizon. */
  readonly lastClosed: ClosedPeriod | null;
  /** The last closed period, while its usage is on no bill; `credit` where the subscription stopped with it. */
  readonly awaitsUsage?: {
    readonly periodNumber: number;
    readonly cause: BillingPeriodClosed['data']['cause'];
    readonly dueAt: string;
    readonly credit?: 'none' | 'prorated';
  };
  /** Lines of closed periods that are on no bill yet. */
  readonly accrued: readonly Line[];
  /** Billed lines whose service ends after the correction horizon, with their bytes as JSON. */
  readonly billed: readonly {
    readonly billNumber: number;
    readonly line: Line;
    readonly bytes: number;
    /** Its bill was released for good: nobody is charged for it, and nothing is given back. */
    readonly waived?: true;
  }[];
  /** Those that end after the correction horizon; the last has no end while it lasts. */
  readonly pauses: readonly { readonly from: string; readonly to?: string; readonly credit?: 'prorated' }[];
  /** By item: the local date up to which it is paid, beyond a pause. */
  readonly paidThrough: Readonly<Record<string, string>>;
  /** The end of the open period, or of a later one, when it is the last. */
  readonly cancelsAt: string | null;
  /** Why nothing is billed until someone has looked at it. */
  readonly hold:
    (Pick<BillingHeld['data'], 'reason' | 'count' | 'itemId' | 'serviceFrom'> & { readonly heldAt: string }) | null;
  /** Bills since the last boundary, or since billing was held. */
  readonly billsSinceBoundary: number;
  /** Bills up to this number are taken to be right. */
  readonly trustedBills: number;
  /** The end of the open period, when a pause begins with it. */
  readonly pausesAt: string | null;
  /** Those that can still take something off a bill, in the order in which they were applied. */
  readonly coupons: readonly AppliedCoupon[];
}

/** A coupon on a subscription: its own copy of the terms, and what it did so far. */
export interface AppliedCoupon extends CouponTerms {
  readonly reservationId: string;
  /** Bills at boundaries off which it took something. */
  readonly uses: number;
  /** Of an amount: minor units that are not used yet. */
  readonly left?: string;
}

export const notStarted: NotStarted = { status: 'none' };

/** Records what happened. Never refuses; an unknown event does not compile, and throws at run time. */
export function evolve(state: Subscription, event: SubscriptionEvent): StartedSubscription {
  if (event.type === 'SubscriptionStarted') {
    const { effectiveAt, anchor, anchorDay, interval: every, items, conditions, trialEndsAt, ...data } = event.data;
    const { startsAt } = data;
    return {
      ...data,
      status: startsAt > effectiveAt ? 'scheduled' : 'active',
      paidFrom: trialEndsAt ?? startsAt,
      grid: { anchor, ...(anchorDay !== undefined && { anchorDay }), interval: every },
      terms: [{ change: 0, from: toLocal(startsAt, data.timeZone), items, ...(conditions && { conditions }) }],
      scheduledEdits: [],
      periodNumber: 0,
      billNumber: 0,
      openPeriod: null,
      lastClosed: null,
      accrued: [],
      billed: [],
      pauses: [],
      paidThrough: {},
      cancelsAt: null,
      pausesAt: null,
      completedPeriods: 0,
      hold: null,
      billsSinceBoundary: 0,
      trustedBills: 0,
      coupons: [],
    };
  }
  if (state.status === 'none') throw new Error(`${event.type} before SubscriptionStarted`);
  const subscription = state;
  switch (event.type) {
    case 'BillingPeriodOpened': {
      const { effectiveAt: _, ...period } = event.data;
      const { billed, pauses, lastClosed, terms, paidFrom } = subscription;
      const isFirstPaid = period.kind === 'regular' && lastClosed?.kind !== 'regular';
      return {
        ...subscription,
        status: 'active',
        paidFrom: isFirstPaid ? period.startsAt : paidFrom,
        ...(isFirstPaid && { paidOn: period.from }),
        periodNumber: period.periodNumber,
        openPeriod: { ...period, lines: [], voidedLineItemIds: [], bytes: 0 },
        terms: terms.filter((_, i) => {
          const next = terms[i + 1];
          return !next || !lastClosed || next.from > keptSince(terms, lastClosed);
        }),
        billed: keptLines(billed, subscription),
        pauses: lastClosed ? pauses.filter(({ to }) => to === undefined || to > lastClosed.startsAt) : pauses,
      };
    }
    case 'BillingPeriodClosed': {
      const { openPeriod: period } = subscription;
      if (!period) throw new Error('a period was closed while none was open');
      const { periodNumber, gridIndex, kind, from, startsAt } = period;
      const { to, endsAt, cause, usageDueAt: dueAt } = event.data;
      const accrued = [...subscription.accrued, ...period.lines];
      const { grid } = subscription;
      const run = runUpTo(subscription, period);
      const lastClosed = { periodNumber, gridIndex, kind, from, to, startsAt, endsAt, grid, ...(run && { run }) };
      const completed = kind === 'regular' && endsAt === period.endsAt ? 1 : 0;
      const completedPeriods = subscription.completedPeriods + completed;
      const billsSinceBoundary = endsAt === period.endsAt ? 0 : subscription.billsSinceBoundary;
      const awaits = dueAt !== undefined && { awaitsUsage: { periodNumber, cause, dueAt } };
      const counted = { completedPeriods, billsSinceBoundary };
      return { ...subscription, openPeriod: null, lastClosed, accrued, ...counted, ...awaits };
    }
    case 'UsageBilled': {
      const { awaitsUsage: _, ...rest } = subscription;
      return rest;
    }
    case 'LineItemAdded':
    case 'LineItemsAdded':
    case 'LineItemVoided': {
      const { openPeriod: period } = subscription;
      if (!period) throw new Error('a line changed while no period was open');
      return { ...subscription, openPeriod: evolvePeriod(period, event) };
    }
    case 'LinesBilled':
      return recordBill(subscription, event.data);
    case 'SubscriptionPaused': {
      const { effectiveAt, paidThrough, credit } = event.data;
      const pause = { from: effectiveAt, ...(credit === 'prorated' && { credit }) };
      const pauses = [...subscription.pauses, pause];
      return { ...stopped(subscription, credit), status: 'paused', pauses, paidThrough, pausesAt: null };
    }
    case 'PauseScheduled':
      return { ...subscription, pausesAt: event.data.pausesAt };
    case 'PauseUnscheduled':
      return { ...subscription, pausesAt: null };
    case 'SubscriptionResumed': {
      const { effectiveAt } = event.data;
      const pauses = subscription.pauses.map((each) => ({ to: effectiveAt, ...each }));
      // What was given back is charged anew: by terms with a number of their own, so that no line is taken for an earlier one.
      const anew = subscription.pauses.at(-1)?.credit ? subscription.terms.slice(-1) : [];
      const from = localAt(subscription, effectiveAt);
      const terms = anew.map(({ timeZone: _, at: __, ...last }) => {
        return { ...last, change: last.change + 1, from, ...clockOf(subscription, from, effectiveAt) };
      });
      return { ...subscription, status: 'active', pauses, terms: [...subscription.terms, ...terms] };
    }
    case 'CancellationScheduled':
      return { ...subscription, cancelsAt: event.data.cancelsAt };
    case 'CancellationUnscheduled':
      return { ...subscription, cancelsAt: null };
    case 'SubscriptionCanceled': {
      const { scheduledTimeZone: _, ...rest } = stopped(subscription, event.data.credit);
      return {
        ...rest,
        status: 'canceled',
        cancelsAt: null,
        pausesAt: null,
        scheduledEdits: [],
      };
    }
    case 'BillingHeld': {
      const { effectiveAt, period: _, ...hold } = event.data;
      return { ...subscription, hold: { ...hold, heldAt: effectiveAt } };
    }
    case 'BillingHoldReleased': {
      // The bill that was held back is the next one.
      return { ...subscription, hold: null, billsSinceBoundary: 0, trustedBills: subscription.billNumber + 1 };
    }
    case 'PeriodsChanged': {
      const { periods: _, ...rest } = subscription;
      return { ...rest, ...(event.data.periods !== null && { periods: event.data.periods }) };
    }
    case 'ItemsChanged': {
      const { from, cause, terms, effectiveAt } = event.data;
      return {
        ...subscription,
        terms: [
          ...subscription.terms.filter((each) => each.from < from),
          ...terms.map((each) => {
            return { ...each, ...clockOf(subscription, each.from, each.from === from ? effectiveAt : undefined) };
          }),
        ],
        scheduledEdits: cause === 'scheduled' ? [] : subscription.scheduledEdits,
      };
    }
    case 'ItemsChangeScheduled':
      return { ...subscription, scheduledEdits: [...subscription.scheduledEdits, ...event.data.edits] };
    case 'ItemsChangeUnscheduled':
      return { ...subscription, scheduledEdits: [] };
    case 'CurrencyChanged': {
      const { currency } = event.data;
      const { lastClosed } = subscription;
      return { ...subscription, currency, ...(lastClosed && { currencyFrom: lastClosed.to }) };
    }
    case 'TimeZoneChangeScheduled':
      return { ...subscription, scheduledTimeZone: event.data.timeZone };
    case 'TimeZoneChangeUnscheduled': {
      const { scheduledTimeZone: _, ...rest } = subscription;
      return rest;
    }
    case 'TimeZoneChanged': {
      const { scheduledTimeZone: _, timeZone: before, ...rest } = subscription;
      const { terms, lastClosed } = subscription;
      return {
        ...rest,
        timeZone: event.data.timeZone,
        terms: terms.map((each) => ({ timeZone: before, ...each })),
        lastClosed: lastClosed && { timeZone: before, ...lastClosed },
      };
    }
    case 'MetadataChanged':
      return { ...subscription, metadata: event.data.metadata };
    case 'BillReleased': {
      const { rebill, lineIds } = event.data;
      const ids = new Set(lineIds);
      if (rebill) return subscription;
      const waive = (each: StartedSubscription['billed'][number]) =>
        ids.has(each.line.lineId) ? { ...each, waived: true as const } : each;
      return { ...subscription, billed: subscription.billed.map(waive) };
    }
    case 'CouponApplied': {
      const { coupon, reservationId } = event.data;
      const { discount } = coupon;
      const applied = {
        ...coupon,
        reservationId,
        uses: 0,
        ...(discount.kind === 'amount' && { left: discount.amount }),
      };
      return { ...subscription, coupons: [...subscription.coupons, applied] };
    }
    case 'CouponRemoved': {
      const { couponId } = event.data;
      return { ...subscription, coupons: subscription.coupons.filter((each) => each.couponId !== couponId) };
    }
    case 'BillingCycleChanged': {
      const { anchor, anchorDay, interval } = event.data;
      return { ...subscription, grid: { anchor, ...(anchorDay !== undefined && { anchorDay }), interval } };
    }
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

/** By which clocks terms begin: at the instant of their decision where those were behind, else in the zone of that day. */
function clockOf(
  { status, timeZone, terms, lastClosed }: StartedSubscription,
  from: string,
  decidedAt: string | undefined,
): Pick<StartedSubscription['terms'][number], 'timeZone' | 'at'> {
  const behind = decidedAt !== undefined && status !== 'scheduled' && toLocal(decidedAt, timeZone) < from;
  if (behind) return { at: decidedAt };
  const known = terms.find((each) => each.from === from);
  const before = lastClosed && from <= lastClosed.to ? lastClosed.timeZone : undefined;
  const { timeZone: then = before, at } = known ?? {};
  return { ...(then !== undefined && { timeZone: then }), ...(at !== undefined && { at }) };
}

/** What waits for its usage is billed as the stop says. */
function stopped(subscription: StartedSubscription, credit: 'none' | 'prorated'): StartedSubscription {
  const { awaitsUsage } = subscription;
  return awaitsUsage ? { ...subscription, awaitsUsage: { ...awaitsUsage, credit } } : subscription;
}

function recordBill(
  subscription: StartedSubscription,
  { billNumber, lines, coupons = [] }: LinesBilled['data'],
): StartedSubscription {
  const ids = new Set(lines.map((line) => line.lineId));
  const unbilled = (line: Line) => !ids.has(line.lineId);
  const { openPeriod: period } = subscription;
  const billed = lines.map((line) => ({ billNumber, line, bytes: encodedBytes(line) }));
  return {
    ...subscription,
    billNumber,
    billsSinceBoundary: subscription.billsSinceBoundary + 1,
    accrued: subscription.accrued.filter(unbilled),
    billed: [...subscription.billed.filter(({ line }) => unbilled(line)), ...keptLines(billed, subscription)],
    coupons: subscription.coupons.flatMap((each) => used(each, coupons)),
    openPeriod: !period || period.lines.every(unbilled) ? period : withLines(period, period.lines.filter(unbilled)),
  };
}

function used(coupon: AppliedCoupon, uses: readonly CouponUse[]): AppliedCoupon[] {
  const use = uses.find(({ couponId }) => couponId === coupon.couponId);
  if (use?.usedUp) return [];
  return [use ? { ...coupon, uses: use.uses, ...(use.left !== undefined && { left: use.left }) } : coupon];
}

/**
 * Without those before the correction horizon, the start of the last closed period; a line stays with all that corrects it or was
 * taken off it. (billing-model.md §4)
 */
function keptLines(
  billed: StartedSubscription['billed'],
  { terms, lastClosed }: StartedSubscription,
): StartedSubscription['billed'] {
  if (!lastClosed) return billed;
  const lines = new Map(billed.map(({ line }) => [line.lineId, line]));
  const kept = (line: Line | undefined): boolean =>
    line !== undefined &&
    (isKept(line, terms, lastClosed) || (line.corrects !== undefined && kept(lines.get(line.corrects))));
  return billed.filter(({ line }) => kept(line));
}

/** Bytes of the accrued and billed lines as JSON. */
export function keptBytes({ billed, accrued }: StartedSubscription): number {
  return billed.reduce((sum, { bytes }) => sum + bytes, sumOfBytes(accrued));
}
