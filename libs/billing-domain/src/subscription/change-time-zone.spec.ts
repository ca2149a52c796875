import fc from 'fast-check';
import { presets } from '../billing-rules';
import { addDays } from '../calendar';
import { propertyRuns } from '../../../../test/support/property-runs';
import { changeBillingCycle } from './change-billing-cycle';
import { changeQuantity } from './change-items';
import { changeTimeZone } from './change-time-zone';
import { cancelNow, scheduleCancellation } from './cancel';
import { at, billed, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause, resume, schedulePause } from './pause';
import type { StartedSubscription } from './state';

const month = { unit: 'month', count: 1 } as const;
const tokyo = { timeZone: 'Asia/Tokyo', interval: month, startsAt: '2025-12-31T15:00:00.000Z' };
const newYork = { timeZone: 'America/New_York', interval: month, startsAt: '2026-01-01T05:00:00.000Z' };
const start = (more: object, item: object = {}) => startOn('2026-01-01', more, item);
const moving =
  (timeZone: string, on: string): Decision =>
  (state) =>
    changeTimeZone(state, { timeZone }, at(on));
function all(...decisions: readonly Decision[]): SubscriptionEvent[] {
  const events: SubscriptionEvent[] = [];
  given(
    ...decisions.map((decide): Decision => (state) => {
      const made = decide(state);
      events.push(...made);
      return made;
    }),
  );
  return events;
}
const stateOf = (...decisions: readonly Decision[]) => given(...decisions) as StartedSubscription;
const periods = (events: readonly SubscriptionEvent[]) =>
  events.flatMap(({ type, data }) => (type === 'BillingPeriodOpened' ? [[data.startsAt, data.endsAt]] : []));

