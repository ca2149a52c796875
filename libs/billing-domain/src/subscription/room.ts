import { DomainError } from '../domain-error';
import type { Line } from '../line';
import { rate } from '../price/rate';
import { encodedBytes } from '../text';
import { bill, discountBytes } from './bill';
import { MAX_BILL_BYTES, MAX_KEPT_BYTES, sumOfBytes, type BillingPeriod } from './billing-period';
import { atBoundary, begin, termsInForce } from './boundary';
import type { Item } from './events';
import { evolve, keptBytes, type StartedSubscription } from './state';
import { usageLinesAtMost } from './usage-lines';
import { usagePeriod, usageStretches } from './usage-period';

/*
 * A boundary never refuses: what a period collects is refused while it can still be said why, so that whatever bill comes next, of a
 * boundary, a pause or a cancellation, fits one append with everything that it adds. (billing-model.md §3)
 */

/** What a line of an item has besides its texts and its rating. */
const LINE_BYTES = 1_100;
/** What the correction of a discount has besides what the discount had. */
const CREDIT_BYTES = 200;
/** One part of a bound that changed within its period. */
const BOUND_PART_BYTES = 150;
/** What the bill has besides its lines, and how coupons stand after it. */
const BILL_HEAD_BYTES = 2_000;
/** Of the timeline of terms, as JSON. */
const MAX_TERMS_BYTES = 200_000;
/** Of terms and scheduled edits: what is beyond it takes room from the lines that are kept, so that all fits one snapshot. */
const TERMS_BESIDE_LINES_BYTES = 150_000;
/** Stretches of a period in which usage is charged on other terms. */
const MAX_USAGE_SEGMENTS = 50;
/** Of what the usage of a period is measured by, and comes to: what one event of it says besides its records. */
const MAX_MEASURED_BYTES = 600_000;
/** What a meter comes to in one segment at most, and one record that may be free. */
const PARTIAL_BYTES = 300;
const FIRST_RECORD_BYTES = 450;

/** Bytes that line items must leave free. */
export interface Room {
  readonly kept: number;
  readonly reserved: number;
}

/** What is kept, and what the next bill adds to the pending lines as things stand. */
export function roomOf(subscription: StartedSubscription): Room {
  const { terms, scheduledEdits } = subscription;
  const beside = encodedBytes(terms) + encodedBytes(scheduledEdits) - TERMS_BESIDE_LINES_BYTES;
  return { kept: keptBytes(subscription) + Math.max(0, beside), reserved: reservedBytes(subscription) };
}

/** The same with what coupons may take off the line. */
export function roomBeside(subscription: StartedSubscription, line: Line, room: Room): Room {
  return { ...room, reserved: room.reserved + discountBytes(subscription, [line]) };
}

/**
 * Raises `billing-period-full` when the next bill, or what is kept, could outgrow its limit. `billed`: bytes of a bill that is being
 * made.
 */
export function roomFor(subscription: StartedSubscription, billed: number): void {
  const { kept, reserved } = roomOf(subscription);
  const pending = (subscription.openPeriod?.bytes ?? 0) + reserved;
  // The lines of a period that waits for its usage are on a bill with what is changed until then.
  const { accrued, periodNumber, awaitsUsage } = subscription;
  const measured = [periodNumber, awaitsUsage?.periodNumber].map((each) => measuredBytesAtMost(subscription, each));
  const waiting = sumOfBytes(accrued) + discountBytes(subscription, accrued) + reserved;
  const full =
    usageStretches(subscription, periodNumber).length > MAX_USAGE_SEGMENTS ||
    Math.max(...measured) > MAX_MEASURED_BYTES ||
    encodedBytes(subscription.terms) > MAX_TERMS_BYTES ||
    Math.max(billed, pending, accrued.length > 0 ? waiting : 0) > MAX_BILL_BYTES ||
    kept + pending > MAX_KEPT_BYTES;
  if (full) throw new DomainError('billing-period-full', undefined, { periodNumber });
}

/** As roomFor, of a subscription that has not begun: its first bill, and the one after it. */
export function roomToBegin(subscription: StartedSubscription): void {
  const begun = begin(subscription);
  const after = begun.reduce<StartedSubscription>(evolve, subscription);
  roomFor(after, encodedBytes(begun));
}

