import { presets, type BillingRules } from './billing-rules';
import { startOfDay, toInstant } from './calendar';
import { applied, creditOf, fractionOf, lengthOf, prorate, usageCut, usedThrough, type Moment } from './proration';
import type { Rating } from './price/rate';
import { ratio } from './ratio';

/* The formulae of billing-rules.md §2.1 with the numbers of public sources; as commands with their bills in subscription/. */

const moment = (date: string, zone = 'UTC'): Moment => ({ date, at: toInstant(startOfDay(date), zone) });
const span = (from: string, to: string, zone = 'UTC') => ({ from: moment(from, zone), to: moment(to, zone) });
const rating = (unitPrice: string, quantity = '1'): Rating => ({ quantity, unitPrice });
const cost = (unitPrice: string, piece: [string, string], whole: [string, string], rules: BillingRules) =>
  prorate(rating(unitPrice), fractionOf(span(...piece), span(...whole), rules), rules);

describe('a piece of a period', () => {
  it('is counted in local dates, whatever the clocks did', () => {
    // Flexprice TestCalculator_DaysInDurationWithDST
    const days = (from: string, to: string, zone: string) => lengthOf(span(from, to, zone), presets.perennial);
    expect(days('2024-03-09', '2024-03-11', 'America/New_York')).toBe(2);
    expect(days('2024-11-02', '2024-11-04', 'America/New_York')).toBe(2);
    expect(days('2024-04-06', '2024-04-08', 'Australia/Sydney')).toBe(2);
    expect(lengthOf(span('2024-03-09', '2024-03-11', 'America/New_York'), presets.stripe)).toBe(47 * 3600);
  });

  // Kill Bill: 14/29 to nine digits
  it('is exact, or rounded to nine digits where the rules say so', () => {
    const fraction = fractionOf(
      span('2012-02-01', '2012-02-15'),
      span('2012-02-01', '2012-03-01'),
      presets['kill-bill'],
    );
    expect(fraction).toEqual(ratio(14, 29));
    expect(applied(fraction, 9)).toEqual({ numerator: 482758621n, denominator: 1000000000n });
    expect(applied(fraction, undefined)).toEqual(ratio(14, 29));
    expect(prorate(rating('100000000000'), ratio(1, 3), presets['kill-bill'])).toBe(33333333300n);
    expect(prorate(rating('100000000000'), ratio(1, 3), presets.perennial)).toBe(33333333333n);
  });

  // OpenMeter TestCalculateAmountAfterProration
  it('is never more than the whole, and all of a period without length', () => {
    const full: [string, string] = ['2026-01-01', '2026-02-01'];
    expect(cost('10000', ['2026-01-01', '2026-01-16'], full, presets.openmeter)).toBe(4839n);
    expect(cost('10000', ['2026-01-01', '2026-01-11'], full, presets.openmeter)).toBe(3226n);
    expect(cost('10000', ['2026-01-01', '2026-03-11'], full, presets.openmeter)).toBe(10000n);
    expect(cost('10000', ['2026-01-01', '2026-01-01'], ['2026-01-01', '2026-01-01'], presets.openmeter)).toBe(10000n);
    expect(cost('1000', ['2026-01-01', '2026-01-11'], full, presets.openmeter)).toBe(323n);
  });

  // Kill Bill with 30 fixed days: days − (last day of the start's month − 30)
  it('of months of 30 days', () => {
    const fixed = presets['kill-bill-fixed-days'];
    expect(lengthOf(span('2026-03-15', '2026-04-01'), fixed)).toBe(16);
    expect(lengthOf(span('2026-02-15', '2026-03-01'), fixed)).toBe(16);
    expect(lengthOf(span('2026-02-01', '2026-03-01'), fixed)).toBe(30);
    expect(lengthOf(span('2025-12-31', '2026-01-31'), fixed)).toBe(30);
    expect(cost('3000', ['2026-03-15', '2026-04-01'], ['2026-03-01', '2026-04-01'], fixed)).toBe(1600n);
  });

  it('ends on the day after that of a cancellation, where both ends are inclusive', () => {
    expect(usedThrough('2025-02-21', 'cancellation', presets.lago)).toBe('2025-02-22');
    expect(usedThrough('2025-02-21', 'change', presets.lago)).toBe('2025-02-21');
    expect(usedThrough('2025-02-21', 'cancellation', presets.perennial)).toBe('2025-02-21');
    // Lago upgrade_proration_spec.rb: 20 May to 20 June of a quarter of 91 days
    const until = usedThrough('2024-06-20', 'cancellation', presets.lago);
    expect(cost('91000', ['2024-05-20', until], ['2024-04-01', '2024-07-01'], presets.lago)).toBe(32000n);
  });
});

