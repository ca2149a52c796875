import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { rollOverPeriod } from '../with-elapsed-periods-rolled-over';

/** Closes the period of that number, opens the next one and bills; all of it dated at the boundary, however late it comes. */
export class RollOverBillingPeriod extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly periodNumber: number,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(RollOverBillingPeriod)
export class RollOverBillingPeriodHandler implements ICommandHandler<RollOverBillingPeriod> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, periodNumber, context }: RollOverBillingPeriod): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await rollOverPeriod(this.repositories, subscriptionId, { ...context, now }, periodNumber);
    return resultOf(change);
  }
}
