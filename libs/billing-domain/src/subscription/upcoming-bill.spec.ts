import fc from 'fast-check';
import { changeItems, changeQuantity } from './change-items';
import { catchUp, given, refusal, startOn, type Decision } from './decisions.fixture';
import type { LinesBilled, SubscriptionEvent } from './events';
import { evolve, notStarted, type Subscription } from './state';
import { cancelNow, scheduleCancellation, undoCancellation } from './cancel';
import { pause, resume } from './pause';
import { addLineItem } from './subscription';
import { upcomingBill } from './upcoming-bill';
import { propertyRuns } from '../../../../test/support/property-runs';

const DAY = 86_400_000;
const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
const bills = (events: readonly SubscriptionEvent[]) =>
  events.flatMap((event) => (event.type === 'LinesBilled' ? [event.data] : []));

/** What the scheduler bills by that time, one period after the other, as it would. */
const scheduler = (state: Subscription, until: string): LinesBilled['data'][] => bills(catchUp(until)(state));

describe('the upcoming bill', () => {
  it('has the pending lines, the arrears and the next advance, dated at the boundary', () => {
    const state = given(startOn('2026-01-01'), (s) =>
      addLineItem(s, { lineItemId: 'a', description: 'Work', unitPrice: '500' }, '2026-01-05T00:00:00.000Z'),
    );
    const { before, bill } = upcomingBill(state, '2026-01-10T00:00:00.000Z');
    expect(before).toEqual([]);
    expect(bill).toMatchObject({
      billNumber: 2,
      effectiveAt: '2026-01-31T00:00:00.000Z',
      cause: 'boundary',
      net: '3500',
    });
    expect(bill?.lines.map(({ service, net }) => [service.from, net])).toEqual([
      ['2026-01-05', '500'],
      ['2026-01-31', '3000'],
    ]);
  });

  it('follows the bills of periods that have elapsed', () => {
    const { before, bill } = upcomingBill(given(startOn('2026-01-01')), '2026-03-02T00:00:00.000Z');
    expect(before.map(({ effectiveAt }) => effectiveAt)).toEqual([
      '2026-01-31T00:00:00.000Z',
      '2026-03-02T00:00:00.000Z',
    ]);
    expect(bill).toMatchObject({ billNumber: 4, effectiveAt: '2026-04-01T00:00:00.000Z' });
  });

  it('is the final one of a subscription that ends, and none afterwards or while it is paused', () => {
    const now = '2026-01-10T00:00:00.000Z';
    const arrears = startOn('2026-01-01', {}, { timing: 'arrears' });
    const ends: Decision = (s) => scheduleCancellation(s, now);
    expect(upcomingBill(given(arrears, ends), now).bill).toMatchObject({ cause: 'final', net: '3000' });
    expect(upcomingBill(given(startOn('2026-01-01'), ends), now)).toEqual({
      before: [],
      bill: null,
      reason: 'subscription-canceled',
    });
    expect(
      upcomingBill(
        given(arrears, (s) => pause(s, { credit: 'none' }, now)),
        now,
      ),
    ).toMatchObject({
      reason: 'subscription-paused',
    });
    expect(refusal(() => upcomingBill(notStarted, now))).toBe('subscription-not-found');
  });

  it('looks no further than it can: nothing to bill, or too many periods that have elapsed', () => {
    const daily = startOn('2026-01-01', { interval: { unit: 'day', count: 1 } });
    const now = '2026-01-01T00:00:00.000Z';
    const removed: Decision = (s) =>
      changeItems(s, { edits: [{ kind: 'remove', itemId: 'base' }], billing: 'now' }, now);
    expect(upcomingBill(given(daily, removed), now)).toEqual({ before: [], bill: null, reason: 'nothing-to-bill' });
    expect(refusal(() => upcomingBill(given(daily), '2036-01-01T00:00:00.000Z'))).toBe('boundary-due');
  });

  it('is, after any history, what the boundary bills when nothing else happens', () => {
    const step = fc.record({
      after: fc.oneof(fc.integer({ min: 0, max: DAY }), fc.integer({ min: 0, max: 50 * DAY })),
      command: fc.constantFrom('add', 'change', 'at-end', 'pause', 'credit', 'resume', 'end', 'undo', 'cancel'),
      n: fc.integer({ min: 0, max: 4 }),
    });
    const shapes = fc.record({
      timing: fc.constantFrom('advance' as const, 'arrears' as const),
      timeZone: fc.constantFrom('UTC', 'America/New_York', 'Australia/Lord_Howe'),
      interval: fc.constantFrom(
        { unit: 'month' as const, count: 1 },
        { unit: 'week' as const, count: 1 },
        { unit: 'year' as const, count: 1 },
      ),
      startAt: fc.integer({ min: Date.UTC(2023, 0, 1), max: Date.UTC(2026, 0, 1) }),
      script: fc.array(step, { maxLength: 12 }),
      late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 90 * DAY })),
    });
    fc.assert(
      fc.property(shapes, ({ timing, timeZone, interval, startAt, script, late }) => {
        let clock = startAt;
        let state = given(startOn(iso(clock), { timeZone, interval }, { timing }));
        for (const [i, { after, command, n }] of script.entries()) {
          clock += after;
          const now = iso(clock);
          const decisions: Readonly<Record<typeof command, Decision>> = {
            add: (s) => addLineItem(s, { lineItemId: `li-${i}`, description: 'x', unitPrice: `${n}` }, now),
            change: (s) => changeQuantity(s, { itemId: 'base', quantity: `${n}` }, now),
            'at-end': (s) => changeQuantity(s, { itemId: 'base', quantity: `${n}`, when: 'period-end' }, now),
            pause: (s) => pause(s, { credit: 'none' }, now),
            credit: (s) => pause(s, { credit: 'prorated' }, now),
            resume: (s) => resume(s, { anchor: 'keep' }, now),
            end: (s) => scheduleCancellation(s, now),
            undo: (s) => undoCancellation(s, now),
            cancel: (s) => cancelNow(s, { credit: 'prorated' }, now),
          };
          state = catchUp(now)(state).reduce<Subscription>(evolve, state);
          try {
            state = decisions[command](state).reduce<Subscription>(evolve, state);
          } catch (error) {
            if ((error as { code?: string }).code === undefined) throw error;
          }
        }
        const now = iso(clock + late);
        const { before, bill } = upcomingBill(state, now);
        const due = scheduler(state, now);
        expect(before).toEqual(due);
        const coming = scheduler(state, iso(clock + late + 3 * 366 * DAY)).slice(due.length);
        expect(bill).toEqual(coming[0] ?? null);
      }),
      propertyRuns(300),
    );
  });
});
