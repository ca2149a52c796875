import type { StoredEvent } from './event';

/**
 * Turns an event into commands and writes nothing itself (a process manager without state of its own). At least once:
 * the commands carry idempotency keys derived from the event, so a repeat changes nothing.
 */
export interface Policy<Command = object> {
  /** A sentence in camelCase, as in `draftInvoiceOnLinesBilled`; names its position stream. */
  readonly name: string;
  readonly handles: readonly string[];
  react(event: StoredEvent): readonly Command[];
}
