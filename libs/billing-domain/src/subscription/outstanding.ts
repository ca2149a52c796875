import { dateOf, gridPeriod, gridPoint, type Grid } from '../calendar';
import { lineId } from '../ids';
import { sameJson } from '../json';
import type { Line } from '../line';
import { rate, type Rating } from '../price/rate';
import { creditOf, fractionOf, lengthOf, prorate, usedThrough, type Moment, type Span } from '../proration';
import { ratio } from '../ratio';
import { cycleOf, isLongArrears, runUpTo } from './cycle';
import type { Item } from './events';
import { earlier, isBefore, later, momentOf, momentThen, namedBy, serviceOf, spanOf } from './moments';
import { oneTimeLines } from './one-time';
import type { StartedSubscription } from './state';

/*
 * What ought to be billed, and is not. From the timeline of terms, the last closed and the open period, and the billed lines follow
 * the charges that ought to exist; a billed line that the terms no longer ask for is cut back by a correction, what no line holds is
 * charged. Only the difference becomes lines: asked again, there is none. (billing-model.md §3, §5)
 *
 * A billed recurring line holds its item from its start up to where it was cut last. It stays as long as the terms ask for
 * the same price and quantity; a pause, which asks for nothing, leaves it as it is unless it gives a credit.
 */

/** Where a subscription stops, for now or for good, whether what is billed beyond is given back, and what ended its last period. */
export interface Stop {
  readonly at: Moment;
  readonly credit: 'none' | 'prorated';
  readonly cause: 'pause' | 'cancellation';
}

type Terms = StartedSubscription['terms'][number];

/** A stretch of time under one version of the terms; without them nothing is asked for: what is billed is held or given back. */
interface Stretch {
  readonly from: Moment;
  /** Absent: for ever. */
  readonly to?: Moment;
  readonly terms: Terms | 'hold' | 'give-back';
  readonly period?: Period;
}

interface Period extends Counted {
  readonly from: Moment;
  readonly to: Moment;
  readonly whole: Span;
  readonly open: boolean;
  readonly trial: boolean;
}

/** Where a period stands among those that are counted. */
interface Counted {
  readonly grid: Grid;
  readonly gridIndex: number;
  readonly periodNumber: number;
  /** Of its local date-times, where it is another than the subscription's. */
  readonly timeZone?: string;
  /** Where the run of periods on its grid began: local date-time and instant. */
  readonly run: { readonly from: string; readonly startsAt: string };
}

interface Piece {
  readonly item: Item;
  readonly change: number;
  readonly from: Moment;
  readonly to: Moment;
  /** What it bills a part of: one for each period, or for each cycle of an item that bills every k-th. */
  readonly cycle: string;
  readonly whole: Span;
}

/** A billed line with what its corrections left of it. */
interface Held {
  readonly line: Line;
  readonly netSoFar: bigint;
  readonly from: Moment;
  readonly to: Moment;
  readonly waived: boolean;
  /** Where it ended when it was billed. */
  readonly end: Moment;
}

/**
 * The lines that ought to exist and do not: corrections, then charges. `stop`: the subscription stops here, at the end of its last
 * period. `arrears`: all, also those of items whose cycle has not ended yet.
 */
export function outstandingLines(
  subscription: StartedSubscription,
  stop?: Stop,
  arrears: 'due' | 'all' = 'due',
): Line[] {
  const stretches = stretchesOf(subscription, stop);
  const held = heldLines(subscription);
  const corrections: Line[] = [];
  const kept = held.map((each) => {
    const cut = firstUnasked(subscription, each, stretches);
    if (!cut) return each;
    corrections.push(correction(subscription, each, cut.from, cut.terms));
    return { ...each, to: cut.from };
  });
  const charges = piecesOf(subscription, stretches, arrears).flatMap((piece) =>
    uncovered(subscription, piece, kept).map((span) => charge(subscription, piece, span)),
  );
  return [...corrections, ...charges, ...oneTimeLines(subscription)];
}

