import { Body, Controller, Get, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArchivePlanVersion, CreatePlan, DraftPlanVersion, PublishPlanVersion } from '@perennial/billing-application';
import { FindPlans, GetPlan, plans } from '@perennial/billing-read-models';
import { CommandAnswer, NoBody } from './http/command-answer.dto';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { contextOf, refuseBody } from './http/command-headers';
import { found, listed } from './http/found';
import { Commands, Reads } from './http/operation';
import { CommandQuery, pageOf, ReadQuery } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';
import {
  bodyOf,
  CreatePlanBody,
  PlanFound,
  PlanPage,
  PlanPath,
  PlansQuery,
  PlanTermsBody,
  PlanVersionPath,
  termsOf,
} from './plans.dto';

@ApiTags('plans')
@Controller('v1/plans')
export class PlansController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Post()
  @Commands({
    scope: 'commands:write',
    summary: 'Create a plan, without versions yet',
    status: 201,
    answer: CommandAnswer,
    problems: ['plan-exists'],
  })
  async create(
    @Body() body: CreatePlanBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'CreatePlan', dryRun === 'true');
    return answerOf(await this.commands.execute(new CreatePlan(body, context), reply, (id) => `/v1/plans/${id}`));
  }

  @Put(':planId/versions/:version')
  @Commands({
    scope: 'commands:write',
    summary: 'Draft the next version, or put other terms into a draft',
    description: 'A draft may be incomplete; publishing says what is missing.',
    answer: CommandAnswer,
    problems: [
      'plan-not-found',
      'plan-version-not-found',
      'plan-version-published',
      'plan-version-archived',
      'plan-full',
    ],
  })
  async draft(
    @Param() { planId, version }: PlanVersionPath,
    @Body() body: PlanTermsBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'DraftPlanVersion', dryRun === 'true');
    const command = new DraftPlanVersion(planId, Number(version), termsOf(body), context);
    return answerOf(await this.commands.execute(command, reply));
  }

  @Post(':planId/versions/:version/publish')
  @Commands({
    scope: 'commands:write',
    summary: 'Publish a draft, if a subscription can be billed by its terms',
    description: 'A published version never changes. What starts takes the newest published one.',
    body: NoBody,
    answer: CommandAnswer,
    problems: [
      'plan-not-found',
      'plan-version-not-found',
      'plan-version-archived',
      'incomplete-plan',
      'duplicate-component',
      'too-many-items',
      'unknown-currency',
      'invalid-interval',
      'invalid-price',
      'invalid-meter',
      'invalid-option',
      'amount-out-of-range',
    ],
  })
  async publish(
    @Param() { planId, version }: PlanVersionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'PublishPlanVersion', dryRun === 'true');
    return answerOf(await this.commands.execute(new PublishPlanVersion(planId, Number(version), context), reply));
  }

  @Post(':planId/versions/:version/archive')
  @Commands({
    scope: 'commands:write',
    summary: 'Archive a version: nothing new starts on it',
    description: 'What started on it goes on with its own copy of the terms.',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['plan-not-found', 'plan-version-not-found'],
  })
  async archive(
    @Param() { planId, version }: PlanVersionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'ArchivePlanVersion', dryRun === 'true');
    return answerOf(await this.commands.execute(new ArchivePlanVersion(planId, Number(version), context), reply));
  }

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List plans in the order in which they were created',
    answer: PlanPage,
    kind: 'list',
  })
  async list(@Query() query: PlansQuery, @Req() request: FastifyRequest): Promise<PlanPage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(plans.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindPlans({ ...filter, tenant, limit: pageOf(limit) })));
  }

  @Get(':planId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read a plan with its versions',
    answer: PlanFound,
    kind: 'one',
    problems: ['plan-not-found'],
  })
  async get(
    @Param() { planId }: PlanPath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PlanFound> {
    await this.reading.waitFor(plans.name, minPosition);
    const plan = await this.queries.execute(new GetPlan(principalOf(request).tenant, planId));
    const { versions, ...answer } = found(plan, 'plan-not-found', reply);
    return { ...answer, versions: versions.map((each) => ({ ...each, terms: bodyOf(each.terms) })) };
  }
}
