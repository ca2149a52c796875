import { AddLineItem, ChangeBillingCycle } from '@perennial/billing-application';
import {
  addDays,
  daysBetween,
  formatDecimal,
  gridPoint,
  startOfDay,
  toInstant,
  toLocalDate,
  type Line,
  type NewItem,
  type Price,
} from '@perennial/billing-domain';
import { request } from '../support/billing-process';
import type { CaseBook, Document } from './case-book';
import {
  amount,
  canceled,
  changeAt,
  changed,
  endsOf,
  first,
  fractionOf,
  instantOf,
  intervalOf,
  metered,
  minor,
  priceInWords,
  priceOf,
  spanned,
  spanOf,
  startOf,
  storyOf,
  trialEndOf,
  used,
  WHOLE,
  zoneOf,
  type Reading,
  type Told,
} from './case-reading';

/*
 * How each expectation is answered: a story is played as commands, and what its invoices and credit notes say is put into the form
 * in which the case expects it. `wanted` is the expectation in the same form; where a case gives amounts both become minor units.
 */

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- an expectation has whatever form its source gave it
type Expected = any;

export interface Answer {
  readonly is: unknown;
  readonly wanted: unknown;
}

type Answering = (book: CaseBook, of: Reading, expected: Expected) => Promise<Answer>;

export const linesOf = (documents: readonly Document[]) => documents.flatMap(({ lines }) => lines);
const netOf = (lines: readonly Line[]) => lines.reduce((sum, { net }) => sum + BigInt(net), 0n);
const corrections = (lines: readonly Line[]) => lines.filter(({ kind }) => kind === 'correction');
const charges = (lines: readonly Line[]) => lines.filter(({ kind }) => kind !== 'correction');
const sum = (lines: readonly Line[]) => netOf(lines).toString();
const inMinor = (text: string | number, { currency }: Reading) => minor(text, currency);
const play = async (book: CaseBook, of: Reading, told?: Told) => linesOf(await book.play(storyOf(of, told)));

/** A sum of fractions, reduced. */
function total(fractions: readonly (readonly [bigint, bigint])[]): string {
  let [n, d] = [0n, 1n];
  for (const [numerator, denominator] of fractions) {
    [n, d] = [n * denominator + numerator * d, d * denominator];
    let [a, b] = [n < 0n ? -n : n, d];
    while (b > 0n) [a, b] = [b, a % b];
    [n, d] = [n / a, d / a];
  }
  return `${n}/${d}`;
}

const parsed = (text: string) =>
  total(
    text.split('+').map((part) => {
      const [numerator = '0', denominator = '1'] = part.trim().split('/');
      return [BigInt(numerator), BigInt(denominator)] as const;
    }),
  );

/** How many whole periods lines come to: a correction takes back a part of its line, or of a whole period. */
function cyclesOf(lines: readonly Line[]): string {
  const fraction = ({ rule }: Line) => [BigInt(rule.fraction.numerator), BigInt(rule.fraction.denominator)] as const;
  return total(
    lines.map((line): readonly [bigint, bigint] => {
      const [numerator, denominator] = fraction(line);
      if (line.kind !== 'correction') return [numerator, denominator];
      if (line.rule.credit?.basis === 'current-price') return [-numerator, denominator];
      const corrected = lines.find(({ lineId }) => lineId === line.corrects);
      if (!corrected || line.rule.credit?.basis !== 'billed') throw new Error('a correction of what?');
      const [n, d] = fraction(corrected);
      return [-numerator * n, denominator * d];
    }),
  );
}

/** What a case changes: the price, the quantity or both of its item, or another item that is added or removed. */
function changeOf(of: Reading): Told['steps'] {
  const { input } = of;
  const unitPrice = amount(of, 'new_price', 'new');
  const quantity = String(input['new_quantity'] ?? input['quantities']?.[1] ?? input['old_quantity'] ?? 1);
  const item: NewItem = { description: 'as changed', timing: 'advance', unitPrice: unitPrice ?? priceOf(of), quantity };
  return [changed(changeAt(of), { edits: [{ kind: 'put', item }], billing: 'now' })];
}

