import { formatDecimal, parseDecimal } from '../decimal';
import { extend, ONE } from '../ratio';
import { at, billed, catchUp, given, linesOf, startOn, type Decision } from './decisions.fixture';
import { notStarted } from './state';
import { cancelNow } from './cancel';
import { type StartSubscription } from './start';

/*
 * What public sources expect, run as commands whose bill is compared. Each is a fact of its source: inputs and amounts.
 * Amounts there in major units of a currency of two digits.
 */

const minor = (major: string) =>
  formatDecimal({ units: extend(parseDecimal(major), parseDecimal('100'), ONE), scale: 0 });
const month = (count: number) => ({ unit: 'month', count }) as const;

/** Everything that is billed from the start up to a date. */
function billedUntil(target: string, start: Decision) {
  const events = start(notStarted);
  return [...billed(events), ...billed(catchUp(target)(given(() => events)))];
}

describe('month ends', () => {
  // Kill Bill GenericProRationTestBase.testSinglePlan_MovingForwardThroughTime
  it('from 2011-01-31: on each cycle date one more is billed, and not the day before', () => {
    const dates = [
      ['2011-02-28', '2011-02-27'],
      ['2011-03-31', '2011-03-30'],
      ['2011-04-30', '2011-04-29'],
      ['2011-05-31', '2011-05-30'],
      ['2011-06-30', '2011-06-29'],
      ['2011-07-31', '2011-07-30'],
      ['2011-08-31', '2011-08-30'],
      ['2011-09-30', '2011-09-29'],
      ['2011-10-31', '2011-10-30'],
      ['2011-11-30', '2011-11-29'],
      ['2011-12-31', '2011-12-30'],
      ['2012-01-31', '2012-01-30'],
    ] as const;
    const start = startOn('2011-01-31', { interval: month(1), anchor: { dayOfMonth: 31 } }, { unitPrice: '100' });
    dates.forEach(([date, dayBefore], i) => {
      expect(billedUntil(dayBefore, start)).toEqual(Array(i + 1).fill([expect.anything(), expect.anything(), '100']));
      expect(billedUntil(date, start)).toHaveLength(i + 2);
      expect(billedUntil(date, start).at(-1)?.[0]).toBe(date);
    });
  });

  // Lago monthly_service_spec.rb: both end on 27 February inclusive, in a common year.
  it.each(['2022-01-31', '2022-01-30'])('a month from %s ends before 2022-02-28', (start) => {
    expect(billedUntil(start, startOn(start, { interval: month(1) }))).toEqual([[start, '2022-02-28', '3000']]);
  });
});

describe('a stub before the first anchor', () => {
  const monthly = (start: string, dayOfMonth: number, price: string) =>
    startOn(start, { interval: month(1), anchor: { dayOfMonth } }, { unitPrice: minor(price) });

  // Kill Bill TestLeadingProRation: BCD 13, start on 1 February 2011
  it.each([
    ['2011-02-01', 1],
    ['2011-02-04', 1],
    ['2011-02-13', 2],
    ['2011-04-13', 4],
  ])('costs 12/31: up to %s there are %i lines', (target, lines) => {
    const events = monthly('2011-02-01', 13, '31.00')(notStarted);
    expect(linesOf(events).map((line) => line.rule.fraction)).toEqual([{ numerator: '12', denominator: '31' }]);
    expect(billedUntil(target, monthly('2011-02-01', 13, '31.00')).map(([, , net]) => net)).toEqual([
      '1200',
      ...Array<string>(lines - 1).fill('3100'),
    ]);
  });

  // Kill Bill testWithSingleMonthlyEventWithLeadingProRation
  it('10.00 from 2011-09-01 with day 15 until 2011-10-03: two items, 14.52', () => {
    const nets = billedUntil('2011-10-03', monthly('2011-09-01', 15, '10.00')).map(([, , net]) => net);
    expect(nets).toEqual(['452', '1000']);
  });

  // billing-rules.md §2.1: start 5 February, day 10: 5/31 by the grid period that holds it
  it('5 February to 10 February is 5/31, not 5/28', () => {
    const [line] = linesOf(monthly('2011-02-05', 10, '31.00')(notStarted));
    expect(line?.rule.fraction).toEqual({ numerator: '5', denominator: '31' });
  });

  // Kill Bill quarterly TestProRation
  it('quarterly, day 10, start 24 Feb 2011: first boundary 10 May, 75/89', () => {
    const events = startOn(
      '2011-02-24',
      { interval: month(3), anchor: { dayOfMonth: 10 } },
      { unitPrice: '8900' },
    )(notStarted);
    expect(billed(events)).toEqual([['2011-02-24', '2011-05-10', '7500']]);
    expect(linesOf(events)[0]?.rule.fraction).toEqual({ numerator: '75', denominator: '89' });
  });

  // Kill Bill annual TestProRation: the lead-in counts 365 days.
  it('annual, day 17, start 10 January 2011: 7/365, then a whole year', () => {
    const annual: Partial<StartSubscription> = { interval: { unit: 'year', count: 1 }, anchor: { dayOfMonth: 17 } };
    const lines = billedUntil('2011-04-05', startOn('2011-01-10', annual, { unitPrice: '36500' }));
    expect(lines).toEqual([
      ['2011-01-10', '2011-01-17', '700'],
      ['2011-01-17', '2012-01-17', '36500'],
    ]);
  });
});

