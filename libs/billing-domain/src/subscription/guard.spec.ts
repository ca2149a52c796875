import { presets } from '../billing-rules';
import { cancelNow } from './cancel';
import { changeQuantity } from './change-items';
import { at, catchUp, given, linesOf, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { MAX_BILLS_PER_BOUNDARY, MAX_LINES_PER_ITEM_AND_DAY, releaseHold } from './guard';
import { pause, resume } from './pause';
import { releaseBill } from './release-bill';
import { evolve, type StartedSubscription, type Subscription } from './state';
import { addLineItem, rollOver } from './subscription';
import { upcomingBill } from './upcoming-bill';

const month = { unit: 'month', count: 1 } as const;
const types = (events: readonly SubscriptionEvent[]) => events.map(({ type }) => type);
const holdOf = (state: Subscription) => (state as StartedSubscription).hold;
const minute = (n: number) => new Date(Date.parse(at('2026-01-10')) + n * 60_000).toISOString();

/** Another quantity each minute of one day, until billing is held; what the last change decided. */
function changedUntilHeld(start: Decision, billing: 'now' | 'next-bill', most: number) {
  let state = given(start);
  let last: SubscriptionEvent[] = [];
  let changes = 0;
  while (!holdOf(state) && changes < most) {
    changes += 1;
    last = changeQuantity(state, { itemId: 'base', quantity: `${2 + (changes % 2)}`, billing }, minute(changes));
    state = last.reduce<Subscription>(evolve, state);
  }
  return { state, last, changes };
}

describe('a caller that changes an item again and again', () => {
  const start = startOn('2026-01-01', { interval: month });
  const { state, last, changes } = changedUntilHeld(start, 'now', 200);

  it('is stopped by the change that passes the bound, whose bill stands', () => {
    expect(changes).toBe(MAX_LINES_PER_ITEM_AND_DAY / 2 + 1);
    expect(types(last)).toEqual(['ItemsChanged', 'LinesBilled', 'BillingHeld']);
    expect(last[2]).toEqual({
      type: 'BillingHeld',
      data: {
        effectiveAt: minute(changes),
        reason: 'repeated-lines',
        count: MAX_LINES_PER_ITEM_AND_DAY + 1,
        itemId: 'base',
        serviceFrom: '2026-01-10',
        period: { periodNumber: 1, endsAt: at('2026-02-01') },
      },
    });
  });

  it('hears so until someone releases it; the boundary waits', () => {
    const now = minute(60);
    expect(refusal(() => changeQuantity(state, { itemId: 'base', quantity: '9' }, now))).toBe('billing-held');
    expect(refusal(() => cancelNow(state, { credit: 'none' }, now))).toBe('billing-held');
    expect(refusal(() => pause(state, { credit: 'none' }, now))).toBe('billing-held');
    expect(refusal(() => addLineItem(state, { lineItemId: 'a', description: 'x', unitPrice: '1' }, now))).toBe(
      'billing-held',
    );
    expect(refusal(() => rollOver(state, 1, at('2026-02-10')))).toBe('billing-held');
    expect(upcomingBill(state, at('2026-02-10'))).toEqual({ before: [], bill: null, reason: 'billing-held' });
    // What was billed can still be taken back.
    expect(types(releaseBill(state, { billNumber: 1, lines: [], rebill: false }, at('2026-02-10')))).toEqual([
      'BillReleased',
    ]);
    const release: Decision = (s) => releaseHold(s, at('2026-02-10'));
    const released = release(state).reduce<Subscription>(evolve, state);
    expect(release(released)).toEqual([]);
    expect(types(rollOver(released, 1, at('2026-02-10')))).toEqual([
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    expect(holdOf(catchUp('2036-01-01')(released).reduce<Subscription>(evolve, released))).toBeNull();
  });
});

it('a boundary whose bill would pass the bound is not billed; released, it is', () => {
  // Where seconds are counted each change of a day is a piece of its own.
  const start = startOn('2026-01-01', { interval: month, rules: presets.openmeter }, { timing: 'arrears' });
  const { state, changes } = changedUntilHeld(start, 'next-bill', MAX_LINES_PER_ITEM_AND_DAY + 1);
  expect(changes).toBe(MAX_LINES_PER_ITEM_AND_DAY + 1);
  const due = rollOver(state, 1, at('2026-02-03'));
  expect(due).toEqual([
    {
      type: 'BillingHeld',
      data: {
        effectiveAt: at('2026-02-01'),
        reason: 'repeated-lines',
        count: MAX_LINES_PER_ITEM_AND_DAY + 1,
        itemId: 'base',
        serviceFrom: '2026-01-10',
        period: { periodNumber: 1, endsAt: at('2026-02-01') },
      },
    },
  ]);
  const held = due.reduce<Subscription>(evolve, state);
  const released = releaseHold(held, at('2026-02-04')).reduce<Subscription>(evolve, held);
  const billed = rollOver(released, 1, at('2026-02-04'));
  expect(linesOf(billed)).toHaveLength(changes + 1);
  expect(types(catchUp('2026-09-01')(billed.reduce<Subscription>(evolve, released)))).not.toContain('BillingHeld');
});

it('bills between two boundaries are bounded, in whatever way they come about', () => {
  let state = given(startOn('2026-01-01', { interval: { unit: 'year', count: 1 } }));
  let bills = 1;
  for (let day = 1; !holdOf(state) && day < 300; day += 1) {
    const now = new Date(Date.parse(at('2026-01-01')) + day * 86_400_000).toISOString();
    const decide: Decision =
      day % 2 === 1 ? (s) => pause(s, { credit: 'prorated' }, now) : (s) => resume(s, { anchor: 'keep' }, now);
    const events = decide(state);
    bills += types(events).filter((type) => type === 'LinesBilled').length;
    state = events.reduce<Subscription>(evolve, state);
  }
  expect(bills).toBe(MAX_BILLS_PER_BOUNDARY + 1);
  expect(holdOf(state)).toMatchObject({ reason: 'repeated-bills', count: MAX_BILLS_PER_BOUNDARY + 1 });
});

it.each([
  ['days', { unit: 'day', count: 1 } as const, 3653],
  ['months', month, 120],
])('ten years of %s are caught up on without a hold', (_, interval, boundaries) => {
  const start = startOn('2016-01-01', { interval });
  const state = given(start);
  const events = catchUp('2026-01-01')(state);
  expect(types(events).filter((type) => type === 'LinesBilled')).toHaveLength(boundaries);
  expect(types(events)).not.toContain('BillingHeld');
});
