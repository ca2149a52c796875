import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  customerIdOf,
  customerType,
  DomainError,
  plannedTerms,
  planType,
  reservationId,
  start,
  startOnPlan,
  subscriptionId,
  withCustomer,
  type ApplyCoupon,
  type LeftToCustomer,
  type PlanChoice,
  type StartSubscription as StartTerms,
} from '@perennial/billing-domain';
import { RememberedIdReused } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { planIdOf, type NamedPlan } from '../named-plan';
import { couponsOf, remembering, reserve } from '../coupon-redemptions';
import { BillingRepositories } from '../repositories';

/**
 * What a subscription starts with; its id derives from the external id, else from the idempotency key. What is left out of
 * currency, time zone and payment terms is the customer's.
 */
export type SubscriptionTerms = Omit<StartTerms, 'subscriptionId' | 'coupons' | 'plan' | keyof LeftToCustomer> &
  LeftToCustomer & {
    /** Codes of coupons that act on it from its first bill on, in this order. */
    readonly couponCodes?: readonly string[] | undefined;
  };

/** A start on a plan, whose interval and rules it takes; items of its own stand besides those of the plan. */
export type PlanStart = Omit<SubscriptionTerms, 'interval' | 'rules' | 'item'> & {
  readonly plan: NamedPlan & PlanChoice;
};

/** Starts a subscription, opens its first billing period and bills what is due in advance. */
export class StartSubscription extends Command<CommandResult> {
  constructor(
    readonly terms: SubscriptionTerms | PlanStart,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(StartSubscription)
export class StartSubscriptionHandler implements ICommandHandler<StartSubscription> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ terms: { couponCodes = [], ...terms }, context }: StartSubscription): Promise<CommandResult> {
    const now = await this.clock.now();
    const { externalId } = terms;
    const id = subscriptionId(context.tenant, externalId === undefined ? { key: context.key } : { externalId });
    const { tenant } = context;
    const known = await this.repositories.customers.load(customerIdOf(tenant, terms.customerId), tenant);
    const customer = known?.state ?? customerType.initial;
    const picked = 'plan' in terms ? terms.plan : undefined;
    const plan = picked && (await this.repositories.plans.load(planIdOf(tenant, picked), tenant));
    // Within the decision, so that a repeat is answered although the plan was archived since.
    const termsOf = () => {
      const asked = withCustomer(customer, terms);
      if (!('plan' in asked)) return asked;
      const { plan: choice, ...own } = asked;
      return startOnPlan(own, plannedTerms(plan?.state ?? planType.initial, own.currency, choice));
    };
    const begin = (coupons: readonly ApplyCoupon[], dryRun: boolean | undefined) =>
      this.repositories.subscriptions
        .change(
          id,
          { ...context, dryRun, now },
          (subscription) => start(subscription, { ...termsOf(), coupons, subscriptionId: id }, now),
          { remembers: remembering(coupons) },
        )
        .catch((error: unknown): never => {
          // Only one that has started remembers a coupon.
          if (error instanceof RememberedIdReused) throw new DomainError('subscription-exists');
          throw error;
        });
    if (couponCodes.length === 0) return resultOf(await begin([], context.dryRun));
    const asked = await couponsOf(this.repositories, tenant, couponCodes);
    const first = asked.map((coupon) => ({ reservationId: reservationId(coupon.couponId, id, context.key), coupon }));
    // What cannot start takes no redemption, and what has started no second one.
    const preview = await begin(first, true);
    if (preview.repeated) return resultOf(await begin(first, context.dryRun));
    const coupons: ApplyCoupon[] = [];
    for (const coupon of asked) coupons.push(await reserve(this.repositories, coupon, id, context, now));
    return resultOf(context.dryRun === true ? preview : await begin(coupons, false));
  }
}
