import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  countLateUsage,
  DomainError,
  policyKey,
  recordTokens,
  usageId,
  usagePeriod,
  valueTokens,
  type LateUsageNoted,
  type UsageEvent,
} from '@perennial/billing-domain';
import { AggregateNotFound, BudgetExhausted, type Change, type CommandContext } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { fingerprintOf } from '../fingerprint';
import { BillingRepositories } from '../repositories';
import { cutUsageOf } from '../usage-of-period';
import { rollOverElapsed } from '../with-elapsed-periods-rolled-over';

/**
 * Counts records that came after their period was sealed in the period that was open, or in the first one after it that is not
 * sealed: the seal of a period is for good, so whoever repeats this comes to the same one.
 */
export class CountLateUsage extends Command<CommandResult> {
  constructor(
    readonly noted: LateUsageNoted['data'],
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CountLateUsage)
export class CountLateUsageHandler implements ICommandHandler<CountLateUsage> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ noted, context }: CountLateUsage): Promise<CommandResult> {
    const now = await this.clock.now();
    const { change } = await countLate(this.repositories, { ...context, now }, noted);
    return resultOf(change);
  }
}

/** Key, content and principal of the one command that counts the late records of an event: of the request that noted them, its repeat, or the policy. */
export function lateUsageRequest(eventId: string): Pick<RequestContext, 'key' | 'fingerprint' | 'principal'> {
  return {
    key: policyKey(eventId, 'countLateUsage'),
    fingerprint: fingerprintOf({ command: 'CountLateUsage', eventId }),
    principal: 'policy:countLateUsage',
  };
}

/** Where late records were counted. Raises `no-open-period` when no period takes them any more. */
export async function countLate(
  repositories: BillingRepositories,
  context: CommandContext,
  { subscriptionId, periodNumber: home, countsIn, records }: LateUsageNoted['data'],
): Promise<{ readonly periodNumber: number; readonly change: Change<UsageEvent> }> {
  const { subscriptions, usages } = repositories;
  const deadline = performance.now() + (context.timeBudgetMs ?? repositories.timeBudgetMs);
  for (let periodNumber = countsIn; ;) {
    const loaded = await subscriptions.load(subscriptionId, context.tenant);
    if (!loaded || loaded.state.status === 'none') throw new AggregateNotFound('subscription', subscriptionId);
    const period = usagePeriod(loaded.state, periodNumber, Number(loaded.revision));
    const meters = period?.meters ?? [];
    const id = usageId(context.tenant, subscriptionId, periodNumber);
    try {
      const change = await usages.change(
        id,
        context,
        (usage, { recalled, contained }) =>
          countLateUsage(usage, { home, records, period }, { records: recalled, values: contained }, context.now),
        { recalls: recordTokens(records), contains: valueTokens(records, meters) },
      );
      return { periodNumber, change };
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (performance.now() > deadline) throw new BudgetExhausted(`usage-${id}`);
      if (error.code === 'usage-terms-differ' && period) await cutUsageOf(repositories, context, period);
      else if (error.code === 'usage-sealed' || error.code === 'usage-period-not-found') {
        const { openPeriod } = loaded.state;
        if (openPeriod && openPeriod.endsAt <= context.now)
          await rollOverElapsed(repositories, subscriptionId, context);
        else if (openPeriod && openPeriod.periodNumber > periodNumber) periodNumber += 1;
        else throw new DomainError('no-open-period');
      } else throw error;
    }
  }
}
