import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changePeriods } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Lets a subscription expire with another number of paid periods, or go on. */
export class ChangePeriods extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly periods: number | null,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangePeriods)
export class ChangePeriodsHandler implements ICommandHandler<ChangePeriods> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, periods, context }: ChangePeriods): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changePeriods(subscription, { periods }, now),
    );
    return resultOf(change);
  }
}
