import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeMetadata, type MetadataPatch } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Sets keys of a subscription's metadata, and with null takes them away. */
export class ChangeSubscriptionMetadata extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly metadata: MetadataPatch,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeSubscriptionMetadata)
export class ChangeSubscriptionMetadataHandler implements ICommandHandler<ChangeSubscriptionMetadata> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, metadata, context }: ChangeSubscriptionMetadata): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changeMetadata(subscription, metadata, now),
    );
    return resultOf(change);
  }
}
