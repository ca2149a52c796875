import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EventMetadata, RecordedEvent } from './event';

/**
 * The hash of an event: sha256 (hex) of the previous event's hash ('' before the first) followed by the canonical JSON
 * (RFC 8785) of { id, type, data, metadata without hash }, all as stored.
 */
export function chainHash(
  previous: string,
  event: { readonly id: string; readonly type: string; readonly data: unknown; readonly metadata: object },
): string {
  const { hash: _, ...metadata } = event.metadata as { hash?: unknown };
  return chainHashOf(previous, { ...event, data: canonicalJson(event.data), metadata: canonicalJson(metadata) });
}

/** `chainHash` of an event whose data and metadata, without hash, are canonical JSON already. */
export function chainHashOf(
  previous: string,
  { id, type, data, metadata }: Readonly<Record<'id' | 'type' | 'data' | 'metadata', string>>,
): string {
  const text = `{"data":${data},"id":${JSON.stringify(id)},"metadata":${metadata},"type":${JSON.stringify(type)}}`;
  return hash('sha256', previous + text, 'hex');
}

/** RFC 8785. */
export function canonicalJson(value: unknown): string {
  return canonicalize(value) ?? '';
}

export interface ChainBreak {
  readonly stream: string;
  readonly revision: bigint;
  readonly problem: 'hash' | 'revision-gap' | 'recorded-at-decreases' | 'tenant-changes' | 'envelope';
  readonly expected: string;
  readonly found: string;
}

/** Where a check of a stream stands: start with `chainStart` and fold `chainStep` over its events in order. */
export interface ChainState {
  readonly next: bigint;
  readonly hash: string;
  readonly recordedAt: string;
  readonly tenant: string | undefined;
}

export const chainStart: ChainState = { next: 0n, hash: '', recordedAt: '', tenant: undefined };

/** Checks one event against what came before it; gives every break found and the state to go on from. */
export function chainStep(state: ChainState, event: RecordedEvent): { state: ChainState; breaks: ChainBreak[] } {
  const breaks: ChainBreak[] = [];
  const broken = (problem: ChainBreak['problem'], expected: string, found: string): void => {
    breaks.push({ stream: event.stream, revision: event.revision, problem, expected, found });
  };
  if (event.revision !== state.next) broken('revision-gap', `${state.next}`, `${event.revision}`);
  const metadata = event.metadata as Partial<EventMetadata> | undefined;
  if (!metadata || typeof metadata !== 'object' || typeof metadata.hash !== 'string') {
    broken('envelope', 'a hash', JSON.stringify(metadata) ?? 'nothing');
    return { state: { ...state, next: event.revision + 1n }, breaks };
  }
  const expected = chainHash(state.hash, { id: event.id, type: event.type, data: event.data, metadata });
  if (expected !== metadata.hash) broken('hash', expected, metadata.hash);
  const recordedAt = metadata.recordedAt ?? '';
  if (recordedAt < state.recordedAt) broken('recorded-at-decreases', `at least ${state.recordedAt}`, recordedAt);
  if (state.tenant !== undefined && metadata.tenant !== state.tenant) {
    broken('tenant-changes', state.tenant, `${metadata.tenant}`);
  }
  return {
    // Going on from the stored hash names each rewritten event once instead of all that follow it.
    state: { next: event.revision + 1n, hash: metadata.hash, recordedAt, tenant: state.tenant ?? metadata.tenant },
    breaks,
  };
}

/** Checks a whole stream of an aggregate, from revision 0, holding one event at a time. */
export async function verifyChain(
  events: AsyncIterable<RecordedEvent> | Iterable<RecordedEvent>,
): Promise<{ events: bigint; hash: string; breaks: ChainBreak[] }> {
  let state = chainStart;
  const breaks: ChainBreak[] = [];
  for await (const event of events) {
    const step = chainStep(state, event);
    state = step.state;
    breaks.push(...step.breaks);
  }
  return { events: state.next, hash: state.hash, breaks };
}