/** The time from the correction horizon on, in order: periods under their terms, pauses, and what follows. */
export function stretchesOf(subscription: StartedSubscription, stop: Stop | undefined): Stretch[] {
  const { lastClosed, openPeriod, terms, grid } = subscription;
  const periods: Period[] = [];
  if (lastClosed) {
    const run = lastClosed.run ?? lastClosed;
    periods.push(periodOf(subscription, lastClosed, lastClosed.grid, run, openPeriod ? undefined : stop));
  }
  if (openPeriod) {
    const run = runUpTo(subscription, openPeriod) ?? openPeriod;
    periods.push({ ...periodOf(subscription, openPeriod, grid, run, undefined), open: true });
  }
  const stretches: Stretch[] = [];
  for (const period of periods) {
    const end = stretches.at(-1)?.to;
    if (end) stretches.push({ from: end, to: period.from, terms: 'hold' });
    if (period.trial) {
      stretches.push({ from: period.from, to: period.to, terms: 'hold' });
      continue;
    }
    stretches.push(...termsWithin(subscription, period));
  }
  const end = periods.at(-1)?.to;
  const last = terms.at(-1);
  if (!end || !last) return stretches;
  if (openPeriod) return [...stretches, { from: end, terms: last }];
  if (!stop) return [...stretches, { from: end, terms: 'hold' }];
  const from = later(subscription, stop.at, end);
  return [
    ...stretches,
    { from: end, to: from, terms: 'hold' },
    { from, terms: stop.credit === 'prorated' ? 'give-back' : 'hold' },
  ];
}

/** A period under its terms, one version after the other. */
function termsWithin(
  subscription: StartedSubscription,
  period: Period,
): (Stretch & { readonly to: Moment; readonly terms: Terms })[] {
  const { terms } = subscription;
  return terms.flatMap((each, i) => {
    const begins = momentThen(subscription, each);
    const next = terms[i + 1];
    const from = i === 0 ? period.from : later(subscription, begins, period.from);
    const to = next ? earlier(subscription, momentThen(subscription, next), period.to) : period.to;
    return isBefore(subscription, from, to) ? [{ from, to, terms: each, period }] : [];
  });
}

function periodOf(
  subscription: StartedSubscription,
  period: {
    readonly periodNumber: number;
    readonly gridIndex: number;
    readonly kind: 'regular' | 'trial';
    readonly from: string;
    readonly to: string;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly timeZone?: string;
  },
  grid: Grid,
  { from: runFrom, startsAt }: Counted['run'],
  stop: Stop | undefined,
): Period {
  const { rules } = subscription;
  const { gridIndex, periodNumber, timeZone } = period;
  const from = { date: dateOf(period.from), at: period.startsAt };
  const planned = gridPeriod(grid, period.gridIndex);
  // A cancellation in a pause ends no period: the day of the pause stays the pause's.
  const endsEarly = stop?.cause === 'cancellation' && period.to < planned.to && period.endsAt === stop.at.at;
  const to = {
    date: endsEarly ? usedThrough(dateOf(period.to), 'cancellation', rules) : dateOf(period.to),
    at: period.endsAt,
  };
  const run = { from: runFrom, startsAt };
  const counted = { grid, gridIndex, periodNumber, run, ...(timeZone !== undefined && { timeZone }) };
  const whole = wholeOf(subscription, counted, 1);
  return { ...counted, from, to, open: false, trial: period.kind === 'trial', whole };
}

/** What a piece of a cycle is divided by: the cycle; or an imagined one that begins with the first, short piece. */
function wholeOf(
  subscription: StartedSubscription,
  { grid, gridIndex, run, timeZone = subscription.timeZone }: Counted,
  every: number,
): Span {
  const { rules, paidFrom } = subscription;
  const { from, to } = cycleOf(grid, gridIndex, every);
  const span = (begins: string, ends: string): Span => ({
    from: momentOf({ rules, timeZone }, begins),
    to: momentOf({ rules, timeZone }, ends),
  });
  if (rules.leadingStub !== 'imagined-period' || run.startsAt !== paidFrom) return span(from, to);
  if (run.from <= from || run.from >= to) return span(from, to);
  // After a move the clocks of the zone show another time at the start than the one from which local dates go on.
  return span(run.from, gridPoint({ anchor: run.from, interval: grid.interval }, every));
}

