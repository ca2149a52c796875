import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { draft, invoiceId, type LinesBilled } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Makes the invoice of a bill, whose id derives from it: however often it is asked for, there is one. */
export class DraftInvoice extends Command<CommandResult> {
  constructor(
    readonly bill: LinesBilled['data'],
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(DraftInvoice)
export class DraftInvoiceHandler implements ICommandHandler<DraftInvoice> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ bill, context }: DraftInvoice): Promise<CommandResult> {
    const now = await this.clock.now();
    const id = invoiceId(bill.subscriptionId, bill.billNumber);
    const change = await this.repositories.invoices.change(id, { ...context, now }, (invoice) => draft(invoice, bill));
    return resultOf(change);
  }
}
