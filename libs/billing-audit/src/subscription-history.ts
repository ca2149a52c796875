import type { Subscription, SubscriptionEvent } from '@perennial/billing-domain';
import type { AggregateRepository, EventStore, JsonValue } from '@perennial/event-sourcing';
import { diffBetween, documentAt, type HistoryDiff, type Place, type Point } from './aggregate-history';
import { subscriptionDocument } from './subscription-document';

/** A subscription as it was at a point. */
export interface SubscriptionAt extends Place {
  readonly subscription: Readonly<Record<string, JsonValue>>;
}

export type SubscriptionDiff = HistoryDiff;

type Subscriptions = Pick<AggregateRepository<Subscription, SubscriptionEvent>, 'loadAt'>;

const show = (state: Subscription) => (state.status === 'none' ? undefined : subscriptionDocument(state));

/** The subscription as it was, by replaying its events without snapshots; undefined when there was none for this tenant. */
export async function subscriptionAt(
  subscriptions: Subscriptions,
  id: string,
  tenant: string,
  point: Point,
): Promise<SubscriptionAt | undefined> {
  const found = await documentAt(subscriptions, id, tenant, point, show);
  return found && { ...found.place, subscription: found.document };
}

/** What changed between two points, field by field, and the events in between; undefined when either does not exist. */
export async function subscriptionDiff(
  deps: { readonly subscriptions: Subscriptions; readonly store: EventStore; readonly prefix: string },
  id: string,
  tenant: string,
  from: Point,
  to: Point,
): Promise<SubscriptionDiff | undefined> {
  const at = (point: Point) => documentAt(deps.subscriptions, id, tenant, point, show);
  return diffBetween(deps, 'subscription', id, at, from, to);
}
