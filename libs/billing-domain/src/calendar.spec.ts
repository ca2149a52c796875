import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import {
  addDays,
  addHours,
  addMilliseconds,
  date,
  dateOf,
  daysBetween,
  gridDay,
  gridOfDay,
  gridPeriod,
  gridPeriodAt,
  gridPoint,
  instant,
  interval,
  laterInstant,
  localDateTime,
  millisecondsBetween,
  secondsBetween,
  startOfDay,
  timeZone,
  toInstant,
  toLocal,
  toLocalDate,
  type Grid,
  type Interval,
} from './calendar';
import { propertyRuns } from '../../../test/support/property-runs';

const zones = [
  'UTC',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Europe/Berlin',
  'Africa/Casablanca',
  'Asia/Tokyo',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
];
const start = 1_420_070_400_000; // 2015-01-01
const instants = fc.integer({ min: start, max: start + 10 * 366 * 86_400_000 }).map((ms) => new Date(ms).toISOString());
const intervals: fc.Arbitrary<Interval> = fc.oneof(
  fc.record({ unit: fc.constantFrom('day' as const, 'week' as const), count: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ unit: fc.constant('month' as const), count: fc.integer({ min: 1, max: 24 }) }),
  fc.record({ unit: fc.constant('year' as const), count: fc.integer({ min: 1, max: 3 }) }),
);
const monthly: Interval = { unit: 'month', count: 1 };
const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
};

