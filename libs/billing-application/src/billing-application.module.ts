import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Clock } from '@perennial/platform';
import { ApiKeys } from './api-keys';
import { AddLineItemHandler } from './commands/add-line-item';
import { AddLineItemsHandler } from './commands/add-line-items';
import { ApplyCreditHandler } from './commands/apply-credit';
import { ApplyCouponHandler } from './commands/apply-coupon';
import { ArchiveCouponHandler } from './commands/archive-coupon';
import { CreateCouponHandler } from './commands/create-coupon';
import { RedeemCouponHandler } from './commands/redeem-coupon';
import { RemoveCouponHandler } from './commands/remove-coupon';
import { SettleReservationHandler } from './commands/settle-reservation';
import { BillUsageHandler } from './commands/bill-usage';
import { ArchivePlanVersionHandler } from './commands/archive-plan-version';
import { CancelSubscriptionHandler } from './commands/cancel-subscription';
import { ChangeAddOnsHandler } from './commands/change-add-ons';
import { ChangeBillingCycleHandler } from './commands/change-billing-cycle';
import { ChangeCustomerHandler } from './commands/change-customer';
import { ChangeInvoiceMetadataHandler } from './commands/change-invoice-metadata';
import { ChangeItemsHandler } from './commands/change-items';
import { ChangePeriodsHandler } from './commands/change-periods';
import { ChangePlanHandler } from './commands/change-plan';
import { ChangeSubscriptionMetadataHandler } from './commands/change-subscription-metadata';
import { ChangeTimeZoneHandler } from './commands/change-time-zone';
import { CountLateUsageHandler } from './commands/count-late-usage';
import { CreateApiKeyHandler } from './commands/create-api-key';
import { CreatePlanHandler } from './commands/create-plan';
import { DraftCreditNoteHandler } from './commands/draft-credit-note';
import { DraftInvoiceHandler } from './commands/draft-invoice';
import { DraftPlanVersionHandler } from './commands/draft-plan-version';
import { CreateCustomerHandler } from './commands/create-customer';
import { DestroyCustomerKeyHandler } from './commands/destroy-customer-key';
import { EraseCustomerHandler } from './commands/erase-customer';
import { FinaliseInvoiceHandler } from './commands/finalise-invoice';
import { GrantCreditHandler } from './commands/grant-credit';
import { GrantInvoiceNumberHandler } from './commands/grant-invoice-number';
import { IssueCreditNoteHandler } from './commands/issue-credit-note';
import { PauseSubscriptionHandler } from './commands/pause-subscription';
import { RecordUsageHandler } from './commands/record-usage';
import { PublishPlanVersionHandler } from './commands/publish-plan-version';
import { ReleaseBillHandler } from './commands/release-bill';
import { ReleaseBillingHoldHandler } from './commands/release-billing-hold';
import { RequestFinalisationHandler } from './commands/request-finalisation';
import { ResumeSubscriptionHandler } from './commands/resume-subscription';
import { ReturnCreditHandler } from './commands/return-credit';
import { RevokeApiKeyHandler } from './commands/revoke-api-key';
import { RollOverBillingPeriodHandler } from './commands/roll-over-billing-period';
import { StartSubscriptionHandler } from './commands/start-subscription';
import { UndoCancellationHandler } from './commands/undo-cancellation';
import { UndoPauseHandler } from './commands/undo-pause';
import { UndoScheduledChangeHandler } from './commands/undo-scheduled-change';
import { VoidInvoiceHandler } from './commands/void-invoice';
import { VoidLineItemHandler } from './commands/void-line-item';
import { GetUpcomingInvoiceHandler } from './queries/upcoming-invoice';
import { FindUsageRecordsHandler, GetUsageHandler } from './queries/usage';
import { BillingRepositories } from './repositories';

export interface BillingApplicationOptions {
  readonly repositories: BillingRepositories;
  readonly apiKeys: ApiKeys;
  readonly clock: Clock;
}

/** The commands of billing on the CommandBus. The application imports `CqrsModule.forRoot()` once. */
@Module({})
export class BillingApplicationModule {
  static register({ repositories, apiKeys, clock }: BillingApplicationOptions): DynamicModule {
    return {
      module: BillingApplicationModule,
      imports: [CqrsModule],
      providers: [
        { provide: BillingRepositories, useValue: repositories },
        { provide: ApiKeys, useValue: apiKeys },
        { provide: Clock, useValue: clock },
        StartSubscriptionHandler,
        AddLineItemHandler,
        AddLineItemsHandler,
        VoidLineItemHandler,
        RollOverBillingPeriodHandler,
        PauseSubscriptionHandler,
        ResumeSubscriptionHandler,
        CancelSubscriptionHandler,
        UndoCancellationHandler,
        UndoPauseHandler,
        ChangePeriodsHandler,
        ChangeItemsHandler,
        ChangePlanHandler,
        ChangeTimeZoneHandler,
        ChangeAddOnsHandler,
        UndoScheduledChangeHandler,
        ChangeBillingCycleHandler,
        ChangeSubscriptionMetadataHandler,
        ReleaseBillHandler,
        ReleaseBillingHoldHandler,
        RecordUsageHandler,
        CountLateUsageHandler,
        BillUsageHandler,
        DraftInvoiceHandler,
        RequestFinalisationHandler,
        GrantInvoiceNumberHandler,
        FinaliseInvoiceHandler,
        VoidInvoiceHandler,
        ChangeInvoiceMetadataHandler,
        DraftCreditNoteHandler,
        IssueCreditNoteHandler,
        GrantCreditHandler,
        ApplyCreditHandler,
        ReturnCreditHandler,
        CreatePlanHandler,
        DraftPlanVersionHandler,
        PublishPlanVersionHandler,
        ArchivePlanVersionHandler,
        CreateCouponHandler,
        ArchiveCouponHandler,
        ApplyCouponHandler,
        RemoveCouponHandler,
        RedeemCouponHandler,
        SettleReservationHandler,
        CreateCustomerHandler,
        ChangeCustomerHandler,
        EraseCustomerHandler,
        DestroyCustomerKeyHandler,
        CreateApiKeyHandler,
        RevokeApiKeyHandler,
        GetUpcomingInvoiceHandler,
        GetUsageHandler,
        FindUsageRecordsHandler,
      ],
      exports: [BillingRepositories, ApiKeys],
    };
  }
}