describe('usage on the day of a change', () => {
  it('is cut at the instant, or goes with the old or the new terms', () => {
    const at = '2012-05-16T10:00:00.000Z';
    expect(usageCut(at, 'Europe/Berlin', presets.perennial)).toBe(at);
    expect(usageCut(at, 'Europe/Berlin', presets['kill-bill'])).toBe('2012-05-16T22:00:00.000Z');
    expect(usageCut(at, 'Europe/Berlin', presets.lago)).toBe('2012-05-15T22:00:00.000Z');
  });
});

describe('a credit', () => {
  /** A line over a whole period that is cut on a date. */
  const cut = (rules: BillingRules, price: string, whole: [string, string], at: string, current = price) => {
    const length = BigInt(lengthOf(span(...whole), rules));
    const line = { rating: rating(price), net: BigInt(price), netSoFar: BigInt(price), length, heldSoFar: length };
    const kept = BigInt(lengthOf(span(whole[0], at), rules));
    return creditOf({ ...line, kept, divisor: length, current: rating(current) }, rules);
  };
  const march: [string, string] = ['2024-03-01', '2024-04-01'];

  it('of each source', () => {
    // Kill Bill testRepairWithFullRemainingItemAdjustment and testChangeMonthlyToAnnual
    expect(cut(presets['kill-bill'], '239995', ['2013-08-18', '2014-08-18'], '2013-09-17')).toBe(-220269n);
    expect(cut(presets['kill-bill'], '24995', ['2012-05-01', '2012-06-01'], '2012-05-12')).toBe(-16126n);
    // Flexprice calculator_test.go: basic_upgrade_immediate, downgrade_with_credit_cap, remove
    expect(cut(presets.flexprice, '1000', march, '2024-03-15')).toBe(-548n);
    expect(cut(presets.flexprice, '10000', march, '2024-03-15')).toBe(-5484n);
    expect(cut(presets.flexprice, '4000', march, '2024-03-15')).toBe(-2194n);
    // Meteroid proration.rs
    const january: [string, string] = ['2025-01-01', '2025-01-31'];
    expect(['2025-01-01', '2025-01-16', '2025-01-31'].map((at) => cut(presets.meteroid, '10000', january, at))).toEqual(
      [-10000n, -5000n, 0n],
    );
    // docs.stripe.com prorations: half way
    expect(cut(presets.stripe, '1000', ['2026-04-01', '2026-05-01'], '2026-04-16')).toBe(-500n);
  });

  it('of the default is what is kept, minus the net so far', () => {
    // billing-model.md §5: 13.33, kept 6.67
    const line = { rating: rating('2000'), net: 1333n, netSoFar: 1333n, length: 20n, heldSoFar: 20n, divisor: 30n };
    const current = rating('9999');
    expect(creditOf({ ...line, kept: 10n, current }, presets.perennial)).toBe(-666n);
    expect(creditOf({ ...line, kept: 0n, current }, presets.perennial)).toBe(-1333n);
  });

  it('of the price in force, at most what is left', () => {
    expect(cut(presets['stripe-classic'], '3000', ['2026-04-01', '2026-05-01'], '2026-04-16', '4000')).toBe(-2000n);
    expect(cut(presets['stripe-classic'], '3000', ['2026-04-01', '2026-05-01'], '2026-04-02', '4000')).toBe(-3000n);
    const line = { rating: rating('100'), net: 1n, netSoFar: 0n, length: 2n, heldSoFar: 1n, divisor: 2n, kept: 0n };
    expect(creditOf({ ...line, current: rating('100') }, presets['kill-bill'])).toBe(0n);
  });
});
