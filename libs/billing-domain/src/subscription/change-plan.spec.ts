import { presets } from '../billing-rules';
import type { PlanComponent, PlanEvent, PlanTerms } from '../plan/events';
import {
  archiveVersion,
  createPlan,
  draftVersion,
  evolvePlan,
  planType,
  publishVersion,
  type Plan,
} from '../plan/plan';
import { plannedTerms, startOnPlan, type PlanChoice } from '../plan/planned-terms';
import type { SealedUsage } from '../usage/events';
import { changeAddOns, type ChangeAddOns } from './change-add-ons';
import { changeItems, changeQuantity, undoScheduledChange } from './change-items';
import { changePlan, type ChangePlan } from './change-plan';
import { cancelNow, scheduleCancellation } from './cancel';
import { at, catchUp, given, linesOf, refusal, startOn, thirtyDays, type Decision } from './decisions.fixture';
import type { SubscriptionEvent } from './events';
import { applyCoupon } from './apply-coupon';
import { pause, schedulePause } from './pause';
import { releaseBill } from './release-bill';
import { start } from './start';
import { evolve, notStarted, type StartedSubscription } from './state';
import { addLineItem, rollOver } from './subscription';
import { usageLines } from './usage-lines';

const flat = (unitPrice: string) => ({ USD: { model: 'flat', unitPrice } }) as const;
const component = (componentKey: string, unitPrice: string, more: Partial<PlanComponent> = {}): PlanComponent => ({
  componentKey,
  description: componentKey,
  kind: 'recurring',
  timing: 'advance',
  every: 1,
  prices: flat(unitPrice),
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  ...more,
});
const month = { unit: 'month', count: 1 } as const;
const termsOf = (components: readonly PlanComponent[], more: Partial<PlanTerms> = {}): PlanTerms => ({
  interval: month,
  currencies: ['USD'],
  rules: presets.perennial,
  components,
  ...more,
});
const now = at('2026-01-01');
/** A plan with these versions, all published. */
function plan(planId: string, ...versions: readonly PlanTerms[]): Plan {
  const decide = (state: Plan, events: readonly PlanEvent[]) => events.reduce(evolvePlan, state);
  const created = decide(planType.initial, createPlan(planType.initial, { planId, name: planId }, now));
  return versions.reduce((state, terms, i) => {
    const drafted = decide(state, draftVersion(state, i + 1, terms, now));
    return decide(drafted, publishVersion(drafted, i + 1, now));
  }, created);
}
const starting =
  (of: Plan, choice: PlanChoice = {}, more: object = {}, on = '2026-01-01'): Decision =>
  (state) => {
    const { item: _, interval: __, ...asked } = thirtyDays;
    return start(state, startOnPlan({ ...asked, ...more }, plannedTerms(of, 'USD', choice)), at(on));
  };
const moving =
  (to: Plan, on: string, input: ChangePlan = {}): Decision =>
  (state) =>
    changePlan(state, to, { billing: 'now', ...input }, at(on));
const adding =
  (of: Plan, on: string, input: ChangeAddOns): Decision =>
  (state) =>
    changeAddOns(state, of, { billing: 'now', ...input }, at(on));
/** Everything decided by decisions after one another. */
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
const billed = (events: readonly SubscriptionEvent[]) =>
  linesOf(events).map(({ kind, itemId, service, net }) => [kind, itemId, service.from, service.to, net]);
const stateOf = (...decisions: readonly Decision[]) => given(...decisions) as StartedSubscription;

const support = component('support', '500', { optional: true });
const basic = plan('basic', termsOf([component('seats', '1000'), component('set-up', '5000', { kind: 'one-time' })]));
const pro = plan('pro', termsOf([component('seats', '2000'), component('storage', '300'), support]));

