import fc from 'fast-check';
import {
  DomainError,
  evolveSubscription,
  rollOver,
  subscriptionType,
  type BillingPeriodOpened,
  type Line,
  type StartedSubscription,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import { propertyRuns } from '../support/property-runs';
import {
  beginningsUnder,
  defaultRules,
  everyRules,
  iso,
  play,
  scripts,
  type Beginning,
  type Played,
  type Step,
} from './lifecycle-model';
import { recompute } from './naive-calculator';

/*
 * What must be true of every history that any commands at any times can make: each in one zone of ten, on any grid, under any rules,
 * with any prices. `npm run check:properties` tries each with 10,000 histories.
 */

// The short run tries the same histories each time: what they are about is asserted at the end.
const runs = { ...propertyRuns(30), ...(process.env['PROPERTY_RUNS'] === undefined && { seed: 2 }) };
const linesOf = (events: readonly SubscriptionEvent[]): Line[] =>
  events.flatMap((event) => (event.type === 'LinesBilled' && event.data.cause !== 'rebill' ? event.data.lines : []));

/** How often each command was decided, found nothing to do, or was refused with which code; and what the lines were. */
const reached = new Map<string, number>();
const count = (what: string) => reached.set(what, (reached.get(what) ?? 0) + 1);

const every = (holds: (beginning: Beginning, script: readonly Step[], n: number) => void, rules = everyRules) =>
  fc.assert(fc.property(beginningsUnder(rules), scripts, fc.nat(), holds), runs);

const MUCH_LATER = 5_000 * 86_400_000;

describe('any history', () => {
  it('charges for every item and service day what the final terms ask for, worked out day by day', () => {
    every((beginning, script) => {
      const { events, outcomes } = play(beginning, script, 'ticks');
      outcomes.forEach(count);
      const { differences, counts } = recompute(events);
      expect(differences.slice(0, 5)).toEqual([]);
      for (const what of counts.keys()) count(what);
    });
  });

  it('nets to the cent, by the default rules, whatever was changed: each day and the sum', () => {
    every((beginning, script) => {
      const { events } = play(beginning, script, 'ticks');
      const { differences, asked } = recompute(events);
      expect(differences.slice(0, 5)).toEqual([]);
      expect(linesOf(events).reduce((sum, { net }) => sum + BigInt(net), 0n)).toBe(asked.get('USD') ?? 0n);
    }, defaultRules);
  });

  it('has periods and pauses that tile the time, numbered without gaps', () => {
    every((beginning, script) => {
      const { events, state } = play(beginning, script, 'ticks');
      let [moment, number] = [beginning.terms.startsAt ?? iso(beginning.at), 0];
      let open: BillingPeriodOpened['data'] | undefined;
      for (const event of events) {
        if (event.type === 'BillingPeriodOpened') {
          expect([open, event.data.startsAt, event.data.periodNumber]).toEqual([undefined, moment, number + 1]);
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
    });
  });

  it('has every line on exactly one bill, whose net is the sum of its lines, and bills numbered without gaps', () => {
    every((beginning, script) => {
      const { events, state } = play(beginning, script, 'ticks');
      const { accrued, openPeriod } = state as StartedSubscription;
      const lines = linesOf(events);
      expect(new Set(lines.map(({ lineId }) => lineId)).size).toBe(lines.length);
      const voided = new Set(events.flatMap((event) => (event.type === 'LineItemVoided' ? [event.data.lineId] : [])));
      const added = events.flatMap((event) => (event.type === 'LineItemAdded' ? [event.data.line] : []));
      const pending = [...accrued, ...(openPeriod?.lines ?? [])];
      expect([...lines.filter(({ lineItemId }) => lineItemId !== undefined), ...pending]).toEqual(
        added.filter(({ lineId }) => !voided.has(lineId)),
      );
      const bills = events.flatMap((event) => (event.type === 'LinesBilled' ? [event.data] : []));
      expect(bills.map(({ billNumber }) => billNumber)).toEqual(bills.map((_, i) => i + 1));
      for (const bill of bills) {
        expect(bill.net).toBe(bill.lines.reduce((sum, { net }) => sum + BigInt(net), 0n).toString());
      }
    });
  });

  it('is billed the same however the scheduler’s ticks fall between the commands', () => {
    every((beginning, script) => {
      const [ticks, punctual] = [play(beginning, script, 'ticks'), play(beginning, script, 'punctual')];
      expect(ticks.outcomes).toEqual(punctual.outcomes);
      expect(ticks.events).toEqual(punctual.events);
    });
  });

  it('is not changed by a command or a boundary that comes again, and never by deciding', () => {
    every((beginning, script) => {
      const { made, state } = play(beginning, script, 'ticks');
      // A state that is frozen throws at whoever would change it.
      for (const { decide, after } of made) expect(again(decide, freeze(after))).toEqual([]);
      if (state.status === 'none') return;
      const closed = state.openPeriod ? state.periodNumber - 1 : state.periodNumber;
      for (let n = Math.max(1, closed - 2); n <= closed; n += 1)
        expect(rollOver(state, n, iso(beginning.at + MUCH_LATER))).toEqual([]);
    });
  });

  it('folds to one state: event by event, through JSON, and from a snapshot at any point with its tail', () => {
    const { toJSON, fromJSON } = subscriptionType.snapshot;
    every((beginning, script, n) => {
      const { events, state } = play(beginning, script, 'ticks');
      const fold = (from: Subscription, some: readonly SubscriptionEvent[]) =>
        some.reduce<Subscription>(evolveSubscription, from);
      const wire = JSON.parse(JSON.stringify(events)) as SubscriptionEvent[];
      expect(fold(subscriptionType.initial, wire)).toEqual(state);
      const at = n % (wire.length + 1);
      const snapshot = toJSON(fold(subscriptionType.initial, wire.slice(0, at)));
      expect(fold(fromJSON(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot), wire.slice(at))).toEqual(state);
    });
  });

  it('was tried with what it is about: commands, refusals, lines, prices and rules', () => {
    const usual = [
      ...['add', 'change', 'change-at-end', 'backdate', 'cycle', 'pause', 'resume', 'cancel'].map(
        (c) => `${c} decided`,
      ),
      ...['cancel-at-end decided', 'undo-change noted', 'change subscription-canceled'],
      ...['change subscription-paused', 'change item-not-found', 'backdate before-correction-horizon'],
      ...[
        'line recurring',
        'line correction',
        'line one-time',
        'credit re-rate',
        'credit billed',
        'credit current-price',
      ],
      ...['flat', 'per-unit', 'graduated', 'volume', 'package'].map((model) => `price ${model}`),
      ...['prorationUnit calendar-day', 'prorationUnit second'].map((rule) => `rule ${rule}`),
    ];
    const rare = [
      ...['void decided', 'undo-cancellation decided', 'undo-change decided', 'void line-item-already-billed'],
      ...['pause cancellation-scheduled', 'cycle cancellation-scheduled', 'change-at-end cancellation-scheduled'],
      ...['cancel-at-end subscription-paused', 'add no-open-period', 'add subscription-canceled'],
      ...['change noted'],
      ...[
        'dayCount inclusive',
        'roundedPer tier',
        'fractionDigits 9',
        'leadingStub imagined-period',
        'fixedMonths true',
      ].map((r) => `rule ${r}`),
    ];
    const wanted = runs.numRuns >= 1_000 ? [...usual, ...rare] : usual;
    expect(wanted.filter((what) => !reached.has(what))).toEqual([]);
    if (process.env['PROPERTY_RUNS'])
      process.stdout.write(
        `${[...reached]
          .map(([a, b]) => `${b} ${a}`)
          .sort()
          .join('\n')}\n`,
      );
  });
});

/** What a decision gives that was taken already: nothing, or a refusal, as when its item is gone. */
function again(decide: Played['made'][number]['decide'], state: Subscription): readonly SubscriptionEvent[] {
  try {
    return decide(state);
  } catch (error) {
    if (error instanceof DomainError) return [];
    throw error;
  }
}

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
