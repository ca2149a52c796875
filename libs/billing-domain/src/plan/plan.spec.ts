import { presets } from '../billing-rules';
import { at, refusal } from '../subscription/decisions.fixture';
import type { PlanComponent, PlanEvent, PlanTerms } from './events';
import {
  archiveVersion,
  createPlan,
  draftVersion,
  evolvePlan,
  planType,
  publishedTerms,
  publishVersion,
  type Plan,
} from './plan';
import { publishable } from './plan-terms';

const now = at('2026-01-01');
const base: PlanComponent = {
  componentKey: 'base',
  description: 'Base',
  kind: 'recurring',
  timing: 'advance',
  every: 1,
  prices: { USD: { model: 'flat', unitPrice: '3000' }, EUR: { model: 'flat', unitPrice: '2800' } },
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
};
const calls: PlanComponent = {
  ...base,
  componentKey: 'calls',
  kind: 'usage',
  timing: 'arrears',
  meter: { key: 'api-calls', event: 'api-calls', aggregation: 'sum' },
  prices: {
    USD: { model: 'per-unit', unitPrice: '0.04' },
    EUR: { model: 'percentage', rate: '1.3' },
  },
};
const setUp: PlanComponent = { ...base, componentKey: 'set-up', kind: 'one-time' };
const terms: PlanTerms = {
  interval: { unit: 'month', count: 1 },
  currencies: ['USD', 'EUR'],
  rules: presets.perennial,
  components: [base, calls, setUp],
};

const after = (state: Plan, ...decisions: readonly ((state: Plan) => PlanEvent[])[]) =>
  decisions.reduce<Plan>((current, decide) => decide(current).reduce(evolvePlan, current), state);
const created = after(planType.initial, (s) => createPlan(s, { planId: 'p-1', name: 'Pro', externalId: 'pro' }, now));
const drafted = after(created, (s) => draftVersion(s, 1, terms, now));
const published = after(drafted, (s) => publishVersion(s, 1, now));

describe('a plan', () => {
  it('is created once', () => {
    expect(refusal(() => createPlan(created, { planId: 'p-1', name: 'Pro' }, now))).toBe('plan-exists');
    expect(refusal(() => createPlan(planType.initial, { planId: 'p-1', name: '' }, now))).toBe('invalid-text');
    expect(refusal(() => draftVersion(planType.initial, 1, terms, now))).toBe('plan-not-found');
  });

  it('has a draft that can be written again, and then is published for good', () => {
    expect(draftVersion(drafted, 1, terms, now)).toEqual([]);
    const other = { ...terms, trialDays: 14 };
    expect(draftVersion(drafted, 1, other, now)[0]?.data).toMatchObject({ version: 1, terms: other });
    expect(publishVersion(drafted, 1, now)).toEqual([
      { type: 'PlanVersionPublished', data: { effectiveAt: now, version: 1 } },
    ]);
    expect(publishVersion(published, 1, now)).toEqual([]);
    expect(draftVersion(published, 2, other, now)[0]?.data).toMatchObject({ version: 2 });
    expect(refusal(() => publishVersion(drafted, 2, now))).toBe('plan-version-not-found');
    expect(refusal(() => draftVersion(drafted, 3, other, now))).toBe('plan-version-not-found');
    expect(refusal(() => draftVersion(published, 1, terms, now))).toBe('plan-version-published');
  });

  it('is published with its decimals in canonical form', () => {
    const loose = {
      ...terms,
      components: [{ ...base, prices: { ...base.prices, USD: { model: 'flat', unitPrice: '1.50' } } }],
    } as const;
    const state = after(
      created,
      (s) => draftVersion(s, 1, loose, now),
      (s) => publishVersion(s, 1, now),
    );
    expect(publishedTerms(state).terms.components[0]?.prices['USD']).toEqual({ model: 'flat', unitPrice: '1.5' });
  });

  it('gives what is new its newest published version, and what is archived to nobody', () => {
    expect(refusal(() => publishedTerms(drafted))).toBe('plan-version-not-found');
    expect(refusal(() => publishedTerms(drafted, 1))).toBe('plan-version-draft');
    const two = after(
      published,
      (s) => draftVersion(s, 2, { ...terms, trialDays: 7 }, now),
      (s) => publishVersion(s, 2, now),
    );
    expect(publishedTerms(two).version).toBe(2);
    expect(publishedTerms(two, 1).terms).toEqual(terms);
    const archived = after(two, (s) => archiveVersion(s, 2, now));
    expect(publishedTerms(archived).version).toBe(1);
    expect(refusal(() => publishedTerms(archived, 2))).toBe('plan-version-archived');
    expect(refusal(() => publishVersion(archived, 2, now))).toBe('plan-version-archived');
    expect(refusal(() => draftVersion(archived, 2, terms, now))).toBe('plan-version-archived');
    const several = after(
      archived,
      (s) => draftVersion(s, 3, terms, now),
      (s) => draftVersion(s, 4, terms, now),
    );
    const again = after(several, (s) => draftVersion(s, 3, { ...terms, trialDays: 3 }, now));
    expect(again.status === 'active' && again.versions.map(({ version, status }) => [version, status])).toEqual([
      [1, 'published'],
      [2, 'archived'],
      [3, 'draft'],
      [4, 'draft'],
    ]);
    expect(archiveVersion(archived, 2, now)).toEqual([]);
  });

  it('refuses more than fits', () => {
    const long = { ...terms, components: [{ ...base, description: 'x'.repeat(700_000) }] };
    expect(refusal(() => draftVersion(created, 1, long, now))).toBe('plan-full');
  });
});

