import {
  addDays,
  gridPoint,
  startOfDay,
  toInstant,
  toLocalDate,
  type Item,
  type Line,
  type UsageEvent,
  type UsageRecord,
} from '@perennial/billing-domain';
import type { NaiveHistory, Period, Terms } from './naive-history';
import { EXACT, packages, priced, rounded, UNIT, units, type Tiered } from './naive-price';

/*
 * What the usage of a period costs, from its records: every one is looked at again for every meter, and what they come to is priced
 * from nothing up to the end of each stretch of time. Nothing is added up beforehand, and nothing that was added up is believed.
 */

type Meter = NonNullable<Item['meter']>;

interface Counted {
  readonly record: UsageRecord;
  /** From when it weighs, and the moment that says on which terms it counts. */
  readonly weighsFrom: string;
  readonly countsAt: string;
}

/** Terms under which usage is charged alike: instants, half-open. */
interface Stretch {
  readonly from: string;
  readonly to: string;
  readonly items: readonly Item[];
}

interface Run {
  readonly item: Item;
  readonly from: string;
  to: string;
  quantity: bigint;
  records: Counted[];
}

/** A usage line as it ought to be, in words that can be compared. */
export const toldUsage = ({ itemId, quantity, net, rule: { usage } }: Line) =>
  `${itemId} ${usage?.from}..${usage?.to}: ${quantity} for ${net}`;

export class NaiveUsage {
  /** By period: its records, and the meters that it ever had. */
  private readonly periods = new Map<number, { readonly counted: Counted[]; readonly meters: Map<string, Meter> }>();

  /** The usage of one subscription, stream by stream. */
  constructor(streams: readonly (readonly UsageEvent[])[]) {
    for (const events of streams) {
      const [opened] = events;
      if (opened?.type !== 'UsageOpened') continue;
      const { periodNumber, startsAt } = opened.data;
      const meters = new Map<string, Meter>();
      const counted: Counted[] = [];
      for (const { type, data } of events) {
        if (type === 'UsageOpened' || type === 'UsageCut')
          for (const { meter } of data.meters) meters.set(meter.key, meter);
        if (type === 'UsageRecorded')
          for (const record of data.records) counted.push({ record, weighsFrom: record.at, countsAt: record.at });
        if (type === 'LateUsageCounted')
          for (const record of data.records) counted.push({ record, weighsFrom: startsAt, countsAt: data.effectiveAt });
      }
      this.periods.set(periodNumber, { counted, meters });
    }
  }

  /** The usage lines of a closed period, in words. */
  linesOf(history: NaiveHistory, period: Period): string[] {
    const { periodNumber, kind } = period.opened;
    if (kind === 'trial') return [];
    const stretches = this.stretches(history, period);
    const keys = new Set(stretches.flatMap(({ items }) => items.map(({ componentKey }) => componentKey)));
    return [...keys].flatMap((key) =>
      this.component(history, this.runs(history, period, stretches, key), periodNumber),
    );
  }

  /** Up to which moment usage is charged on the terms before a change. */
  private cut(history: NaiveHistory, terms: Terms): string {
    const { zone, rules } = history;
    const at = history.beginning(terms);
    const day = toLocalDate(at, zone);
    if (rules.usageOnChangeDay === undefined) return at;
    return toInstant(startOfDay(rules.usageOnChangeDay === 'old-terms' ? addDays(day, 1) : day), zone);
  }

  private stretches(history: NaiveHistory, { opened, closed }: Period): Stretch[] {
    const { startsAt } = opened;
    const { endsAt } = closed ?? opened;
    // A change within a second of the period's ends comes with the period.
    const within = history.terms.filter((each) => {
      const at = history.beginning(each).slice(0, 19);
      return at > startsAt.slice(0, 19) && at < endsAt.slice(0, 19);
    });
    const first = history.terms.findLast((each) => history.beginning(each).slice(0, 19) <= startsAt.slice(0, 19));
    const cuts = within.map((each) => this.cut(history, each));
    const points = [startsAt, ...cuts.filter((at) => at > startsAt && at < endsAt), endsAt];
    const stretches: { from: string; to: string; items: readonly Item[] }[] = [];
    points.slice(0, -1).forEach((from, i) => {
      const to = points[i + 1] ?? endsAt;
      if (from === to) return;
      const terms = within[cuts.findLastIndex((at) => at <= from)] ?? first ?? history.terms[0];
      const items = (terms?.items ?? []).filter(({ kind }) => kind === 'usage');
      const before = stretches.at(-1);
      if (before && charged(before.items) === charged(items)) before.to = to;
      else stretches.push({ from, to, items });
    });
    return stretches;
  }

  /** What counts for a meter in each stretch that has it. */
  private counting(stretches: readonly Stretch[], periodNumber: number, meter: Meter): Counted[][] {
    const counted = this.periods.get(periodNumber)?.counted ?? [];
    const found = stretches.map((): Counted[] => []);
    for (const each of counted) {
      if (each.weighsFrom !== each.record.at && meter.late === 'refuse') continue;
      const place = Math.max(
        0,
        stretches.findLastIndex(({ from }) => from <= each.countsAt),
      );
      const has = stretches[place]?.items.some((item) => item.meter?.key === meter.key);
      if (has && reads(meter, each.record)) found[place]?.push(each);
    }
    return found;
  }

