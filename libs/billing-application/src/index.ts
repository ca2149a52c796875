import { destroyKeyOfErasedCustomer } from './policies/destroy-key-of-erased-customer';
import { countLateUsage } from './policies/count-late-usage';
import { draftInvoiceOnLinesBilled } from './policies/draft-invoice-on-lines-billed';
import { finaliseInvoice } from './policies/finalise-invoice';
import { issueCreditNote } from './policies/issue-credit-note';
import { redeemAppliedCoupon } from './policies/redeem-applied-coupon';
import { releaseVoidedInvoice } from './policies/release-voided-invoice';

export { ApiKeys, type ApiKeyHolder } from './api-keys';
export { BillingApplicationModule, type BillingApplicationOptions } from './billing-application.module';
export type { CommandResult, RequestContext } from './command-result';
export { AddLineItem } from './commands/add-line-item';
export { AddLineItems, type LineItemsResult } from './commands/add-line-items';
export { ApplyCredit } from './commands/apply-credit';
export { ApplyCoupon } from './commands/apply-coupon';
export { ArchiveCoupon } from './commands/archive-coupon';
export { CreateCoupon } from './commands/create-coupon';
export { RedeemCoupon } from './commands/redeem-coupon';
export { RemoveCoupon } from './commands/remove-coupon';
export { SettleReservation } from './commands/settle-reservation';
export { BillUsage } from './commands/bill-usage';
export { ArchivePlanVersion } from './commands/archive-plan-version';
export { CancelSubscription } from './commands/cancel-subscription';
export { ChangeAddOns } from './commands/change-add-ons';
export { ChangeTimeZone } from './commands/change-time-zone';
export { ChangePlan } from './commands/change-plan';
export { ChangeBillingCycle, type BillingCycle } from './commands/change-billing-cycle';
export { ChangeCustomer } from './commands/change-customer';
export { ChangeInvoiceMetadata } from './commands/change-invoice-metadata';
export { ChangeItems } from './commands/change-items';
export { ChangePeriods } from './commands/change-periods';
export { ChangeSubscriptionMetadata } from './commands/change-subscription-metadata';
export { CountLateUsage } from './commands/count-late-usage';
export { CreateApiKey, type CreatedApiKey } from './commands/create-api-key';
export { CreatePlan } from './commands/create-plan';
export { DraftCreditNote } from './commands/draft-credit-note';
export { DraftInvoice } from './commands/draft-invoice';
export { DraftPlanVersion } from './commands/draft-plan-version';
export { CreateCustomer } from './commands/create-customer';
export { DestroyCustomerKey } from './commands/destroy-customer-key';
export { EraseCustomer } from './commands/erase-customer';
export { FinaliseInvoice } from './commands/finalise-invoice';
export { GrantCredit } from './commands/grant-credit';
export { GrantInvoiceNumber } from './commands/grant-invoice-number';
export { IssueCreditNote } from './commands/issue-credit-note';
export { PauseSubscription } from './commands/pause-subscription';
export { RecordUsage, type ReportedUsage, type UsageReport } from './commands/record-usage';
export { PublishPlanVersion } from './commands/publish-plan-version';
export { ReleaseBill } from './commands/release-bill';
export { ReleaseBillingHold } from './commands/release-billing-hold';
export { RequestFinalisation } from './commands/request-finalisation';
export { ResumeSubscription } from './commands/resume-subscription';
export { ReturnCredit } from './commands/return-credit';
export { RevokeApiKey } from './commands/revoke-api-key';
export { RollOverBillingPeriod } from './commands/roll-over-billing-period';
export { StartSubscription, type PlanStart, type SubscriptionTerms } from './commands/start-subscription';
export { UndoCancellation } from './commands/undo-cancellation';
export { UndoPause } from './commands/undo-pause';
export { UndoScheduledChange } from './commands/undo-scheduled-change';
export { VoidInvoice } from './commands/void-invoice';
export { VoidLineItem } from './commands/void-line-item';
export { fingerprintOf } from './fingerprint';
export type { NamedPlan } from './named-plan';
export { settleExpiredReservations, type ExpiredReservation } from './policies/settle-expired-reservations';
export { billDueUsage, rollOverElapsedPeriods } from './policies/roll-over-elapsed-periods';
export { GetUpcomingInvoice, type UpcomingDocument, type UpcomingInvoice } from './queries/upcoming-invoice';
export {
  FindUsageRecords,
  GetUsage,
  type UsageRecordPage,
  type UsageRecordView,
  type UsageView,
} from './queries/usage';
export { BillingRepositories } from './repositories';
export type { ElapsedPeriod } from './roll-over-request';
export {
  destroyKeyOfErasedCustomer,
  draftInvoiceOnLinesBilled,
  finaliseInvoice,
  issueCreditNote,
  redeemAppliedCoupon,
  releaseVoidedInvoice,
};

/** Every policy that reacts to events, for the runner; `rollOverElapsedPeriods` reacts to time. */
export const billingPolicies = [
  countLateUsage,
  draftInvoiceOnLinesBilled,
  finaliseInvoice,
  issueCreditNote,
  releaseVoidedInvoice,
  destroyKeyOfErasedCustomer,
  redeemAppliedCoupon,
] as const;
