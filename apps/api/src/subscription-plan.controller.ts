import { Body, Controller, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ChangeAddOns, ChangePlan, ChangeTimeZone } from '@perennial/billing-application';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer } from './http/command-answer.dto';
import { contextOf } from './http/command-headers';
import { Commands } from './http/operation';
import { CommandQuery, SubscriptionPath } from './http/parameters.dto';
import { ChangeAddOnsBody, ChangePlanBody, planChoiceOf, TimeZoneBody, whenOf } from './subscription-plan.dto';

const changes = [
  'subscription-not-found',
  'duplicate-component',
  'too-many-items',
  'unknown-component',
  'meter-changed',
  'before-correction-horizon',
  'billing-period-full',
  'no-open-period',
  'billing-held',
  'subscription-canceled',
  'subscription-paused',
  'cancellation-scheduled',
  'currency-in-use',
  'invalid-option',
  'amount-out-of-range',
] as const;

/** What changes about a subscription as a whole: its plan, add-ons, zone. */
@ApiTags('subscriptions')
@Controller('v1/subscriptions')
export class SubscriptionPlanController {
  constructor(private readonly commands: CommandDispatch) {}

  @Post(':subscriptionId/plan')
  @Commands({
    scope: 'commands:write',
    summary: 'Move to a version of a plan: now, at the end of the open period, or backdated',
    description:
      'A component that both plans have keeps its item, its quantity and its tiers; what is billed already is corrected by lines of their own. Another interval begins now, in a period of its own, or at the end of the period; another currency at its end alone.',
    answer: CommandAnswer,
    problems: [
      ...changes,
      'plan-not-found',
      'plan-version-not-found',
      'plan-version-draft',
      'plan-version-archived',
      'currency-mismatch',
      'pause-scheduled',
    ],
  })
  async changePlan(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { plan, currency, ...time }: ChangePlanBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangePlan', dryRun === 'true');
    const choice = planChoiceOf(plan);
    const command = new ChangePlan(subscriptionId, choice, { ...choice, currency, ...whenOf(time) }, context);
    return answerOf(await this.commands.execute(command, reply));
  }

  @Post(':subscriptionId/add-ons')
  @Commands({
    scope: 'commands:write',
    summary: 'Add and remove add-ons of the plan: now, at the end of the open period, or backdated',
    description: 'They bill on the periods of the subscription.',
    answer: CommandAnswer,
    problems: [...changes, 'no-plan'],
  })
  async changeAddOns(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { add, remove, ...time }: ChangeAddOnsBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeAddOns', dryRun === 'true');
    const command = new ChangeAddOns(subscriptionId, { add, remove, ...whenOf(time) }, context);
    return answerOf(await this.commands.execute(command, reply));
  }

  @Post(':subscriptionId/time-zone')
  @Commands({
    scope: 'commands:write',
    summary: 'Move to another time zone from the next boundary on',
    description:
      'The period after the boundary begins where the one before ended, and ends by the clocks of the new zone; no day is charged twice or left out. Naming the zone that it is in takes a move back that is to come.',
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
      'cancellation-scheduled',
      'unknown-time-zone',
    ],
  })
  async changeTimeZone(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { timeZone }: TimeZoneBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeTimeZone', dryRun === 'true');
    return answerOf(await this.commands.execute(new ChangeTimeZone(subscriptionId, timeZone, context), reply));
  }
}
