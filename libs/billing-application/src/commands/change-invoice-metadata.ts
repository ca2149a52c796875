import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeInvoiceMetadata, type MetadataPatch } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Sets keys of an invoice's metadata, and with null takes them away. */
export class ChangeInvoiceMetadata extends Command<CommandResult> {
  constructor(
    readonly invoiceId: string,
    readonly metadata: MetadataPatch,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeInvoiceMetadata)
export class ChangeInvoiceMetadataHandler implements ICommandHandler<ChangeInvoiceMetadata> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ invoiceId, metadata, context }: ChangeInvoiceMetadata): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.invoices.change(invoiceId, { ...context, now }, (invoice) =>
      changeInvoiceMetadata(invoice, metadata, now),
    );
    return resultOf(change);
  }
}
