import fc from 'fast-check';
import { dateOf, daysBetween, toLocalDate, type Interval } from '../calendar';
import { linesOf, startOn, type Decision } from './decisions.fixture';
import type { BillingPeriodOpened, SubscriptionEvent } from './events';
import { stateFromJson, stateToJson } from './snapshot';
import { evolve, notStarted, type StartedSubscription, type Subscription } from './state';
import { cancelNow, scheduleCancellation, undoCancellation } from './cancel';
import { pause, resume } from './pause';
import { type StartSubscription } from './start';
import { addLineItem, rollOver, voidLineItem } from './subscription';
import { propertyRuns } from '../../../../test/support/property-runs';

/* Any subscription, any commands at any times: what must be true of every history. */

interface Step {
  /** Milliseconds after the step before. */
  readonly after: number;
  readonly command: 'add' | 'void' | 'pause' | 'resume' | 'schedule' | 'undo' | 'cancel' | 'tick';
  /** Which line item. */
  readonly n: number;
}

const DAY = 86_400_000;
const zones = ['UTC', 'America/New_York', 'America/Sao_Paulo', 'Europe/Berlin', 'Asia/Tokyo', 'Australia/Lord_Howe'];
const starts = fc.integer({ min: Date.UTC(2023, 0, 1), max: Date.UTC(2026, 0, 1) });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: DAY }), fc.integer({ min: 0, max: 75 * DAY })),
    command: fc.constantFrom<Step['command']>(
      'add',
      'add',
      'add',
      'void',
      'pause',
      'resume',
      'resume',
      'schedule',
      'undo',
      'tick',
      'cancel',
    ),
    n: fc.integer({ min: 0, max: 6 }),
  }),
  { maxLength: 25 },
);
const intervals: fc.Arbitrary<Interval> = fc.constantFrom(
  { unit: 'day', count: 30 },
  { unit: 'week', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 3 },
  { unit: 'year', count: 1 },
);
const subscriptions: fc.Arbitrary<Partial<StartSubscription>> = fc
  .record({
    timeZone: fc.constantFrom(...zones),
    interval: intervals,
    day: fc.integer({ min: 1, max: 31 }),
    kind: fc.nat(2),
  })
  .map(({ timeZone, interval, day, kind }) => {
    const counted = interval.unit === 'month' || interval.unit === 'year';
    const anchor =
      kind === 0 ? undefined : kind === 1 && counted ? { dayOfMonth: day } : { localDateTime: '2024-01-31T02:30:00' };
    return { timeZone, interval, anchor };
  });
const timings = fc.constantFrom('advance' as const, 'arrears' as const);
const iso = (milliseconds: number) => new Date(milliseconds).toISOString();

function decision({ command, n }: Step, now: string): Decision {
  switch (command) {
    case 'add':
      return (s) =>
        addLineItem(s, { lineItemId: `li-${n}`, description: 'x', unitPrice: `${n * 7}`, quantity: '1.5' }, now);
    case 'void':
      return (s) => voidLineItem(s, `li-${n}`, now);
    case 'pause':
      return (s) => pause(s, { credit: 'none' }, now);
    case 'resume':
      return (s) => resume(s, { anchor: 'keep' }, now);
    case 'schedule':
      return (s) => scheduleCancellation(s, now);
    case 'undo':
      return (s) => undoCancellation(s, now);
    case 'cancel':
      return (s) => cancelNow(s, { credit: 'none' }, now);
    case 'tick':
      return (s) => (s.status === 'none' ? [] : rollOver(s, s.openPeriod?.periodNumber ?? s.periodNumber, now));
  }
}

class History {
  state: Subscription = notStarted;
  readonly events: SubscriptionEvent[] = [];
  /** A line item's id is remembered for the subscription's life: by the repository, here by this. */
  readonly used = new Set<string>();

  decide(decide: Decision): string {
    try {
      this.record(decide(this.state));
      return 'decided';
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return code;
    }
  }

  record(events: readonly SubscriptionEvent[]): void {
    this.events.push(...events);
    this.state = events.reduce<Subscription>(evolve, this.state);
  }

  catchUp(now: string): void {
    while (this.state.status !== 'none' && this.state.openPeriod && now >= this.state.openPeriod.endsAt) {
      this.record(rollOver(this.state, this.state.openPeriod.periodNumber, now));
    }
  }
}

