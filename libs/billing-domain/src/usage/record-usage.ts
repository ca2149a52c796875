import { addMilliseconds, instant } from '../calendar';
import { DomainError, type DomainErrorCode } from '../domain-error';
import { formatTrillionths, parseDecimal } from '../decimal';
import { sameJson } from '../json';
import { toTrillionths, type Price } from '../price/price';
import { withinLimits } from '../subscription/terms';
import { encodedBytes, text } from '../text';
import type { Measured, MeterInUse, UsageEvent, UsageOpened, UsageRecorded, UsageSegment } from './events';
import { segmentAt } from './first-records';
import { propertyOf, valueOf } from './meter';
import { readersOf, tally } from './tally';
import { evolveUsage, lateToken, recordToken, valueToken, type KnownUsage, type Usage } from './usage';
import type { UsageRecord } from './usage-record';

/** How far the clock of who reports usage may be ahead. */
export const CLOCK_TOLERANCE_MS = 300_000;
/** Records that one period takes. */
const MAX_RECORDS = 100_000_000;
const MAX_RECORD_BYTES = 4_000;
const MAX_QUANTITY = 10n ** 15n * 10n ** 12n;

/** A period of a subscription as its usage needs it. */
export interface UsagePeriod {
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly startsAt: string;
  /** Where it ends, or ended. */
  readonly endsAt: string;
  readonly whole: { readonly from: string; readonly to: string };
  readonly meters: readonly MeterInUse[];
  readonly segments: readonly UsageSegment[];
  /** Revision of the subscription that says so. */
  readonly knownAt: number;
}

/** What became of a record. */
export type RecordAnswer =
  | { readonly id: string; readonly result: 'accepted' | 'duplicate'; readonly periodNumber: number }
  | { readonly id: string; readonly result: 'late-accepted'; readonly periodNumber: number; readonly countsIn: number }
  | { readonly id: string; readonly result: 'refused'; readonly code: DomainErrorCode };

export interface RecordUsage {
  readonly records: readonly UsageRecord[];
  /** The period that holds their time; absent when the subscription keeps only its usage. */
  readonly period?: UsagePeriod | undefined;
  /** By meter: no more is counted than these can charge for. */
  readonly prices: Readonly<Record<string, Price>>;
  /** The open period, which takes what comes late; absent when none is open. */
  readonly open?: UsagePeriod | undefined;
}

/** What a usage stream remembers. */
export interface UsageMemory {
  /** Of `recordTokens`: the event that holds each record that is known. */
  readonly records: ReadonlyMap<string, UsageEvent>;
  /** Of `valueTokens`: values that unique counts have counted. */
  readonly values: ReadonlySet<string>;
}

/** The ids of records, as their stream is asked for them before it is decided on them. */
export function recordTokens(records: readonly UsageRecord[]): string[] {
  return [...new Set(records.flatMap(({ id }) => [recordToken(id), lateToken(id)]))];
}

/** The values that unique counts would count of records. */
export function valueTokens(records: readonly UsageRecord[], meters: readonly MeterInUse[]): string[] {
  const unique = meters.filter(({ meter }) => meter.aggregation === 'unique-count');
  const values = unique.flatMap(({ meter }) =>
    records.flatMap((record) => {
      const value = propertyOf(record, meter.uniqueProperty ?? '');
      return value === undefined || record.event !== meter.event ? [] : [valueToken(meter.key, value)];
    }),
  );
  return [...new Set(values)];
}

/** A record in canonical form. Raises `invalid-text`, `invalid-instant`, `invalid-decimal`, `invalid-usage-record`. */
export function usageRecord(input: {
  readonly id: string;
  readonly event: string;
  readonly at: string;
  readonly value?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}): UsageRecord {
  const { value, properties } = input;
  const record: UsageRecord = {
    id: text('id', input.id, 100),
    event: text('event', input.event, 100),
    at: instant(input.at),
    ...(value !== undefined && { value: formatTrillionths(toTrillionths(parseDecimal(value))) }),
    ...(properties !== undefined && Object.keys(properties).length > 0 && { properties }),
  };
  if (encodedBytes(record) > MAX_RECORD_BYTES) throw new DomainError('invalid-usage-record');
  return record;
}

