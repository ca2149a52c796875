/*
 * The only door of the billing domain. A decision is (state, input, now) → events; no events: it is so already; DomainError: no.
 *
 *   start(state, StartSubscription, now)        addLineItem(state, NewLineItem, now)   voidLineItem(state, lineItemId, now)
 *   rollOver(state, periodNumber, now)          pause(state, { credit }, now)          resume(state, { anchor }, now)
 *   changeItems, changeQuantity(state, ChangeItems, now)   undoScheduledChange(state, now)   changeBillingCycle(state, ..., now)
 *   scheduleCancellation(state, now)            undoCancellation(state, now)           cancelNow(state, { credit }, now)
 *   schedulePause(state, now)                   undoPause(state, now)                  changePeriods(state, { periods }, now)
 *   releaseHold(state, now)
 *   addLineItems(state, NewLineItem[], which are remembered, now)
 *   applyCoupon(state, ApplyCoupon, now)        removeCoupon(state, couponId, now)
 *   changeMetadata, changeInvoiceMetadata(state, patch, now)   requestFinalisation(state, now)
 *   upcomingBill(state, now): what the next boundary bills, if nothing else happens
 *   draft(state, LinesBilled data)              finalise(state, granted number, now)   grant(state, { series, invoiceId }, now)
 *   voidInvoice(state, { rebill, reason }, now)            releaseBill(state, ReleaseBill, now)
 *   draftCreditNote(state, LinesBilled data)               issueCreditNote(state, granted number, now)
 *   grantCredit, applyCredit, returnCredit(state, ..., now)
 *   createPlan, draftVersion, publishVersion, archiveVersion(state, ..., now)
 *   createCoupon, archiveCoupon, reserveRedemption, redeem, releaseRedemption(state, ..., now)
 *   createCustomer, changeCustomer, eraseCustomer(state, ..., now)   withCustomer(state, terms)
 *   createApiKey(state, NewApiKey, now)         revokeApiKey(state, now)
 *
 * aggregateTypes (subscriptionType, usageType, …): what the repository needs to know of each aggregate.
 */

export * from './money';
export * from './decimal';
export * from './ratio';
export * from './calendar';
export * from './ids';
export * from './domain-error';
export type { Line } from './line';
export { MAX_TIERS, price, toTrillionths } from './price/price';
export type { PercentageTier, Price, Tier } from './price/price';
export { defaultRules, presets } from './billing-rules';
export type { PresetName } from './billing-rules';
export { applied, creditOf, fractionOf, lengthOf, prorate, usageCut, usedThrough } from './proration';
export type { Moment, Shortened, Span } from './proration';
export {
  archiveCoupon,
  couponCode,
  couponType,
  createCoupon,
  evolveCoupon,
  MAX_COUPON_CURRENCIES,
  offerOf,
  redeem,
  releaseRedemption,
  reserveRedemption,
} from './coupon/coupon';
export type { Coupon, ExistingCoupon, NewCoupon, Reservation } from './coupon/coupon';
export type * from './coupon/events';
export { discount, discountCorrections, discountLines, leftOfLines } from './coupon/discount';
export type { Discount, Taken } from './coupon/discount';
export { trueUpLine } from './commitment/true-up';
export type { Commitment } from './commitment/true-up';
export { amountOf, rate, trueUp } from './price/rate';
export type { PricePart, Rated, Rating } from './price/rate';

export { changePeriods, start } from './subscription/start';
export type { StartSubscription } from './subscription/start';
export { addLineItem, rollOver, voidLineItem, MAX_SERVICE_DISTANCE_DAYS } from './subscription/subscription';
export type { NewLineItem } from './subscription/subscription';
export { pause, resume, schedulePause, undoPause } from './subscription/pause';
export { cancelNow, scheduleCancellation, undoCancellation } from './subscription/cancel';
export { applyCoupon, MAX_COUPONS, removeCoupon } from './subscription/apply-coupon';
export type { ApplyCoupon } from './subscription/apply-coupon';
export { changeAddOns, planOfAddOns } from './subscription/change-add-ons';
export type { ChangeAddOns } from './subscription/change-add-ons';
export { changeBillingCycle } from './subscription/change-billing-cycle';
export { changeItems, changeQuantity, undoScheduledChange } from './subscription/change-items';
export { changeTimeZone } from './subscription/change-time-zone';
export { changePlan } from './subscription/change-plan';
export type { ChangePlan } from './subscription/change-plan';
export type { ChangeItems, NewItemEdit } from './subscription/change-items';
export { addLineItems, lineItemOutcomes, MAX_BATCH } from './subscription/add-line-items';
export type { LineItemOutcome } from './subscription/add-line-items';
export { changeMetadata } from './subscription/change-metadata';
export type { MetadataPatch } from './metadata';
export { MAX_BOUNDARIES_AHEAD, upcomingBill } from './subscription/upcoming-bill';
export type { UpcomingBill } from './subscription/upcoming-bill';
export { evolve as evolveSubscription } from './subscription/state';
export type { AppliedCoupon, StartedSubscription, Subscription } from './subscription/state';
export { MAX_EVERY, MAX_ITEMS, MAX_LINE_NET } from './subscription/terms';
export type { Anchor, NewItem } from './subscription/terms';
export { MAX_BILL_BYTES, MAX_KEPT_BYTES, MAX_LINES_PER_PERIOD } from './subscription/billing-period';
export { subscriptionType } from './subscription/subscription-type';
export type * from './subscription/events';

