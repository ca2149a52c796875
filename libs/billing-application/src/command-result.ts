import type { Change, CommandContext, DomainEvent } from '@perennial/event-sourcing';

/** Everything about a command that is not its content; the handler adds the time. */
export type RequestContext = Omit<CommandContext, 'now'>;

/** The answer to a command, safe for JSON: the same for every repeat of its key, but for `repeated`. */
export interface CommandResult {
  readonly aggregateId: string;
  /** Revision of the last event that the command's key recorded; the ETag. */
  readonly revision: string;
  /** Its log position: a read that waits for it sees what this command did. */
  readonly position: string;
  /** What the command recorded; nothing when it was so already. In a dry run what it would record. */
  readonly events: readonly { readonly type: string; readonly data: object; readonly revision: string }[];
  /** Answered from the record. A fact about this request, not about the command: belongs in a header. */
  readonly repeated: boolean;
  readonly dryRun: boolean;
}

export function resultOf(change: Change<DomainEvent>): CommandResult {
  return {
    aggregateId: change.aggregateId,
    revision: change.revision.toString(),
    position: change.position.toString(),
    events: change.events.map(({ event, revision }) => ({
      type: event.type,
      data: withheld(event.data),
      revision: revision.toString(),
    })),
    repeated: change.repeated,
    dryRun: change.dryRun,
  };
}

/** Personal data is no part of an answer: whoever may see it reads it, and after it was erased a repeat answers the same. */
function withheld(data: object): object {
  return 'personal' in data ? { ...data, personal: { withheld: true } } : data;
}
