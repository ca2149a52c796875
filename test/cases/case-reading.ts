import { CancelSubscription, ChangeItems, RecordUsage } from '@perennial/billing-application';
import {
  daysBetween,
  addDays,
  exponentOf,
  formatDecimal,
  gridPoint,
  isCurrency,
  parseDecimal,
  presets,
  startOfDay,
  toInstant,
  toLocal,
  toLocalDate,
  type Anchor,
  type BillingRules,
  type ChangeItems as Change,
  type Interval,
  type NewItem,
  type PresetName,
  type Price,
} from '@perennial/billing-domain';
import { request } from '../support/billing-process';
import type { Story } from './case-book';

/*
 * What a case says, read as a story: from the names of its inputs, and where it puts a fact into words (calendar, quarterly, in
 * arrears, tiers), from those words. Sources have names of their own for one thing; the lists of names are all that is known of them.
 */

/** A case's input holds whatever its source names. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Input = Readonly<Record<string, any>>;

export interface Case {
  readonly id: string;
  readonly topic: string;
  readonly source: string;
  readonly description: string;
  readonly input: Input;
  readonly expected: Input;
  readonly convention?: string;
}

/** One of a case's variations, with the values of lists put in the place of the lists. */
export interface Reading {
  readonly input: Input;
  /** Topic and description. */
  readonly words: string;
  readonly rules: BillingRules;
  readonly currency: string;
  /** The convention counts the last day of a period as its own. */
  readonly endIsLastDay: boolean;
}

/** Whose rules a source follows. */
const systems: readonly (readonly [RegExp, PresetName])[] = [
  [/killbill/, 'kill-bill'],
  [/getlago/, 'lago'],
  [/openmeter/, 'openmeter'],
  [/meteroid/, 'meteroid'],
  [/flexprice/, 'flexprice'],
  [/stripe/, 'stripe'],
];

/** Lists whose values are tried one after the other, and the name that each value then has. */
const lists: Readonly<Record<string, string>> = {
  targets: 'target',
  lookups: 'lookup',
  changes: 'change',
  units: 'units',
  bcds: 'bcd',
  zones: 'zone',
  free_units: 'free_units',
  service_periods: 'service_period',
  used_cents: 'used_cents',
  days: 'fraction',
};

/** The cases in a case, each with its own inputs. */
export function readingsOf({ topic, description, source, input, expected, convention = '' }: Case): Reading[] {
  const words = `${topic.replaceAll('_', ' ')}: ${description}`;
  const preset = systems.find(([of]) => of.test(source))?.[1];
  if (!preset) throw new Error(`whose rules does ${source} follow?`);
  const { cases = [{}], ...shared } = input as Input & { cases?: Input[] };
  const several = Object.keys(shared).filter((name) => name in lists && Array.isArray(shared[name]));
  const count = Math.max(1, ...several.map((name) => (shared[name] as unknown[]).length));
  const inputs = cases.flatMap((each) =>
    Array.from({ length: count }, (_, i): Input => {
      const one = Object.fromEntries(several.map((name) => [lists[name], shared[name][i]]));
      const own = Array.isArray(each) ? { start: each[0], end: each[1], zone: each[2] } : each;
      return { ...shared, ...one, ...own };
    }),
  );
  return inputs.map((one) => ({
    input: one,
    words,
    rules: presets[preset],
    currency: currencyOf(one, description, expected),
    endIsLastDay: /period end is the last day/i.test(convention),
  }));
}

/** The currency that is named, else one with as many digits as the finest expected amount. */
function currencyOf(input: Input, description: string, expected: Input): string {
  const named = [input['currency'], ...(description.match(/\b[A-Z]{3}\b/g) ?? [])].find(
    (code) => typeof code === 'string' && isCurrency(code),
  );
  if (typeof named === 'string') return named;
  const digits = [...JSON.stringify(expected).matchAll(/"-?\d+\.(\d+)"/g)].map(([, fraction = '']) => fraction.length);
  return Math.max(0, ...digits) > 2 ? 'KWD' : 'USD';
}

/** A number of major units as minor units, decimals kept. */
export function minor(major: string | number, currency: string): string {
  const { units, scale } = parseDecimal(String(major));
  const exponent = exponentOf(currency);
  return scale > exponent
    ? formatDecimal({ units, scale: scale - exponent })
    : formatDecimal({ units: units * 10n ** BigInt(exponent - scale), scale: 0 });
}

/** The first amount among these names: minor units where the name says cents, else major ones. */
export function amount({ input, currency }: Reading, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    if (input[`${name}_cents`] !== undefined) return String(input[`${name}_cents`]);
    if (input[name] !== undefined) return minor(input[name] as string, currency);
  }
  return undefined;
}

/** A price when the case names none: one whose fractions show nine digits. */
export const WHOLE = '1000000000';
const prices = ['price', 'rate', 'old_price', 'old', 'recurring', 'monthly_price', 'unit_price', 'amount', 'base'];

export const priceOf = (of: Reading) => amount(of, ...prices) ?? WHOLE;

