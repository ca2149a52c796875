import { Body, Controller, Get, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  AddLineItem,
  AddLineItems,
  CancelSubscription,
  ChangeBillingCycle,
  ChangeItems,
  ChangePeriods,
  ChangeSubscriptionMetadata,
  PauseSubscription,
  ReleaseBillingHold,
  ResumeSubscription,
  RollOverBillingPeriod,
  type PlanStart,
  StartSubscription,
  type SubscriptionTerms,
  UndoCancellation,
  UndoPause,
  UndoScheduledChange,
  VoidLineItem,
} from '@perennial/billing-application';
import {
  currentBillingPeriod,
  FindSubscriptions,
  GetCurrentBillingPeriod,
  GetSubscription,
  subscriptionSummary,
} from '@perennial/billing-read-models';
import { type Anchor, presets } from '@perennial/billing-domain';
import { answerOf, CommandDispatch } from './http/command-dispatch';
import { CommandAnswer, NoBody } from './http/command-answer.dto';
import { contextOf, refuseBody } from './http/command-headers';
import { found, listed } from './http/found';
import { canonicalInstant } from './http/instant';
import { Commands, Reads } from './http/operation';
import { CommandQuery, MetadataBody, pageOf, ReadQuery, SubscriptionPath } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';
import {
  CurrentBillingPeriodAnswer,
  LineItemsAnswer,
  SubscriptionFound,
  SubscriptionPage,
} from './subscription-answers.dto';
import {
  AddLineItemBody,
  AddLineItemsBody,
  CancelBody,
  ChangeBillingCycleBody,
  ChangeItemsBody,
  LineItemPath,
  PauseBody,
  PeriodsBody,
  ResumeBody,
  RollOverBody,
  StartSubscriptionBody,
  SubscriptionsQuery,
} from './subscriptions.dto';
import { planChoiceOf, whenOf } from './subscription-plan.dto';
import type { AnchorBody } from './terms.dto';

const path = (id: string) => `/v1/subscriptions/${id}`;

