import { Controller, Get, Query, Req } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { FindStreams, streams } from '@perennial/billing-read-models';
import { listed } from './http/found';
import { Reads } from './http/operation';
import { pageOf } from './http/parameters.dto';
import { principalOf } from './http/principal';
import { Reading } from './http/reading';
import { StreamPage, StreamsQuery } from './streams.dto';

@ApiTags('audit')
@Controller('v1/streams')
export class StreamsController {
  constructor(
    private readonly queries: QueryBus,
    private readonly reading: Reading,
  ) {}

  @Get()
  @Reads({
    scope: 'audit:read',
    summary: 'List the streams that an auditor can open, in the order of their first events',
    answer: StreamPage,
    kind: 'list',
  })
  async list(@Query() query: StreamsQuery, @Req() request: FastifyRequest): Promise<StreamPage> {
    const { minPosition, limit, ...filter } = query;
    await this.reading.waitFor(streams.name, minPosition);
    const { tenant } = principalOf(request);
    return listed(await this.queries.execute(new FindStreams({ ...filter, tenant, limit: pageOf(limit) })));
  }
}