/** IANA name of the zone: of a fixed offset, which counts the other way round there. */
export function zoneOf({ input }: Reading): string {
  const zone = (input['zone'] as string | undefined) ?? 'UTC';
  const offset = /^([+-])0?(\d+):00$/.exec(zone);
  return offset ? `Etc/GMT${offset[1] === '+' ? '-' : '+'}${offset[2]}` : zone;
}

/** The instant of what may be a date: the start of that day. */
export function instantOf(text: string, zone: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? toInstant(startOfDay(text), zone) : new Date(text).toISOString();
}

export const first = (input: Input, ...names: readonly string[]) =>
  names.map((name) => input[name] as string | undefined).find((value) => value !== undefined);

/** The whole period that a case names, half-open. */
export function spanOf({ input, endIsLastDay }: Reading): readonly [string, string] | undefined {
  const span = (input['period'] ?? input['old_period'] ?? input['full'] ?? input['periods']?.[0]) as
    readonly [string, string] | undefined;
  return span && [span[0], endIsLastDay ? addDays(span[1], 1) : span[1]];
}

export function startOf(of: Reading): string {
  const { input } = of;
  const named = first(input, 'start', 'anchor', 'backdated_start', 'subscription_at', 'instant', 'from');
  return named ?? (input['service_period']?.[0] as string | undefined) ?? spanOf(of)?.[0] ?? '2025-01-01';
}

/** A fraction as the case writes it: "10/31" or "0.5". */
export function fractionOf({ input }: Reading): readonly [number, number] | undefined {
  const text = first(input, 'factor', 'fraction', 'elapsed_fraction');
  if (text === undefined) return undefined;
  if (text.includes('/')) return text.split('/').map(Number) as [number, number];
  const digits = text.split('.')[1]?.length ?? 0;
  return [Math.round(Number(text) * 10 ** digits), 10 ** digits];
}

const intervals: readonly (readonly [RegExp, Interval])[] = [
  [/annual|yearly|P1Y/i, { unit: 'year', count: 1 }],
  [/quarter|P3M/i, { unit: 'month', count: 3 }],
  [/week|P1W/i, { unit: 'week', count: 1 }],
  [/month|P1M/i, { unit: 'month', count: 1 }],
];

/** The interval that is named, or that the period spans, or that a fraction counts in days; in words; else a month. */
export function intervalOf(of: Reading): Interval {
  const { input, words } = of;
  const inWords = (text: string) => intervals.find(([name]) => name.test(text))?.[1];
  const span = spanOf(of);
  const fraction = fractionOf(of);
  if (typeof input['interval'] === 'string') return inWords(input['interval']) ?? { unit: 'month', count: 1 };
  if (span) return spanned(span[0].slice(0, 10), span[1].slice(0, 10));
  if (fraction) return { unit: 'day', count: fraction[1] };
  return inWords(words) ?? { unit: 'month', count: 1 };
}

/** The shortest interval of whole months or years from one date to another, else of days. */
export function spanned(from: string, to: string, day?: number): Interval {
  const grid = (interval: Interval) => ({
    anchor: startOfDay(from),
    interval,
    ...(day !== undefined && { anchorDay: day }),
  });
  for (let count = 1; count <= 36; count += 1) {
    const interval: Interval = count % 12 === 0 ? { unit: 'year', count: count / 12 } : { unit: 'month', count };
    if (gridPoint(grid(interval), 1).slice(0, 10) === to) return interval;
  }
  return { unit: 'day', count: daysBetween(from, to) };
}

/** The day that bills keep; the calendar's own month, quarter or year; else what the start gives. */
export function anchorOf(of: Reading): Anchor | undefined {
  const { input, words, rules } = of;
  const day = ['bcd', 'billing_day', 'billing_anchor_day'].map((name) => input[name] as number | undefined);
  const dayOfMonth = day.find((each) => each !== undefined);
  if (dayOfMonth !== undefined) return { dayOfMonth };
  const start = toLocal(instantOf(startOf(of), zoneOf(of)), zoneOf(of));
  if (/\bcalendar\b/.test(words) || Object.keys(input).some((name) => /^(month|quarter|year)_days$/.test(name))) {
    const { unit, count } = intervalOf(of);
    const months = unit === 'year' ? 12 * count : count;
    const month = Math.floor((Number(start.slice(5, 7)) - 1) / months) * months + 1;
    return { localDateTime: `${start.slice(0, 5)}${String(month).padStart(2, '0')}-01T00:00:00` };
  }
  return rules.prorationUnit === 'second' ? { localDateTime: start } : undefined;
}

export interface Told {
  readonly timing?: 'advance' | 'arrears';
  readonly item?: Partial<NewItem>;
  readonly items?: readonly NewItem[];
  readonly steps?: Story['steps'];
  readonly coupon?: Story['coupon'];
  readonly until?: string;
}

