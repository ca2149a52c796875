import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { returnCredit, returnCreditKey, customerBalanceId } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';

/** Gives back what a voided invoice had used. The key is always that of this invoice: it comes back once. */
export class ReturnCredit extends Command<CommandResult> {
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

@CommandHandler(ReturnCredit)
export class ReturnCreditHandler implements ICommandHandler<ReturnCredit> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ credit, context }: ReturnCredit): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.customerBalances.change(
      customerBalanceId(context.tenant, credit.customerId, credit.currency),
      {
        ...context,
        key: returnCreditKey(credit.invoiceId),
        fingerprint: fingerprintOf({ command: 'ReturnCredit', ...credit }),
        expectedRevision: undefined,
        now,
      },
      (balance) => returnCredit(balance, credit, now),
    );
    return resultOf(change);
  }
}