/** The lines of a change for services that begin in the case's period. */
async function changeLines(book: CaseBook, of: Reading, told: Told = { steps: changeOf(of) ?? [] }): Promise<Line[]> {
  const end = spanOf(of)?.[1];
  const documents = await book.play(storyOf(of, told));
  return linesOf(documents.filter(({ cause }) => cause !== 'start')).filter(
    ({ service }) => end === undefined || service.from < end,
  );
}

/** The change that moves a subscription to another interval, with the day of its bills kept; the interval is the new line's. */
function moveOf(of: Reading, [from, to]: readonly [string, string]): Told['steps'] {
  const start = startOf(of);
  const day = Number(start.slice(8, 10));
  // The grid of the new interval is that day in the month of the change.
  const whole = spanned(`${from.slice(0, 8)}${start.slice(8, 10)}`, to, day);
  const item: NewItem = {
    description: 'as moved',
    timing: 'advance',
    unitPrice: amount(of, 'new_price', 'new') ?? '0',
  };
  return [
    {
      at: changeAt(of),
      command: (id) => new ChangeBillingCycle(id, { interval: whole, edits: [{ kind: 'put', item }] }, request()),
    },
  ];
}

const dateOf = (line: Line | undefined) => line?.service.from;

/** From when to when a line is for: dates, or instants where the rules count in seconds. */
const spanOfLine = ({ service, rule }: Line): [string, string] =>
  rule.instants
    ? [rule.instants.from.replace('.000Z', 'Z'), rule.instants.to.replace('.000Z', 'Z')]
    : [service.from, service.to];

/** The line in advance of the period that holds a date or an instant. */
async function periodAt(book: CaseBook, of: Reading, lookup: string): Promise<{ line: Line; before: number }> {
  const lines = await play(book, of, { until: instantOf(lookup, zoneOf(of)) });
  const line = lines.at(-1);
  if (!line) throw new Error('nothing was billed');
  return { line, before: lines.length - 1 };
}

/** With tax, which nothing computes yet: each document's net and the tax on it. */
function withTax(net: bigint, percent: bigint): string {
  const [magnitude, sign] = net < 0n ? [-net, -1n] : [net, 1n];
  return (sign * (magnitude + (magnitude * percent * 2n + 100n) / 200n)).toString();
}

