import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { applyCredit, applyCreditKey, customerBalanceId } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';

/** Settles an invoice from the customer's balance, as far as that goes. The key is always that of this invoice: whoever asks again is told what was settled then. */
export class ApplyCredit extends Command<CommandResult> {
  constructor(
    readonly credit: {
      readonly invoiceId: string;
      readonly customerId: string;
      readonly currency: string;
      /** Minor units. */
      readonly amount: string;
    },
    readonly context: Omit<RequestContext, 'key' | 'fingerprint' | 'expectedRevision'>,
  ) {
    super();
  }
}

@CommandHandler(ApplyCredit)
export class ApplyCreditHandler implements ICommandHandler<ApplyCredit> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ credit, context }: ApplyCredit): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.customerBalances.change(
      customerBalanceId(context.tenant, credit.customerId, credit.currency),
      {
        ...context,
        key: applyCreditKey(credit.invoiceId),
        fingerprint: fingerprintOf({ command: 'ApplyCredit', ...credit }),
        expectedRevision: undefined,
        now,
      },
      (balance) => applyCredit(balance, credit, now),
    );
    return resultOf(change);
  }
}