/**
 * Records usage in the period that holds its time, each record id once for ever: a repeat changes nothing, other content is
 * refused. What comes after the seal is noted here and counts in the open period, or is refused, as its meters say. Raises `usage-terms-differ` when the period's segments are others here.
 */
export function recordUsage(
  state: Usage,
  input: RecordUsage,
  memory: UsageMemory,
  now: string,
): { readonly events: readonly UsageEvent[]; readonly answers: readonly RecordAnswer[] } {
  const opened = state.status === 'none' ? opening(input.period, now) : [];
  const usage = opened.reduce<Usage>(evolveUsage, state);
  if (usage.status === 'none') {
    return { events: [], answers: input.records.map(({ id }) => refused(id, 'usage-period-not-found')) };
  }
  if (usage.status === 'open' && input.period) sameTerms(usage, input.period);
  const { fresh, answers, repeats } = withoutKnown(usage, input.records, memory.records);
  const latest = addMilliseconds(now, CLOCK_TOLERANCE_MS);
  const dated = fresh.filter((record) => {
    if (record.at > latest) answers.set(record, refused(record.id, 'usage-record-in-future'));
    return record.at <= latest;
  });
  const events =
    usage.status === 'sealed'
      ? noted(usage, dated, input.open, answers, now)
      : counted(usage, dated, input.prices, memory, answers, now);
  for (const [record, first] of repeats) {
    const answer = answers.get(first);
    const { id } = record;
    const { periodNumber } = usage;
    answers.set(record, answer?.result === 'refused' ? answer : { id, result: 'duplicate', periodNumber });
  }
  return {
    events: events.length > 0 ? [...opened, ...events] : [],
    answers: input.records.map((record) => answers.get(record) ?? refused(record.id, 'usage-record-exists')),
  };
}

/**
 * Counts records that came late in this period, on the terms that hold at this moment; those that stand here already are left
 * out. Raises `usage-sealed`, `usage-period-not-found`, `usage-terms-differ`.
 */
export function countLateUsage(
  state: Usage,
  input: { readonly home: number; readonly records: readonly UsageRecord[]; readonly period?: UsagePeriod | undefined },
  memory: UsageMemory,
  now: string,
): UsageEvent[] {
  const opened = state.status === 'none' ? opening(input.period, now) : [];
  const usage = opened.reduce<Usage>(evolveUsage, state);
  if (usage.status === 'none') throw new DomainError('usage-period-not-found');
  if (usage.status === 'sealed') throw new DomainError('usage-sealed', undefined, { periodNumber: usage.periodNumber });
  if (input.period) sameTerms(usage, input.period);
  const segment = segmentAt(usage.segments, now);
  const records = input.records.filter((record) => !isHeld(record, memory.records));
  const places = records.map((record) => ({ record, segment, readers: lateReaders(usage, segment, record) }));
  if (records.length === 0) return [];
  const data = { effectiveAt: now, home: input.home, records, ...measured(usage, places, memory, now) };
  return [...opened, { type: 'LateUsageCounted', data }];
}

/** The usage of a period begins. Nothing where the subscription knows no such period, or measures nothing in it. */
export function opening(period: UsagePeriod | undefined, now: string): UsageOpened[] {
  if (!period || period.meters.length === 0) return [];
  return [{ type: 'UsageOpened', data: { effectiveAt: now, ...period } }];
}

/** Raises `usage-terms-differ`. */
export function sameTerms(usage: KnownUsage, period: UsagePeriod): void {
  if (!hasTerms(usage, period))
    throw new DomainError('usage-terms-differ', undefined, { periodNumber: usage.periodNumber });
}

