import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { pause, schedulePause } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Closes the open period, now or when it ends, and opens none until the subscription is resumed. */
export class PauseSubscription extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly options: { readonly at?: 'now' | 'period-end'; readonly credit: 'none' | 'prorated' },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(PauseSubscription)
export class PauseSubscriptionHandler implements ICommandHandler<PauseSubscription> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, options, context }: PauseSubscription): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) =>
        options.at === 'period-end' ? schedulePause(subscription, now) : pause(subscription, options, now),
    );
    return resultOf(change);
  }
}
