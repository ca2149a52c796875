import type { CreditApplied, CreditNoteIssued, CreditReturned, InvoiceDrafted } from '@perennial/billing-domain';
import type { RecordedEvent } from '@perennial/event-sourcing';

/** A credit as its command names it. */
export interface Credit {
  /** Of the invoice or the credit note. */
  readonly id: string;
  readonly customerId: string;
  readonly currency: string;
  /** Minor units. */
  readonly amount: string;
}

/** How many of each kind callers are shown: the newest. */
const SHOWN = 20;

/** What became of bills, as callers are shown it: the newest of each kind. */
export class Documents {
  /** Ids of invoices with a number. */
  readonly invoices: string[] = [];
  /** Ids of drafts that wait for a review. */
  readonly drafts: string[] = [];
  /** Of credit notes that are issued, whether or not the balance has them. */
  readonly issued: Credit[] = [];
  /** What invoices asked of balances that gave something. */
  readonly applied: Credit[] = [];
  /** What voided invoices had used. */
  readonly returned: Credit[] = [];
  /** What an invoice that has no number yet asks of the balance. */
  private readonly asked = new Map<string, Credit>();

  /** Takes in what was recorded. */
  note({ stream, type, data }: RecordedEvent): void {
    const id = stream.slice(-36);
    if (type === 'InvoiceDrafted') {
      const { customerId, currency, total, autoFinalise } = data as InvoiceDrafted['data'];
      this.asked.set(id, { id, customerId, currency, amount: total });
      if (autoFinalise === false) show(this.drafts, id);
    } else if (type === 'InvoiceFinalised') {
      this.asked.delete(id);
      show(this.invoices, id);
    } else if (type === 'CreditNoteIssued') {
      const { customerId, currency, total } = data as CreditNoteIssued['data'];
      show(this.issued, { id, customerId, currency, amount: total });
    } else if (type === 'CreditApplied') {
      const asked = this.asked.get((data as CreditApplied['data']).invoiceId);
      if (asked) show(this.applied, asked);
    } else if (type === 'CreditReturned') {
      const { invoiceId, customerId, currency, amount } = data as CreditReturned['data'];
      show(this.returned, { id: invoiceId, customerId, currency, amount });
    }
  }
}

function show<T>(shown: T[], one: T): void {
  shown.push(one);
  if (shown.length > SHOWN) shown.shift();
}
