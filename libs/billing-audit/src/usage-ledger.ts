import type { LinesBilled, Meter, UsageEvent, UsageRecord, UsageSealed } from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import { type Difference, mismatch } from './difference';

/** Values in 10^-12, as a reader of the stream would note them down; grows with the records of that one period. */
interface Measurements {
  readonly meter: Meter;
  /** When it counts (ms), from when it weighs (ms), and how much. */
  readonly counted: { readonly at: number; readonly weighsFrom: number; readonly value: bigint }[];
  readonly values: Set<string>;
  latest?: { readonly at: string; readonly id: string; readonly value: bigint };
}

/** What the checks of one period's usage must keep in mind. */
export interface UsageLedger {
  readonly stream: string;
  readonly ids: Set<string>;
  readonly meters: Map<string, Measurements>;
  startsAt: string;
  whole: { from: string; to: string };
  sealed: boolean;
}

export function openUsageLedger(stream: string): UsageLedger {
  return { stream, ids: new Set(), meters: new Map(), startsAt: '', whole: { from: '', to: '' }, sealed: false };
}

/**
 * Checks one event of a usage stream against all before it, by rules written here again: an id counts once, nothing counts after the
 * seal, and the sealed totals are what the records come to. What a period takes over from the one before is not computed again.
 */
export function checkUsageEvent(ledger: UsageLedger, { event: any, revision }: StoredEvent): readonly Difference[] {
  const event = any as UsageEvent;
  const found: Difference[] = [];
  const differ = (message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch('usage', ledger.stream, message, expected, actual, revision));
  switch (event.type) {
    case 'UsageOpened':
      ledger.startsAt = event.data.startsAt;
      ledger.whole = event.data.whole;
      know(ledger, event.data.meters);
      break;
    case 'UsageCut':
      know(ledger, event.data.meters);
      break;
    case 'UsageRecorded':
    case 'LateUsageNoted':
      for (const { id } of event.data.records) {
        if (ledger.ids.has(id)) differ('a record stands here twice', 'once', id);
        ledger.ids.add(id);
      }
      if (event.type === 'UsageRecorded') count(ledger, event.data.records, undefined);
      if ((event.type === 'UsageRecorded') === ledger.sealed)
        differ('a record is on the wrong side of the seal', ledger.sealed ? 'late' : 'counted', event.type);
      break;
    case 'LateUsageCounted':
      if (ledger.sealed) differ('late records count after the seal', 'before', event.type);
      count(ledger, event.data.records, event.data.effectiveAt);
      break;
    case 'UsageSealed':
      ledger.sealed = true;
      event.data.segments.forEach(({ from, meters }, i) => {
        const to = event.data.segments[i + 1]?.from ?? event.data.to;
        for (const { meter, quantity } of meters) {
          const last = event.data.segments.findLastIndex((each) => each.meters.some((of) => of.meter === meter)) === i;
          const expected = quantityOf(ledger, meter, [i === 0 ? '' : from, from, to], i, event.data, last);
          if (expected !== undefined && expected !== trillionths(quantity))
            differ(`the sealed quantity of ${meter} is not what the records come to`, expected, trillionths(quantity));
        }
      });
      break;
  }
  return found;
}

function know(ledger: UsageLedger, meters: readonly { readonly meter: Meter }[]): void {
  for (const { meter } of meters) {
    if (!ledger.meters.has(meter.key)) ledger.meters.set(meter.key, { meter, counted: [], values: new Set() });
  }
}

function count(ledger: UsageLedger, records: readonly UsageRecord[], lateAt: string | undefined): void {
  const start = Date.parse(ledger.startsAt);
  for (const record of records) {
    for (const measured of ledger.meters.values()) {
      const { meter } = measured;
      const passes = (meter.filters ?? []).every(({ property, values }) =>
        values.includes(record.properties?.[property] ?? ''),
      );
      if (meter.event !== record.event || !passes || (lateAt !== undefined && meter.late === 'refuse')) continue;
      const own = Date.parse(record.at);
      const text = meter.valueProperty === undefined ? record.value : record.properties?.[meter.valueProperty];
      const value = text === undefined ? 0n : trillionths(text);
      measured.counted.push({
        at: lateAt === undefined ? own : Date.parse(lateAt),
        weighsFrom: lateAt === undefined ? own : start,
        value,
      });
      if (meter.uniqueProperty !== undefined) measured.values.add(record.properties?.[meter.uniqueProperty] ?? '');
      const { latest } = measured;
      if (!latest || latest.at < record.at || (latest.at === record.at && latest.id < record.id))
        measured.latest = { at: record.at, id: record.id, value };
    }
  }
}

