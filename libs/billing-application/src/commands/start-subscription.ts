import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  reservationId,
  start,
  subscriptionId,
  type ApplyCoupon,
  type StartSubscription as StartTerms,
} from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { couponsOf, remembering, reserve } from '../coupon-redemptions';
import { BillingRepositories } from '../repositories';

/** What a subscription starts with; its id derives from the external id, else from the idempotency key. */
export interface SubscriptionTerms extends Omit<StartTerms, 'subscriptionId' | 'coupons'> {
  /** Codes of coupons that act on it from its first bill on, in this order. */
  readonly couponCodes?: readonly string[] | undefined;
}

/** Starts a subscription, opens its first billing period and bills what is due in advance. */
export class StartSubscription extends Command<CommandResult> {
  constructor(
    readonly terms: SubscriptionTerms,
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
    const begin = (coupons: readonly ApplyCoupon[], dryRun: boolean | undefined) =>
      this.repositories.subscriptions.change(
        id,
        { ...context, dryRun, now },
        (subscription) => start(subscription, { ...terms, coupons, subscriptionId: id }, now),
        { remembers: remembering(coupons) },
      );
    if (couponCodes.length === 0) return resultOf(await begin([], context.dryRun));
    const known = await couponsOf(this.repositories, context.tenant, couponCodes);
    const first = known.map((coupon) => ({ reservationId: reservationId(coupon.couponId, id, context.key), coupon }));
    // What cannot start takes no redemption, and what has started no second one.
    const preview = await begin(first, true);
    if (preview.repeated) return resultOf(await begin(first, context.dryRun));
    const coupons: ApplyCoupon[] = [];
    for (const coupon of known) coupons.push(await reserve(this.repositories, coupon, id, context, now));
    return resultOf(context.dryRun === true ? preview : await begin(coupons, false));
  }
}