export { MAX_BILLS_PER_BOUNDARY, MAX_LINES_PER_ITEM_AND_DAY, releaseHold } from './subscription/guard';
export { releaseBill } from './subscription/release-bill';
export type { ReleaseBill } from './subscription/release-bill';
export {
  creditNoteType,
  CREDIT_NOTE_SERIES,
  draftCreditNote,
  evolveCreditNote,
  issueCreditNote,
} from './credit-note/credit-note';
export type { CreditNote } from './credit-note/credit-note';
export type * from './credit-note/events';

export {
  applyCredit,
  customerBalanceType,
  evolveCustomerBalance,
  grantCredit,
  returnCredit,
} from './customer-balance/customer-balance';
export type { CustomerBalance } from './customer-balance/customer-balance';
export type * from './customer-balance/events';

export {
  archiveVersion,
  createPlan,
  draftVersion,
  evolvePlan,
  planType,
  publishedTerms,
  publishVersion,
} from './plan/plan';
export type { ExistingPlan, NewPlan, Plan, PlanVersion } from './plan/plan';
export { MAX_COMPONENTS, publishable } from './plan/plan-terms';
export { plannedTerms, startOnPlan } from './plan/planned-terms';
export type { PlanChoice, PlannedTerms } from './plan/planned-terms';
export type * from './plan/events';

export { meter } from './usage/meter';
export type { Meter, NewMeter } from './usage/meter';
export {
  CLOCK_TOLERANCE_MS,
  countLateUsage,
  opening,
  recordTokens,
  recordUsage,
  usageRecord,
  valueTokens,
} from './usage/record-usage';
export type { RecordAnswer, RecordUsage, UsagePeriod } from './usage/record-usage';
export { cutMovesNothing, cutUsage, isToCut, recount, sealedUsage, sealUsage } from './usage/seal-usage';
export { billUsage, needsSeal } from './subscription/bill-usage';
export { usageBillsAt } from './subscription/boundary';
export { usageLines } from './subscription/usage-lines';
export { usagePeriod, usagePrices } from './subscription/usage-period';
export { usageType } from './usage/usage';
export type { KnownUsage, Usage } from './usage/usage';
export type * from './usage/events';
export type { UsageRecord } from './usage/usage-record';

export {
  changeCustomer,
  createCustomer,
  customerType,
  eraseCustomer,
  evolveCustomer,
  withCustomer,
} from './customer/customer';
export type { Customer, CustomerChange, CustomerTerms, ExistingCustomer, LeftToCustomer } from './customer/customer';
export { personalData } from './customer/personal-data';
export type { Address, BillTo, Contact, PersonalData, TaxId } from './customer/personal-data';
export type * from './customer/events';
export type { Personal } from './personal';
export { sameJson } from './json';

export {
  changeInvoiceMetadata,
  draft,
  finalise,
  invoiceType,
  requestFinalisation,
  voidInvoice,
} from './invoice/invoice';
export type { Invoice } from './invoice/invoice';
export type * from './invoice/events';

export { DEFAULT_SERIES, grant, invoiceNumbersType } from './invoice-numbers/invoice-numbers';
export type { InvoiceNumbers } from './invoice-numbers/invoice-numbers';
export type * from './invoice-numbers/events';

export { createApiKey, apiKeyType, revokeApiKey, scopes } from './api-key/api-key';
export type { ApiKey, NewApiKey } from './api-key/api-key';
export type * from './api-key/events';

export { aggregateTypes, billingCatalogs } from './aggregate-types';
