import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { addLineItem, DomainError, type NewLineItem } from '@perennial/billing-domain';
import { RememberedIdReused } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { rememberedLineItem } from '../line-item-content';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/**
 * Adds a line to the open billing period. Its id is the caller's and remembered for the subscription's life: the same
 * content again, under whatever key, changes nothing; other content is refused as `line-item-exists`.
 */
export class AddLineItem extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly lineItem: NewLineItem,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(AddLineItem)
export class AddLineItemHandler implements ICommandHandler<AddLineItem> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, lineItem, context }: AddLineItem): Promise<CommandResult> {
    const now = await this.clock.now();
    const { lineItemId } = lineItem;
    try {
      const change = await changeWithElapsedPeriodsRolledOver(
        this.repositories,
        subscriptionId,
        { ...context, now },
        (subscription) => addLineItem(subscription, lineItem, now),
        { remembers: [rememberedLineItem(lineItem)] },
      );
      return resultOf(change);
    } catch (error) {
      if (error instanceof RememberedIdReused) throw new DomainError('line-item-exists', undefined, { lineItemId });
      throw error;
    }
  }
}
