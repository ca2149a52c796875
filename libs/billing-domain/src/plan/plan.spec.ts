import { presets } from '../billing-rules';
import { at, refusal } from '../subscription/decisions.fixture';
import { MAX_ITEMS } from '../subscription/terms';
import { encodedBytes } from '../text';
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
import { MAX_COMPONENTS, publishable } from './plan-terms';

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

  it('is created with what is said of it, and without versions', () => {
    const metadata = { team: 'growth' };
    const all = { planId: 'p-1', name: 'n'.repeat(200), externalId: 'e'.repeat(200), metadata };
    expect(createPlan(planType.initial, all, now)).toEqual([
      { type: 'PlanCreated', data: { effectiveAt: now, ...all } },
    ]);
    const least = createPlan(planType.initial, { planId: 'p-1', name: 'Pro' }, now);
    expect(least).toStrictEqual([
      { type: 'PlanCreated', data: { effectiveAt: now, planId: 'p-1', name: 'Pro', metadata: {} } },
    ]);
    expect(created).toEqual({ status: 'active', planId: 'p-1', changedAt: now, versions: [] });
    for (const wrong of [
      { name: 'n'.repeat(201) },
      { name: 'Pro', externalId: '' },
      { name: 'Pro', externalId: 'e'.repeat(201) },
    ]) {
      expect(refusal(() => createPlan(planType.initial, { planId: 'p-1', ...wrong }, now))).toBe('invalid-text');
    }
    expect(refusal(() => createPlan(planType.initial, { planId: 'p-1', name: 'Pro' }, 'today'))).toBe(
      'invalid-instant',
    );
  });

  it('says what happened to its versions, dated no earlier than what was before', () => {
    const later = at('2026-02-01');
    const [again] = draftVersion(created, 1, terms, later);
    expect(again).toEqual({ type: 'PlanVersionDrafted', data: { effectiveAt: later, version: 1, terms } });
    const state = evolvePlan(created, again!);
    expect(state).toEqual({
      status: 'active',
      planId: 'p-1',
      changedAt: later,
      versions: [{ version: 1, status: 'draft', terms }],
    });
    expect(draftVersion(state, 2, terms, now)[0]?.data.effectiveAt).toBe(later);
    const [publishes] = publishVersion(state, 1, now);
    expect(publishes).toEqual({ type: 'PlanVersionPublished', data: { effectiveAt: later, version: 1 } });
    expect(evolvePlan(state, publishes!)).toEqual({ ...state, versions: [{ version: 1, status: 'published', terms }] });
    const [archives] = archiveVersion(state, 1, now);
    expect(archives).toEqual({ type: 'PlanVersionArchived', data: { effectiveAt: later, version: 1 } });
    expect(evolvePlan(state, archives!)).toEqual({ ...state, versions: [{ version: 1, status: 'archived', terms }] });
    expect(publishedTerms(published)).toEqual({ planId: 'p-1', version: 1, status: 'published', terms });
  });

  it('is there before its versions are', () => {
    const none = planType.initial;
    for (const act of [
      () => publishVersion(none, 1, now),
      () => archiveVersion(none, 1, now),
      () => publishedTerms(none),
    ]) {
      expect(refusal(act)).toBe('plan-not-found');
    }
    expect(refusal(() => archiveVersion(created, 1, now))).toBe('plan-version-not-found');
    expect(refusal(() => publishedTerms(created, 1))).toBe('plan-version-not-found');
    for (const version of [0, -1, 1.5]) {
      expect(refusal(() => draftVersion(created, version, terms, now))).toBe('plan-version-not-found');
    }
    const [archives] = archiveVersion(drafted, 1, now);
    expect(() => evolvePlan(none, archives!)).toThrow('PlanVersionArchived before PlanCreated');
    const eaten = { type: 'PlanEaten', data: {} } as unknown as PlanEvent;
    expect(() => evolvePlan(created, eaten)).toThrow('unknown event PlanEaten');
  });

  it('is the same from a snapshot', () => {
    const { toJSON, fromJSON } = planType.snapshot;
    expect(fromJSON(JSON.parse(JSON.stringify(toJSON(published))))).toEqual(published);
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
    const draft = after(created, (s) => draftVersion(s, 1, loose, now));
    expect(publishVersion(draft, 1, at('2026-02-01'))).toEqual([
      {
        type: 'PlanVersionDrafted',
        data: {
          effectiveAt: at('2026-02-01'),
          version: 1,
          terms: {
            ...terms,
            components: [{ ...base, prices: { ...base.prices, USD: { model: 'flat', unitPrice: '1.5' } } }],
          },
        },
      },
      { type: 'PlanVersionPublished', data: { effectiveAt: at('2026-02-01'), version: 1 } },
    ]);
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
    // All versions together: what is there and what comes.
    const room =
      600_000 - encodedBytes(created) - encodedBytes({ ...terms, components: [{ ...base, description: '' }] });
    const filled = (n: number) => ({ ...terms, components: [{ ...base, description: 'x'.repeat(n) }] });
    expect(draftVersion(created, 1, filled(room), now)).toHaveLength(1);
    expect(refusal(() => draftVersion(created, 1, filled(room + 1), now))).toBe('plan-full');
    const half = after(created, (s) => draftVersion(s, 1, filled(400_000), now));
    expect(refusal(() => draftVersion(half, 2, filled(400_000), now))).toBe('plan-full');
  });
});

