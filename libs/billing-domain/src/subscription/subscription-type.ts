import { subscriptionEvents } from './event-catalog';
import { stateFromJson, stateToJson, stateVersion } from './snapshot';
import { evolve, notStarted, type Subscription } from './state';

/** What the aggregate repository needs to know of subscriptions. */
export const subscriptionType = {
  name: 'subscription',
  catalog: subscriptionEvents,
  initial: notStarted as Subscription,
  evolve,
  snapshot: { version: stateVersion, toJSON: stateToJson, fromJSON: stateFromJson },
} as const;