/** Plays the steps as the handlers do: a command that meets `boundary-due` rolls over first. `punctual`: the scheduler was never late. */
function play(
  changes: Partial<StartSubscription>,
  timing: 'advance' | 'arrears',
  startAt: number,
  script: readonly Step[],
  punctual: boolean,
) {
  const history = new History();
  const outcomes: string[] = [];
  const made: { decide: Decision; after: Subscription }[] = [];
  history.decide(startOn(iso(startAt), changes, { timing, unitPrice: '12345' }));
  let clock = startAt;
  for (const step of script) {
    clock += step.after;
    const now = iso(clock);
    if (punctual) history.catchUp(now);
    if (step.command === 'tick') {
      if (!punctual && history.state.status !== 'none' && history.state.openPeriod) history.decide(decision(step, now));
      continue;
    }
    if (step.command === 'add' && history.used.has(`li-${step.n}`)) continue;
    const decide = decision(step, now);
    let outcome = history.decide(decide);
    if (outcome === 'boundary-due') {
      history.catchUp(now);
      outcome = history.decide(decide);
    }
    if (outcome === 'decided') made.push({ decide, after: history.state });
    if (step.command === 'add' && outcome === 'decided') history.used.add(`li-${step.n}`);
    outcomes.push(outcome);
  }
  history.catchUp(iso(clock + 400 * DAY));
  return { events: history.events, state: history.state, outcomes, made };
}

const any = [subscriptions, timings, starts, steps] as const;
const runs = propertyRuns(120);