/** Whether the usage has the segments and meters of the period. */
export function hasTerms(usage: KnownUsage, { segments, meters, endsAt }: UsagePeriod): boolean {
  return (
    sameJson(usage.segments, segments) &&
    usage.endsAt === endsAt &&
    meters.every((each) => {
      const known = usage.meters[each.meter.key];
      return known !== undefined && sameJson(known, each);
    })
  );
}

/** Records that the stream does not hold, each once; what is held already is answered. `repeats`: of which record of the batch. */
function withoutKnown(
  { periodNumber }: KnownUsage,
  records: readonly UsageRecord[],
  recalled: ReadonlyMap<string, UsageEvent>,
) {
  const answers = new Map<UsageRecord, RecordAnswer>();
  const first = new Map<string, UsageRecord>();
  const repeats = new Map<UsageRecord, UsageRecord>();
  const fresh: UsageRecord[] = [];
  for (const record of records) {
    const { id } = record;
    const before = first.get(id);
    const known = heldBy(recalled.get(recordToken(id)), id) ?? before;
    if (before && sameJson(before, record)) repeats.set(record, before);
    else if (known) {
      answers.set(
        record,
        sameJson(known, record) ? { id, result: 'duplicate', periodNumber } : refused(id, 'usage-record-exists'),
      );
    } else if (isHeld(record, recalled)) {
      answers.set(record, { id, result: 'duplicate', periodNumber });
    } else {
      first.set(id, record);
      fresh.push(record);
    }
  }
  return { fresh, answers, repeats };
}

function counted(
  usage: KnownUsage,
  records: readonly UsageRecord[],
  prices: RecordUsage['prices'],
  memory: UsageMemory,
  answers: Map<UsageRecord, RecordAnswer>,
  now: string,
): UsageEvent[] {
  let places = records.flatMap((record) => {
    const segment = segmentAt(usage.segments, record.at);
    const readers = readersOf(usage.meters, usage.segments[segment]?.meters ?? [], record);
    const known = usage.segments[segment]?.meters.some((key) => usage.meters[key]?.meter.event === record.event);
    const code = !known ? 'meter-not-found' : readers.some((each) => !measures(each, record)) && 'invalid-usage-value';
    if (code) answers.set(record, refused(record.id, code));
    return code ? [] : [{ record, segment, readers }];
  });
  if (usage.records + places.length > MAX_RECORDS) {
    for (const { record } of places) answers.set(record, refused(record.id, 'usage-out-of-range'));
    return [];
  }
  for (;;) {
    if (places.length === 0) return [];
    const result = measured(usage, places, memory, undefined);
    const beyond = beyondLimits(usage, result, prices);
    if (beyond.size === 0) {
      for (const { record } of places) {
        answers.set(record, { id: record.id, result: 'accepted', periodNumber: usage.periodNumber });
      }
      const recorded: UsageRecorded = {
        type: 'UsageRecorded',
        data: { effectiveAt: now, records: places.map(({ record }) => record), ...result },
      };
      return [recorded];
    }
    places = places.filter(({ record, readers }) => {
      const over = readers.some(({ meter }) => beyond.has(meter.key));
      if (over) answers.set(record, refused(record.id, 'usage-out-of-range'));
      return !over;
    });
  }
}

/** What came after the seal, and counts in the open period if a meter there takes it. */
function noted(
  { subscriptionId, periodNumber }: KnownUsage,
  records: readonly UsageRecord[],
  open: UsagePeriod | undefined,
  answers: Map<UsageRecord, RecordAnswer>,
  now: string,
): UsageEvent[] {
  const taken = records.filter((record) => {
    const { id } = record;
    const keys = open?.segments[segmentAt(open.segments, now)]?.meters ?? [];
    const meters = Object.fromEntries((open?.meters ?? []).map((each) => [each.meter.key, each]));
    const readers = readersOf(meters, keys, record);
    const code = !open
      ? 'no-open-period'
      : readers.length === 0
        ? 'meter-not-found'
        : readers.every(({ meter }) => meter.late === 'refuse')
          ? 'usage-record-late'
          : readers.some((each) => !measures(each, record)) && 'invalid-usage-value';
    const answer: RecordAnswer =
      code || !open
        ? refused(id, code || 'no-open-period')
        : { id, result: 'late-accepted', periodNumber, countsIn: open.periodNumber };
    answers.set(record, answer);
    return !code;
  });
  if (taken.length === 0 || !open) return [];
  const data = { effectiveAt: now, subscriptionId, periodNumber, countsIn: open.periodNumber, records: taken };
  return [{ type: 'LateUsageNoted', data }];
}

