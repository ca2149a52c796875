import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { billUsageOf } from '../with-elapsed-periods-rolled-over';

/** Seals the usage of a closed period that waits for it, and bills it; dated when its grace was over, however late it comes. */
export class BillUsage extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly periodNumber: number,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(BillUsage)
export class BillUsageHandler implements ICommandHandler<BillUsage> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, periodNumber, context }: BillUsage): Promise<CommandResult> {
    const now = await this.clock.now();
    return resultOf(await billUsageOf(this.repositories, subscriptionId, { ...context, now }, periodNumber));
  }
}
