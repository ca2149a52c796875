import type { LinesBilled, Meter, UsageEvent, UsageRecord, UsageSealed } from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import { type Difference, mismatch } from './difference';

/** A record as a reader of the stream would note it down for one meter. Values in 10^-12. */
interface Counted {
  readonly id: string;
  /** Its own time. */
  readonly own: string;
  /** When it counts, and from when it weighs (ms). */
  readonly at: number;
  readonly weighsFrom: number;
  readonly value: bigint;
  /** Of the property that a unique count counts. */
  readonly unique?: string;
}

/** What the checks of one period's usage must keep in mind: grows with the records of that one period. */
export interface UsageLedger {
  readonly stream: string;
  readonly ids: Set<string>;
  readonly meters: Map<string, Meter>;
  /** `lateAt`: when a record of another period was counted here. */
  readonly records: { readonly record: UsageRecord; readonly lateAt: string | undefined }[];
  startsAt: string;
  whole: { from: string; to: string };
  sealed: boolean;
}

export function openUsageLedger(stream: string): UsageLedger {
  const whole = { from: '', to: '' };
  return { stream, ids: new Set(), meters: new Map(), records: [], startsAt: '', whole, sealed: false };
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
      for (const meter of ledger.meters.values()) {
        if (meter.carry) continue;
        const counted = countedBy(meter, ledger);
        checkSealed(ledger, meter, counted, event.data).forEach(({ from, expected, actual }) =>
          differ(`the sealed quantity of ${meter.key} from ${from} is not what the records come to`, expected, actual),
        );
      }
      break;
  }
  return found;
}

function know(ledger: UsageLedger, meters: readonly { readonly meter: Meter }[]): void {
  for (const { meter } of meters) if (!ledger.meters.has(meter.key)) ledger.meters.set(meter.key, meter);
}

function count(ledger: UsageLedger, records: readonly UsageRecord[], lateAt: string | undefined): void {
  for (const record of records) ledger.records.push({ record, lateAt });
}

/** The records that a meter reads, in the order of the stream. */
function countedBy(meter: Meter, { records, startsAt }: UsageLedger): Counted[] {
  const start = Date.parse(startsAt);
  return records.flatMap(({ record, lateAt }) => {
    const { id, at, properties = {} } = record;
    const passes = (meter.filters ?? []).every(({ property, values }) => values.includes(properties[property] ?? ''));
    if (meter.event !== record.event || !passes || (lateAt !== undefined && meter.late === 'refuse')) return [];
    const text = meter.valueProperty === undefined ? record.value : properties[meter.valueProperty];
    const value = text !== undefined && DECIMAL.test(text) ? trillionths(text) : undefined;
    const unique = meter.uniqueProperty === undefined ? undefined : properties[meter.uniqueProperty];
    const isMeasured =
      meter.aggregation === 'count' ||
      (meter.aggregation === 'unique-count' ? unique !== undefined : value !== undefined && within(value));
    if (!isMeasured) return [];
    const counted = {
      id,
      own: at,
      at: Date.parse(lateAt ?? at),
      weighsFrom: lateAt === undefined ? Date.parse(at) : start,
    };
    return [{ ...counted, value: value ?? 0n, ...(unique !== undefined && { unique }) }];
  });
}

const DECIMAL = /^-?\d{1,18}(\.\d{1,12})?$/;
const within = (value: bigint) => value <= 10n ** 27n && value >= -(10n ** 27n);

/** What the seal says of a meter, segment by segment, where the records say otherwise. */
function checkSealed(ledger: UsageLedger, meter: Meter, counted: readonly Counted[], sealed: UsageSealed['data']) {
  const { segments, to } = sealed;
  const asked = segments.map(({ meters }) => meters.some((each) => each.meter === meter.key));
  const placeOf = ({ at }: Counted) =>
    Math.max(
      segments.findLastIndex(({ from }) => Date.parse(from) <= at),
      0,
    );
  const all = counted.filter((each) => asked[placeOf(each)]);
  return segments.flatMap(({ from, meters }, i) => {
    const stated = meters.find((each) => each.meter === meter.key);
    if (!stated) return [];
    const own = counted.filter((each) => placeOf(each) === i);
    const before = all.filter((each) => placeOf(each) < i).reduce((sum, { value }) => sum + value, 0n);
    const ends = segments[i + 1]?.from ?? to;
    const isLast = asked.lastIndexOf(true) === i;
    const expected = quantityOf(ledger, meter, {
      own,
      all,
      before,
      isLast,
      from: Date.parse(from),
      to: Date.parse(ends),
    });
    const actual = trillionths(stated.quantity);
    return expected === actual ? [] : [{ from, expected, actual }];
  });
}

/** Of one segment: its own records, those of all, and the level at its start. */
function quantityOf(
  { whole }: UsageLedger,
  { aggregation }: Meter,
  segment: {
    readonly own: readonly Counted[];
    readonly all: readonly Counted[];
    readonly before: bigint;
    readonly isLast: boolean;
    readonly from: number;
    readonly to: number;
  },
): bigint {
  const { own, all, before, isLast, from, to } = segment;
  switch (aggregation) {
    case 'count':
      return BigInt(own.length) * ONE;
    case 'sum':
      return own.reduce((sum, { value }) => sum + value, 0n);
    case 'max':
      return isLast && all.length > 0 ? all.map(({ value }) => value).reduce((a, b) => (a > b ? a : b)) : 0n;
    case 'latest':
      return isLast ? (lastOf(all)?.value ?? 0n) : 0n;
    case 'unique-count':
      return isLast ? BigInt(new Set(all.map(({ unique }) => unique)).size) * ONE : 0n;
    case 'weighted-sum': {
      const changes = own.reduce((sum, { weighsFrom, value }) => sum + value * BigInt(to - weighsFrom), 0n);
      const integral = before * BigInt(to - from) + changes;
      const length = BigInt(Date.parse(whole.to) - Date.parse(whole.from));
      const twice = 2n * (integral < 0n ? -integral : integral) + length;
      return integral < 0n ? -(twice / (2n * length)) : twice / (2n * length);
    }
  }
}

/** In order of their own times, then ids. */
function lastOf(counted: readonly Counted[]): Counted | undefined {
  return counted.reduce<Counted | undefined>(
    (last, each) => (!last || last.own < each.own || (last.own === each.own && last.id < each.id) ? each : last),
    undefined,
  );
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
