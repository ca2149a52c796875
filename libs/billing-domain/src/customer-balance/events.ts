/** Minor units above zero, and the balance after it. */
interface BalanceChanged {
  readonly effectiveAt: string;
  readonly customerId: string;
  readonly currency: string;
  readonly amount: string;
  readonly balance: string;
}

export interface CreditGranted {
  readonly type: 'CreditGranted';
  readonly data: BalanceChanged & { readonly creditNoteId: string };
}

export interface CreditApplied {
  readonly type: 'CreditApplied';
  readonly data: BalanceChanged & { readonly invoiceId: string };
}

/** What a voided invoice had used comes back. */
export interface CreditReturned {
  readonly type: 'CreditReturned';
  readonly data: BalanceChanged & { readonly invoiceId: string };
}

export type CustomerBalanceEvent = CreditGranted | CreditApplied | CreditReturned;
