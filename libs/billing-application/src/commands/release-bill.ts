import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { releaseBill, type ReleaseBill as Release } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Gives the lines of a voided invoice back to the subscription: for a new bill, or waived. Sent by a policy alone. */
export class ReleaseBill extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly release: Release,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ReleaseBill)
export class ReleaseBillHandler implements ICommandHandler<ReleaseBill> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, release, context }: ReleaseBill): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => releaseBill(subscription, release, now),
    );
    return resultOf(change);
  }
}
