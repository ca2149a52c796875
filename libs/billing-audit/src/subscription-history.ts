import type { Subscription, SubscriptionEvent } from '@perennial/billing-domain';
import type { AggregateRepository, EventStore, JsonValue } from '@perennial/event-sourcing';
import { streamNames } from '@perennial/event-sourcing';
import { type FieldChange, fieldChanges } from './changes';
import { subscriptionDocument } from './subscription-document';

/** A point in the life of a subscription: after a revision, or before the first event recorded after an instant. */
export type Point = { readonly atRevision: bigint } | { readonly at: string };

/** A subscription as it was at a point. */
export interface SubscriptionAt {
  /** Of the last event that made it. */
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
  readonly subscription: Readonly<Record<string, JsonValue>>;
}

export interface SubscriptionDiff {
  readonly from: Omit<SubscriptionAt, 'subscription'>;
  readonly to: Omit<SubscriptionAt, 'subscription'>;
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

type Subscriptions = Pick<AggregateRepository<Subscription, SubscriptionEvent>, 'loadAt'>;

const maxDiffEvents = 1_000;

/** The subscription as it was, by replaying its events without snapshots; undefined when there was none for this tenant. */
export async function subscriptionAt(
  subscriptions: Subscriptions,
  id: string,
  tenant: string,
  point: Point,
): Promise<SubscriptionAt | undefined> {
  const loaded = await subscriptions.loadAt(
    id,
    tenant,
    'at' in point ? { at: point.at } : { revision: point.atRevision },
  );
  if (!loaded || loaded.state.status === 'none') return undefined;
  return {
    revision: loaded.revision.toString(),
    position: loaded.position.toString(),
    recordedAt: loaded.recordedAt,
    subscription: subscriptionDocument(loaded.state),
  };
}

/** What changed between two points, field by field, and the events in between; undefined when either does not exist. */
export async function subscriptionDiff(
  deps: { readonly subscriptions: Subscriptions; readonly store: EventStore; readonly prefix: string },
  id: string,
  tenant: string,
  from: Point,
  to: Point,
): Promise<SubscriptionDiff | undefined> {
  const before = await subscriptionAt(deps.subscriptions, id, tenant, from);
  const after = before && (await subscriptionAt(deps.subscriptions, id, tenant, to));
  if (!after) return undefined;
  const { subscription: documentBefore, ...start } = before;
  const { subscription: documentAfter, ...end } = after;

  const events: EventSummary[] = [];
  const first = BigInt(start.revision) + 1n;
  const count = Number(BigInt(end.revision) - first + 1n);
  if (count > 0) {
    const stream = streamNames(deps.prefix).of('subscription', id);
    for await (const event of deps.store.read(stream, { from: first, maxCount: Math.min(count, maxDiffEvents) }))
      events.push(summary(event));
  }
  return {
    from: start,
    to: end,
    changes: fieldChanges(documentBefore, documentAfter),
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
