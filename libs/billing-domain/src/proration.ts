import { addDays, dateOf, daysBetween, secondsBetween, startOfDay, toInstant, toLocalDate } from './calendar';
import type { BillingRules } from './billing-rules';
import { amountOf, type Rating } from './price/rate';
import { ratio, roundHalfAwayFromZero, type Ratio } from './ratio';

/** A point in a subscription's time: its local date, for what is counted in days, and its instant, for what is counted in seconds. */
export interface Moment {
  readonly date: string;
  readonly at: string;
}

export interface Span {
  readonly from: Moment;
  readonly to: Moment;
}

/** How long a span is in the unit of the rules: local dates, dates of months of 30 days (30E/360), or seconds. */
export function lengthOf({ from, to }: Span, rules: BillingRules): number {
  if (rules.prorationUnit === 'second') return secondsBetween(from.at, to.at);
  return rules.fixedMonths ? daysOfFixedMonths(from.date, to.date) : daysBetween(from.date, to.date);
}

/** What part of a whole period a piece of it is; never more than the whole, and the whole of a period without length. */
export function fractionOf(piece: Span, whole: Span, rules: BillingRules): Ratio {
  const divisor = Math.max(lengthOf(whole, rules), 1);
  const length = lengthOf(whole, rules) <= 0 ? divisor : Math.min(lengthOf(piece, rules), divisor);
  return ratio(length, divisor);
}

/** The fraction as it multiplies: exact, or rounded to the digits that the rules name. */
export function applied({ numerator, denominator }: Ratio, digits: number | undefined): Ratio {
  if (digits === undefined) return { numerator, denominator };
  const power = 10n ** BigInt(digits);
  return { numerator: roundHalfAwayFromZero({ numerator: numerator * power, denominator }), denominator: power };
}

/** What a rating comes to over a fraction under the rules, in minor units. */
export function prorate(rating: Rating, fraction: Ratio, rules: BillingRules): bigint {
  return amountOf(rating, applied(fraction, rules.fractionDigits), rules.roundedPer);
}

/** The first local date that a service no longer covers when it ends early on a date. */
export function usedThrough(date: string, cause: 'change' | 'cancellation', { dayCount }: BillingRules): string {
  return cause === 'cancellation' && dayCount === 'inclusive' ? addDays(date, 1) : date;
}

/** The instant before which usage is rated on the old terms, when they change at an instant. */
export function usageCut(changeAt: string, zone: string, { usageOnChangeDay }: BillingRules): string {
  const date = toLocalDate(changeAt, zone);
  if (usageOnChangeDay === 'old-terms') return toInstant(startOfDay(addDays(date, 1)), zone);
  return usageOnChangeDay === 'new-terms' ? toInstant(startOfDay(date), zone) : changeAt;
}

/** A line, what is left of it, and what shall be left: lengths in the unit of the rules. */
export interface Shortened {
  readonly rating: Rating;
  /** As billed, and after the corrections so far. */
  readonly net: bigint;
  readonly netSoFar: bigint;
  readonly length: bigint;
  readonly heldSoFar: bigint;
  readonly kept: bigint;
  readonly divisor: bigint;
  /** The price in force where the line is cut, for the credit basis that asks for it. */
  readonly current: Rating;
}

/** What a line that is shortened gives back: the net of its correction, 0 or below. (billing-model.md §5) */
export function creditOf(line: Shortened, rules: BillingRules): bigint {
  if (rules.creditBasis === undefined) {
    return prorate(line.rating, ratio(line.kept, line.divisor), rules) - line.netSoFar;
  }
  const removed = line.heldSoFar - line.kept;
  if (rules.creditBasis === 'current-price') {
    return -least(prorate(line.current, ratio(removed, line.divisor), rules), line.netSoFar);
  }
  const part = applied(ratio(removed, line.length), rules.fractionDigits);
  const share = { numerator: line.net * part.numerator, denominator: part.denominator };
  return -least(roundHalfAwayFromZero(share), line.netSoFar);
}

function daysOfFixedMonths(from: string, to: string): number {
  const parts = (day: string) => dateOf(day).split('-').map(Number) as [number, number, number];
  const [[y1, m1, d1], [y2, m2, d2]] = [parts(from), parts(to)];
  return (y2 - y1) * 360 + (m2 - m1) * 30 + Math.min(d2, 30) - Math.min(d1, 30);
}

const least = (a: bigint, b: bigint) => (a < b ? a : b);
