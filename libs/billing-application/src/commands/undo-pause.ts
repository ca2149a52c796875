import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { undoPause } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Takes back a pause at the end of the open period. */
export class UndoPause extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(UndoPause)
export class UndoPauseHandler implements ICommandHandler<UndoPause> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, context }: UndoPause): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => undoPause(subscription, now),
    );
    return resultOf(change);
  }
}