const answers: Readonly<Record<string, Answering>> = {
  async billing_dates_2023(book, of, expected: string[]) {
    const lines = await play(book, of, { until: instantOf('2023-12-31', 'UTC') });
    return { is: lines.slice(0, expected.length).map(dateOf), wanted: expected };
  },

  async leap_year_february(book, of, expected: string) {
    const lines = await play(book, of, { until: instantOf(addDays(expected, 1), 'UTC') });
    return { is: dateOf(lines.at(-1)), wanted: expected };
  },

  async periods(book, of, expected: string[]) {
    const { line } = await periodAt(book, of, of.input['lookup'] as string);
    return { is: spanOfLine(line), wanted: expected };
  },

  async elapsed_cycles(book, of, expected: number) {
    const { before } = await periodAt(book, of, of.input['lookup'] as string);
    return { is: before, wanted: expected };
  },

  async cycle_dates(book, of, expected: string[]) {
    const { cycles } = of.input as { cycles: number };
    const last = expected[cycles - 1] ?? '';
    const lines = await play(book, of, { until: instantOf(last, zoneOf(of)) });
    return { is: lines.slice(1).map(dateOf), wanted: expected };
  },

  async billed_cycles_day_before_nth_date(book, of) {
    return cyclesAround(book, of, -1);
  },

  async billed_cycles_on_nth_date(book, of) {
    return cyclesAround(book, of, 0);
  },

  async period_end_inclusive(book, of, expected: string) {
    const [line] = await play(book, of);
    const end = Date.parse(toInstant(startOfDay(line?.service.to ?? ''), zoneOf(of)));
    return { is: end - 1000, wanted: Date.parse(expected) };
  },

  async cycles(book, of, expected: string) {
    return { is: cyclesOf(await play(book, of)), wanted: parsed(expected) };
  },

  async cycles_decimal_9(book, of, expected: string) {
    return { is: `${WHOLE} × ${netOf(await play(book, of))}`, wanted: `${WHOLE} × ${expected.replace('0.', '')}` };
  },

  async items(book, of, expected: number) {
    return { is: (await play(book, of)).length, wanted: expected };
  },

  async total(book, of, expected: string) {
    const told = of.input['units'] === undefined ? {} : rated(of, 'graduated');
    return { is: sum(await play(book, of, told)), wanted: inMinor(expected, of) };
  },

  async per_tier(book, of, expected: string[]) {
    const [line] = await play(book, of, rated(of, 'graduated'));
    const parts = (line?.parts ?? []).map((part) =>
      formatDecimal({ units: BigInt(part.quantity) * BigInt(part.unitPrice), scale: 0 }),
    );
    return { is: parts, wanted: expected.map((each) => inMinor(each, of)) };
  },

  async volume(book, of, expected: string) {
    return { is: sum(await play(book, of, rated(of, 'volume'))), wanted: inMinor(expected, of) };
  },

  async graduated_computed_from_same_tiers(book, of, expected: string) {
    return { is: sum(await play(book, of, rated(of, 'graduated'))), wanted: inMinor(expected, of) };
  },

  async invoices(book, of, expected: string[]) {
    const { input } = of;
    const items: NewItem[] = [
      {
        itemId: 'fixed',
        componentKey: 'fixed',
        description: 'fixed',
        kind: 'one-time',
        timing: 'advance',
        unitPrice: inMinor(input['fixed'] as string, of),
      },
    ];
    const until = instantOf(
      gridPoint({ anchor: startOfDay(startOf(of)), interval: intervalOf(of) }, expected.length - 1).slice(0, 10),
      zoneOf(of),
    );
    const documents = await book.play(storyOf(of, { items, until }));
    return { is: documents.map(({ lines }) => sum(lines)), wanted: expected.map((each) => inMinor(each, of)) };
  },

  async april(book, of, expected: string) {
    return { is: (await usedUntilEnd(book, of))[0], wanted: inMinor(expected, of) };
  },

  async may_until_cancel_day_included(book, of, expected: string) {
    return { is: (await usedUntilEnd(book, of))[1], wanted: inMinor(expected, of) };
  },

  async true_up_cents(book, of, expected: number) {
    const { input } = of;
    const [days, length] = fractionOf(of) ?? [1, 1];
    const start = startOf(of);
    const price = { model: 'per-unit', unitPrice: '1', minimum: String(input['minimum_cents']) } as const;
    const last = instantOf(addDays(start, days - 1), zoneOf(of));
    const steps = used([[instantOf(start, zoneOf(of)), String(input['used_cents'])]]);
    // The day on which it ends counts as used; a whole period ends by itself.
    const story = storyOf(of, {
      item: metered(price),
      steps: days < length ? [...steps, canceled(last)] : steps,
      until: instantOf(addDays(start, length), zoneOf(of)),
    });
    const lines = linesOf(await book.play(story)).filter(({ kind }) => kind === 'minimum');
    return { is: sum(lines.slice(0, 1)), wanted: `${expected}` };
  },

  async discount_cents(book, of, expected: number) {
    const { input, currency } = of;
    const {
      percent,
      fixed_cents: fixed,
      base_cents: base,
      already_used_cents: before,
    } = input as Record<string, number>;
    const coupon =
      percent === undefined
        ? ({ kind: 'amount', amounts: { [currency]: String(fixed) } } as const)
        : ({ kind: 'percentage', percent: String(percent) } as const);
    const start = startOf(of);
    const item: NewItem = { description: 'base', timing: 'advance', unitPrice: String(base) };
    // What was used already was on an earlier bill.
    const steps =
      before === undefined
        ? []
        : [changed(instantOf(addDays(start, 1), zoneOf(of)), { edits: [{ kind: 'put', item }], when: 'period-end' })];
    const next = gridPoint({ anchor: startOfDay(start), interval: intervalOf(of) }, before === undefined ? 0 : 1);
    const documents = await book.play(
      storyOf(of, {
        coupon,
        item: { unitPrice: String(before ?? base) },
        steps,
        until: instantOf(next.slice(0, 10), zoneOf(of)),
      }),
    );
    const discounts = linesOf(documents.slice(-1)).filter(({ kind }) => kind === 'discount');
    return { is: (-netOf(discounts)).toString(), wanted: `${expected}` };
  },

  async amounts(book, of, expected: string | string[]) {
    const { input } = of;
    if (/percentage/.test(of.words)) {
      return { is: sum(await percentages(book, of)), wanted: inMinor(expected as string, of) };
    }
    if (Array.isArray(expected)) return { is: await byPeriod(book, of), wanted: expected.map((e) => inMinor(e, of)) };
    if (input['short_period']) return { is: sum(await shortPeriod(book, of)), wanted: inMinor(expected, of) };
    const model = /volume/.test(of.words) ? 'volume' : 'graduated';
    const told = input['units'] === undefined ? {} : rated(of, model);
    return { is: sum(await play(book, of, told)), wanted: inMinor(expected, of) };
  },

  async amount(book, of, expected: string) {
    const told = of.input['factor'] === undefined ? {} : usedFor(of);
    return { is: sum(await play(book, of, told)), wanted: inMinor(expected, of) };
  },

  async zero_length_period(book, of, expected: string) {
    return { is: sum(await charged(book, of, undefined)), wanted: inMinor(expected, of) };
  },

  async service_longer_than_full(book, of, expected: string) {
    const [from, to] = (spanOf(of) ?? []).map((each) => each.slice(0, 10));
    const service = { from: from ?? '', to: addDays(to ?? '', 1) };
    return { is: sum(await charged(book, of, service)), wanted: inMinor(expected, of) };
  },

  async mid_period(book, of, expected: string) {
    const { item = {} } = rated(of, 'volume');
    const until = instantOf(addDays(startOf(of), 15), zoneOf(of));
    const billed = await play(book, of, { timing: 'arrears', item, until });
    return { is: billed.length === 0 ? 'not billable' : 'billable', wanted: expected.split(' (')[0] };
  },

  async credit(book, of, expected: string) {
    return { is: sum(corrections(await changeOrEnd(book, of))), wanted: inMinor(expected, of) };
  },

  async charge(book, of, expected: string) {
    return { is: sum(charges(await changeLines(book, of))), wanted: inMinor(expected, of) };
  },

  async net(book, of, expected: string) {
    return { is: sum(await changeLines(book, of)), wanted: inMinor(expected, of) };
  },

  async credit_cents(book, of, expected: number) {
    return { is: sum(corrections(await changeOrEnd(book, of))), wanted: `${expected}` };
  },

  async charge_cents(book, of, expected: number) {
    return { is: sum(charges(await changeLines(book, of))), wanted: `${expected}` };
  },

  async net_cents(book, of, expected: number) {
    return { is: sum(await changeLines(book, of)), wanted: `${expected}` };
  },

  async credit_charge_net_cents(book, of, expected: number[]) {
    const lines = await changeLines(book, of);
    return { is: [corrections(lines), charges(lines), lines].map(sum), wanted: expected.map(String) };
  },

  async new_line(book, of, expected: [string, string, string]) {
    const [line] = charges(await changeLines(book, of, { steps: moveOf(of, [expected[0], expected[1]]) ?? [] }));
    return {
      is: line && [line.service.from, line.service.to, line.net],
      wanted: [expected[0], expected[1], inMinor(expected[2], of)],
    };
  },

  async credit_line(book, of, expected: [string, string, string]) {
    const [line] = corrections(await changeLines(book, of));
    return {
      is: line && [line.service.from, line.service.to, line.net],
      wanted: [expected[0], expected[1], inMinor(expected[2], of)],
    };
  },

  async used(book, of, expected: string) {
    return { is: sum(await play(book, of)), wanted: inMinor(expected, of) };
  },

  async add(book, of, expected: string) {
    const item: NewItem = { itemId: 'added', componentKey: 'added', description: 'added', timing: 'advance' };
    const unitPrice = inMinor(/add a ([\d.]+)/i.exec(of.words)?.[1] ?? '', of);
    const steps = [changed(changeAt(of), { edits: [{ kind: 'put', item: { ...item, unitPrice } }], billing: 'now' })];
    return { is: sum(await changeLines(book, of, { steps })), wanted: inMinor(expected, of) };
  },

  async remove(book, of, expected: string) {
    const unitPrice = inMinor(/remove a ([\d.]+)/i.exec(of.words)?.[1] ?? '', of);
    const items: NewItem[] = [
      { itemId: 'removed', componentKey: 'removed', description: 'removed', timing: 'advance', unitPrice },
    ];
    const steps = [changed(changeAt(of), { edits: [{ kind: 'remove', itemId: 'removed' }], billing: 'now' })];
    return { is: sum(await changeLines(book, of, { items, steps })), wanted: inMinor(expected, of) };
  },

  async advance_periods(book, of, expected: Record<string, string[][]>) {
    const lines = await play(book, of, { timing: 'advance' });
    return { is: lines.map(spanOfLine), wanted: expected[String(of.input['bcd'])] };
  },

  async arrears(book, of) {
    const services = async (timing: 'advance' | 'arrears') => (await play(book, of, { timing })).map(spanOfLine);
    return { is: await services('arrears'), wanted: (await services('advance')).slice(0, -1) };
  },

  async bill_cycle_day(book, of, expected: number) {
    const [line] = await play(book, of);
    return { is: Number(line?.service.to.slice(8)), wanted: expected };
  },

  async days(book, of, expected: number) {
    const [line] = await play(book, of, { timing: 'arrears' });
    return { is: Number(line?.rule.fraction.numerator), wanted: expected };
  },

  async second_invoice(book, of) {
    const [once, twice] = (of.input['targets'] as string[]).map((target) => instantOf(target, zoneOf(of)));
    const before = await play(book, of, { until: once ?? '' });
    return { is: (await play(book, of, { until: twice ?? '' })).length - before.length, wanted: 0 };
  },

  async first_invoice_total_cents(book, of, expected: number) {
    const [invoice] = await book.play(storyOf(of));
    return { is: withTax(netOf(invoice?.lines ?? []), BigInt(of.input['tax_rate'] as string)), wanted: `${expected}` };
  },

  async credit_note_total_cents(book, of, expected: number) {
    const note = (await book.play(storyOf(of))).find(({ kind }) => kind === 'credit-note');
    return { is: withTax(-netOf(note?.lines ?? []), BigInt(of.input['tax_rate'] as string)), wanted: `${expected}` };
  },

  async invoice_before_trial_end(book, of, expected: number) {
    const before = new Date(Date.parse(trialEndOf(of) ?? '') - 1).toISOString();
    return { is: (await book.play(storyOf(of, { until: before }))).length, wanted: expected };
  },

  async billed_after(book, of, expected: string) {
    const at = Date.parse(expected);
    const billed = async (until: number) => (await play(book, of, { until: new Date(until).toISOString() })).length;
    return { is: [await billed(at - 1), await billed(at)], wanted: [0, 1] };
  },

  async fee_cents(book, of, expected: number) {
    return { is: sum(await play(book, of)), wanted: `${expected}` };
  },

  async imagined_period(book, of, [from, to]: [string, string]) {
    const [line] = await play(book, of);
    const { denominator } = line?.rule.fraction ?? {};
    return { is: [dateOf(line), Number(denominator) / 86_400], wanted: [from, daysBetween(from, to)] };
  },

  async stub_days(book, of, expected: number) {
    const [line] = await play(book, of);
    return { is: line && daysBetween(line.service.from, line.service.to), wanted: expected };
  },

  async imagined_days(book, of, expected: number) {
    const [line] = await play(book, of);
    return { is: Number(line?.rule.fraction.denominator) / 86_400, wanted: expected };
  },

  async fraction(book, of, expected: string) {
    return { is: cyclesOf(await play(book, of)), wanted: parsed(expected.split('=')[0] ?? '') };
  },

  async totals_cents_first_as_created_now(book, of, expected: number) {
    return { is: (await creditNotes(book, of))[0], wanted: `${expected}` };
  },

  async second_total_cents(book, of, expected: number) {
    const totals = await creditNotes(book, of);
    const invoice = totals.reduce((all, each) => all + BigInt(each), 0n);
    return { is: [totals[1], invoice], wanted: [`${expected}`, BigInt(of.input['invoice_total_cents'] as number)] };
  },
};

