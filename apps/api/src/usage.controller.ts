import { Body, Controller, Get, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FindUsageRecords, GetUsage, RecordUsage, type ReportedUsage } from '@perennial/billing-application';
import { subscriptionId } from '@perennial/billing-domain';
import { FindSubscriptions } from '@perennial/billing-read-models';
import { CommandDispatch } from './http/command-dispatch';
import { contextOf } from './http/command-headers';
import { canonicalInstant } from './http/instant';
import type { RouteLimits } from './http/http-server';
import { Commands, Reads } from './http/operation';
import { CommandQuery, SubscriptionPath } from './http/parameters.dto';
import { principalOf } from './http/principal';
import {
  RecordUsageBody,
  UsageAnswer,
  UsageQuery,
  UsageRecordPageAnswer,
  UsageRecordsQuery,
  UsageReportAnswer,
  type UsageRecordBody,
} from './usage.dto';

/** A thousand records of a kilobyte. */
const limits: RouteLimits = { bodyLimitBytes: 1_048_576 };
/** Subscriptions of one customer that are asked whether they measure an event. */
const MAX_SUBSCRIPTIONS = 20;

const options = {
  scope: 'commands:write',
  summary: 'Report usage: up to 1,000 records',
  description:
    'The answer says what became of each record. A record counts once in the period that holds its time, so a batch, or a part ' +
    'of one, can be sent again whatever was answered. If-Match is of no use here.',
  body: RecordUsageBody,
  answer: UsageReportAnswer,
  problems: ['read-models-unavailable'],
  never: ['revision-mismatch', 'idempotency-key-reused'],
} as const;

@ApiTags('usage')
@Controller('v1')
export class UsageController {
  constructor(
    private readonly commands: CommandDispatch,
    private readonly queries: QueryBus,
  ) {}

  @Post('usage')
  @HttpCode(200)
  @RouteConfig(limits)
  @Commands(options)
  async post(
    @Body() body: RecordUsageBody,
    @Query() query: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UsageReportAnswer> {
    return this.record(body, query, request, reply);
  }

  @Put('usage')
  @RouteConfig(limits)
  @Commands(options)
  async put(
    @Body() body: RecordUsageBody,
    @Query() query: CommandQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UsageReportAnswer> {
    return this.record(body, query, request, reply);
  }

  @Get('subscriptions/:subscriptionId/usage')
  @Reads({
    scope: 'finance:read',
    summary: 'Read what was used in a period: totals of each meter as they stand, or were sealed',
    description: 'Computed from the streams as they are, so it waits for nothing.',
    answer: UsageAnswer,
    problems: ['invalid-request', 'subscription-not-found', 'usage-period-not-found'],
  })
  async get(
    @Param() { subscriptionId: id }: SubscriptionPath,
    @Query() { periodNumber }: UsageQuery,
    @Req() request: FastifyRequest,
  ): Promise<UsageAnswer> {
    return this.queries.execute(new GetUsage(principalOf(request).tenant, id, numberOf(periodNumber)));
  }

  @Get('subscriptions/:subscriptionId/usage/records')
  @Reads({
    scope: 'finance:read',
    summary: 'List the usage records of a period in the order in which they were recorded',
    answer: UsageRecordPageAnswer,
    problems: ['invalid-request', 'subscription-not-found', 'invalid-option'],
  })
  async records(
    @Param() { subscriptionId: id }: SubscriptionPath,
    @Query() { periodNumber, limit, cursor }: UsageRecordsQuery,
    @Req() request: FastifyRequest,
  ): Promise<UsageRecordPageAnswer> {
    const page = { limit: numberOf(limit), cursor };
    return this.queries.execute(new FindUsageRecords(principalOf(request).tenant, id, numberOf(periodNumber), page));
  }

  private async record(
    { records }: RecordUsageBody,
    { dryRun }: CommandQuery,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<UsageReportAnswer> {
    const { tenant } = principalOf(request);
    const customers = await this.subscriptionsOf(tenant, records);
    const reported = records.map((record): ReportedUsage => {
      const { id, event, at, value, properties, externalId, customerId } = record;
      const [own] = [record.subscriptionId ?? (externalId && subscriptionId(tenant, { externalId }))];
      return {
        subscriptionIds: own ? [own] : (customers.get(customerId ?? '') ?? []),
        id,
        event,
        at: canonicalInstant(at),
        value,
        properties,
      };
    });
    const context = contextOf(request, 'RecordUsage', dryRun === 'true');
    return this.commands.report(new RecordUsage(reported, context), reply);
  }

  private async subscriptionsOf(tenant: string, records: readonly UsageRecordBody[]) {
    const found = new Map<string, string[]>();
    for (const customerId of new Set(records.flatMap((record) => record.customerId ?? []))) {
      const query = new FindSubscriptions({ tenant, customerId, limit: MAX_SUBSCRIPTIONS, order: 'newest' });
      const page = await this.queries.execute(query);
      found.set(
        customerId,
        page.items.map((each) => each.subscriptionId),
      );
    }
    return found;
  }
}

const numberOf = (text: string | undefined) => (text === undefined ? undefined : Number(text));