describe('canonical forms', () => {
  it.each([
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.000+00:00',
    '2026-02-30T00:00:00.000Z',
    '2026-01-01T24:00:00.000Z',
    '2026-01-01T30:00:00.000Z',
    '2026-01-01T00:60:00.000Z',
    '2026-01-01T00:00:60.000Z',
    '2026-01-01T00:00:00.0000Z',
    '2026-01-01T00:00:00.00Z',
    ' 2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z ',
    '2026-13-01T00:00:00.000Z',
    '',
    5 as unknown as string,
    null as unknown as string,
    ['2026-01-01T00:00:00.000Z'] as unknown as string,
  ])('refuses the instant %j', (text) => expect(codeOf(() => instant(text))).toBe('invalid-instant'));

  it('refuses dates and date-times that the calendar has not', () => {
    const none = [5, null, undefined] as unknown as string[];
    const listed = [['2026-01-01'], ['2026-01-01T00:00:00']] as unknown as string[];
    const long = ['2026-04-31', '2026-06-31', '2026-09-31', '2026-11-31', '2026-01-32', '2026-02-30', '2024-02-30'];
    for (const text of ['2023-02-29', '2026-13-01', '2026-00-10', '2026-1-1', '2026-01-00', '0000-01-01', ...long]) {
      expect(codeOf(() => date(text))).toBe('invalid-date');
    }
    for (const text of [
      'x2026-01-01',
      '2026-01-012026-01-01',
      '2026-01-01x',
      '2026-01-01T00:00:00',
      ...none,
      ...listed,
    ]) {
      expect(codeOf(() => date(text))).toBe('invalid-date');
    }
    for (const text of ['2026-01-01', '2026-01-01T24:00:00', '2026-01-01T10:60:00', '2026-04-31T00:00:00']) {
      expect(codeOf(() => localDateTime(text))).toBe('invalid-local-date-time');
    }
    for (const text of [
      'x2026-01-01T00:00:00',
      '2026-01-01T2026-01-01T00:00:00',
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00:60',
      ...none,
      ...listed,
    ]) {
      expect(codeOf(() => localDateTime(text))).toBe('invalid-local-date-time');
    }
    for (const month of ['01', '03', '05', '07', '08', '10', '12']) {
      expect(date(`2026-${month}-31`)).toBe(`2026-${month}-31`);
    }
    for (const month of ['04', '06', '09', '11']) expect(date(`2026-${month}-30`)).toBe(`2026-${month}-30`);
    expect(date('0001-01-01')).toBe('0001-01-01');
    expect(localDateTime('2026-01-01T23:59:59')).toBe('2026-01-01T23:59:59');
    expect(localDateTime('2026-01-01T19:00:00')).toBe('2026-01-01T19:00:00');
    expect(instant('2026-12-31T23:59:59.999Z')).toBe('2026-12-31T23:59:59.999Z');
    expect(date('2024-02-29')).toBe('2024-02-29');
    expect(date('2000-02-29')).toBe('2000-02-29');
    expect(codeOf(() => date('1900-02-29'))).toBe('invalid-date');
    expect(codeOf(() => addDays('9999-12-31', 1))).toBe('date-out-of-range');
    expect(codeOf(() => addDays('0001-01-01', -1))).toBe('date-out-of-range');
    expect([addDays('9999-12-30', 1), addDays('0001-01-02', -1)]).toEqual(['9999-12-31', '0001-01-01']);
  });

  it('knows IANA zones, in their usual spelling', () => {
    expect(timeZone('europe/berlin')).toBe('Europe/Berlin');
    expect(timeZone('Etc/GMT+3')).toBe('Etc/GMT+3');
    expect(timeZone('America/Port-au-Prince')).toBe('America/Port-au-Prince');
    const none = [5, null, ['UTC']] as unknown as string[];
    for (const name of [
      '',
      'Mars/Olympus',
      '+03:00',
      '03:00',
      'Europe/Berlin ',
      'x'.repeat(65),
      'constructor',
      ...none,
    ]) {
      expect(codeOf(() => timeZone(name))).toBe('unknown-time-zone');
    }
  });

  it('bounds intervals', () => {
    expect(interval({ unit: 'month', count: 3 })).toEqual({ unit: 'month', count: 3 });
    const longest = { day: 3660, week: 520, month: 120, year: 10 } as const;
    for (const unit of ['day', 'week', 'month', 'year'] as const) {
      expect(interval({ unit, count: 1 })).toEqual({ unit, count: 1 });
      expect(interval({ unit, count: longest[unit] })).toEqual({ unit, count: longest[unit] });
      expect(codeOf(() => interval({ unit, count: longest[unit] + 1 }))).toBe('invalid-interval');
    }
    for (const [unit, count] of [
      ['day', 0],
      ['day', 3661],
      ['month', 1.5],
      ['year', 11],
      ['toString', 1],
    ] as const) {
      expect(codeOf(() => interval({ unit: unit as 'day', count }))).toBe('invalid-interval');
    }
  });

  it('gives the later of two instants', () => {
    const [earlier, later] = ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z'] as const;
    expect([laterInstant(earlier, later), laterInstant(later, earlier), laterInstant(later, later)]).toEqual([
      later,
      later,
      later,
    ]);
    expect(codeOf(() => laterInstant('2026', later))).toBe('invalid-instant');
    expect(codeOf(() => laterInstant(later, '2026'))).toBe('invalid-instant');
  });

  it('counts between instants and from them', () => {
    const at = '2026-01-01T23:59:59.900Z';
    expect(secondsBetween(at, '2026-01-02T00:00:00.100Z')).toBe(1);
    expect(secondsBetween('2026-01-02T00:00:00.100Z', at)).toBe(-1);
    expect(secondsBetween(at, '2026-01-01T23:59:59.999Z')).toBe(0);
    expect(millisecondsBetween(at, '2026-01-02T00:00:00.100Z')).toBe(200);
    expect(millisecondsBetween('2026-01-02T00:00:00.100Z', at)).toBe(-200);
    expect(addHours(at, 25)).toBe('2026-01-03T00:59:59.900Z');
    expect(addHours(at, -24)).toBe('2025-12-31T23:59:59.900Z');
    expect(addMilliseconds(at, 100)).toBe('2026-01-02T00:00:00.000Z');
    expect(addMilliseconds(at, -86_399_900)).toBe('2026-01-01T00:00:00.000Z');
    expect(addMilliseconds('1969-12-31T00:00:00.007Z', 1)).toBe('1969-12-31T00:00:00.008Z');
    expect(codeOf(() => addHours('9999-12-31T23:00:00.000Z', 1))).toBe('date-out-of-range');
  });

  it('takes a date for its start, and a date-time for its date', () => {
    expect(startOfDay('2026-01-31')).toBe('2026-01-31T00:00:00');
    expect(dateOf('2026-01-31T12:34:56')).toBe('2026-01-31');
  });
});

describe('dates', () => {
  it('agree with Temporal', () => {
    const days = fc.integer({ min: -700_000, max: 2_900_000 });
    fc.assert(
      fc.property(days, fc.integer({ min: -3000, max: 3000 }), (epoch, distance) => {
        const day = Temporal.PlainDate.from('1970-01-01').add({ days: epoch });
        expect(addDays('1970-01-01', epoch)).toBe(day.toString());
        expect(addDays(day.toString(), distance)).toBe(day.add({ days: distance }).toString());
        expect(daysBetween(day.toString(), day.add({ days: distance }).toString())).toBe(distance);
      }),
      propertyRuns(250),
    );
  });

  // Flexprice TestCalculator_DaysInDurationWithDST: calendar days, not blocks of 24 hours.
  it.each([
    ['2024-03-09', '2024-03-11', 2],
    ['2024-11-02', '2024-11-04', 2],
    ['2024-04-06', '2024-04-08', 2],
    ['2024-07-15', '2024-07-16', 1],
  ])('from %s to %s counts %i', (from, to, days) => expect(daysBetween(from, to)).toBe(days));
});

