import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { couponCode, couponId, createCoupon, type NewCoupon } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Creates a coupon; its id derives from its code, of which there is one. */
export class CreateCoupon extends Command<CommandResult> {
  constructor(
    readonly coupon: Omit<NewCoupon, 'couponId'>,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CreateCoupon)
export class CreateCouponHandler implements ICommandHandler<CreateCoupon> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ coupon, context }: CreateCoupon): Promise<CommandResult> {
    const now = await this.clock.now();
    const id = couponId(context.tenant, couponCode(coupon.code));
    const change = await this.repositories.coupons.change(id, { ...context, now }, (state) =>
      createCoupon(state, { ...coupon, couponId: id }, now),
    );
    return resultOf(change);
  }
}
