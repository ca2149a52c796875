import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { addLineItem, DomainError, formatDecimal, parseDecimal, type NewLineItem } from '@perennial/billing-domain';
import { RememberedIdReused } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** What makes two line items the same: their content with what is left out filled in, whatever its spelling. */
function contentOf({ quantity = '1', unitPrice, service, taxCode, ...item }: NewLineItem): object {
  const { description, taxBehaviour = 'unspecified', discountable = true, metadata = {} } = item;
  return {
    description,
    quantity: canonicalDecimal(quantity),
    unitPrice: canonicalDecimal(unitPrice),
    service: service ?? null,
    taxCode: taxCode ?? null,
    taxBehaviour,
    discountable,
    metadata,
  };
}

function canonicalDecimal(text: string): string {
  try {
    return formatDecimal(parseDecimal(text));
  } catch {
    // Not a decimal: the decision says so, after the key has been checked.
    return text;
  }
}

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
        { remembers: [{ kind: 'line-item', id: lineItemId, fingerprint: fingerprintOf(contentOf(lineItem)) }] },
      );
      return resultOf(change);
    } catch (error) {
      if (error instanceof RememberedIdReused) throw new DomainError('line-item-exists', undefined, { lineItemId });
      throw error;
    }
  }
}
