import {
  billUsage,
  DomainError,
  needsSeal,
  rollOver,
  subscriptionType,
  usageBillsAt,
  type SealedUsage,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import {
  BudgetExhausted,
  RevisionMismatch,
  type Change,
  type ChangeOptions,
  type CommandContext,
  type DecisionPoint,
} from '@perennial/event-sourcing';
import type { BillingRepositories } from './repositories';
import { billUsageRequest, rollOverRequest } from './roll-over-request';
import { sealUsageOf, usageSoFar } from './usage-of-period';

type Decide = (subscription: Subscription, at: DecisionPoint) => readonly SubscriptionEvent[];

/** A decision was refused because time asks for a step first: the open period has elapsed, or a closed one waits for its usage. */
class StepDue extends Error {
  constructor(
    readonly step: DueStep,
    readonly decidedAt: bigint,
  ) {
    super(`period ${step.periodNumber}: ${step.kind}`);
  }
}

interface DueStep {
  readonly kind: 'boundary-due' | 'usage-not-sealed';
  readonly periodNumber: number;
  /** A grace that the decision cuts short: until when it lasted. */
  readonly billsAt?: string | undefined;
}

/** What time asks for first, when that is why a decision was refused. */
function dueStep(error: unknown): DueStep | undefined {
  if (!(error instanceof DomainError)) return undefined;
  const { code } = error;
  if (code !== 'boundary-due' && code !== 'usage-not-sealed') return undefined;
  const { periodNumber, billsAt } = error.details ?? {};
  return { kind: code, periodNumber: Number(periodNumber), ...(typeof billsAt === 'string' && { billsAt }) };
}

/**
 * Changes a subscription, first rolling over the periods that have elapsed, so that a late scheduler never changes a
 * bill. Each boundary is a command and an append of its own, under the scheduler's key: whoever comes first, the lines
 * are the same. When the time budget ends before the last boundary it throws BudgetExhausted; what was rolled over
 * stays, and the repeat goes on from there. A dry run decides boundaries (100 at most) and command in memory and shows
 * both.
 */
export async function changeWithElapsedPeriodsRolledOver(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
  decide: Decide,
  options: ChangeOptions<SubscriptionEvent> = {},
): Promise<Change<SubscriptionEvent>> {
  const { subscriptions, timeBudgetMs } = repositories;
  const deadline = performance.now() + (context.timeBudgetMs ?? timeBudgetMs);
  if (context.dryRun === true) {
    const sealed = await previewedUsage(repositories, id, context);
    return subscriptions.change(
      id,
      context,
      (subscription, at) => decideThrough(subscription, context.now, (state) => decide(state, at), sealed),
      options,
    );
  }

  let expectedRevision = context.expectedRevision;
  const left = (): number => {
    const ms = deadline - performance.now();
    if (ms <= 0) throw new BudgetExhausted(`${subscriptionType.name}-${id}`);
    return ms;
  };
  for (;;) {
    let due: StepDue;
    try {
      const change = await subscriptions.change(
        id,
        { ...context, expectedRevision, timeBudgetMs: left() },
        (subscription, at) => {
          try {
            return decide(subscription, at);
          } catch (error) {
            const step = dueStep(error);
            if (step === undefined || at.revision === 'no_stream') throw error;
            throw new StepDue(step, at.revision);
          }
        },
        options,
      );
      await billWhatWaits(
        repositories,
        id,
        { ...context, expectedRevision: change.revision, timeBudgetMs: left() },
        change,
      );
      return change;
    } catch (error) {
      // Thrown by the decision, so the caller's key and revision have been checked.
      if (!(error instanceof StepDue)) throw error;
      due = error;
    }
    const boundary = await stepAt(repositories, id, { ...context, timeBudgetMs: left() }, due);
    if (expectedRevision !== undefined) {
      // The caller's revision was the last one when it was checked; what came between is news to the caller.
      if (!boundary.next) throw new RevisionMismatch(boundary.revision);
      expectedRevision = boundary.revision;
    }
  }
}

/** Brings a subscription to now: rolls over what has elapsed and bills what waited for its usage, one step after the other. */
export async function rollOverElapsed(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
): Promise<void> {
  const deadline = performance.now() + (context.timeBudgetMs ?? repositories.timeBudgetMs);
  for (;;) {
    const loaded = await repositories.subscriptions.load(id, context.tenant);
    if (!loaded || loaded.state.status === 'none') return;
    const { openPeriod, awaitsUsage } = loaded.state;
    const billsAt = usageBillsAt(loaded.state);
    const step: DueStep | undefined =
      awaitsUsage && billsAt !== undefined && billsAt <= context.now
        ? { kind: 'usage-not-sealed', periodNumber: awaitsUsage.periodNumber }
        : openPeriod && openPeriod.endsAt <= context.now
          ? { kind: 'boundary-due', periodNumber: openPeriod.periodNumber }
          : undefined;
    if (!step) return;
    const timeBudgetMs = deadline - performance.now();
    if (timeBudgetMs <= 0) throw new BudgetExhausted(`${subscriptionType.name}-${id}`);
    await stepAt(repositories, id, { ...context, timeBudgetMs }, new StepDue(step, loaded.revision));
  }
}

/** A command that closed a period whose usage was not sealed has its bill at once; where this fails, the scheduler makes it. */
async function billWhatWaits(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
  { events }: Change<SubscriptionEvent>,
): Promise<void> {
  const closed = events.find(({ event }) => event.type === 'BillingPeriodClosed')?.event;
  if (closed?.type !== 'BillingPeriodClosed') return;
  const { usageDueAt, periodNumber } = closed.data;
  if (usageDueAt === undefined || usageDueAt > context.now) return;
  try {
    await billUsageOf(repositories, id, context, periodNumber);
  } catch (error) {
    if (error instanceof DomainError) throw error;
  }
}

/**
 * Takes one step at exactly this revision. `next`: the step, ours or the scheduler's, follows it without anything in between,
 * and `revision` is the one that it gave.
 */
async function stepAt(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
  { step, decidedAt }: StepDue,
): Promise<{ readonly revision: bigint; readonly next: boolean }> {
  try {
    const { tenant, now, correlationId, traceparent, timeBudgetMs } = context;
    // Neither the caller's actor nor the caller's reason: the step is the same whoever comes first.
    const at = { now, correlationId, traceparent, timeBudgetMs, expectedRevision: decidedAt };
    const due = { tenant, subscriptionId: id, periodNumber: step.periodNumber };
    const { events, revision } =
      step.kind === 'boundary-due'
        ? await rollOverPeriod(repositories, id, { ...rollOverRequest(due), ...at }, step.periodNumber)
        : await billUsageOf(repositories, id, { ...billUsageRequest(due), ...at }, step.periodNumber, step.billsAt);
    return { revision, next: events[0]?.revision === decidedAt + 1n };
  } catch (error) {
    if (error instanceof RevisionMismatch) return { revision: error.actual, next: false };
    throw error;
  }
}

/**
 * Rolls a period over, once its usage is sealed where it needs that; what waits for its usage is billed first, as the step of
 * whoever comes first. Raises what `rollOver` does.
 */
export async function rollOverPeriod(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
  periodNumber: number,
): Promise<Change<SubscriptionEvent>> {
  const { subscriptions } = repositories;
  let expectedRevision = context.expectedRevision;
  const roll = (sealed?: SealedUsage) =>
    subscriptions.change(id, { ...context, expectedRevision }, (subscription) =>
      rollOver(subscription, periodNumber, context.now, sealed),
    );
  if (context.dryRun === true) {
    const sealed = await previewedUsage(repositories, id, context);
    return subscriptions.change(id, context, (subscription) =>
      decideThrough(
        subscription,
        context.now,
        (state) => rollOver(state, periodNumber, context.now, sealedOf(state)),
        sealed,
      ),
    );
    function sealedOf(state: Subscription): SealedUsage | undefined {
      const open = state.status === 'none' ? null : state.openPeriod;
      return open && state.status !== 'none' && needsSeal(state) ? sealed(id, open.periodNumber) : undefined;
    }
  }
  for (;;) {
    try {
      return await roll();
    } catch (error) {
      const step = dueStep(error);
      if (step?.kind !== 'usage-not-sealed') throw error;
      if (step.periodNumber === periodNumber) {
        const loaded = await subscriptions.load(id, context.tenant);
        if (!loaded || loaded.state.status === 'none') throw error;
        const { state, revision } = loaded;
        if (state.openPeriod?.periodNumber === periodNumber) {
          return roll(await sealUsageOf(repositories, context, state, periodNumber, revision));
        }
      } else {
        const billed = await billUsageOf(repositories, id, context, step.periodNumber);
        // The caller's revision was the last one when it was checked, and this step is the only one since.
        if (billed.events[0]?.revision === (expectedRevision ?? -1n) + 1n) expectedRevision = billed.revision;
      }
    }
  }
}

/** Seals the usage of a closed period that waits for it, and bills it; `cutAt`: when its grace ends early. Nothing when it is billed. */
export async function billUsageOf(
  repositories: BillingRepositories,
  id: string,
  context: CommandContext,
  periodNumber: number,
  cutAt?: string,
): Promise<Change<SubscriptionEvent>> {
  const { subscriptions } = repositories;
  const loaded = await subscriptions.load(id, context.tenant);
  if (!loaded || loaded.state.status === 'none') throw new DomainError('subscription-not-found');
  const { state, revision } = loaded;
  const billsAt = usageBillsAt(state);
  const graceIsOver = cutAt !== undefined || (billsAt !== undefined && billsAt <= context.now);
  const isDue = state.awaitsUsage?.periodNumber === periodNumber && graceIsOver;
  const sealed = isDue ? await sealUsageOf(repositories, context, state, periodNumber, revision) : undefined;
  const { tenant, now, correlationId, traceparent, timeBudgetMs, expectedRevision } = context;
  return subscriptions.change(
    id,
    {
      ...billUsageRequest({ tenant, subscriptionId: id, periodNumber }),
      now,
      correlationId,
      traceparent,
      timeBudgetMs,
      expectedRevision,
    },
    (subscription) => billUsage(subscription, periodNumber, sealed, now, cutAt),
  );
}

type Sealed = (subscriptionId: string, periodNumber: number) => SealedUsage;

/** What seals would freeze as things stand, for decisions in memory: of the periods that usage is recorded for; none in later ones. */
export async function previewedUsage(
  repositories: BillingRepositories,
  id: string,
  context: Pick<CommandContext, 'tenant' | 'now'>,
): Promise<Sealed> {
  const { state } = (await repositories.subscriptions.load(id, context.tenant)) ?? {};
  const known = new Map<number, SealedUsage>();
  if (state && state.status !== 'none') {
    for (const periodNumber of [state.openPeriod?.periodNumber, state.awaitsUsage?.periodNumber]) {
      const usage =
        periodNumber === undefined ? undefined : await usageSoFar(repositories, context, state, periodNumber);
      if (usage) known.set(usage.periodNumber, usage);
    }
  }
  return (subscriptionId, periodNumber) =>
    known.get(periodNumber) ?? { subscriptionId, periodNumber, startsAt: '', to: '', segments: [], carried: [] };
}

/** More would not fit one answer (an append's bytes); a dry run that is later than that says `boundary-due`. */
const MAX_BOUNDARIES_SHOWN = 100;

function decideThrough(
  start: Subscription,
  now: string,
  decide: (subscription: Subscription) => readonly SubscriptionEvent[],
  sealed: Sealed,
): SubscriptionEvent[] {
  const events: SubscriptionEvent[] = [];
  let subscription = start;
  const record = (made: readonly SubscriptionEvent[]) => {
    events.push(...made);
    subscription = made.reduce(subscriptionType.evolve, subscription);
  };
  for (let boundaries = 0; ; boundaries += 1) {
    let step: DueStep | undefined;
    try {
      record(decide(subscription));
    } catch (error) {
      step = dueStep(error);
      if (step === undefined || boundaries === MAX_BOUNDARIES_SHOWN) throw error;
    }
    if (subscription.status === 'none') return events;
    const { subscriptionId: id } = subscription;
    const { periodNumber } = step ?? subscription.awaitsUsage ?? {};
    if (periodNumber === undefined) return events;
    if (step?.kind === 'boundary-due') {
      const usage = needsSeal(subscription) ? sealed(id, periodNumber) : undefined;
      record(rollOver(subscription, periodNumber, now, usage));
      continue;
    }
    const billsAt = usageBillsAt(subscription);
    if (step?.billsAt !== undefined || (billsAt !== undefined && billsAt <= now))
      record(billUsage(subscription, periodNumber, sealed(id, periodNumber), now, step?.billsAt));
    if (!step) return events;
  }
}
