import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { releaseHold } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Lets the billing of a subscription that was held go on. */
export class ReleaseBillingHold extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ReleaseBillingHold)
export class ReleaseBillingHoldHandler implements ICommandHandler<ReleaseBillingHold> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, context }: ReleaseBillingHold): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.subscriptions.change(subscriptionId, { ...context, now }, (subscription) =>
      releaseHold(subscription, now),
    );
    return resultOf(change);
  }
}