describe('terms are not published', () => {
  const publish = (changes: Partial<PlanTerms>) => refusal(() => publishable({ ...terms, ...changes }));
  const withBase = (changes: Partial<PlanComponent>) => publish({ components: [{ ...base, ...changes }] });
  it.each<[string, string, Partial<PlanTerms>]>([
    ['without components', 'incomplete-plan', { components: [] }],
    ['without currencies', 'incomplete-plan', { currencies: [] }],
    ['with a currency twice', 'incomplete-plan', { currencies: ['USD', 'USD'] }],
    ['in an unknown currency', 'unknown-currency', { currencies: ['USD', 'XXX'] }],
    ['without a price in a currency', 'incomplete-plan', { currencies: ['USD', 'EUR', 'JPY'] }],
    ['with a price in another currency', 'incomplete-plan', { currencies: ['USD'] }],
    ['with a component twice', 'duplicate-component', { components: [base, base] }],
    ['with a meter twice', 'duplicate-component', { components: [calls, { ...calls, componentKey: 'more' }] }],
    ['with half a trial day', 'invalid-option', { trialDays: 0.5 }],
    ['with a minimum in one currency alone', 'incomplete-plan', { minimum: { USD: '100' } }],
    [
      'with a minimum above the maximum',
      'invalid-price',
      { minimum: { USD: '100', EUR: '1' }, maximum: { USD: '99', EUR: '1' } },
    ],
    [
      'with too many components',
      'too-many-items',
      { components: Array.from({ length: 21 }, (_, i) => ({ ...base, componentKey: `${i}` })) },
    ],
    ['with no interval', 'invalid-interval', { interval: { unit: 'month', count: 0 } }],
  ])('%s', (_, code, changes) => expect(publish(changes)).toBe(code));

  it.each<[string, string, Partial<PlanComponent>]>([
    ['usage without a meter', 'incomplete-plan', { kind: 'usage', timing: 'arrears' }],
    ['a fee with a meter', 'incomplete-plan', { meter: { key: 'x', aggregation: 'count' } }],
    ['usage in advance', 'invalid-option', { kind: 'usage', meter: { key: 'x', aggregation: 'count' } }],
    ['no cadence', 'invalid-option', { every: 0 }],
    ['a set-up fee with a cadence', 'invalid-option', { kind: 'one-time', every: 12 }],
    ['a recurring percentage', 'invalid-price', { prices: { ...calls.prices } }],
    [
      'tiers for a set-up fee',
      'invalid-price',
      { ...setUp, prices: { ...base.prices, USD: { model: 'per-unit', unitPrice: '1' } } },
    ],
    [
      'tiers that do not cover',
      'invalid-price',
      { prices: { ...base.prices, USD: { model: 'volume', tiers: [{ upTo: '5', unitPrice: '1' }] } } },
    ],
    ['no description', 'invalid-text', { description: '' }],
  ])('with %s', (_, code, changes) => expect(withBase(changes)).toBe(code));
});
