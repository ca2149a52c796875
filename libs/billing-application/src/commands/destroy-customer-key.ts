import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DomainError } from '@perennial/billing-domain';
import type { CommandResult, RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Destroys the data key of an erased customer, however often. Records nothing: the stream of the key says that it is gone. */
export class DestroyCustomerKey extends Command<CommandResult> {
  constructor(
    readonly customerId: string,
    readonly context: Pick<RequestContext, 'tenant'>,
  ) {
    super();
  }
}

@CommandHandler(DestroyCustomerKey)
export class DestroyCustomerKeyHandler implements ICommandHandler<DestroyCustomerKey> {
  constructor(private readonly repositories: BillingRepositories) {}

  async execute({ customerId, context }: DestroyCustomerKey): Promise<CommandResult> {
    const customer = await this.repositories.customers.load(customerId, context.tenant);
    if (customer?.state.status !== 'erased') throw new DomainError('customer-not-found', 'No such customer is erased.');
    await this.repositories.dataKeys.destroy(customerId);
    return {
      aggregateId: customerId,
      revision: customer.revision.toString(),
      position: customer.position.toString(),
      events: [],
      repeated: false,
      dryRun: false,
    };
  }
}