describe('every history', () => {
  it('has periods and pauses that tile the time, numbered without gaps', () => {
    fc.assert(
      fc.property(...any, (changes, timing, startAt, script) => {
        const { events, state } = play(changes, timing, startAt, script, false);
        let [moment, number, open]: [string, number, BillingPeriodOpened['data'] | undefined] = [
          iso(startAt),
          0,
          undefined,
        ];
        for (const event of events) {
          if (event.type === 'BillingPeriodOpened') {
            expect(open).toBeUndefined();
            expect(event.data.startsAt).toBe(moment);
            expect(event.data.periodNumber).toBe(number + 1);
            expect(event.data.endsAt > event.data.startsAt).toBe(true);
            [open, number] = [event.data, number + 1];
          } else if (event.type === 'BillingPeriodClosed') {
            expect(event.data.periodNumber).toBe(number);
            expect(event.data.endsAt >= moment && event.data.endsAt <= (open?.endsAt ?? '')).toBe(true);
            if (event.data.cause === 'boundary') expect(event.data.endsAt).toBe(open?.endsAt);
            [moment, open] = [event.data.endsAt, undefined];
          } else if (event.type === 'SubscriptionPaused') {
            expect(event.data.effectiveAt).toBe(moment);
          } else if (event.type === 'SubscriptionResumed') {
            expect(event.data.effectiveAt >= moment).toBe(true);
            moment = event.data.effectiveAt;
          } else if (open) {
            expect(event.data.effectiveAt >= open.startsAt && event.data.effectiveAt < open.endsAt).toBe(true);
          }
        }
        expect((state as StartedSubscription).openPeriod !== null).toBe(open !== undefined);
      }),
      runs,
    );
  });

  it('charges every local day that it is active exactly once', () => {
    fc.assert(
      fc.property(...any, (changes, timing, startAt, script) => {
        const { events } = play(changes, timing, startAt, script, false);
        const zone = changes.timeZone ?? 'UTC';
        const charged = linesOf(events).filter((line) => line.kind === 'recurring');
        const days = new Set<string>();
        for (const { service } of charged) {
          for (
            let day = service.from;
            day < service.to;
            day = toLocalDate(iso(Date.parse(`${day}T12:00:00Z`) + DAY), 'UTC')
          ) {
            expect(days.has(day)).toBe(false);
            days.add(day);
          }
        }
        const opened = events.filter((event) => event.type === 'BillingPeriodOpened');
        const closed = events.filter((event) => event.type === 'BillingPeriodClosed');
        // In arrears a period is charged when it is closed, in advance when it is opened, as far as it was planned.
        const active = timing === 'arrears' ? closed : opened;
        active.forEach((event, i) => {
          const from = dateOf(opened[i]?.data.from ?? '');
          const count = daysBetween(from, dateOf(event.data.to));
          for (let d = 0; d < count; d += 1) {
            expect(days.has(toLocalDate(iso(Date.parse(`${from}T12:00:00Z`) + d * DAY), 'UTC'))).toBe(true);
          }
        });
        if (timing === 'arrears') {
          const total = closed.reduce(
            (sum, event, i) => sum + daysBetween(dateOf(opened[i]?.data.from ?? ''), dateOf(event.data.to)),
            0,
          );
          expect(days.size).toBe(total);
        }
        expect(toLocalDate(iso(startAt), zone)).toBe(dateOf(opened[0]?.data.from ?? ''));
      }),
      runs,
    );
  });

  it('has every line on exactly one bill: those added and not voided, and numbers bills without gaps', () => {
    fc.assert(
      fc.property(...any, (changes, timing, startAt, script) => {
        const { events, state } = play(changes, timing, startAt, script, false);
        const lines = linesOf(events);
        expect(new Set(lines.map((line) => line.lineId)).size).toBe(lines.length);
        const voided = new Set(events.flatMap((event) => (event.type === 'LineItemVoided' ? [event.data.lineId] : [])));
        const pending = (state as StartedSubscription).openPeriod?.lines ?? [];
        const added = events.flatMap((event) => (event.type === 'LineItemAdded' ? [event.data.line] : []));
        expect([...lines.filter((line) => line.kind === 'one-time'), ...pending]).toEqual(
          added.filter((line) => !voided.has(line.lineId)),
        );
        const bills = events.flatMap((event) => (event.type === 'LinesBilled' ? [event.data] : []));
        expect(bills.map((bill) => bill.billNumber)).toEqual(bills.map((_, i) => i + 1));
        for (const bill of bills) {
          expect(bill.net).toBe(bill.lines.reduce((sum, line) => sum + BigInt(line.net), 0n).toString());
        }
        expect((state as StartedSubscription).accrued).toEqual([]);
      }),
      runs,
    );
  });

  it('is billed the same whether the scheduler was punctual or late', () => {
    fc.assert(
      fc.property(...any, (changes, timing, startAt, script) => {
        const late = play(changes, timing, startAt, script, false);
        const punctual = play(changes, timing, startAt, script, true);
        expect(late.outcomes).toEqual(punctual.outcomes);
        expect(late.events).toEqual(punctual.events);
      }),
      runs,
    );
  });

  it('folds to one state: event by event, through JSON, and from a snapshot at any point with its tail', () => {
    fc.assert(
      fc.property(...any, fc.nat(), (changes, timing, startAt, script, cut) => {
        const { events, state } = play(changes, timing, startAt, script, false);
        const at = cut % (events.length + 1);
        const wire = JSON.parse(JSON.stringify(events)) as SubscriptionEvent[];
        expect(wire.reduce<Subscription>(evolve, notStarted)).toEqual(state);
        const snapshot = JSON.parse(
          JSON.stringify(stateToJson(wire.slice(0, at).reduce<Subscription>(evolve, notStarted))),
        );
        expect(wire.slice(at).reduce<Subscription>(evolve, stateFromJson(snapshot))).toEqual(state);
      }),
      runs,
    );
  });

  it('is not changed by a command that comes again, and never by deciding', () => {
    fc.assert(
      fc.property(...any, (changes, timing, startAt, script) => {
        for (const { decide, after } of play(changes, timing, startAt, script, false).made) {
          // A state that is frozen throws at whoever would change it.
          expect(decide(freeze(after))).toEqual([]);
        }
      }),
      runs,
    );
  });

  it('keeps nothing that grows with its life', () => {
    const sizes: number[] = [];
    const history = new History();
    history.decide(startOn('2000-01-01', { interval: { unit: 'month', count: 1 } }));
    for (let n = 1; n <= 600; n += 1) {
      history.decide((s) =>
        addLineItem(
          s,
          { lineItemId: `li-${1000 + n}`, description: 'x', unitPrice: '1' },
          (s as StartedSubscription).openPeriod?.startsAt ?? '',
        ),
      );
      history.decide((s) => rollOver(s, n, '2099-01-01T00:00:00.000Z'));
      if (n >= 100) sizes.push(JSON.stringify(history.state).length);
    }
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(100);
  });
});

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
