import { addDays, dateOf, gridPeriod, gridPoint, toInstant, type Grid } from '../calendar';
import { lineId } from '../ids';
import { sameJson } from '../json';
import type { Line } from '../line';
import { rate, type Rating } from '../price/rate';
import { creditOf, fractionOf, lengthOf, prorate, usedThrough, type Moment, type Span } from '../proration';
import { ratio } from '../ratio';
import type { Item } from './events';
import type { StartedSubscription } from './state';

/*
 * What ought to be billed, and is not. From the timeline of terms, the last closed and the open period, and the billed lines follow
 * the charges that ought to exist; a billed line that the terms no longer ask for is cut back by a correction, what no line holds is
 * charged. Only the difference becomes lines: asked again, there is none. (billing-model.md §3, §5)
 *
 * A billed recurring line holds its item from its start up to where it was cut last. It stays as long as the terms ask for
 * the same price and quantity; a pause, which asks for nothing, leaves it as it is unless it gives a credit.
 */

/** Where a subscription stops, for now or for good, and whether what is billed beyond is given back. */
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

interface Period {
  readonly from: Moment;
  readonly to: Moment;
  readonly whole: Span;
  readonly open: boolean;
  readonly trial: boolean;
}

interface Piece {
  readonly item: Item;
  readonly change: number;
  readonly from: Moment;
  readonly to: Moment;
  readonly period: Period;
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

/** The lines that ought to exist and do not: corrections, then charges. `stop`: the subscription stops here, at the end of its last period. */
export function outstandingLines(subscription: StartedSubscription, stop?: Stop): Line[] {
  const stretches = stretchesOf(subscription, stop);
  const held = heldLines(subscription);
  const corrections: Line[] = [];
  const kept = held.map((each) => {
    const cut = firstUnasked(subscription, each, stretches);
    if (!cut) return each;
    corrections.push(correction(subscription, each, cut.from, cut.terms));
    return { ...each, to: cut.from };
  });
  const charges = piecesOf(stretches).flatMap((piece) =>
    uncovered(subscription, piece, kept).map((span) => charge(subscription, piece, span)),
  );
  return [...corrections, ...charges];
}

/** The time from the correction horizon on, in order: periods under their terms, pauses, and what follows. */
export function stretchesOf(subscription: StartedSubscription, stop: Stop | undefined): Stretch[] {
  const { lastClosed, openPeriod, terms, grid } = subscription;
  const periods: Period[] = [];
  if (lastClosed)
    periods.push(periodOf(subscription, lastClosed, lastClosed.grid, false, openPeriod ? undefined : stop));
  if (openPeriod) periods.push(periodOf(subscription, openPeriod, grid, true, undefined));
  const stretches: Stretch[] = [];
  for (const period of periods) {
    const end = stretches.at(-1)?.to;
    if (end) stretches.push({ from: end, to: period.from, terms: 'hold' });
    if (period.trial) {
      stretches.push({ from: period.from, to: period.to, terms: 'hold' });
      continue;
    }
    terms.forEach((each, i) => {
      const begins = momentOf(subscription, each.from);
      const next = terms[i + 1];
      const from = i === 0 ? period.from : later(subscription, begins, period.from);
      const to = next ? earlier(subscription, momentOf(subscription, next.from), period.to) : period.to;
      if (isBefore(subscription, from, to)) stretches.push({ from, to, terms: each, period });
    });
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
  },
  grid: Grid,
  open: boolean,
  stop: Stop | undefined,
): Period {
  const { rules, timeZone } = subscription;
  const from = { date: dateOf(period.from), at: period.startsAt };
  const planned = gridPeriod(grid, period.gridIndex);
  // A cancellation in a pause ends no period: the day of the pause stays the pause's.
  const endsEarly = stop?.cause === 'cancellation' && period.to < planned.to && period.endsAt === stop.at.at;
  const to = {
    date: endsEarly ? usedThrough(dateOf(period.to), 'cancellation', rules) : dateOf(period.to),
    at: period.endsAt,
  };
  const first = period.startsAt === subscription.paidFrom;
  const stub = rules.leadingStub === 'imagined-period' && first && period.from > planned.from;
  const whole = stub
    ? { from: period.from, to: gridPoint({ anchor: period.from, interval: grid.interval }, 1) }
    : planned;
  return { from, to, open, trial: period.kind === 'trial', whole: { from: local(whole.from), to: local(whole.to) } };

  function local(text: string): Moment {
    return { date: dateOf(text), at: rules.prorationUnit === 'second' ? toInstant(text, timeZone) : '' };
  }
}

/** What is charged for which item in which period; arrears only of a period that has ended. */
function piecesOf(stretches: readonly Stretch[]): Piece[] {
  const pieces: Piece[] = [];
  for (const { terms, period, from, to } of stretches) {
    if (typeof terms === 'string' || !period || !to) continue;
    for (const item of terms.items) {
      if (item.kind === 'usage' || (period.open && item.timing === 'arrears')) continue;
      const before = pieces.findLast((piece) => piece.item.itemId === item.itemId);
      const goesOn = before?.period === period && before.to.at === from.at && before.to.date === from.date;
      if (goesOn && terms.restarts !== true && sameCharge(before.item, item)) {
        pieces[pieces.indexOf(before)] = { ...before, to };
      } else pieces.push({ item, change: terms.change, from, to, period });
    }
  }
  return pieces;
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
  if (!item || line.rule.name !== item.price.model) return false;
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

function charge(subscription: StartedSubscription, { item, change, period }: Piece, span: Span): Line {
  const { subscriptionId, rules } = subscription;
  const { itemId, description, taxCode, taxBehaviour, discountable } = item;
  const rating = rate(item.price, item);
  const fraction = fractionOf(span, period.whole, rules);
  const service = serviceOf(subscription, span);
  return {
    lineId: lineId(subscriptionId, itemId, 'recurring', service, null, change),
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
  const length = upTo(held.end);
  const heldSoFar = upTo(held.to);
  const current = currentRating(subscription, line, terms?.change);
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
  return {
    ...line,
    lineId: lineId(subscriptionId, line.itemId ?? '', 'correction', service, line.lineId, change),
    kind: 'correction',
    service,
    ...(credit === 'current-price' && current),
    // What was waived costs nothing, whatever becomes of it.
    net: held.waived ? '0' : net.toString(),
    corrects: line.lineId,
    change,
    rule: {
      name: line.rule.name,
      fraction: { numerator: numerator.toString(), denominator: denominator.toString() },
      rounding: rules.rounding,
      ...namedRules(subscription, removed),
      credit: { basis: credit, netSoFar: netSoFar.toString(), ...(held.waived && { waived: true }) },
    },
  };
}

/** The price of the line's item in force before a change, or now: for the rule that credits at that price. */
function currentRating({ terms }: StartedSubscription, line: Line, change = Infinity): Rating {
  const before = terms.findLast((each) => each.change < change) ?? terms[0];
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

/** Local dates, half-open; a span that is counted in seconds covers each date that it touches. */
export function serviceOf({ rules }: StartedSubscription, { from, to }: Span): Line['service'] {
  const touches = rules.prorationUnit === 'second' && to.date === from.date;
  return { from: from.date, to: touches ? addDays(to.date, 1) : to.date };
}

function spanOf({ service, rule }: Line): Span {
  return {
    from: { date: service.from, at: rule.instants?.from ?? '' },
    to: { date: service.to, at: rule.instants?.to ?? '' },
  };
}

/** Whether two versions of an item cost the same. */
function sameCharge(a: Item, b: Item): boolean {
  return a.quantity === b.quantity && a.timing === b.timing && sameJson(a.price, b.price);
}

function momentOf({ timeZone, rules }: StartedSubscription, local: string): Moment {
  return { date: dateOf(local), at: rules.prorationUnit === 'second' ? toInstant(local, timeZone) : '' };
}

/** In the unit of the rules: what lies on one local date, or in one second, is one moment. */
function isBefore({ rules }: StartedSubscription, a: Moment, b: Moment): boolean {
  return rules.prorationUnit === 'second' ? a.at.slice(0, 19) < b.at.slice(0, 19) : a.date < b.date;
}

const least = (a: bigint, b: bigint) => (a < b ? a : b);
const earlier = (subscription: StartedSubscription, a: Moment, b: Moment) => (isBefore(subscription, b, a) ? b : a);
const later = (subscription: StartedSubscription, a: Moment, b: Moment) => (isBefore(subscription, a, b) ? b : a);
