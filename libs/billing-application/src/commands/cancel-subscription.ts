import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { cancelNow, scheduleCancellation } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Ends the subscription now, or with the open period or the first later one that honours minimum term and notice. */
export class CancelSubscription extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly options: {
      readonly at: 'now' | 'period-end';
      readonly credit: 'none' | 'prorated';
      readonly waiveTerm?: boolean | undefined;
    },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CancelSubscription)
export class CancelSubscriptionHandler implements ICommandHandler<CancelSubscription> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, options, context }: CancelSubscription): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) =>
        options.at === 'now' ? cancelNow(subscription, options, now) : scheduleCancellation(subscription, now),
    );
    return resultOf(change);
  }
}
