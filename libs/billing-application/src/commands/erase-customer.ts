import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { eraseCustomer } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/**
 * Erases a customer's personal data: records that it is erased, then destroys the key that it is sealed under, and only
 * then answers. When it ends in between, a repeat destroys the key, and so does a policy.
 */
export class EraseCustomer extends Command<CommandResult> {
  constructor(
    readonly customerId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(EraseCustomer)
export class EraseCustomerHandler implements ICommandHandler<EraseCustomer> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ customerId, context }: EraseCustomer): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.customers.change(customerId, { ...context, now }, (customer) =>
      eraseCustomer(customer, now),
    );
    if (!change.dryRun) await this.repositories.dataKeys.destroy(customerId);
    return resultOf(change);
  }
}
