import { presets } from '../billing-rules';
import { cancelNow, scheduleCancellation, undoCancellation } from './cancel';
import { changeBillingCycle } from './change-billing-cycle';
import { changeItems, changeQuantity } from './change-items';
import { at, billed, catchUp, given, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause, resume } from './pause';
import { type StartSubscription } from './start';
import { notStarted, type StartedSubscription, type Subscription } from './state';
import { addLineItem, rollOver } from './subscription';

const month = { unit: 'month', count: 1 } as const;
const periods = (events: readonly SubscriptionEvent[]) =>
  events.flatMap(({ type, data }) => (type === 'BillingPeriodOpened' ? [[data.kind, data.startsAt, data.endsAt]] : []));
const bills = (events: readonly SubscriptionEvent[]) =>
  events.flatMap(({ type, data }) => (type === 'LinesBilled' ? [[data.cause, data.effectiveAt, data.net]] : []));
const types = (events: readonly SubscriptionEvent[]) => events.map(({ type }) => type);
const stateOf = (state: Subscription) => state as StartedSubscription;

/** All events of decisions, one after the other. */
function history(...decisions: readonly Decision[]): SubscriptionEvent[] {
  const events: SubscriptionEvent[] = [];
  for (const decide of decisions) events.push(...decide(given(() => events)));
  return events;
}

describe('a trial', () => {
  const trial = (changes: Partial<StartSubscription> = {}) =>
    startOn('2026-01-01', { interval: month, trialDays: 14, ...changes });

  it('charges nothing; its end begins the grid and bills the first paid period', () => {
    const started = trial()(notStarted);
    expect(types(started)).toEqual(['SubscriptionStarted', 'BillingPeriodOpened']);
    expect(periods(started)).toEqual([['trial', at('2026-01-01'), at('2026-01-15')]]);
    const ended = catchUp('2026-02-20')(given(trial()));
    expect(periods(ended)).toEqual([
      ['regular', at('2026-01-15'), at('2026-02-15')],
      ['regular', at('2026-02-15'), at('2026-03-15')],
    ]);
    expect(bills(ended)).toEqual([
      ['boundary', at('2026-01-15'), '3000'],
      ['boundary', at('2026-02-15'), '3000'],
    ]);
  });

  // Lago free_trial_billing_spec.rb: 50 000.00 in calendar months, 10 days from 2024-03-05T12:12Z (TRI-01)
  it('with an anchor is followed by a stub', () => {
    const start = startOn(
      '2024-03-05T12:12:00.000Z',
      { interval: month, anchor: { dayOfMonth: 1 }, trialDays: 10, rules: presets.lago, currency: 'EUR' },
      { unitPrice: '5000000' },
    );
    expect(bills(start(notStarted))).toEqual([]);
    expect(refusal(() => rollOver(given(start), 1, '2024-03-15T12:11:59.999Z'))).toBe('period-not-elapsed');
    expect(bills(rollOver(given(start), 1, '2024-03-15T12:12:00.000Z'))).toEqual([
      ['boundary', '2024-03-15T12:12:00.000Z', '2741935'],
    ]);
  });

  it('under the rule of the imagined period the stub counts from its end', () => {
    const start = trial({ anchor: { dayOfMonth: 1 }, rules: presets.stripe });
    // 17 days of the 31 from 15 January to 15 February
    expect(billed(catchUp('2026-01-15')(given(start)))).toEqual([['2026-01-15', '2026-02-01', '1645']]);
  });

  it('lasts as long over a change of the clocks', () => {
    const start = startOn('2026-03-20T12:00:00.000Z', { timeZone: 'Europe/Berlin', interval: month, trialDays: 14 });
    expect(periods(start(notStarted))).toEqual([['trial', '2026-03-20T12:00:00.000Z', '2026-04-03T11:00:00.000Z']]);
  });

  it('bills what a caller added at its end', () => {
    const added: Decision = (s) =>
      addLineItem(s, { lineItemId: 'a', description: 'Work', unitPrice: '500' }, at('2026-01-03'));
    expect(billed(catchUp('2026-01-15')(given(trial(), added)))).toEqual([
      ['2026-01-03', '2026-01-04', '500'],
      ['2026-01-15', '2026-02-15', '3000'],
    ]);
  });

  it.each(['advance', 'arrears'] as const)('costs nothing in %s when it is canceled', (timing) => {
    const start = startOn('2026-01-01', { interval: month, trialDays: 14 }, { timing });
    expect(types(cancelNow(given(start), { credit: 'prorated' }, at('2026-01-10')))).toEqual([
      'BillingPeriodClosed',
      'SubscriptionCanceled',
    ]);
    const atItsEnd: Decision = (s) => scheduleCancellation(s, at('2026-01-10'));
    expect(types(catchUp('2026-09-01')(given(start, atItsEnd)))).toEqual([
      'BillingPeriodClosed',
      'SubscriptionCanceled',
    ]);
    const undone: Decision = (s) => undoCancellation(s, at('2026-01-11'));
    const after = catchUp('2026-02-15')(given(start, atItsEnd, undone));
    expect(bills(after).length).toBe(timing === 'advance' ? 2 : 1);
  });

  it('ends the subscription where it was started so', () => {
    const ended = catchUp('2026-09-01')(given(trial({ trialEnd: 'cancel' })));
    expect(ended.at(-1)).toEqual({
      type: 'SubscriptionCanceled',
      data: { effectiveAt: at('2026-01-15'), cause: 'trial-ended', credit: 'none' },
    });
    expect(bills(ended)).toEqual([]);
  });

  it('goes on after a pause, and no longer than it would have', () => {
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-05'));
    const early: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-01-08'));
    expect(periods(early(given(trial(), paused)))).toEqual([['trial', at('2026-01-08'), at('2026-01-15')]]);
    const late: Decision = (s) => resume(s, { anchor: 'restart' }, at('2026-01-20'));
    expect(bills(late(given(trial(), paused)))).toEqual([['resume', at('2026-01-20'), '3000']]);
    expect(periods(late(given(trial(), paused)))).toEqual([['regular', at('2026-01-20'), at('2026-02-20')]]);
  });

  it('takes changes, of the grid too, without a charge', () => {
    const more: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '3', billing: 'now' }, at('2026-01-05'));
    const yearly: Decision = (s) =>
      changeBillingCycle(s, { interval: { unit: 'year', count: 1 }, edits: [] }, at('2026-01-06'));
    const events = history(trial(), more, yearly, catchUp('2026-01-15'));
    expect(types(events)).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
      'ItemsChanged',
      'BillingCycleChanged',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    expect(billed(events)).toEqual([['2026-01-15', '2027-01-15', '9000']]);
  });

  it.each([-1, 0.5, 3661])('of %d days is none', (trialDays) =>
    expect(refusal(() => trial({ trialDays })(notStarted))).toBe('invalid-option'),
  );
});

