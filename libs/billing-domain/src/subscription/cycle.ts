import type { BillingRules } from '../billing-rules';
import { dateOf, gridPoint, type Grid } from '../calendar';
import { sameJson } from '../json';
import type { Line } from '../line';
import type { ClosedPeriod } from './billing-period';
import type { Item, ItemsChanged } from './events';

/** The interval for which an item bills: k periods of the grid, counted from its anchor. (billing-model.md §4) */
export interface Cycle {
  readonly index: number;
  /** Local date-times, half-open. */
  readonly from: string;
  readonly to: string;
}

/** The cycle of an item with that `every` that holds a period of the grid. */
export function cycleOf(grid: Grid, gridIndex: number, every: number): Cycle {
  const index = Math.floor(gridIndex / every);
  return { index, from: gridPoint(grid, index * every), to: gridPoint(grid, (index + 1) * every) };
}

/** Whether an item is billed at the end of a cycle that is longer than a period. */
export const isLongArrears = ({ kind, timing, every }: Item): boolean =>
  kind === undefined && timing === 'arrears' && every > 1;

/**
 * The start of the periods on one grid that tile the time up to a period without a gap; none when it is the first of them. Where
 * seconds are counted they are by the clocks of one zone: a move ends what the clocks of another would measure otherwise.
 */
export function runUpTo(
  {
    lastClosed: previous,
    grid,
    rules,
  }: { readonly lastClosed: ClosedPeriod | null; readonly grid: Grid; readonly rules: BillingRules },
  { startsAt, kind }: Pick<ClosedPeriod, 'startsAt' | 'kind'>,
): ClosedPeriod['run'] {
  if (previous?.endsAt !== startsAt || previous.kind !== kind || !sameJson(previous.grid, grid)) return undefined;
  if (previous.timeZone !== undefined && rules.prorationUnit === 'second') return undefined;
  return previous.run ?? { from: previous.from, startsAt: previous.startsAt };
}

/**
 * Since when an item in arrears may be unbilled while a period was the last to close: the start of its cycle, or of the run of
 * periods on one grid that the period belongs to, as whatever ends a run bills the arrears so far. Local date-time.
 */
export function unbilledSince({ grid, gridIndex, run, from }: ClosedPeriod, every: number): string {
  const begins = run?.from ?? from;
  const cycle = cycleOf(grid, gridIndex, every);
  return cycle.from > begins ? cycle.from : begins;
}

/** Since when terms are kept: the correction horizon, the start of the last closed period, and what arrears need. */
export function keptSince(terms: ItemsChanged['data']['terms'], lastClosed: ClosedPeriod): string {
  const since = terms.flatMap(({ items }) =>
    items.filter(isLongArrears).map(({ every }) => unbilledSince(lastClosed, every)),
  );
  return [lastClosed.from, ...since].reduce((a, b) => (a < b ? a : b));
}

/** Whether a billed line may still be corrected, or keeps its item from being charged again. */
export function isKept(
  line: Pick<Line, 'itemId' | 'service' | 'rule'>,
  terms: ItemsChanged['data']['terms'],
  lastClosed: ClosedPeriod,
): boolean {
  if (line.service.to > dateOf(lastClosed.from)) return true;
  // Charged by the second, in another zone perhaps: it may end later on that same local date.
  if ((line.rule.instants?.to ?? '') > lastClosed.startsAt) return true;
  const ofLongArrears = terms.some(({ items }) =>
    items.some((item) => item.itemId === line.itemId && isLongArrears(item)),
  );
  return ofLongArrears && line.service.to > dateOf(keptSince(terms, lastClosed));
}
