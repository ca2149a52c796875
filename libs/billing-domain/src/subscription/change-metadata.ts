import { laterInstant } from '../calendar';
import { patched, type MetadataPatch } from '../metadata';
import { living, startedState } from './boundary';
import type { SubscriptionEvent } from './events';
import type { Subscription } from './state';

/**
 * Changes the caller's own notes, also after the end. Nothing when they are so already. Raises `subscription-not-found`,
 * `boundary-due`, `invalid-metadata`.
 */
export function changeMetadata(state: Subscription, patch: MetadataPatch, now: string): SubscriptionEvent[] {
  const started = startedState(state);
  const { openPeriod, lastClosed, metadata: before } = started.status === 'canceled' ? started : living(state, now);
  const metadata = patched(before, patch);
  if (!metadata) return [];
  const effectiveAt = laterInstant(now, openPeriod?.startsAt ?? lastClosed?.endsAt ?? now);
  return [{ type: 'MetadataChanged', data: { effectiveAt, metadata } }];
}
