import { refusal } from '../subscription/decisions.fixture';
import type { UsageRecord } from './usage-record';
import type { NewMeter } from './meter';
import { CLOCK_TOLERANCE_MS, usageRecord } from './record-usage';
import { day, periodOf, quantities, UsageStream } from './usage.fixture';

let ids = 0;
/** A record of the event "use"; its id is a number of its own unless one is given. */
const use = (at: string, value?: string, properties?: Record<string, string>, id = `r-${(ids += 1)}`): UsageRecord => ({
  id,
  event: 'use',
  at,
  ...(value !== undefined && { value }),
  ...(properties && { properties }),
});

/** What one meter comes to over the thirty days. */
const sealed = (definition: Omit<NewMeter, 'key' | 'event'>, records: readonly UsageRecord[]) => {
  const stream = new UsageStream(periodOf([{ key: 'm', event: 'use', ...definition }]));
  stream.record(records, day(30));
  return quantities(stream.seal(day(31)), 'm').join();
};

// Found by the simulated book: it was free where its own time lies, and took the fee of a record that was never there.
it('a record that came late is among the free ones of the segment in which it counts', () => {
  const sum: NewMeter = { key: 'm', event: 'use', aggregation: 'sum' };
  const segments = [
    [day(1), 'm'],
    [day(10), 'm'],
  ] as const;
  const stream = new UsageStream(periodOf([sum], { first: 2, segments }));
  stream.countLate([use('2025-12-20T00:00:00.000Z', '5')], day(12));
  expect(stream.seal(day(31)).segments.map(({ meters: [measured] }) => [measured?.records, measured?.first])).toEqual([
    [0, []],
    [1, ['5']],
  ]);
});

// Found by the simulated book: what was free hung on whether another meter came in the middle of the period.
it('a record that came late counts towards the free ones when it came, whether the period is cut there or not', () => {
  const sum: NewMeter = { key: 'm', event: 'use', aggregation: 'sum' };
  const cut = [
    [day(1), 'm'],
    [day(10), 'm'],
  ] as const;
  const freed = [{}, { segments: cut }].map((over) => {
    const stream = new UsageStream(periodOf([sum], { first: 2, ...over }));
    stream.record([use(day(5), '2'), use(day(6), '10')], day(7));
    stream.countLate([use('2025-12-20T00:00:00.000Z', '250')], day(12));
    return stream.seal(day(31)).segments.flatMap(({ meters: [measured] }) => measured?.first ?? []);
  });
  expect(freed).toEqual([
    ['2', '10'],
    ['2', '10'],
  ]);
});

