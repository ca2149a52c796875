import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeCustomer, type CustomerChange } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { refuseOtherPersonalData } from '../refuse-other-personal-data';
import { BillingRepositories } from '../repositories';

/** Changes what is given of a customer, for what comes after. */
export class ChangeCustomer extends Command<CommandResult> {
  constructor(
    readonly customerId: string,
    readonly change: CustomerChange,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeCustomer)
export class ChangeCustomerHandler implements ICommandHandler<ChangeCustomer> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ customerId, change: asked, context }: ChangeCustomer): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.customers.change(customerId, { ...context, now }, (customer) =>
      changeCustomer(customer, asked, now),
    );
    await refuseOtherPersonalData(this.repositories.dataKeys, change, context.key, asked.personal);
    return resultOf(change);
  }
}
