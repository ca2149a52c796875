import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { HealthController } from '../../api/src/health.controller';
import { ScopesGuard } from '../../api/src/http/scopes.guard';
import { CommandsModule } from '../../process/src/commands.module';
import type { Connections } from '../../process/src/connections';
import { Readiness } from '../../process/src/readiness';

/** What a worker needs when it is a process of its own: the commands, its health and its metrics. */
@Module({})
export class WorkerModule {
  static register(connections: Connections, readiness: Readiness): DynamicModule {
    return {
      module: WorkerModule,
      imports: [CommandsModule.register(connections)],
      controllers: [HealthController],
      providers: [
        { provide: Readiness, useValue: readiness },
        { provide: APP_GUARD, useClass: ScopesGuard },
      ],
    };
  }
}
