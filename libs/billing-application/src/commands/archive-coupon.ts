import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { archiveCoupon } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Nobody redeems the coupon any more; what was redeemed goes on. */
export class ArchiveCoupon extends Command<CommandResult> {
  constructor(
    readonly couponId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ArchiveCoupon)
export class ArchiveCouponHandler implements ICommandHandler<ArchiveCoupon> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ couponId, context }: ArchiveCoupon): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.coupons.change(couponId, { ...context, now }, (coupon) =>
      archiveCoupon(coupon, now),
    );
    return resultOf(change);
  }
}
