import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { finalise, type CreditApplied, type Invoice } from '@perennial/billing-domain';
import { AggregateNotFound } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { billToOf } from '../bill-to';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';
import { ApplyCredit } from './apply-credit';
import { ReturnCredit } from './return-credit';

/** Finalises a draft under the number that its series has granted it, settled from the customer's balance as far as that goes. */
export class FinaliseInvoice extends Command<CommandResult> {
  constructor(
    readonly invoiceId: string,
    readonly granted: { readonly series: string; readonly sequence: number; readonly number: string },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(FinaliseInvoice)
export class FinaliseInvoiceHandler implements ICommandHandler<FinaliseInvoice> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly commands: CommandBus,
    private readonly clock: Clock,
  ) {}

  async execute({ invoiceId, granted, context }: FinaliseInvoice): Promise<CommandResult> {
    const invoice = (await this.repositories.invoices.load(invoiceId, context.tenant))?.state;
    const drafted = invoice?.status === 'none' ? undefined : invoice;
    const settled = drafted && (await this.settle(invoiceId, drafted, context));
    const billTo =
      drafted?.status === 'draft' ? await billToOf(this.repositories, context.tenant, drafted.customerId) : undefined;
    const now = await this.clock.now();
    const change = await this.repositories.invoices.change(invoiceId, { ...context, now }, (state) =>
      finalise(state, granted, now, settled?.amount, billTo),
    );
    if (settled) await this.giveBackUnused(settled, context);
    return resultOf(change);
  }

  /**
   * What the balance settles of the draft: a command of its own under the invoice's key. A balance records its answer, also that
   * there was nothing, so that whoever finalises, and however often, finalises with the same amount. What is finalised is settled no
   * more: only what a process applied and died before it could give it back is found in the record.
   */
  private async settle(
    invoiceId: string,
    { status, customerId, currency, total: amount }: Drafted,
    context: RequestContext,
  ): Promise<Credit | undefined> {
    if (amount === '0') return undefined;
    const dryRun = status !== 'draft';
    const credit = { invoiceId, customerId, currency, amount };
    try {
      const { events, repeated } = await this.commands.execute(new ApplyCredit(credit, { ...sender(context), dryRun }));
      if (dryRun && !repeated) return undefined;
      const applied = events[0]?.data as CreditApplied['data'] | undefined;
      return applied && { ...credit, amount: applied.amount };
    } catch (error) {
      // The customer never had a balance in this currency.
      if (error instanceof AggregateNotFound) return undefined;
      throw error;
    }
  }

  /** Where no balance was there to record an answer, another process may have finalised without what this one applied. */
  private async giveBackUnused(credit: Credit, context: RequestContext): Promise<void> {
    const invoice = (await this.repositories.invoices.load(credit.invoiceId, context.tenant))?.state;
    if (invoice?.status === 'none' || invoice?.creditApplied === credit.amount) return;
    await this.commands.execute(new ReturnCredit(credit, sender(context)));
  }
}

type Credit = ApplyCredit['credit'];
type Drafted = Exclude<Invoice, { readonly status: 'none' }>;

/** Who asks and why, for a command that has a key of its own. */
function sender({
  tenant,
  principal,
  correlationId,
  causationId,
  traceparent,
}: RequestContext): ApplyCredit['context'] {
  return { tenant, principal, correlationId, causationId, traceparent };
}
