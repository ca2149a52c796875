import { type LinesBilled } from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { DraftInvoice } from '../commands/draft-invoice';
import { policyRequest } from './policy-request';

const NAME = 'draftInvoiceOnLinesBilled';

/** A bill becomes an invoice; one below zero becomes a credit note (`issueCreditNote`). */
export const draftInvoiceOnLinesBilled: Policy<DraftInvoice> = {
  name: NAME,
  handles: ['LinesBilled'],
  react(stored) {
    const { data: bill } = stored.event as LinesBilled;
    if (BigInt(bill.net) < 0n) return [];
    const { subscriptionId, billNumber } = bill;
    const content = { command: 'DraftInvoice', subscriptionId, billNumber };
    return [new DraftInvoice(bill, policyRequest(NAME, stored, content))];
  },
};
