import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  addLineItems,
  lineItemOutcomes,
  type LineItemOutcome,
  type NewLineItem,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { rememberedLineItem } from '../line-item-content';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

export interface LineItemsResult extends CommandResult {
  /** One for each line item, in the order of the batch. */
  readonly records: readonly LineItemOutcome[];
}

/**
 * Adds a batch of line items to the open billing period in one append, with an answer for each. The key stands for the whole
 * batch: its repeat gives the same answers. Each id is remembered for the subscription's life, as that of a single one is.
 */
export class AddLineItems extends Command<LineItemsResult> {
  constructor(
    readonly subscriptionId: string,
    readonly lineItems: readonly NewLineItem[],
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(AddLineItems)
export class AddLineItemsHandler implements ICommandHandler<AddLineItems> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, lineItems, context }: AddLineItems): Promise<LineItemsResult> {
    const now = await this.clock.now();
    const ids = lineItems.map(rememberedLineItem);
    const outcomes = (events: readonly SubscriptionEvent[]) =>
      lineItemOutcomes(
        ids.map(({ id }) => id),
        events,
      );
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription, { known }) => {
        const remembered = ids.map(({ id, fingerprint }) => {
          const first = known.get(id);
          return first === undefined ? undefined : first === fingerprint ? 'same' : 'other';
        });
        return addLineItems(subscription, lineItems, remembered, now);
      },
      {
        each: {
          ids,
          recorded: (events) => {
            const records = outcomes(events);
            return ids.filter((_, index) => records[index]?.outcome === 'added');
          },
        },
      },
    );
    return { ...resultOf(change), records: outcomes(change.events.map(({ event }) => event)) };
  }
}
