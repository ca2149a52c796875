import { gridPeriod, gridPeriodAt, toInstant, toLocal, type Grid, type GridPeriod } from '../calendar';
import { DomainError } from '../domain-error';
import { sameJson } from '../json';
import type { Line } from '../line';
import { encodedBytes } from '../text';
import type { BillingPeriodClosed, BillingPeriodOpened, LineItemAdded, LineItemsAdded, LineItemVoided } from './events';

/** Line items that one period takes, voided ones included: a bill stays readable and a decision quick. */
export const MAX_LINES_PER_PERIOD = 750;
/** Bytes of one bill as JSON, so that the append that carries it stays far under the store's 1 MiB. (billing-model.md §3) */
export const MAX_BILL_BYTES = 350_000;
/** Bytes of all lines that a subscription keeps in its state, pending and billed, so that its snapshot fits an append. */
export const MAX_KEPT_BYTES = 600_000;

/** The one current period of a subscription, with the lines that it collects. Nested in the subscription; changed only through it. */
export interface BillingPeriod {
  readonly periodNumber: number;
  readonly gridIndex: number;
  readonly kind: 'regular' | 'trial';
  readonly from: string;
  readonly to: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** Added and not billed, in the order of adding. */
  readonly lines: readonly Line[];
  readonly voidedLineItemIds: readonly string[];
  /** Bytes of both as JSON. */
  readonly bytes: number;
}

/** A closed period as the subscription keeps it: where it really ended, and the grid that it was counted on. */
export type ClosedPeriod = Pick<
  BillingPeriod,
  'periodNumber' | 'gridIndex' | 'kind' | 'from' | 'to' | 'startsAt' | 'endsAt'
> & {
  readonly grid: Grid;
  /** Of its local date-times, where it is another than the subscription's. */
  readonly timeZone?: string;
  /** Of the periods on the same grid that tile the time up to it without a gap: the start of the first, where that is another. */
  readonly run?: { readonly from: string; readonly startsAt: string };
};

/** A moment as `localAt` counts it. */
export interface LocalMoment {
  readonly at: string;
  readonly local: string;
}

/** Opens the first period, or the one after a pause: from a moment to the first boundary strictly after it. */
export function openAt(grid: Grid, zone: string, periodNumber: number, from: LocalMoment): BillingPeriodOpened {
  const { gridIndex, to } = firstPeriod(grid, zone, from);
  return opened(periodNumber, gridIndex, from.local, to, from.at, toInstant(to, zone));
}

/** The period of a grid that ends with its first boundary strictly after a moment, by the calendar and by the clock. */
export function firstPeriod(grid: Grid, zone: string, { at, local }: LocalMoment): GridPeriod {
  let period = gridPeriodAt(grid, zone, at);
  while (period.to <= local) period = gridPeriod(grid, period.gridIndex + 1);
  return period;
}

/** Opens a trial, or what is left of it after a pause: it lies on no grid. */
export function openTrial(zone: string, periodNumber: number, from: LocalMoment, endsAt: string): BillingPeriodOpened {
  const { type, data } = opened(periodNumber, 0, from.local, toLocal(endsAt, zone), from.at, endsAt);
  return { type, data: { ...data, kind: 'trial' } };
}

/** Opens the period after one that ended at its boundary: it starts at the stored end of that one. */
export function openNext(grid: Grid, zone: string, period: BillingPeriod): BillingPeriodOpened {
  let next = gridPeriod(grid, period.gridIndex + 1);
  // A zone that skips a whole day (Samoa in 2011) makes two boundaries one moment: no period of no time.
  while (toInstant(next.to, zone) <= period.endsAt) next = gridPeriod(grid, next.gridIndex + 1);
  const { gridIndex, from, to } = next;
  return opened(period.periodNumber + 1, gridIndex, from, to, period.endsAt, toInstant(to, zone));
}

/** A period with its local dates by the clocks of another zone: it starts where the one before ended, and ends at its end there. */
export function inZone({ type, data }: BillingPeriodOpened, grid: Grid, zone: string): BillingPeriodOpened {
  let period = { gridIndex: data.gridIndex, from: data.from, to: data.to };
  while (toInstant(period.to, zone) <= data.startsAt) period = gridPeriod(grid, period.gridIndex + 1);
  return { type, data: { ...data, ...period, endsAt: toInstant(period.to, zone) } };
}

/** Closes the period at its boundary, or cuts it short at a moment in it. */
export function close(
  period: BillingPeriod,
  zone: string,
  at: string,
  cause: BillingPeriodClosed['data']['cause'],
): BillingPeriodClosed {
  const to = at === period.endsAt ? period.to : localFrom(period.from, zone, at);
  return {
    type: 'BillingPeriodClosed',
    data: { effectiveAt: at, periodNumber: period.periodNumber, to, endsAt: at, cause },
  };
}

