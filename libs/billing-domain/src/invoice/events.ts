import type { BillTo } from '../customer/personal-data';
import type { Line } from '../line';
import type { Personal } from '../personal';
import type { LinesBilled } from '../subscription/events';

export interface InvoiceDrafted {
  readonly type: 'InvoiceDrafted';
  readonly data: {
    readonly effectiveAt: string;
    /** uuid v5 of (subscription, billNumber). */
    readonly invoiceId: string;
    readonly subscriptionId: string;
    readonly billNumber: number;
    /** The billing period of the bill (as in LinesBilled). */
    readonly periodNumber: number;
    readonly cause: LinesBilled['data']['cause'];
    readonly customerId: string;
    readonly timeZone: string;
    readonly paymentTermsDays: number;
    /** It stays a draft until someone asks for its finalising. */
    readonly autoFinalise?: false;
    readonly currency: string;
    readonly lines: readonly Line[];
    /** Minor units; total = subtotal + taxes. */
    readonly subtotal: string;
    readonly taxes: readonly { readonly code: string; readonly amount: string }[];
    readonly total: string;
  };
}

/** A draft that waited for its review goes on to get its number. */
export interface FinalisationRequested {
  readonly type: 'FinalisationRequested';
  readonly data: { readonly effectiveAt: string; readonly invoiceId: string };
}

export interface InvoiceFinalised {
  readonly type: 'InvoiceFinalised';
  readonly data: {
    readonly effectiveAt: string;
    readonly series: string;
    /** The sequence in its series, from 1, without gaps. */
    readonly sequence: number;
    /** As printed, `INV-000042`. */
    readonly number: string;
    /** Local date of finalising in the invoice's zone. */
    readonly issuedOn: string;
    readonly dueOn: string;
    /** What the customer's balance has settled of it; absent for none. */
    readonly creditApplied?: string;
    /** Who was billed, as the customer had it then; absent where the customer named nobody, or was not created here. */
    readonly personal?: Personal<{ readonly billTo: BillTo }>;
  };
}

/** Keeps its number. Carries what the policies need: the lines that the subscription takes back, and the credit that returns. */
export interface InvoiceVoided {
  readonly type: 'InvoiceVoided';
  readonly data: {
    readonly effectiveAt: string;
    readonly reason: string;
    readonly rebill: boolean;
    readonly subscriptionId: string;
    readonly billNumber: number;
    readonly customerId: string;
    readonly currency: string;
    readonly lines: readonly Line[];
    readonly creditApplied?: string;
  };
}

/** The caller's own notes, as they are from now on. */
export interface InvoiceMetadataChanged {
  readonly type: 'InvoiceMetadataChanged';
  readonly data: { readonly effectiveAt: string; readonly metadata: Readonly<Record<string, string>> };
}

export type InvoiceEvent =
  InvoiceDrafted | FinalisationRequested | InvoiceFinalised | InvoiceVoided | InvoiceMetadataChanged;
