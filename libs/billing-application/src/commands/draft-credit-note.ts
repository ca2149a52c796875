import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { creditNoteId, draftCreditNote, type LinesBilled } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Makes the credit note of a bill below zero, whose id derives from it: however often it is asked for, there is one. */
export class DraftCreditNote extends Command<CommandResult> {
  constructor(
    readonly bill: LinesBilled['data'],
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(DraftCreditNote)
export class DraftCreditNoteHandler implements ICommandHandler<DraftCreditNote> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ bill, context }: DraftCreditNote): Promise<CommandResult> {
    const now = await this.clock.now();
    const id = creditNoteId(bill.subscriptionId, bill.billNumber);
    const change = await this.repositories.creditNotes.change(id, { ...context, now }, (creditNote) =>
      draftCreditNote(creditNote, bill),
    );
    return resultOf(change);
  }
}
