import { DomainError } from '../domain-error';
import { defaultRules } from '../billing-rules';
import type { PlanComponent, PlanEvent } from '../plan/events';
import { createPlan, draftVersion, evolvePlan, planType, publishVersion, type Plan } from '../plan/plan';
import { plannedTerms, startOnPlan } from '../plan/planned-terms';
import type { SealedUsage } from '../usage/events';
import { cancelNow } from './cancel';
import { changeAddOns, type ChangeAddOns } from './change-add-ons';
import { changeItems, undoScheduledChange, type ChangeItems } from './change-items';
import { at, catchUp, given, startOn, thirtyDays, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { pause } from './pause';
import { start, type StartSubscription } from './start';
import { notStarted, type Subscription } from './state';
import { addLineItem, voidLineItem } from './subscription';
import type { NewItem } from './terms';
import { upcomingBill } from './upcoming-bill';

/* What a refusal says besides its code, for whoever is refused to go on from. */

const month = { unit: 'month', count: 1 } as const;
const started = (changes: Partial<StartSubscription> = {}) => startOn('2026-01-01', { interval: month, ...changes });
const calls: NewItem = {
  kind: 'usage',
  itemId: 'calls',
  componentKey: 'calls',
  description: 'Calls',
  timing: 'arrears',
  meter: { key: 'calls', aggregation: 'sum' },
  unitPrice: '1',
};
/** The code with which it is refused, and with what details; else the types of what is decided. */
function outcome(decide: () => readonly SubscriptionEvent[]) {
  try {
    return decide().map(({ type }) => type);
  } catch (error) {
    if (error instanceof DomainError) return [error.code, error.details];
    throw error;
  }
}
type Edits = ChangeItems['edits'];
const changing = (state: Subscription, edits: Edits, more: Partial<ChangeItems> = {}, now = '2026-01-11') =>
  outcome(() => changeItems(state, { edits, ...more }, at(now)));

describe('a change of items', () => {
  const state = given(started({ items: [calls] }));
  const quantity = (n: number, itemId = 'base') => ({ kind: 'quantity', itemId, quantity: `${n}` }) as const;

  it('names the item that is not there', () => {
    expect(changing(state, [quantity(2, 'gone')])).toEqual(['item-not-found', { itemId: 'gone' }]);
    expect(changing(state, [quantity(2, 'gone')], { when: 'period-end' })).toEqual([
      'item-not-found',
      { itemId: 'gone' },
    ]);
    const put = {
      kind: 'put',
      item: { ...calls, itemId: 'new', componentKey: 'new', kind: undefined as never },
    } as const;
    const { kind: _, meter: __, ...fee } = put.item;
    expect(changing(state, [{ kind: 'put', item: fee }, quantity(2, 'new')])).toEqual(['ItemsChanged']);
  });

  it('names the meter that is another', () => {
    const other = { ...calls, meter: { key: 'calls', aggregation: 'count' } } as const;
    expect(changing(state, [{ kind: 'put', item: other }])).toEqual(['meter-changed', { meter: 'calls' }]);
    expect(changing(state, [{ kind: 'put', item: other }], { when: 'period-end' })).toEqual([
      'meter-changed',
      { meter: 'calls' },
    ]);
  });

  it('names the day from which on things can change', () => {
    const later = given(started(), catchUp('2026-03-01'));
    const on = (effectiveOn: string) => changing(later, [quantity(2)], { when: { effectiveOn } }, '2026-03-05');
    expect(on('2026-01-31')).toEqual(['before-correction-horizon', { horizon: '2026-02-01' }]);
    expect(on('2026-02-01')).toEqual(['ItemsChanged', 'LinesBilled']);
    expect(on('2026-03-05')).toEqual(['ItemsChanged']);
    expect(on('2026-03-06')).toEqual(['invalid-option', undefined]);
  });

  it('is of at most 50 edits, and so is what is scheduled', () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => quantity(i + 2));
    expect(changing(state, many(50))).toEqual(['ItemsChanged']);
    expect(changing(state, many(51))).toEqual(['invalid-option', undefined]);
    const half = given(started(), (s) => changeItems(s, { edits: many(30), when: 'period-end' }, at('2026-01-11')));
    expect(changing(half, many(20), { when: 'period-end' })).toEqual(['ItemsChangeScheduled']);
    expect(changing(half, many(21), { when: 'period-end' })).toEqual(['billing-period-full', { periodNumber: 1 }]);
  });

  it('that is taken back in a pause is dated no earlier than the pause', () => {
    const scheduled: Decision = (s) => changeItems(s, { edits: [quantity(2)], when: 'period-end' }, at('2026-01-11'));
    const undo = (now: string, ...more: Decision[]) =>
      undoScheduledChange(given(started(), scheduled, ...more), at(now));
    expect(undo('2026-01-12')).toEqual([
      { type: 'ItemsChangeUnscheduled', data: { effectiveAt: at('2026-01-12'), periodNumber: 1 } },
    ]);
    expect(undo('2025-12-31')[0]?.data.effectiveAt).toBe(at('2026-01-01'));
    const paused: Decision = (s) => pause(s, { credit: 'none' }, at('2026-01-20'));
    expect(undo('2026-01-12', paused)[0]?.data.effectiveAt).toBe(at('2026-01-20'));
    expect(undoScheduledChange(given(started()), at('2026-01-12'))).toEqual([]);
  });
});

