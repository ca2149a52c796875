/** A revision as a caller expects it or the store has it. */
export type Revision = bigint | 'no_stream';

/** The stream is not at the revision that the append named; nothing was written. */
export class RevisionConflict extends Error {
  constructor(
    readonly stream: string,
    readonly expected: Revision | 'any',
    readonly actual: Revision,
  ) {
    super(`${stream} is at ${actual}, not at ${expected}`);
    this.name = 'RevisionConflict';
  }
}

/** No answer in time, or the connection was lost: the append may have been written, now or later. */
export class OutcomeUnknown extends Error {
  constructor(
    readonly stream: string,
    cause?: unknown,
  ) {
    super(`the outcome of an append to ${stream} is unknown: ${reason(cause)}`, { cause });
    this.name = 'OutcomeUnknown';
  }
}

/** The store did not answer a read, or refused a write before it was sent or taken: nothing was written. */
export class StoreUnavailable extends Error {
  constructor(what: string, cause?: unknown) {
    super(`${what}: ${reason(cause)}`, { cause });
    this.name = 'StoreUnavailable';
  }
}

/** The stream was tombstoned: it can be neither read nor written again. */
export class StreamDeleted extends Error {
  constructor(readonly stream: string) {
    super(`${stream} is deleted`);
    this.name = 'StreamDeleted';
  }
}

/** One append would carry more bytes than every server takes; nothing was sent. */
export class AppendTooLarge extends Error {
  constructor(
    readonly stream: string,
    readonly bytes: number,
    readonly limit: number,
  ) {
    super(`an append of ${bytes} bytes to ${stream} exceeds ${limit}`);
    this.name = 'AppendTooLarge';
  }
}

/** A stored event that cannot be what was written: damaged bytes, malformed JSON or a malformed envelope. */
export class CorruptEvent extends Error {
  constructor(
    readonly stream: string,
    readonly revision: bigint | undefined,
    why: string,
    cause?: unknown,
  ) {
    super(`${stream}@${revision ?? '?'} is corrupt: ${why}`, { cause });
    this.name = 'CorruptEvent';
  }
}

/** A stored event of a type that this build does not know: it must not be skipped. */
export class UnknownEventType extends Error {
  constructor(
    readonly stream: string,
    readonly revision: bigint,
    readonly type: string,
  ) {
    super(`${stream}@${revision}: unknown event type ${type}`);
    this.name = 'UnknownEventType';
  }
}

/** A stored event of a later version than this build knows: written by a newer build. */
export class FutureEventVersion extends Error {
  constructor(
    readonly stream: string,
    readonly revision: bigint,
    readonly type: string,
    readonly version: number,
    readonly known: number,
  ) {
    super(`${stream}@${revision}: ${type} has version ${version}, known up to ${known}`);
    this.name = 'FutureEventVersion';
  }
}

/** The idempotency key was used on this stream for something else (422). */
export class KeyReused extends Error {
  constructor(readonly key: string) {
    super(`the idempotency key ${JSON.stringify(key)} was used for another command`);
    this.name = 'KeyReused';
  }
}

/** An id of the caller's stands in this stream already, with other content (`line-item-exists`, for one). */
export class RememberedIdReused extends Error {
  constructor(
    readonly kind: string,
    readonly id: string,
  ) {
    super(`${kind} ${JSON.stringify(id)} exists already`);
    this.name = 'RememberedIdReused';
  }
}

/** The caller named a revision (If-Match) that the aggregate is not at (412). */
export class RevisionMismatch extends Error {
  constructor(readonly actual: bigint) {
    super(`the aggregate is at revision ${actual}`);
    this.name = 'RevisionMismatch';
  }
}

/** No such aggregate for this tenant; another tenant's is indistinguishable from none. */
export class AggregateNotFound extends Error {
  constructor(
    readonly aggregate: string,
    readonly id: string,
  ) {
    super(`no ${aggregate} ${id}`);
    this.name = 'AggregateNotFound';
  }
}

/** Too many commands of this process wait for one stream (503). */
export class QueueFull extends Error {
  constructor(readonly stream: string) {
    super(`too many commands wait for ${stream}`);
    this.name = 'QueueFull';
  }
}

/** Other writers kept winning until the command's time was used; nothing was written (503 `too-much-contention`). */
export class BudgetExhausted extends Error {
  constructor(readonly stream: string) {
    super(`no turn on ${stream} within the command's time`);
    this.name = 'BudgetExhausted';
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : typeof cause === 'string' ? cause : 'no reason given';
}
