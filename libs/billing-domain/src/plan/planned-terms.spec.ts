import { defaultRules } from '../billing-rules';
import { at, refusal } from '../subscription/decisions.fixture';
import { itemOf } from './component-item';
import type { PlanComponent, PlanEvent, PlanTerms } from './events';
import { createPlan, draftVersion, evolvePlan, planType, publishVersion, type Plan } from './plan';
import { planEdit, plannedTerms, startOnPlan } from './planned-terms';

const now = at('2026-01-01');
const component = (componentKey: string, more: Partial<PlanComponent> = {}): PlanComponent => ({
  componentKey,
  description: componentKey,
  kind: 'recurring',
  timing: 'advance',
  every: 1,
  prices: { USD: { model: 'flat', unitPrice: '3000' }, EUR: { model: 'flat', unitPrice: '2800' } },
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  ...more,
});
const meter = { key: 'calls', event: 'calls', aggregation: 'sum' } as const;
const components = [
  component('seats'),
  component('calls', { kind: 'usage', timing: 'arrears', meter }),
  component('support', { optional: true, kind: 'one-time' }),
];
const terms: PlanTerms = {
  interval: { unit: 'month', count: 1 },
  currencies: ['USD', 'EUR'],
  rules: defaultRules,
  components,
};
function plan(more: Partial<PlanTerms> = {}): Plan {
  const after = (state: Plan, events: readonly PlanEvent[]) => events.reduce(evolvePlan, state);
  const created = after(planType.initial, createPlan(planType.initial, { planId: 'p-1', name: 'Pro' }, now));
  const drafted = after(created, draftVersion(created, 1, { ...terms, ...more }, now));
  return after(drafted, publishVersion(drafted, 1, now));
}
const item = (componentKey: string, more: object = {}) => ({
  componentKey,
  description: componentKey,
  timing: 'advance',
  every: 1,
  price: { model: 'flat', unitPrice: '3000' },
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  ofPlan: true,
  ...more,
});
const seats = item('seats');
const calls = item('calls', { kind: 'usage', timing: 'arrears', meter });

describe('the terms that a plan gives', () => {
  it('are what always comes, and nothing that the plan does not say', () => {
    expect(plannedTerms(plan(), 'USD', {})).toStrictEqual({
      interval: terms.interval,
      rules: defaultRules,
      items: [seats, calls],
      conditions: { plan: { planId: 'p-1', version: 1 } },
    });
  });

  it('are all that the plan says, in the currency that is asked for, with what is picked', () => {
    const full = plan({
      trialDays: 14,
      minimum: { USD: '100', EUR: '90' },
      maximum: { USD: '9000', EUR: '8000' },
      minimumTermPeriods: 3,
      noticeDays: 10,
      usageGraceHours: 6,
    });
    const euros = { price: { model: 'flat', unitPrice: '2800' } };
    expect(plannedTerms(full, 'EUR', { version: 1, quantities: { seats: '3' }, addOns: ['support'] })).toStrictEqual({
      interval: terms.interval,
      rules: defaultRules,
      trialDays: 14,
      items: [
        { ...seats, ...euros, quantity: '3' },
        { ...calls, ...euros },
        item('support', { kind: 'one-time', ...euros }),
      ],
      conditions: {
        plan: { planId: 'p-1', version: 1 },
        minimum: '90',
        maximum: '8000',
        minimumTermPeriods: 3,
        noticeDays: 10,
        usageGraceHours: 6,
      },
    });
  });

  it.each<[string, string, Parameters<typeof plannedTerms>[2]]>([
    ['currency-mismatch', 'JPY', {}],
    ['plan-version-not-found', 'USD', { version: 2 }],
    ['unknown-component', 'USD', { addOns: ['seats'] }],
    ['unknown-component', 'USD', { addOns: ['support', 'nothing'] }],
    ['unknown-component', 'USD', { quantities: { nothing: '1' } }],
    ['unknown-component', 'USD', { quantities: { seats: '1', calls: '1' } }],
    ['unknown-component', 'USD', { quantities: { support: '1' } }],
  ])('are refused with %s: in %s, %j', (code, currency, choice) => {
    expect(refusal(() => plannedTerms(plan(), currency, choice))).toBe(code);
  });

  it('are none in a currency in which a component has no price', () => {
    expect(refusal(() => itemOf(component('seats'), 'JPY'))).toBe('incomplete-plan');
  });
});

describe('a start on a plan', () => {
  const full = plannedTerms(
    plan({ trialDays: 14, minimum: { USD: '100', EUR: '90' }, maximum: { USD: '9000', EUR: '8000' }, noticeDays: 10 }),
    'USD',
    {},
  );

  it('is on its terms where nothing else is asked', () => {
    const { plan: named } = full.conditions;
    expect(startOnPlan({ customerId: 'c' }, full)).toStrictEqual({
      customerId: 'c',
      trialDays: 14,
      minimumTermPeriods: undefined,
      noticeDays: 10,
      usageGraceHours: undefined,
      commitment: { minimum: '100', maximum: '9000' },
      interval: terms.interval,
      rules: defaultRules,
      item: seats,
      items: [calls],
      plan: named,
    });
    expect(startOnPlan({}, plannedTerms(plan(), 'USD', {})).commitment).toStrictEqual({});
  });

  it('is on what is asked for besides, and with the items of its own after those of the plan', () => {
    const [own, other] = [
      { description: 'Own', timing: 'advance', componentKey: 'own' },
      { description: 'Other', timing: 'advance', componentKey: 'other' },
    ] as const;
    const commitment = { minimum: '5' };
    const asked = { trialDays: 0, minimumTermPeriods: 1, noticeDays: 2, usageGraceHours: 3, commitment };
    expect(startOnPlan({ ...asked, item: own, items: [other] }, full)).toMatchObject({
      ...asked,
      item: seats,
      items: [calls, own, other],
    });
    expect(startOnPlan({ ...asked, commitment }, full).commitment).toBe(commitment);
  });

  it('takes something', () => {
    const nothing = plannedTerms(plan({ components: [component('support', { optional: true })] }), 'USD', {});
    expect(refusal(() => startOnPlan({}, nothing))).toBe('incomplete-plan');
    const own = { description: 'Own', timing: 'advance' } as const;
    expect(startOnPlan({ item: own }, nothing)).toMatchObject({ item: own, items: [] });
  });
});

it('the edit that puts a plan in the place of another has items without a time, and a quantity where one is asked', () => {
  const { interval, conditions } = plannedTerms(plan(), 'USD', {});
  const edit = planEdit(plannedTerms(plan(), 'USD', { quantities: { seats: '2.0' } }));
  expect(edit).toStrictEqual({
    kind: 'plan',
    interval,
    items: [
      { ...seats, itemId: 'seats', quantity: '2' },
      { ...calls, itemId: 'calls' },
    ],
    conditions,
  });
});
