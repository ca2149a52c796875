import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { countRedemption, type Redemption } from '../coupon-redemptions';
import { BillingRepositories } from '../repositories';

/** Counts the redemption that a subscription applied. The key is always that of the reservation: it counts once. */
export class RedeemCoupon extends Command<CommandResult> {
  constructor(
    readonly redemption: Redemption,
    readonly context: Omit<RequestContext, 'key' | 'fingerprint' | 'expectedRevision'>,
  ) {
    super();
  }
}

@CommandHandler(RedeemCoupon)
export class RedeemCouponHandler implements ICommandHandler<RedeemCoupon> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ redemption, context }: RedeemCoupon) {
    const now = await this.clock.now();
    return resultOf(await countRedemption(this.repositories, redemption, context, now));
  }
}
