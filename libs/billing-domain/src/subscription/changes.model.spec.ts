import fc from 'fast-check';
import { defaultRules, presets, type BillingRules } from '../billing-rules';
import { addDays, dateOf, daysBetween, toLocalDate } from '../calendar';
import { prorate } from '../proration';
import { ratio } from '../ratio';
import { changeQuantity } from './change-items';
import { cycleOf, runUpTo } from './cycle';
import { linesOf, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { outstandingLines } from './outstanding';
import { evolve, notStarted, type StartedSubscription, type Subscription } from './state';
import { cancelNow } from './cancel';
import { pause, resume } from './pause';
import { rollOver } from './subscription';
import type { NewItem } from './terms';
import { propertyRuns } from '../../../../test/support/property-runs';

/*
 * Any changes at any times, now, at the period end or backdated, billed at once or later, with pauses and cancellations that give
 * back: what the lines come to, day by day, is what a list of days says that was wanted.
 */

const DAY = 86_400_000;
const iso = (milliseconds: number) => new Date(milliseconds).toISOString();

interface Step {
  readonly after: number;
  readonly command: 'change' | 'at-end' | 'backdate' | 'pause' | 'resume' | 'cancel';
  readonly quantity: number;
  readonly back: number;
  readonly billing: 'now' | 'next-bill';
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: DAY }), fc.integer({ min: 0, max: 50 * DAY })),
    command: fc.constantFrom<Step['command']>(
      'change',
      'change',
      'change',
      'at-end',
      'backdate',
      'backdate',
      'pause',
      'resume',
      'resume',
      'cancel',
    ),
    quantity: fc.integer({ min: 0, max: 4 }),
    back: fc.integer({ min: 0, max: 70 }),
    billing: fc.constantFrom('now' as const, 'next-bill' as const),
  }),
  { maxLength: 14 },
);

/** What is wanted from dates on, the later entry before the earlier one. */
class Wanted {
  private readonly quantities: [string, number][] = [];
  private readonly activities: [string, boolean][] = [];

  quantity(from: string, quantity: number): void {
    this.quantities.push([from, quantity]);
  }

  active(from: string, active: boolean): void {
    this.activities.push([from, active]);
  }

  on(day: string): number | undefined {
    if (this.activities.findLast(([from]) => from <= day)?.[1] !== true) return undefined;
    return this.quantities.findLast(([from]) => from <= day)?.[1];
  }
}

function play(
  timing: 'advance' | 'arrears',
  zone: string,
  startAt: number,
  script: readonly Step[],
  { rules = defaultRules, every = 1 }: { readonly rules?: BillingRules; readonly every?: number } = {},
) {
  let state: Subscription = notStarted;
  const events: SubscriptionEvent[] = [];
  const wanted = new Wanted();
  let clock = startAt;
  const today = () => toLocalDate(iso(clock), zone);
  const record = (made: readonly SubscriptionEvent[]) => {
    events.push(...made);
    for (const event of made) {
      if (event.type === 'ItemsChanged' && event.data.cause === 'scheduled') {
        const quantity = event.data.terms[0]?.items[0]?.quantity ?? '';
        wanted.quantity(dateOf(event.data.from), parseInt(quantity, 10));
      }
    }
    state = made.reduce<Subscription>(evolve, state);
  };
  const catchUp = (now: string) => {
    while (state.status !== 'none' && state.openPeriod && now >= state.openPeriod.endsAt) {
      record(rollOver(state, state.openPeriod.periodNumber, now));
    }
  };
  const attempt = (decide: Decision): boolean => {
    try {
      const made = decide(state);
      record(made);
      return made.length > 0;
    } catch (error) {
      if ((error as { code?: string }).code === undefined) throw error;
      return false;
    }
  };
  attempt(
    startOn(
      iso(startAt),
      { timeZone: zone, interval: { unit: 'month', count: 1 }, rules, items: [setUp] },
      { timing, unitPrice: '12345', every },
    ),
  );
  wanted.quantity(today(), 1);
  wanted.active(today(), true);
  for (const { after, command, quantity, back, billing } of script) {
    clock += after;
    const now = iso(clock);
    catchUp(now);
    const change = { itemId: 'base', quantity: `${quantity}`, billing };
    const effectiveOn = addDays(today(), -back);
    if (command === 'change' && attempt((s) => changeQuantity(s, change, now))) wanted.quantity(today(), quantity);
    if (command === 'at-end') attempt((s) => changeQuantity(s, { ...change, when: 'period-end' }, now));
    if (command === 'backdate' && attempt((s) => changeQuantity(s, { ...change, when: { effectiveOn } }, now))) {
      wanted.quantity(effectiveOn, quantity);
    }
    if (command === 'pause' && attempt((s) => pause(s, { credit: 'prorated' }, now))) wanted.active(today(), false);
    if (command === 'resume' && attempt((s) => resume(s, { anchor: 'keep' }, now))) wanted.active(today(), true);
    if (command === 'cancel' && attempt((s) => cancelNow(s, { credit: 'prorated' }, now)))
      wanted.active(today(), false);
  }
  clock += 100 * DAY;
  catchUp(iso(clock));
  return { events, state: state as unknown as StartedSubscription, wanted };
}

