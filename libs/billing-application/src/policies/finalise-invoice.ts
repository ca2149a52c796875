import {
  CREDIT_NOTE_SERIES,
  DEFAULT_SERIES,
  type FinalisationRequested,
  type InvoiceDrafted,
  type InvoiceNumberGranted,
} from '@perennial/billing-domain';
import type { Policy } from '@perennial/event-sourcing';
import { FinaliseInvoice } from '../commands/finalise-invoice';
import { GrantInvoiceNumber } from '../commands/grant-invoice-number';
import { policyRequest } from './policy-request';

const NAME = 'finaliseInvoice';

/** A draft, once it does not wait for a review, asks its series for a number, and the number finalises it. */
export const finaliseInvoice: Policy<GrantInvoiceNumber | FinaliseInvoice> = {
  name: NAME,
  handles: ['InvoiceDrafted', 'FinalisationRequested', 'InvoiceNumberGranted'],
  // Grants of all documents stand in the stream of their series.
  inAnyOrder: ['InvoiceNumberGranted'],
  react(stored) {
    const event = stored.event as InvoiceDrafted | FinalisationRequested | InvoiceNumberGranted;
    if (event.type === 'InvoiceDrafted' && event.data.autoFinalise === false) return [];
    const { invoiceId } = event.data;
    if (event.type !== 'InvoiceNumberGranted')
      return [new GrantInvoiceNumber(DEFAULT_SERIES, invoiceId, policyRequest(NAME, stored, {}))];
    const { series, sequence, number } = event.data;
    if (series === CREDIT_NOTE_SERIES) return [];
    const granted = { series, sequence, number };
    const content = { command: 'FinaliseInvoice', invoiceId, ...granted };
    return [new FinaliseInvoice(invoiceId, granted, policyRequest(NAME, stored, content))];
  },
};