/** What is charged for which item, in advance up to the end of its cycle; arrears only of a period, and a cycle, that has ended. */
function piecesOf(subscription: StartedSubscription, stretches: readonly Stretch[], arrears: 'due' | 'all'): Piece[] {
  const pieces: Piece[] = longArrears(subscription);
  for (const { terms, period, from, to } of stretches) {
    if (typeof terms === 'string' || !period || !to) continue;
    for (const item of terms.items) {
      if (item.kind !== undefined || (period.open && item.timing === 'arrears')) continue;
      const whole = item.every === 1 ? period.whole : wholeOf(subscription, period, item.every);
      const ahead = item.every > 1 && period.open && to === period.to;
      const end = ahead ? momentOf(subscription, cycleOf(period.grid, period.gridIndex, item.every).to) : to;
      const piece = { item, from, to: end, cycle: cycleName(subscription, period, item.every), whole };
      append(pieces, { ...piece, change: terms.change }, terms.restarts === true);
    }
  }
  return arrears === 'all' ? pieces : pieces.filter((piece) => isDue(subscription, piece));
}

/** Adds a piece, or lets the one before it go on. */
function append(pieces: Piece[], piece: Piece, restarts: boolean): void {
  const before = pieces.findLast(({ item }) => item.itemId === piece.item.itemId);
  const goesOn = before?.cycle === piece.cycle && before.to.at === piece.from.at && before.to.date === piece.from.date;
  if (goesOn && !restarts && sameCharge(before.item, piece.item)) {
    pieces[pieces.indexOf(before)] = { ...before, to: piece.to };
  } else pieces.push(piece);
}

/** Of items that are billed at the end of a long cycle: what lies before the correction horizon and may be unbilled. */
function longArrears(subscription: StartedSubscription): Piece[] {
  const { lastClosed, terms } = subscription;
  if (!lastClosed || lastClosed.kind === 'trial') return [];
  const { grid, gridIndex, periodNumber, timeZone = subscription.timeZone, run = lastClosed } = lastClosed;
  const counted = { grid, gridIndex, periodNumber, run, timeZone };
  const to = { date: dateOf(lastClosed.from), at: lastClosed.startsAt };
  const pieces: Piece[] = [];
  for (const every of new Set(terms.flatMap(({ items }) => items.filter(isLongArrears).map((item) => item.every)))) {
    const since = cycleOf(grid, gridIndex, every).from;
    // A run begins at the instant at which the one before ended, whatever the clocks of its zone show then.
    const from =
      since > run.from ? momentOf({ ...subscription, timeZone }, since) : { date: dateOf(run.from), at: run.startsAt };
    const whole = wholeOf(subscription, counted, every);
    const period = { ...counted, from, to, open: false, trial: false, whole };
    for (const stretch of isBefore(subscription, from, to) ? termsWithin(subscription, period) : []) {
      for (const item of stretch.terms.items.filter((each) => isLongArrears(each) && each.every === every)) {
        const piece = {
          item,
          from: stretch.from,
          to: stretch.to,
          cycle: cycleName(subscription, period, every),
          whole,
        };
        append(pieces, { ...piece, change: stretch.terms.change }, stretch.terms.restarts === true);
      }
    }
  }
  return pieces;
}

/** Arrears of a cycle that the open period goes on, without a stop in between, are due only where the item is no more in the terms. */
function isDue(subscription: StartedSubscription, { item, cycle }: Piece): boolean {
  const { openPeriod, grid, terms } = subscription;
  if (!isLongArrears(item) || !openPeriod || !runUpTo(subscription, openPeriod)) return true;
  const inForce = terms.findLast(({ from }) => from <= openPeriod.from) ?? terms[0];
  const goesOn = inForce?.items.some(
    (each) => each.itemId === item.itemId && each.every === item.every && isLongArrears(each),
  );
  return goesOn !== true || cycleName(subscription, { ...openPeriod, grid }, item.every) !== cycle;
}

