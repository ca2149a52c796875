import { DomainError } from '../domain-error';
import type { SealedUsage } from '../usage/events';
import { billUsage } from './bill-usage';
import { cancelNow } from './cancel';
import { changeQuantity } from './change-items';
import { at, given, startOn, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause } from './pause';
import type { StartSubscription } from './start';
import { addLineItem, rollOver } from './subscription';

/* 30.00 a month in advance and 0.01 a call, counted to the end of each month. (billing-model.md §6) */

const calls = {
  kind: 'usage',
  itemId: 'calls',
  componentKey: 'calls',
  description: 'Calls',
  timing: 'arrears',
  meter: { key: 'calls', aggregation: 'sum' },
  unitPrice: '1',
} as const;
const month = { unit: 'month', count: 1 } as const;
const started = (changes: Partial<StartSubscription> = {}) =>
  startOn('2026-01-01', { interval: month, items: [calls], ...changes });
const sealed = (periodNumber: number, quantity: string, from: string, to: string): SealedUsage => ({
  subscriptionId: startedId,
  periodNumber,
  startsAt: from,
  to,
  segments: [{ from, meters: [{ meter: 'calls', records: 1, quantity }] }],
  carried: [],
});
const startedId = '5d2eec52-086d-5f3c-8395-ed5062da6fd9';
const january = sealed(1, '250', at('2026-01-01'), at('2026-02-01'));
const rolled =
  (n: number, now: string, usage?: SealedUsage): Decision =>
  (s) =>
    rollOver(s, n, at(now), usage);
const work =
  (now: string): Decision =>
  (s) =>
    addLineItem(s, { lineItemId: 'work', description: 'Work', unitPrice: '500' }, at(now));

/** The code with which it is refused, and with what details; else the types of what is decided. */
function outcome(decide: () => readonly SubscriptionEvent[]) {
  try {
    return decide().map(({ type }) => type);
  } catch (error) {
    if (error instanceof DomainError) return [error.code, error.details];
    throw error;
  }
}
/** When, why and with which lines. */
const bills = (events: readonly SubscriptionEvent[]) =>
  events.flatMap((event) => {
    if (event.type !== 'LinesBilled') return [];
    const { effectiveAt, cause, periodNumber, lines } = event.data;
    return [[effectiveAt, cause, periodNumber, lines.map(({ kind, net }) => `${kind} ${net}`)]];
  });

describe('without a grace', () => {
  const state = given(started());

  it('a boundary waits for the seal, and then bills at once', () => {
    expect(outcome(() => rolled(1, '2026-02-01')(state))).toEqual(['usage-not-sealed', { periodNumber: 1 }]);
    const events = rolled(1, '2026-02-01', january)(state);
    expect(events.map(({ type }) => type)).toEqual(['BillingPeriodClosed', 'BillingPeriodOpened', 'LinesBilled']);
    expect(events[0]?.data).not.toHaveProperty('usageDueAt');
    expect(bills(events)).toEqual([[at('2026-02-01'), 'boundary', 1, ['recurring 3000', 'usage 250']]]);
    expect(billUsage(given(started(), rolled(1, '2026-02-01', january)), 1, january, at('2026-02-01'))).toEqual([]);
  });

  it.each<[string, string, Decision]>([
    ['pause', 'pause', (s) => pause(s, { credit: 'prorated' }, at('2026-01-11'))],
    ['cancellation', 'final', (s) => cancelNow(s, { credit: 'prorated' }, at('2026-01-11'))],
  ])('a %s cuts the period short, and its bill follows the seal', (_, cause, stop) => {
    const stopped = stop(state);
    expect(stopped[0]).toMatchObject({ type: 'BillingPeriodClosed', data: { usageDueAt: at('2026-01-11') } });
    expect(bills(stopped)).toEqual([]);
    const waiting = given(started(), stop);
    const short = sealed(1, '250', at('2026-01-01'), at('2026-01-11'));
    expect(outcome(() => billUsage(waiting, 1, undefined, at('2026-01-11')))).toEqual([
      'usage-not-sealed',
      { periodNumber: 1 },
    ]);
    expect(bills(billUsage(waiting, 1, short, at('2026-01-12')))).toEqual([
      // 21 of 31 days of 30.00
      [at('2026-01-11'), cause, 1, ['correction -2032', 'usage 250']],
    ]);
  });
});