interface Placed {
  readonly record: UsageRecord;
  readonly segment: number;
  readonly readers: readonly MeterInUse[];
}

/** `cameAt`: when they came, where that was too late for their own period. */
function measured(
  usage: KnownUsage,
  places: readonly Placed[],
  { values }: UsageMemory,
  cameAt: string | undefined,
): Measured {
  const sums = tally(usage, usage);
  const seen = new Set<string>();
  const unique = new Map<string, { meter: string; property: string; records: number[] }>();
  places.forEach(({ record, segment, readers }, place) => {
    for (const each of readers) {
      const { key, uniqueProperty: property } = each.meter;
      const token = property === undefined ? undefined : valueToken(key, propertyOf(record, property) ?? '');
      const isNew = token !== undefined && !values.has(token) && !seen.has(token);
      if (isNew && property !== undefined) {
        seen.add(token);
        const news = unique.get(key) ?? { meter: key, property, records: [] };
        unique.set(key, news);
        news.records.push(place);
      }
      sums.add(record, each, segment, cameAt, isNew);
    }
  });
  return {
    partials: sums.partials(),
    totals: sums.totals(),
    ...(unique.size > 0 && { unique: [...unique.values()] }),
  };
}

/** Meters whose quantity or amount would be more than a line can say. */
function beyondLimits(usage: KnownUsage, result: Measured, prices: RecordUsage['prices']): Set<string> {
  const beyond = new Set<string>();
  const touched = new Set(result.partials.map(({ meter }) => meter));
  for (const key of touched) {
    let [total, count] = [0n, 0];
    usage.segments.forEach((_, segment) => {
      const now = result.partials.find((each) => each.meter === key && each.segment === segment);
      const { records = 0, sum, max } = now ?? usage.partials[segment]?.[key] ?? {};
      count += records;
      const largest = toTrillionths(parseDecimal(sum ?? max ?? '0'));
      total += largest < 0n ? 0n : largest;
    });
    try {
      if (total > MAX_QUANTITY) throw new DomainError('amount-out-of-range');
      const price = prices[key];
      const quantity = total > 0n ? formatTrillionths(total) : count.toString();
      if (price) withinLimits({ price }, quantity);
    } catch {
      beyond.add(key);
    }
  }
  return beyond;
}

function lateReaders(usage: KnownUsage, segment: number, record: UsageRecord): MeterInUse[] {
  const readers = readersOf(usage.meters, usage.segments[segment]?.meters ?? [], record);
  return readers.filter((each) => each.meter.late !== 'refuse' && measures(each, record));
}

/** Whether the record has what the meter measures. */
export function measures({ meter }: MeterInUse, record: UsageRecord): boolean {
  if (meter.aggregation === 'count') return true;
  if (meter.uniqueProperty !== undefined) return propertyOf(record, meter.uniqueProperty) !== undefined;
  return valueOf(meter, record) !== undefined;
}

/** Whether the stream holds the very same record, as its own or as one that came late. */
function isHeld(record: UsageRecord, recalled: ReadonlyMap<string, UsageEvent>): boolean {
  return [recordToken(record.id), lateToken(record.id)].some((token) => {
    const known = heldBy(recalled.get(token), record.id);
    return known !== undefined && sameJson(known, record);
  });
}

function heldBy(event: UsageEvent | undefined, id: string): UsageRecord | undefined {
  return event && 'records' in event.data ? event.data.records.find((each) => each.id === id) : undefined;
}

const refused = (id: string, code: DomainErrorCode): RecordAnswer => ({ id, result: 'refused', code });