describe('a stub at the end, in arrears', () => {
  const canceled = (start: string, end: string, changes: Partial<StartSubscription>) => {
    const state = given(startOn(start, changes, { timing: 'arrears', unitPrice: '100000' }), catchUp(end));
    return linesOf(cancelNow(state, { credit: 'none' }, at(end))).map((line) => line.rule.fraction);
  };
  const of = (numerator: string, denominator: string) => [{ numerator, denominator }];

  // Kill Bill testSinglePlan_LeapYearFebruaryProRation and the quarterly and annual TestProRation
  it('counts the days of its own grid period', () => {
    expect(canceled('2012-02-01', '2012-02-15', { interval: month(1), anchor: { dayOfMonth: 1 } })).toEqual(
      of('14', '29'),
    );
    expect(canceled('2011-02-10', '2011-02-24', { interval: month(3), anchor: { dayOfMonth: 10 } })).toEqual(
      of('14', '89'),
    );
    expect(canceled('2012-02-01', '2012-02-15', { interval: month(3), anchor: { dayOfMonth: 1 } })).toEqual(
      of('14', '90'),
    );
    const annual = { interval: { unit: 'year', count: 1 }, anchor: { dayOfMonth: 17 } } as const;
    expect(canceled('2011-01-10', '2012-03-04', annual)).toEqual(of('47', '366'));
  });
});

describe('part of a month', () => {
  // OpenMeter charge_test.go: 100 for 15 and 10 of 31 days
  it.each([
    ['2026-01-16', '4839'],
    ['2026-01-11', '3226'],
  ])('100.00 until %s costs %s', (end, net) => {
    const state = given(startOn('2026-01-01', { interval: month(1) }, { timing: 'arrears', unitPrice: '10000' }));
    expect(billed(cancelNow(state, { credit: 'none' }, at(end)))).toEqual([['2026-01-01', end, net]]);
  });

  // OpenMeter charge_test.go: whole yen
  it('1000 yen for 10 of 31 days is 323 yen', () => {
    const yen = startOn(
      '2026-01-01',
      { interval: month(1), currency: 'JPY' },
      { timing: 'arrears', unitPrice: '1000' },
    );
    expect(billed(cancelNow(given(yen), { credit: 'none' }, at('2026-01-11')))).toEqual([
      ['2026-01-01', '2026-01-11', '323'],
    ]);
  });
});

// Kill Bill TestRecurringInAdvance and TestRecurringInArrear
describe('in advance and in arrears', () => {
  const periods = {
    15: [
      ['2012-07-16', '2012-08-15'],
      ['2012-08-15', '2012-09-15'],
      ['2012-09-15', '2012-10-15'],
      ['2012-10-15', '2012-11-15'],
    ],
    16: [
      ['2012-07-16', '2012-08-16'],
      ['2012-08-16', '2012-09-16'],
      ['2012-09-16', '2012-10-16'],
      ['2012-10-16', '2012-11-16'],
    ],
    17: [
      ['2012-07-16', '2012-07-17'],
      ['2012-07-17', '2012-08-17'],
      ['2012-08-17', '2012-09-17'],
      ['2012-09-17', '2012-10-17'],
    ],
  };
  it.each([15, 16, 17] as const)('with day %i: arrears lacks the last period of advance', (dayOfMonth) => {
    const services = (timing: 'advance' | 'arrears') =>
      billedUntil('2012-10-16', startOn('2012-07-16', { interval: month(1), anchor: { dayOfMonth } }, { timing })).map(
        ([from, to]) => [from, to],
      );
    expect(services('advance')).toEqual(periods[dayOfMonth]);
    expect(services('arrears')).toEqual(periods[dayOfMonth].slice(0, -1));
  });
});

// Kill Bill testSingleEventWithExistingInvoice
it('billing again two days later bills nothing', () => {
  const state = given(startOn('2011-09-01', { interval: month(1) }), catchUp('2011-12-01'));
  expect(catchUp('2011-12-03')(state)).toEqual([]);
});

// Kill Bill TestWithQuantityUpdate: 29.95 × 7
it('a quantity multiplies before rounding', () => {
  const start = startOn('2022-11-27', { interval: month(1) }, { unitPrice: '2995', quantity: '7' });
  expect(billedUntil('2022-11-27', start)).toEqual([['2022-11-27', '2022-12-27', '20965']]);
});

// Kill Bill TestWithBCDUpdate: the short piece against the grid period that ends where it ends
it.each([
  ['2016-05-01', 15, '11664'],
  ['2016-06-01', 15, '11288'],
  ['2016-07-15', 10, '20964'],
])('249.95 from %s to day %i costs %s', (start, dayOfMonth, net) => {
  const events = startOn(start, { interval: month(1), anchor: { dayOfMonth } }, { unitPrice: '24995' })(notStarted);
  expect(linesOf(events).map((line) => line.net)).toEqual([net]);
});

// Kill Bill testChangeMonthlyToAnnual, its new line: annual 2399.95 from 12 May 2012 with day 1 kept
it('2399.95 a year from 12 May 2012 with day 1 costs 2327.62 up to 1 May 2013', () => {
  const annual: Partial<StartSubscription> = { interval: { unit: 'year', count: 1 }, anchor: { dayOfMonth: 1 } };
  expect(billedUntil('2012-05-12', startOn('2012-05-12', annual, { unitPrice: '239995' }))).toEqual([
    ['2012-05-12', '2013-05-01', '232762'],
  ]);
});

// Kill Bill testRepairWithFullRemainingItemAdjustment, what was used: 30 of 365 days
it('2399.95 a year used for 30 days costs 197.26', () => {
  const state = given(
    startOn('2013-08-18', { interval: { unit: 'year', count: 1 } }, { timing: 'arrears', unitPrice: '239995' }),
  );
  expect(billed(cancelNow(state, { credit: 'none' }, at('2013-09-17')))).toEqual([
    ['2013-08-18', '2013-09-17', '19726'],
  ]);
});
