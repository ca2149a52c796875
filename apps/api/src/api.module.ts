import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { ProjectionWatch, StoredTestClock } from '@perennial/event-sourcing';
import { BillingApplicationModule } from '@perennial/billing-application';
import { BillingReadModelsModule } from '@perennial/billing-read-models';
import { Clock, Config } from '@perennial/platform';
import type { Connections } from '../../process/src/connections';
import { Readiness } from '../../process/src/readiness';
import { LOGGER, STORE } from '../../process/src/tokens';
import { Visibility } from '../../process/src/visibility';
import { ApiKeysController } from './api-keys.controller';
import { AuditController } from './audit.controller';
import { CouponsController } from './coupons.controller';
import { CreditNotesController } from './credit-notes.controller';
import { CustomerBalancesController } from './customer-balances.controller';
import { CustomersController } from './customers.controller';
import { DocsController, OpenApi } from './docs.controller';
import { DueBillingPeriodsController } from './due-billing-periods.controller';
import { HealthController } from './health.controller';
import { CommandDispatch } from './http/command-dispatch';
import { Reading } from './http/reading';
import { ScopesGuard } from './http/scopes.guard';
import { InvoicesController } from './invoices.controller';
import { PlansController } from './plans.controller';
import { StreamsController } from './streams.controller';
import { SubscriptionPlanController } from './subscription-plan.controller';
import { SubscriptionsController } from './subscriptions.controller';
import { TestClockController } from './test-clock.controller';
import { UpcomingInvoiceController } from './upcoming-invoice.controller';
import { UsageController } from './usage.controller';

export interface ApiParts {
  readonly connections: Connections;
  readonly readiness: Readiness;
  readonly visibility: Visibility;
}

/** The HTTP API of billing on connections that are open already. */
@Module({})
export class ApiModule {
  static register({ connections, readiness, visibility }: ApiParts): DynamicModule {
    const { config, logger, store, repositories, apiKeys, clock, testClock, readModels, watch } = connections;
    return {
      module: ApiModule,
      imports: [
        CqrsModule.forRoot(),
        BillingApplicationModule.register({ repositories, apiKeys, clock }),
        BillingReadModelsModule.register(readModels),
      ],
      controllers: [
        SubscriptionsController,
        SubscriptionPlanController,
        CouponsController,
        CustomersController,
        UpcomingInvoiceController,
        UsageController,
        InvoicesController,
        CreditNotesController,
        CustomerBalancesController,
        PlansController,
        DueBillingPeriodsController,
        StreamsController,
        AuditController,
        ApiKeysController,
        ...(testClock ? [TestClockController] : []),
        HealthController,
        DocsController,
      ],
      providers: [
        { provide: Config, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: STORE, useValue: store },
        { provide: Clock, useValue: clock },
        { provide: ProjectionWatch, useValue: watch },
        { provide: Readiness, useValue: readiness },
        { provide: Visibility, useValue: visibility },
        { provide: OpenApi, useValue: new OpenApi() },
        ...(testClock ? [{ provide: StoredTestClock, useValue: testClock }] : []),
        { provide: APP_GUARD, useClass: ScopesGuard },
        CommandDispatch,
        Reading,
      ],
    };
  }
}
