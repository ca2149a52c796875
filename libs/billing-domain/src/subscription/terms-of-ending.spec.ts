import { cancelNow, scheduleCancellation, undoCancellation } from './cancel';
import { changeBillingCycle } from './change-billing-cycle';
import { changeQuantity } from './change-items';
import { at, billed, catchUp, given, refusal, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause, resume, schedulePause, undoPause } from './pause';
import { changePeriods, type StartSubscription } from './start';
import { notStarted, type StartedSubscription } from './state';
import { rollOver } from './subscription';

const month = { unit: 'month', count: 1 } as const;
const monthly = (changes: Partial<StartSubscription> = {}) => startOn('2026-01-01', { interval: month, ...changes });
const types = (events: readonly SubscriptionEvent[]) => events.map(({ type }) => type);
const ends = (events: readonly SubscriptionEvent[]) =>
  events.flatMap(({ type, data }) => (type === 'SubscriptionCanceled' ? [[data.cause, data.effectiveAt]] : []));
const cancelsAt = (decide: Decision, now: string) => {
  const [event] = scheduleCancellation(given(decide, catchUp(now)), at(now));
  return event?.type === 'CancellationScheduled' ? event.data.cancelsAt : undefined;
};
const thrown = (decide: () => unknown) => {
  try {
    return decide();
  } catch (error) {
    const { code, details } = error as { code: string; details?: object };
    return [code, details];
  }
};

describe('a fixed number of periods', () => {
  it('expires with the last of them, and bills no other', () => {
    const events = catchUp('2026-12-01')(given(monthly({ periods: 3 })));
    expect(ends(events)).toEqual([['expired', at('2026-04-01')]]);
    expect(billed(events).map(([from]) => from)).toEqual(['2026-02-01', '2026-03-01']);
  });

  it('counts paid periods: not the trial, a stub as one, and a pause holds the count', () => {
    const trial = given(monthly({ periods: 2, trialDays: 9, anchor: { dayOfMonth: 1 } }));
    expect(ends(catchUp('2026-12-01')(trial))).toEqual([['expired', at('2026-03-01')]]);
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-20'));
    const resumed: Decision = (s) => resume(s, { anchor: 'keep' }, at('2026-03-20'));
    expect(ends(catchUp('2026-12-01')(given(monthly({ periods: 2 }), paused, resumed)))).toEqual([
      ['expired', at('2026-05-01')],
    ]);
  });

  it('can be made more, fewer or endless, but not what has passed', () => {
    const state = given(monthly({ periods: 3 }), catchUp('2026-02-10'));
    const to = (periods: number | null) => changePeriods(state, { periods }, at('2026-02-10'));
    expect(
      ends(
        catchUp('2027-06-01')(
          given(
            () => [],
            monthly({ periods: 3 }),
            (s) => changePeriods(s, { periods: 5 }, at('2026-01-10')),
          ),
        ),
      ),
    ).toEqual([['expired', at('2026-06-01')]]);
    expect(to(3)).toEqual([]);
    expect(to(null)).toEqual([{ type: 'PeriodsChanged', data: { effectiveAt: at('2026-02-10'), periods: null } }]);
    expect(changePeriods(given(monthly()), { periods: null }, at('2026-01-02'))).toEqual([]);
    expect(types(to(2))).toEqual(['PeriodsChanged']);
    expect(refusal(() => to(1))).toBe('invalid-option');
    expect(refusal(() => to(0))).toBe('invalid-option');
    expect(refusal(() => monthly({ periods: 10_001 })(notStarted))).toBe('invalid-option');
  });
});

describe('a minimum term', () => {
  const bound = monthly({ minimumTermPeriods: 3 });

  it('lets nobody cancel now, unless it is waived', () => {
    const state = given(bound, catchUp('2026-02-10'));
    const cancel = (more: object) => cancelNow(state, { credit: 'none', ...more }, at('2026-02-10'));
    expect(thrown(() => cancel({}))).toEqual(['minimum-term', { periodsLeft: 2, earliest: at('2026-04-01') }]);
    expect(cancel({ waiveTerm: true })[1]).toEqual({
      type: 'SubscriptionCanceled',
      data: { effectiveAt: at('2026-02-10'), cause: 'requested', credit: 'none', waivedTerm: true },
    });
  });

  it('moves a cancellation with the period to its end', () => {
    expect(cancelsAt(bound, '2026-01-10')).toBe(at('2026-04-01'));
    expect(cancelsAt(bound, '2026-03-31T23:59:59.999Z')).toBe(at('2026-04-01'));
    expect(cancelsAt(bound, '2026-04-01')).toBe(at('2026-05-01'));
    const scheduled: Decision = (s) => scheduleCancellation(s, at('2026-01-10'));
    const events = catchUp('2026-12-01')(given(bound, scheduled));
    expect(ends(events)).toEqual([['scheduled', at('2026-04-01')]]);
    expect(billed(events).map(([from]) => from)).toEqual(['2026-02-01', '2026-03-01']);
    const undone: Decision = (s) => undoCancellation(s, at('2026-02-20'));
    expect(ends(catchUp('2026-12-01')(given(bound, scheduled, catchUp('2026-02-20'), undone)))).toEqual([]);
  });

  it('takes changes at the end of a period before that', () => {
    const scheduled: Decision = (s) => scheduleCancellation(s, at('2026-01-10'));
    const change = (now: string) => (s: Parameters<Decision>[0]) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', when: 'period-end' }, at(now));
    expect(types(change('2026-01-11')(given(bound, scheduled)))).toEqual(['ItemsChangeScheduled']);
    expect(refusal(() => change('2026-03-11')(given(bound, scheduled, catchUp('2026-03-11'))))).toBe(
      'cancellation-scheduled',
    );
  });

  it('does not bind before anything is paid for', () => {
    const trial = startOn('2026-01-01', { interval: month, minimumTermPeriods: 3, noticeDays: 30, trialDays: 14 });
    expect(types(cancelNow(given(trial), { credit: 'none' }, at('2026-01-05')))).toContain('SubscriptionCanceled');
    expect(cancelsAt(trial, '2026-01-05')).toBe(at('2026-01-15'));
    const later = startOn('2026-01-01', { startsAt: at('2026-02-01'), minimumTermPeriods: 3, noticeDays: 30 });
    expect(types(cancelNow(given(later), { credit: 'none' }, at('2026-01-05')))).toEqual(['SubscriptionCanceled']);
  });

  it('is not served by a pause', () => {
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-20'));
    expect(thrown(() => cancelNow(given(bound, paused), { credit: 'none' }, at('2026-09-01')))).toEqual([
      'minimum-term',
      { periodsLeft: 3 },
    ]);
  });

  it('does not outlast the last period', () => {
    expect(cancelsAt(monthly({ minimumTermPeriods: 12, periods: 2 }), '2026-01-10')).toBe(at('2026-03-01'));
  });
});