/** An answer to an expectation of a case's reading. */
export async function answer(book: CaseBook, of: Reading, name: string, expected: unknown): Promise<Answer> {
  const answering = answers[name];
  if (!answering) throw new Error(`nothing answers "${name}"`);
  return answering(book, of, expected);
}

/** How many cycles are billed so many days beside each cycle date. */
async function cyclesAround(book: CaseBook, of: Reading, days: number): Promise<Answer> {
  const { cycles } = of.input as { cycles: number };
  const { count } = intervalOf(of);
  const enough = instantOf(addDays(startOf(of), 32 * (cycles + 1) * count), zoneOf(of));
  const dates = (await play(book, of, { until: enough })).slice(1, cycles + 1).map(({ service }) => service.from);
  const billed = [];
  for (const date of dates) {
    const until = instantOf(addDays(date, days), zoneOf(of));
    billed.push(cyclesOf(await play(book, of, { until })));
  }
  return { is: billed, wanted: dates.map((_, n) => `${n + (days < 0 ? 1 : 2)}/1`) };
}

/** Units as the quantity of an item under the price that the case describes. */
function rated(of: Reading, model: 'graduated' | 'volume'): Told {
  const { input } = of;
  return { timing: 'advance', item: { price: priceInWords(of, model), quantity: String(input['units']) } };
}

