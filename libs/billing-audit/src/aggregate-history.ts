import type { AggregateRepository, DomainEvent, EventStore, JsonValue } from '@perennial/event-sourcing';
import { streamNames } from '@perennial/event-sourcing';
import { type FieldChange, fieldChanges } from './changes';

/** A point in the life of an aggregate: after a revision, or before the first event recorded after an instant. */
export type Point = { readonly atRevision: bigint } | { readonly at: string };

/** Where an aggregate stood at a point. */
export interface Place {
  /** Of the last event that made it. */
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface HistoryDiff {
  readonly from: Place;
  readonly to: Place;
  readonly changes: readonly FieldChange[];
  /** The events after `from` up to `to`, oldest first, at most 1,000. */
  readonly events: readonly EventSummary[];
  /** Where the events go on when there are more; the stream's events can be read from there. */
  readonly nextRevision: string | null;
}

/** What happened, by whom and why, without its data. */
export interface EventSummary {
  readonly revision: string;
  readonly type: string;
  readonly recordedAt: string;
  readonly effectiveAt: string | null;
  readonly principal: string;
  readonly actor: string | null;
  readonly reason: string | null;
  readonly key: string;
}

/** An aggregate as it was. */
export interface DocumentAt {
  readonly place: Place;
  readonly document: Readonly<Record<string, JsonValue>>;
}

const maxDiffEvents = 1_000;

/** The aggregate as it was, by replaying its events without snapshots; undefined when there was none for this tenant. */
export async function documentAt<State, Event extends DomainEvent>(
  repository: Pick<AggregateRepository<State, Event>, 'loadAt'>,
  id: string,
  tenant: string,
  point: Point,
  /** Undefined of a state before the first event. */
  show: (state: State) => Readonly<Record<string, JsonValue>> | undefined,
): Promise<DocumentAt | undefined> {
  const loaded = await repository.loadAt(id, tenant, 'at' in point ? { at: point.at } : { revision: point.atRevision });
  const document = loaded && show(loaded.state);
  if (!document) return undefined;
  const { revision, position, recordedAt } = loaded;
  return { place: { revision: revision.toString(), position: position.toString(), recordedAt }, document };
}

/** What changed between two points, field by field, and the events in between; undefined when either does not exist. */
export async function diffBetween(
  { store, prefix }: { readonly store: EventStore; readonly prefix: string },
  aggregate: string,
  id: string,
  at: (point: Point) => Promise<DocumentAt | undefined>,
  from: Point,
  to: Point,
): Promise<HistoryDiff | undefined> {
  const before = await at(from);
  const after = before && (await at(to));
  if (!after) return undefined;
  const events: EventSummary[] = [];
  const first = BigInt(before.place.revision) + 1n;
  const count = Number(BigInt(after.place.revision) - first + 1n);
  if (count > 0) {
    const stream = streamNames(prefix).of(aggregate, id);
    for await (const event of store.read(stream, { from: first, maxCount: Math.min(count, maxDiffEvents) }))
      events.push(summary(event));
  }
  return {
    from: before.place,
    to: after.place,
    changes: fieldChanges(before.document, after.document),
    events,
    nextRevision: count > maxDiffEvents ? (first + BigInt(maxDiffEvents)).toString() : null,
  };
}

function summary(event: { revision: bigint; type: string; data: unknown; metadata: unknown }): EventSummary {
  const metadata = event.metadata as Readonly<Record<string, unknown>>;
  const data = event.data as Readonly<Record<string, unknown>>;
  const text = (value: unknown) => (typeof value === 'string' ? value : null);
  return {
    revision: event.revision.toString(),
    type: event.type,
    recordedAt: text(metadata['recordedAt']) ?? '',
    effectiveAt: text(data['effectiveAt']),
    principal: text(metadata['principal']) ?? '',
    actor: text(metadata['actor']),
    reason: text(metadata['reason']),
    key: text(metadata['key']) ?? '',
  };
}
