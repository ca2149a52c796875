import { millisecondsBetween } from '../calendar';
import { toTrillionths } from '../price/price';
import { formatTrillionths, parseDecimal } from '../decimal';
import type { MeterInUse, MeterTotal, Partial, TimedValue, UsageSegment } from './events';
import { FirstRecords, isBefore } from './first-records';
import { reads, valueOf } from './meter';
import type { UsageRecord } from './usage-record';

/** What is measured so far: for each segment the partials of its meters, and what meters come to in the whole period. */
export interface Tallied {
  readonly partials: readonly Readonly<Record<string, Partial>>[];
  readonly totals: Readonly<Record<string, MeterTotal>>;
}

/** A sum that is being made: 10^-12, in place, as there may be millions of records. */
interface Running {
  records: number;
  sum?: bigint;
  moment?: bigint;
  max?: bigint;
}

/** Adds records, in any order, to what is measured so far. */
export interface Tally {
  /**
   * A record in a segment. `cameAt`: when it came, if that was too late for its own period: then it weighs from this period's start,
   * and is free or not in the order of that moment. `isNew`: of its value of a unique count.
   */
  add(record: UsageRecord, meter: MeterInUse, segment: number, cameAt: string | undefined, isNew: boolean): void;
  /** What was touched, as it is now. */
  partials(): (Partial & { readonly segment: number; readonly meter: string })[];
  totals(): (MeterTotal & { readonly meter: string })[];
}

export function tally(
  { partials, totals }: Tallied,
  { startsAt, segments }: { readonly startsAt: string; readonly segments: readonly UsageSegment[] },
): Tally {
  const sums = new Map<string, Running & { readonly segment: number; readonly meter: string }>();
  const whole = new Map<string, { distinct?: number; latest?: TimedValue; first?: FirstRecords }>();
  return {
    add(record, { meter, first }, segment, cameAt, isNew) {
      const name = `${segment} ${meter.key}`;
      let running = sums.get(name);
      if (!running)
        sums.set(name, (running = { segment, meter: meter.key, ...resumed(partials[segment]?.[meter.key]) }));
      running.records += 1;
      const value = valueOf(meter, record) ?? 0n;
      switch (meter.aggregation) {
        case 'sum':
          running.sum = (running.sum ?? 0n) + value;
          break;
        case 'weighted-sum':
          running.sum = (running.sum ?? 0n) + value;
          running.moment ??= 0n;
          if (cameAt === undefined) running.moment += value * BigInt(millisecondsBetween(startsAt, record.at));
          break;
        case 'max':
          if (running.max === undefined || value > running.max) running.max = value;
          break;
        case 'count':
        case 'latest':
        case 'unique-count':
          break;
      }
      const keepsFirst = first !== undefined && first > 0;
      if (meter.aggregation !== 'latest' && meter.aggregation !== 'unique-count' && !keepsFirst) return;
      let total = whole.get(meter.key);
      if (!total) {
        const { first: kept, ...before } = totals[meter.key] ?? {};
        whole.set(
          meter.key,
          (total = { ...before, ...(kept && { first: new FirstRecords(kept, segments, meter.key) }) }),
        );
      }
      if (meter.aggregation === 'unique-count' && isNew) total.distinct = (total.distinct ?? 0) + 1;
      const timed = { at: record.at, id: record.id, value: formatTrillionths(value) };
      if (meter.aggregation === 'latest' && (!total.latest || isBefore(total.latest, timed))) total.latest = timed;
      // In the order in which they count: an earlier time of its own takes nothing from those that were free before it came.
      const counted = { ...timed, at: cameAt ?? record.at };
      if (keepsFirst) (total.first ??= new FirstRecords([], segments, meter.key)).add(counted, first);
    },
    partials: () =>
      [...sums.values()].map(({ segment, meter, records, sum, moment, max }) => ({
        segment,
        meter,
        records,
        ...(sum !== undefined && { sum: formatTrillionths(sum) }),
        ...(moment !== undefined && { moment: moment.toString() }),
        ...(max !== undefined && { max: formatTrillionths(max) }),
      })),
    totals: () =>
      [...whole].map(([meter, { first, ...total }]) => ({ meter, ...total, ...(first && { first: first.all() }) })),
  };
}

/** What a batch made of what was measured before. */
export function withMeasured<T extends Tallied>(
  before: T,
  partials: ReturnType<Tally['partials']>,
  totals: ReturnType<Tally['totals']>,
): T {
  const segments = before.partials.map((segment) => ({ ...segment }));
  for (const { segment, meter, ...partial } of partials) (segments[segment] ??= {})[meter] = partial;
  const whole = { ...before.totals };
  for (const { meter, ...total } of totals) whole[meter] = total;
  return { ...before, partials: segments, totals: whole };
}

/** The meters of a segment that read a record. */
export function readersOf(
  meters: Readonly<Record<string, MeterInUse>>,
  keys: readonly string[],
  record: UsageRecord,
): MeterInUse[] {
  return keys.flatMap((key) => {
    const each = Object.hasOwn(meters, key) ? meters[key] : undefined;
    return each && reads(each.meter, record) ? [each] : [];
  });
}

function resumed({ records, sum, moment, max }: Partial = { records: 0 }): Running {
  const number = (text: string) => toTrillionths(parseDecimal(text));
  return {
    records,
    ...(sum !== undefined && { sum: number(sum) }),
    ...(moment !== undefined && { moment: BigInt(moment) }),
    ...(max !== undefined && { max: number(max) }),
  };
}