describe('terms are not published', () => {
  const publish = (changes: Partial<PlanTerms>) => refusal(() => publishable({ ...terms, ...changes }));
  const inDollars = { ...base, prices: { USD: { model: 'flat', unitPrice: '1' } } } as const;
  const sum = { key: 'sum', aggregation: 'sum' } as const;
  const free = (freeRecords: number) => {
    const price = { model: 'percentage', rate: '1', freeRecords } as const;
    return { prices: { USD: price, EUR: price } };
  };
  const withBase = (changes: Partial<PlanComponent>) => publish({ components: [{ ...base, ...changes }] });
  it.each<[string, string, Partial<PlanTerms>]>([
    ['without components', 'incomplete-plan', { components: [] }],
    ['without currencies', 'incomplete-plan', { currencies: [] }],
    ['without currencies or prices', 'incomplete-plan', { currencies: [], components: [{ ...base, prices: {} }] }],
    ['with a currency twice', 'incomplete-plan', { currencies: ['USD', 'USD'] }],
    ['with its only currency twice', 'incomplete-plan', { currencies: ['USD', 'USD'], components: [inDollars] }],
    ['with an add-on of the same key', 'duplicate-component', { components: [base, { ...base, optional: true }] }],
    [
      'with an add-on of the same meter',
      'duplicate-component',
      { components: [calls, { ...calls, componentKey: 'more', optional: true }] },
    ],
    [
      'with an add-on that nobody can pick',
      'invalid-price',
      { components: [base, { ...base, ...free(1), componentKey: 'more', optional: true }] },
    ],
    [
      'with more free records than are kept',
      'invalid-price',
      {
        components: [600, 401].map((n, i) => ({
          ...calls,
          ...free(n),
          componentKey: `${i}`,
          meter: { ...sum, key: `${i}` },
        })),
      },
    ],
    ['in an unknown currency', 'unknown-currency', { currencies: ['USD', 'XXX'] }],
    ['without a price in a currency', 'incomplete-plan', { currencies: ['USD', 'EUR', 'JPY'] }],
    ['with a price in another currency', 'incomplete-plan', { currencies: ['USD'] }],
    ['with a component twice', 'duplicate-component', { components: [base, base] }],
    ['with a meter twice', 'duplicate-component', { components: [calls, { ...calls, componentKey: 'more' }] }],
    ['with half a trial day', 'invalid-option', { trialDays: 0.5 }],
    ['with trial days below zero', 'invalid-option', { trialDays: -1 }],
    ['with a trial of more than ten years', 'invalid-option', { trialDays: 3661 }],
    ['with part of a minimum term', 'invalid-option', { minimumTermPeriods: 1.5 }],
    ['with a notice below zero', 'invalid-option', { noticeDays: -1 }],
    ['with too long a grace', 'invalid-option', { usageGraceHours: 3661 }],
    ['with a maximum in one currency alone', 'incomplete-plan', { maximum: { EUR: '100' } }],
    ['with a minimum that is no amount', 'invalid-decimal', { minimum: { USD: '100', EUR: 'x' } }],
    [
      'with too many components that can be picked',
      'too-many-items',
      {
        components: Array.from({ length: MAX_COMPONENTS + 1 }, (_, i) => ({
          ...base,
          componentKey: `${i}`,
          optional: true as const,
        })),
      },
    ],
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
    ['half a cadence', 'invalid-option', { every: 1.5 }],
    ['too long a cadence', 'invalid-option', { every: 121 }],
    ['usage with a cadence', 'invalid-option', { ...calls, every: 2 }],
    ['no kind', 'invalid-option', { kind: 'gift' as 'usage' }],
    ['no timing', 'invalid-option', { timing: 'later' as 'advance' }],
    ['no key', 'invalid-text', { componentKey: '' }],
    ['too long a key', 'invalid-text', { componentKey: 'x'.repeat(101) }],
    ['too long a description', 'invalid-text', { description: 'x'.repeat(501) }],
    [
      'a meter that measures nothing',
      'invalid-option',
      { ...calls, meter: { key: 'x', aggregation: 'mean' as 'sum' } },
    ],
    ['no tax behaviour', 'invalid-option', { taxBehaviour: 'none' as 'unspecified' }],
    ['too long a tax code', 'invalid-text', { taxCode: 'x'.repeat(51) }],
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

  it('but at all of their limits they are, in canonical form', () => {
    const wide: PlanTerms = {
      ...terms,
      trialDays: 3660,
      minimumTermPeriods: 0,
      noticeDays: 3660,
      usageGraceHours: 0,
      minimum: { USD: '100', EUR: '90' },
      maximum: { USD: '100', EUR: '90' },
      components: [
        ...Array.from({ length: MAX_ITEMS - 1 }, (_, i) => ({
          ...base,
          componentKey: `${i}`.padEnd(100, 'x'),
          description: 'd'.repeat(500),
          every: 120,
        })),
        { ...calls, meter: { key: 'api-calls', aggregation: 'sum' } },
        ...Array.from({ length: MAX_COMPONENTS - MAX_ITEMS }, (_, i) => ({
          ...base,
          componentKey: `add-on-${i}`,
          optional: true as const,
        })),
      ],
    };
    const canonical = publishable(wide);
    const metered = { ...calls, meter: { key: 'api-calls', event: 'api-calls', aggregation: 'sum' } };
    expect(canonical).toEqual({
      ...wide,
      components: wide.components.map((each) => (each.kind === 'usage' ? metered : each)),
    });
    expect(publishable(canonical)).toEqual(canonical);
    const { minimum, maximum, ...unbounded } = canonical;
    expect([minimum, maximum]).toEqual([wide.minimum, wide.maximum]);
    expect(publishable(unbounded)).toStrictEqual(unbounded);
  });
});
