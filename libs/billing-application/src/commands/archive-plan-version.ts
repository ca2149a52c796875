import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { archiveVersion } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Archives a version of a plan: nothing new starts on it, and what started on it goes on. */
export class ArchivePlanVersion extends Command<CommandResult> {
  constructor(
    readonly planId: string,
    readonly version: number,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ArchivePlanVersion)
export class ArchivePlanVersionHandler implements ICommandHandler<ArchivePlanVersion> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ planId, version, context }: ArchivePlanVersion): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.plans.change(planId, { ...context, now }, (plan) =>
      archiveVersion(plan, version, now),
    );
    return resultOf(change);
  }
}
