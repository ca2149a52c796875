import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { publishVersion } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Publishes a draft, if a subscription can be billed by its terms; from then on they never change. */
export class PublishPlanVersion extends Command<CommandResult> {
  constructor(
    readonly planId: string,
    readonly version: number,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(PublishPlanVersion)
export class PublishPlanVersionHandler implements ICommandHandler<PublishPlanVersion> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ planId, version, context }: PublishPlanVersion): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.plans.change(planId, { ...context, now }, (plan) =>
      publishVersion(plan, version, now),
    );
    return resultOf(change);
  }
}
