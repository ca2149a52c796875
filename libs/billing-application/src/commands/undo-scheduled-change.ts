import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { undoScheduledChange } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Takes back all changes of items that the end of the open period would make. */
export class UndoScheduledChange extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(UndoScheduledChange)
export class UndoScheduledChangeHandler implements ICommandHandler<UndoScheduledChange> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, context }: UndoScheduledChange): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => undoScheduledChange(subscription, now),
    );
    return resultOf(change);
  }
}
