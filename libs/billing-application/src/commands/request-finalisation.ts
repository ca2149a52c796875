import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { requestFinalisation } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Lets a draft that waits for its review be finalised: the policy that finalises invoices goes on with it. */
export class RequestFinalisation extends Command<CommandResult> {
  constructor(
    readonly invoiceId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(RequestFinalisation)
export class RequestFinalisationHandler implements ICommandHandler<RequestFinalisation> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ invoiceId, context }: RequestFinalisation): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.invoices.change(invoiceId, { ...context, now }, (invoice) =>
      requestFinalisation(invoice, now),
    );
    return resultOf(change);
  }
}
