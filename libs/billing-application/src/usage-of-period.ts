import {
  cutMovesNothing,
  cutUsage,
  isToCut,
  DomainError,
  opening,
  recount,
  sealedUsage,
  sealUsage,
  usageId,
  usagePeriod,
  usageStepKey,
  usageType,
  type SealedUsage,
  type StartedSubscription,
  type Usage,
  type UsagePeriod,
} from '@perennial/billing-domain';
import { RevisionConflict, RevisionMismatch, type CommandContext } from '@perennial/event-sourcing';
import { fingerprintOf } from './fingerprint';
import type { BillingRepositories } from './repositories';

/* What brings the usage of a period to what its subscription knows: cut where the terms change, sealed when it has ended. */

/** Who does a step of usage that nobody asked for. */
const PRINCIPAL = 'policy:rollOverElapsedPeriods';

/** The context of a step that whoever comes first does: cut or seal, as this revision of the subscription knows the period. */
function stepRequest(
  step: 'cut' | 'seal',
  context: CommandContext,
  { subscriptionId, periodNumber, knownAt }: UsagePeriod,
  revision?: bigint,
): CommandContext {
  const usage = usageId(context.tenant, subscriptionId, periodNumber);
  const { tenant, now, correlationId, traceparent, timeBudgetMs } = context;
  return {
    tenant,
    now,
    correlationId,
    traceparent,
    timeBudgetMs,
    key: usageStepKey(step, usage, knownAt, revision),
    fingerprint: fingerprintOf({ step, usage, knownAt }),
    principal: PRINCIPAL,
  };
}

/** Cuts the usage of a period into the segments that the subscription knows, counting its records again when that moves any. */
export async function cutUsageOf(
  { usages }: BillingRepositories,
  context: CommandContext,
  period: UsagePeriod,
): Promise<void> {
  const id = usageId(context.tenant, period.subscriptionId, period.periodNumber);
  const counted = recount(period);
  let next = 0n;
  for (;;) {
    const loaded = await usages.load(id, context.tenant);
    if (!loaded || loaded.state.status !== 'open' || !isToCut(loaded.state, period)) return;
    const moves = !cutMovesNothing(loaded.state, period);
    if (moves) {
      for await (const { event, revision } of usages.history(id, context.tenant, next)) {
        if (revision > loaded.revision) break;
        counted.add(event);
        next = revision + 1n;
      }
    }
    try {
      const { revision } = loaded;
      const request = { ...stepRequest('cut', context, period, revision), expectedRevision: revision };
      await usages.change(id, request, (usage) =>
        cutUsage(usage, period, moves ? counted.measured() : undefined, context.now),
      );
      return;
    } catch (error) {
      // Records came in between: only they are still to be counted.
      if (!(error instanceof RevisionMismatch || error instanceof RevisionConflict)) throw error;
    }
  }
}

/** The totals of a period that has ended, frozen now if nobody did it before; undefined when it measures nothing. */
export async function sealUsageOf(
  repositories: BillingRepositories,
  context: CommandContext,
  subscription: StartedSubscription,
  periodNumber: number,
  knownAt: bigint,
): Promise<SealedUsage | undefined> {
  const { usages } = repositories;
  const period = usagePeriod(subscription, periodNumber, Number(knownAt));
  if (!period || period.meters.length === 0) return undefined;
  const id = usageId(context.tenant, subscription.subscriptionId, periodNumber);
  for (let cuts = 0; ; cuts += 1) {
    const carried = await carriedInto(repositories, context.tenant, period);
    try {
      await usages.change(id, stepRequest('seal', context, period), (usage) =>
        sealUsage(usage, period, carried, context.now),
      );
      break;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'usage-terms-differ' || cuts === 3) throw error;
      await cutUsageOf(repositories, context, period);
    }
  }
  const sealed = (await usages.load(id, context.tenant))?.state;
  return sealed?.status === 'sealed' ? sealed.sealed : undefined;
}

/** What the period's usage comes to as it stands, sealed or not; undefined when it measures nothing. */
export async function usageSoFar(
  repositories: BillingRepositories,
  context: Pick<CommandContext, 'tenant' | 'now'>,
  subscription: StartedSubscription,
  periodNumber: number,
): Promise<SealedUsage | undefined> {
  const { tenant, now } = context;
  const { usages } = repositories;
  const period = usagePeriod(subscription, periodNumber, Number.MAX_SAFE_INTEGER);
  if (!period || period.meters.length === 0) return undefined;
  const id = usageId(tenant, subscription.subscriptionId, periodNumber);
  const loaded = await usages.load(id, tenant);
  if (loaded?.state.status === 'sealed') return loaded.state.sealed;
  const carried = await carriedInto(repositories, tenant, period);
  let usage: Usage = loaded?.state ?? usageType.initial;
  if (usage.status === 'none') usage = opening(period, now).reduce<Usage>(usageType.evolve, usage);
  if (usage.status !== 'open') return undefined;
  if (loaded && !cutMovesNothing(usage, period)) {
    const recounted = recount(period);
    for await (const { event, revision } of usages.history(id, tenant)) {
      if (revision > loaded.revision) break;
      recounted.add(event);
    }
    usage = cutUsage(usage, period, recounted.measured(), now).reduce<Usage>(usageType.evolve, usage);
  } else if (loaded) usage = cutUsage(usage, period, undefined, now).reduce<Usage>(usageType.evolve, usage);
  return usage.status === 'open' ? sealedUsage(usage, carried) : undefined;
}

/** What the period before gives on to meters that carry their last value. */
async function carriedInto(
  repositories: BillingRepositories,
  tenant: string,
  { subscriptionId, periodNumber, meters }: Pick<UsagePeriod, 'subscriptionId' | 'periodNumber' | 'meters'>,
): Promise<SealedUsage['carried']> {
  if (meters.every(({ meter }) => meter.carry !== true) || periodNumber === 1) return [];
  const id = usageId(tenant, subscriptionId, periodNumber - 1);
  const before = (await repositories.usages.load(id, tenant))?.state;
  if (!before || before.status === 'none') return [];
  if (before.status === 'sealed') return before.sealed.carried;
  const period = { subscriptionId, periodNumber: periodNumber - 1, meters: Object.values(before.meters) };
  return sealedUsage(before, await carriedInto(repositories, tenant, period)).carried;
}
