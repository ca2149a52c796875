import type { Item, Line, LinesBilled, SubscriptionEvent, UsageEvent } from '@perennial/billing-domain';
import { NaiveDiscounts, type ClosedPeriod } from './naive-discounts';
import { NaiveHistory, type Tick } from './naive-history';
import { EXACT, priced, rounded, UNIT, units, type Tiered } from './naive-price';
import { NaiveUsage, toldUsage } from './naive-usage';

/*
 * A second calculator, deliberately naive: it walks a subscription day by day (second by second where the rules count so), works out
 * each line that was billed from the terms as they were known then, and at the end what the final terms ask for. Of the domain it
 * uses Money's decimals and the calendar, and nothing that rates, prorates or decides what is outstanding.
 */

export interface Recomputed {
  /** Where the lines differ from what this calculator comes to; empty when they agree. */
  readonly differences: readonly string[];
  /** What the final terms, the line items and the corrections ask for in all, without what was waived: minor units by currency. */
  readonly asked: ReadonlyMap<string, bigint>;
  /** How often each kind of line, price model and rule was recomputed. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A billed charge, and what its corrections have left of it. */
interface Held {
  readonly line: Line;
  readonly from: Tick;
  readonly end: Tick;
  to: Tick;
  net: bigint;
  waived: boolean;
}

/** A one-time item that was charged. */
interface Fee {
  readonly line: Line;
  back: boolean;
  waived: boolean;
}

/** Periods that lines can still reach into, with those that pauses cut. */
const RECENT = 16;

/** Recomputes every bill of a subscription from its events, in order, and the events of its usage, period by period. */
export function recompute(
  events: readonly SubscriptionEvent[],
  usage: readonly (readonly UsageEvent[])[] = [],
): Recomputed {
  const calculator = new NaiveCalculator(new NaiveUsage(usage));
  events.forEach((event) => calculator.apply(event));
  calculator.finish();
  return calculator;
}

class NaiveCalculator implements Recomputed {
  readonly differences: string[] = [];
  readonly counts = new Map<string, number>();
  readonly asked = new Map<string, bigint>();
  /** By line. */
  private readonly currencies = new Map<string, string>();
  private readonly history = new NaiveHistory();
  private readonly held: Held[] = [];
  /** Those that may still be charged anew: that end after the period before the last began. */
  private recent: Held[] = [];
  private readonly added = new Map<string, Line>();
  private readonly billed = new Map<string, Line>();
  private readonly fees: Fee[] = [];
  private readonly waived = new Set<string>();
  private readonly discounts = new NaiveDiscounts();
  /** Usage lines that the next bill must have, in words. */
  private usageDue: string[] = [];

  constructor(private readonly usage: NaiveUsage) {}

  apply(event: SubscriptionEvent): void {
    this.history.apply(event);
    this.discounts.apply(event);
    this.count(`event ${event.type}`);
    if (event.type === 'BillingPeriodClosed' && event.data.usageDueAt === undefined) this.expectUsage(event.data);
    if (event.type === 'UsageBilled') this.expectUsage(event.data);
    if (event.type === 'LineItemAdded') this.added.set(event.data.lineItemId, event.data.line);
    if (event.type === 'LineItemsAdded')
      for (const line of event.data.lines) this.added.set(line.lineItemId ?? '', line);
    if (event.type === 'LineItemVoided') this.added.delete(event.data.lineItemId);
    if (event.type === 'BillReleased' && !event.data.rebill) this.waive(new Set(event.data.lineIds));
    if (event.type !== 'LinesBilled') return;
    const { lines, net, cause, billNumber } = event.data;
    this.count(`bill ${cause}`);
    const total = lines.reduce((sum, line) => sum + BigInt(line.net), 0n);
    if (total.toString() !== net) this.differ(`bill ${billNumber} says ${net}, its lines ${total}`);
    if (cause === 'rebill') return this.billedAgain(event.data);
    for (const line of lines) {
      if (this.billed.has(line.lineId)) this.differ(`${line.lineId} is on two bills`);
      this.billed.set(line.lineId, line);
      this.currencies.set(line.lineId, event.data.currency);
    }
    for (const line of lines) this.line(line, lines);
    const measured = lines.filter(({ kind }) => kind === 'usage').map(toldUsage);
    if (JSON.stringify(measured) !== JSON.stringify(this.usageDue))
      this.differ(`bill ${billNumber} has usage ${measured.join(', ')}; should be ${this.usageDue.join(', ')}`);
    this.usageDue = [];
    const itemIds = (keys: readonly string[]) => this.history.itemsOf(keys);
    for (const each of this.discounts.bill(event.data, itemIds, this.lastClosed())) this.differ(each);
    this.coverage();
    this.feesAsked();
  }

