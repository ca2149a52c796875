import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { issueCreditNote } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Issues a draft under the number that its series has granted it. */
export class IssueCreditNote extends Command<CommandResult> {
  constructor(
    readonly creditNoteId: string,
    readonly granted: { readonly series: string; readonly sequence: number; readonly number: string },
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(IssueCreditNote)
export class IssueCreditNoteHandler implements ICommandHandler<IssueCreditNote> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ creditNoteId, granted, context }: IssueCreditNote): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.creditNotes.change(creditNoteId, { ...context, now }, (creditNote) =>
      issueCreditNote(creditNote, granted, now),
    );
    return resultOf(change);
  }
}
