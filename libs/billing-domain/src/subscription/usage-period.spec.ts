import { presets } from '../billing-rules';
import { changeBillingCycle } from './change-billing-cycle';
import { changeItems } from './change-items';
import { changeTimeZone } from './change-time-zone';
import { at, given, startOn } from './decisions.fixture';
import type { StartedSubscription } from './state';
import { rollOver } from './subscription';
import { usageStretches } from './usage-period';

const month = { unit: 'month', count: 1 } as const;
const calls = (unitPrice: string) =>
  ({
    kind: 'usage',
    itemId: 'calls',
    componentKey: 'calls',
    description: 'Calls',
    timing: 'arrears',
    meter: { key: 'calls', aggregation: 'count' },
    unitPrice,
  }) as const;
const put = (unitPrice: string) => [{ kind: 'put', item: calls(unitPrice) }] as const;
const nothing = { subscriptionId: '', periodNumber: 1, startsAt: '', to: '', segments: [], carried: [] };
const stretches = (state: unknown, periodNumber: number) =>
  usageStretches(state as StartedSubscription, periodNumber).map(({ from, to, change }) => [from, to, change]);

describe('the stretches of usage', () => {
  // Found by the simulated book: the terms of the day before were gone when the period was billed, and its usage with them.
  it('begin with the period where a change does, whatever the rules say of the day of a change', () => {
    const started = startOn('2026-01-01', { interval: month, items: [calls('1')], rules: presets['kill-bill'] });
    const state = given(
      started,
      (s) => changeItems(s, { edits: put('2'), when: 'period-end' }, at('2026-01-10')),
      (s) => rollOver(s, 1, at('2026-02-01'), nothing),
    );
    expect(stretches(state, 2)).toEqual([['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z', 1]]);
    const within = given(started, (s) => changeItems(s, { edits: put('2') }, '2026-01-10T10:00:00.000Z'));
    expect(stretches(within, 1)).toEqual([
      ['2026-01-01T00:00:00.000Z', '2026-01-11T00:00:00.000Z', 0],
      ['2026-01-11T00:00:00.000Z', '2026-02-01T00:00:00.000Z', 1],
    ]);
  });

  it('are cut at the instant of a change in the hours that the clocks show again after a move westward', () => {
    const boundary = '2026-01-31T15:00:00.000Z';
    const now = '2026-01-31T16:00:00.000Z';
    const tokyo = { timeZone: 'Asia/Tokyo', startsAt: '2025-12-31T15:00:00.000Z', interval: month };
    const state = given(
      startOn('2026-01-01', { ...tokyo, items: [calls('1')] }),
      (s) => changeTimeZone(s, { timeZone: 'America/New_York' }, at('2026-01-10')),
      (s) => rollOver(s, 1, boundary, nothing),
      (s) => changeItems(s, { edits: put('2') }, now),
    );
    expect(stretches(state, 2)).toEqual([
      [boundary, now, 0],
      [now, '2026-03-01T05:00:00.000Z', 1],
    ]);
  });

  // Found by the simulated book: 163 ms of a new item were charged its flat fee a second time.
  it('have none within the last second of a period that a change cuts', () => {
    const now = '2026-01-10T10:00:00.163Z';
    const state = given(startOn('2026-01-01', { interval: month, items: [calls('1')] }), (s) =>
      changeBillingCycle(s, { interval: { unit: 'week', count: 2 }, edits: put('2') }, now),
    );
    expect(stretches(state, 1)).toEqual([['2026-01-01T00:00:00.000Z', now, 0]]);
  });
});
