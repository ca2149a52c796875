import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { removeCoupon } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Takes a coupon off the bills to come of a subscription; its redemption stays used. */
export class RemoveCoupon extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly couponId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(RemoveCoupon)
export class RemoveCouponHandler implements ICommandHandler<RemoveCoupon> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, couponId, context }: RemoveCoupon): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => removeCoupon(subscription, couponId, now),
    );
    return resultOf(change);
  }
}
