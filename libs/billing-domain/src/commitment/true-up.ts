import type { BillingRules } from '../billing-rules';
import { daysBetween, secondsBetween } from '../calendar';
import { lineId } from '../ids';
import type { Line } from '../line';
import { allocateMoney, money } from '../money';
import { amountOf, type Rating } from '../price/rate';
import { applied, type Span } from '../proration';
import { ONE, roundHalfAwayFromZero, type Ratio } from '../ratio';

/** A minimum that a service period comes to, or a maximum, over one item or, without one, over all. */
export interface Commitment {
  readonly itemId?: string;
  /** Default: what it is. */
  readonly description?: string;
  readonly minimum?: Bound;
  readonly maximum?: Bound;
  readonly taxCode: string | null;
  readonly taxBehaviour: Line['taxBehaviour'];
  readonly discountable: boolean;
}

/** What a bound comes to: quantity × unitPrice × fraction, or the sum of its parts × fraction. */
export interface Bound {
  readonly rating: Rating;
  readonly fraction: Ratio;
}

const names = { minimum: 'Minimum commitment', maximum: 'Maximum spend' } as const;
const nothing: Bound = { rating: { quantity: '1', unitPrice: '0' }, fraction: ONE };

/** Whether a line trues a minimum or maximum up, or corrects one that does. */
export const isTrueUp = ({ rule }: Line): boolean => rule.fees !== undefined;

/**
 * What a service period costs before discounts, minor units: its recurring and usage lines with their corrections, on whatever bills
 * they are; of a line that serves longer, the share of its time. One-time charges are no fees. (billing-model.md §5)
 */
export function feesOf(lines: readonly Line[], period: Span & Numbered, itemId?: string): bigint {
  return lines
    .filter((line) => (itemId === undefined || line.itemId === itemId) && isFee(line))
    .reduce((sum, line) => sum + shareOf(line, period), 0n);
}

/**
 * The line that is missing so that a service period comes to its minimum, or to no more than its maximum: none when it does. When
 * fees of a period changed after it was trued up, a correction of that. `lines`: all of that period, billed or about to be.
 * `waived`: ids of those that nobody is charged for any more. They count towards a minimum, but not towards a maximum; a true-up
 * that was waived is corrected no more. (billing-model.md §5)
 */
export function trueUpLine(
  subscriptionId: string,
  commitment: Commitment,
  lines: readonly Line[],
  {
    period,
    service,
    change,
    rules,
    waived,
  }: {
    period: Span & Numbered;
    service: Line['service'];
    change: number;
    rules: BillingRules;
    waived: ReadonlySet<string>;
  },
): Line | undefined {
  const { itemId, description, minimum, maximum, taxCode, taxBehaviour, discountable } = commitment;
  const trueUps = trueUpsOf(lines, { period, service });
  // Counted in seconds, several periods can lie on one date.
  const instants = rules.prorationUnit === 'second' ? { from: period.from.at, to: period.to.at } : undefined;
  // The fees of all items are those after the minimum or maximum of each.
  const items = itemId === undefined ? trueUps.filter((line) => line.itemId !== undefined) : [];
  const fees = feesOf(lines, period, itemId) + sum(items);
  const soFar = trueUps.filter((line) => line.itemId === itemId);
  const first = soFar[0];
  if (first && waived.has(first.lineId)) return undefined;
  const isCharged = (line: Line) => !waived.has(line.lineId);
  const charged = feesOf(lines.filter(isCharged), period, itemId) + sum(items.filter(isCharged));
  const boundOf = ({ rating, fraction }: Bound) => amountOf(rating, applied(fraction, rules.fractionDigits));
  const missing = minimum && fees < boundOf(minimum) ? boundOf(minimum) - fees : 0n;
  const above = maximum && charged > boundOf(maximum) ? boundOf(maximum) - charged : 0n;
  const net = missing + above - sum(soFar);
  if (net === 0n) return undefined;
  const kind = above < 0n ? 'maximum' : 'minimum';
  const { rating, fraction } = (kind === 'maximum' ? maximum : minimum) ?? nothing;
  return {
    lineId: lineId(
      subscriptionId,
      itemId ?? '',
      first ? 'correction' : kind,
      instants ?? service,
      first?.lineId ?? null,
      change,
    ),
    kind: first ? 'correction' : kind,
    ...(itemId !== undefined && { itemId }),
    description: description ?? names[kind],
    service,
    ...rating,
    net: net.toString(),
    taxCode,
    taxBehaviour,
    discountable,
    ...(first && { corrects: first.lineId }),
    change,
    rule: {
      name: kind,
      fraction: { numerator: fraction.numerator.toString(), denominator: fraction.denominator.toString() },
      rounding: rules.rounding,
      ...(rules.fractionDigits !== undefined && { fractionDigits: rules.fractionDigits }),
      ...(instants && { instants }),
      fees: (kind === 'maximum' ? charged : fees).toString(),
      ...(first && { credit: { basis: 're-rate', netSoFar: sum(soFar).toString() } }),
    },
    metadata: {},
  };
}

