import { laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import type { Line } from '../line';
import { linesBilled } from './bill';
import { living, startedState } from './boundary';
import type { SubscriptionEvent } from './events';
import { evolve, type Subscription } from './state';

export interface ReleaseBill {
  readonly billNumber: number;
  /** The lines of the voided invoice, whole: the subscription keeps those of its last periods alone. */
  readonly lines: readonly Line[];
  /** They go on a bill of their own at once; or they are waived, and nobody is charged for them again. */
  readonly rebill: boolean;
  /** Of the bill. Default: the subscription's. */
  readonly currency?: string | undefined;
}

/**
 * Takes the lines of a voided invoice back: onto a new bill, or waived. Once per bill: the key that the policy derives from the
 * void sees to that. Raises `bill-not-found`, `boundary-due`. (billing-model.md §3)
 */
export function releaseBill(
  state: Subscription,
  { billNumber, lines, rebill, currency }: ReleaseBill,
  now: string,
): SubscriptionEvent[] {
  const subscription = startedState(state);
  // One that has ended, or is held, can still release a bill; any other does it within its open period.
  if (subscription.status !== 'canceled' && !subscription.hold) living(subscription, now);
  const { lastClosed, openPeriod: period } = subscription;
  if (!Number.isSafeInteger(billNumber) || billNumber < 1 || billNumber > subscription.billNumber) {
    throw new DomainError('bill-not-found', undefined, { billNumber });
  }
  const effectiveAt = laterInstant(now, period?.startsAt ?? lastClosed?.endsAt ?? now);
  const lineIds = lines.map(({ lineId }) => lineId);
  const net = lines.reduce((sum, line) => sum + BigInt(line.net), 0n).toString();
  const other = currency !== undefined && currency !== subscription.currency && { currency };
  const data = { effectiveAt, billNumber, rebill, lineIds, net, ...other };
  const released: SubscriptionEvent = { type: 'BillReleased', data };
  if (!rebill) return [released];
  const after = { ...evolve(subscription, released), ...other };
  return [released, ...linesBilled(after, 'rebill', after.periodNumber, effectiveAt, lines)];
}
