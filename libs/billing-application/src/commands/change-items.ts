import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeItems, type ChangeItems as Change } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Changes quantities, prices and items: now, at the end of the open period, or backdated to the correction horizon. */
export class ChangeItems extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly change: Change,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeItems)
export class ChangeItemsHandler implements ICommandHandler<ChangeItems> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, change: asked, context }: ChangeItems): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changeItems(subscription, asked, now),
    );
    return resultOf(change);
  }
}
