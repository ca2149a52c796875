import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changeTimeZone } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Moves a subscription to another zone, from its next boundary on. */
export class ChangeTimeZone extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    /** IANA name. */
    readonly timeZone: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangeTimeZone)
export class ChangeTimeZoneHandler implements ICommandHandler<ChangeTimeZone> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, timeZone, context }: ChangeTimeZone): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changeTimeZone(subscription, { timeZone }, now),
    );
    return resultOf(change);
  }
}
