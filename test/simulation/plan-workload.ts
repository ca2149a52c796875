import {
  ArchivePlanVersion,
  ChangePlan,
  CreatePlan,
  DraftPlanVersion,
  PublishPlanVersion,
} from '@perennial/billing-application';
import { type PlanComponent, type PlanTerms, type Price, presets } from '@perennial/billing-domain';
import type { Random } from '../support/random';
import { type Askings, type Known, type KnownPlan, request, type Request } from './request';

/* Who makes plans, and who moves subscriptions to them. Their components are none of what subscriptions have of their own. */

const currencies = ['EUR', 'USD', 'JPY'] as const;
const intervals = [
  { unit: 'month', count: 1 },
  { unit: 'month', count: 1 },
  { unit: 'month', count: 3 },
  { unit: 'year', count: 1 },
] as const;

const flat = (random: Random): Price => ({ model: 'flat', unitPrice: random.pick(['900', '2999', '12000.5']) });
const tiered = (random: Random): Price => ({
  model: random.pick(['graduated', 'volume']),
  tiers: [
    { upTo: '5', unitPrice: random.pick(['100', '333.3']), flatFee: '50' },
    { upTo: null, unitPrice: random.pick(['80', '0.4']) },
  ],
});

function component(componentKey: string, price: () => Price, more: Partial<PlanComponent> = {}): PlanComponent {
  return {
    componentKey,
    description: `What ${componentKey} costs`,
    kind: 'recurring',
    timing: 'advance',
    every: 1,
    prices: Object.fromEntries(currencies.map((currency) => [currency, price()])),
    taxCode: null,
    taxBehaviour: 'unspecified',
    discountable: true,
    ...more,
  };
}

function planTerms(random: Random): PlanTerms {
  return {
    interval: random.pick(intervals),
    currencies,
    rules: presets[random.pick(['perennial', 'kill-bill', 'stripe', 'lago'] as const)],
    components: [
      component('access', () => flat(random)),
      component('users', () => tiered(random), { timing: random.pick(['advance', 'arrears']) }),
      component('set-up', () => flat(random), { kind: 'one-time' }),
      component('support', () => flat(random), { optional: true }),
      component('traffic', () => ({ model: 'per-unit', unitPrice: random.pick(['0.4', '12.5']) }), {
        kind: 'usage',
        timing: 'arrears',
        meter: { key: 'traffic', event: 'traffic', aggregation: 'sum' },
      }),
    ],
    ...(random.chance(0.3) && { minimum: Object.fromEntries(currencies.map((currency) => [currency, '3000'])) }),
  };
}

/** A plan without versions. */
export function newPlan(known: Known): Request {
  const externalId = `plan-${(known.serial += 1)}`;
  return request(
    'create-plan',
    { externalId, name: `Plan ${known.serial}` },
    (plan, context) => new CreatePlan(plan, context),
    {
      learn({ aggregateId: id }) {
        if (!known.plans.some((plan) => plan.id === id)) known.plans.push({ id, drafted: 0, published: new Set() });
      },
    },
  );
}

/** The next version of a plan. */
export function newPlanVersion({ random }: Known, plan: KnownPlan): Request {
  const version = plan.drafted + 1;
  return request(
    'draft-plan-version',
    { planId: plan.id, version, terms: planTerms(random) },
    ({ terms }, context) => new DraftPlanVersion(plan.id, version, terms, context),
    { learn: () => void (plan.drafted = Math.max(plan.drafted, version)) },
  );
}

/** Publishes the newest version of a plan. */
export function publishPlan(plan: KnownPlan): Request {
  const version = plan.drafted;
  return request(
    'publish-plan-version',
    { planId: plan.id, version },
    (_, context) => new PublishPlanVersion(plan.id, version, context),
    { learn: () => void plan.published.add(version) },
  );
}

/** What somebody who starts on a plan, or moves to it, picks of it. */
export function planChoice({ random }: Known, plan: KnownPlan) {
  return {
    ...(random.chance(0.2) && { version: random.pick([...plan.published]) }),
    ...(random.chance(0.5) && { quantities: { users: String(random.between(0, 9)) } }),
    ...(random.chance(0.4) && { addOns: random.pick([['support'], []]) }),
  };
}

/** Plans that something can start on. */
export const offered = ({ plans }: Known): readonly KnownPlan[] => plans.filter(({ published }) => published.size > 0);

/** What is asked about plans. */
export const planAskings: Askings = {
  'change-plan': [
    5,
    (known, of) => {
      const { random } = known;
      const plans = offered(known);
      if (plans.length === 0) return undefined;
      const plan = random.pick(plans);
      const change = {
        ...planChoice(known, plan),
        when: random.pick(['now', 'now', 'period-end'] as const),
        billing: random.pick(['now', 'next-bill'] as const),
        ...(random.chance(0.05) && { currency: random.pick(currencies) }),
      };
      return request(
        'change-plan',
        { subscriptionId: of.id, planId: plan.id, change },
        (_, context) => new ChangePlan(of.id, { planId: plan.id }, change, context),
      );
    },
  ],
  'draft-plan-version': [
    0.4,
    (known) => (known.plans.length > 0 ? newPlanVersion(known, known.random.pick(known.plans)) : undefined),
  ],
  'publish-plan-version': [
    0.4,
    ({ random, plans }) => {
      const drafted = plans.filter((plan) => plan.drafted > 0);
      return drafted.length > 0 ? publishPlan(random.pick(drafted)) : undefined;
    },
  ],
  'archive-plan-version': [
    0.1,
    (known) => {
      const plans = offered(known).filter(({ published }) => published.size > 1);
      if (plans.length === 0) return undefined;
      const plan = known.random.pick(plans);
      const [version] = plan.published;
      return request(
        'archive-plan-version',
        { planId: plan.id, version: version! },
        (_, context) => new ArchivePlanVersion(plan.id, version!, context),
        { learn: () => void plan.published.delete(version!) },
      );
    },
  ],
};