/** Blocks of units in arrears up to the end of the day on which it is canceled: what each bill comes to. */
async function usedUntilEnd(book: CaseBook, of: Reading): Promise<string[]> {
  const { records, cancel } = of.input as { records: [string, number][]; cancel: string };
  const [, price = '', size = ''] = /([\d.]+) per started block of (\d+)/.exec(of.words) ?? [];
  const item = metered({ model: 'package', packageSize: size, packagePrice: inMinor(price, of) });
  const at = (date: string) => instantOf(date, zoneOf(of));
  const lastMoment = new Date(Date.parse(at(addDays(cancel, 1))) - 1).toISOString();
  const steps = used(records.map(([date, units]) => [at(date), String(units)]));
  const started = { ...of, input: { ...of.input, start: records[0]?.[0] } };
  const documents = await book.play(storyOf(started, { item, steps: [...steps, canceled(lastMoment)] }));
  return documents.map(({ lines }) => sum(lines));
}

/** Percentages of amounts that records of usage name: those of the case, or as its words tell them. */
async function percentages(book: CaseBook, of: Reading): Promise<Line[]> {
  const { input, words } = of;
  const start = startOf(of);
  const until = instantOf(
    gridPoint({ anchor: startOfDay(start), interval: intervalOf(of) }, 1).slice(0, 10),
    zoneOf(of),
  );
  const [, all, events, rate, fee, running = ''] =
    /(\d+) units over (\d+) events, rate ([\d.]+) %, fixed ([\d.]+) per event, running totals ([\d/]+)/.exec(words) ??
    [];
  const price: Price =
    events === undefined
      ? graduatedPercentage(of)
      : {
          model: 'percentage',
          rate: String(input['rate'] ?? rate),
          ...(input['fixed'] !== null && { recordFee: inMinor(String(input['fixed'] ?? fee), of) }),
          ...(input['free_events'] && { freeRecords: Number(input['free_events']) }),
          ...(input['free_amount'] && { freeAmount: inMinor(String(input['free_amount']), of) }),
        };
  const units = (input['units'] as number | undefined) ?? Number(all);
  const totals = [0, ...running.split('/').filter(Boolean).map(Number), units];
  const values =
    events === undefined || units !== Number(all) ? [units] : totals.slice(1).map((each, i) => each - (totals[i] ?? 0));
  const day = (i: number) => instantOf(addDays(start, i), zoneOf(of));
  const steps = used(values.map((value, i) => [day(i), inMinor(value, of)]));
  return play(book, of, { item: metered(price), steps, until });
}

