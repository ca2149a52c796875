import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { voidInvoice } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Voids a finalised invoice; policies return the credit that it used and give its lines back to the subscription. */
export class VoidInvoice extends Command<CommandResult> {
  constructor(
    readonly invoiceId: string,
    readonly options: { readonly rebill: boolean; readonly reason: string },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(VoidInvoice)
export class VoidInvoiceHandler implements ICommandHandler<VoidInvoice> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ invoiceId, options, context }: VoidInvoice): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.invoices.change(invoiceId, { ...context, now }, (invoice) =>
      voidInvoice(invoice, options, now),
    );
    return resultOf(change);
  }
}
