import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore } from './event-store';
import type { RecordedEvent } from './event';
import { streamNames } from './streams';

/** An event whose command was refused; for this policy its stream waits for it. */
export interface ParkedReaction {
  readonly policy: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly eventId: string;
  readonly type: string;
  /** Name of the refused command; none when the policy itself failed. */
  readonly command?: string;
  readonly error: string;
}

/** What a policy's parked stream records. */
export type ParkedFact =
  | {
      readonly type: 'Parked';
      readonly data: Omit<ParkedReaction, 'policy' | 'revision'> & {
        readonly revision: string;
        /** Its reaction waited for nothing, so one of an earlier event may have been parked before or after it: the earlier one counts. */
        readonly inAnyOrder?: true;
      };
    }
  | { readonly type: 'RetryRequested'; readonly data: { readonly stream: string; readonly skip: boolean } }
  | { readonly type: 'Released'; readonly data: { readonly stream: string; readonly revision: string } };

/** The streams that wait for a policy, and what was asked for them and not yet answered. */
export interface ParkedState {
  readonly waiting: Map<string, ParkedReaction>;
  readonly requests: Map<string, { readonly skip: boolean }>;
  /** Revision of the last fact; -1: none. */
  revision: bigint;
}

export async function readParkedReactions(store: EventStore, prefix: string, policy: string): Promise<ParkedState> {
  const state: ParkedState = { waiting: new Map(), requests: new Map(), revision: -1n };
  for await (const recorded of store.whole(streamNames(prefix).parked(policy))) noteParked(state, policy, recorded);
  return state;
}

/** Takes in a fact; one that is known already changes nothing. */
export function noteParked(state: ParkedState, policy: string, recorded: RecordedEvent): void {
  if (recorded.revision <= state.revision) return;
  state.revision = recorded.revision;
  const fact = { type: recorded.type, data: recorded.data } as ParkedFact;
  const { stream } = fact.data;
  switch (fact.type) {
    case 'Parked': {
      const { inAnyOrder, ...data } = fact.data;
      const reaction = { policy, ...data, revision: BigInt(data.revision) };
      const earlier = state.waiting.get(stream);
      if (inAnyOrder && earlier && earlier.revision < reaction.revision) break;
      state.waiting.set(stream, reaction);
      state.requests.delete(stream);
      break;
    }
    case 'RetryRequested':
      if (state.waiting.has(stream)) state.requests.set(stream, { skip: fact.data.skip });
      break;
    case 'Released':
      state.waiting.delete(stream);
      state.requests.delete(stream);
      break;
  }
}

export async function recordParked(
  store: EventStore,
  prefix: string,
  policy: string,
  fact: ParkedFact,
): Promise<bigint> {
  const event = { id: randomUUID(), type: fact.type, data: fact.data, metadata: {} };
  return (await store.append(streamNames(prefix).parked(policy), [event], 'any')).revision;
}

/**
 * Asks the process that runs the policy to go on with a stream, from its parked event or after it (`skip`), and waits
 * for the answer. `unanswered`: no process runs the policy at the moment; the request stands. Throws when nothing is
 * parked there.
 */
export async function requestRetry(
  store: EventStore,
  prefix: string,
  { policy, stream, skip, timeoutMs = 10_000 }: { policy: string; stream: string; skip: boolean; timeoutMs?: number },
): Promise<'released' | 'parked-again' | 'unanswered'> {
  if (!(await readParkedReactions(store, prefix, policy)).waiting.has(stream)) {
    throw new Error(`nothing of ${stream} is parked for ${policy}`);
  }
  const asked = await recordParked(store, prefix, policy, { type: 'RetryRequested', data: { stream, skip } });
  const until = performance.now() + timeoutMs;
  while (performance.now() < until) {
    for await (const { type, data } of store.read(streamNames(prefix).parked(policy), { from: asked + 1n })) {
      if ((data as { stream?: unknown }).stream !== stream) continue;
      if (type === 'Released') return 'released';
      if (type === 'Parked') return 'parked-again';
    }
    await delay(100);
  }
  return 'unanswered';
}