/** "0-10: 200 flat + 1 %; ...; 21+: 400 + 3 %" */
function graduatedPercentage(of: Reading): Price {
  const tiers = [...of.words.matchAll(/(\d+)(?:-(\d+)|\+): (\d+)(?: flat)? \+ ([\d.]+) %/g)].map(
    ([, , upTo, flat = '0', rate = '0']) => ({
      upTo: upTo === undefined ? null : inMinor(upTo, of),
      rate,
      flatFee: inMinor(flat, of),
    }),
  );
  return { model: 'graduated-percentage', tiers };
}

/** Nets by period when the second quantity begins with the second period. */
async function byPeriod(book: CaseBook, of: Reading): Promise<string[]> {
  const { quantities, periods } = of.input as { quantities: number[]; periods: string[][] };
  const [asked, effective] = [periods[0]?.[0] ?? '', periods[1]?.[0] ?? ''];
  const edits = [{ kind: 'quantity', itemId: 'base', quantity: String(quantities[1]) }] as const;
  const at = instantOf(addDays(asked, 1), zoneOf(of));
  const steps = [changed(at, { edits, when: 'period-end' })];
  const lines = await play(book, of, { steps, until: instantOf(effective, zoneOf(of)) });
  return lines.map(({ net }) => net);
}

/** A bill-cycle day moved within the period before the short one: the line of the short period. */
async function shortPeriod(book: CaseBook, of: Reading): Promise<Line[]> {
  const { short_period: span, new_bcd: dayOfMonth } = of.input as { short_period: [string, string]; new_bcd: number };
  const [from, to] = span;
  const before = { ...of, input: { ...of.input, start: addDays(from, -31), bcd: Number(from.slice(8)) } };
  const steps = [
    {
      at: instantOf(addDays(from, -1), zoneOf(of)),
      command: (id: string) => new ChangeBillingCycle(id, { anchor: { dayOfMonth }, edits: [] }, request()),
    },
  ];
  return (await play(book, before, { steps })).filter(({ service }) => service.from === from && service.to === to);
}

