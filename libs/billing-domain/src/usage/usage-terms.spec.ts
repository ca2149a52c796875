import { DomainError } from '../domain-error';
import type { UsageEvent } from './events';
import type { NewMeter } from './meter';
import { countLateUsage, recordTokens, recordUsage, valueTokens, type UsagePeriod } from './record-usage';
import { cutUsage, isToCut, sealedUsage, sealUsage } from './seal-usage';
import { evolveUsage, usageType, type KnownUsage, type Usage } from './usage';
import { day, periodOf, quantities } from './usage.fixture';
import type { UsageRecord } from './usage-record';

const calls: NewMeter = { key: 'calls', event: 'use', aggregation: 'count' };
const volume: NewMeter = { key: 'volume', event: 'use', aggregation: 'sum' };
const users: NewMeter = { key: 'users', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' };
const none = usageType.initial;
const nothing = { records: new Map<string, UsageEvent>(), values: new Set<string>() };
const use = (id: string, at: string, more: Partial<UsageRecord> = {}): UsageRecord => ({
  id,
  event: 'use',
  at,
  ...more,
});

const record = (
  state: Usage,
  period: UsagePeriod | undefined,
  records: UsageRecord[],
  now: string,
  open?: UsagePeriod,
) => recordUsage(state, { records, period, prices: {}, open }, nothing, now);
const after = (state: Usage, events: readonly UsageEvent[]) => events.reduce<Usage>(evolveUsage, state);
const open = (period: UsagePeriod, ...records: UsageRecord[]) =>
  after(none, record(none, period, records, day(5)).events) as KnownUsage;
const sealed = (period: UsagePeriod) => after(none, sealUsage(none, period, [], day(31)));
const codes = (
  state: Usage,
  period: UsagePeriod | undefined,
  records: UsageRecord[],
  now: string,
  next?: UsagePeriod,
) =>
  record(state, period, records, now, next).answers.map((answer) =>
    answer.result === 'refused' ? answer.code : answer.result,
  );

/** The code with which it is refused, and with what details; else what is decided. */
function outcome(decide: () => unknown) {
  try {
    return decide();
  } catch (error) {
    if (error instanceof DomainError) return [error.code, error.details];
    throw error;
  }
}

describe('usage of a period that nobody knows', () => {
  it('is refused record by record, and is neither counted late, cut nor sealed', () => {
    const records = [use('a', day(2)), use('b', day(3))];
    expect(record(none, undefined, records, day(5))).toEqual({
      events: [],
      answers: ['a', 'b'].map((id) => ({ id, result: 'refused', code: 'usage-period-not-found' })),
    });
    const unmeasured = periodOf([]);
    expect(codes(none, unmeasured, records, day(5))).toEqual(['usage-period-not-found', 'usage-period-not-found']);
    const refused = ['usage-period-not-found', undefined];
    const late = (period?: UsagePeriod) => () => countLateUsage(none, { home: 0, records, period }, nothing, day(5));
    expect(outcome(late())).toEqual(refused);
    expect(outcome(late(unmeasured))).toEqual(refused);
    expect(outcome(() => cutUsage(none, unmeasured, undefined, day(5)))).toEqual(refused);
    expect(outcome(() => sealUsage(none, unmeasured, [], day(31)))).toEqual(refused);
  });
});

describe('the first record of a period', () => {
  it('opens its usage with what the subscription knows of it', () => {
    const period = periodOf([calls, volume], { first: 3 });
    const { events, answers } = record(none, period, [use('a', day(2), { value: '5' })], day(5));
    expect(answers).toEqual([{ id: 'a', result: 'accepted', periodNumber: 1 }]);
    expect(events).toEqual([
      { type: 'UsageOpened', data: { effectiveAt: day(5), ...period } },
      {
        type: 'UsageRecorded',
        data: {
          effectiveAt: day(5),
          records: [use('a', day(2), { value: '5' })],
          partials: [
            { segment: 0, meter: 'calls', records: 1 },
            { segment: 0, meter: 'volume', records: 1, sum: '5' },
          ],
          totals: [
            { meter: 'calls', first: [{ at: day(2), id: 'a', value: '5' }] },
            { meter: 'volume', first: [{ at: day(2), id: 'a', value: '5' }] },
          ],
        },
      },
    ]);
    const [calling, measuring] = period.meters;
    expect(after(none, events)).toEqual({
      status: 'open',
      subscriptionId: 's-1',
      periodNumber: 1,
      startsAt: day(1),
      endsAt: day(31),
      whole: { from: day(1), to: day(31) },
      segments: period.segments,
      knownAt: 1,
      meters: { calls: calling, volume: measuring },
      partials: [{ calls: { records: 1 }, volume: { records: 1, sum: '5' } }],
      totals: {
        calls: { first: [{ at: day(2), id: 'a', value: '5' }] },
        volume: { first: [{ at: day(2), id: 'a', value: '5' }] },
      },
      records: 1,
      lastAt: day(2),
    });
  });
});

describe('the terms of usage', () => {
  const period = periodOf([calls, volume]);
  const state = open(period, use('a', day(2), { value: '1' }));
  const differ = ['usage-terms-differ', { periodNumber: 1 }];
  const others: [string, UsagePeriod][] = [
    ['another end', periodOf([calls, volume], { endsAt: day(30), whole: period.whole })],
    ['another meter of the same key, last', periodOf([calls, { ...volume, late: 'refuse' }])],
    ['another meter of the same key, first', periodOf([{ ...calls, late: 'refuse' }, volume])],
    ['one more meter', { ...periodOf([calls, volume, users]), segments: period.segments }],
    ['more free records', { ...periodOf([calls, volume], { first: 2 }), segments: period.segments }],
    [
      'another segment',
      periodOf([calls, volume], {
        segments: [
          [day(1), 'calls', 'volume'],
          [day(9), 'calls'],
        ],
      }),
    ],
  ];

  it.each(others)('are others with %s: nothing is recorded, counted late or sealed on them', (_, other) => {
    const records = [use('b', day(3), { value: '1' })];
    expect(outcome(() => record(state, other, records, day(5)))).toEqual(differ);
    expect(outcome(() => countLateUsage(state, { home: 0, records, period: other }, nothing, day(5)))).toEqual(differ);
    expect(outcome(() => sealUsage(state, other, [], day(31)))).toEqual(differ);
    expect(isToCut(state, other)).toBe(true);
    expect(isToCut(state, { ...other, knownAt: 0 })).toBe(false);
  });

  it('are the same with fewer meters in use, and with a later revision nothing but a cut makes them so', () => {
    expect(outcome(() => sealUsage(state, { ...period, meters: period.meters.slice(1) }, [], day(31)))).toHaveLength(1);
    expect(isToCut(state, period)).toBe(false);
    expect(cutUsage(state, period, undefined, day(9))).toEqual([]);
    const cut = cutUsage(state, { ...period, knownAt: 2 }, undefined, day(9));
    expect(cut).toEqual([
      {
        type: 'UsageCut',
        data: {
          effectiveAt: day(9),
          endsAt: day(31),
          meters: period.meters,
          segments: period.segments,
          knownAt: 2,
          partials: [
            { segment: 0, meter: 'calls', records: 1 },
            { segment: 0, meter: 'volume', records: 1, sum: '1' },
          ],
          totals: [],
        },
      },
    ]);
    expect(after(state, cut)).toEqual({ ...state, knownAt: 2 });
  });
});

describe('a seal', () => {
  const period = periodOf([calls, volume]);

  it('freezes the totals, and is no earlier than the end', () => {
    const state = open(period, use('a', day(2), { value: '1.5' }), use('b', day(3), { value: '2' }));
    expect(outcome(() => sealUsage(state, period, [], '2026-01-30T23:59:59.999Z'))).toEqual([
      'period-not-elapsed',
      { periodNumber: 1 },
    ]);
    const events = sealUsage(state, period, [], day(31));
    const totals = {
      subscriptionId: 's-1',
      periodNumber: 1,
      startsAt: day(1),
      to: day(31),
      segments: [
        {
          from: day(1),
          meters: [
            { meter: 'calls', records: 2, quantity: '2' },
            { meter: 'volume', records: 2, quantity: '3.5' },
          ],
        },
      ],
      carried: [],
    };
    expect(events).toEqual([{ type: 'UsageSealed', data: { effectiveAt: day(31), ...totals } }]);
    expect(after(state, events)).toEqual({ ...state, status: 'sealed', sealed: totals });
    expect(sealUsage(after(state, events), period, [], day(31))).toEqual([]);
  });

  it('of a period in which nothing was used is one of nothing', () => {
    const events = sealUsage(none, period, [], day(31));
    expect(events.map(({ type }) => type)).toEqual(['UsageOpened', 'UsageSealed']);
    expect(quantities(sealedUsage(after(none, events) as KnownUsage, []), 'volume')).toEqual(['0']);
  });

  it('refuses to cut, or to count what comes late, afterwards', () => {
    const refused = ['usage-sealed', { periodNumber: 1 }];
    const records = [use('late', day(20), { value: '5' })];
    expect(outcome(() => cutUsage(sealed(period), { ...period, knownAt: 2 }, undefined, day(32)))).toEqual(refused);
    expect(outcome(() => countLateUsage(sealed(period), { home: 0, records }, nothing, day(32)))).toEqual(refused);
  });
});

describe('a record after the seal', () => {
  const state = sealed(periodOf([calls, volume]));
  const next = (...meters: NewMeter[]) => periodOf(meters, { periodNumber: 2, startsAt: day(31), endsAt: day(61) });
  const without = use('a', day(20));

  it('is refused when it lacks what a meter of the open period measures, though another would take it', () => {
    expect(codes(state, undefined, [without], day(32), next(volume))).toEqual(['invalid-usage-value']);
    expect(codes(state, undefined, [without], day(32), next(calls, volume))).toEqual(['invalid-usage-value']);
    expect(codes(state, undefined, [without], day(32), next(calls))).toEqual(['late-accepted']);
  });

  it('is noted with where it counts, by those that are taken alone', () => {
    const good = use('b', day(21), { value: '5' });
    const { events, answers } = record(state, undefined, [without, good], day(32), next(volume));
    expect(events).toEqual([
      {
        type: 'LateUsageNoted',
        data: { effectiveAt: day(32), subscriptionId: 's-1', periodNumber: 1, countsIn: 2, records: [good] },
      },
    ]);
    expect(answers).toEqual([
      { id: 'a', result: 'refused', code: 'invalid-usage-value' },
      { id: 'b', result: 'late-accepted', periodNumber: 1, countsIn: 2 },
    ]);
    expect(record(state, undefined, [without], day(32), next(volume)).events).toEqual([]);
    expect(after(state, events)).toBe(state);
  });
});

describe('a period', () => {
  it('takes a hundred million records, and no more', () => {
    const period = periodOf([calls]);
    const state = { ...open(period, use('a', day(2))), records: 99_999_999 };
    expect(codes(state, period, [use('b', day(2))], day(5))).toEqual(['accepted']);
    expect(codes(state, period, [use('b', day(2)), use('c', day(2))], day(5))).toEqual([
      'usage-out-of-range',
      'usage-out-of-range',
    ]);
    expect(record({ ...state, records: 100_000_000 }, period, [use('b', day(2))], day(5)).events).toEqual([]);
  });

  it('takes values up to what a line can charge for', () => {
    const period = periodOf([volume]);
    const half = `5${'0'.repeat(14)}`;
    const state = open(period, use('a', day(2), { value: half }));
    expect(codes(state, period, [use('b', day(2), { value: half })], day(5))).toEqual(['accepted']);
    expect(codes(state, period, [use('b', day(2), { value: `${half}.000000000001` })], day(5))).toEqual([
      'usage-out-of-range',
    ]);
  });

  it('takes records up to what a line can charge for, and what is below zero in a segment frees no room in another', () => {
    const counted = periodOf([calls]);
    const state = open(counted, use('a', day(2)), use('b', day(2)));
    const price = (unitPrice: string) => ({ calls: { model: 'per-unit', unitPrice } }) as const;
    const third = (unitPrice: string) =>
      recordUsage(state, { records: [use('c', day(3))], period: counted, prices: price(unitPrice) }, nothing, day(5));
    const most = `1${'0'.repeat(15)}`;
    expect(third('333333333333333').answers[0]?.result).toBe('accepted');
    expect(third('333333333333334').answers).toEqual([{ id: 'c', result: 'refused', code: 'usage-out-of-range' }]);
    const halves = periodOf([volume], {
      segments: [
        [day(1), 'volume'],
        [day(10), 'volume'],
      ],
    });
    const full = open(halves, use('a', day(2), { value: '-1' }));
    const then = after(full, record(full, halves, [use('b', day(12), { value: most })], day(15)).events);
    expect(codes(then, halves, [use('c', day(12), { value: '0.5' })], day(15))).toEqual(['usage-out-of-range']);
    expect(codes(then, halves, [use('c', day(12), { value: '0' })], day(15))).toEqual(['accepted']);
  });

  it('refuses all that a meter would count beyond it, and nothing else', () => {
    const called: NewMeter = { key: 'called', event: 'call', aggregation: 'count' };
    const both = periodOf([calls, volume, called]);
    const most = `1${'0'.repeat(15)}`;
    const state = open(both, use('a', day(2), { value: most }));
    const call = { ...use('c', day(2)), event: 'call' };
    expect(
      codes(state, both, [use('b', day(2), { value: '1' }), call, use('d', day(2), { value: '0' })], day(5)),
    ).toEqual(['usage-out-of-range', 'accepted', 'usage-out-of-range']);
    expect(codes(state, both, [call, use('d', day(2), { value: '0' })], day(5))).toEqual(['accepted', 'accepted']);
  });
});

describe('the last time of usage', () => {
  const period = periodOf([calls]);
  const lastAt = (state: Usage) => (state as KnownUsage).lastAt;
  const late = (state: Usage, now: string) =>
    after(state, countLateUsage(state, { home: 0, records: [use('late', day(1))], period }, nothing, now));

  it('is the latest own time of a record, in whatever order they come', () => {
    const state = open(period, use('a', day(4)), use('b', day(2)));
    expect(lastAt(state)).toBe(day(4));
    expect(lastAt(after(state, record(state, period, [use('c', day(3))], day(5)).events))).toBe(day(4));
    expect(lastAt(after(state, record(state, period, [use('c', day(5))], day(5)).events))).toBe(day(5));
  });

  it('is of what came late the time of its counting', () => {
    expect(lastAt(late(none, day(9)))).toBe(day(9));
    const state = open(period, use('a', day(4)));
    expect(lastAt(late(state, day(9)))).toBe(day(9));
    expect(lastAt(late(state, day(3)))).toBe(day(4));
  });
});

describe('what the stream of usage remembers', () => {
  it('is the id of each record, and the values that unique counts count', () => {
    const records = [
      use('a', day(2), { properties: { user: 'anna' } }),
      use('b', day(3)),
      { ...use('a', day(4)), event: 'x' },
    ];
    expect(recordTokens(records)).toEqual(['record a', 'late a', 'record b', 'late b']);
    const { meters } = periodOf([calls, users]);
    expect(valueTokens(records, meters)).toEqual(['value ["users","anna"]']);
    expect(valueTokens([{ ...records[0]!, event: 'x' }], meters)).toEqual([]);
  });

  it('of what is counted, what is noted and what is late', () => {
    const anna = use('a', day(2), { properties: { user: 'anna' } });
    const period = periodOf([users]);
    const { events } = record(none, period, [anna, use('b', day(3), { properties: { user: 'anna' } })], day(5));
    expect(events.map((event) => usageType.remembers(event))).toEqual([
      [],
      ['record a', 'record b', 'value ["users","anna"]'],
    ]);
    const [late] = countLateUsage(open(period), { home: 0, records: [anna], period }, nothing, day(5)).slice(-1);
    expect(usageType.remembers(late!)).toEqual(['late a', 'value ["users","anna"]']);
    const noted = record(sealed(period), undefined, [anna], day(32), { ...period, periodNumber: 2 }).events;
    expect(noted.map((event) => usageType.remembers(event))).toEqual([['record a']]);
  });

  it('is no part of its snapshot, which is the same again', () => {
    const state = open(periodOf([calls]), use('a', day(2)));
    const { toJSON, fromJSON } = usageType.snapshot;
    expect(fromJSON(JSON.parse(JSON.stringify(toJSON(state))))).toEqual(state);
  });

  it('throws at an event that it does not know, or that comes before the first', () => {
    const state = open(periodOf([calls]), use('a', day(2)));
    const eaten = { type: 'UsageEaten', data: {} } as unknown as UsageEvent;
    expect(() => evolveUsage(state, eaten)).toThrow('unknown event UsageEaten');
    expect(() => evolveUsage(none, eaten)).toThrow('UsageEaten before UsageOpened');
  });
});