/**
 * The local date-time of an instant as a subscription counts it: never before the last one that a period began or ended with. After a
 * move westward the clocks show once more what is charged already; until they have caught up, the time of day stands still.
 */
export function localAt(
  {
    timeZone,
    openPeriod,
    lastClosed,
  }: {
    readonly timeZone: string;
    readonly openPeriod: BillingPeriod | null;
    readonly lastClosed: ClosedPeriod | null;
  },
  at: string,
): string {
  return localFrom(openPeriod?.from ?? lastClosed?.to ?? '', timeZone, at);
}

function localFrom(reached: string, zone: string, at: string): string {
  const local = toLocal(at, zone);
  return local > reached ? local : reached;
}

/**
 * Adds a line item, or nothing when `known`, what the subscription knows under its id, is the same. `kept`: bytes of the lines
 * that the subscription keeps besides; `reserved`: of those that the next boundary adds. Raises `line-item-exists`,
 * `billing-period-full`.
 */
export function addLine(
  period: BillingPeriod,
  line: Line & { readonly lineItemId: string },
  known: Line | undefined,
  at: string,
  { kept, reserved }: { readonly kept: number; readonly reserved: number },
): LineItemAdded[] {
  const { lineItemId } = line;
  if (known && sameJson(known, line)) return [];
  if (known || period.voidedLineItemIds.includes(lineItemId)) {
    throw new DomainError('line-item-exists', `line item ${lineItemId} exists with other content`, { lineItemId });
  }
  const lines = period.lines.length + period.voidedLineItemIds.length + 1;
  const bytes = period.bytes + encodedBytes(line) + 1 + reserved;
  if (lines > MAX_LINES_PER_PERIOD || bytes > MAX_BILL_BYTES || kept + bytes > MAX_KEPT_BYTES) {
    throw new DomainError('billing-period-full', undefined, { periodNumber: period.periodNumber });
  }
  return [{ type: 'LineItemAdded', data: { effectiveAt: at, periodNumber: period.periodNumber, lineItemId, line } }];
}

/** Voids a line item that is not billed; nothing when it is voided already. Raises `line-item-not-found`. */
export function voidLine(period: BillingPeriod, lineItemId: string, at: string): LineItemVoided[] {
  if (period.voidedLineItemIds.includes(lineItemId)) return [];
  const line = period.lines.find((other) => other.lineItemId === lineItemId);
  if (!line) throw new DomainError('line-item-not-found', `no unbilled line item ${lineItemId}`, { lineItemId });
  const { periodNumber } = period;
  return [{ type: 'LineItemVoided', data: { effectiveAt: at, periodNumber, lineItemId, lineId: line.lineId } }];
}

/** Records what happened to the period's lines. */
export function evolvePeriod(
  period: BillingPeriod,
  event: LineItemAdded | LineItemsAdded | LineItemVoided,
): BillingPeriod {
  switch (event.type) {
    case 'LineItemAdded': {
      const { line } = event.data;
      return { ...period, lines: [...period.lines, line], bytes: period.bytes + encodedBytes(line) + 1 };
    }
    case 'LineItemsAdded': {
      const { lines } = event.data;
      return { ...period, lines: [...period.lines, ...lines], bytes: period.bytes + sumOfBytes(lines) };
    }
    case 'LineItemVoided': {
      const { lineItemId, lineId } = event.data;
      const lines = period.lines.filter((line) => line.lineId !== lineId);
      return withLines({ ...period, voidedLineItemIds: [...period.voidedLineItemIds, lineItemId] }, lines);
    }
  }
}

/** The period with other pending lines. */
export function withLines(period: BillingPeriod, lines: readonly Line[]): BillingPeriod {
  const bytes = sumOfBytes(lines) + sumOfBytes(period.voidedLineItemIds);
  return { ...period, lines, bytes };
}

/** Bytes of each as JSON with a comma after it. */
export function sumOfBytes(values: readonly (object | string)[]): number {
  return values.reduce<number>((sum, value) => sum + encodedBytes(value) + 1, 0);
}

function opened(
  periodNumber: number,
  gridIndex: number,
  from: string,
  to: string,
  startsAt: string,
  endsAt: string,
): BillingPeriodOpened {
  const data = { effectiveAt: startsAt, periodNumber, gridIndex, kind: 'regular' as const, from, to, startsAt, endsAt };
  return { type: 'BillingPeriodOpened', data };
}