/** Of one segment: [from where it takes records, its start, its end]. */
function quantityOf(
  ledger: UsageLedger,
  key: string,
  [takesFrom, from, to]: readonly [string, string, string],
  segment: number,
  sealed: UsageSealed['data'],
  isLast: boolean,
): bigint | undefined {
  const measured = ledger.meters.get(key);
  if (!measured || measured.meter.carry) return undefined;
  const { counted, values, latest } = measured;
  const asked = new Set(
    sealed.segments.flatMap((each, i) => (each.meters.some(({ meter }) => meter === key) ? [i] : [])),
  );
  const next = sealed.segments[segment + 1]?.from;
  const low = takesFrom === '' ? -Infinity : Date.parse(takesFrom);
  const high = next === undefined ? Infinity : Date.parse(next);
  const within = counted.filter(({ at }) => at >= low && at < high);
  const all = counted.filter(({ at }) => {
    const place = sealed.segments.findLastIndex((each) => Date.parse(each.from) <= at);
    return asked.has(Math.max(place, 0));
  });
  switch (measured.meter.aggregation) {
    case 'count':
      return BigInt(within.length) * ONE;
    case 'sum':
      return within.reduce((sum, { value }) => sum + value, 0n);
    case 'max':
      return isLast && all.length > 0 ? all.map(({ value }) => value).reduce((a, b) => (a > b ? a : b)) : 0n;
    case 'latest':
      return isLast ? (latest?.value ?? 0n) : 0n;
    case 'unique-count':
      return isLast ? BigInt(values.size) * ONE : 0n;
    case 'weighted-sum': {
      const [start, end] = [Date.parse(from), Date.parse(to)];
      const before = counted.filter(({ at }) => at < low).reduce((sum, { value }) => sum + value, 0n);
      const own = within.reduce((sum, { weighsFrom, value }) => sum + value * BigInt(end - weighsFrom), 0n);
      const integral = before * BigInt(end - start) + own;
      const length = BigInt(Date.parse(ledger.whole.to) - Date.parse(ledger.whole.from));
      const twice = 2n * (integral < 0n ? -integral : integral) + length;
      return integral < 0n ? -(twice / (2n * length)) : twice / (2n * length);
    }
  }
}

const ONE = 10n ** 12n;

function trillionths(text: string): bigint {
  const [, sign, units = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return BigInt(`${sign ?? ''}${units}${fraction.padEnd(12, '0')}`);
}

/** What the seals of all periods froze, and what was billed of it: read in the order of the log. */
export interface UsageBook {
  /** `<subscription> <period>` → the quantity of each meter from each segment on. */
  readonly sealed: Map<string, UsageSealed['data']['segments']>;
}

export function openUsageBook(): UsageBook {
  return { sealed: new Map() };
}

/** Every usage line charges what a seal before it froze, all of it and nothing else. */
export function enterUsage(book: UsageBook, { event, stream, revision }: StoredEvent): readonly Difference[] {
  if (event.type === 'UsageSealed') {
    const { subscriptionId, periodNumber, segments } = event.data as UsageSealed['data'];
    book.sealed.set(`${subscriptionId} ${periodNumber}`, segments);
  }
  if (event.type !== 'LinesBilled') return [];
  const { subscriptionId, lines, cause } = event.data as LinesBilled['data'];
  if (cause === 'rebill') return [];
  return lines.flatMap((line) => {
    const { usage } = line.rule;
    if (line.kind !== 'usage' || !usage) return [];
    const segments = book.sealed.get(`${subscriptionId} ${usage.periodNumber}`) ?? [];
    const quantity = segments
      .filter(({ from }) => from >= usage.from && from < usage.to)
      .flatMap(({ meters }) => meters.filter(({ meter }) => meter === usage.meter))
      .reduce((sum, each) => sum + trillionths(each.quantity), 0n);
    const expected = quantity < 0n ? 0n : quantity;
    if (expected === trillionths(line.quantity)) return [];
    const message = `usage line ${line.lineId} does not charge what was sealed`;
    return [mismatch('usage-billed', stream, message, expected, line.quantity, revision)];
  });
}
