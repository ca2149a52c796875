import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  changeAddOns,
  changePlan,
  createPlan,
  draftVersion,
  evolvePlan,
  evolveSubscription,
  plannedTerms,
  planType,
  presets,
  publishVersion,
  rollOver,
  start,
  startOnPlan,
  type ChangeAddOns,
  type ChangePlan,
  type Plan,
  type PlanComponent,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';

interface Component {
  readonly key: string;
  readonly price: string;
  readonly kind?: PlanComponent['kind'];
  readonly every?: number;
  readonly optional?: true;
}

/** Plans with their versions, what becomes of a subscription, and the lines of its bills. */
interface Example {
  readonly plans: Readonly<Record<string, readonly (readonly Component[])[]>>;
  /** Plans of a year; the others are of a month. */
  readonly annual?: readonly string[];
  readonly steps: readonly (
    | readonly [string, 'boundary']
    | readonly [string, 'start' | 'move', ChangePlan & { readonly plan: string }]
    | readonly [string, 'add-ons', ChangeAddOns]
  )[];
  readonly bills: readonly (readonly string[])[];
  /** Of a step alone, without what the boundaries before it bill. */
  readonly withoutBoundaries?: true;
}

const page = readFileSync(join(__dirname, '../../docs/plans.md'), 'utf8');
const examples = [...page.matchAll(/```json\n([^`]*)```/g)].map(([, text = '']) => JSON.parse(text) as Example);
const at = (day: string) => `${day}T00:00:00.000Z`;

function planOf(name: string, versions: Example['plans'][string], years: boolean): Plan {
  const now = at('2010-01-01');
  const created = createPlan(planType.initial, { planId: name, name }, now).reduce<Plan>(evolvePlan, planType.initial);
  return versions.reduce((plan, components, n) => {
    const terms = {
      interval: { unit: years ? 'year' : 'month', count: 1 },
      currencies: ['USD'],
      rules: presets.perennial,
      components: components.map(({ key, price, kind = 'recurring', every = 1, optional }): PlanComponent => ({
        componentKey: key,
        description: key,
        kind,
        timing: 'advance',
        every,
        ...(optional && { optional }),
        prices: { USD: { model: 'flat', unitPrice: price } },
        taxCode: null,
        taxBehaviour: 'unspecified',
        discountable: true,
      })),
    } as const;
    const drafted = draftVersion(plan, n + 1, terms, now).reduce<Plan>(evolvePlan, plan);
    return publishVersion(drafted, n + 1, now).reduce<Plan>(evolvePlan, drafted);
  }, created);
}

function billsOf({ plans, annual = [], steps, withoutBoundaries }: Example): string[][] {
  const known = new Map(
    Object.entries(plans).map(([name, versions]) => [name, planOf(name, versions, annual.includes(name))]),
  );
  let [state, on] = [{ status: 'none' } as Subscription, ''];
  const plan = (name: string) => known.get(name) ?? planType.initial;
  const decide = (step: Example['steps'][number], now: string): SubscriptionEvent[] => {
    switch (step[1]) {
      case 'boundary':
        return [];
      case 'start': {
        const who = { subscriptionId: '00000000-0000-5000-8000-000000000000', customerId: 'customer-1' };
        const terms = startOnPlan(
          { ...who, currency: 'USD', timeZone: 'UTC' },
          plannedTerms(plan(step[2].plan), 'USD', step[2]),
        );
        on = step[2].plan;
        return start(state, terms, now);
      }
      case 'move': {
        const events = changePlan(state, plan(step[2].plan), step[2], now);
        on = step[2].plan;
        return events;
      }
      case 'add-ons':
        return changeAddOns(state, plan(on), step[2], now);
    }
  };
  const record = (events: readonly SubscriptionEvent[]) => {
    state = events.reduce<Subscription>(evolveSubscription, state);
    return events.flatMap((event) =>
      event.type === 'LinesBilled'
        ? event.data.lines.map(({ kind, itemId, net }) => `${kind} ${itemId ?? ''} ${net}`)
        : [],
    );
  };
  return steps.map((step) => {
    const now = at(step[0]);
    const crossed: string[] = [];
    for (;;) {
      const due = state.status === 'active' ? state.openPeriod : null;
      if (!due || now < due.endsAt) break;
      crossed.push(...record(rollOver(state, due.periodNumber, now)));
    }
    const made = record(decide(step, now));
    return withoutBoundaries ? made : [...crossed, ...made];
  });
}

describe('docs/plans.md', () => {
  it.each(examples)('%j', (example) => {
    expect(billsOf(example)).toEqual(example.bills);
  });
});