describe('what a meter measures', () => {
  it('sum: of values, also of those below zero, exactly', () => {
    expect(sealed({ aggregation: 'sum' }, [use(day(2), '1.5'), use(day(3), '2.25'), use(day(4), '-0.75')])).toBe('3');
    expect(sealed({ aggregation: 'sum' }, [use(day(2), '0.1'), use(day(3), '0.2')])).toBe('0.3');
    expect(sealed({ aggregation: 'sum' }, [use(day(2), '0.000000000001'), use(day(3), '900000000000000')])).toBe(
      '900000000000000.000000000001',
    );
  });

  it('sum: of a property', () => {
    const records = [use(day(2), '7', { bytes: '1024' }), use(day(3), undefined, { bytes: '512' })];
    expect(sealed({ aggregation: 'sum', valueProperty: 'bytes' }, records)).toBe('1536');
  });

  it('count: of records, whatever they hold', () => {
    expect(sealed({ aggregation: 'count' }, [use(day(2)), use(day(2), '5'), use(day(3), '-5')])).toBe('3');
  });

  it('max: the largest value, also when all are below zero', () => {
    expect(sealed({ aggregation: 'max' }, [use(day(2), '3'), use(day(3), '10.5'), use(day(4), '7')])).toBe('10.5');
    expect(sealed({ aggregation: 'max' }, [use(day(2), '-5'), use(day(3), '-2')])).toBe('-2');
    expect(sealed({ aggregation: 'max' }, [])).toBe('0');
  });

  it('latest: in order of their own time, then id, not of arrival', () => {
    const records = [use(day(9), '9'), use(day(20), '20'), use(day(3), '3')];
    expect(sealed({ aggregation: 'latest' }, records)).toBe('20');
    const together = [use(day(9), '1', undefined, 'b'), use(day(9), '2', undefined, 'a')];
    expect(sealed({ aggregation: 'latest' }, together)).toBe('1');
  });

  it('unique-count: of the values of a property, over all batches', () => {
    const stream = new UsageStream(
      periodOf([{ key: 'm', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' }]),
    );
    const by = (user: string) => use(day(2), undefined, { user });
    stream.record([by('anna'), by('ben'), by('anna')], day(3));
    stream.record([by('ben'), by('cem')], day(4));
    expect(quantities(stream.seal(day(31)), 'm')).toEqual(['3']);
  });

  it('weighted-sum: the mean of a level: 30 for a third of the period are 10', () => {
    expect(sealed({ aggregation: 'weighted-sum' }, [use(day(1), '30'), use(day(11), '-30')])).toBe('10');
    expect(sealed({ aggregation: 'weighted-sum' }, [use(day(16), '1')])).toBe('0.5');
    expect(sealed({ aggregation: 'weighted-sum' }, [use(day(21), '1')])).toBe('0.333333333333');
  });

  it('reads only the records of its event that pass every filter', () => {
    const filters = [
      { property: 'region', values: ['eu', 'us'] },
      { property: 'tier', values: ['gold'] },
    ];
    const records = [
      use(day(2), undefined, { region: 'eu', tier: 'gold' }),
      use(day(2), undefined, { region: 'us', tier: 'gold' }),
      use(day(2), undefined, { region: 'ap', tier: 'gold' }),
      use(day(2), undefined, { region: 'eu' }),
      use(day(2)),
    ];
    expect(sealed({ aggregation: 'count', filters }, records)).toBe('2');
  });

  it('takes no property from what every object inherits', () => {
    expect(sealed({ aggregation: 'count', filters: [{ property: 'constructor', values: ['x'] }] }, [use(day(2))])).toBe(
      '0',
    );
  });
});

describe('what a meter carries on', () => {
  const next = (definition: NewMeter, carry: ReturnType<UsageStream['seal']>['carried'], records: UsageRecord[]) => {
    const after = { periodNumber: 2, startsAt: day(31), endsAt: day(61) };
    const stream = new UsageStream(periodOf([definition], after));
    stream.record(records, day(60));
    return stream.seal(day(61), carry);
  };

  it('weighted-sum: the level at the end of the period before', () => {
    const storage: NewMeter = { key: 'm', event: 'use', aggregation: 'weighted-sum', carry: true };
    const first = new UsageStream(periodOf([storage]));
    first.record([use(day(16), '10')], day(20));
    const { carried, ...sealedFirst } = first.seal(day(31));
    expect(quantities({ ...sealedFirst, carried }, 'm')).toEqual(['5']);
    expect(carried).toEqual([{ meter: 'm', at: day(31), id: '', value: '10' }]);
    expect(quantities(next(storage, carried, []), 'm')).toEqual(['10']);
    expect(quantities(next(storage, carried, [use(day(46), '-4')]), 'm')).toEqual(['8']);
    expect(quantities(next({ ...storage, carry: false }, carried, []), 'm')).toEqual(['0']);
  });

  it('latest: the last value, until another comes', () => {
    const level: NewMeter = { key: 'm', event: 'use', aggregation: 'latest', carry: true };
    const first = new UsageStream(periodOf([level]));
    first.record([use(day(16), '7', undefined, 'seven')], day(20));
    const { carried } = first.seal(day(31));
    expect(carried).toEqual([{ meter: 'm', at: day(16), id: 'seven', value: '7' }]);
    expect(quantities(next(level, carried, []), 'm')).toEqual(['7']);
    expect(next(level, carried, []).carried).toEqual(carried);
    expect(quantities(next(level, carried, [use(day(40), '3')]), 'm')).toEqual(['3']);
    expect(quantities(next({ ...level, carry: false }, carried, []), 'm')).toEqual(['0']);
  });
});

describe('a record', () => {
  const calls: NewMeter = { key: 'calls', event: 'use', aggregation: 'count' };
  const open = { ...periodOf([calls]), periodNumber: 2, startsAt: day(31), endsAt: day(61) };
  const opened = { ...open, segments: [{ from: day(31), meters: ['calls'] }] };

  it('counts once, in its batch, in a later one, and after the seal', () => {
    const stream = new UsageStream(periodOf([calls]));
    const one = use(day(2), undefined, undefined, 'one');
    expect(stream.record([one, { ...one }], day(3))).toEqual(['accepted', 'duplicate']);
    expect(stream.record([one, use(day(2), undefined, undefined, 'two')], day(3))).toEqual(['duplicate', 'accepted']);
    expect(quantities(stream.seal(day(31)), 'calls')).toEqual(['2']);
    expect(stream.record([one], day(32), { open: opened })).toEqual(['duplicate']);
    expect(quantities(stream.soFar(), 'calls')).toEqual(['2']);
  });

  it('is refused when its id stands for other content', () => {
    const stream = new UsageStream(periodOf([calls]));
    const one = use(day(2), '1', undefined, 'one');
    expect(stream.record([one, { ...one, value: '2' }], day(3))).toEqual(['accepted', 'usage-record-exists']);
    expect(stream.record([{ ...one, at: day(4) }], day(5))).toEqual(['usage-record-exists']);
    stream.seal(day(31));
    expect(stream.record([{ ...one, value: '3' }], day(32), { open: opened })).toEqual(['usage-record-exists']);
  });

  it('that stands in its batch twice is refused twice, if it is', () => {
    const stream = new UsageStream(periodOf([calls]));
    const other = { ...use(day(2)), event: 'other' };
    expect(stream.record([other, { ...other }], day(3))).toEqual(['meter-not-found', 'meter-not-found']);
  });

  it('that nothing changes leaves no event', () => {
    const stream = new UsageStream(periodOf([calls]));
    expect(stream.record([{ ...use(day(2)), event: 'other' }], day(3))).toEqual(['meter-not-found']);
    expect(stream.events).toEqual([]);
  });

  it('is refused when it lacks what a meter measures', () => {
    const stream = new UsageStream(periodOf([calls, { key: 'sum', event: 'use', aggregation: 'sum' }]));
    expect(stream.record([use(day(2)), use(day(2), '1')], day(3))).toEqual(['invalid-usage-value', 'accepted']);
    const users: NewMeter = { key: 'u', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' };
    expect(new UsageStream(periodOf([users])).record([use(day(2))], day(3))).toEqual(['invalid-usage-value']);
  });

  it('may be five minutes ahead of the clock, and no more', () => {
    const stream = new UsageStream(periodOf([calls]));
    const ahead = (ms: number) => use(new Date(Date.parse(day(3)) + ms).toISOString());
    expect(stream.record([ahead(CLOCK_TOLERANCE_MS), ahead(CLOCK_TOLERANCE_MS + 1)], day(3))).toEqual([
      'accepted',
      'usage-record-in-future',
    ]);
  });

  it('is refused beyond what a line can charge for, and the others of its batch are not', () => {
    const stream = new UsageStream(
      periodOf([
        { key: 'sum', event: 'use', aggregation: 'sum' },
        { ...calls, event: 'call' },
      ]),
    );
    const call = { ...use(day(2)), event: 'call' };
    expect(stream.record([use(day(2), '900000000000000'), call], day(3))).toEqual(['accepted', 'accepted']);
    expect(stream.record([use(day(2), '200000000000000'), { ...call, id: 'c' }], day(3))).toEqual([
      'usage-out-of-range',
      'accepted',
    ]);
    const priced = { sum: { model: 'per-unit', unitPrice: '1000000' } } as const;
    expect(
      new UsageStream(periodOf([{ key: 'sum', event: 'use', aggregation: 'sum' }])).record(
        [use(day(2), '900000000000000')],
        day(3),
        { prices: priced },
      ),
    ).toEqual(['usage-out-of-range']);
  });

  it('is in one form, and small', () => {
    expect(usageRecord({ id: 'a', event: 'use', at: day(2), value: '1.50', properties: {} })).toEqual({
      id: 'a',
      event: 'use',
      at: day(2),
      value: '1.5',
    });
    const big = { id: 'a', event: 'use', at: day(2), properties: { text: 'x'.repeat(4_000) } };
    expect(refusal(() => usageRecord(big))).toBe('invalid-usage-record');
    expect(refusal(() => usageRecord({ id: 'a', event: 'use', at: '2026-01-02' }))).toBe('invalid-instant');
    expect(refusal(() => usageRecord({ id: 'a', event: 'use', at: day(2), value: '1e3' }))).toBe('invalid-decimal');
  });
});

describe('a record that comes after the seal', () => {
  const next = (meters: readonly NewMeter[]) =>
    periodOf(meters, { periodNumber: 2, startsAt: day(31), endsAt: day(61) });
  const late = use(day(20), '5', undefined, 'late');
  const sum: NewMeter = { key: 'sum', event: 'use', aggregation: 'sum' };

  it('counts in the open period, with its own time kept, and changes nothing that is sealed', () => {
    const stream = new UsageStream(periodOf([sum]));
    stream.record([use(day(2), '1')], day(3));
    stream.seal(day(31));
    expect(stream.record([late], day(32), { open: next([sum]) })).toEqual(['late-accepted in 2']);
    expect(stream.record([late], day(33), { open: next([sum]) })).toEqual(['duplicate']);
    expect(quantities(stream.soFar(), 'sum')).toEqual(['1']);
    const after = new UsageStream(next([sum]));
    after.countLate([late], day(32), 1);
    after.countLate([late], day(33), 1);
    expect(quantities(after.seal(day(61)), 'sum')).toEqual(['5']);
    expect(after.events.map(({ type }) => type)).toEqual(['UsageOpened', 'LateUsageCounted', 'UsageSealed']);
    expect(after.events[1]).toMatchObject({ data: { home: 1, records: [{ id: 'late', at: day(20) }] } });
  });

  it('is refused where every meter that reads it says so', () => {
    const refusing: NewMeter = { ...sum, late: 'refuse' };
    const stream = new UsageStream(periodOf([sum]));
    stream.seal(day(31));
    expect(stream.record([late], day(32), { open: next([refusing]) })).toEqual(['usage-record-late']);
    const calls: NewMeter = { key: 'calls', event: 'use', aggregation: 'count' };
    expect(stream.record([late], day(32), { open: next([refusing, calls]) })).toEqual(['late-accepted in 2']);
    const after = new UsageStream(next([refusing, calls]));
    after.countLate([late], day(32), 1);
    const totals = after.seal(day(61));
    expect([quantities(totals, 'sum'), quantities(totals, 'calls')]).toEqual([['0'], ['1']]);
  });

  it('is refused where no period is open, or nothing reads it there', () => {
    const stream = new UsageStream(periodOf([sum]));
    stream.seal(day(31));
    expect(stream.record([late], day(32))).toEqual(['no-open-period']);
    expect(stream.record([late], day(32), { open: next([{ ...sum, event: 'other' }]) })).toEqual(['meter-not-found']);
  });

  it('weighs from the start of the period that it counts in', () => {
    const storage: NewMeter = { key: 'm', event: 'use', aggregation: 'weighted-sum' };
    const after = new UsageStream(next([storage]));
    after.countLate([use(day(20), '6')], day(46), 1);
    expect(quantities(after.seal(day(61)), 'm')).toEqual(['6']);
  });
});

describe('a change of terms within a period', () => {
  const meters: NewMeter[] = [
    { key: 'calls', event: 'use', aggregation: 'count' },
    { key: 'users', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' },
    { key: 'storage', event: 'use', aggregation: 'weighted-sum' },
    { key: 'peak', event: 'use', aggregation: 'max' },
    { key: 'level', event: 'use', aggregation: 'latest' },
  ];
  const all = meters.map(({ key }) => key);
  const cutAt = (...froms: string[]) =>
    periodOf(meters, { segments: [day(1), ...froms].map((from) => [from, ...all] as const) });
  const records = [
    use(day(2), '10', { user: 'anna' }),
    use(day(16), '20', { user: 'ben' }),
    use(day(21), '-30', { user: 'anna' }),
  ];
  const parts = {
    calls: ['1', '2'],
    users: ['0', '2'],
    // 10 × 29 days, 20 × 15 and −30 × 10, over 30 days: 4.666666666667 in the first half of the month, 5 in the second.
    storage: ['4.666666666667', '5'],
    peak: ['0', '20'],
    level: ['0', '-30'],
  };
  const shown = (totals: Parameters<typeof quantities>[0]) =>
    Object.fromEntries(all.map((key) => [key, quantities(totals, key)]));

  it('cuts the counts at its moment, whether it was known before the records or after them', () => {
    const before = new UsageStream(periodOf(meters));
    before.cut(cutAt(day(16)), day(1));
    before.record(records, day(22));
    expect(shown(before.seal(day(31)))).toEqual(parts);
    const after = new UsageStream(periodOf(meters));
    after.record(records.slice(0, 1), day(5));
    after.record(records.slice(1), day(22));
    after.cut(cutAt(day(16)), day(23));
    expect(shown(after.seal(day(31)))).toEqual(parts);
    expect(after.events.map(({ type }) => type)).toEqual([
      'UsageOpened',
      'UsageRecorded',
      'UsageRecorded',
      'UsageCut',
      'UsageSealed',
    ]);
  });

  it('refuses to record or to seal on terms that are others', () => {
    const stream = new UsageStream(periodOf(meters));
    stream.record(records, day(22));
    stream.period = { ...cutAt(day(16)), knownAt: 2 };
    expect(refusal(() => stream.record([use(day(22), '1', { user: 'cem' })], day(22)))).toBe('usage-terms-differ');
  });

  it('counts unique values of what was recorded before the meter was, and of what comes then, each once', () => {
    const users = meters.slice(0, 2);
    const stream = new UsageStream(periodOf(users.slice(0, 1)));
    stream.record(
      [use(day(5), '1', { user: 'anna' }), use(day(12), '1', { user: 'anna' }), use(day(13), '1', { user: 'ben' })],
      day(14),
    );
    // From the 10th on, made known on the 15th.
    stream.cut(
      periodOf(users, {
        segments: [
          [day(1), 'calls'],
          [day(10), 'calls', 'users'],
        ],
      }),
      day(15),
    );
    expect(quantities(stream.soFar(), 'users')).toEqual(['2']);
    stream.record([use(day(15), '1', { user: 'ben' }), use(day(15), '1', { user: 'cem' })], day(16));
    expect(quantities(stream.seal(day(31)), 'users')).toEqual(['3']);
  });

  it('counts no unique value of a stretch that the meter was taken from, but that value elsewhere', () => {
    const users = meters.slice(0, 2);
    const stream = new UsageStream(periodOf(users));
    stream.record([use(day(12), '1', { user: 'anna' }), use(day(13), '1', { user: 'ben' })], day(14));
    stream.record([use(day(5), '1', { user: 'anna' })], day(14));
    stream.cut(
      periodOf(users, {
        segments: [
          [day(1), 'calls', 'users'],
          [day(10), 'calls'],
        ],
      }),
      day(15),
    );
    stream.record([use(day(6), '1', { user: 'ben' })], day(16));
    expect(quantities(stream.seal(day(31)), 'users')).toEqual(['2']);
  });

  it('begins a period that is cut short at its real end', () => {
    const stream = new UsageStream(periodOf(meters.slice(2, 3)));
    stream.record([use(day(1), '30')], day(5));
    const short = periodOf(meters.slice(2, 3), { endsAt: day(11), whole: { from: day(1), to: day(31) } });
    stream.cut(short, day(11));
    // 30 for ten of the thirty days that the whole interval has.
    expect(quantities(stream.seal(day(11)), 'storage')).toEqual(['10']);
  });
});

describe('a seal', () => {
  it('waits for the end of the period, and is done once', () => {
    const stream = new UsageStream(periodOf([{ key: 'm', aggregation: 'count' }]));
    expect(refusal(() => stream.seal(day(30)))).toBe('period-not-elapsed');
    stream.seal(day(31));
    stream.seal(day(32));
    expect(stream.events.map(({ type }) => type)).toEqual(['UsageOpened', 'UsageSealed']);
  });

  it('keeps the first values in order of time that a percentage charges nothing for', () => {
    const stream = new UsageStream(periodOf([{ key: 'm', event: 'use', aggregation: 'sum' }], { first: 2 }));
    stream.record([use(day(9), '9'), use(day(3), '3')], day(10));
    stream.record([use(day(5), '5')], day(11));
    expect(stream.seal(day(31)).segments).toEqual([
      { from: day(1), meters: [{ meter: 'm', records: 3, quantity: '17', first: ['3', '5'] }] },
    ]);
  });
});
