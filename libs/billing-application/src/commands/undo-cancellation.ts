import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { undoCancellation } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Takes back a cancellation at the end of the open period. */
export class UndoCancellation extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(UndoCancellation)
export class UndoCancellationHandler implements ICommandHandler<UndoCancellation> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, context }: UndoCancellation): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => undoCancellation(subscription, now),
    );
    return resultOf(change);
  }
}
