import { Controller, Get, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { ProjectionWatch } from '@perennial/event-sourcing';
import { dueBillingPeriods, findDueBillingPeriods, ReadModels } from '@perennial/billing-read-models';
import { Clock } from '@perennial/platform';
import { DueBillingPeriodsAnswer, DueBillingPeriodsQuery } from './streams.dto';
import { currentness } from './http/found';
import { canonicalInstant } from './http/instant';
import { Reads } from './http/operation';
import { pageOf } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';

@ApiTags('subscriptions')
@Controller('v1/due-billing-periods')
export class DueBillingPeriodsController {
  constructor(
    private readonly models: ReadModels,
    private readonly watch: ProjectionWatch,
    private readonly clock: Clock,
    private readonly reading: Reading,
  ) {}

  @Get()
  @Reads({
    scope: 'finance:read',
    summary: 'List billing periods that have elapsed and wait for their roll-over',
    answer: DueBillingPeriodsAnswer,
    kind: 'rows',
  })
  async list(
    @Query() { minPosition, limit, at }: DueBillingPeriodsQuery,
    @Req() request: FastifyRequest,
  ): Promise<DueBillingPeriodsAnswer> {
    await this.reading.waitFor(dueBillingPeriods.name, minPosition);
    const { tenant } = principalOf(request);
    const asOf = currentness(await this.watch.asOf(dueBillingPeriods.name));
    const now = canonicalInstant(at) ?? (await this.clock.now());
    const due = await findDueBillingPeriods(this.models, { tenant, now, limit: pageOf(limit) ?? 50 });
    return {
      items: due.map(({ tenant: _, ...each }) => each),
      asOf,
    };
  }
}