describe('with a grace of three days', () => {
  const graced = started({ usageGraceHours: 72 });
  const waiting = given(graced, rolled(1, '2026-02-01'));

  it('a boundary closes and opens, and bills nothing yet', () => {
    const events = rolled(1, '2026-02-01')(given(graced));
    expect(events.map(({ type }) => type)).toEqual(['BillingPeriodClosed', 'BillingPeriodOpened']);
    expect(events[0]?.data).toMatchObject({ periodNumber: 1, usageDueAt: at('2026-02-04') });
    expect(rolled(1, '2026-02-01')(waiting)).toEqual([]);
  });

  it('its bill is dated at the end of the grace, however late it is made', () => {
    const soon = () => billUsage(waiting, 1, january, '2026-02-03T23:59:59.999Z');
    expect(outcome(soon)).toEqual(['period-not-elapsed', { periodNumber: 1 }]);
    const events = billUsage(waiting, 1, january, at('2026-02-04'));
    expect(events[0]).toEqual({ type: 'UsageBilled', data: { effectiveAt: at('2026-02-04'), periodNumber: 1 } });
    expect(bills(events)).toEqual([[at('2026-02-04'), 'boundary', 1, ['recurring 3000', 'usage 250']]]);
    expect(billUsage(waiting, 1, january, at('2026-02-20'))).toEqual(events);
    expect(outcome(() => billUsage(waiting, 1, undefined, at('2026-02-04')))).toEqual([
      'usage-not-sealed',
      { periodNumber: 1 },
    ]);
  });

  it('its bill is made once, and of no other period', () => {
    const billed = given(graced, rolled(1, '2026-02-01'), (s) => billUsage(s, 1, january, at('2026-02-04')));
    expect(billUsage(billed, 1, january, at('2026-02-05'))).toEqual([]);
    expect(billUsage(waiting, 2, january, at('2026-02-05'))).toEqual([]);
    expect(billUsage(given(graced), 1, january, at('2026-02-05'))).toEqual([]);
  });

  it('it may be cut short, and its bill is dated then; never lengthened', () => {
    const cut = (cutAt: string) => bills(billUsage(waiting, 1, january, at('2026-02-02'), at(cutAt)))[0]?.[0];
    expect([cut('2026-02-02'), cut('2026-02-04'), cut('2026-02-05')]).toEqual(
      ['2026-02-02', '2026-02-04', '2026-02-04'].map(at),
    );
  });

  it('decisions go on while it lasts, and wait for the bill from its end on', () => {
    expect(outcome(() => work('2026-02-03T23:59:59.999Z')(waiting))).toEqual(['LineItemAdded']);
    expect(outcome(() => work('2026-02-04')(waiting))).toEqual(['usage-not-sealed', { periodNumber: 1 }]);
  });

  it('a change that bills at once, and what stops the subscription, waits for the bill as well', () => {
    const refused = (now: string) => ['usage-not-sealed', { periodNumber: 1, billsAt: at(now) }];
    expect(outcome(() => pause(waiting, { credit: 'none' }, at('2026-02-02')))).toEqual(refused('2026-02-02'));
    expect(outcome(() => cancelNow(waiting, { credit: 'none' }, at('2026-02-02')))).toEqual(refused('2026-02-02'));
  });

  it('the next boundary waits for the bill of the one before', () => {
    expect(outcome(() => rolled(2, '2026-03-01')(waiting))).toEqual(['usage-not-sealed', { periodNumber: 1 }]);
  });

  it('it ends with the next period where that is shorter', () => {
    const daily = startOn('2026-01-01', { interval: { unit: 'day', count: 1 }, items: [calls], usageGraceHours: 72 });
    const state = given(daily, rolled(1, '2026-01-02'));
    const usage = sealed(1, '250', at('2026-01-01'), at('2026-01-02'));
    expect(outcome(() => work('2026-01-02T23:59:59.999Z')(state))).toEqual(['LineItemAdded']);
    expect(outcome(() => work('2026-01-03')(state))).toEqual(['usage-not-sealed', { periodNumber: 1 }]);
    expect(outcome(() => billUsage(state, 1, usage, '2026-01-02T23:59:59.999Z'))).toEqual([
      'period-not-elapsed',
      { periodNumber: 1 },
    ]);
    expect(bills(billUsage(state, 1, usage, at('2026-01-03')))[0]?.[0]).toBe(at('2026-01-03'));
  });

  it('a change of quantity within it is on the bill after it', () => {
    const state = given(graced, rolled(1, '2026-02-01'), (s) =>
      changeQuantity(s, { itemId: 'base', quantity: '2', when: { effectiveOn: '2026-02-02' } }, at('2026-02-02')),
    );
    expect(bills(billUsage(state, 1, january, at('2026-02-04')))[0]?.[3]).toContain('usage 250');
  });
});

it('a boundary is refused before it is there, after the subscription ended, and as a number that is none', () => {
  const state = given(started());
  const early = () => rolled(1, '2026-01-31T23:59:59.999Z', january)(state);
  expect(outcome(early)).toEqual(['period-not-elapsed', { periodNumber: 1 }]);
  expect(outcome(() => rolled(2, '2026-02-01', january)(state))).toEqual(['period-not-elapsed', { periodNumber: 2 }]);
  const ended = given(startOn('2026-01-01'), (s) => cancelNow(s, { credit: 'none' }, at('2026-01-05')));
  expect(outcome(() => rolled(1, '2026-02-01')(ended))).toEqual([]);
  expect(outcome(() => rolled(2, '2026-03-01')(ended))).toEqual(['subscription-canceled', undefined]);
  for (const n of [-1, 0.5, NaN])
    expect(outcome(() => rolled(n, '2026-02-01')(state))).toEqual(['invalid-option', undefined]);
  const later = given(startOn('2026-01-01', { startsAt: at('2026-02-01') }));
  expect(outcome(() => rolled(0, '2026-01-31')(later))).toEqual(['period-not-elapsed', { periodNumber: 0 }]);
  expect(outcome(() => rolled(1, '2026-02-01')(later))).toEqual(['period-not-elapsed', { periodNumber: 1 }]);
  expect(outcome(() => rolled(0, '2026-02-01')(later))).toEqual(['BillingPeriodOpened', 'LinesBilled']);
  expect(outcome(() => work('2026-02-01')(later))).toEqual(['boundary-due', { periodNumber: 0 }]);
  expect(outcome(() => work('2026-01-31')(later))).toEqual(['no-open-period', undefined]);
  expect(outcome(() => work('2026-02-01')(given(startOn('2026-01-01'))))).toEqual([
    'boundary-due',
    { periodNumber: 1 },
  ]);
});
