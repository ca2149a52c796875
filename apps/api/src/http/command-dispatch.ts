import { Inject, Injectable } from '@nestjs/common';
import { type Command, CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import {
  BillingRepositories,
  type CommandResult,
  CreateApiKey,
  CreateCoupon,
  CreatePlan,
  CreateCustomer,
  type RecordUsage,
  type RequestContext,
  StartSubscription,
  type UsageReport,
} from '@perennial/billing-application';
import { AggregateNotFound, OutcomeUnknown, StoreUnavailable } from '@perennial/event-sourcing';
import { inTime, type Logger, observeCommand } from '@perennial/platform';
import type { CommandAnswer } from './command-answer.dto';
import { EdgeProblem } from './edge-problem';
import { outcomeOf } from './refusal';
import { LOGGER } from '../../../process/src/tokens';
import { Visibility } from '../../../process/src/visibility';

/** So that a command that uses its time to the end says itself what became of it. */
const GRACE_MS = 200;

/** Executes commands for controllers and puts what an answer says of itself into its headers. */
@Injectable()
export class CommandDispatch {
  constructor(
    private readonly bus: CommandBus,
    private readonly visibility: Visibility,
    private readonly repositories: BillingRepositories,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** `locate`: the path of what the command creates. */
  async execute<Result extends CommandResult>(
    command: Command<Result> & { readonly context: RequestContext },
    reply: FastifyReply,
    locate?: (id: string) => string,
  ): Promise<Result> {
    const { tenant, principal, correlationId } = command.context;
    const about = { tenant, principal, correlationId };
    const result = await observeCommand(command, () => this.executed(command, reply), {
      logger: this.logger,
      outcomeOf,
      about,
    });
    if (!result.dryRun) this.visibility.noteAppended(BigInt(result.position));
    // A dry run of what is not there yet decides on no revision.
    const exists = !result.revision.startsWith('-');
    if (exists) reply.header('etag', `"${result.revision}"`).header('perennial-position', result.position);
    if (result.repeated) reply.header('idempotent-replayed', 'true');
    if (result.dryRun) reply.code(200);
    else if (locate) reply.header('location', locate(result.aggregateId));
    return result;
  }

  /** Of a command that changes several aggregates, each by itself: its answer has a position and no revision. */
  async report(command: RecordUsage, reply: FastifyReply): Promise<UsageReport> {
    const { tenant, principal, correlationId } = command.context;
    const report = await observeCommand(command, () => this.executed(command, reply), {
      logger: this.logger,
      outcomeOf,
      about: { tenant, principal, correlationId },
    });
    if (!report.dryRun && report.position !== '0') {
      this.visibility.noteAppended(BigInt(report.position));
      reply.header('perennial-position', report.position);
    }
    return report;
  }

  /**
   * Its time is counted from the request's first byte. The repositories keep to it as far as they can; what waits for a store that
   * has fallen silent may take longer, and goes on after its caller has been answered.
   */
  private async executed<Result>(
    command: Command<Result> & { readonly context: RequestContext },
    { elapsedTime }: FastifyReply,
  ): Promise<Result> {
    const deadline = performance.now() + this.repositories.timeBudgetMs + GRACE_MS - elapsedTime;
    const what = command.constructor.name;
    try {
      return await inTime(this.bus.execute(command), deadline, () =>
        command.context.dryRun
          ? new StoreUnavailable(`a dry run of ${what}`, 'out of time')
          : new OutcomeUnknown(what, 'out of time'),
      );
    } catch (error) {
      // If-Match names a revision of what is yet to be created: it does not match, rather than being an unknown id.
      const creates = [StartSubscription, CreatePlan, CreateCustomer, CreateCoupon, CreateApiKey].some(
        (kind) => command instanceof kind,
      );
      if (creates && error instanceof AggregateNotFound && command.context.expectedRevision !== undefined)
        throw new EdgeProblem(
          'revision-mismatch',
          `If-Match names a revision, and there is no ${error.aggregate} yet.`,
        );
      throw error;
    }
  }
}

export function answerOf({ aggregateId, revision, position, events, dryRun }: CommandResult): CommandAnswer {
  return {
    id: aggregateId,
    revision,
    position,
    dryRun,
    events: events.map(({ type, revision: at, data }) => ({ type, revision: at, data })),
  };
}
