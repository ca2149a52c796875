import { type InvoiceVoided } from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { ReleaseBill } from '../commands/release-bill';
import { ReturnCredit } from '../commands/return-credit';
import { policyRequest } from './policy-request';

const NAME = 'releaseVoidedInvoice';

/** A voided invoice returns the credit that it used, so that the invoice of a new bill finds it there; then its lines go back. */
export const releaseVoidedInvoice: Policy<ReturnCredit | ReleaseBill> = {
  name: NAME,
  handles: ['InvoiceVoided'],
  react(stored) {
    const { data } = stored.event as InvoiceVoided;
    const { subscriptionId, billNumber, rebill, lines, customerId, currency, creditApplied } = data;
    const content = { command: 'ReleaseBill', subscriptionId, billNumber, rebill };
    const release = new ReleaseBill(
      subscriptionId,
      { billNumber, lines, rebill, currency },
      policyRequest(NAME, stored, content),
    );
    if (creditApplied === undefined) return [release];
    const credit = { invoiceId: stored.aggregateId, customerId, currency, amount: creditApplied };
    return [new ReturnCredit(credit, policyRequest(NAME, stored, {})), release];
  },
};