describe('a change of zone', () => {
  it('counts the imagined period of a first, short piece from the local date that goes on, not from what the new clocks show', () => {
    const rules = { ...presets.perennial, leadingStub: 'imagined-period' } as const;
    const events = all(
      startOn('2026-01-30', { interval: month, trialDays: 1, anchor: { dayOfMonth: 15 }, rules }),
      moving('America/New_York', '2026-01-30'),
      catchUp('2026-02-01'),
    );
    // 15 of the 28 days from 31 January to 28 February; in New York the trial ended on the 30th.
    expect(billed(events)).toEqual([['2026-01-31', '2026-02-15', '1607']]);
  });

  it('Tokyo to New York in mid-year: no gap, no overlap, and no day twice', () => {
    const events = all(
      start(tokyo),
      catchUp('2026-06-10'),
      moving('America/New_York', '2026-06-10'),
      catchUp('2026-09-02'),
    );
    expect(periods(events).slice(4)).toEqual([
      ['2026-04-30T15:00:00.000Z', '2026-05-31T15:00:00.000Z'],
      ['2026-05-31T15:00:00.000Z', '2026-06-30T15:00:00.000Z'],
      // From midnight in Tokyo to midnight in New York: 13 hours longer than July.
      ['2026-06-30T15:00:00.000Z', '2026-08-01T04:00:00.000Z'],
      ['2026-08-01T04:00:00.000Z', '2026-09-01T04:00:00.000Z'],
      ['2026-09-01T04:00:00.000Z', '2026-10-01T04:00:00.000Z'],
    ]);
    expect(billed(events).slice(4)).toEqual([
      ['2026-05-01', '2026-06-01', '3000'],
      ['2026-06-01', '2026-07-01', '3000'],
      ['2026-07-01', '2026-08-01', '3000'],
      ['2026-08-01', '2026-09-01', '3000'],
      ['2026-09-01', '2026-10-01', '3000'],
    ]);
  });

  it('New York to Tokyo: the month is 13 hours shorter, and costs the same', () => {
    const events = all(
      start(newYork),
      catchUp('2026-06-10'),
      moving('Asia/Tokyo', '2026-06-10'),
      catchUp('2026-07-02'),
    );
    expect(periods(events).at(-1)).toEqual(['2026-07-01T04:00:00.000Z', '2026-07-31T15:00:00.000Z']);
    expect(billed(events).at(-1)).toEqual(['2026-07-01', '2026-08-01', '3000']);
  });

  it('is recorded once, named by the bills after it, and taken back by naming the zone that it is in', () => {
    const state = stateOf(start(tokyo), moving('America/New_York', '2026-01-10'));
    expect(moving('America/New_York', '2026-01-11')(state)).toEqual([]);
    expect(moving('Asia/Tokyo', '2026-01-11')(stateOf(start(tokyo)))).toEqual([]);
    const [undone] = moving('Asia/Tokyo', '2026-01-11')(state);
    expect(undone).toEqual({
      type: 'TimeZoneChangeUnscheduled',
      data: { effectiveAt: at('2026-01-11'), periodNumber: 1 },
    });
    const events = catchUp('2026-02-01')(state);
    expect(events.map(({ type }) => type)).toEqual([
      'BillingPeriodClosed',
      'TimeZoneChanged',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    expect(events.at(-1)?.data).toMatchObject({ timeZone: 'America/New_York' });
  });

  it('leaves what a change right after it, still yesterday in the new zone, finds: the day stays charged once', () => {
    const moved = [start(tokyo), moving('America/New_York', '2026-01-10'), catchUp('2026-01-31T16:00:00.000Z')];
    const seats: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, '2026-01-31T16:00:00.000Z');
    expect(billed(seats(stateOf(...moved)))).toEqual([
      ['2026-02-01', '2026-03-01', '-3000'],
      ['2026-02-01', '2026-03-01', '6000'],
    ]);
    const ending: Decision = (s) => cancelNow(s, { credit: 'prorated' }, '2026-01-31T16:00:00.000Z');
    expect(billed(ending(stateOf(...moved)))).toEqual([['2026-02-01', '2026-03-01', '-3000']]);
    const horizon: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', when: { effectiveOn: '2026-01-15' } }, at('2026-02-10'));
    expect(billed(horizon(stateOf(...moved)))).toEqual([
      ['2026-01-15', '2026-02-01', '-1645'],
      ['2026-02-01', '2026-03-01', '-3000'],
      ['2026-01-15', '2026-02-01', '3290'],
      ['2026-02-01', '2026-03-01', '6000'],
    ]);
  });

  it('leaves the terms in force to a pause and a change right after it, still yesterday in the new zone', () => {
    const now = '2026-01-31T16:00:00.000Z';
    const moved = [start(tokyo), moving('America/New_York', '2026-01-10'), catchUp(now)];
    const state = stateOf(
      ...moved,
      (s) => pause(s, { credit: 'none' }, now),
      (s) => resume(s, { anchor: 'keep' }, now),
    );
    expect(state.terms).toHaveLength(1);
    expect(refusal(() => changeQuantity(state, { itemId: 'base', quantity: '2' }, now))).toMatch(/^decided/);
  });

  it.each(['Asia/Tokyo', 'America/New_York'])(
    'to %s charges each second of what is billed at the end of several periods once',
    (zone) => {
      const late = { timing: 'arrears', every: 3 } as const;
      const utc = { timeZone: 'UTC', interval: month, rules: presets.openmeter };
      const events = all(start(utc, late), catchUp('2026-03-10'), moving(zone, '2026-03-10'), catchUp('2026-10-02'));
      const charged = linesOf(events).map(({ rule }) => rule.instants);
      expect(charged[0]?.from).toBe('2026-01-01T00:00:00.000Z');
      expect(charged.slice(1).map((each) => each?.from)).toEqual(charged.slice(0, -1).map((each) => each?.to));
      expect(charged).toHaveLength(3);
    },
  );

  it('within what is billed at the end of several periods bills its part so far, where seconds are counted', () => {
    const late = { timing: 'arrears', every: 3 } as const;
    const casablanca = { timeZone: 'UTC', interval: month };
    const inDays = all(start(casablanca, late), moving('Africa/Casablanca', '2026-01-10'), catchUp('2026-04-02'));
    expect(billed(inDays)).toEqual([['2026-01-01', '2026-04-01', '3000']]);
    const seconds = { ...casablanca, rules: presets.openmeter };
    const events = all(start(seconds, late), moving('Africa/Casablanca', '2026-01-10'), catchUp('2026-04-02'));
    expect(billed(events).map(([from, to]) => [from, to])).toEqual([
      ['2026-01-01', '2026-02-01'],
      ['2026-02-01', '2026-04-01'],
    ]);
  });

  it('where seconds are counted leaves what was billed before as it is', () => {
    const rules = presets.stripe;
    const seats: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, '2026-01-16T15:00:00.000Z');
    const events = all(start({ ...tokyo, rules }), seats, moving('America/New_York', '2026-01-20'));
    expect(billed(catchUp('2026-02-10')(stateOf(() => events))).map(([, , net]) => net)).toEqual(['6000']);
    const again = all(
      () => events,
      catchUp('2026-02-10'),
      (s) => changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, at('2026-02-10')),
    );
    expect(again).toHaveLength(events.length + 4);
  });

  it('comes with the end of a trial, and with a pause that begins with the period', () => {
    const trial = all(
      start({ ...tokyo, trialDays: 14 }),
      moving('America/New_York', '2026-01-05'),
      catchUp('2026-01-15'),
    );
    expect(periods(trial)).toEqual([
      ['2025-12-31T15:00:00.000Z', '2026-01-14T15:00:00.000Z'],
      ['2026-01-14T15:00:00.000Z', '2026-02-15T05:00:00.000Z'],
    ]);
    expect(billed(trial)).toEqual([['2026-01-15', '2026-02-15', '3000']]);
    const paused = all(
      start(tokyo),
      moving('America/New_York', '2026-01-05'),
      (s) => schedulePause(s, at('2026-01-06')),
      catchUp('2026-02-01'),
      (s) => resume(s, { anchor: 'keep' }, '2026-02-10T05:00:00.000Z'),
    );
    expect(periods(paused).at(-1)).toEqual(['2026-02-10T05:00:00.000Z', '2026-03-01T05:00:00.000Z']);
    expect(billed(paused).at(-1)).toEqual(['2026-02-10', '2026-03-01', '2036']);
  });

  it('of a period of a day lets none be without time', () => {
    const days = {
      ...newYork,
      timeZone: 'Etc/GMT+12',
      startsAt: '2026-01-01T12:00:00.000Z',
      interval: { unit: 'day', count: 1 },
    };
    const events = all(
      start(days),
      catchUp('2026-01-01T13:00:00.000Z'),
      moving('Pacific/Kiritimati', '2026-01-01T13:00:00.000Z'),
      catchUp('2026-01-04'),
    );
    // 26 hours further east: 2 January is over there when it begins here, as where a zone skips a day.
    expect(periods(events)).toEqual([
      ['2026-01-01T12:00:00.000Z', '2026-01-02T12:00:00.000Z'],
      ['2026-01-02T12:00:00.000Z', '2026-01-03T10:00:00.000Z'],
      ['2026-01-03T10:00:00.000Z', '2026-01-04T10:00:00.000Z'],
    ]);
    expect(billed(events).map(([, , net]) => net)).toEqual(['3000', '3000', '3000']);
  });

  it('right before another cycle: it begins with the day that is to be charged, though the clocks show the one before', () => {
    const utc = { timeZone: 'UTC', interval: month };
    const quarterly: Decision = (s) =>
      changeBillingCycle(s, { interval: { unit: 'month', count: 3 }, edits: [] }, at('2026-02-01'));
    const events = all(start(utc), moving('America/Sao_Paulo', '2026-01-10'), catchUp('2026-02-01'), quarterly);
    // In São Paulo it is nine in the evening of 31 January, which is charged.
    expect(periods(events).at(-1)).toEqual(['2026-02-01T00:00:00.000Z', '2026-05-01T03:00:00.000Z']);
    expect(billed(events)).toEqual([
      ['2026-01-01', '2026-02-01', '3000'],
      ['2026-02-01', '2026-03-01', '3000'],
      ['2026-02-01', '2026-03-01', '-3000'],
      ['2026-02-01', '2026-05-01', '3000'],
    ]);
    const ids = linesOf([...events, ...catchUp('2026-08-02')(stateOf(() => events))]).map(({ lineId }) => lineId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each(['keep', 'restart'] as const)(
    'with a pause that is over at once, the anchor %s: the day that it begins with is the next one',
    (anchor) => {
      const events = all(
        start(tokyo, { timing: 'arrears' }),
        moving('America/New_York', '2026-01-10'),
        (s) => schedulePause(s, at('2026-01-10')),
        catchUp('2026-02-01'),
        (s) => resume(s, { anchor }, '2026-01-31T16:00:00.000Z'),
        catchUp('2026-04-02'),
      );
      expect(periods(events)[1]).toEqual(['2026-01-31T16:00:00.000Z', '2026-03-01T05:00:00.000Z']);
      expect(billed(events)).toEqual([
        ['2026-01-01', '2026-02-01', '3000'],
        ['2026-02-01', '2026-03-01', '3000'],
        ['2026-03-01', '2026-04-01', '3000'],
      ]);
    },
  );

  it('where seconds are counted charges a change right after it from its second on', () => {
    const events = all(
      start({ ...tokyo, rules: presets.openmeter }, { unitPrice: '2678400' }),
      moving('America/New_York', '2026-01-10'),
      catchUp('2026-01-31T16:00:00.000Z'),
      (s) => changeQuantity(s, { itemId: 'base', quantity: '2', billing: 'now' }, '2026-01-31T16:00:00.000Z'),
    );
    expect(linesOf(events).map(({ rule, quantity }) => [rule.instants?.from, quantity])).toEqual([
      ['2025-12-31T15:00:00.000Z', '1'],
      ['2026-01-31T15:00:00.000Z', '1'],
      ['2026-01-31T16:00:00.000Z', '1'],
      ['2026-01-31T16:00:00.000Z', '2'],
    ]);
  });

  it.each([
    // From Tokyo's 15 January on.
    ['2026-01-15', '2026-01-14T15:00:00.000Z'],
    // The day with which the period after it begins, in Tokyo.
    ['2026-02-01', '2026-01-31T15:00:00.000Z'],
    ['2026-02-02', '2026-02-02T05:00:00.000Z'],
  ])('where seconds are counted lets a change that is backdated to %s begin in the zone of that day', (on, begins) => {
    const events = all(
      start({ ...tokyo, rules: presets.openmeter }, { timing: 'arrears' }),
      moving('America/New_York', '2026-01-10'),
      catchUp('2026-02-10'),
      (s) => changeQuantity(s, { itemId: 'base', quantity: '2', when: { effectiveOn: on } }, at('2026-02-10')),
      catchUp('2026-03-02'),
    );
    const charged = linesOf(events).find(({ kind, quantity }) => kind === 'recurring' && quantity === '2');
    expect(charged?.rule.instants?.from).toBe(begins);
  });

  it('with the end of a trial and a pause charges no fee: nothing is paid for yet', () => {
    const fee = { kind: 'one-time', unitPrice: '500' } as const;
    const events = all(
      start({ timeZone: 'Europe/Berlin', interval: month, trialDays: 1 }, fee),
      moving('UTC', '2026-01-01'),
      (s) => schedulePause(s, at('2026-01-01')),
      catchUp('2026-01-02'),
    );
    expect(billed(events)).toEqual([]);
    const resumed = resume(
      stateOf(() => events),
      { anchor: 'keep' },
      at('2026-01-05'),
    );
    expect(billed(resumed)).toEqual([['2026-01-05', '2026-01-06', '500']]);
  });

  it('is refused where there is no boundary to come', () => {
    expect(refusal(() => moving('Mars/Olympus', '2026-01-02')(stateOf(start(tokyo))))).toBe('unknown-time-zone');
    const ahead = stateOf(start({ ...tokyo, startsAt: at('2026-02-01') }));
    expect(refusal(() => moving('UTC', '2026-01-02')(ahead))).toBe('no-open-period');
    const paused = stateOf(start(tokyo), (s) => pause(s, { credit: 'none' }, at('2026-01-05')));
    expect(refusal(() => moving('UTC', '2026-01-06')(paused))).toBe('subscription-paused');
    const canceling = stateOf(start(tokyo), (s) => scheduleCancellation(s, at('2026-01-05')));
    expect(refusal(() => moving('UTC', '2026-01-06')(canceling))).toBe('cancellation-scheduled');
  });

  it('does not put an end off by a period that is to come later, by notice: the two are made one after the other', () => {
    const noticed = { ...newYork, noticeDays: 40 };
    const ending: Decision = (s) => scheduleCancellation(s, at('2026-01-05'));
    const begun = [start(noticed), catchUp('2026-01-02')];
    const moved = [...begun, moving('Asia/Tokyo', '2026-01-04'), ending];
    expect(stateOf(...moved).cancelsAt).toBe('2026-02-28T15:00:00.000Z');
    expect(stateOf(...moved, catchUp('2026-04-02'))).toMatchObject({
      status: 'canceled',
      lastClosed: { endsAt: '2026-02-28T15:00:00.000Z' },
    });
    const ended = [...begun, ending];
    expect(stateOf(...ended).cancelsAt).toBe('2026-03-01T05:00:00.000Z');
    expect(refusal(() => moving('Asia/Tokyo', '2026-01-06')(stateOf(...ended)))).toBe('cancellation-scheduled');
    expect(refusal(() => moving('America/New_York', '2026-01-06')(stateOf(...moved)))).toBe('cancellation-scheduled');
  });

  it('any moves at any times: periods tile, and every day is charged once', () => {
    const zones = fc.constantFrom(
      'Asia/Tokyo',
      'America/New_York',
      'UTC',
      'Pacific/Apia',
      'Europe/Berlin',
      'Pacific/Kiritimati',
    );
    const moves = fc.array(fc.tuple(zones, fc.integer({ min: 1, max: 700 })), { maxLength: 5 });
    fc.assert(
      fc.property(zones, moves, fc.constantFrom('advance', 'arrears'), (zone, list, timing) => {
        const sorted = [...list].sort(([, a], [, b]) => a - b);
        const steps = sorted.flatMap(([to, day]): Decision[] => {
          const on = `${addDays('2026-01-01', day)}T07:30:00.000Z`;
          return [catchUp(on), moving(to, on)];
        });
        const events = all(start({ timeZone: zone, interval: month }, { timing }), ...steps, catchUp('2028-01-02'));
        const opened = periods(events);
        expect(opened.slice(1).map(([from]) => from)).toEqual(opened.slice(0, -1).map(([, to]) => to));
        const lines = billed(events);
        expect(lines.slice(1).map(([from]) => from)).toEqual(lines.slice(0, -1).map(([, to]) => to));
      }),
      propertyRuns(100),
    );
  });

  it('does not charge the last hours of a long cycle again that was billed in seconds before the move', () => {
    const anchor = { localDateTime: '2024-01-31T02:30:00' };
    const rules = { ...presets.openmeter, prorationUnit: 'second' } as const;
    const events = all(
      startOn('2023-01-01', { interval: { unit: 'week', count: 2 }, anchor, rules }, { every: 2 }),
      moving('Australia/Lord_Howe', '2023-01-01'),
      (state) =>
        changeBillingCycle(state, { interval: { unit: 'day', count: 30 }, anchor, edits: [] }, at('2023-01-01')),
      catchUp('2023-04-10'),
    );
    const charged = linesOf(events).filter(({ kind }) => kind === 'recurring');
    expect(charged.slice(1).map(({ rule }) => [rule.instants?.from, rule.instants?.to])).toEqual([
      ['2023-01-01T00:00:00.000Z', '2023-02-05T02:30:00.000Z'],
      ['2023-02-05T02:30:00.000Z', '2023-04-05T16:00:00.000Z'],
      ['2023-04-05T16:00:00.000Z', '2023-06-04T16:00:00.000Z'],
    ]);
  });
});
