/** What an append, a delete or a tombstone expects of its stream: an exact last revision or a state. */
export type ExpectedRevision = number | 'any' | 'no_stream' | 'stream_exists';

/** What is known of a stream when a write arrives. `last` is −1 when it has no events. */
export interface StreamView {
  last: number;
  tombstoned: boolean;
  softDeleted: boolean;
  /** The stream's metastream has events. */
  hasMetadata: boolean;
  /** The revision of an event id among the recent writes of this stream. */
  recentRevision(eventId: string): number | undefined;
  /** The id of the event at a revision, truncated or not; undefined when it is no longer kept. */
  eventIdAt(revision: number): string | undefined;
}

export type WriteDecision =
  | { kind: 'write' }
  | { kind: 'idempotent'; lastRevision: number }
  | { kind: 'wrong-expected-revision' }
  | { kind: 'stream-deleted' };

const WRITE: WriteDecision = { kind: 'write' };
const WRONG: WriteDecision = { kind: 'wrong-expected-revision' };
const DELETED: WriteDecision = { kind: 'stream-deleted' };

/**
 * Decides whether a write goes ahead, repeats an earlier one, or is refused, as an EventStoreDB does:
 * `any` and `stream_exists` look ids up among recent writes (weak), an exact revision below the last compares the
 * ids stored after it (strong); at exactly the last revision nothing is compared.
 */
export function decideWrite(
  stream: StreamView,
  expected: ExpectedRevision,
  eventIds: readonly string[],
): WriteDecision {
  if (stream.tombstoned) return DELETED;
  if (expected === 'any' || expected === 'stream_exists') {
    if (expected === 'stream_exists') {
      if (stream.softDeleted) return DELETED;
      if (stream.last < 0 && !stream.hasMetadata) return WRONG;
    }
    let lastRevision = -1;
    for (const [index, id] of eventIds.entries()) {
      const revision = stream.recentRevision(id);
      if (revision === undefined) return index === 0 ? WRITE : WRONG;
      lastRevision = revision;
    }
    return eventIds.length === 0 ? WRITE : { kind: 'idempotent', lastRevision };
  }
  const revision = expected === 'no_stream' ? -1 : expected;
  if (revision > stream.last) return WRONG;
  if (revision === stream.last) return WRITE;
  for (const [index, id] of eventIds.entries()) {
    if (revision + index + 1 <= stream.last && stream.eventIdAt(revision + index + 1) === id) continue;
    return index === 0 && expected === 'no_stream' && stream.softDeleted ? WRITE : WRONG;
  }
  return eventIds.length === 0 ? WRONG : { kind: 'idempotent', lastRevision: revision + eventIds.length };
}
