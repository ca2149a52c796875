import {
  addDays,
  addLineItem,
  cancelNow,
  changeQuantity,
  changeTimeZone,
  daysBetween,
  evolveSubscription,
  pause,
  presets,
  resume,
  rollOver,
  start,
  toLocal,
  toLocalDate,
  type BillingPeriodOpened,
  type StartSubscription,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import { zones } from './lifecycle-model';
import { recompute } from './naive-calculator';

/*
 * The same subscription in ten zones for ten years, by its boundaries alone: over 20 changes of the clock in most of them, three leap
 * days, and in Samoa a day that there was not. No gap, no overlap, no day twice.
 */

const BEGIN = '2011-01-31T11:30:00.000Z';
const END = '2021-02-01T00:00:00.000Z';

function tenYears(
  timeZone: string,
  terms: Partial<StartSubscription>,
  move?: { readonly at: string; readonly timeZone: string },
): { events: SubscriptionEvent[]; state: Subscription } {
  let state: Subscription = { status: 'none' };
  const events: SubscriptionEvent[] = [];
  const record = (made: readonly SubscriptionEvent[]) => {
    events.push(...made);
    state = made.reduce<Subscription>(evolveSubscription, state);
  };
  record(
    start(
      state,
      {
        subscriptionId: '5d2eec52-086d-5f3c-8395-ed5062da6fd9',
        customerId: 'customer-1',
        currency: 'USD',
        timeZone,
        interval: { unit: 'month', count: 1 },
        item: { description: 'Base', unitPrice: '100000', timing: 'advance' },
        items: [{ itemId: 'late', componentKey: 'late', description: 'Late', unitPrice: '70000', timing: 'arrears' }],
        ...terms,
      },
      BEGIN,
    ),
  );
  for (;;) {
    const period = (state as { openPeriod?: { periodNumber: number; endsAt: string } | null }).openPeriod;
    if (!period || period.endsAt > END) return { events, state };
    if (move && period.endsAt > move.at) {
      record(changeTimeZone(state, move, move.at));
      move = undefined;
    }
    record(rollOver(state, period.periodNumber, END));
  }
}

const opened = (events: readonly SubscriptionEvent[]): BillingPeriodOpened['data'][] =>
  events.flatMap((event) => (event.type === 'BillingPeriodOpened' ? [event.data] : []));

const grids: readonly (readonly [string, Partial<StartSubscription>])[] = [
  ['on the 31st, or the last day there is', { anchor: { dayOfMonth: 31 } }],
  ['at half past two at night', { anchor: { localDateTime: '2011-01-30T02:30:00' } }],
  ['every quarter, in seconds', { interval: { unit: 'month', count: 3 }, rules: presets.openmeter }],
  ['every week', { interval: { unit: 'week', count: 1 } }],
];

/** Weeks have the most boundaries: the short run counts them where clocks change most oddly, `npm run check:properties` everywhere. */
const gridsIn = (zone: string) =>
  process.env['PROPERTY_RUNS'] === undefined && !['Pacific/Apia', 'Australia/Lord_Howe'].includes(zone)
    ? grids.filter(([, { interval }]) => interval?.unit !== 'week')
    : grids;

describe.each(zones)('ten years in %s', (zone) => {
  it.each(gridsIn(zone))('%s', (_name, terms) => {
    const { events } = tenYears(zone, terms);
    const periods = opened(events);
    periods.forEach((period, i) => {
      expect(period.periodNumber).toBe(i + 1);
      expect(period.endsAt > period.startsAt).toBe(true);
      if (i > 0) expect(period.startsAt).toBe(periods[i - 1]?.endsAt);
    });
    const first = toLocalDate(BEGIN, zone);
    for (const itemId of ['base', 'late']) {
      const charged = new Map<string, number>();
      for (const event of events) {
        if (event.type !== 'LinesBilled') continue;
        for (const { itemId: of, service } of event.data.lines) {
          if (of !== itemId) continue;
          for (let day = service.from; day < service.to; day = addDays(day, 1))
            charged.set(day, (charged.get(day) ?? 0) + 1);
        }
      }
      const last = [...charged.keys()].sort().at(-1) ?? '';
      const inSeconds = terms.rules?.prorationUnit === 'second';
      const days = daysBetween(first, last) + 1;
      expect(days).toBeGreaterThan(3_640);
      // In seconds a boundary lies within a day, which both sides then serve a part of.
      if (!inSeconds) expect([charged.size, Math.max(...charged.values())]).toEqual([days - skipped(zone, terms), 1]);
      else expect(charged.size).toBe(days);
    }
    expect(recompute(events).differences).toEqual([]);
  });

  it('with changes, a pause and an end at the hours when clocks change', () => {
    const { events, state } = tenYears(zone, grids[0]?.[1] ?? {});
    const made = [...events];
    let current: Subscription = state;
    const record = (decided: readonly SubscriptionEvent[]) => {
      made.push(...decided);
      current = decided.reduce<Subscription>(evolveSubscription, current);
    };
    const roll = (now: string) => {
      for (;;) {
        const period = (current as { openPeriod?: { periodNumber: number; endsAt: string } | null }).openPeriod;
        if (!period || period.endsAt > now) return;
        record(rollOver(current, period.periodNumber, now));
      }
    };
    const at = (now: string, decide: (state: Subscription, now: string) => SubscriptionEvent[]) => {
      roll(now);
      record(decide(current, now));
    };
    at('2021-03-14T06:59:59.999Z', (s, now) => changeQuantity(s, { itemId: 'base', quantity: '2' }, now));
    at('2021-03-14T07:00:00.000Z', (s, now) =>
      changeQuantity(s, { itemId: 'base', quantity: '3', billing: 'now' }, now),
    );
    at('2021-03-28T01:00:00.000Z', (s, now) => pause(s, { credit: 'prorated' }, now));
    at('2021-03-28T01:30:00.000Z', (s, now) => resume(s, { anchor: 'keep' }, now));
    at('2021-04-03T15:00:00.000Z', (s, now) =>
      addLineItem(s, { lineItemId: 'a', description: 'Work', unitPrice: '1' }, now),
    );
    at('2021-10-31T00:30:00.000Z', (s, now) => changeQuantity(s, { itemId: 'late', quantity: '2' }, now));
    at('2021-11-07T05:30:00.000Z', (s, now) => pause(s, { credit: 'none' }, now));
    at('2021-11-07T06:30:00.000Z', (s, now) => resume(s, { anchor: 'restart' }, now));
    at('2021-12-15T12:00:00.000Z', (s, now) => cancelNow(s, { credit: 'prorated' }, now));
    expect(recompute(made).differences).toEqual([]);
  });
});

describe('a move in mid-year', () => {
  const all = ([from, to]: readonly [string, string]) => grids.map((grid) => [from, to, [grid]] as const);
  const others = zones.map(
    (zone, i) => [zone, zones[(i + 1) % zones.length] ?? 'UTC', grids.slice(i % 4, (i % 4) + 1)] as const,
  );

  it.each([...all(['Asia/Tokyo', 'America/New_York']), ...all(['America/New_York', 'Asia/Tokyo']), ...others])(
    'from %s to %s leaves no gap, and charges no day twice',
    (from, to, some) => {
      for (const [, terms] of some) {
        const { events } = tenYears(from, terms, { at: '2015-06-17T09:00:00.000Z', timeZone: to });
        const periods = opened(events);
        periods.slice(1).forEach(({ startsAt }, i) => expect(startsAt).toBe(periods[i]?.endsAt));
        expect(events.filter(({ type }) => type === 'TimeZoneChanged')).toHaveLength(1);
        // By the clocks of the new zone from then on.
        const { endsAt = '', to: local } = periods.at(-1) ?? {};
        expect(toLocal(endsAt, to)).toBe(local);
        for (const itemId of ['base', 'late']) {
          const days = servedDays(events, itemId);
          const [first, last] = [days[0] ?? '', days.at(-1) ?? ''];
          if (terms.rules?.prorationUnit !== 'second') expect(new Set(days).size).toBe(days.length);
          expect(new Set(days).size).toBe(daysBetween(first, last) + 1);
        }
        expect(recompute(events).differences).toEqual([]);
      }
    },
  );
});

/** The local dates that an item's lines serve, in order. */
function servedDays(events: readonly SubscriptionEvent[], of: string): string[] {
  const days = events.flatMap((event) =>
    event.type !== 'LinesBilled'
      ? []
      : event.data.lines.flatMap(({ itemId, service: { from, to } }) =>
          itemId === of ? Array.from({ length: daysBetween(from, to) }, (_, i) => addDays(from, i)) : [],
        ),
  );
  return days.sort();
}

it('every day where a day is missing', () => {
  const { events } = tenYears('Pacific/Apia', { interval: { unit: 'day', count: 1 } });
  const days = opened(events).map(({ from }) => from.slice(0, 10));
  expect(days.filter((day) => day > '2011-12-27' && day < '2012-01-03')).toEqual([
    '2011-12-28',
    '2011-12-29',
    '2011-12-31',
    '2012-01-01',
    '2012-01-02',
  ]);
  expect(new Set(days).size).toBe(days.length);
});

/** Samoa had no 30 December 2011: a period of that one day is none. */
const skipped = (zone: string, { interval }: Partial<StartSubscription>) =>
  zone === 'Pacific/Apia' && interval?.unit === 'day' ? 1 : 0;
