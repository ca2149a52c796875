import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { changePlan, planType, type ChangePlan as Change } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { planIdOf, type NamedPlan } from '../named-plan';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Moves a subscription to a version of a plan: now, at the end of the open period, or backdated. */
export class ChangePlan extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly plan: NamedPlan,
    readonly change: Change,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(ChangePlan)
export class ChangePlanHandler implements ICommandHandler<ChangePlan> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, plan: named, change: asked, context }: ChangePlan): Promise<CommandResult> {
    const now = await this.clock.now();
    const { tenant } = context;
    const known = await this.repositories.plans.load(planIdOf(tenant, named), tenant);
    const plan = known?.state ?? planType.initial;
    const change = await changeWithElapsedPeriodsRolledOver(
      this.repositories,
      subscriptionId,
      { ...context, now },
      (subscription) => changePlan(subscription, plan, asked, now),
    );
    return resultOf(change);
  }
}
