import type { UsageEvent } from './events';
import type { NewMeter } from './meter';
import { recordUsage, type UsagePeriod } from './record-usage';
import { cutMovesNothing, cutUsage, recount } from './seal-usage';
import { evolveUsage, usageType, type KnownUsage, type Usage } from './usage';
import { day, periodOf } from './usage.fixture';
import type { UsageRecord } from './usage-record';

const calls: NewMeter = { key: 'calls', event: 'use', aggregation: 'count' };
const volume: NewMeter = { key: 'volume', event: 'use', aggregation: 'sum' };
const storage: NewMeter = { key: 'storage', event: 'use', aggregation: 'weighted-sum' };
const users: NewMeter = { key: 'users', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' };
const use = (id: string, at: string, more: Partial<UsageRecord> = {}): UsageRecord => ({
  id,
  event: 'use',
  at,
  ...more,
});
const nothing = { records: new Map<string, UsageEvent>(), values: new Set<string>() };
const eventsOf = (period: UsagePeriod, ...records: UsageRecord[]) => [
  ...recordUsage(usageType.initial, { records, period, prices: {} }, nothing, day(20)).events,
];
const open = (period: UsagePeriod, ...records: UsageRecord[]) =>
  eventsOf(period, ...records).reduce<Usage>(evolveUsage, usageType.initial) as KnownUsage;
const cutAt = (from: string, ...meters: NewMeter[]) => {
  const keys = meters.map(({ key }) => key);
  return periodOf(meters, {
    segments: [
      [day(1), ...keys],
      [from, ...keys],
    ],
  });
};

describe('a cut moves nothing', () => {
  const usage = open(periodOf([calls]), use('a', day(5)), use('b', day(9)));

  it('after the last record, and moves what lies at it or after it', () => {
    expect(cutMovesNothing(usage, periodOf([calls]))).toBe(true);
    expect(cutMovesNothing(usage, cutAt(day(9, 1), calls))).toBe(true);
    expect(cutMovesNothing(usage, cutAt(day(9), calls))).toBe(false);
    expect(cutMovesNothing(usage, cutAt(day(3), calls))).toBe(false);
  });

  it('where nothing is recorded', () => {
    expect(cutMovesNothing({ ...usage, records: 0 }, cutAt(day(3), calls))).toBe(true);
    expect(cutMovesNothing({ ...usage, lastAt: null }, cutAt(day(3), calls))).toBe(true);
  });

  it('unless more first records are asked for than are kept, or unique values are to be counted', () => {
    const kept = open(periodOf([calls, volume], { first: 3 }), use('a', day(5), { value: '1' }));
    const asking = (first?: number) => periodOf([calls, volume], first === undefined ? {} : { first });
    expect([asking(), asking(2), asking(3), asking(4)].map((period) => cutMovesNothing(kept, period))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    const one = { ...asking(3), meters: [...asking(4).meters.slice(0, 1), ...asking(3).meters.slice(1)] };
    expect(cutMovesNothing(kept, one)).toBe(false);
    const other = { ...asking(3), meters: [...asking(3).meters, ...periodOf([storage], { first: 9 }).meters] };
    expect(cutMovesNothing(kept, other)).toBe(true);
    expect(cutMovesNothing({ ...usage, unique: 'to-count' }, periodOf([calls]))).toBe(false);
    expect(cutMovesNothing({ ...usage, unique: 'counted' }, periodOf([calls]))).toBe(true);
  });
});

describe('records that are counted anew', () => {
  const counted = (period: UsagePeriod, ...events: UsageEvent[]) => {
    const sums = recount(period);
    for (const event of events) sums.add(event);
    return sums.measured();
  };
  const late = (records: UsageRecord[], effectiveAt: string): UsageEvent => ({
    type: 'LateUsageCounted',
    data: { effectiveAt, home: 0, records, partials: [], totals: [] },
  });

  it('are those of the stream, each where its time lies now', () => {
    const events = eventsOf(periodOf([volume]), use('a', day(5), { value: '1' }), use('b', day(9), { value: '2' }));
    expect(events.map(({ type }) => type)).toEqual(['UsageOpened', 'UsageRecorded']);
    expect(counted(cutAt(day(9), volume), ...events)).toEqual({
      partials: [
        { segment: 0, meter: 'volume', records: 1, sum: '1' },
        { segment: 1, meter: 'volume', records: 1, sum: '2' },
      ],
      totals: [],
    });
    expect(counted(periodOf([volume]))).toEqual({ partials: [], totals: [] });
  });

  it('count late ones at the time of their counting, from the start of the period, but for meters that refuse them', () => {
    const period = cutAt(day(9), calls, { ...volume, late: 'refuse' }, storage);
    expect(counted(period, late([use('a', day(2), { value: '3' })], day(12))).partials).toEqual([
      { segment: 1, meter: 'calls', records: 1 },
      { segment: 1, meter: 'storage', records: 1, sum: '3', moment: '0' },
    ]);
    const own = eventsOf(periodOf([calls, volume, storage]), use('a', day(2), { value: '3' }));
    expect(counted(period, ...own).partials).toEqual([
      { segment: 0, meter: 'calls', records: 1 },
      { segment: 0, meter: 'volume', records: 1, sum: '3' },
      { segment: 0, meter: 'storage', records: 1, sum: '3', moment: `${3n * 10n ** 12n * 86_400_000n}` },
    ]);
  });

  it('leave out what a meter cannot measure, and what is only noted', () => {
    const events = eventsOf(periodOf([calls]), use('a', day(2)), use('b', day(3), { value: '3' }));
    expect(counted(periodOf([calls, volume]), ...events).partials).toEqual([
      { segment: 0, meter: 'calls', records: 2 },
      { segment: 0, meter: 'volume', records: 1, sum: '3' },
    ]);
    const noted: UsageEvent = {
      type: 'LateUsageNoted',
      data: { effectiveAt: day(32), subscriptionId: 's-1', periodNumber: 1, countsIn: 2, records: [use('a', day(2))] },
    };
    expect(counted(periodOf([calls]), noted)).toEqual({ partials: [], totals: [] });
  });

  it('count each unique value once, and say on the cut that they are counted', () => {
    const by = (id: string, user: string) => use(id, day(5), { properties: { user } });
    const events = eventsOf(periodOf([calls]), by('a', 'anna'), by('b', 'anna'), by('c', 'ben'));
    const sums = counted(periodOf([calls, users]), ...events, late([by('d', 'ben')], day(12)));
    expect(sums).toEqual({
      partials: [
        { segment: 0, meter: 'calls', records: 4 },
        { segment: 0, meter: 'users', records: 4 },
      ],
      totals: [{ meter: 'users', distinct: 2 }],
    });
    const usage = open(periodOf([calls]), by('a', 'anna'));
    const cut = (period: UsagePeriod, anew: typeof sums | undefined) =>
      cutUsage(usage, { ...period, knownAt: 2 }, anew, day(13))[0];
    expect(cut(periodOf([calls, users]), sums)?.data).toMatchObject({ recounted: true, ...sums });
    expect(cut(periodOf([calls, users]), undefined)?.data).not.toHaveProperty('recounted');
    expect(cut(periodOf([calls]), counted(periodOf([calls])))?.data).toMatchObject({ partials: [], totals: [] });
    expect((cut(periodOf([calls]), sums)?.data as { recounted?: true }).recounted).not.toBe(true);
  });
});
