import {
  CREDIT_NOTE_SERIES,
  type CreditNoteDrafted,
  type CreditNoteIssued,
  type InvoiceNumberGranted,
  type LinesBilled,
} from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { DraftCreditNote } from '../commands/draft-credit-note';
import { GrantCredit } from '../commands/grant-credit';
import { GrantInvoiceNumber } from '../commands/grant-invoice-number';
import { IssueCreditNote } from '../commands/issue-credit-note';
import { policyRequest } from './policy-request';

const NAME = 'issueCreditNote';

/** A bill below zero becomes a credit note, which asks its series for a number, is issued, and goes to the customer's balance. */
export const issueCreditNote: Policy<DraftCreditNote | GrantInvoiceNumber | IssueCreditNote | GrantCredit> = {
  name: NAME,
  handles: ['LinesBilled', 'CreditNoteDrafted', 'InvoiceNumberGranted', 'CreditNoteIssued'],
  // Grants of all documents stand in the stream of their series.
  inAnyOrder: ['InvoiceNumberGranted'],
  react(stored) {
    const event = stored.event as LinesBilled | CreditNoteDrafted | InvoiceNumberGranted | CreditNoteIssued;
    switch (event.type) {
      case 'LinesBilled': {
        if (BigInt(event.data.net) >= 0n) return [];
        const { subscriptionId, billNumber } = event.data;
        const content = { command: 'DraftCreditNote', subscriptionId, billNumber };
        return [new DraftCreditNote(event.data, policyRequest(NAME, stored, content))];
      }
      case 'CreditNoteDrafted':
        return [new GrantInvoiceNumber(CREDIT_NOTE_SERIES, event.data.creditNoteId, policyRequest(NAME, stored, {}))];
      case 'InvoiceNumberGranted': {
        const { series, sequence, number, invoiceId: creditNoteId } = event.data;
        if (series !== CREDIT_NOTE_SERIES) return [];
        const granted = { series, sequence, number };
        const content = { command: 'IssueCreditNote', creditNoteId, ...granted };
        return [new IssueCreditNote(creditNoteId, granted, policyRequest(NAME, stored, content))];
      }
      case 'CreditNoteIssued': {
        const { customerId, currency, total } = event.data;
        const credit = { creditNoteId: stored.aggregateId, customerId, currency, amount: total };
        return [new GrantCredit(credit, policyRequest(NAME, stored, {}))];
      }
    }
  },
};