/** Bytes that the next bill adds to the pending lines, as things stand: lines of items and usage, true-ups, discounts, corrections. */
function reservedBytes(subscription: StartedSubscription): number {
  const { openPeriod: period, billed, terms, scheduledEdits } = subscription;
  const withDiscounts = (line: Pick<Line, 'itemId' | 'taxCode' | 'discountable'>, bytes: number) =>
    bytes + discountBytes(subscription, [line]);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const usage = usageLinesAtMost(subscription).map(({ item, bytes }) => withDiscounts(item, bytes));
  // One line in arrears or in advance of each item, and another one of a pause before it.
  const items = termsInForce(subscription).items.filter(({ kind }) => kind !== 'usage');
  const usual = items.map((item) => 2 * withDiscounts(item, lineBytes(item)));
  // Where a line is given back, so are the discounts that were taken off it.
  const from = period?.from.slice(0, 10) ?? '';
  const corrections = billed.flatMap(({ line, bytes }) =>
    line.kind === 'discount' && line.itemId !== undefined && line.service.to > from ? [bytes + CREDIT_BYTES] : [],
  );
  const pending = period ? discountBytes(subscription, period.lines) : 0;
  const always = sum(usage) + sum(trueUpsAtMost(subscription, withDiscounts)) + pending + BILL_HEAD_BYTES;
  const ordinary = sum(usual) + sum(corrections);
  const unchanged = terms.length === 1 && scheduledEdits.length === 0;
  if (!period || unchanged) return always + ordinary;
  return always + Math.max(ordinary, 2 * boundaryBytes(subscription, period));
}

/** Bytes of what the usage of a period is measured by and comes to, free records kept for each part that counts them anew. */
function measuredBytesAtMost(subscription: StartedSubscription, periodNumber: number | undefined): number {
  const period = periodNumber === undefined ? undefined : usagePeriod(subscription, periodNumber, 0);
  if (!period) return 0;
  const { meters, segments } = period;
  const partials = segments.reduce((sum, segment) => sum + segment.meters.length, 0);
  const firstRecords = meters.reduce((sum, { meter, first = 0 }) => {
    const parts = 1 + segments.filter(({ anew }) => anew?.includes(meter.key)).length;
    return sum + parts * first;
  }, 0);
  return encodedBytes([meters, segments]) + partials * PARTIAL_BYTES + firstRecords * FIRST_RECORD_BYTES;
}

/** Bytes of the lines that the boundary adds as things stand; another moment may cut them once more. */
function boundaryBytes(subscription: StartedSubscription, period: BillingPeriod): number {
  const empty = { ...subscription, accrued: [], openPeriod: { ...period, lines: [] } };
  const { events, lines } = atBoundary(empty, empty.openPeriod, { arrears: 'all' });
  const after = events.reduce<StartedSubscription>(evolve, empty);
  // Where the currency changes, the last bill in the one before stands in the same append.
  const made = [...events, ...bill(after, 'boundary', period.periodNumber, period.endsAt, lines)];
  return made.reduce((sum, event) => sum + (event.type === 'LinesBilled' ? sumOfBytes(event.data.lines) : 0), 0);
}

function lineBytes({ itemId, description, taxCode, price, quantity }: Item): number {
  return LINE_BYTES + encodedBytes([itemId, description, taxCode]) + encodedBytes(rate(price, { quantity }));
}

/** Bytes of the lines of minimums and maximums: one for each item that has such a bound, and one over all. */
function trueUpsAtMost(
  { terms, pauses }: StartedSubscription,
  withDiscounts: (line: Pick<Line, 'itemId' | 'taxCode' | 'discountable'>, bytes: number) => number,
): number[] {
  const pieces = terms.length + pauses.length + 1;
  const discountable = terms.some(({ conditions }) => conditions?.discountableTrueUps);
  const bytesOf = (itemId: string | undefined, description: string, taxCode: string | null) =>
    withDiscounts(
      { ...(itemId !== undefined && { itemId }), taxCode, discountable },
      LINE_BYTES + encodedBytes([itemId ?? '', description, taxCode]) + pieces * BOUND_PART_BYTES,
    );
  const bounded = new Map(
    terms.flatMap(({ items }) =>
      items.flatMap(({ itemId, description, taxCode, price }) =>
        (price.minimum ?? price.maximum) === undefined ? [] : [[itemId, { description, taxCode }] as const],
      ),
    ),
  );
  const overAll = terms.some(({ conditions }) => (conditions?.minimum ?? conditions?.maximum) !== undefined);
  return [
    ...[...bounded].map(([itemId, { description, taxCode }]) => bytesOf(itemId, description, taxCode)),
    ...(overAll ? [bytesOf(undefined, 'Minimum commitment', null)] : []),
  ];
}
