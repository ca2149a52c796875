import { laterInstant, timeZone } from '../calendar';
import { DomainError } from '../domain-error';
import { openPeriod } from './boundary';
import { unpaused } from './change-items';
import type { SubscriptionEvent } from './events';
import type { Subscription } from './state';

/**
 * Lets periods begin and end by the clocks of another zone from the next boundary on; the zone that it is in takes a move back
 * that is to come. The period after the boundary begins where the one before ended, and its local dates go on: no day is charged
 * twice or left out. Nothing when it is so already. Raises `no-open-period`, `subscription-paused`, `cancellation-scheduled`,
 * `unknown-time-zone`, `boundary-due`, `subscription-canceled`. (billing-model.md §1)
 */
export function changeTimeZone(
  state: Subscription,
  input: { readonly timeZone: string },
  now: string,
): SubscriptionEvent[] {
  const subscription = unpaused(state, now);
  const zone = timeZone(input.timeZone);
  const { periodNumber, startsAt, endsAt } = openPeriod(subscription);
  if (zone === (subscription.scheduledTimeZone ?? subscription.timeZone)) return [];
  const effectiveAt = laterInstant(now, startsAt);
  const { cancelsAt } = subscription;
  const undone = zone === subscription.timeZone;
  // An end with a later period is a boundary by the clocks that were to hold then: by others the period would end beside it.
  if (cancelsAt !== null && (!undone || cancelsAt > endsAt)) throw new DomainError('cancellation-scheduled');
  if (undone) return [{ type: 'TimeZoneChangeUnscheduled', data: { effectiveAt, periodNumber } }];
  const data = { effectiveAt, periodNumber, timeZone: zone, takesEffectAt: endsAt };
  return [{ type: 'TimeZoneChangeScheduled', data }];
}
