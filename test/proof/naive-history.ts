import {
  daysBetween,
  gridPoint,
  startOfDay,
  toInstant,
  toLocal,
  type BillingPeriodClosed,
  type BillingPeriodOpened,
  type BillingRules,
  type Grid,
  type Item,
  type ItemsChanged,
  type Line,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

/*
 * A subscription's history as someone with a calendar sees it: which days it was active, and what its terms said on each. Nothing is
 * forgotten, and nothing is derived but from what the events say.
 */

/** A day since 1970, or a second, as the rules count. */
export type Tick = number;

export interface Period {
  readonly opened: BillingPeriodOpened['data'];
  readonly grid: Grid;
  closed?: BillingPeriodClosed['data'];
}

export type Terms = ItemsChanged['data']['terms'][number];

interface Pause {
  readonly from: Tick;
  to: Tick;
  readonly credit: 'none' | 'prorated';
}

/** What is asked for an item at a moment. held: nothing new is asked for, and what is billed stays. */
export type Asked =
  { readonly status: 'asked' | 'if-billed'; readonly item: Item } | { readonly status: 'held' | 'nothing' };

export class NaiveHistory {
  rules: BillingRules = { prorationUnit: 'calendar-day', dayCount: 'half-open', rounding: 'half-away-from-zero' };
  zone = 'UTC';
  terms: Terms[] = [];
  readonly periods: Period[] = [];
  private readonly pauses: Pause[] = [];
  private grid: Grid = { anchor: '', interval: { unit: 'day', count: 1 } };
  private canceled: { readonly at: Tick; readonly credit: 'none' | 'prorated' } | undefined;

  /** Takes down what happened. */
  apply(event: SubscriptionEvent): void {
    if (event.type === 'SubscriptionStarted') {
      const { rules, timeZone, startsAt, items, conditions } = event.data;
      [this.rules, this.zone, this.grid] = [rules, timeZone, gridOf(event.data)];
      this.terms = [{ change: 0, from: toLocal(startsAt, timeZone), items, ...(conditions && { conditions }) }];
    } else if (event.type === 'BillingPeriodOpened') {
      this.periods.push({ opened: event.data, grid: this.grid });
    } else if (event.type === 'BillingPeriodClosed') {
      const open = this.periods.at(-1);
      if (open) open.closed = event.data;
    } else if (event.type === 'BillingCycleChanged') {
      this.grid = gridOf(event.data);
    } else if (event.type === 'ItemsChanged') {
      this.terms = [...this.terms.filter(({ from }) => from < event.data.from), ...event.data.terms];
    } else if (event.type === 'SubscriptionPaused') {
      this.pauses.push({ from: this.at(event.data.effectiveAt), to: Infinity, credit: event.data.credit });
    } else if (event.type === 'SubscriptionResumed') {
      const last = this.pauses.at(-1);
      if (last) last.to = this.at(event.data.effectiveAt);
    } else if (event.type === 'SubscriptionCanceled') {
      this.canceled = { at: this.at(event.data.effectiveAt), credit: event.data.credit };
    }
  }

  get seconds(): boolean {
    return this.rules.prorationUnit === 'second';
  }

  /** The tick of an instant. */
  at(instant: string): Tick {
    return this.seconds ? Math.floor(Date.parse(instant) / 1000) : day(toLocal(instant, this.zone));
  }

  /** The tick of a local date-time. */
  local(text: string): Tick {
    return this.seconds ? this.at(toInstant(text, this.zone)) : day(text);
  }

  /** How much a stretch of ticks counts for: its length, or in months of 30 days what is left of them. */
  weight(from: Tick, to: Tick): number {
    if (!this.rules.fixedMonths) return to - from;
    const of = (tick: Tick) => {
      const date = new Date(tick * 86_400_000);
      return date.getUTCFullYear() * 360 + date.getUTCMonth() * 30 + Math.min(date.getUTCDate(), 30);
    };
    return of(to) - of(from);
  }

  /** From when to when a line serves. */
  spanOf({ service, rule }: Line): [Tick, Tick] {
    return this.seconds && rule.instants
      ? [this.at(rule.instants.from), this.at(rule.instants.to)]
      : [this.local(startOfDay(service.from)), this.local(startOfDay(service.to))];
  }

  /** From when to when a period really was; the day of a cancellation belongs to it where both ends are inclusive. */
  actual({ opened, closed }: Period): [Tick, Tick] {
    const from = this.seconds ? this.at(opened.startsAt) : day(opened.from);
    const to = this.seconds ? this.at((closed ?? opened).endsAt) : day((closed ?? opened).to);
    const early = closed?.cause === 'cancellation' && closed.to < opened.to && !this.seconds;
    return [from, early && this.rules.dayCount === 'inclusive' ? to + 1 : to];
  }

  /** The period that holds a tick. */
  periodAt(tick: Tick): Period | undefined {
    return this.periods.findLast((period) => {
      const [from, to] = this.actual(period);
      return from <= tick && tick < to;
    });
  }

  /** How long the whole period is that a piece of this one is a fraction of. */
  wholeOf(period: Period): number {
    const { opened, grid } = period;
    const point = (g: number) => this.local(gridPoint(grid, g));
    const [from, to] = [point(opened.gridIndex), point(opened.gridIndex + 1)];
    const stub =
      this.rules.leadingStub === 'imagined-period' &&
      period === this.periods.find(isPaid) &&
      from < this.actual(period)[0];
    if (!stub) return Math.max(this.weight(from, to), 1);
    const imagined = { anchor: opened.from, interval: grid.interval };
    return Math.max(this.weight(this.local(opened.from), this.local(gridPoint(imagined, 1))), 1);
  }

  termsAt(tick: Tick): Terms | undefined {
    return this.terms.findLast(({ from }) => this.local(from) <= tick) ?? this.terms[0];
  }

  /** Whether a tick lies in a period that is paid for. */
  isPaid(tick: Tick): boolean {
    const period = this.periodAt(tick);
    return period !== undefined && isPaid(period);
  }

  hasItem(itemId: string | undefined, tick: Tick): boolean {
    return itemId === undefined || this.termsAt(tick)?.items.some((item) => item.itemId === itemId) === true;
  }

  /** The minimum or maximum of an item, or over all, that the terms name at a tick. */
  bound(itemId: string | undefined, tick: Tick, which: 'minimum' | 'maximum'): string | undefined {
    const terms = this.termsAt(tick);
    const of = itemId === undefined ? terms?.conditions : terms?.items.find((item) => item.itemId === itemId)?.price;
    return of?.[which];
  }

  /** What is asked for an item at a tick, as far as is known by now. */
  asked(itemId: string, tick: Tick): Asked {
    const period = this.periodAt(tick);
    const item = this.termsAt(tick)?.items.find((each) => each.itemId === itemId);
    if (period) {
      if (!item || !isPaid(period)) return { status: 'nothing' };
      return { status: period.closed || item.timing === 'advance' ? 'asked' : 'if-billed', item };
    }
    const last = this.periods.at(-1);
    if (last && !last.closed && tick >= this.actual(last)[1]) {
      return item ? { status: 'if-billed', item } : { status: 'nothing' };
    }
    if (this.canceled && tick >= this.canceled.at) {
      return { status: this.canceled.credit === 'prorated' ? 'nothing' : 'held' };
    }
    const pause = this.pauses.findLast(({ from, to }) => from <= tick && tick < to);
    if (!pause) return { status: this.canceled ? 'held' : 'nothing' };
    return { status: pause.credit === 'prorated' ? 'nothing' : 'held' };
  }
}

/** A trial asks for nothing. */
const isPaid = ({ opened }: Period) => opened.kind === 'regular';

const gridOf = ({ anchor, anchorDay, interval }: Grid): Grid => ({
  anchor,
  ...(anchorDay !== undefined && { anchorDay }),
  interval,
});

export const day = (local: string): Tick => daysBetween('1970-01-01', local.slice(0, 10));