describe('a start on a plan', () => {
  const full = plan(
    'full',
    termsOf([component('seats', '1000'), component('set-up', '5000', { kind: 'one-time' }), support], {
      rules: presets['kill-bill'],
      trialDays: 14,
      minimum: { USD: '9000' },
      minimumTermPeriods: 3,
      noticeDays: 10,
      usageGraceHours: 6,
    }),
  );

  it('copies interval, rules, trial, minimum, minimum term, notice and grace, and names plan and version', () => {
    const [started] = starting(full, { quantities: { seats: '3' }, addOns: ['support'] })(notStarted);
    expect(started?.data).toMatchObject({
      interval: month,
      rules: presets['kill-bill'],
      trialEndsAt: at('2026-01-15'),
      conditions: {
        plan: { planId: 'full', version: 1 },
        minimum: '9000',
        minimumTermPeriods: 3,
        noticeDays: 10,
        usageGraceHours: 6,
      },
      items: [
        { itemId: 'seats', quantity: '3', ofPlan: true },
        { itemId: 'set-up', kind: 'one-time', quantity: '1', ofPlan: true },
        { itemId: 'support', quantity: '1', ofPlan: true },
      ],
    });
  });

  it('lets the caller agree on other conditions, and have items of its own besides', () => {
    const own = { description: 'Own', componentKey: 'own', unitPrice: '7', timing: 'advance' };
    const more = { trialDays: 0, minimumTermPeriods: 0, commitment: {}, items: [own] };
    const events = starting(full, {}, more)(notStarted);
    expect(events[0]?.data).toMatchObject({ conditions: { noticeDays: 10, usageGraceHours: 6 } });
    expect(Object.keys((stateOf(() => events).terms[0]?.conditions ?? {}) as object)).toEqual([
      'plan',
      'noticeDays',
      'usageGraceHours',
    ]);
    expect(billed(events)).toEqual([
      ['recurring', 'seats', '2026-01-01', '2026-02-01', '1000'],
      ['recurring', 'own', '2026-01-01', '2026-02-01', '7'],
      ['one-time', 'set-up', '2026-01-01', '2026-01-02', '5000'],
    ]);
  });

  it('takes the newest version that is published, or the one that is named; no draft and none that is archived', () => {
    const two = plan('two', termsOf([component('seats', '1')]), termsOf([component('seats', '2')]));
    const draft = draftVersion(two, 3, termsOf([component('seats', '3')]), now).reduce(evolvePlan, two);
    const archived = archiveVersion(draft, 1, now).reduce(evolvePlan, draft);
    const net = (version?: number) => linesOf(starting(archived, { version })(notStarted))[0]?.net;
    expect(net()).toBe('2');
    expect(net(2)).toBe('2');
    expect(refusal(() => net(1))).toBe('plan-version-archived');
    expect(refusal(() => net(3))).toBe('plan-version-draft');
    expect(refusal(() => net(4))).toBe('plan-version-not-found');
    expect(refusal(() => starting(planType.initial)(notStarted))).toBe('plan-not-found');
  });

  it('refuses what the plan does not have', () => {
    const refused = (choice: PlanChoice) => refusal(() => starting(full, choice)(notStarted));
    expect(refused({ quantities: { storage: '1' } })).toBe('unknown-component');
    expect(refused({ quantities: { support: '1' } })).toBe('unknown-component');
    expect(refused({ addOns: ['seats'] })).toBe('unknown-component');
    expect(refused({ quantities: { seats: '-1' } })).toBe('negative-amount');
    expect(refusal(() => plannedTerms(full, 'EUR', {}))).toBe('currency-mismatch');
  });
});

