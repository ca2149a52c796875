import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { createPlan, planId, type NewPlan } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Creates a plan without versions; its id derives from the external id, else from the idempotency key. */
export class CreatePlan extends Command<CommandResult> {
  constructor(
    readonly plan: Omit<NewPlan, 'planId'>,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CreatePlan)
export class CreatePlanHandler implements ICommandHandler<CreatePlan> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ plan, context }: CreatePlan): Promise<CommandResult> {
    const now = await this.clock.now();
    const { externalId } = plan;
    const id = planId(context.tenant, externalId === undefined ? { key: context.key } : { externalId });
    const change = await this.repositories.plans.change(id, { ...context, now }, (state) =>
      createPlan(state, { ...plan, planId: id }, now),
    );
    return resultOf(change);
  }
}