/**
 * What the maximums of a service period take off each of its recurring and usage lines, by lineId, minor units: those of single
 * items first, then that over all, each spread by largest remainder over what is left of the lines' fees of that period, ties to the
 * line whose service begins earlier, then to the lower id. `lines`: all of that period, billed or about to be. (billing-model.md §5)
 */
export function aboveMaximums(
  lines: readonly Line[],
  { period, service }: { period: Span & Numbered; service: Line['service'] },
): Map<string, bigint> {
  const trueUps = trueUpsOf(lines, { period, service });
  const taken = new Map<string, bigint>();
  if (trueUps.length === 0) return taken;
  const fees = new Map<string, bigint>();
  for (const line of lines.filter(isFee)) {
    const id = line.corrects ?? line.lineId;
    fees.set(id, (fees.get(id) ?? 0n) + shareOf(line, period));
  }
  const items = [...new Set(trueUps.map(({ itemId }) => itemId))].filter((itemId) => itemId !== undefined);
  for (const itemId of [...items.sort(), undefined]) {
    const above = -sum(trueUps.filter((line) => line.itemId === itemId));
    if (above <= 0n) continue;
    const left = lines
      .filter(({ kind, itemId: of }) => (kind === 'recurring' || kind === 'usage') && (itemId ?? of) === of)
      .map((line) => ({ line, fee: (fees.get(line.lineId) ?? 0n) - (taken.get(line.lineId) ?? 0n) }))
      .filter(({ fee }) => fee > 0n)
      .sort(({ line: a }, { line: b }) => (sortKey(a) < sortKey(b) ? -1 : 1));
    const total = left.reduce((all, { fee }) => all + fee, 0n);
    if (total === 0n) continue;
    // The currency counts for nothing here.
    const parts = allocateMoney(
      money(above < total ? above : total, 'USD'),
      left.map(({ fee }) => fee),
    );
    left.forEach(({ line: { lineId: id } }, i) => taken.set(id, (taken.get(id) ?? 0n) + (parts[i]?.minor ?? 0n)));
  }
  return taken;
}

const sortKey = ({ service, lineId: id }: Line) => `${service.from} ${id}`;

/** Those of a period, by its instants where they say them. */
function trueUpsOf(
  lines: readonly Line[],
  { period, service }: { readonly period: Span; readonly service: Line['service'] },
): Line[] {
  const within = ({ service: of, rule: { instants } }: Line) =>
    instants
      ? instants.from >= period.from.at && instants.to <= period.to.at
      : of.from >= service.from && of.to <= service.to;
  return lines.filter((line) => isTrueUp(line) && within(line));
}

function isFee(line: Line): boolean {
  if (line.kind === 'recurring' || line.kind === 'usage') return true;
  return line.kind === 'correction' && !isTrueUp(line) && line.rule.discount === undefined;
}

export interface Numbered {
  /** Whose usage counts: of two periods that share a date each has its own. */
  readonly periodNumber: number;
}

/** Of a line that reaches beyond the period, the share of its time, so that the shares of all periods sum to its net. */
function shareOf(line: Line, period: Span & Numbered): bigint {
  if (line.rule.usage) return line.rule.usage.periodNumber === period.periodNumber ? BigInt(line.net) : 0n;
  const { instants } = line.rule;
  const { from, to } = instants ?? line.service;
  const [begins, ends] = instants ? [period.from.at, period.to.at] : [period.from.date, period.to.date];
  if (from >= ends || to <= begins) return 0n;
  if (from >= begins && to <= ends) return BigInt(line.net);
  const length = instants ? secondsBetween : daysBetween;
  const upTo = (moment: string) =>
    roundHalfAwayFromZero({
      numerator: BigInt(line.net) * BigInt(length(from, moment)),
      denominator: BigInt(length(from, to)),
    });
  return upTo(to < ends ? to : ends) - (from >= begins ? 0n : upTo(begins));
}

const sum = (lines: readonly Line[]): bigint => lines.reduce((total, { net }) => total + BigInt(net), 0n);