describe('a change of plan', () => {
  it('now: what both have keeps id and quantity, what is new comes, the set-up fee stays paid', () => {
    const events = all(starting(basic, { quantities: { seats: '3' } }), moving(pro, '2026-01-16T12:00:00.000Z'));
    expect(billed(events)).toEqual([
      ['recurring', 'seats', '2026-01-01', '2026-02-01', '3000'],
      ['one-time', 'set-up', '2026-01-01', '2026-01-02', '5000'],
      ['correction', 'seats', '2026-01-16', '2026-02-01', '-1548'],
      ['recurring', 'seats', '2026-01-16', '2026-02-01', '3097'],
      ['recurring', 'storage', '2026-01-16', '2026-02-01', '155'],
    ]);
    const { terms } = stateOf(() => events);
    expect(terms.at(-1)?.conditions).toEqual({ plan: { planId: 'pro', version: 1 } });
    expect(moving(pro, '2026-01-17')(stateOf(() => events))).toEqual([]);
    // Back again: the fee that was charged is not charged again.
    expect(billed(moving(basic, '2026-01-16T13:00:00.000Z')(stateOf(() => events)))).toEqual([
      ['correction', 'seats', '2026-01-16', '2026-02-01', '-3097'],
      ['correction', 'storage', '2026-01-16', '2026-02-01', '-155'],
      ['recurring', 'seats', '2026-01-16', '2026-02-01', '1548'],
    ]);
  });

  it('waits for the next bill unless it is to be billed at once, and comes to the same', () => {
    const waiting = all(
      starting(basic),
      moving(pro, '2026-01-16', { billing: 'next-bill' }),
      (s) => changeQuantity(s, { itemId: 'seats', quantity: '2' }, at('2026-01-20')),
      catchUp('2026-02-01'),
    );
    expect(waiting.map(({ type }) => type)).toEqual([
      'SubscriptionStarted',
      'BillingPeriodOpened',
      'LinesBilled',
      'ItemsChanged',
      'ItemsChanged',
      'BillingPeriodClosed',
      'BillingPeriodOpened',
      'LinesBilled',
    ]);
    expect(billed(waiting).slice(2)).toEqual([
      ['correction', 'seats', '2026-01-16', '2026-02-01', '-516'],
      ['recurring', 'seats', '2026-01-16', '2026-01-20', '258'],
      ['recurring', 'storage', '2026-01-16', '2026-02-01', '155'],
      ['recurring', 'seats', '2026-01-20', '2026-02-01', '1548'],
      ['recurring', 'seats', '2026-02-01', '2026-03-01', '4000'],
      ['recurring', 'storage', '2026-02-01', '2026-03-01', '300'],
    ]);
  });

  it('at the period end, unless it is taken back', () => {
    const scheduled = all(
      starting(basic),
      moving(pro, '2026-01-10', { when: 'period-end', quantities: { seats: '2' } }),
    );
    const [change] = scheduled.slice(-1);
    expect([change?.type, moving(pro, '2026-01-11', { when: 'period-end' })(stateOf(() => scheduled))]).toEqual([
      'ItemsChangeScheduled',
      [],
    ]);
    expect(billed(catchUp('2026-02-01')(stateOf(() => scheduled)))).toEqual([
      ['recurring', 'seats', '2026-02-01', '2026-03-01', '4000'],
      ['recurring', 'storage', '2026-02-01', '2026-03-01', '300'],
    ]);
    const undone = stateOf(
      () => scheduled,
      (s) => undoScheduledChange(s, at('2026-01-12')),
    );
    expect(billed(catchUp('2026-02-01')(undone))).toEqual([['recurring', 'seats', '2026-02-01', '2026-03-01', '1000']]);
  });

  it('backdated to the correction horizon and no further', () => {
    const state = stateOf(starting(basic), catchUp('2026-03-05'));
    const events = moving(pro, '2026-03-05', { when: { effectiveOn: '2026-02-15' } })(state);
    expect(billed(events)).toEqual([
      ['correction', 'seats', '2026-02-15', '2026-03-01', '-500'],
      ['correction', 'seats', '2026-03-01', '2026-04-01', '-1000'],
      ['recurring', 'seats', '2026-02-15', '2026-03-01', '1000'],
      ['recurring', 'storage', '2026-02-15', '2026-03-01', '150'],
      ['recurring', 'seats', '2026-03-01', '2026-04-01', '2000'],
      ['recurring', 'storage', '2026-03-01', '2026-04-01', '300'],
    ]);
    const early = moving(pro, '2026-03-05', { when: { effectiveOn: '2026-01-31' } });
    expect(refusal(() => early(state))).toBe('before-correction-horizon');
  });

  it('of a subscription with items of its own leaves them, and one that was on no plan comes onto it', () => {
    const events = all(startOn('2026-01-01', { interval: month }), moving(pro, '2026-01-01T10:00:00.000Z'));
    expect(
      stateOf(() => events)
        .terms.at(-1)
        ?.items.map(({ itemId, ofPlan }) => [itemId, ofPlan]),
    ).toEqual([
      ['base', undefined],
      ['seats', true],
      ['storage', true],
    ]);
  });

  it('before the start and in a trial changes what will be charged', () => {
    const trial = plan('trial', termsOf([component('seats', '1000')], { trialDays: 10 }));
    expect(billed(all(starting(trial), moving(pro, '2026-01-05'), catchUp('2026-01-11')))).toEqual([
      ['recurring', 'seats', '2026-01-11', '2026-02-11', '2000'],
      ['recurring', 'storage', '2026-01-11', '2026-02-11', '300'],
    ]);
    const ahead = starting(basic, {}, { startsAt: at('2026-03-01') });
    expect(billed(all(ahead, moving(pro, '2026-01-05'), catchUp('2026-03-01')))).toEqual([
      ['recurring', 'seats', '2026-03-01', '2026-04-01', '2000'],
      ['recurring', 'storage', '2026-03-01', '2026-04-01', '300'],
      ['one-time', 'set-up', '2026-03-01', '2026-03-02', '5000'],
    ]);
  });

  it('is refused where it cannot be', () => {
    const paused = stateOf(starting(basic), (s) => pause(s, { credit: 'none' }, at('2026-01-05')));
    expect(refusal(() => moving(pro, '2026-01-06')(paused))).toBe('subscription-paused');
    const canceling = stateOf(starting(basic), (s) => scheduleCancellation(s, at('2026-01-05')));
    expect(refusal(() => moving(pro, '2026-01-06', { when: 'period-end' })(canceling))).toBe('cancellation-scheduled');
    const own: Decision = (s) =>
      changeItems(
        s,
        {
          edits: [{ kind: 'put', item: { itemId: 'storage', componentKey: 'x', description: 'x', timing: 'advance' } }],
        },
        at('2026-01-02'),
      );
    expect(refusal(() => moving(pro, '2026-01-06')(stateOf(starting(basic), own)))).toBe('duplicate-component');
    // What is scheduled is still possible after a change now, or that is refused.
    const scheduled = stateOf(starting(basic), moving(pro, '2026-01-03', { when: 'period-end' }));
    expect(refusal(() => own(scheduled))).toBe('duplicate-component');
  });
});

