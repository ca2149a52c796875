import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { createCustomer, customerId, type CustomerTerms } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { refuseOtherPersonalData } from '../refuse-other-personal-data';
import { BillingRepositories } from '../repositories';

/** Creates a customer; its id derives from the external id, else from the idempotency key. */
export class CreateCustomer extends Command<CommandResult> {
  constructor(
    readonly customer: CustomerTerms & { readonly externalId?: string | undefined },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CreateCustomer)
export class CreateCustomerHandler implements ICommandHandler<CreateCustomer> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ customer: asked, context }: CreateCustomer): Promise<CommandResult> {
    const now = await this.clock.now();
    const { externalId } = asked;
    const id = customerId(context.tenant, externalId === undefined ? { key: context.key } : { externalId });
    const change = await this.repositories.customers.change(id, { ...context, now }, (customer) =>
      createCustomer(customer, { ...asked, customerId: id }, now),
    );
    await refuseOtherPersonalData(this.repositories.dataKeys, change, context.key, asked.personal);
    return resultOf(change);
  }
}
