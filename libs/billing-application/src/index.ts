import { draftInvoiceOnLinesBilled } from './policies/draft-invoice-on-lines-billed';
import { finaliseInvoice } from './policies/finalise-invoice';

export { ApiKeys, type ApiKeyHolder } from './api-keys';
export { BillingApplicationModule, type BillingApplicationOptions } from './billing-application.module';
export type { CommandResult, RequestContext } from './command-result';
export { AddLineItem } from './commands/add-line-item';
export { CancelSubscription } from './commands/cancel-subscription';
export { CreateApiKey, type CreatedApiKey } from './commands/create-api-key';
export { DraftInvoice } from './commands/draft-invoice';
export { FinaliseInvoice } from './commands/finalise-invoice';
export { GrantInvoiceNumber } from './commands/grant-invoice-number';
export { PauseSubscription } from './commands/pause-subscription';
export { ResumeSubscription } from './commands/resume-subscription';
export { RevokeApiKey } from './commands/revoke-api-key';
export { RollOverBillingPeriod } from './commands/roll-over-billing-period';
export { StartSubscription, type SubscriptionTerms } from './commands/start-subscription';
export { UndoCancellation } from './commands/undo-cancellation';
export { VoidLineItem } from './commands/void-line-item';
export { fingerprintOf } from './fingerprint';
export { rollOverElapsedPeriods } from './policies/roll-over-elapsed-periods';
export { BillingRepositories } from './repositories';
export type { ElapsedPeriod } from './roll-over-request';
export { draftInvoiceOnLinesBilled, finaliseInvoice };

/** Every policy that reacts to events, for the runner; `rollOverElapsedPeriods` reacts to time. */
export const billingPolicies = [draftInvoiceOnLinesBilled, finaliseInvoice] as const;