describe('a change to a plan of another interval', () => {
  const monthly = plan('monthly', termsOf([component('base', '24995')], { rules: presets['kill-bill'] }));
  const annual = plan(
    'annual',
    termsOf([component('base', '239995')], { interval: { unit: 'year', count: 1 }, rules: presets['kill-bill'] }),
  );
  const first = starting(monthly, {}, { anchor: { dayOfMonth: 1 } }, '2012-05-01');

  it('now: monthly to annual on 12 May 2012 with day 1 kept runs to 1 May 2013', () => {
    // billing-model.md §1; Kill Bill's own amounts
    const events = all(first, moving(annual, '2012-05-12'), catchUp('2013-05-01'));
    expect(billed(events).slice(1)).toEqual([
      ['correction', 'base', '2012-05-12', '2012-06-01', '-16126'],
      ['recurring', 'base', '2012-05-12', '2013-05-01', '232762'],
      ['recurring', 'base', '2013-05-01', '2014-05-01', '239995'],
    ]);
  });

  it('back to monthly in the middle of the year: the rest of it is given back, to the day', () => {
    const events = all(first, moving(annual, '2012-05-12'), moving(monthly, '2012-10-15'), catchUp('2012-11-01'));
    expect(billed(events).slice(3)).toEqual([
      ['correction', 'base', '2012-10-15', '2013-05-01', '-130189'],
      ['recurring', 'base', '2012-10-15', '2012-11-01', '13707'],
      ['recurring', 'base', '2012-11-01', '2012-12-01', '24995'],
    ]);
  });

  it('at the period end: a whole year follows', () => {
    const events = all(first, moving(annual, '2012-05-12', { when: 'period-end' }), catchUp('2013-06-01'));
    expect(billed(events).slice(1)).toEqual([
      ['recurring', 'base', '2012-06-01', '2013-06-01', '239995'],
      ['recurring', 'base', '2013-06-01', '2014-06-01', '239995'],
    ]);
    expect(stateOf(() => events).grid).toEqual({ anchor: '2012-06-01T00:00:00', interval: { unit: 'year', count: 1 } });
  });

  it('with one price for both is charged anew', () => {
    const same = plan('same', termsOf([component('base', '24995')], { interval: { unit: 'year', count: 1 } }));
    const events = all(first, moving(same, '2012-05-12', { when: 'period-end' }), catchUp('2012-06-01'));
    expect(billed(events).slice(1)).toEqual([['recurring', 'base', '2012-06-01', '2013-06-01', '24995']]);
  });

  it('of days to months begins with its own day', () => {
    const days = plan('days', termsOf([component('base', '3000')], { interval: { unit: 'day', count: 30 } }));
    const events = all(
      starting(days, {}, {}, '2012-04-12'),
      moving(monthly, '2012-05-01', { when: 'period-end' }),
      catchUp('2012-05-12'),
    );
    expect(billed(events).slice(1)).toEqual([['recurring', 'base', '2012-05-12', '2012-06-12', '24995']]);
  });

  it('is not backdated, and goes with no pause or cancellation that is to come', () => {
    const backdated = moving(annual, '2012-05-12', { when: { effectiveOn: '2012-05-10' } });
    expect(refusal(() => backdated(stateOf(first)))).toBe('invalid-option');
    const canceling = stateOf(first, (s) => scheduleCancellation(s, at('2012-05-05')));
    expect(refusal(() => moving(annual, '2012-05-12')(canceling))).toBe('cancellation-scheduled');
  });
});