describe('zones', () => {
  it('agree with Temporal, gaps and overlaps included', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), instants, fc.integer({ min: -90, max: 90 }), (zone, at, minutes) => {
        const zoned = Temporal.Instant.from(at).toZonedDateTimeISO(zone);
        expect(toLocal(at, zone)).toBe(
          zoned.toPlainDateTime().round({ smallestUnit: 'second', roundingMode: 'trunc' }).toString(),
        );
        // Near a transition of that zone, if there is one after that instant.
        const transition = zoned.getTimeZoneTransition('next') ?? zoned;
        const local = transition.toPlainDateTime().round('second').add({ minutes });
        expect(toInstant(local.toString({ smallestUnit: 'second' }), zone)).toBe(
          new Date(local.toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds).toISOString(),
        );
      }),
      propertyRuns(200),
    );
  });

  it('take a skipped time as much later, and the first of a repeated one', () => {
    expect(toInstant('2024-03-10T02:30:00', 'America/New_York')).toBe('2024-03-10T07:30:00.000Z'); // shown as 03:30
    expect(toInstant('2024-11-03T01:30:00', 'America/New_York')).toBe('2024-11-03T05:30:00.000Z'); // still daylight time
    // São Paulo set its clock forward at midnight until 2018: the day starts at 01:00.
    expect(toLocal(toInstant('2018-11-04T00:00:00', 'America/Sao_Paulo'), 'America/Sao_Paulo')).toBe(
      '2018-11-04T01:00:00',
    );
  });

  // Kill Bill TestBillCycleDayCalculator: 2012-07-16T21:17:03Z
  it.each([
    ['HST', '2012-07-16'],
    ['Europe/Paris', '2012-07-16'],
    ['UTC', '2012-07-16'],
    ['Africa/Nairobi', '2012-07-17'],
    ['Asia/Tokyo', '2012-07-17'],
  ])('the date in %s is %s', (zone, day) => expect(toLocalDate('2012-07-16T21:17:03.000Z', zone)).toBe(day));
});

