import { Body, Controller, Delete, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CreateApiKey, RevokeApiKey } from '@perennial/billing-application';
import { ApiKeyPath, CreateApiKeyBody, CreatedApiKeyAnswer } from './api-keys.dto';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer, type RecordedEventAnswer } from './http/command-answer.dto';
import { contextOf, refuseBody } from './http/command-headers';
import { Commands } from './http/operation';
import { CommandQuery } from './http/parameters.dto';

/** Keys of the caller's own tenant. They are listed by /v1/streams?aggregate=api-key. */
@ApiTags('api-keys')
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(private readonly commands: CommandDispatch) {}

  @Post()
  @Commands({
    scope: 'admin',
    summary: 'Create an API key of the same tenant',
    description: 'The answer holds the key once; a repeat of the command answers without it.',
    status: 201,
    answer: CreatedApiKeyAnswer,
  })
  async create(
    @Body() { name, scopes }: CreateApiKeyBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CreatedApiKeyAnswer> {
    const context = contextOf(request, 'CreateApiKey', dryRun === 'true');
    const command = new CreateApiKey(name, scopes, context);
    const { token, ...result } = await this.commands.execute(command, reply, (id) => `/v1/api-keys/${id}`);
    const { events, ...answer } = answerOf(result);
    return { ...answer, events: events.map(withoutHash), ...(token !== undefined && { token }) };
  }

  @Delete(':apiKeyId')
  @Commands({
    scope: 'admin',
    summary: 'Revoke an API key for good',
    description: 'Other processes refuse it within five seconds.',
    answer: CommandAnswer,
    problems: ['api-key-not-found'],
  })
  async revoke(
    @Param() { apiKeyId }: ApiKeyPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'RevokeApiKey', dryRun === 'true');
    return answerOf(await this.commands.execute(new RevokeApiKey(apiKeyId, context), reply));
  }
}

/** The hash of a secret is no secret, but nobody's business either. */
function withoutHash({ data, ...event }: RecordedEventAnswer): RecordedEventAnswer {
  const { secretHash: _, ...shown } = data as Readonly<Record<string, unknown>>;
  return { ...event, data: shown };
}
