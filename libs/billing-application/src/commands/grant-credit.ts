import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { grantCredit, grantCreditKey, customerBalanceId } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';

/** Grants what a credit note gives back to the customer's balance in that currency. The key is always that of this credit note: it is granted once. */
export class GrantCredit extends Command<CommandResult> {
  constructor(
    readonly credit: {
      readonly creditNoteId: string;
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

@CommandHandler(GrantCredit)
export class GrantCreditHandler implements ICommandHandler<GrantCredit> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ credit, context }: GrantCredit): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.customerBalances.change(
      customerBalanceId(context.tenant, credit.customerId, credit.currency),
      {
        ...context,
        key: grantCreditKey(credit.creditNoteId),
        fingerprint: fingerprintOf({ command: 'GrantCredit', ...credit }),
        expectedRevision: undefined,
        now,
      },
      (balance) => grantCredit(balance, credit, now),
    );
    return resultOf(change);
  }
}