describe('a line item', () => {
  const work: Decision = (s) =>
    addLineItem(s, { lineItemId: 'work', description: 'Work', unitPrice: '500' }, at('2026-01-05'));

  it('that is billed says so when it is to be voided; one that is not is taken back, once', () => {
    const billed = given(started(), work, catchUp('2026-02-01'));
    expect(outcome(() => voidLineItem(billed, 'work', at('2026-02-05')))).toEqual([
      'line-item-already-billed',
      { lineItemId: 'work' },
    ]);
    const pending = given(started(), work);
    const [voided] = voidLineItem(pending, 'work', at('2025-12-31'));
    expect(voided).toMatchObject({
      type: 'LineItemVoided',
      data: { effectiveAt: at('2026-01-01'), lineItemId: 'work' },
    });
    const after = given(started(), work, (s) => voidLineItem(s, 'work', at('2026-01-06')));
    expect(voidLineItem(after, 'work', at('2026-01-07'))).toEqual([]);
    expect(outcome(() => voidLineItem(pending, 'other', at('2026-01-06')))[0]).toBe('line-item-not-found');
  });

  it('serves at most 1830 days before or after the open period, and at least a day', () => {
    const of = (from: string, to: string) =>
      outcome(() =>
        addLineItem(
          given(started()),
          { lineItemId: 'x', description: 'x', unitPrice: '1', service: { from, to } },
          at('2026-01-05'),
        ),
      );
    expect(of('2020-12-28', '2020-12-29')).toEqual(['LineItemAdded']);
    expect(of('2020-12-27', '2020-12-29')).toEqual(['invalid-service', undefined]);
    expect(of('2026-01-01', '2031-02-05')).toEqual(['LineItemAdded']);
    expect(of('2026-01-01', '2031-02-06')).toEqual(['invalid-service', undefined]);
    expect(of('2026-01-01', '2026-01-01')).toEqual(['invalid-service', undefined]);
    expect(of('2026-01-02', '2026-01-01')).toEqual(['invalid-service', undefined]);
  });
});

describe('a change of add-ons', () => {
  const component = (componentKey: string, more: Partial<PlanComponent> = {}): PlanComponent => ({
    componentKey,
    description: componentKey,
    kind: 'recurring',
    timing: 'advance',
    every: 1,
    prices: { USD: { model: 'flat', unitPrice: '3000' } },
    taxCode: null,
    taxBehaviour: 'unspecified',
    discountable: true,
    ...more,
  });
  const components = [component('base'), component('support', { optional: true })];
  const terms = { interval: month, currencies: ['USD'], rules: defaultRules, components };
  const decide = (state: Plan, events: readonly PlanEvent[]) => events.reduce(evolvePlan, state);
  const empty = (planId: string) =>
    decide(planType.initial, createPlan(planType.initial, { planId, name: 'Pro' }, at('2026-01-01')));
  const planOf = (planId: string) => {
    const drafted = decide(empty(planId), draftVersion(empty(planId), 1, terms, at('2026-01-01')));
    return decide(drafted, publishVersion(drafted, 1, at('2026-01-01')));
  };
  const pro = planOf('pro');
  const { item: _, interval: __, ...asked } = thirtyDays;
  const onPro: Decision = (s) => start(s, startOnPlan(asked, plannedTerms(pro, 'USD', {})), at('2026-01-01'));
  const change = (plan: Plan, input: ChangeAddOns, ...more: Decision[]) =>
    outcome(() => changeAddOns(given(onPro, ...more), plan, { billing: 'now', ...input }, at('2026-01-11')));
  const support = { add: [{ componentKey: 'support' }] };

  it('is about the version that the subscription is on', () => {
    expect(change(pro, support)).toEqual(['ItemsChanged', 'LinesBilled']);
    for (const other of [planType.initial, planOf('other'), empty('pro')]) {
      expect(change(other, support)).toEqual(['plan-version-not-found', undefined]);
    }
    expect(outcome(() => changeAddOns(given(started()), pro, support, at('2026-01-11')))).toEqual([
      'no-plan',
      undefined,
    ]);
  });

  it('adds and removes what can be picked, and nothing when it is so', () => {
    const added: Decision = (s) => changeAddOns(s, pro, support, at('2026-01-11'));
    expect(change(pro, {})).toEqual([]);
    expect(change(pro, { remove: ['support'] })).toEqual([]);
    expect(change(pro, support, added)).toEqual([]);
    expect(change(pro, { remove: ['support'] }, added)[0]).toBe('ItemsChanged');
    expect(change(pro, { add: [{ componentKey: 'support', quantity: '2' }] }, added)[0]).toBe('ItemsChanged');
    for (const componentKey of ['base', 'gone']) {
      expect(change(pro, { add: [{ componentKey }] })).toEqual(['unknown-component', undefined]);
      expect(change(pro, { remove: [componentKey] })).toEqual(['unknown-component', undefined]);
    }
  });
});