/** Of one period, or of one cycle of an item that bills every k-th; where seconds are counted, of that in one zone. */
function cycleName(
  { rules, timeZone: now }: StartedSubscription,
  { periodNumber, grid, gridIndex, timeZone = now }: Omit<Counted, 'run'>,
  every: number,
): string {
  if (every === 1) return `${periodNumber}`;
  const zone = rules.prorationUnit === 'second' ? [timeZone] : [];
  return JSON.stringify([grid, every, cycleOf(grid, gridIndex, every).index, ...zone]);
}

/** The billed recurring lines, each up to where its corrections left it. */
function heldLines(subscription: StartedSubscription): Held[] {
  const lines = subscription.billed.map(({ line }) => line);
  const correctionsOf = new Map<string, Line[]>();
  for (const line of lines) {
    if (line.kind === 'correction' && line.corrects !== undefined) {
      correctionsOf.set(line.corrects, [...(correctionsOf.get(line.corrects) ?? []), line]);
    }
  }
  return subscription.billed.flatMap(({ line, waived = false }) => {
    if (line.kind !== 'recurring') return [];
    const span = spanOf(line);
    const corrections = correctionsOf.get(line.lineId) ?? [];
    const to = corrections.map((each) => spanOf(each).from).reduce((a, b) => earlier(subscription, a, b), span.to);
    const netSoFar = corrections.reduce((sum, { net }) => sum + BigInt(net), BigInt(line.net));
    return [{ line, netSoFar, waived, from: span.from, to, end: span.to }];
  });
}

/** Where the terms first ask for something else than the line, if they do before its end. */
function firstUnasked(subscription: StartedSubscription, held: Held, stretches: readonly Stretch[]) {
  for (const { from, to, terms } of stretches) {
    if (to && !isBefore(subscription, held.from, to)) continue;
    if (!isBefore(subscription, from, held.to)) return undefined;
    if (terms === 'hold' || (terms !== 'give-back' && asksFor(subscription, terms, held.line))) continue;
    const cut = later(subscription, from, held.from);
    if (!isBefore(subscription, cut, held.to)) return undefined;
    return { from: cut, terms: terms === 'give-back' ? undefined : terms };
  }
  return undefined;
}

/** Whether these terms ask for what the line charges: its item with the same price and quantity, on the same intervals. */
function asksFor({ terms }: StartedSubscription, asked: Terms, line: Line): boolean {
  const item = asked.items.find(({ itemId }) => itemId === line.itemId);
  if (item?.kind !== undefined || line.rule.name !== item?.price.model || (line.rule.every ?? 1) !== item.every) {
    return false;
  }
  if (terms.some(({ change, restarts }) => restarts && change <= asked.change && change > line.change)) return false;
  return sameJson(ratingOf(line), rate(item.price, item));
}

/** What of a piece no line holds. */
function uncovered(subscription: StartedSubscription, piece: Piece, held: readonly Held[]): Span[] {
  let left: Span[] = [{ from: piece.from, to: piece.to }];
  for (const each of held) {
    if (each.line.itemId !== piece.item.itemId) continue;
    left = left.flatMap((span) => {
      const before = { from: span.from, to: earlier(subscription, span.to, each.from) };
      const after = { from: later(subscription, span.from, each.to), to: span.to };
      if (!isBefore(subscription, each.from, each.to)) return [span];
      return [before, after].filter(({ from, to }) => isBefore(subscription, from, to));
    });
  }
  return left.filter(({ from, to }) => isBefore(subscription, from, to));
}

function charge(subscription: StartedSubscription, { item, change, whole }: Piece, span: Span): Line {
  const { subscriptionId, rules } = subscription;
  const { itemId, description, taxCode, taxBehaviour, discountable } = item;
  const rating = rate(item.price, item);
  const fraction = fractionOf(span, whole, rules);
  const service = serviceOf(subscription, span);
  return {
    lineId: lineId(subscriptionId, itemId, 'recurring', namedBy(subscription, span), null, change),
    kind: 'recurring',
    itemId,
    description,
    service,
    ...rating,
    net: prorate(rating, fraction, rules).toString(),
    taxCode,
    taxBehaviour,
    discountable,
    change,
    rule: {
      name: item.price.model,
      fraction: { numerator: fraction.numerator.toString(), denominator: fraction.denominator.toString() },
      rounding: rules.rounding,
      ...(item.every > 1 && { every: item.every }),
      ...namedRules(subscription, span),
    },
    metadata: {},
  };
}

