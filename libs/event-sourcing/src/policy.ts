import type { StoredEvent } from './event';

/**
 * Turns an event into commands and writes nothing itself (a process manager without state of its own). At least once:
 * the commands carry idempotency keys derived from the event, so a repeat changes nothing.
 */
export interface Policy<Command = object> {
  /** A sentence in camelCase, as in `draftInvoiceOnLinesBilled`; names its position stream. */
  readonly name: string;
  readonly handles: readonly string[];
  /**
   * Of these the types whose commands need nothing of what came before in the stream: many of one stream are carried out at once. All
   * others keep the order of their stream. A refused one parks the stream all the same, and what comes after it waits.
   */
  readonly inAnyOrder?: readonly string[];
  react(event: StoredEvent): readonly Command[];
}
