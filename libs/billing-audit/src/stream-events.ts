import {
  type EventStore,
  type JsonValue,
  type RecordedEvent,
  chainStart,
  chainStep,
  decode,
  streamNames,
} from '@perennial/event-sourcing';
import { aggregates } from './aggregates';

/** An event as an auditor reads it: as it is stored, in today's shape, and whether its hash chains to the one before. */
export interface AuditedEvent {
  readonly revision: string;
  readonly position: string;
  readonly id: string;
  readonly type: string;
  readonly recordedAt: string | null;
  readonly hash: string | null;
  readonly chainHolds: boolean;
  /** What is wrong with it, when the chain does not hold or it cannot be decoded. */
  readonly problems: readonly string[];
  /** The data in today's shape; null when it cannot be decoded. */
  readonly data: JsonValue;
  /** Data and metadata exactly as stored. */
  readonly stored: { readonly data: JsonValue; readonly metadata: JsonValue };
}

export interface StreamPage {
  readonly stream: string;
  readonly aggregate: string;
  readonly aggregateId: string;
  readonly events: readonly AuditedEvent[];
  /** Where the next page begins; null at the end of the stream. */
  readonly nextRevision: string | null;
  /** Whether the chain holds in this page and from the event before it. */
  readonly chainHolds: boolean;
}

export const maxStreamPage = 1_000;
/** A page ends early when its events come to this much, as stored. */
const pageBytes = 4 * 1024 * 1024;

/**
 * One page of a stream of history, oldest first. undefined when there is no such stream for this tenant.
 * `limit` is cut to 1–1,000.
 */
export async function streamEvents(
  store: EventStore,
  prefix: string,
  stream: string,
  o: { readonly tenant: string; readonly fromRevision?: bigint; readonly limit?: number },
): Promise<StreamPage | undefined> {
  const address = streamNames(prefix).parse(stream);
  const type = address && aggregates.get(address.aggregate);
  if (!address || !type) return undefined;
  const first = await firstEvent(store, stream);
  if (first === undefined || tenantOf(first) !== o.tenant) return undefined;

  const from = o.fromRevision ?? 0n;
  const limit = Math.min(Math.max(o.limit ?? 100, 1), maxStreamPage);
  const events: AuditedEvent[] = [];
  let state = chainStart;
  let bytes = 0;
  let nextRevision: bigint | undefined;
  // The event before the page gives the hash that the first of the page must chain to; one after it tells of a next page.
  const readFrom = from === 0n ? 0n : from - 1n;
  for await (const event of store.read(stream, { from: readFrom, maxCount: limit + (from === 0n ? 1 : 2) })) {
    if (event.revision < from) {
      state = { ...chainStep(chainStart, event).state, next: from };
      continue;
    }
    bytes += JSON.stringify([event.data, event.metadata]).length;
    if (events.length === limit || (events.length > 0 && bytes > pageBytes)) {
      nextRevision = event.revision;
      break;
    }
    const step = chainStep(state, event);
    state = step.state;
    const problems = step.breaks.map(
      ({ problem, expected, found }) => `${problem}: expected ${expected}, found ${found}`,
    );
    events.push(audited(event, problems, () => decode(event, type.catalog).event.data as JsonValue));
  }
  return {
    stream,
    aggregate: address.aggregate,
    aggregateId: address.id,
    events,
    nextRevision: nextRevision?.toString() ?? null,
    chainHolds: events.every((event) => event.chainHolds),
  };
}

function audited(event: RecordedEvent, chainProblems: readonly string[], decoded: () => JsonValue): AuditedEvent {
  const problems = [...chainProblems];
  let data: JsonValue = null;
  try {
    data = decoded();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  const metadata = event.metadata as { recordedAt?: unknown; hash?: unknown } | null;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return {
    revision: event.revision.toString(),
    position: event.position.toString(),
    id: event.id,
    type: event.type,
    recordedAt: text(metadata?.recordedAt),
    hash: text(metadata?.hash),
    chainHolds: chainProblems.length === 0,
    problems,
    data,
    stored: { data: event.data as JsonValue, metadata: event.metadata as JsonValue },
  };
}

async function firstEvent(store: EventStore, stream: string): Promise<RecordedEvent | undefined> {
  for await (const event of store.read(stream, { maxCount: 1 })) return event;
  return undefined;
}

function tenantOf(event: RecordedEvent): unknown {
  return (event.metadata as { tenant?: unknown } | null)?.tenant;
}
