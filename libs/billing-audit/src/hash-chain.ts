import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { RecordedEvent } from '@perennial/event-sourcing';
import { type Difference, mismatch } from './difference';

/** Where a stream's chain stands after an event that was checked. */
export interface StreamHead {
  readonly revision: bigint;
  readonly position: bigint;
  readonly hash: string;
  readonly recordedAt: string;
  readonly tenant: string;
}

/**
 * The hash that an event must carry (hex): sha256 of the hash before it ('' before the first) and the canonical JSON
 * (RFC 8785) of the event as stored. Written here again, not shared with the writer, so that the proof is not circular.
 */
export function expectedHash(
  previous: string,
  event: Pick<RecordedEvent, 'id' | 'type' | 'data' | 'metadata'>,
): string {
  const { hash: _, ...metadata } = event.metadata as Record<string, unknown>;
  const body = canonicalize({ id: event.id, type: event.type, data: event.data, metadata });
  return createHash('sha256')
    .update(previous)
    .update(body ?? '')
    .digest('hex');
}

/** Checks one event against the head of its stream: revision, envelope, time, tenant, hash. Gives the new head. */
export function checkChain(
  head: StreamHead | undefined,
  event: RecordedEvent,
): { readonly head: StreamHead; readonly differences: readonly Difference[] } {
  const differences: Difference[] = [];
  const at = (check: string, message: string, expected: unknown, found: unknown) =>
    differences.push(mismatch(check, event.stream, message, expected, found, event.revision));

  const revision = head === undefined ? 0n : head.revision + 1n;
  if (event.revision !== revision) at('revision-gap', 'revisions are not gapless', revision, event.revision);
  if (head !== undefined && event.position <= head.position)
    at('position-order', 'the log position does not rise', `> ${head.position}`, event.position);

  const metadata = envelopeOf(event);
  if (metadata === undefined) {
    at('envelope', 'the event is not JSON or its envelope is incomplete', 'JSON with an envelope', event.type);
    const before = head ?? { hash: '', recordedAt: '', tenant: '' };
    return { head: { ...before, revision: event.revision, position: event.position }, differences };
  }
  if (head !== undefined && metadata.recordedAt < head.recordedAt)
    at('recorded-at', 'recordedAt decreases in the stream', `>= ${head.recordedAt}`, metadata.recordedAt);
  if (head !== undefined && head.tenant !== '' && metadata.tenant !== head.tenant)
    at('tenant', 'the tenant changes within a stream', head.tenant, metadata.tenant);
  const hash = expectedHash(head?.hash ?? '', event);
  if (metadata.hash !== hash) at('hash-chain', 'the event was rewritten or its chain is broken', hash, metadata.hash);

  return {
    head: { ...metadata, revision: event.revision, position: event.position },
    differences,
  };
}

function envelopeOf(event: RecordedEvent): { hash: string; recordedAt: string; tenant: string } | undefined {
  const metadata = event.metadata as Record<string, unknown> | null;
  if (!event.isJson || typeof event.data !== 'object' || event.data === null) return undefined;
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  const { hash, recordedAt, tenant, key, fingerprint, principal, version } = metadata;
  const strings = [hash, recordedAt, tenant, key, fingerprint, principal];
  if (!strings.every((value) => typeof value === 'string') || typeof version !== 'number') return undefined;
  return { hash: hash as string, recordedAt: recordedAt as string, tenant: tenant as string };
}