describe('usage over a change of plan', () => {
  const usage = component('calls', '0', {
    kind: 'usage',
    timing: 'arrears',
    meter: { key: 'calls', aggregation: 'count' },
    prices: {
      USD: {
        model: 'graduated',
        tiers: [
          { upTo: '1000', unitPrice: '0' },
          { upTo: null, unitPrice: '1' },
        ],
      },
    },
  });
  const two = plan('two', termsOf([usage]), termsOf([{ ...usage, description: 'Calls' }]));
  const restarting = plan('three', termsOf([usage]), termsOf([{ ...usage, segments: 'restart' }]));
  const sealed = (of: Plan): SealedUsage & { readonly state: StartedSubscription } => {
    const state = stateOf(starting(of, { version: 1 }), moving(of, '2026-01-16'));
    const meters = [{ meter: 'calls', quantity: '900', records: 900 }];
    return {
      state,
      subscriptionId: state.subscriptionId,
      periodNumber: 1,
      startsAt: at('2026-01-01'),
      to: at('2026-02-01'),
      segments: [
        { from: at('2026-01-01'), meters },
        { from: at('2026-01-16'), meters },
      ],
      carried: [],
    };
  };

  it('1,000 free then 0.01; 900 units before and 900 after a move to another version of the plan: 8.00', () => {
    // billing-model.md §6
    const { state, ...usage } = sealed(two);
    const sum = usageLines(state, usage).reduce((total, { net }) => total + BigInt(net), 0n);
    expect(sum).toBe(800n);
  });

  it('counts anew where the version says so', () => {
    const { state, ...usage } = sealed(restarting);
    expect(usageLines(state, usage).map(({ net }) => net)).toEqual(['0', '0']);
  });
});

describe('add-ons', () => {
  it('come and go on the periods of the subscription', () => {
    const events = all(
      starting(pro, {}, { anchor: { dayOfMonth: 1 } }),
      adding(pro, '2026-01-11', { add: [{ componentKey: 'support', quantity: '2' }] }),
      catchUp('2026-02-01'),
      adding(pro, '2026-02-15', { remove: ['support'] }),
      catchUp('2026-03-01'),
    );
    expect(billed(events).filter(([, itemId]) => itemId === 'support')).toEqual([
      ['recurring', 'support', '2026-01-11', '2026-02-01', '677'],
      ['recurring', 'support', '2026-02-01', '2026-03-01', '1000'],
      ['correction', 'support', '2026-02-15', '2026-03-01', '-500'],
    ]);
  });

  it('are picked at the start, change their quantity, and stay when the next version has them', () => {
    const next = plan(
      'pro',
      termsOf([component('seats', '2000'), support]),
      termsOf([component('seats', '2500'), support]),
    );
    const state = stateOf(
      starting(next, { version: 1, addOns: ['support'] }),
      adding(next, '2026-01-02', { add: [{ componentKey: 'support', quantity: '4' }] }),
      moving(next, '2026-01-03'),
    );
    const items = state.terms.at(-1)?.items.map(({ itemId, quantity }) => [itemId, quantity]);
    expect(items).toEqual([
      ['seats', '1'],
      ['support', '4'],
    ]);
    expect(adding(next, '2026-01-04', { add: [{ componentKey: 'support' }] })(state)).toEqual([]);
    const without = moving(next, '2026-01-04', { addOns: [] })(state);
    expect(billed(without)).toEqual([['correction', 'support', '2026-01-04', '2026-02-01', '-1806']]);
  });

  it('at the period end are those of the plan that comes then', () => {
    const state = stateOf(starting(basic), moving(pro, '2026-01-03', { when: 'period-end' }));
    const add = { add: [{ componentKey: 'support' }] };
    expect(refusal(() => adding(basic, '2026-01-04', add)(state))).toBe('unknown-component');
    const events = adding(pro, '2026-01-04', { ...add, when: 'period-end' })(state);
    expect(billed(catchUp('2026-02-01')(events.reduce(evolve, state))).map(([, itemId]) => itemId)).toEqual([
      'seats',
      'storage',
      'support',
    ]);
  });

  it('are of the plan alone', () => {
    const state = stateOf(starting(pro));
    expect(refusal(() => adding(pro, '2026-01-02', { add: [{ componentKey: 'seats' }] })(state))).toBe(
      'unknown-component',
    );
    expect(adding(pro, '2026-01-02', { remove: ['support'] })(state)).toEqual([]);
    expect(refusal(() => adding(pro, '2026-01-02', {})(stateOf(startOn('2026-01-01'))))).toBe('no-plan');
    const ended = stateOf(starting(pro), (s) => cancelNow(s, { credit: 'none' }, at('2026-01-02')));
    expect(refusal(() => adding(pro, '2026-01-02', {})(ended))).toBe('subscription-canceled');
  });
});