  finish(): void {
    for (const { line, net } of this.held) this.ask(line, net);
    if (this.usageDue.length > 0) this.differ(`usage that was never billed: ${this.usageDue.join(', ')}`);
  }

  private expectUsage({ periodNumber }: { readonly periodNumber: number }): void {
    const period = this.history.periods.find(({ opened }) => opened.periodNumber === periodNumber);
    if (period) this.usageDue = this.usage.linesOf(this.history, period);
  }

  private differ(what: string): void {
    this.differences.push(what);
  }

  private ask({ lineId, net }: Line, amount = BigInt(net)): void {
    const currency = this.currencies.get(lineId) ?? '';
    this.asked.set(currency, (this.asked.get(currency) ?? 0n) + amount);
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** What is waived is asked for no more, and what is taken off it later gives nothing back. */
  private waive(lineIds: ReadonlySet<string>): void {
    for (const lineId of lineIds) {
      this.waived.add(lineId);
      const line = this.billed.get(lineId);
      if (line) this.ask(line, -BigInt(line.net));
      const held = this.held.find((each) => each.line.lineId === lineId);
      if (held) held.waived = true;
      const fee = this.fees.find(({ line }) => line.lineId === lineId);
      if (fee) fee.waived = true;
    }
  }

  private billedAgain({ lines, billNumber }: LinesBilled['data']): void {
    this.count('rebill');
    for (const line of lines) {
      if (JSON.stringify(this.billed.get(line.lineId)) !== JSON.stringify(line))
        this.differ(`bill ${billNumber} bills ${line.lineId} again, and it is not the same`);
    }
  }

  private line(line: Line, bill: readonly Line[]): void {
    this.count(`line ${line.kind}`);
    this.count(`price ${line.rule.name}`);
    if (line.rule.every !== undefined) this.count(`every ${line.rule.every}`);
    if (line.rule.fees !== undefined) this.trueUp(line, bill);
    else if (line.rule.discount !== undefined) this.ask(line);
    else if (line.kind === 'recurring') this.charge(line);
    else if (line.kind === 'usage') this.metered(line);
    else if (line.kind === 'one-time' && line.itemId !== undefined) this.fee(line);
    else if (line.kind === 'one-time') this.oneTime(line);
    else if (line.kind === 'correction' && this.fees.some((fee) => fee.line.lineId === line.corrects))
      this.feeBack(line);
    else if (line.kind === 'correction') this.correction(line);
    else this.differ(`nobody has worked out ${told(line)} (of ${bill.length} lines)`);
  }

  /** A line item is billed as it was added, at its own price. */
  private oneTime(line: Line): void {
    const added = line.lineItemId === undefined ? undefined : this.added.get(line.lineItemId);
    if (JSON.stringify(added) !== JSON.stringify(line))
      this.differ(`line item ${line.lineItemId} is not as it was added`);
    const net = rounded(units(line.quantity) * units(line.unitPrice), EXACT);
    if (net.toString() !== line.net) this.differ(`line item ${line.lineItemId}: ${line.net}, should be ${net}`);
    this.ask(line);
  }

  /** Its words are compared with those of all of the bill; here what is counted of it. */
  private metered(line: Line): void {
    this.ask(line);
    const item = this.history.itemCalled(line.itemId ?? '');
    this.count(`meter ${item?.meter?.aggregation}`);
  }

  /** A fee is charged once, whole, for the day on which its item comes into terms that are paid for. */
  private fee(line: Line): void {
    this.ask(line);
    const asked = this.history
      .feesAsked()
      .find((each) => each.item.itemId === line.itemId && each.on === line.service.from);
    if (!asked || !sameRate(line, asked.item)) return this.differ(`${told(line)}: nobody asks for this fee`);
    const net = this.amount(tiersOf(line), 1, 1);
    if (net.toString() !== line.net) this.differ(`${told(line)}: should be ${net}`);
    if (this.fees.some((each) => !each.back && each.line.itemId === line.itemId && each.line.service.from === asked.on))
      this.differ(`${told(line)}: it is charged twice`);
    this.fees.push({ line, back: false, waived: false });
  }

  /** A fee that is asked for no more is given back whole. */
  private feeBack(line: Line): void {
    this.ask(line);
    const fee = this.fees.find((each) => each.line.lineId === line.corrects);
    if (!fee || fee.back) return this.differ(`${told(line)}: it was given back before`);
    fee.back = true;
    const net = fee.waived ? 0n : -BigInt(fee.line.net);
    if (net.toString() !== line.net) this.differ(`${told(line)}: should be ${net}`);
    if (this.stillAskedFee(fee.line)) this.differ(`${told(line)}: the fee is still asked for`);
    this.count('fee given back');
  }

  private stillAskedFee(line: Line): boolean {
    return this.history
      .feesAsked()
      .some(({ item, on }) => item.itemId === line.itemId && on === line.service.from && sameRate(line, item));
  }

  /** Every fee of the last two periods that is due is charged. */
  private feesAsked(): void {
    for (const { item, on, due } of this.history.feesAsked()) {
      if (!due || this.fees.some(({ line, back }) => !back && line.itemId === item.itemId && line.service.from === on))
        continue;
      this.differ(`the fee ${item.itemId} of ${on} is asked for, and not charged`);
    }
  }

  /** Each tick of a charge is asked for at that price and quantity, and the net is so many ticks of the whole period. */
  private charge(line: Line): void {
    const { history } = this;
    const [from, to] = history.spanOf(line);
    const period = history.periodAt(from) ?? history.openBefore(from);
    if (!period) return this.differ(`${told(line)}: charged for when there is no period`);
    for (const tick of this.ticks(from, to)) {
      const asked = history.asked(line.itemId ?? '', tick);
      const ahead = asked.status === 'if-billed' && asked.item.timing === 'advance' && asked.item.every > 1;
      if ((asked.status !== 'asked' && !ahead) || !sameRate(line, asked.item))
        return this.differ(`${told(line)}: nobody asks for this at ${tick} (${asked.status})`);
    }
    const whole = history.wholeOf(period, line.rule.every);
    if (line.rule.fraction.denominator !== `${whole}`)
      this.differ(`${told(line)}: of ${line.rule.fraction.denominator}, should be of ${whole}`);
    const net = this.amount(tiersOf(line), this.weight(from, to, whole), whole);
    if (net.toString() !== line.net) this.differ(`${told(line)}: should be ${net}`);
    const held: Held = { line, from, end: to, to, net: BigInt(line.net), waived: false };
    this.held.push(held);
    this.recent.push(held);
    for (const rule of Object.entries(history.rules)) this.count(`rule ${rule.join(' ')}`);
  }

  /** A charge is cut where nobody asks for it any more, and gives back what the rules say. */
  private correction(line: Line): void {
    const { history } = this;
    const held = this.held.findLast((each) => each.line.lineId === line.corrects);
    if (!held) return this.differ(`${told(line)}: corrects nothing that is known`);
    const [cut, end] = history.spanOf(line);
    if (held.to !== end) this.differ(`${told(line)}: ends at ${end}, where ${held.to} is left`);
    if (this.stillAsked(held, cut)) this.differ(`${told(line)}: it is still asked for`);
    const whole = BigInt(held.line.rule.fraction.denominator);
    const [kept, before, length] = [cut, held.to, held.end].map((to) => this.weight(held.from, to, Number(whole)));
    const { creditBasis } = history.rules;
    let net: bigint;
    if (held.waived) net = 0n;
    else if (creditBasis === undefined) net = this.amount(tiersOf(held.line), kept ?? 0, Number(whole)) - held.net;
    else {
      const removed = (before ?? 0) - (kept ?? 0);
      const back =
        creditBasis === 'billed'
          ? this.share(BigInt(held.line.net), removed, Math.max(length ?? 1, 1))
          : this.amount(this.inForce(held, cut), removed, Number(whole));
      if (creditBasis === 'current-price' && sumOf(tiersOf(line)) !== sumOf(this.inForce(held, cut)))
        this.differ(`${told(line)}: states another price than it is credited at`);
      net = back > held.net ? -held.net : -back;
    }
    if (net.toString() !== line.net) this.differ(`${told(line)}: should be ${net}`);
    if (line.rule.credit?.netSoFar !== held.net.toString()) this.differ(`${told(line)}: of ${held.net} so far`);
    this.count(`credit ${creditBasis ?? 're-rate'}`);
    Object.assign(held, { to: cut, net: held.net + BigInt(line.net) });
  }

  /** What a closed period is short of its minimum, or above its maximum, when all that it was charged is counted day by day. */
  private trueUp(line: Line, bill: readonly Line[]): void {
    const { history } = this;
    this.ask(line);
    const whole = history.periods.findLast(({ closed }) => closed);
    if (!whole) return this.differ(`${told(line)}: of no period`);
    const [from, to] = history.actual(whole);
    const ticks = this.ticks(from, to);
    const known = [...this.billed.values()].filter((each) => each.lineId !== line.lineId);
    const itemTrueUps = bill.filter((each) => each.rule.fees !== undefined && each.itemId !== undefined);
    const later = (each: Line) => line.itemId !== undefined && itemTrueUps.indexOf(each) > itemTrueUps.indexOf(line);
    const mine = known.filter((each) => line.itemId === undefined || each.itemId === line.itemId);
    const counted = mine
      .filter((each) => !later(each) && counts(each, line))
      .map((each) => ({
        waived: this.waived.has(each.lineId),
        fee: each.rule.fees === undefined ? this.within(each, from, to, whole.opened.periodNumber) : BigInt(each.net),
      }));
    const fees = counted.reduce((sum, { fee }) => sum + fee, 0n);
    const charged = counted.reduce((sum, { waived, fee }) => (waived ? sum : sum + fee), 0n);
    const before = mine.filter(
      (each) => each.rule.fees !== undefined && each.itemId === line.itemId && inside(each, line),
    );
    if (before[0] && this.waived.has(before[0].lineId)) this.differ(`${told(line)}: what it corrects is waived`);
    const soFar = before.reduce((sum, each) => sum + BigInt(each.net), 0n);
    // What nobody is charged for counts towards a minimum alone.
    const compared = line.rule.name === 'maximum' ? charged : fees;
    if (line.rule.fees !== compared.toString()) this.differ(`${told(line)}: the fees are ${compared}`);
    const asked = (which: 'minimum' | 'maximum') => {
      const bounds = ticks.map((tick) => [tick, history.bound(line.itemId, tick, which)] as const);
      if (bounds.every(([, each]) => each === undefined)) return undefined;
      if (
        which === 'maximum' &&
        bounds.some(([tick, each]) => each === undefined && history.hasItem(line.itemId, tick))
      )
        return undefined;
      return this.bound(bounds, to, history.wholeOf(whole));
    };
    const [minimum, maximum] = [asked('minimum'), asked('maximum')];
    const missing = minimum !== undefined && fees < minimum ? minimum - fees : 0n;
    const above = maximum !== undefined && charged > maximum ? maximum - charged : 0n;
    const net = missing + above - soFar;
    // A bound that changed within the period is a sum of roundings of a fraction, where the rules round fractions.
    const off = net - BigInt(line.net);
    const near = history.rules.fractionDigits === undefined ? 0n : 1n;
    if (off > near || off < -near) this.differ(`${told(line)}: should be ${net}`);
  }

  /** A bound for the ticks that it holds: Σ days × bound ÷ days of the whole period, rounded once. */
  private bound(bounds: readonly (readonly [Tick, string | undefined])[], to: Tick, whole: number): bigint {
    const lengths = bounds.map(([tick], i) => this.history.weight(tick, bounds[i + 1]?.[0] ?? to));
    const held = bounds.map(([, each], i) => (each === undefined ? 0 : (lengths[i] ?? 0)));
    const length = held.reduce((sum, each) => sum + each, 0);
    const of = new Set(bounds.flatMap(([, each]) => (each === undefined ? [] : [each])));
    const [only] = of;
    if (of.size === 1 && only !== undefined)
      return this.amount(new Map([[0, UNIT * units(only)]]), Math.min(length, whole), whole);
    const sum = bounds.reduce((all, [, each], i) => all + BigInt(held[i] ?? 0) * units(each ?? '0'), 0n);
    return rounded(sum * UNIT, EXACT * BigInt(whole));
  }

  private lastClosed(): ClosedPeriod | undefined {
    const period = this.history.periods.findLast(({ closed }) => closed);
    if (!period) return undefined;
    const { periodNumber } = period.opened;
    const [from, to] = this.history.actual(period);
    return { periodNumber, share: (line) => this.within(line, from, to, periodNumber) };
  }

  /** The share of a line's net that falls into a stretch of ticks: what it comes to by its end less what it came to by its start. */
  private within(line: Line, from: Tick, to: Tick, periodNumber: number): bigint {
    if (line.rule.usage) return line.rule.usage.periodNumber === periodNumber ? BigInt(line.net) : 0n;
    const [begins, ends] = this.history.spanOf(line);
    if (begins >= to || ends <= from) return 0n;
    const upTo = (tick: Tick) => rounded(BigInt(line.net) * BigInt(tick - begins), BigInt(ends - begins));
    return upTo(Math.min(to, ends)) - upTo(Math.max(from, begins));
  }

  /** Whether the terms still ask, where a line is cut, for what it charges. */
  private stillAsked({ line }: Held, cut: Tick): boolean {
    const asked = this.history.asked(line.itemId ?? '', cut);
    if (asked.status === 'nothing') return false;
    if (asked.status === 'held') return true;
    const restarted = this.history.terms.some(
      (terms) => terms.restarts && terms.change > line.change && this.history.begins(terms) <= cut,
    );
    return 'item' in asked && sameRate(line, asked.item) && !restarted;
  }

  /** What the line's quantity costs at the price in force where it is cut; at its own when nothing of it is kept. */
  private inForce({ line, from }: Held, cut: Tick): Tiered {
    if (from >= cut) return tiersOf(line);
    const { terms } = this.history;
    const before = terms.findLast((each) => this.history.begins(each) < cut) ?? terms[0];
    const item = before?.items.find(({ itemId }) => itemId === line.itemId);
    return item ? priced(item.price, line.quantity) : tiersOf(line);
  }

  /** What the lines hold, tick by tick, is what the terms ask for: never twice, never too little. */
  private coverage(): void {
    const { history } = this;
    const horizon = history.periods.at(-2) ?? history.periods[0];
    const last = history.periods.at(-1);
    if (!horizon || !last) return;
    const [from] = history.actual(horizon);
    const held = (this.recent = this.recent.filter((each) => each.end > from));
    const items = new Set([
      ...held.map(({ line }) => line.itemId ?? ''),
      ...history.terms.flatMap((terms) => terms.items.map(({ itemId }) => itemId)),
    ]);
    const to = Math.max(history.actual(last)[1], ...held.map((each) => each.to));
    for (const itemId of items) {
      const lines = held.filter((each) => each.line.itemId === itemId && each.to > from && each.from < each.to);
      for (const tick of this.ticks(from, to)) {
        const here = lines.filter((each) => each.from <= tick && tick < each.to);
        const asked = history.asked(itemId, tick);
        if (here.length > 1) this.differ(`${itemId} is charged ${here.length} times at ${tick}`);
        const [only] = here;
        if (!only && asked.status === 'asked') this.differ(`${itemId} is asked for at ${tick}, and not charged`);
        if (only && asked.status === 'nothing') this.differ(`${itemId} is charged at ${tick}, and not asked for`);
        if (only && 'item' in asked && !sameRate(only.line, asked.item))
          this.differ(`${itemId} is charged at ${tick} by ${told(only.line)}, and asked for otherwise`);
      }
    }
  }

  /** Every day; where seconds count, every second at which anything begins or ends. */
  private ticks(from: Tick, to: Tick): Tick[] {
    if (!this.history.seconds) return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
    const { periods, terms } = this.history;
    const points = [
      from,
      ...periods.slice(-RECENT).flatMap((period) => this.history.actual(period)),
      ...terms.map((each) => this.history.begins(each)),
      ...this.recent.flatMap((each) => [each.from, each.to]),
    ];
    return [...new Set(points)].filter((tick) => tick >= from && tick < to).sort((a, b) => a - b);
  }

  /** Ticks as they count, at most the whole. */
  private weight(from: Tick, to: Tick, whole: number): number {
    return Math.min(this.history.weight(from, to), whole);
  }

  /** Amounts over some of the whole, rounded once, or once for each tier. */
  private amount(tiers: Tiered, some: number, whole: number): bigint {
    const amounts = this.history.rules.roundedPer === 'tier' ? [...tiers.values()] : [sumOf(tiers)];
    return amounts.reduce((sum, exact) => {
      const [n, d] = this.fraction(some, whole);
      return sum + rounded(exact * n, EXACT * d);
    }, 0n);
  }

  private share(net: bigint, some: number, whole: number): bigint {
    const [n, d] = this.fraction(some, whole);
    return rounded(net * n, d);
  }

  /** Exact, or to so many digits. */
  private fraction(some: number, whole: number): [bigint, bigint] {
    const digits = this.history.rules.fractionDigits;
    if (digits === undefined) return [BigInt(some), BigInt(whole)];
    const power = 10n ** BigInt(digits);
    return [rounded(BigInt(some) * power, BigInt(whole)), power];
  }
}

const sumOf = (tiers: Tiered) => [...tiers.values()].reduce((sum, each) => sum + each, 0n);

/** Exact amounts by tier, as a line states them. */
function tiersOf({ quantity, unitPrice, parts }: Line): Tiered {
  if (!parts) return new Map([[0, units(quantity) * units(unitPrice)]]);
  const tiers = new Map<number, bigint>();
  for (const part of parts) {
    const amount = units(part.quantity) * units(part.unitPrice);
    tiers.set(part.tier, (tiers.get(part.tier) ?? 0n) + amount);
  }
  return tiers;
}

/** What has been compared: a day-by-day walk asks the same of the same line and item each day. */
const compared = new WeakMap<Line, WeakMap<Item, boolean>>();

/** Whether a line states the price, and what the quantity comes to, of an item of the terms. */
function sameRate(line: Line, item: Item): boolean {
  const known = compared.get(line) ?? new WeakMap<Item, boolean>();
  compared.set(line, known);
  const same = known.get(item) ?? comparedOnce(line, item);
  known.set(item, same);
  return same;
}

function comparedOnce(line: Line, item: Item): boolean {
  if (line.quantity !== item.quantity || line.rule.name !== item.price.model) return false;
  if ((line.rule.every ?? 1) !== item.every) return false;
  const { price } = item;
  if ('unitPrice' in price && price.unitPrice !== line.unitPrice) return false;
  if (line.parts?.some((part) => part.unitPrice !== priceOfPart(price, part))) return false;
  const [stated, own] = [tiersOf(line), priced(price, item.quantity)];
  // A flat fee of 0 is stated too: without it the price is another one, though it comes to the same.
  const feesOf = (tiers: Iterable<number>) =>
    'tiers' in price ? [...tiers].filter((tier) => price.tiers[tier]?.flatFee !== undefined).length : 0;
  if ((line.parts ?? []).filter(({ per }) => per === 'flat-fee').length !== feesOf(own.keys())) return false;
  return [...own].every(([tier, amount]) => (stated.get(tier) ?? 0n) === amount) && sumOf(stated) === sumOf(own);
}

/** What a price says of a part of the line that charges it. */
function priceOfPart(price: Item['price'], { tier, per }: NonNullable<Line['parts']>[number]): string | undefined {
  if (price.model === 'package') return price.packagePrice;
  if (price.model !== 'graduated' && price.model !== 'volume') return undefined;
  const of = price.tiers[tier];
  return per === 'flat-fee' ? of?.flatFee : of?.unitPrice;
}

function inside(line: Line, of: Line): boolean {
  const [a, b] =
    line.rule.instants && of.rule.instants ? [line.rule.instants, of.rule.instants] : [line.service, of.service];
  return a.from >= b.from && a.to <= b.to;
}

/** Whether a line is a fee of what a minimum or maximum is about: recurring or usage, its corrections, and the true-ups of items. */
function counts(line: Line, of: Line): boolean {
  if (line.rule.fees !== undefined) return of.itemId === undefined && line.itemId !== undefined && inside(line, of);
  if (line.rule.discount !== undefined) return false;
  return line.kind === 'recurring' || line.kind === 'usage' || line.kind === 'correction';
}

const told = (line: Line) =>
  `${line.kind} of ${line.itemId} ${line.service.from}..${line.service.to} ${line.quantity} × ${line.unitPrice} × ${line.rule.fraction.numerator}/${line.rule.fraction.denominator} = ${line.net}`;