describe('the upcoming bill', () => {
  const sealed = (periodNumber: number, quantity: string): SealedUsage => ({
    subscriptionId: thirtyDays.subscriptionId,
    periodNumber,
    startsAt: at('2026-01-01'),
    to: at('2026-02-01'),
    segments: [{ from: at('2026-01-01'), meters: [{ meter: 'calls', records: 1, quantity }] }],
    carried: [],
  });
  const lines = (state: Subscription, now: string, usage?: (n: number) => SealedUsage | undefined) => {
    const { bill } = upcomingBill(state, at(now), usage);
    return bill && [bill.effectiveAt, ...bill.lines.map(({ kind, net }) => `${kind} ${net}`)];
  };

  it('has what was used so far, and without it nothing of usage', () => {
    const state = given(started({ items: [calls] }));
    const soFar = (n: number) => (n === 1 ? sealed(1, '250') : undefined);
    expect(lines(state, '2026-01-20', soFar)).toEqual([at('2026-02-01'), 'recurring 3000', 'usage 250']);
    expect(lines(state, '2026-01-20')).toEqual([at('2026-02-01'), 'recurring 3000']);
    expect(lines(state, '2026-01-20', () => undefined)).toEqual([at('2026-02-01'), 'recurring 3000']);
  });

  it('is with a grace the one that follows the seal', () => {
    const graced = given(started({ items: [calls], usageGraceHours: 72 }));
    const soFar = (n: number) => (n === 1 ? sealed(1, '250') : undefined);
    expect(lines(graced, '2026-01-20', soFar)).toEqual([at('2026-02-04'), 'recurring 3000', 'usage 250']);
    const waiting = given(started({ items: [calls], usageGraceHours: 72 }), catchUp('2026-02-01'));
    expect(lines(waiting, '2026-02-02', soFar)).toEqual([at('2026-02-04'), 'recurring 3000', 'usage 250']);
  });

  it('is none where there is nothing to come', () => {
    const ended = given(started(), (s) => cancelNow(s, { credit: 'none' }, at('2026-01-05')));
    expect(upcomingBill(ended, at('2026-01-06'))).toEqual({ before: [], bill: null, reason: 'subscription-canceled' });
    const paused = given(started(), (s) => pause(s, { credit: 'none' }, at('2026-01-05')));
    expect(upcomingBill(paused, at('2026-01-06'))).toEqual({ before: [], bill: null, reason: 'subscription-paused' });
    expect(outcome(() => (upcomingBill(notStarted, at('2026-01-06')), []))).toEqual([
      'subscription-not-found',
      undefined,
    ]);
  });

  it('comes after those of periods that have elapsed', () => {
    const { before, bill } = upcomingBill(given(started()), at('2026-02-01'));
    expect(before.map(({ effectiveAt }) => effectiveAt)).toEqual([at('2026-02-01')]);
    expect(bill?.effectiveAt).toBe(at('2026-03-01'));
    const daily = given(startOn('2026-01-01', { interval: { unit: 'day', count: 1 } }));
    expect(outcome(() => (upcomingBill(daily, at('2030-01-01')), []))[0]).toBe('boundary-due');
  });
});
