import { Controller, Get, Inject, Param, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { BillingRepositories } from '@perennial/billing-application';
import {
  type Point,
  streamEvents,
  subscriptionAt,
  subscriptionDiff,
  usageAt,
  usageDiff,
} from '@perennial/billing-audit';
import { DomainError } from '@perennial/billing-domain';
import type { EventStore } from '@perennial/event-sourcing';
import { Config } from '@perennial/platform';
import { STORE } from '../../process/src/tokens';
import {
  DiffQuery,
  PointQuery,
  StreamEventsAnswer,
  StreamEventsQuery,
  StreamPath,
  SubscriptionAtAnswer,
  SubscriptionDiffAnswer,
  UsageAtAnswer,
  UsagePath,
} from './audit.dto';
import { EdgeProblem } from './http/edge-problem';
import { canonicalInstant, isInstant } from './http/instant';
import { Reads } from './http/operation';
import { pageOf, SubscriptionPath } from './http/parameters.dto';
import { principalOf } from './http/principal';

/** What auditors ask of the streams themselves: no read model stands between. */
@ApiTags('audit')
@Controller('v1/audit')
export class AuditController {
  constructor(
    @Inject(STORE) private readonly store: EventStore,
    private readonly repositories: BillingRepositories,
    private readonly config: Config,
  ) {}

  @Get('streams/:stream/events')
  @Reads({
    scope: 'audit:read',
    summary: 'Read a stream as it is stored, with the check of its hash chain',
    answer: StreamEventsAnswer,
    problems: ['invalid-request', 'not-found'],
  })
  async events(
    @Param() { stream }: StreamPath,
    @Query() { fromRevision, limit }: StreamEventsQuery,
    @Req() request: FastifyRequest,
  ): Promise<StreamEventsAnswer> {
    const size = pageOf(limit);
    const page = await streamEvents(this.store, this.config.streamPrefix, stream, {
      tenant: principalOf(request).tenant,
      ...(fromRevision !== undefined && { fromRevision: BigInt(fromRevision) }),
      ...(size !== undefined && { limit: size }),
    });
    if (!page) throw new EdgeProblem('not-found', 'There is no such stream.');
    return page;
  }

  @Get('subscriptions/:subscriptionId')
  @Reads({
    scope: 'audit:read',
    summary: 'Replay a subscription as it was at a revision or an instant',
    answer: SubscriptionAtAnswer,
    problems: ['invalid-request', 'subscription-not-found'],
  })
  async at(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() query: PointQuery,
    @Req() request: FastifyRequest,
  ): Promise<SubscriptionAtAnswer> {
    const { tenant } = principalOf(request);
    const { subscriptions } = this.repositories;
    const subscription = await subscriptionAt(subscriptions, subscriptionId, tenant, pointAsked(query));
    if (!subscription) throw new DomainError('subscription-not-found', 'There is no such subscription at that point.');
    return subscription;
  }

  @Get('subscriptions/:subscriptionId/diff')
  @Reads({
    scope: 'audit:read',
    summary: 'What changed between two points, field by field, and by which events',
    answer: SubscriptionDiffAnswer,
    problems: ['invalid-request', 'subscription-not-found'],
  })
  async diff(
    @Param() { subscriptionId }: SubscriptionPath,
    @Query() { from, to }: DiffQuery,
    @Req() request: FastifyRequest,
  ): Promise<SubscriptionDiffAnswer> {
    const { subscriptions } = this.repositories;
    const diff = await subscriptionDiff(
      { subscriptions, store: this.store, prefix: this.config.streamPrefix },
      subscriptionId,
      principalOf(request).tenant,
      pointOf('from', from),
      pointOf('to', to),
    );
    if (!diff) throw new DomainError('subscription-not-found', 'There is no such subscription at one of the points.');
    return diff;
  }

  @Get('subscriptions/:subscriptionId/usage/:periodNumber')
  @Reads({
    scope: 'audit:read',
    summary: 'Replay the usage of a period as it was at a revision of its stream or an instant',
    answer: UsageAtAnswer,
    problems: ['invalid-request', 'usage-period-not-found'],
  })
  async usageAt(
    @Param() { subscriptionId, periodNumber }: UsagePath,
    @Query() query: PointQuery,
    @Req() request: FastifyRequest,
  ): Promise<UsageAtAnswer> {
    const { tenant } = principalOf(request);
    const of = { subscriptionId, periodNumber: Number(periodNumber) };
    const usage = await usageAt(this.repositories.usages, of, tenant, pointAsked(query));
    if (!usage) throw new DomainError('usage-period-not-found', 'There is no usage of that period at that point.');
    return usage;
  }

  @Get('subscriptions/:subscriptionId/usage/:periodNumber/diff')
  @Reads({
    scope: 'audit:read',
    summary: 'What changed in the usage of a period between two points, and by which events',
    answer: SubscriptionDiffAnswer,
    problems: ['invalid-request', 'usage-period-not-found'],
  })
  async usageDiff(
    @Param() { subscriptionId, periodNumber }: UsagePath,
    @Query() { from, to }: DiffQuery,
    @Req() request: FastifyRequest,
  ): Promise<SubscriptionDiffAnswer> {
    const diff = await usageDiff(
      { usages: this.repositories.usages, store: this.store, prefix: this.config.streamPrefix },
      { subscriptionId, periodNumber: Number(periodNumber) },
      principalOf(request).tenant,
      pointOf('from', from),
      pointOf('to', to),
    );
    if (!diff)
      throw new DomainError('usage-period-not-found', 'There is no usage of that period at one of the points.');
    return diff;
  }
}

function pointAsked({ atRevision, at }: PointQuery): Point {
  if ((atRevision === undefined) === (at === undefined)) {
    throw new EdgeProblem('invalid-request', undefined, {
      errors: [{ pointer: '/at', message: 'either at or atRevision is needed' }],
    });
  }
  return at === undefined ? { atRevision: BigInt(atRevision ?? 0) } : { at: canonicalInstant(at) };
}

function pointOf(name: string, text: string): Point {
  if (/^\d+$/.test(text)) return { atRevision: BigInt(text) };
  if (isInstant(text)) return { at: canonicalInstant(text) };
  throw new EdgeProblem('invalid-request', undefined, {
    errors: [{ pointer: `/${name}`, message: `${name} must be a revision or an instant` }],
  });
}