describe('a notice', () => {
  const noticed = monthly({ noticeDays: 30 });

  it('moves a cancellation to the first boundary that it reaches', () => {
    expect(cancelsAt(noticed, '2026-01-02')).toBe(at('2026-02-01'));
    expect(cancelsAt(noticed, '2026-01-03')).toBe(at('2026-03-01'));
    expect(cancelsAt(noticed, '2026-01-30')).toBe(at('2026-03-01'));
    expect(cancelsAt(noticed, '2026-01-31')).toBe(at('2026-04-01'));
  });

  it('lets nobody cancel now, but in a pause', () => {
    expect(thrown(() => cancelNow(given(noticed), { credit: 'none' }, at('2026-01-10')))).toEqual([
      'notice-period',
      { periodsLeft: 0, earliest: at('2026-03-01') },
    ]);
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-20'));
    expect(types(cancelNow(given(noticed, paused), { credit: 'none' }, at('2026-01-21')))).toEqual([
      'SubscriptionCanceled',
    ]);
  });
});

describe('a pause at the end of the period', () => {
  const scheduled: Decision = (s) => schedulePause(s, at('2026-01-10'));

  it('closes the period, bills what is due and opens no other', () => {
    const arrears = startOn('2026-01-01', { interval: month }, { timing: 'arrears' });
    const events = rollOver(given(arrears, scheduled), 1, at('2026-02-03'));
    expect(types(events)).toEqual(['BillingPeriodClosed', 'SubscriptionPaused', 'LinesBilled']);
    expect(events[1]).toMatchObject({ data: { effectiveAt: at('2026-02-01') } });
    expect(billed(events)).toEqual([['2026-01-01', '2026-02-01', '3000']]);
    const advance = rollOver(given(monthly(), scheduled), 1, at('2026-02-03'));
    expect(types(advance)).toEqual(['BillingPeriodClosed', 'SubscriptionPaused']);
    const resumed = resume(
      given(monthly(), scheduled, () => advance),
      { anchor: 'keep' },
      at('2026-02-15'),
    );
    // 14 of the 28 days of February
    expect(billed(resumed)).toEqual([['2026-02-15', '2026-03-01', '1500']]);
  });

  it('lets what is scheduled take effect', () => {
    const change: Decision = (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', when: 'period-end' }, at('2026-01-12'));
    const state = given(monthly(), scheduled, change, catchUp('2026-02-03'));
    expect(billed(resume(state, { anchor: 'restart' }, at('2026-03-01')))).toEqual([
      ['2026-03-01', '2026-04-01', '6000'],
    ]);
  });

  it('can be undone until then, and is no other way of ending', () => {
    const undone: Decision = (s) => undoPause(s, at('2026-01-11'));
    expect(types(catchUp('2026-02-01')(given(monthly(), scheduled, undone)))).toContain('BillingPeriodOpened');
    expect(undoPause(given(monthly()), at('2026-01-11'))).toEqual([]);
    expect(schedulePause(given(monthly(), scheduled), at('2026-01-12'))).toEqual([]);
    const now = at('2026-01-12');
    expect(refusal(() => scheduleCancellation(given(monthly(), scheduled), now))).toBe('pause-scheduled');
    expect(
      refusal(() => changeBillingCycle(given(monthly(), scheduled), { anchor: { dayOfMonth: 9 }, edits: [] }, now)),
    ).toBe('pause-scheduled');
    const canceling: Decision = (s) => scheduleCancellation(s, at('2026-01-10'));
    expect(refusal(() => schedulePause(given(monthly(), canceling), now))).toBe('cancellation-scheduled');
    const paused = given(monthly(), scheduled, (s) => pause(s, { credit: 'none' }, now));
    expect((paused as StartedSubscription).pausesAt).toBeNull();
    expect(schedulePause(paused, now)).toEqual([]);
  });
});
