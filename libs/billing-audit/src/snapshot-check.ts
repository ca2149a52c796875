import { type EventStore, Snapshots, streamNames, throughJson } from '@perennial/event-sourcing';
import canonicalize from 'canonicalize';
import { aggregates } from './aggregates';
import { type Difference, mismatch } from './difference';
import type { Replay } from './stream-pass';

/** What stands in the snapshot stream of one aggregate. */
export interface FoundSnapshot {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly recordedAt: string;
  readonly hash: string;
  /** The state as JSON. */
  readonly state: unknown;
  /** Whether the key memory may hold the token at that revision; undefined when a slice is missing, damaged or behind. */
  readonly remembers: ((token: string, revision: bigint) => boolean) | undefined;
}

/** Reads the snapshot of an aggregate with its key memory: the snapshot, nothing, or a difference (a damaged one). */
export async function readSnapshot(
  store: EventStore,
  prefix: string,
  aggregate: string,
  id: string,
): Promise<{ readonly snapshot?: FoundSnapshot; readonly difference?: Difference }> {
  const type = aggregates.get(aggregate);
  if (!type) return {};
  const names = streamNames(prefix);
  const stream = names.snapshot(aggregate, id);
  let why: string | undefined;
  const logger = { warn: (details: object) => void (why = String((details as { why?: unknown }).why)) };
  const snapshots = new Snapshots(type, store, names, logger);
  const found = await snapshots.find(id);
  if (!found) {
    // One of another state version was written by another build and is ignored by this one, rightly.
    if (why === undefined || why === 'state version') return {};
    return { difference: mismatch('snapshot', stream, `the snapshot cannot be used: ${why}`, 'a snapshot', why) };
  }
  const memory = await snapshots.findKeys(id, found.keys);
  const { state, revision, position, recordedAt, hash } = found.standing;
  return {
    snapshot: {
      stream,
      revision,
      position,
      recordedAt,
      hash,
      state: type.snapshot.toJSON(state),
      remembers: memory && ((token, at) => memory.find(token).some((range) => range.from <= at && at <= range.to)),
    },
  };
}

/** A snapshot must be what a replay gives at its revision, and its key memory must know every key up to there. */
export function checkSnapshot(snapshot: FoundSnapshot, aggregate: string, replay: Replay): readonly Difference[] {
  const { stream, revision } = snapshot;
  const folded = replay.at.get(revision);
  const type = aggregates.get(aggregate);
  if (!folded || !type)
    return [mismatch('snapshot', stream, 'a snapshot of a revision that the stream does not have', 'less', revision)];

  const found: Difference[] = [];
  const compare = (what: string, expected: unknown, actual: unknown) => {
    if (expected !== actual)
      found.push(mismatch('snapshot', stream, `${what} differs from a replay`, expected, actual, revision));
  };
  compare('the state', canonicalize(throughJson(type.snapshot.toJSON(folded.state))), canonicalize(snapshot.state));
  compare('the last hash', folded.hash, snapshot.hash);
  compare('recordedAt', folded.recordedAt, snapshot.recordedAt);
  compare('the position', folded.position, snapshot.position);

  const { remembers } = snapshot;
  if (!remembers) {
    found.push(
      mismatch('snapshot-keys', stream, 'a slice of the key filter is missing, damaged or behind', 'all', 'less'),
    );
    return found;
  }
  let forgotten = 0;
  for (const [token, at] of replay.remembered) if (at <= revision && !remembers(token, at)) forgotten += 1;
  if (forgotten > 0)
    found.push(mismatch('snapshot-keys', stream, 'the key filter has forgotten keys', 0, forgotten, revision));
  return found;
}
