import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { applyCoupon, DomainError, reservationId, type ApplyCoupon as Applied } from '@perennial/billing-domain';
import { RememberedIdReused } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { couponsOf, freeRedemption, remembering, reserve, senderOf } from '../coupon-redemptions';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Lets the coupon with a code act on a subscription's bills from the next one on. A subscription redeems a coupon once. */
export class ApplyCoupon extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly code: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ApplyCoupon)
export class ApplyCouponHandler implements ICommandHandler<ApplyCoupon> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, code, context }: ApplyCoupon): Promise<CommandResult> {
    const now = await this.clock.now();
    const { repositories } = this;
    const [coupon] = await couponsOf(repositories, context.tenant, [code]);
    if (!coupon) throw new DomainError('coupon-not-found');
    const apply = (applied: Applied, dryRun: boolean | undefined) =>
      changeWithElapsedPeriodsRolledOver(
        repositories,
        subscriptionId,
        { ...context, dryRun, now },
        (subscription) => applyCoupon(subscription, applied, now),
        { remembers: remembering([applied]) },
      );
    const first = { reservationId: reservationId(coupon.couponId, subscriptionId, context.key), coupon };
    // What the subscription refuses anyway takes no redemption, and what it did already no second one.
    const preview = await refusingTwice(code, () => apply(first, true));
    if (preview.repeated) return resultOf(await apply(first, context.dryRun));
    const applied = await reserve(repositories, coupon, subscriptionId, context, now);
    if (context.dryRun === true) return resultOf(preview);
    try {
      return resultOf(await refusingTwice(code, () => apply(applied, false)));
    } catch (error) {
      // It holds another redemption of this coupon, for ever: nobody can apply this one any more.
      if (error instanceof DomainError && error.code === 'coupon-already-applied') {
        const redemption = { couponId: coupon.couponId, reservationId: applied.reservationId, subscriptionId };
        await freeRedemption(repositories, redemption, senderOf(context), now);
      }
      throw error;
    }
  }
}

async function refusingTwice<T>(code: string, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof RememberedIdReused) throw new DomainError('coupon-already-applied', undefined, { code });
    throw error;
  }
}