describe('grid', () => {
  const points = (grid: Grid, from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => gridPoint(grid, from + i).slice(0, 10));

  it('keeps the anchor day and clamps to the month end (Stripe billing-cycle)', () => {
    const grid = { anchor: '2023-01-31T00:00:00', interval: monthly };
    expect(points(grid, 0, 3)).toEqual(['2023-01-31', '2023-02-28', '2023-03-31', '2023-04-30']);
    expect(points(grid, 13, 13)).toEqual(['2024-02-29']);
  });

  it('finds the period that holds an instant (OpenMeter recurrence_test.go)', () => {
    const grid = { anchor: '2025-01-31T15:00:00', interval: monthly };
    const found = ['2025-08-13T20:00:00.000Z', '2025-09-30T15:00:00.000Z'].map((at) => gridPeriodAt(grid, 'UTC', at));
    expect(found).toEqual([
      { gridIndex: 6, from: '2025-07-31T15:00:00', to: '2025-08-31T15:00:00' },
      { gridIndex: 8, from: '2025-09-30T15:00:00', to: '2025-10-31T15:00:00' },
    ]);
  });

  it('has half-open periods (Meteroid periods.rs)', () => {
    const grid = gridOfDay(31, '2024-01-31T00:00:00', monthly);
    const found = ['2024-02-15', '2024-02-29', '2024-03-31'].map((day) =>
      gridPeriodAt(grid, 'UTC', `${day}T00:00:00.000Z`),
    );
    expect(found.map(({ from, to }) => [from.slice(0, 10), to.slice(0, 10)])).toEqual([
      ['2024-01-31', '2024-02-29'],
      ['2024-02-29', '2024-03-31'],
      ['2024-03-31', '2024-04-30'],
    ]);
    expect(found.map(({ gridIndex }) => gridIndex)).toEqual([0, 1, 2]);
  });

  it('keeps a day of month that its own month has not', () => {
    const quarterly: Interval = { unit: 'month', count: 3 };
    const grid = gridOfDay(31, '2011-02-10T00:00:00', quarterly);
    expect(grid).toEqual({ anchor: '2011-02-28T00:00:00', anchorDay: 31, interval: quarterly });
    expect(points(grid, -1, 3)).toEqual(['2010-11-30', '2011-02-28', '2011-05-31', '2011-08-31', '2011-11-30']);
    const yearly = gridOfDay(30, '2011-02-10T00:00:00', { unit: 'year', count: 1 });
    expect(points(yearly, 0, 5)).toEqual([
      '2011-02-28',
      '2012-02-29',
      '2013-02-28',
      '2014-02-28',
      '2015-02-28',
      '2016-02-29',
    ]);
  });

  it('knows the day that it keeps, and clamps to the month, also far away', () => {
    const quarterly: Interval = { unit: 'month', count: 3 };
    expect(gridDay(gridOfDay(31, '2011-02-10T00:00:00', quarterly))).toBe(31);
    expect(gridDay({ anchor: '2011-02-10T00:00:00', interval: quarterly })).toBe(10);
    expect(gridOfDay(28, '2011-02-10T12:00:00', quarterly)).toEqual({
      anchor: '2011-02-28T00:00:00',
      interval: quarterly,
    });
    expect(gridOfDay(1, '2011-12-10T12:00:00', monthly).anchor).toBe('2011-12-01T00:00:00');
    const grid = (unit: Interval['unit']) => ({ anchor: '2026-01-31T10:00:00', interval: { unit, count: 2 } });
    expect((['day', 'week', 'month', 'year'] as const).map((unit) => gridPoint(grid(unit), 1))).toEqual([
      '2026-02-02T10:00:00',
      '2026-02-14T10:00:00',
      '2026-03-31T10:00:00',
      '2028-01-31T10:00:00',
    ]);
    const yearly = (anchor: string) => ({ anchor, interval: { unit: 'year', count: 1 } as const });
    expect(gridPoint(yearly('9998-01-01T00:00:00'), 1)).toBe('9999-01-01T00:00:00');
    expect(gridPoint(yearly('0002-01-01T00:00:00'), -1)).toBe('0001-01-01T00:00:00');
    expect(codeOf(() => gridPoint(yearly('9999-01-01T00:00:00'), 1))).toBe('date-out-of-range');
    expect(codeOf(() => gridPoint(yearly('0001-01-01T00:00:00'), -1))).toBe('date-out-of-range');
  });

  it('takes a day of month only with months and years', () => {
    for (const [day, unit] of [
      [0, 'month'],
      [32, 'month'],
      [1.5, 'month'],
      [1, 'week'],
      [1, 'day'],
    ] as const) {
      expect(codeOf(() => gridOfDay(day, '2026-01-01T00:00:00', { unit, count: 1 }))).toBe('invalid-anchor');
    }
  });

  it('finds any period at once, also thousands of years away', () => {
    const grids = (['day', 'week', 'month', 'year'] as const).map((unit) => ({
      anchor: '2024-01-31T00:00:00',
      interval: { unit, count: 1 },
    }));
    const started = performance.now();
    for (let i = 0; i < 200; i += 1) {
      for (const grid of grids) {
        for (const at of ['8024-01-31T12:00:00.000Z', '0024-01-31T12:00:00.000Z']) {
          const { gridIndex, from, to } = gridPeriodAt(grid, 'Europe/Berlin', at);
          if (i === 0) expect(toInstant(from, 'Europe/Berlin') <= at && at < toInstant(to, 'Europe/Berlin')).toBe(true);
          if (i === 0) expect(gridPoint(grid, gridIndex)).toBe(from);
        }
      }
    }
    // A walk of one step a period would take minutes.
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('agrees with Temporal: anchor + g × interval, never cumulated', () => {
    const locals = instants.map((at) => `${at.slice(0, 19)}`);
    fc.assert(
      fc.property(locals, intervals, fc.integer({ min: -60, max: 60 }), (anchor, every, g) => {
        const duration = Temporal.Duration.from({ [`${every.unit}s`]: every.count * g });
        const point = Temporal.PlainDateTime.from(anchor).add(duration).toString({ smallestUnit: 'second' });
        expect(gridPoint({ anchor, interval: every }, g)).toBe(point);
      }),
      propertyRuns(250),
    );
  });

  it('tiles ten years in ten zones: every instant is in exactly the period found for it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), instants, intervals, instants, (zone, anchorAt, every, at) => {
        const grid = { anchor: toLocal(anchorAt, zone), interval: every };
        const { gridIndex, from, to } = gridPeriodAt(grid, zone, at);
        expect(toInstant(from, zone) <= at && at < toInstant(to, zone)).toBe(true);
        expect(gridPeriod(grid, gridIndex)).toEqual({ gridIndex, from, to });
        expect(gridPeriod(grid, gridIndex + 1).from).toBe(to);
      }),
      propertyRuns(400),
    );
  });
});
