import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { resume } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Opens a period again; what was paid beyond the pause is not charged a second time. */
export class ResumeSubscription extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly options: { readonly anchor: 'keep' | 'restart' },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ResumeSubscription)
export class ResumeSubscriptionHandler implements ICommandHandler<ResumeSubscription> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, options, context }: ResumeSubscription): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => resume(subscription, options, now),
    );
    return resultOf(change);
  }
}
