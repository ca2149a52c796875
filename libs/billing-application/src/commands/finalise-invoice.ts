import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { finalise } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Finalises a draft under the number that its series has granted it. */
export class FinaliseInvoice extends Command<CommandResult> {
  constructor(
    readonly invoiceId: string,
    readonly granted: { readonly series: string; readonly sequence: number; readonly number: string },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(FinaliseInvoice)
export class FinaliseInvoiceHandler implements ICommandHandler<FinaliseInvoice> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ invoiceId, granted, context }: FinaliseInvoice): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.invoices.change(invoiceId, { ...context, now }, (invoice) =>
      finalise(invoice, granted, now),
    );
    return resultOf(change);
  }
}
