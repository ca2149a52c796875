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
  readonly zone: string;
  closed?: BillingPeriodClosed['data'];
}

/** `at`: when they began, where the clocks of another zone showed an earlier time than `from`. */
export type Terms = ItemsChanged['data']['terms'][number] & { readonly at?: string };

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
  /** Since which instant which zone holds. */
  private zones: { readonly since: string; readonly zone: string; readonly local: string }[] = [];
  terms: Terms[] = [];
  readonly periods: Period[] = [];
  private readonly pauses: Pause[] = [];
  private grid: Grid = { anchor: '', interval: { unit: 'day', count: 1 } };
  private canceled: { readonly at: Tick; readonly credit: 'none' | 'prorated' } | undefined;

  /** Takes down what happened. */
  apply(event: SubscriptionEvent): void {
    if (event.type === 'SubscriptionStarted') {
      const { rules, timeZone, startsAt, items, conditions } = event.data;
      [this.rules, this.grid] = [rules, gridOf(event.data)];
      this.zones = [{ since: '', zone: timeZone, local: '' }];
      this.terms = [{ change: 0, from: toLocal(startsAt, timeZone), items, ...(conditions && { conditions }) }];
    } else if (event.type === 'BillingPeriodOpened') {
      this.periods.push({ opened: event.data, grid: this.grid, zone: this.zone });
    } else if (event.type === 'BillingPeriodClosed') {
      const open = this.periods.at(-1);
      if (open) open.closed = event.data;
    } else if (event.type === 'TimeZoneChanged') {
      const { effectiveAt: since, timeZone: zone } = event.data;
      this.zones.push({ since, zone, local: this.periods.at(-1)?.closed?.to ?? '' });
    } else if (event.type === 'BillingCycleChanged') {
      this.grid = gridOf(event.data);
    } else if (event.type === 'ItemsChanged') {
      this.changed(event.data);
    } else if (event.type === 'SubscriptionPaused') {
      this.pauses.push({ from: this.at(event.data.effectiveAt), to: Infinity, credit: event.data.credit });
    } else if (event.type === 'SubscriptionResumed') {
      const last = this.pauses.at(-1);
      if (last) last.to = this.at(event.data.effectiveAt);
    } else if (event.type === 'SubscriptionCanceled') {
      this.canceled = { at: this.at(event.data.effectiveAt), credit: event.data.credit };
    }
  }

  private changed({ from: first, terms, effectiveAt }: ItemsChanged['data']): void {
    const behind = this.periods.length > 0 && toLocal(effectiveAt, this.zone) < first;
    const dated = terms.map((each): Terms => {
      const at = behind && each.from === first ? effectiveAt : this.terms.find(({ from }) => from === each.from)?.at;
      return { ...each, ...(at !== undefined && { at }) };
    });
    this.terms = [...this.terms.filter(({ from }) => from < first), ...dated];
  }

  get zone(): string {
    return this.zones.at(-1)?.zone ?? 'UTC';
  }

  get seconds(): boolean {
    return this.rules.prorationUnit === 'second';
  }

  /** The tick of an instant; after a move of zones no day comes again. */
  at(instant: string): Tick {
    if (this.seconds) return Math.floor(Date.parse(instant) / 1000);
    const { zone, local } = this.zones.findLast(({ since }) => since <= instant) ?? { zone: this.zone, local: '' };
    return local === '' ? day(toLocal(instant, zone)) : Math.max(day(toLocal(instant, zone)), day(local));
  }

  /** The tick of a local date-time, in the zone that held then. */
  local(text: string, zone?: string): Tick {
    return this.seconds ? this.at(zone === undefined ? this.instant(text) : toInstant(text, zone)) : day(text);
  }

  /** The instant at which terms begin. */
  beginning({ from, at }: Terms): string {
    return at ?? this.instant(from);
  }

  /** The tick at which terms begin. */
  begins(terms: Terms): Tick {
    return this.seconds ? this.at(this.beginning(terms)) : day(terms.from);
  }

  /** The instant of a local date-time in the zone that held then. */
  instant(text: string): string {
    const boundary = this.zones.find(({ local }) => local === text);
    if (boundary) return boundary.since;
    const own = this.zones.findLast(({ local }) => local < text) ?? this.zones[0];
    return toInstant(text, own?.zone ?? 'UTC');
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

  /** The open period, for what is billed ahead of its end. */
  openBefore(tick: Tick): Period | undefined {
    const last = this.periods.at(-1);
    return last && !last.closed && this.actual(last)[1] <= tick ? last : undefined;
  }

  /** How long the whole is that a piece of this period is a fraction of: the period, or so many that bill as one. */
  wholeOf(period: Period, every = 1): number {
    const { grid, zone } = period;
    const [from, to] = this.cycleOf(period, every);
    const first = this.periods.find(isPaid);
    const [begins] = first ? this.actual(first) : [from];
    const isFirst = first?.opened.startsAt === this.runOf(period).opened.startsAt;
    const stub = this.rules.leadingStub === 'imagined-period' && isFirst && from < begins && begins < to;
    if (!stub || !first) return Math.max(this.weight(from, to), 1);
    // From the local date that goes on, by the clocks of the period: a move makes no whole period longer.
    const imagined = { anchor: first.opened.from, interval: grid.interval };
    return Math.max(this.weight(this.local(imagined.anchor, zone), this.local(gridPoint(imagined, every), zone)), 1);
  }

  /** The so many periods of the grid, counted from its anchor, that hold a period. */
  private cycleOf({ grid, opened, zone }: Period, every: number): [Tick, Tick] {
    const g = cycleIndex({ opened }, every) * every;
    return [this.local(gridPoint(grid, g), zone), this.local(gridPoint(grid, g + every), zone)];
  }

  /** The first of the periods that lead to this one without a gap, on one grid; in seconds by the clocks of one zone. */
  private runOf(period: Period): Period {
    const before = this.periods[this.periods.indexOf(period) - 1];
    const goesOn =
      before?.closed?.endsAt === period.opened.startsAt &&
      before.opened.kind === period.opened.kind &&
      (!this.seconds || before.zone === period.zone) &&
      JSON.stringify(before.grid) === JSON.stringify(period.grid);
    return goesOn ? this.runOf(before) : period;
  }

  /** Whether so many periods that bill as one at their end are not over yet, where this one is one of them. */
  private goesOn(period: Period, { itemId, every, timing, kind }: Item): boolean {
    const last = this.periods.at(-1);
    if (every === 1 || timing === 'advance' || !last || last.closed || this.runOf(last) !== this.runOf(period))
      return false;
    const item = this.termsFrom(last.opened.from)?.items.find((each) => each.itemId === itemId);
    const same = item?.every === every && item.timing === timing && item.kind === kind;
    return same && cycleIndex(last, every) === cycleIndex(period, every);
  }

  /** In force at a local date-time. */
  termsFrom(local: string): Terms | undefined {
    return this.terms.findLast(({ from }) => from <= local) ?? this.terms[0];
  }

  termsAt(tick: Tick): Terms | undefined {
    return this.terms.findLast((each) => this.begins(each) <= tick) ?? this.terms[0];
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

  /** The items that have, or had, one of these component keys. */
  itemsOf(componentKeys: readonly string[]): ReadonlySet<string> {
    const items = this.terms
      .flatMap((terms) => terms.items)
      .filter((each) => componentKeys.includes(each.componentKey));
    return new Set(items.map(({ itemId }) => itemId));
  }

  /** The item of that name that the terms had last. */
  itemCalled(itemId: string): Item | undefined {
    return this.terms.flatMap(({ items }) => items).findLast((each) => each.itemId === itemId);
  }

  /** The one-time items that the terms ask for, each for the day on which it comes into them; due: in a period that bills it. */
  feesAsked(): readonly { readonly item: Item; readonly on: string; readonly due: boolean }[] {
    const first = this.periods.find(isPaid);
    if (!first) return [];
    const asked = new Map<string, { item: Item; on: string; due: boolean }>();
    const [before, last] = [this.periods.at(-2), this.periods.at(-1)];
    for (const { itemId, from } of this.terms.flatMap(({ items }) => items.filter(({ kind }) => kind === 'one-time'))) {
      const begins = from > first.opened.from ? from : first.opened.from;
      const item = this.termsAt(this.local(begins))?.items.find(
        (each) => each.itemId === itemId && each.kind === 'one-time',
      );
      if (!item || (item.from > first.opened.from ? item.from : first.opened.from) !== begins) continue;
      const holds = (period: Period | undefined) =>
        period && isPaid(period) && period.opened.from <= begins && begins < (period.closed ?? period.opened).to;
      const due =
        holds(before?.closed && before) || (holds(last) && (last?.closed !== undefined || item.timing === 'advance'));
      asked.set(`${itemId} ${begins}`, { item, on: begins.slice(0, 10), due: due === true });
    }
    return [...asked.values()];
  }

  /** What is asked for an item that recurs at a tick, as far as is known by now. */
  asked(itemId: string, tick: Tick): Asked {
    const period = this.periodAt(tick);
    const item = this.termsAt(tick)?.items.find((each) => each.itemId === itemId && each.kind === undefined);
    if (period) {
      if (!item || !isPaid(period)) return { status: 'nothing' };
      const due = period.closed ? !this.goesOn(period, item) : item.timing === 'advance';
      return { status: due ? 'asked' : 'if-billed', item };
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

/** Counted from the grid's anchor, whatever the zone. */
const cycleIndex = ({ opened }: Pick<Period, 'opened'>, every: number) => Math.floor(opened.gridIndex / every);

const gridOf = ({ anchor, anchorDay, interval }: Grid): Grid => ({
  anchor,
  ...(anchorDay !== undefined && { anchorDay }),
  interval,
});

export const day = (local: string): Tick => daysBetween('1970-01-01', local.slice(0, 10));
