import type { Projection } from '@perennial/event-sourcing';
import { currentBillingPeriod } from './current-billing-period/projection';
import { coupons } from './coupons/projection';
import { creditNotes } from './credit-notes/projection';
import { customerBalances } from './customer-balances/projection';
import { customers } from './customers/projection';
import { dueBillingPeriods } from './due-billing-periods/projection';
import { dueUsageBills } from './due-usage-bills/projection';
import { invoices } from './invoices/projection';
import { plans } from './plans/projection';
import { streams } from './streams/projection';
import { subscriptionSummary } from './subscription-summary/projection';

export { BillingReadModelsModule } from './billing-read-models.module';
export {
  FindCreditNotes,
  findCreditNotes,
  GetCreditNote,
  getCreditNote,
  type CreditNoteFilter,
  type CreditNoteSummaryView,
  type CreditNoteView,
} from './credit-notes/queries';
export {
  GetCurrentBillingPeriod,
  getCurrentBillingPeriod,
  type CurrentBillingPeriodView,
} from './current-billing-period/queries';
export {
  FindCoupons,
  findCoupons,
  findExpiredReservations,
  GetCoupon,
  getCoupon,
  type CouponFilter,
  type CouponView,
} from './coupons/queries';
export {
  FindCustomerBalanceMovements,
  findCustomerBalanceMovements,
  FindCustomerBalances,
  findCustomerBalances,
  GetCustomerBalance,
  getCustomerBalance,
  type CustomerBalanceFilter,
  type CustomerBalanceMovementFilter,
  type CustomerBalanceMovementView,
  type CustomerBalanceView,
} from './customer-balances/queries';
export {
  FindCustomers,
  findCustomers,
  GetCustomer,
  getCustomer,
  type CustomerFilter,
  type CustomerView,
} from './customers/queries';
export { findDueBillingPeriods, type DueBillingPeriod } from './due-billing-periods/queries';
export { findDueUsageBills, type DueUsageBill } from './due-usage-bills/queries';
export {
  FindInvoices,
  findInvoices,
  GetInvoice,
  getInvoice,
  type InvoiceFilter,
  type InvoiceSummaryView,
  type InvoiceView,
} from './invoices/queries';
export { InvalidCursor, MAX_PAGE, type PageRequest } from './page';
export {
  FindPlans,
  findPlans,
  GetPlan,
  getPlan,
  type PlanFilter,
  type PlanSummaryView,
  type PlanView,
} from './plans/queries';
export { ReadModels, type ErasedView, type Found, type MoneyView, type Page } from './read-models';
export { FindStreams, findStreams, GetStream, getStream, type StreamFilter, type StreamView } from './streams/queries';
export {
  FindSubscriptions,
  findSubscriptions,
  GetSubscription,
  getSubscription,
  type SubscriptionFilter,
  type SubscriptionView,
} from './subscription-summary/queries';
export {
  coupons,
  creditNotes,
  currentBillingPeriod,
  customerBalances,
  customers,
  dueBillingPeriods,
  dueUsageBills,
  invoices,
  plans,
  streams,
  subscriptionSummary,
};

/** Every read model of billing, for the runner. */
export const billingProjections: readonly Projection[] = [
  subscriptionSummary,
  currentBillingPeriod,
  invoices,
  creditNotes,
  customerBalances,
  customers,
  dueBillingPeriods,
  dueUsageBills,
  plans,
  coupons,
  streams,
];