  /** Quantities of a meter by stretch, 10^-12. */
  private quantities(history: NaiveHistory, period: Period, stretches: readonly Stretch[], meter: Meter): bigint[] {
    const { periodNumber, startsAt } = period.opened;
    const counting = this.counting(stretches, periodNumber, meter);
    const all = counting.flat();
    const values = (of: readonly Counted[]) => of.map(({ record }) => valueOf(meter, record));
    const last = stretches.findLastIndex(({ items }) => items.some((item) => item.meter?.key === meter.key));
    const onLast = (quantity: bigint) => stretches.map((_, i) => (i === last ? quantity : 0n));
    switch (meter.aggregation) {
      case 'count':
        return counting.map((of) => BigInt(of.length) * UNIT);
      case 'sum':
        return counting.map((of) => sum(values(of)));
      case 'max':
        return onLast(values(all).reduce((a, b) => (a > b ? a : b), values(all)[0] ?? 0n));
      case 'unique-count':
        return onLast(
          BigInt(new Set(all.map(({ record }) => record.properties?.[meter.uniqueProperty ?? ''])).size) * UNIT,
        );
      case 'latest': {
        const carried = meter.carry ? this.carriedLatest(history, periodNumber - 1, meter.key) : undefined;
        const latest = [...(carried ? [carried] : []), ...all.map(({ record }) => record)].sort(inTime).at(-1);
        return onLast(latest ? valueOf(meter, latest) : 0n);
      }
      case 'weighted-sum': {
        let level = meter.carry ? this.carriedLevel(history, periodNumber - 1, meter.key) : 0n;
        const whole = history.periods.find(({ opened }) => opened.periodNumber === periodNumber) ?? period;
        const length = BigInt(wholeMs(whole));
        return stretches.map(({ from, to, items }, i) => {
          if (!items.some((item) => item.meter?.key === meter.key)) return 0n;
          const [begins, ends] = [Date.parse(from), Date.parse(to)];
          let area = level * BigInt(ends - begins);
          for (const { record, weighsFrom } of counting[i] ?? []) {
            area += valueOf(meter, record) * BigInt(ends - Math.max(Date.parse(weighsFrom), Date.parse(startsAt)));
            level += valueOf(meter, record);
          }
          return rounded(area, length);
        });
      }
    }
  }

  private closed(history: NaiveHistory, periodNumber: number, key: string) {
    const meter = this.periods.get(periodNumber)?.meters.get(key);
    const period = history.periods.find(({ opened }) => opened.periodNumber === periodNumber);
    if (!meter || !period) return undefined;
    const stretches = this.stretches(history, period);
    return { meter, counting: this.counting(stretches, periodNumber, meter).flat() };
  }

  /** What a period leaves to the next one: the last record of a meter, or the level that it has come to. */
  private carriedLatest(history: NaiveHistory, periodNumber: number, key: string): UsageRecord | undefined {
    const own = this.closed(history, periodNumber, key);
    if (!own) return undefined;
    const before = this.carriedLatest(history, periodNumber - 1, key);
    const all = [...(before ? [before] : []), ...own.counting.map(({ record }) => record)];
    return all.sort(inTime).at(-1);
  }

  private carriedLevel(history: NaiveHistory, periodNumber: number, key: string): bigint {
    const own = this.closed(history, periodNumber, key);
    if (!own) return 0n;
    return (
      this.carriedLevel(history, periodNumber - 1, key) +
      sum(own.counting.map(({ record }) => valueOf(own.meter, record)))
    );
  }

  /** Stretches of a component that follow each other on one charge are one line. */
  private runs(history: NaiveHistory, period: Period, stretches: readonly Stretch[], componentKey: string): Run[] {
    const runs: Run[] = [];
    stretches.forEach(({ from, to, items }, i) => {
      const item = items.find((each) => each.componentKey === componentKey);
      if (!item?.meter) return;
      const quantity = this.quantities(history, period, stretches, item.meter)[i] ?? 0n;
      const records = this.counting(stretches, period.opened.periodNumber, item.meter)[i] ?? [];
      const before = runs.at(-1);
      if (before?.to === from && sameCharge(before.item, item)) {
        before.to = to;
        before.quantity += quantity;
        before.records.push(...records);
      } else runs.push({ item, from, to, quantity, records });
    });
    for (const run of runs) if (run.quantity < 0n) run.quantity = 0n;
    return runs;
  }

