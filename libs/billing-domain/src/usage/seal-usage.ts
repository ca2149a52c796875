import { millisecondsBetween } from '../calendar';
import { formatTrillionths, parseDecimal } from '../decimal';
import { DomainError } from '../domain-error';
import { toTrillionths } from '../price/price';
import { roundHalfAwayFromZero } from '../ratio';
import { sameJson } from '../json';
import type { Partial, SealedUsage, TimedValue, UsageCut, UsageEvent } from './events';
import { propertyOf, type Meter } from './meter';
import { isBefore, segmentAt } from './first-records';
import { hasTerms, measures, opening, sameTerms, type UsagePeriod } from './record-usage';
import { readersOf, tally } from './tally';
import { evolveUsage, type KnownUsage, type Usage } from './usage';
import type { UsageRecord } from './usage-record';

export type Carried = SealedUsage['carried'];

/**
 * Whether what is counted so far stands: all records lie in the segment that they were counted in, as a cut after the last of them
 * moves none, and no unique count is to be counted again.
 */
export function cutMovesNothing(usage: KnownUsage, period: UsagePeriod): boolean {
  if (usage.unique === 'to-count') return false;
  if (usage.records === 0) return true;
  const { lastAt } = usage;
  if (lastAt === null) return true;
  const upTo = (segments: UsagePeriod['segments']) => segments.filter(({ from }) => from <= lastAt);
  const first = period.meters.every(({ meter, first: most = 0 }) => most <= (usage.meters[meter.key]?.first ?? most));
  return first && sameJson(upTo(usage.segments), upTo(period.segments));
}

/**
 * The records of a usage stream counted anew under other segments, event by event in the order of the stream: give it every event
 * up to the one that the cut follows.
 */
export function recount(period: UsagePeriod) {
  const meters = Object.fromEntries(period.meters.map((each) => [each.meter.key, each]));
  const sums = tally({ partials: [], totals: {} }, period);
  const values = new Map<string, Set<string>>();
  const isNew = ({ key, uniqueProperty }: Meter, record: UsageRecord): boolean => {
    if (uniqueProperty === undefined) return false;
    const value = propertyOf(record, uniqueProperty) ?? '';
    const seen = values.get(key) ?? new Set();
    values.set(key, seen);
    if (seen.has(value)) return false;
    seen.add(value);
    return true;
  };
  return {
    add(event: UsageEvent): void {
      if (event.type !== 'UsageRecorded' && event.type !== 'LateUsageCounted') return;
      const { records, effectiveAt } = event.data;
      const late = event.type === 'LateUsageCounted';
      for (const record of records) {
        const segment = segmentAt(period.segments, late ? effectiveAt : record.at);
        for (const each of readersOf(meters, period.segments[segment]?.meters ?? [], record)) {
          if (!measures(each, record) || (late && each.meter.late === 'refuse')) continue;
          sums.add(record, each, segment, late ? effectiveAt : undefined, isNew(each.meter, record));
        }
      }
    },
    measured: () => ({ partials: sums.partials(), totals: sums.totals() }),
  };
}

/** Whether the period is to be cut: as an earlier version knew segments, those of the same revision can be others. */
export function isToCut(usage: KnownUsage, period: UsagePeriod): boolean {
  if (period.knownAt !== usage.knownAt) return period.knownAt > usage.knownAt;
  return usage.unique === 'to-count' || !hasTerms(usage, period);
}

/**
 * Cuts the period where the subscription's terms change. `counted`: the records counted anew, when the cut moves any. Nothing when
 * the segments are so already and every unique count stands, or they are known from a later revision. Raises `usage-sealed`, `usage-period-not-found`.
 */
export function cutUsage(
  state: Usage,
  period: UsagePeriod,
  counted: Pick<UsageCut['data'], 'partials' | 'totals'> | undefined,
  now: string,
): UsageEvent[] {
  if (state.status === 'none') throw new DomainError('usage-period-not-found');
  if (state.status === 'sealed') throw new DomainError('usage-sealed', undefined, { periodNumber: state.periodNumber });
  if (!isToCut(state, period)) return [];
  const { endsAt, meters, segments, knownAt } = period;
  const { partials, totals } = counted ?? asTheyAre(state);
  const recounted = counted && meters.some(({ meter }) => meter.aggregation === 'unique-count');
  const data = { effectiveAt: now, endsAt, meters, segments, knownAt, partials, totals };
  return [{ type: 'UsageCut', data: { ...data, ...(recounted && { recounted }) } }];
}

function asTheyAre({ partials, totals }: KnownUsage): Pick<UsageCut['data'], 'partials' | 'totals'> {
  return {
    partials: partials.flatMap((segment, i) =>
      Object.entries(segment).map(([meter, partial]) => ({ segment: i, meter, ...partial })),
    ),
    totals: Object.entries(totals).map(([meter, total]) => ({ meter, ...total })),
  };
}

