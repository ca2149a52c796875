import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { FindCreditNotesHandler, GetCreditNoteHandler } from './credit-notes/queries';
import { GetCurrentBillingPeriodHandler } from './current-billing-period/queries';
import { FindCouponsHandler, GetCouponHandler } from './coupons/queries';
import {
  FindCustomerBalanceMovementsHandler,
  FindCustomerBalancesHandler,
  GetCustomerBalanceHandler,
} from './customer-balances/queries';
import { FindCustomersHandler, GetCustomerHandler } from './customers/queries';
import { FindInvoicesHandler, GetInvoiceHandler } from './invoices/queries';
import { FindPlansHandler, GetPlanHandler } from './plans/queries';
import { ReadModels } from './read-models';
import { FindStreamsHandler, GetStreamHandler } from './streams/queries';
import { FindSubscriptionsHandler, GetSubscriptionHandler } from './subscription-summary/queries';

/** The queries of the read models on the QueryBus. The application imports `CqrsModule.forRoot()` once. */
@Module({})
export class BillingReadModelsModule {
  static register(models: ReadModels): DynamicModule {
    return {
      module: BillingReadModelsModule,
      imports: [CqrsModule],
      providers: [
        { provide: ReadModels, useValue: models },
        GetSubscriptionHandler,
        FindSubscriptionsHandler,
        GetCurrentBillingPeriodHandler,
        GetCouponHandler,
        FindCouponsHandler,
        GetCustomerHandler,
        FindCustomersHandler,
        GetInvoiceHandler,
        FindInvoicesHandler,
        GetCreditNoteHandler,
        FindCreditNotesHandler,
        GetCustomerBalanceHandler,
        FindCustomerBalancesHandler,
        FindCustomerBalanceMovementsHandler,
        GetPlanHandler,
        FindPlansHandler,
        GetStreamHandler,
        FindStreamsHandler,
      ],
      exports: [ReadModels],
    };
  }
}
