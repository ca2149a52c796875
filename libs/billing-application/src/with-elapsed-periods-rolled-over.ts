import {
  DomainError,
  rollOver,
  subscriptionType,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import {
  BudgetExhausted,
  RevisionMismatch,
  type AggregateRepository,
  type Change,
  type ChangeOptions,
  type CommandContext,
  type DecisionPoint,
} from '@perennial/event-sourcing';
import type { BillingRepositories } from './repositories';
import { rollOverRequest } from './roll-over-request';

type Decide = (subscription: Subscription, at: DecisionPoint) => readonly SubscriptionEvent[];

/** A decision was refused because the open period has elapsed; at which revision it was decided. */
class BoundaryDue extends Error {
  constructor(
    readonly periodNumber: number,
    readonly decidedAt: bigint,
  ) {
    super(`period ${periodNumber} has elapsed`);
  }
}

/** The number of the open period that has elapsed, when that is why a decision was refused. */
function elapsedPeriod(error: unknown): number | undefined {
  if (!(error instanceof DomainError) || error.code !== 'boundary-due') return undefined;
  return Number(error.details?.['periodNumber']);
}

/**
 * Changes a subscription, first rolling over the periods that have elapsed, so that a late scheduler never changes a
 * bill. Each boundary is a command and an append of its own, under the scheduler's key: whoever comes first, the lines
 * are the same. When the time budget ends before the last boundary it throws BudgetExhausted; what was rolled over
 * stays, and the repeat goes on from there. A dry run decides boundaries (100 at most) and command in memory and shows
 * both.
 */
export async function changeWithElapsedPeriodsRolledOver(
  { subscriptions, timeBudgetMs }: BillingRepositories,
  id: string,
  context: CommandContext,
  decide: Decide,
  options: ChangeOptions<SubscriptionEvent> = {},
): Promise<Change<SubscriptionEvent>> {
  const deadline = performance.now() + (context.timeBudgetMs ?? timeBudgetMs);
  if (context.dryRun === true)
    return subscriptions.change(
      id,
      context,
      (subscription, at) => decideThrough(subscription, context.now, (state) => decide(state, at)),
      options,
    );

  let expectedRevision = context.expectedRevision;
  const left = (): number => {
    const ms = deadline - performance.now();
    if (ms <= 0) throw new BudgetExhausted(`${subscriptionType.name}-${id}`);
    return ms;
  };
  for (;;) {
    let due: BoundaryDue;
    try {
      return await subscriptions.change(
        id,
        { ...context, expectedRevision, timeBudgetMs: left() },
        (subscription, at) => {
          try {
            return decide(subscription, at);
          } catch (error) {
            const periodNumber = elapsedPeriod(error);
            if (periodNumber === undefined || at.revision === 'no_stream') throw error;
            throw new BoundaryDue(periodNumber, at.revision);
          }
        },
        options,
      );
    } catch (error) {
      // Thrown by the decision, so the caller's key and revision have been checked.
      if (!(error instanceof BoundaryDue)) throw error;
      due = error;
    }
    const boundary = await rollOverAt(subscriptions, id, { ...context, timeBudgetMs: left() }, due);
    if (expectedRevision !== undefined) {
      // The caller's revision was the last one when it was checked; what came between is news to the caller.
      if (!boundary.next) throw new RevisionMismatch(boundary.revision);
      expectedRevision = boundary.revision;
    }
  }
}

/**
 * Rolls one period over at exactly this revision. `next`: the roll-over, ours or the scheduler's, follows it without
 * anything in between, and `revision` is the one that it gave.
 */
async function rollOverAt(
  subscriptions: AggregateRepository<Subscription, SubscriptionEvent>,
  id: string,
  context: CommandContext,
  { periodNumber, decidedAt }: BoundaryDue,
): Promise<{ readonly revision: bigint; readonly next: boolean }> {
  try {
    const { events, revision } = await subscriptions.change(
      id,
      {
        ...rollOverRequest({ tenant: context.tenant, subscriptionId: id, periodNumber }),
        correlationId: context.correlationId,
        traceparent: context.traceparent,
        timeBudgetMs: context.timeBudgetMs,
        now: context.now,
        expectedRevision: decidedAt,
      },
      (subscription) => rollOver(subscription, periodNumber, context.now),
    );
    return { revision, next: events[0]?.revision === decidedAt + 1n };
  } catch (error) {
    if (error instanceof RevisionMismatch) return { revision: error.actual, next: false };
    throw error;
  }
}

/** More would not fit one answer (an append's bytes); a dry run that is later than that says `boundary-due`. */
const MAX_BOUNDARIES_SHOWN = 100;

function decideThrough(
  start: Subscription,
  now: string,
  decide: (subscription: Subscription) => readonly SubscriptionEvent[],
): SubscriptionEvent[] {
  const events: SubscriptionEvent[] = [];
  let subscription = start;
  for (let boundaries = 0; ; boundaries += 1) {
    let periodNumber: number | undefined;
    try {
      return [...events, ...decide(subscription)];
    } catch (error) {
      periodNumber = elapsedPeriod(error);
      if (periodNumber === undefined || boundaries === MAX_BOUNDARIES_SHOWN) throw error;
    }
    const boundary = rollOver(subscription, periodNumber, now);
    events.push(...boundary);
    subscription = boundary.reduce(subscriptionType.evolve, subscription);
  }
}
