import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { countRedemption, freeRedemption, isApplied, type Redemption } from '../coupon-redemptions';
import { BillingRepositories } from '../repositories';

/** Ends a reservation whose time is over: the subscription applied it, and it counts, or it is free again. */
export class SettleReservation extends Command<CommandResult> {
  constructor(
    readonly redemption: Redemption,
    readonly context: Omit<RequestContext, 'key' | 'fingerprint' | 'expectedRevision'>,
  ) {
    super();
  }
}

@CommandHandler(SettleReservation)
export class SettleReservationHandler implements ICommandHandler<SettleReservation> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ redemption, context }: SettleReservation) {
    const now = await this.clock.now();
    const applied = await isApplied(this.repositories, redemption, context, now);
    const settle = applied ? countRedemption : freeRedemption;
    return resultOf(await settle(this.repositories, redemption, context, now));
  }
}
