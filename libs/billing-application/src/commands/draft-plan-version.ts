import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { draftVersion, type PlanTerms } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Drafts the next version of a plan, or puts other terms into a draft. */
export class DraftPlanVersion extends Command<CommandResult> {
  constructor(
    readonly planId: string,
    readonly version: number,
    readonly terms: PlanTerms,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(DraftPlanVersion)
export class DraftPlanVersionHandler implements ICommandHandler<DraftPlanVersion> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ planId, version, terms, context }: DraftPlanVersion): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.plans.change(planId, { ...context, now }, (plan) =>
      draftVersion(plan, version, terms, now),
    );
    return resultOf(change);
  }
}
