import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { voidLineItem } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Takes a line item that is not billed yet out of the open billing period. */
export class VoidLineItem extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly lineItemId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(VoidLineItem)
export class VoidLineItemHandler implements ICommandHandler<VoidLineItem> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, lineItemId, context }: VoidLineItem): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => voidLineItem(subscription, lineItemId, now),
    );
    return resultOf(change);
  }
}