describe('a change of currency', () => {
  const prices = {
    USD: { model: 'flat', unitPrice: '3000' },
    EUR: { model: 'flat', unitPrice: '2800' },
  } as const;
  const both = (components: readonly PlanComponent[], more: Partial<PlanTerms> = {}) =>
    plan('both', termsOf(components, { currencies: ['USD', 'EUR'], ...more }));
  const base = component('base', '0', { prices });
  const advance = both([base]);
  const arrears = both([base, component('late', '0', { prices, timing: 'arrears' })]);
  const inEuros = { currency: 'EUR', when: 'period-end' } as const;
  const bills = (events: readonly SubscriptionEvent[]) =>
    events.flatMap((event) =>
      event.type === 'LinesBilled' ? [[event.data.cause, event.data.currency, event.data.net]] : [],
    );

  it('comes with a plan at the end of the period', () => {
    const events = all(starting(advance), moving(advance, '2026-01-10', inEuros), catchUp('2026-03-01'));
    expect(bills(events)).toEqual([
      ['start', 'USD', '3000'],
      ['boundary', 'EUR', '2800'],
      ['boundary', 'EUR', '2800'],
    ]);
    expect(events.slice(4, 8).map(({ type }) => type)).toEqual([
      'BillingPeriodClosed',
      'CurrencyChanged',
      'ItemsChanged',
      'BillingPeriodOpened',
    ]);
  });

  it('finds arrears of the period that ends on a bill of their own, in the currency before', () => {
    const events = all(starting(arrears), moving(arrears, '2026-01-10', inEuros), catchUp('2026-03-01'));
    expect(bills(events)).toEqual([
      ['start', 'USD', '3000'],
      ['change', 'USD', '3000'],
      ['boundary', 'EUR', '2800'],
      ['boundary', 'EUR', '5600'],
    ]);
    // Nothing before it is corrected any more.
    const early = moving(arrears, '2026-02-10', { when: { effectiveOn: '2026-01-31' }, quantities: { base: '2' } });
    const state = stateOf(starting(arrears), moving(arrears, '2026-01-10', inEuros), catchUp('2026-02-10'));
    expect(refusal(() => early(state))).toBe('before-correction-horizon');
    const since = moving(arrears, '2026-02-10', { when: { effectiveOn: '2026-02-01' }, quantities: { base: '2' } });
    expect(bills(since(state))).toEqual([['change', 'EUR', '2800']]);
  });

  it('gives the rest of a long cycle back in the currency that it was paid in', () => {
    const annual = both([component('base', '0', { prices, every: 12 })]);
    const events = all(starting(annual), moving(annual, '2026-01-10', inEuros));
    expect(bills(catchUp('2026-02-01')(stateOf(() => events)))).toEqual([
      ['change', 'USD', '-2745'],
      ['boundary', 'EUR', '2562'],
    ]);
  });

  it('bills usage before it, whatever grace there is', () => {
    const usage = component('calls', '0', {
      kind: 'usage',
      timing: 'arrears',
      meter: { key: 'calls', aggregation: 'count' },
      prices: { USD: { model: 'per-unit', unitPrice: '2' }, EUR: { model: 'per-unit', unitPrice: '1' } },
    });
    const metered = both([base, usage], { usageGraceHours: 48 });
    const state = stateOf(starting(metered), moving(metered, '2026-01-10', inEuros));
    const sealed: SealedUsage = {
      subscriptionId: state.subscriptionId,
      periodNumber: 1,
      startsAt: at('2026-01-01'),
      to: at('2026-02-01'),
      segments: [{ from: at('2026-01-01'), meters: [{ meter: 'calls', quantity: '50', records: 50 }] }],
      carried: [],
    };
    expect(refusal(() => rollOver(state, 1, at('2026-02-01')))).toBe('usage-not-sealed');
    expect(bills(rollOver(state, 1, at('2026-02-01'), sealed))).toEqual([
      ['change', 'USD', '100'],
      ['boundary', 'EUR', '2800'],
    ]);
  });

  it('is refused while something is in the one of now, and comes at no other time', () => {
    const euros = moving(advance, '2026-01-10', inEuros);
    const refused = (...before: readonly Decision[]) => refusal(() => euros(stateOf(starting(advance), ...before)));
    const item = { lineItemId: 'x', description: 'x', unitPrice: '5' };
    const own: Decision = (s) =>
      changeItems(
        s,
        {
          edits: [{ kind: 'put', item: { componentKey: 'own', description: 'x', timing: 'advance' } }],
          billing: 'now',
        },
        at('2026-01-05'),
      );
    const coupon = {
      couponId: 'c-1',
      code: 'TEN',
      description: '10.00 off',
      discount: { kind: 'amount', amounts: { USD: '1000' } },
    } as const;
    const applying: Decision = (s) => applyCoupon(s, { reservationId: 'r-1', coupon }, at('2026-01-05'));
    expect(refused((s) => addLineItem(s, item, at('2026-01-05')))).toBe('currency-in-use');
    expect(refused((s) => changeQuantity(s, { itemId: 'base', quantity: '2' }, at('2026-01-05')))).toBe(
      'currency-in-use',
    );
    expect(refused(applying)).toBe('currency-in-use');
    expect(refused(own)).toBe('currency-in-use');
    expect(refused((s) => schedulePause(s, at('2026-01-05')))).toBe('pause-scheduled');
    expect(refusal(() => moving(advance, '2026-01-10', { currency: 'EUR' })(stateOf(starting(advance))))).toBe(
      'invalid-option',
    );
    const none = moving(advance, '2026-01-10', { ...inEuros, currency: 'JPY' });
    expect(refusal(() => none(stateOf(starting(advance))))).toBe('currency-mismatch');
    // Nor does anything come into it that would last.
    const scheduled = stateOf(starting(advance), euros);
    expect(refusal(() => applying(scheduled))).toBe('currency-in-use');
    expect(refusal(() => schedulePause(scheduled, at('2026-01-11')))).toBe('currency-in-use');
    expect(refusal(() => own(scheduled))).toBe('currency-in-use');
  });

  it('leaves what comes until then on the last bill in the one before, and a bill that is made out anew in its own', () => {
    const events = all(
      starting(advance),
      moving(advance, '2026-01-10', inEuros),
      (s) => addLineItem(s, { lineItemId: 'x', description: 'x', unitPrice: '5' }, at('2026-01-11')),
      catchUp('2026-02-01'),
    );
    expect(bills(events).slice(1)).toEqual([
      ['change', 'USD', '5'],
      ['boundary', 'EUR', '2800'],
    ]);
    const lines = linesOf(events).slice(0, 1);
    const again: Decision = (s) =>
      releaseBill(s, { billNumber: 1, lines, rebill: true, currency: 'USD' }, at('2026-02-02'));
    expect(again(stateOf(() => events)).map(({ type, data }) => [type, 'currency' in data && data.currency])).toEqual([
      ['BillReleased', 'USD'],
      ['LinesBilled', 'USD'],
    ]);
  });

  it('is taken back with what is scheduled', () => {
    const undone = stateOf(starting(advance), moving(advance, '2026-01-10', inEuros), (s) =>
      undoScheduledChange(s, at('2026-01-11')),
    );
    expect(bills(catchUp('2026-02-01')(undone))).toEqual([['boundary', 'USD', '3000']]);
  });
});
