import { randomUUID } from 'node:crypto';
import type { Revision } from './errors';
import type { EventStore } from './event-store';
import { streamNames } from './streams';

/** A place in the log and the event that stands there: in another store another one does. */
export interface Place {
  readonly position: bigint;
  readonly id: string;
}

/** Up to where a policy has done everything; undefined: nothing yet, or the store no longer holds that event. */
export async function readPolicyPosition(
  store: EventStore,
  prefix: string,
  policy: string,
): Promise<Place | undefined> {
  return (await readStoredPosition(store, prefix, policy)).place;
}

/** The same, with the revision at which it stands: what the next one is to be written at. */
export async function readStoredPosition(
  store: EventStore,
  prefix: string,
  policy: string,
): Promise<{ readonly place: Place | undefined; readonly revision: Revision }> {
  const last = await store.last(streamNames(prefix).position(policy));
  if (!last) return { place: undefined, revision: 'no_stream' };
  const { position, eventId } = last.data as { position: string; eventId: string };
  const place = { position: BigInt(position), id: eventId };
  const there = (await store.readAt(place.position))?.id === place.id;
  return { place: there ? place : undefined, revision: last.revision };
}

/** Stores a position; answers the revision at which it stands. Throws as append. */
export async function writePolicyPosition(
  store: EventStore,
  prefix: string,
  policy: string,
  at: Place,
  expected: Revision | 'any' = 'any',
): Promise<bigint> {
  const stream = streamNames(prefix).position(policy);
  const data = { position: at.position.toString(), eventId: at.id };
  const event = { id: randomUUID(), type: 'PositionReached', data, metadata: {} };
  const { revision } = await store.append(stream, [event], expected);
  if (revision === 0n) await store.setMetadata(stream, { maxCount: 1 });
  return revision;
}
