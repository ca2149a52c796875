import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  changeAddOns,
  planOfAddOns,
  planType,
  type ChangeAddOns as Change,
  type Plan,
} from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { changeWithElapsedPeriodsRolledOver } from '../with-elapsed-periods-rolled-over';

/** Adds and removes add-ons of the plan that a subscription is on. */
export class ChangeAddOns extends Command<CommandResult> {
  constructor(
    readonly subscriptionId: string,
    readonly change: Change,
    readonly context: RequestContext,
  ) {
    super();
  }
}

/** The decision needs a plan that is not loaded. */
class PlanNeeded extends Error {
  constructor(readonly planId: string) {
    super(`plan ${planId}`);
  }
}

@CommandHandler(ChangeAddOns)
export class ChangeAddOnsHandler implements ICommandHandler<ChangeAddOns> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ subscriptionId, change: asked, context }: ChangeAddOns): Promise<CommandResult> {
    const now = await this.clock.now();
    const { tenant } = context;
    const plans = new Map<string, Plan>();
    for (;;) {
      try {
        const change = await changeWithElapsedPeriodsRolledOver(
          this.repositories,
          subscriptionId,
          { ...context, now },
          (subscription) => {
            const { planId } = planOfAddOns(subscription, asked, now);
            const plan = plans.get(planId);
            if (!plan) throw new PlanNeeded(planId);
            return changeAddOns(subscription, plan, asked, now);
          },
        );
        return resultOf(change);
      } catch (error) {
        // Thrown again only for another plan: after a boundary, or another command.
        if (!(error instanceof PlanNeeded)) throw error;
        const known = await this.repositories.plans.load(error.planId, tenant);
        plans.set(error.planId, known?.state ?? planType.initial);
      }
    }
  }
}
