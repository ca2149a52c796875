import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { BillingApplicationModule } from '@perennial/billing-application';
import type { Connections } from './connections';

/** The commands of billing and nothing else, for programs without HTTP. */
@Module({})
export class CommandsModule {
  static register({ repositories, apiKeys, clock }: Connections): DynamicModule {
    return {
      module: CommandsModule,
      imports: [CqrsModule.forRoot(), BillingApplicationModule.register({ repositories, apiKeys, clock })],
    };
  }
}
