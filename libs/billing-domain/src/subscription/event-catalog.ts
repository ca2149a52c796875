import type { SubscriptionEvent } from './events';

/** Every event type of a subscription with its upcasts in order; its version is 1 + their number. A type left out does not compile. */
export const subscriptionEvents: Readonly<Record<SubscriptionEvent['type'], readonly ((data: unknown) => unknown)[]>> =
  {
    SubscriptionStarted: [],
    BillingPeriodOpened: [],
    BillingPeriodClosed: [],
    UsageBilled: [],
    LineItemAdded: [],
    LineItemsAdded: [],
    LineItemVoided: [],
    LinesBilled: [],
    SubscriptionPaused: [],
    PauseScheduled: [],
    PauseUnscheduled: [],
    SubscriptionResumed: [],
    CancellationScheduled: [],
    CancellationUnscheduled: [],
    SubscriptionCanceled: [],
    PeriodsChanged: [],
    BillingHeld: [],
    BillingHoldReleased: [],
    ItemsChanged: [],
    ItemsChangeScheduled: [],
    ItemsChangeUnscheduled: [],
    BillingCycleChanged: [],
    MetadataChanged: [],
    BillReleased: [],
    CouponApplied: [],
    CouponRemoved: [],
  };
