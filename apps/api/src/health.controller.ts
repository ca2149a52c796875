import { Controller, Get, Header, HttpCode, Inject, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiTags } from '@nestjs/swagger';
import { ApiResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { registry } from '@perennial/platform';
import { Readiness } from '../../process/src/readiness';
import { Reads } from './http/operation';
import { Requires } from './http/scopes.guard';
import { LiveAnswer, ReadyAnswer } from './health.dto';

/** For supervisors and load balancers: the only routes that answer without a key, and they say nothing of the books. */
@ApiTags('health')
@Controller()
export class HealthController {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {}

  @Get('health/live')
  @Reads({ scope: 'nothing', summary: 'The process answers', answer: LiveAnswer })
  live(): LiveAnswer {
    return { status: 'live' };
  }

  /** Reasons are those of the checks: the store, the database, the read models, and whether the process is stopping. */
  @Get('health/ready')
  @Reads({ scope: 'nothing', summary: 'The process can do its work', answer: ReadyAnswer })
  @ApiResponse({ status: 503, description: 'Not ready; `checks` says why', type: ReadyAnswer })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadyAnswer> {
    const { ready, checks } = await this.readiness.state();
    if (!ready) reply.code(503);
    return { status: ready ? 'ready' : 'not-ready', checks: [...checks] };
  }

  @Get('metrics')
  @ApiExcludeEndpoint()
  @Requires('admin')
  @HttpCode(200)
  @Header('content-type', registry.contentType)
  metrics(): Promise<string> {
    return registry.metrics();
  }
}