  private component({ rules }: NaiveHistory, runs: readonly Run[], _periodNumber: number): string[] {
    const all = sum(runs.map(({ quantity }) => quantity));
    let before = 0n;
    const soFar = { records: 0, amount: 0n };
    return runs.flatMap((run, i) => {
      const restarts = run.item.segments === 'restart';
      const used = restarts ? { records: 0, amount: 0n } : { ...soFar };
      const amounts = amountsOf(run, restarts ? 0n : before, restarts ? run.quantity : all, restarts || i === 0, used);
      before += run.quantity;
      // Records count towards the free ones whatever they were charged by; and what goes on after a run that began anew goes on from
      // all of the period, as its tiers do.
      soFar.records += run.records.length;
      soFar.amount += restarts ? used.amount : used.amount - soFar.amount;
      const exact = rules.roundedPer === 'tier' ? [...amounts.values()] : [sum([...amounts.values()])];
      const net = sum(exact.map((amount) => rounded(amount, EXACT)));
      if (net === 0n && run.quantity === 0n) return [];
      return [`${run.item.itemId} ${run.from}..${run.to}: ${decimal(run.quantity)} for ${net}`];
    });
  }
}

/** What a run costs: all up to its end, less all up to its start. Amounts by tier. */
function amountsOf(
  { item, quantity, records }: Run,
  before: bigint,
  all: bigint,
  isFirst: boolean,
  used: { records: number; amount: bigint },
): Tiered {
  const { price, meter } = item;
  if (price.model === 'percentage') return new Map([[0, percentage(price, meter, quantity, records, used)]]);
  if (price.model === 'volume') {
    // All units at the price of the tier that the whole period's quantity lies in; its fee with the units that enter it.
    const tier = price.tiers.findIndex(({ upTo }) => upTo === null || all <= units(upTo));
    const { unitPrice = '0', packageSize, flatFee = '0' } = price.tiers[tier] ?? {};
    const lower = units(price.tiers[tier - 1]?.upTo ?? '0');
    const enters = tier === 0 ? isFirst : before <= lower && lower < before + quantity;
    const upTo = (all: bigint) => (packageSize === undefined ? all : packages(all, 0n, units(packageSize)) * UNIT);
    const counted = upTo(before + quantity) - upTo(before);
    return new Map([[tier, counted * units(unitPrice) + (enters ? UNIT * units(flatFee) : 0n)]]);
  }
  const [after, sofar] = [
    priced(price, decimal(before + quantity)),
    isFirst ? new Map() : priced(price, decimal(before)),
  ];
  return new Map([...after].map(([tier, amount]) => [tier, amount - (sofar.get(tier) ?? 0n)]));
}

/** Record by record in the order in which they count: free until the count or the amount of the period is used up. */
function percentage(
  price: Extract<Item['price'], { model: 'percentage' }>,
  meter: Meter | undefined,
  quantity: bigint,
  records: readonly Counted[],
  used: { records: number; amount: bigint },
): bigint {
  const { freeRecords = Infinity, freeAmount, recordFee = '0', rate } = price;
  const anyFree = price.freeRecords !== undefined || freeAmount !== undefined;
  let [free, withoutFee] = [0n, 0];
  const inOrder = records.map(({ record, countsAt }) => ({ ...record, at: countsAt })).sort(inTime);
  for (const record of inOrder) {
    const left = freeAmount === undefined ? undefined : units(freeAmount) - used.amount;
    const value = meter ? valueOf(meter, record) : 0n;
    const counts = value > 0n ? value : 0n;
    const open = anyFree && used.records < freeRecords && (left === undefined || left > 0n);
    used.records += 1;
    if (!open) continue;
    const part = left === undefined || left > counts ? counts : left;
    if (part === counts) withoutFee += 1;
    free += part;
    used.amount += part;
  }
  const charged = quantity > free ? quantity - free : 0n;
  return (charged * units(rate)) / 100n + BigInt(records.length - withoutFee) * UNIT * units(recordFee);
}

function reads({ event, filters = [] }: Meter, record: UsageRecord): boolean {
  return (
    record.event === event &&
    filters.every(({ property, values }) => values.includes(record.properties?.[property] ?? '\u0000'))
  );
}

const valueOf = ({ valueProperty }: Meter, { value, properties }: UsageRecord): bigint =>
  units((valueProperty === undefined ? value : properties?.[valueProperty]) ?? '0');

const inTime = (a: UsageRecord, b: UsageRecord) =>
  a.at < b.at || (a.at === b.at && a.id < b.id) ? -1 : a.at === b.at && a.id === b.id ? 0 : 1;

const sum = (all: readonly bigint[]) => all.reduce((a, b) => a + b, 0n);

/** The whole interval that a period is a part of, in ms. */
function wholeMs({ grid, opened, zone }: Period): number {
  const at = (g: number) => Date.parse(toInstant(gridPoint(grid, g), zone));
  return Math.max(at(opened.gridIndex + 1) - at(opened.gridIndex), 1);
}

const charged = (items: readonly Item[]) => JSON.stringify(items.map(({ from: _, to: __, ...item }) => item));

const sameCharge = (a: Item, b: Item) =>
  JSON.stringify([a.itemId, a.meter?.key, a.segments, a.price]) ===
  JSON.stringify([b.itemId, b.meter?.key, b.segments, b.price]);

/** 10^-12 as a decimal. */
export function decimal(value: bigint): string {
  const [sign, magnitude] = value < 0n ? ['-', -value] : ['', value];
  const digits = (magnitude % UNIT).toString().padStart(12, '0').replace(/0+$/, '');
  return `${sign}${magnitude / UNIT}${digits && `.${digits}`}`;
}