/** Charged once, whatever happens. */
const setUp: NewItem = {
  componentKey: 'set-up',
  description: 'Set-up',
  kind: 'one-time',
  timing: 'advance',
  unitPrice: '777',
};

/** The date up to which everything is charged: in advance the end of the cycle, in arrears its start or that of the run. */
function chargedUpTo(
  subscription: StartedSubscription,
  timing: 'advance' | 'arrears',
  every: number,
): string | undefined {
  const { openPeriod, lastClosed, grid } = subscription;
  if (!openPeriod) return lastClosed === null ? undefined : dateOf(lastClosed.to);
  const cycle = cycleOf(grid, openPeriod.gridIndex, every);
  if (timing === 'advance') return dateOf(cycle.to);
  const run = runUpTo(subscription, openPeriod) ?? openPeriod;
  return dateOf(run.from > cycle.from ? run.from : cycle.from);
}

const cadences = fc.constantFrom(1, 1, 3, 12);
const timings = fc.constantFrom('advance' as const, 'arrears' as const);
const zones = fc.constantFrom('UTC', 'America/New_York', 'Asia/Tokyo', 'Australia/Lord_Howe');
const starts = fc.integer({ min: Date.UTC(2023, 0, 1), max: Date.UTC(2026, 0, 1) });

describe('any changes', () => {
  it('come to what the final terms ask for, for every day; and asked again there is nothing', () => {
    fc.assert(
      fc.property(timings, cadences, zones, starts, steps, (timing, every, zone, startAt, script) => {
        const { events, state, wanted } = play(timing, zone, startAt, script, { every });
        const lines = linesOf(events);
        expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
        expect(lines.filter(({ itemId }) => itemId === 'set-up').map(({ kind, net }) => [kind, net])).toEqual([
          ['one-time', '777'],
        ]);
        const days = new Map<string, string>();
        for (const line of lines.filter(({ kind }) => kind === 'recurring')) {
          const corrections = lines.filter(({ corrects }) => corrects === line.lineId);
          const cuts = corrections.map(({ service }) => service.from);
          const to = [line.service.to, ...cuts].reduce((a, b) => (a < b ? a : b));
          const kept = ratio(daysBetween(line.service.from, to), BigInt(line.rule.fraction.denominator));
          const net = corrections.reduce((sum, each) => sum + BigInt(each.net), BigInt(line.net));
          expect(net).toBe(prorate(line, kept, state.rules));
          for (let day = line.service.from; day < to; day = addDays(day, 1)) {
            expect(days.has(day)).toBe(false);
            days.set(day, line.quantity);
          }
        }
        const first = toLocalDate(iso(startAt), zone);
        const end = chargedUpTo(state, timing, every) ?? first;
        for (let day = first; day < end; day = addDays(day, 1)) {
          expect([day, days.get(day)]).toEqual([day, wanted.on(day)?.toString()]);
        }
        expect([...days.keys()].every((day) => day < end)).toBe(true);
        if (state.openPeriod) expect(outstandingLines(state)).toEqual([]);
      }),
      propertyRuns(200),
    );
  });

  it('under the rules of others: no line twice, no more given back than was charged, and asked again there is nothing', () => {
    const named = fc.constantFrom(...Object.values<BillingRules>(presets));
    fc.assert(
      fc.property(named, timings, zones, starts, steps, (rules, timing, zone, startAt, script) => {
        const { events, state } = play(timing, zone, startAt, script, { rules });
        const lines = linesOf(events);
        expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
        for (const line of lines.filter(({ kind }) => kind === 'recurring')) {
          const corrections = lines.filter(({ corrects }) => corrects === line.lineId);
          expect(corrections.every(({ net }) => BigInt(net) <= 0n)).toBe(true);
          expect(corrections.reduce((sum, { net }) => sum + BigInt(net), BigInt(line.net)) >= 0n).toBe(true);
          expect(line.service.from < line.service.to).toBe(true);
        }
        if (state.openPeriod) expect(outstandingLines(state)).toEqual([]);
      }),
      propertyRuns(200),
    );
  });
});