describe('a start in the future', () => {
  const later = (changes: Partial<StartSubscription> = {}) =>
    startOn('2026-01-01', { interval: month, startsAt: '2026-02-10T09:00:00.000Z', ...changes });

  it('bills nothing and opens nothing before it; then, however late, it is dated at the start', () => {
    const events = later()(notStarted);
    expect(types(events)).toEqual(['SubscriptionStarted']);
    expect(stateOf(given(later())).status).toBe('scheduled');
    expect(refusal(() => rollOver(given(later()), 0, '2026-02-10T08:59:59.999Z'))).toBe('period-not-elapsed');
    const begun = rollOver(given(later()), 0, at('2026-02-20'));
    expect(bills(begun)).toEqual([['start', '2026-02-10T09:00:00.000Z', '3000']]);
    expect(periods(begun)).toEqual([['regular', '2026-02-10T09:00:00.000Z', at('2026-03-10')]]);
    expect(
      rollOver(
        given(later(), () => begun),
        0,
        at('2026-02-20'),
      ),
    ).toEqual([]);
  });

  it('comes before whatever is decided after it', () => {
    expect(refusal(() => changeQuantity(given(later()), { itemId: 'base', quantity: '2' }, at('2026-02-11')))).toBe(
      'boundary-due',
    );
    expect(refusal(() => cancelNow(given(later()), { credit: 'none' }, at('2026-02-11')))).toBe('boundary-due');
  });

  it('begins with the terms as they were changed before', () => {
    const changed: Decision = (s) => changeQuantity(s, { itemId: 'base', quantity: '4' }, at('2026-01-05'));
    const cycle: Decision = (s) => changeBillingCycle(s, { anchor: { dayOfMonth: 20 }, edits: [] }, at('2026-01-06'));
    const events = history(later({ trialDays: 5 }), changed, cycle, catchUp('2026-02-20'));
    expect(types(events)).toEqual([
      'SubscriptionStarted',
      'ItemsChanged',
      'BillingCycleChanged',
      'BillingPeriodOpened',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    // 15 to 20 February: 5 of the 31 days from 20 January
    expect(billed(events)).toEqual([
      ['2026-02-15', '2026-02-20', '1935'],
      ['2026-02-20', '2026-03-20', '12000'],
    ]);
    expect(changed(given(later(), changed))).toEqual([]);
    expect(cycle(given(later(), cycle))).toEqual([]);
  });

  it('is canceled before it without a bill', () => {
    const canceled = cancelNow(given(later()), { credit: 'prorated' }, at('2026-01-20'));
    expect(canceled).toEqual([
      {
        type: 'SubscriptionCanceled',
        data: { effectiveAt: at('2026-01-20'), cause: 'requested', credit: 'prorated' },
      },
    ]);
    expect(
      rollOver(
        given(later(), () => canceled),
        0,
        at('2026-02-20'),
      ),
    ).toEqual([]);
  });

  it('has no period to add to, to pause or to end with', () => {
    const state = given(later());
    const now = at('2026-01-20');
    expect(refusal(() => pause(state, { credit: 'none' }, now))).toBe('no-open-period');
    expect(refusal(() => scheduleCancellation(state, now))).toBe('no-open-period');
    expect(refusal(() => addLineItem(state, { lineItemId: 'a', description: 'x', unitPrice: '1' }, now))).toBe(
      'no-open-period',
    );
    const edits = [{ kind: 'quantity', itemId: 'base', quantity: '2' } as const];
    expect(refusal(() => changeItems(state, { edits, when: 'period-end' }, now))).toBe('no-open-period');
    expect(resume(state, { anchor: 'keep' }, now)).toEqual([]);
  });
});

describe('a start in the past', () => {
  it('bills the periods that have elapsed one after another, each at its boundary', () => {
    const start = startOn('2026-04-10', { interval: month, startsAt: at('2026-01-15') });
    expect(start(notStarted)[0]).toMatchObject({ data: { effectiveAt: at('2026-01-15'), startsAt: at('2026-01-15') } });
    expect(bills(history(start, catchUp('2026-04-10')))).toEqual([
      ['start', at('2026-01-15'), '3000'],
      ['boundary', at('2026-02-15'), '3000'],
      ['boundary', at('2026-03-15'), '3000'],
    ]);
  });

  // Stripe, "Backdate subscriptions": the stub counts against a month that starts with it (BAK-01)
  it('with an anchor begins with a stub', () => {
    const start = startOn(
      '2025-03-20',
      { interval: month, startsAt: at('2025-02-15'), anchor: { dayOfMonth: 1 }, rules: presets.stripe },
      { unitPrice: '10000' },
    );
    expect(bills(history(start, catchUp('2025-03-20')))).toEqual([
      ['start', at('2025-02-15'), '5000'],
      ['boundary', at('2025-03-01'), '10000'],
    ]);
  });

  it('passes through a trial that has ended', () => {
    const start = startOn('2026-03-01', { interval: month, startsAt: at('2026-01-15'), trialDays: 30 });
    expect(bills(history(start, catchUp('2026-03-01')))).toEqual([['boundary', at('2026-02-14'), '3000']]);
  });

  it('is bounded: five years either way, and 120 periods to bill', () => {
    const from = (startsAt: string, interval: StartSubscription['interval'] = month) =>
      refusal(() => startOn('2026-01-01', { startsAt: at(startsAt), interval })(notStarted));
    expect(from('2020-12-27')).toBe('start-out-of-range');
    expect(from('2020-12-28')).toMatch(/^decided/);
    expect(from('2031-01-05')).toMatch(/^decided/);
    expect(from('2031-01-06')).toBe('start-out-of-range');
    expect(from('2025-09-03', { unit: 'day', count: 1 })).toMatch(/^decided/);
    expect(from('2025-09-02', { unit: 'day', count: 1 })).toBe('start-out-of-range');
  });
});
