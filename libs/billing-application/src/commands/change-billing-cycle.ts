import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeBillingCycle } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Interval and anchor that are left out stay as they are; `edits` take effect with the new grid. */
export type BillingCycle = Parameters<typeof changeBillingCycle>[1];

/** Counts periods on another grid from now on, with edits of the items if there are any. */
export class ChangeBillingCycle extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly cycle: BillingCycle,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeBillingCycle)
export class ChangeBillingCycleHandler implements ICommandHandler<ChangeBillingCycle> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, cycle, context }: ChangeBillingCycle): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changeBillingCycle(subscription, cycle, now),
    );
    return resultOf(change);
  }
}
