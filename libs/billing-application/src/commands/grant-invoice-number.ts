import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { grant, grantNumberKey, invoiceNumbersId } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';

/**
 * Grants an invoice the next number of a series. The key and fingerprint are always those of this invoice, whoever asks:
 * a second request is answered from the record, so the series need keep no more than its last number.
 */
export class GrantInvoiceNumber extends Command<CommandResult> {
  constructor(
    readonly series: string,
    readonly invoiceId: string,
    readonly context: Omit<RequestContext, 'key' | 'fingerprint' | 'expectedRevision'>,
  ) {
    super();
  }
}

@CommandHandler(GrantInvoiceNumber)
export class GrantInvoiceNumberHandler implements ICommandHandler<GrantInvoiceNumber> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ series, invoiceId, context }: GrantInvoiceNumber): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.invoiceNumbers.change(
      invoiceNumbersId(context.tenant, series),
      {
        ...context,
        key: grantNumberKey(invoiceId),
        fingerprint: fingerprintOf({ command: 'GrantInvoiceNumber', series, invoiceId }),
        expectedRevision: undefined,
        now,
      },
      (numbers) => grant(numbers, { series, invoiceId }, now),
    );
    return resultOf(change);
  }
}