/** The story of a reading: it starts, what is named happens, and it is rolled over up to the target. */
export function storyOf(of: Reading, told: Told = {}): Story {
  const { input, words, rules, currency } = of;
  const zone = zoneOf(of);
  const startsAt = instantOf(startOf(of), zone);
  // A backdated start is asked for on the last day of its stub.
  const stubEnd = first(input, 'backdated_start') === undefined ? undefined : first(input, 'stub_end');
  const startedAt = stubEnd === undefined ? startsAt : instantOf(addDays(stubEnd, -1), zone);
  const trialDays = input['trial_days'] as number | undefined;
  const timing = told.timing ?? (/in arrears/.test(words) ? 'arrears' : 'advance');
  const item: NewItem = {
    description: 'what the case charges',
    timing,
    ...(told.item?.kind !== 'usage' && { quantity: String(input['old_quantity'] ?? input['quantities']?.[0] ?? 1) }),
    ...(told.item?.price || told.item?.unitPrice !== undefined ? {} : { unitPrice: priceOf(of) }),
    ...told.item,
  };
  const steps = told.steps ?? endsOf(of);
  const target = first(input, 'target');
  return {
    startedAt,
    terms: {
      currency,
      timeZone: zone,
      interval: intervalOf(of),
      anchor: anchorOf(of),
      item,
      ...(told.items && { items: told.items }),
      rules,
      ...(startsAt !== startedAt && { startsAt }),
      ...(trialDays !== undefined && { trialDays }),
    },
    steps,
    ...(told.coupon && { coupon: told.coupon }),
    until:
      told.until ??
      (target === undefined ? (steps.at(-1)?.at ?? trialEndOf(of) ?? startedAt) : instantOf(target, zone)),
  };
}

/** When the trial is over, at the same time of day as the start. */
export function trialEndOf(of: Reading): string | undefined {
  const days = of.input['trial_days'] as number | undefined;
  if (days === undefined) return undefined;
  const start = toLocal(instantOf(startOf(of), zoneOf(of)), zoneOf(of));
  return toInstant(`${addDays(start.slice(0, 10), days)}${start.slice(10)}`, zoneOf(of));
}

/** It is canceled when the case says that it ends, and what is not used is given back. */
export function endsOf(of: Reading): Story['steps'] {
  const end = first(of.input, 'end', 'cancel', 'terminate') ?? (of.input['service_period']?.[1] as string | undefined);
  return end === undefined ? [] : [canceled(instantOf(end, zoneOf(of)))];
}

export const canceled = (at: string): Story['steps'][number] => ({
  at,
  command: (id) => new CancelSubscription(id, { at: 'now', credit: 'prorated' }, request()),
});

export const changed = (at: string, change: Change): Story['steps'][number] => ({
  at,
  command: (id) => new ChangeItems(id, change, request()),
});

/** A charge for what records of usage sum up to. */
export const metered = (price: Price): Partial<NewItem> => ({
  kind: 'usage',
  timing: 'arrears',
  meter: { key: 'used', aggregation: 'sum' },
  price,
});

/** Records of usage, each reported at its own time. */
export const used = (records: readonly (readonly [at: string, value: string])[]): Story['steps'] =>
  records.map(([at, value], i) => ({
    at,
    command: (id) =>
      new RecordUsage([{ subscriptionIds: [id], id: `record-${i}`, event: 'used', at, value }], request()),
  }));

/** When the case changes something: at the date that it names, or after the fraction of the period that it names. */
export function changeAt(of: Reading): string {
  const zone = zoneOf(of);
  const fraction = fractionOf(of);
  const start = toLocalDate(instantOf(startOf(of), zone), zone);
  return instantOf(first(of.input, 'change') ?? addDays(start, fraction?.[0] ?? 0), zone);
}

/** The tiers, package or percentage that a case describes in words or names. */
export function priceInWords(of: Reading, model: 'graduated' | 'volume'): Price {
  const { input, words, currency } = of;
  if (input['package_size'] !== undefined) {
    return {
      model: 'package',
      packageSize: String(input['package_size']),
      packagePrice: priceOf(of),
      freeUnits: String(input['free_units'] ?? 0),
    };
  }
  const clauses = words.slice(words.indexOf(':') + 1).split(';');
  let upTo = 0;
  const tiers = clauses.map((clause, i) => {
    const block = /max (\d+) at ([\d.]+)/.exec(clause);
    const bound = /(?:^|\s)(?:\d+-|<=)(\d+):/.exec(clause)?.[1];
    upTo = block ? upTo + Number(block[1]) : Number(bound);
    const of = clause.slice(clause.lastIndexOf(':') + 1);
    const flat = /flat ([\d.]+)|([\d.]+) flat/.exec(of) ?? /\+ ([\d.]+)/.exec(of);
    const unit = block?.[2] ?? /^\s*(?:beyond:)?\s*([\d.]+)(?![\d.]*\s*flat)/.exec(of)?.[1] ?? '0';
    const flatFee = flat?.[1] ?? flat?.[2];
    return {
      upTo: i === clauses.length - 1 ? null : String(upTo),
      unitPrice: minor(unit, currency),
      ...(flatFee !== undefined && { flatFee: minor(flatFee, currency) }),
    };
  });
  return { model, tiers };
}