/** Cuts a line back to a moment. */
function correction(subscription: StartedSubscription, held: Held, cut: Moment, terms: Terms | undefined): Line {
  const { subscriptionId, rules } = subscription;
  const { line, netSoFar } = held;
  const removed = { from: cut, to: held.to };
  const service = serviceOf(subscription, removed);
  const change = terms?.change ?? subscription.terms.at(-1)?.change ?? 0;
  const divisor = BigInt(line.rule.fraction.denominator);
  const upTo = (to: Moment) => least(BigInt(lengthOf({ from: held.from, to }, rules)), divisor);
  const kept = upTo(cut);
  // A piece within the 31st of a month of 30 days has no length, and costs nothing.
  const length = most(upTo(held.end), 1n);
  const heldSoFar = upTo(held.to);
  const current = currentRating(subscription, held, cut);
  const net = creditOf(
    { rating: ratingOf(line), net: BigInt(line.net), netSoFar, length, heldSoFar, kept, divisor, current },
    rules,
  );
  const credit = rules.creditBasis ?? 're-rate';
  const fractions = {
    're-rate': ratio(kept, divisor),
    billed: ratio(heldSoFar - kept, length),
    'current-price': ratio(heldSoFar - kept, divisor),
  };
  const { numerator, denominator } = fractions[credit];
  const { parts, ...whole } = line;
  return {
    ...whole,
    ...(credit === 'current-price' ? current : parts && { parts }),
    lineId: lineId(
      subscriptionId,
      line.itemId ?? '',
      'correction',
      namedBy(subscription, removed),
      line.lineId,
      change,
    ),
    kind: 'correction',
    service,
    // What was waived costs nothing, whatever becomes of it.
    net: held.waived ? '0' : net.toString(),
    corrects: line.lineId,
    change,
    rule: {
      name: line.rule.name,
      fraction: { numerator: numerator.toString(), denominator: denominator.toString() },
      rounding: rules.rounding,
      ...(line.rule.every !== undefined && { every: line.rule.every }),
      ...namedRules(subscription, removed),
      credit: { basis: credit, netSoFar: netSoFar.toString(), ...(held.waived && { waived: true }) },
    },
  };
}

/**
 * The price of the line's item in force where it is cut; that of the line itself when nothing of it is kept, and where the terms
 * before are kept no more: they asked for the line up to there.
 */
function currentRating(subscription: StartedSubscription, { line, from }: Held, cut: Moment): Rating {
  if (!isBefore(subscription, from, cut)) return ratingOf(line);
  const { terms } = subscription;
  const before = terms.findLast((each) => isBefore(subscription, momentThen(subscription, each), cut));
  const item = before?.items.find(({ itemId }) => itemId === line.itemId);
  return item ? rate(item.price, { quantity: line.quantity }) : ratingOf(line);
}

function ratingOf({ quantity, unitPrice, parts }: Line): Rating {
  return { quantity, unitPrice, ...(parts && { parts }) };
}

/** What differs from the defaults, so that a line says by itself how its net came about. */
function namedRules({ rules }: StartedSubscription, span: Span): Partial<Line['rule']> {
  return {
    ...(rules.roundedPer && { roundedPer: rules.roundedPer }),
    ...(rules.fractionDigits !== undefined && { fractionDigits: rules.fractionDigits }),
    ...(rules.prorationUnit === 'second' && { instants: { from: span.from.at, to: span.to.at } }),
  };
}

/** Whether two versions of an item cost the same. */
function sameCharge(a: Item, b: Item): boolean {
  return a.quantity === b.quantity && a.timing === b.timing && a.every === b.every && sameJson(a.price, b.price);
}

const least = (a: bigint, b: bigint) => (a < b ? a : b);
const most = (a: bigint, b: bigint) => (a > b ? a : b);
