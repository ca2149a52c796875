import { randomUUID } from 'node:crypto';
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
  const last = await store.last(streamNames(prefix).position(policy));
  if (!last) return undefined;
  const { position, eventId } = last.data as { position: string; eventId: string };
  const place = { position: BigInt(position), id: eventId };
  return (await store.readAt(place.position))?.id === place.id ? place : undefined;
}

export async function writePolicyPosition(store: EventStore, prefix: string, policy: string, at: Place): Promise<void> {
  const stream = streamNames(prefix).position(policy);
  const data = { position: at.position.toString(), eventId: at.id };
  const { revision } = await store.append(
    stream,
    [{ id: randomUUID(), type: 'PositionReached', data, metadata: {} }],
    'any',
  );
  if (revision === 0n) await store.setMetadata(stream, { maxCount: 1 });
}
