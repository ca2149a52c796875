import { Inject, Injectable } from '@nestjs/common';
import { type Command, CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import type { CommandResult, RequestContext } from '@perennial/billing-application';
import { type Logger, observeCommand } from '@perennial/platform';
import type { CommandAnswer } from './command-answer.dto';
import { LOGGER } from '../../../process/src/tokens';
import { Visibility } from '../../../process/src/visibility';

/** Executes commands for controllers and puts what an answer says of itself into its headers. */
@Injectable()
export class CommandDispatch {
  constructor(
    private readonly bus: CommandBus,
    private readonly visibility: Visibility,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** `locate`: the path of what the command creates. */
  async execute<Result extends CommandResult>(
    command: Command<Result> & { readonly context: RequestContext },
    reply: FastifyReply,
    locate?: (id: string) => string,
  ): Promise<Result> {
    const { tenant, principal, correlationId } = command.context;
    const result = await observeCommand(command, () => this.bus.execute(command), this.logger, {
      tenant,
      principal,
      correlationId,
    });
    if (!result.dryRun) this.visibility.noteAppended(BigInt(result.position));
    reply.header('etag', `"${result.revision}"`).header('perennial-position', result.position);
    if (result.repeated) reply.header('idempotent-replayed', 'true');
    if (result.dryRun) reply.code(200);
    else if (locate) reply.header('location', locate(result.aggregateId));
    return result;
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
