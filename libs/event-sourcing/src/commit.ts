import { setTimeout as delay } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { AppendTooLarge, OutcomeUnknown, type Revision, RevisionConflict, StoreUnavailable } from './errors';
import type { CommandContext, DomainEvent, EventMetadata, Remembered, StoredEvent } from './event';
import { type Catalog, encode } from './event-codec';
import type { Appended, EventStore, NewEvent } from './event-store';
import { canonicalJson, chainHashOf } from './hash-chain';
import { MAX_APPEND_BYTES } from './snapshots';
import { parseAggregateStream } from './streams';

/** The events of one command, ready to be sent: the same bytes and ids however often. */
export interface Prepared {
  readonly expected: Revision;
  readonly messages: readonly NewEvent[];
  /** As they will read back; `position` is not known yet and 0. */
  readonly stored: readonly StoredEvent[];
}

interface Before {
  readonly revision: bigint;
  readonly hash: string;
  readonly recordedAt: string;
}

/**
 * Gives each event its id, envelope and place in the hash chain. Remembered ids stand on the first event only.
 * Throws AppendTooLarge at 900,000 bytes and more, and a TypeError for what JSON cannot say.
 */
export function prepare(
  stream: string,
  before: Before | undefined,
  events: readonly DomainEvent[],
  context: CommandContext,
  catalog: Catalog,
  remembers: readonly Remembered[],
): Prepared {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(context.now)) {
    throw new TypeError(`not an instant in UTC with milliseconds: ${context.now}`);
  }
  const { aggregate, id: aggregateId } = parseAggregateStream(stream)!;
  const recordedAt = before && before.recordedAt > context.now ? before.recordedAt : context.now;
  let hash = before?.hash ?? '';
  let revision = before?.revision ?? -1n;
  let bytes = 0;
  const messages: NewEvent[] = [];
  const stored: StoredEvent[] = [];
  for (const [index, event] of events.entries()) {
    const { type, version, json, data } = encode(event, catalog, { aggregate, id: aggregateId });
    const id = uuid();
    const unsealed = envelopeOf(context, version, recordedAt, index === 0 ? remembers : []);
    const envelope = canonicalJson(unsealed);
    hash = chainHashOf(hash, { id, type, data: json, metadata: envelope });
    const metadata: EventMetadata = { ...unsealed, hash };
    const sealed = `${envelope.slice(0, -1)},"hash":"${hash}"}`;
    revision += 1n;
    bytes += Buffer.byteLength(json) + Buffer.byteLength(sealed) + 2 * type.length;
    messages.push({ id, type, data: json, metadata: sealed });
    stored.push({
      event: { type, data: data as object },
      aggregate,
      aggregateId,
      stream,
      revision,
      position: 0n,
      id,
      metadata,
    });
  }
  if (bytes >= MAX_APPEND_BYTES) throw new AppendTooLarge(stream, bytes, MAX_APPEND_BYTES);
  return { expected: before?.revision ?? 'no_stream', messages, stored };
}

function envelopeOf(
  context: CommandContext,
  version: number,
  recordedAt: string,
  remembers: readonly Remembered[],
): Omit<EventMetadata, 'hash'> {
  const { tenant, key, fingerprint, principal, actor, reason, correlationId, causationId, traceparent } = context;
  return {
    version,
    recordedAt,
    tenant,
    key,
    fingerprint,
    principal,
    ...(actor === undefined ? {} : { actor }),
    ...(reason === undefined ? {} : { reason }),
    correlationId,
    ...(causationId === undefined ? {} : { causationId }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(remembers.length === 0 ? {} : { remembers: remembers.map(({ ...entry }) => entry) }),
  };
}

/**
 * Appends what was prepared and settles an unknown outcome: it reads from the expected revision on; our event id there
 * means done, another's a conflict, nothing means the same bytes, ids and revision once more. Throws RevisionConflict,
 * or at the deadline (performance.now() in ms) OutcomeUnknown, or StoreUnavailable when surely nothing was written.
 */
export async function commit(
  store: EventStore,
  stream: string,
  prepared: Prepared,
  deadline: number,
): Promise<Appended> {
  let unknown: OutcomeUnknown | undefined;
  for (let attempt = 0; ; attempt++) {
    try {
      return await store.append(stream, prepared.messages, prepared.expected, deadlineWithin(deadline));
    } catch (error) {
      if (error instanceof OutcomeUnknown) unknown = error;
      else if (!(error instanceof StoreUnavailable) && !(unknown && error instanceof RevisionConflict)) throw error;
      else if (performance.now() >= deadline) throw unknown ?? error;
    }
    if (unknown) {
      const settled = await settle(store, stream, prepared, deadline, unknown);
      if (settled) return settled;
    }
    await pause(attempt, deadline);
    if (performance.now() >= deadline) throw unknown ?? new StoreUnavailable(`an append to ${stream}`, 'out of time');
  }
}

async function settle(
  store: EventStore,
  stream: string,
  { expected, messages }: Prepared,
  deadline: number,
  unknown: OutcomeUnknown,
): Promise<Appended | undefined> {
  const from = expected === 'no_stream' ? 0n : expected + 1n;
  for (let attempt = 0; ; attempt++) {
    try {
      let last: Appended | undefined;
      for await (const event of store.read(stream, { from, maxCount: messages.length, ...deadlineWithin(deadline) })) {
        if (event.id !== messages[Number(event.revision - from)]?.id) {
          throw new RevisionConflict(stream, expected, event.revision);
        }
        last = { revision: event.revision, position: event.position };
      }
      return last;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      await pause(attempt, deadline);
      if (performance.now() >= deadline) throw unknown;
    }
  }
}

/** A pause that grows to at most `longest` ms, with jitter, cut short by the deadline. */
export async function pause(attempt: number, deadline: number, longest = 500): Promise<void> {
  const wanted = Math.min(longest, 5 * 2 ** attempt) * (0.5 + Math.random() / 2);
  await delay(Math.max(0, Math.min(wanted, deadline - performance.now())));
}

/** The time that a call may take when the command has until `deadline`. */
function deadlineWithin(deadline: number): { withinMs: number } {
  return { withinMs: Math.max(50, deadline - performance.now()) };
}
