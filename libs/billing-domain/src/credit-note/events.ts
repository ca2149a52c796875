import type { Line } from '../line';
import type { LinesBilled } from '../subscription/events';

export interface CreditNoteDrafted {
  readonly type: 'CreditNoteDrafted';
  readonly data: {
    readonly effectiveAt: string;
    /** uuid v5 of (subscription, billNumber). */
    readonly creditNoteId: string;
    readonly subscriptionId: string;
    readonly billNumber: number;
    /** The billing period of the bill (as in LinesBilled). */
    readonly periodNumber: number;
    readonly cause: LinesBilled['data']['cause'];
    readonly customerId: string;
    readonly timeZone: string;
    readonly currency: string;
    /** Those below zero name the lines that they correct. */
    readonly lines: readonly Line[];
    /** Minor units above zero: what is given back. total = subtotal + taxes. */
    readonly subtotal: string;
    readonly taxes: readonly { readonly code: string; readonly amount: string }[];
    readonly total: string;
  };
}

export interface CreditNoteIssued {
  readonly type: 'CreditNoteIssued';
  readonly data: {
    readonly effectiveAt: string;
    readonly customerId: string;
    readonly currency: string;
    /** What the customer's balance is granted. */
    readonly total: string;
    readonly series: string;
    /** The sequence in its series, from 1, without gaps. */
    readonly sequence: number;
    readonly number: string;
    /** Local date of issuing in the credit note's zone. */
    readonly issuedOn: string;
  };
}

export type CreditNoteEvent = CreditNoteDrafted | CreditNoteIssued;