/** A charge that a caller adds, for a service or for a moment: never a fraction. */
async function charged(
  book: CaseBook,
  of: Reading,
  service: { from: string; to: string } | undefined,
): Promise<Line[]> {
  const charge = { lineItemId: 'charge', description: 'charge', unitPrice: priceOf(of), service };
  const at = instantOf(startOf(of), zoneOf(of));
  const steps = [{ at, command: (id: string) => new AddLineItem(id, charge, request()) }, canceled(at)];
  return (await play(book, of, { steps })).filter(({ kind }) => kind === 'one-time');
}

/** In arrears, and ended after the fraction of its period. */
function usedFor(of: Reading): Told {
  const days = Number((first(of.input, 'factor') ?? '').split('/')[0]);
  const start = toLocalDate(instantOf(startOf(of), zoneOf(of)), zoneOf(of));
  return { timing: 'arrears', steps: [canceled(instantOf(addDays(start, days), zoneOf(of)))] };
}

async function changeOrEnd(book: CaseBook, of: Reading): Promise<Line[]> {
  return endsOf(of).length > 0 ? play(book, of) : changeLines(book, of);
}

/** Items billed together and taken back one after the other: the totals of the credit notes. */
async function creditNotes(book: CaseBook, of: Reading): Promise<string[]> {
  const { items_cents: cents, invoice_total_cents: invoiced } = of.input as {
    items_cents: number[];
    invoice_total_cents: number;
  };
  const net = cents.reduce((all, each) => all + each, 0);
  const percent = BigInt((invoiced * 100) / net) - 100n;
  const ids = cents.map((_, i) => `item-${i}`);
  const [item, ...items] = cents.map((each, i): NewItem => {
    const id = ids[i] ?? '';
    return { itemId: id, componentKey: id, description: id, timing: 'advance', unitPrice: String(each) };
  });
  const at = instantOf(startOf(of), zoneOf(of));
  const steps = ids.map((itemId) => changed(at, { edits: [{ kind: 'remove', itemId }], billing: 'now' }));
  const documents = await book.play(storyOf(of, { item: item ?? {}, items, steps, timing: 'advance' }));
  const notes = documents.filter(({ kind }) => kind === 'credit-note');
  return notes.map(({ lines }) => withTax(-netOf(lines), percent));
}
