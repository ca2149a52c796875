import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import {
  addDays,
  creditNoteType,
  customerBalanceId,
  draft,
  draftCreditNote,
  invoiceType,
  toLocalDate,
  upcomingBill,
  type InvoiceDrafted,
  type Line,
  type LinesBilled,
  type UpcomingBill,
} from '@perennial/billing-domain';
import { AggregateNotFound } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { BillingRepositories } from '../repositories';
import { previewedUsage } from '../with-elapsed-periods-rolled-over';

/** The next bill of a subscription as things stand, and what it becomes. Amounts are minor units of `currency`. */
export interface UpcomingInvoice {
  readonly subscriptionId: string;
  /** Null: none is to come, for that reason. */
  readonly upcoming: UpcomingDocument | null;
  readonly reason: Extract<UpcomingBill, { readonly bill: null }>['reason'] | null;
  /** Revision of the subscription that it was computed from. */
  readonly revision: string;
}

export interface UpcomingDocument {
  /** A bill below zero becomes a credit note. */
  readonly kind: 'invoice' | 'credit-note';
  readonly billNumber: number;
  readonly periodNumber: number;
  readonly cause: LinesBilled['data']['cause'];
  readonly customerId: string;
  readonly currency: string;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  /** When it is billed; issued on that local date when everything is on time, and due after the payment terms (an invoice). */
  readonly billsAt: string;
  readonly issuedOn: string;
  readonly dueOn: string | null;
  readonly lines: readonly Line[];
  /** Sum of the discount lines, which the subtotal contains: 0 or below. */
  readonly discounts: string;
  readonly subtotal: string;
  readonly taxes: InvoiceDrafted['data']['taxes'];
  /** Of a credit note too: what it gives back, above zero. */
  readonly total: string;
  /** What the customer's balance would settle of an invoice, as it stands. */
  readonly creditApplied: string;
  readonly amountDue: string;
}

/** Computed from the streams as they are now; writes nothing. */
export class GetUpcomingInvoice extends Query<UpcomingInvoice> {
  constructor(
    readonly tenant: string,
    readonly subscriptionId: string,
  ) {
    super();
  }
}

@QueryHandler(GetUpcomingInvoice)
export class GetUpcomingInvoiceHandler implements IQueryHandler<GetUpcomingInvoice> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  /** Raises AggregateNotFound, `boundary-due`. */
  async execute({ tenant, subscriptionId }: GetUpcomingInvoice): Promise<UpcomingInvoice> {
    const { subscriptions, customerBalances } = this.repositories;
    const loaded = await subscriptions.load(subscriptionId, tenant);
    if (!loaded) throw new AggregateNotFound('subscription', subscriptionId);
    const now = await this.clock.now();
    const sealed = await previewedUsage(this.repositories, subscriptionId, { tenant, now });
    const { state } = loaded;
    const upcoming = upcomingBill(state, now, (periodNumber) => sealed(subscriptionId, periodNumber));
    const about = { subscriptionId, revision: loaded.revision.toString() };
    if (upcoming.bill === null) return { ...about, upcoming: null, reason: upcoming.reason };
    const { customerId, currency } = upcoming.bill;
    const balance = await customerBalances.load(customerBalanceId(tenant, customerId, currency), tenant);
    const before = upcoming.before.filter((bill) => bill.currency === currency);
    const credit = before.reduce(afterBill, BigInt(balance?.state.balance ?? '0'));
    return { ...about, upcoming: documentOf(upcoming.bill, credit), reason: null };
  }
}

/** A bill settles from the balance what it can; one below zero adds to it. */
function afterBill(balance: bigint, { net }: LinesBilled['data']): bigint {
  return balance > BigInt(net) ? balance - BigInt(net) : 0n;
}

/** The document that the bill is drafted as, with the dates that it gets when nothing is late. */
function documentOf(bill: LinesBilled['data'], credit: bigint): UpcomingDocument {
  const isCredit = BigInt(bill.net) < 0n;
  const [drafted] = isCredit ? draftCreditNote(creditNoteType.initial, bill) : draft(invoiceType.initial, bill);
  if (drafted?.type !== 'InvoiceDrafted' && drafted?.type !== 'CreditNoteDrafted')
    throw new Error('no draft of a bill');
  const { subtotal, taxes, total } = drafted.data;
  const { billNumber, periodNumber, cause, customerId, currency, timeZone, paymentTermsDays, lines } = bill;
  const issuedOn = toLocalDate(bill.effectiveAt, timeZone);
  const discounts = lines.reduce((sum, line) => (line.kind === 'discount' ? sum + BigInt(line.net) : sum), 0n);
  const due = isCredit ? 0n : BigInt(total);
  const applied = credit < due ? credit : due;
  return {
    kind: isCredit ? 'credit-note' : 'invoice',
    billNumber,
    periodNumber,
    cause,
    customerId,
    currency,
    timeZone,
    paymentTermsDays,
    billsAt: bill.effectiveAt,
    issuedOn,
    dueOn: isCredit ? null : addDays(issuedOn, paymentTermsDays),
    lines,
    discounts: discounts.toString(),
    subtotal,
    taxes,
    total,
    creditApplied: applied.toString(),
    amountDue: (due - applied).toString(),
  };
}