/**
 * Freezes the totals of a period that has ended; nothing when they are. `carried`: what the period before gives on. Raises
 * `period-not-elapsed`, `usage-terms-differ` when a cut that the subscription knows is not there or a unique count is to be counted
 * again, `usage-period-not-found`.
 */
export function sealUsage(state: Usage, period: UsagePeriod, carried: Carried, now: string): UsageEvent[] {
  if (state.status === 'sealed') return [];
  if (now < period.endsAt)
    throw new DomainError('period-not-elapsed', undefined, { periodNumber: period.periodNumber });
  const opened = state.status === 'none' ? opening(period, now) : [];
  const usage = opened.reduce<Usage>(evolveUsage, state);
  if (usage.status === 'none') throw new DomainError('usage-period-not-found');
  sameTerms(usage, period);
  if (usage.unique === 'to-count')
    throw new DomainError('usage-terms-differ', undefined, { periodNumber: usage.periodNumber });
  return [...opened, { type: 'UsageSealed', data: { effectiveAt: now, ...sealedUsage(usage, carried) } }];
}

/** The totals as a seal at this moment would freeze them. `carried`: what the period before gives on. */
export function sealedUsage(usage: KnownUsage, carried: Carried): SealedUsage {
  const { subscriptionId, periodNumber, startsAt, endsAt, segments } = usage;
  const level = new Map<string, bigint>();
  const latest = new Map<string, TimedValue>();
  for (const { meter, ...timed } of carried) {
    if (usage.meters[meter]?.meter.carry !== true) continue;
    level.set(meter, trillionths(timed.value));
    latest.set(meter, timed);
  }
  for (const [meter, { latest: own }] of Object.entries(usage.totals)) {
    const before = latest.get(meter);
    if (own && (!before || isBefore(before, own))) latest.set(meter, own);
  }
  const rated = segments.map(({ from, meters }, i) => ({
    from,
    meters: meters.map((key) => {
      const { records = 0 } = usage.partials[i]?.[key] ?? {};
      const first = firstIn(usage, key, i);
      return {
        meter: key,
        records,
        quantity: formatTrillionths(quantityOf(usage, key, i, level, latest)),
        ...(first && { first }),
      };
    }),
  }));
  const carry = Object.values(usage.meters).filter(({ meter }) => meter.carry);
  return {
    subscriptionId,
    periodNumber,
    startsAt,
    to: endsAt,
    segments: rated,
    carried: carry.flatMap(({ meter: { key, aggregation } }) => {
      if (aggregation === 'latest') {
        const last = latest.get(key);
        return last ? [{ meter: key, ...last }] : [];
      }
      return [{ meter: key, at: endsAt, id: '', value: formatTrillionths(level.get(key) ?? 0n) }];
    }),
  };
}

function quantityOf(
  usage: KnownUsage,
  key: string,
  segment: number,
  level: Map<string, bigint>,
  latest: ReadonlyMap<string, TimedValue>,
): bigint {
  const aggregation = usage.meters[key]?.meter.aggregation;
  const { records = 0, sum = '0', moment = '0' } = usage.partials[segment]?.[key] ?? {};
  const isLast = usage.segments.findLastIndex(({ meters }) => meters.includes(key)) === segment;
  switch (aggregation) {
    case 'count':
      return BigInt(records) * 10n ** 12n;
    case 'sum':
      return trillionths(sum);
    case 'max': {
      const [first, ...rest] = usage.partials
        .flatMap(({ [key]: { max } = {} as Partial }) => max ?? [])
        .map(trillionths);
      return isLast && first !== undefined ? rest.reduce((a, b) => (a > b ? a : b), first) : 0n;
    }
    case 'latest':
      return isLast ? trillionths(latest.get(key)?.value ?? '0') : 0n;
    case 'unique-count':
      return isLast ? BigInt(usage.totals[key]?.distinct ?? 0) * 10n ** 12n : 0n;
    case 'weighted-sum': {
      const [from, to] = [segmentStart(usage, segment), segmentStart(usage, segment + 1)];
      const before = level.get(key) ?? 0n;
      const changes = trillionths(sum);
      level.set(key, before + changes);
      const length = millisecondsBetween(usage.whole.from, usage.whole.to);
      const integral = before * BigInt(to - from) + changes * BigInt(to) - BigInt(moment);
      return roundHalfAwayFromZero({ numerator: integral, denominator: BigInt(Math.max(length, 1)) });
    }
    case undefined:
      return 0n;
  }
}

/** The start of a segment, or where the last one ends, in ms from the period's start. */
function segmentStart({ startsAt, segments, endsAt }: KnownUsage, segment: number): number {
  return millisecondsBetween(startsAt, segments[segment]?.from ?? endsAt);
}

function firstIn(usage: KnownUsage, key: string, segment: number): string[] | undefined {
  const { first } = usage.totals[key] ?? {};
  return first?.filter((each) => segmentAt(usage.segments, each.at) === segment).map(({ value }) => value);
}

const trillionths = (text: string) => toTrillionths(parseDecimal(text));