@ApiTags('subscriptions')
@Controller('v1/subscriptions')
export class SubscriptionsController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Post()
  @Commands({
    scope: 'commands:write',
    summary: 'Start a subscription',
    description:
      'Opens its first billing period, the trial if there is one, and bills what is due in advance. A start that lies ahead is scheduled. On a plan it takes a copy of the terms of one published version.',
    status: 201,
    answer: CommandAnswer,
    problems: [
      'subscription-exists',
      'customer-erased',
      'customer-terms-missing',
      'unknown-currency',
      'unknown-time-zone',
      'invalid-interval',
      'invalid-anchor',
      'invalid-local-date-time',
      'start-out-of-range',
      'invalid-price',
      'invalid-meter',
      'invalid-option',
      'duplicate-component',
      'too-many-items',
      'amount-out-of-range',
      'plan-not-found',
      'plan-version-not-found',
      'plan-version-draft',
      'plan-version-archived',
      'currency-mismatch',
      'unknown-component',
      'coupon-not-found',
      'coupon-archived',
      'coupon-expired',
      'coupon-exhausted',
      'coupon-busy',
      'coupon-already-applied',
      'coupon-currency-mismatch',
      'too-many-coupons',
      'billing-period-full',
    ],
  })
  async start(
    @Body() body: StartSubscriptionBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'StartSubscription', dryRun === 'true');
    return answerOf(await this.commands.execute(new StartSubscription(startOf(body), context), reply, path));
  }

  @Post(':subscriptionId/line-items')
  @Commands({
    scope: 'commands:write',
    summary: 'Add a charge to the open billing period',
    status: 201,
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'line-item-exists',
      'no-open-period',
      'billing-period-full',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
      'invalid-service',
      'invalid-date',
      'amount-out-of-range',
    ],
  })
  async addLineItem(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() body: AddLineItemBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'AddLineItem', dryRun === 'true');
    const current = `${path(subscriptionId)}/current-billing-period`;
    return answerOf(
      await this.commands.execute(new AddLineItem(subscriptionId, { ...body }, context), reply, () => current),
    );
  }

  @Post(':subscriptionId/line-items/batch')
  @Commands({
    scope: 'commands:write',
    summary: 'Add up to 500 charges to the open billing period, with an answer for each',
    description:
      'In the order given, in one append. What is refused stops no other, but once the period is full it is full for all that follow. The key stands for the whole batch: its repeat gives the same answers.',
    answer: LineItemsAnswer,
    problems: [
      'subscription-not-found',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
    ],
  })
  async addLineItems(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { lineItems }: AddLineItemsBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LineItemsAnswer> {
    const context = contextOf(request, 'AddLineItems', dryRun === 'true');
    const items = lineItems.map((item) => ({ ...item }));
    const result = await this.commands.execute(new AddLineItems(subscriptionId, items, context), reply);
    return { ...answerOf(result), records: result.records };
  }

  @Post(':subscriptionId/line-items/:lineItemId/void')
  @Commands({
    scope: 'commands:write',
    summary: 'Void a line item that is not billed yet',
    body: NoBody,
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'line-item-not-found',
      'line-item-already-billed',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
    ],
  })
  async voidLineItem(
    @Param() { subscriptionId, lineItemId }: LineItemPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'VoidLineItem', dryRun === 'true');
    return answerOf(await this.commands.execute(new VoidLineItem(subscriptionId, lineItemId, context), reply));
  }

  @Post(':subscriptionId/changes')
  @Commands({
    scope: 'commands:write',
    summary: 'Change quantities, prices and items: now, at the end of the open period, or backdated',
    description:
      'What is billed already is corrected by lines of their own. Changes at the period end add up until it comes.',
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'item-not-found',
      'duplicate-component',
      'too-many-items',
      'before-correction-horizon',
      'currency-in-use',
      'billing-period-full',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
      'meter-changed',
      'invalid-meter',
      'cancellation-scheduled',
      'invalid-price',
      'invalid-option',
      'amount-out-of-range',
    ],
  })
  async changeItems(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { edits, ...time }: ChangeItemsBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeItems', dryRun === 'true');
    const change = { edits, ...whenOf(time) };
    return answerOf(await this.commands.execute(new ChangeItems(subscriptionId, change, context), reply));
  }

  @Post(':subscriptionId/undo-changes')
  @Commands({
    scope: 'commands:write',
    summary: 'Take all changes that are scheduled for the end of the open period back',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'billing-held', 'subscription-canceled'],
  })
  async undoChanges(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'UndoScheduledChange', dryRun === 'true');
    return answerOf(await this.commands.execute(new UndoScheduledChange(subscriptionId, context), reply));
  }

  @Post(':subscriptionId/billing-cycle')
  @Commands({
    scope: 'commands:write',
    summary: 'Count periods on another grid from now on, and bill the difference',
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'item-not-found',
      'duplicate-component',
      'too-many-items',
      'currency-in-use',
      'billing-period-full',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
      'pause-scheduled',
      'meter-changed',
      'invalid-meter',
      'invalid-option',
      'cancellation-scheduled',
      'invalid-interval',
      'invalid-anchor',
      'invalid-local-date-time',
      'invalid-price',
      'amount-out-of-range',
    ],
  })
  async changeBillingCycle(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { interval, anchor, edits = [] }: ChangeBillingCycleBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeBillingCycle', dryRun === 'true');
    const cycle = { interval, anchor: anchorOf(anchor), edits };
    return answerOf(await this.commands.execute(new ChangeBillingCycle(subscriptionId, cycle, context), reply));
  }

  @Post(':subscriptionId/roll-over')
  @Commands({
    scope: 'commands:write',
    summary: 'Close an elapsed billing period, open the next and bill',
    description: 'The scheduler does this by itself; a period that is closed already changes nothing.',
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'period-not-elapsed', 'billing-held', 'subscription-canceled'],
  })
  async rollOver(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { periodNumber }: RollOverBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'RollOverBillingPeriod', dryRun === 'true');
    return answerOf(
      await this.commands.execute(new RollOverBillingPeriod(subscriptionId, periodNumber, context), reply),
    );
  }

  @Post(':subscriptionId/pause')
  @Commands({
    scope: 'commands:write',
    summary: 'Pause: close the open period, now or when it ends, and bill what is due',
    body: PauseBody,
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'no-open-period',
      'billing-held',
      'subscription-canceled',
      'currency-in-use',
      'cancellation-scheduled',
    ],
  })
  async pause(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { at = 'now', credit = 'none' }: PauseBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'PauseSubscription', dryRun === 'true');
    return answerOf(await this.commands.execute(new PauseSubscription(subscriptionId, { at, credit }, context), reply));
  }

  @Post(':subscriptionId/undo-pause')
  @Commands({
    scope: 'commands:write',
    summary: 'Take back a pause at the end of the open period',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'billing-held', 'subscription-canceled'],
  })
  async undoPause(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'UndoPause', dryRun === 'true');
    return answerOf(await this.commands.execute(new UndoPause(subscriptionId, context), reply));
  }

  @Post(':subscriptionId/release-hold')
  @Commands({
    scope: 'commands:write',
    summary: 'Let billing that was held go on: what was billed, and the next bill, are taken to be right',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found'],
  })
  async releaseHold(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'ReleaseBillingHold', dryRun === 'true');
    return answerOf(await this.commands.execute(new ReleaseBillingHold(subscriptionId, context), reply));
  }

  @Post(':subscriptionId/periods')
  @Commands({
    scope: 'commands:write',
    summary: 'Let the subscription expire with another number of paid periods, or go on',
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'billing-held', 'subscription-canceled', 'invalid-option'],
  })
  async changePeriods(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { periods }: PeriodsBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangePeriods', dryRun === 'true');
    return answerOf(await this.commands.execute(new ChangePeriods(subscriptionId, periods, context), reply));
  }

  @Post(':subscriptionId/resume')
  @Commands({
    scope: 'commands:write',
    summary: 'Resume: open a period up to the next boundary and bill what is not paid yet',
    body: ResumeBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'billing-held', 'subscription-canceled'],
  })
  async resume(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { anchor = 'keep' }: ResumeBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ResumeSubscription', dryRun === 'true');
    return answerOf(await this.commands.execute(new ResumeSubscription(subscriptionId, { anchor }, context), reply));
  }

  @Post(':subscriptionId/cancel')
  @Commands({
    scope: 'commands:write',
    summary: 'Cancel now, or with the open period or the first that honours minimum term and notice',
    answer: CommandAnswer,
    problems: [
      'subscription-not-found',
      'minimum-term',
      'notice-period',
      'no-open-period',
      'pause-scheduled',
      'billing-held',
      'subscription-canceled',
      'subscription-paused',
    ],
  })
  async cancel(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { at, credit = 'none', waiveTerm }: CancelBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'CancelSubscription', dryRun === 'true');
    return answerOf(
      await this.commands.execute(new CancelSubscription(subscriptionId, { at, credit, waiveTerm }, context), reply),
    );
  }

  @Post(':subscriptionId/undo-cancellation')
  @Commands({
    scope: 'commands:write',
    summary: 'Take a scheduled cancellation back',
    body: NoBody,
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'billing-held', 'subscription-canceled'],
  })
  async undoCancellation(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    refuseBody(request);
    const context = contextOf(request, 'UndoCancellation', dryRun === 'true');
    return answerOf(await this.commands.execute(new UndoCancellation(subscriptionId, context), reply));
  }

  @Patch(':subscriptionId')
  @Commands({
    scope: 'commands:write',
    summary: 'Change the metadata of a subscription',
    description: 'Names that are set, or with null taken away; the others stay.',
    answer: CommandAnswer,
    problems: ['subscription-not-found', 'invalid-metadata'],
  })
  async changeMetadata(
    @Param() { subscriptionId }: SubscriptionPath,
    @Body() { metadata }: MetadataBody,
    @Query() { dryRun }: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CommandAnswer> {
    const context = contextOf(request, 'ChangeSubscriptionMetadata', dryRun === 'true');
    const command = new ChangeSubscriptionMetadata(subscriptionId, metadata, context);
    return answerOf(await this.commands.execute(command, reply));
  }

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List subscriptions in the order in which they were started',
    answer: SubscriptionPage,
    kind: 'list',
  })
  async list(@Query() query: SubscriptionsQuery, @Req() request: FastifyRequest): Promise<SubscriptionPage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(subscriptionSummary.name, minPosition);
    return listed(
      await this.queries.execute(
        new FindSubscriptions({
          ...filter,
          tenant: principalOf(request).tenant,
          limit: pageOf(limit),
          planVersion: filter.planVersion === undefined ? undefined : Number(filter.planVersion),
          held: filter.held === undefined ? undefined : filter.held === 'true',
          startsFrom: canonicalInstant(filter.startsFrom),
          startsBefore: canonicalInstant(filter.startsBefore),
          canceledFrom: canonicalInstant(filter.canceledFrom),
          canceledBefore: canonicalInstant(filter.canceledBefore),
          periodEndsFrom: canonicalInstant(filter.periodEndsFrom),
          periodEndsBefore: canonicalInstant(filter.periodEndsBefore),
        }),
      ),
    );
  }

  @Get(':subscriptionId')
  @Reads({
    scope: 'finance:read',
    summary: 'Read a subscription: terms, lifecycle, totals',
    answer: SubscriptionFound,
    kind: 'one',
    problems: ['subscription-not-found'],
  })
  async get(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SubscriptionFound> {
    await this.reading.waitFor(subscriptionSummary.name, minPosition);
    const query = new GetSubscription(principalOf(request).tenant, subscriptionId);
    return found(await this.queries.execute(query), 'subscription-not-found', reply);
  }

  @Get(':subscriptionId/current-billing-period')
  @Reads({
    scope: 'finance:read',
    summary: 'Read the open billing period with its lines',
    answer: CurrentBillingPeriodAnswer,
    kind: 'one',
    problems: ['subscription-not-found'],
  })
  async currentBillingPeriod(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { minPosition }: ReadQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CurrentBillingPeriodAnswer> {
    await this.reading.waitFor(currentBillingPeriod.name, minPosition);
    const query = new GetCurrentBillingPeriod(principalOf(request).tenant, subscriptionId);
    return found(await this.queries.execute(query), 'subscription-not-found', reply);
  }
}

/** The currency stands once, for all amounts; rules are those of the preset where the body names none of its own. */
function startOf({ items = [], rules, plan, interval, ...rest }: StartSubscriptionBody): SubscriptionTerms | PlanStart {
  const terms = { ...rest, anchor: anchorOf(rest.anchor), startsAt: canonicalInstant(rest.startsAt) };
  if (plan) return { ...terms, plan: planChoiceOf(plan), items };
  const [item, ...more] = items;
  if (!item || !interval) throw new Error('a validated body has a plan, or an interval and an item');
  const { preset = 'perennial', ...named } = rules ?? {};
  return {
    ...terms,
    interval,
    item,
    ...(more.length > 0 && { items: more }),
    ...(rules !== undefined && { rules: { ...presets[preset], ...named } }),
  };
}

function anchorOf({ dayOfMonth, localDateTime }: AnchorBody = {}): Anchor | undefined {
  if (dayOfMonth !== undefined) return { dayOfMonth };
  return localDateTime !== undefined ? { localDateTime } : undefined;
}
