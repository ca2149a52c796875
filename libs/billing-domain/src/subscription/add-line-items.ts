import { laterInstant } from '../calendar';
import { DomainError, type DomainErrorCode } from '../domain-error';
import type { Line } from '../line';
import { addLine, evolvePeriod, type BillingPeriod } from './billing-period';
import { living, openPeriod } from './boundary';
import type { LineItemAdded, LineItemsAdded, SubscriptionEvent } from './events';
import type { StartedSubscription, Subscription } from './state';
import { roomBeside, roomOf, type Room } from './room';
import { newLine, type NewLineItem } from './subscription';

/** Line items that one batch takes. */
export const MAX_BATCH = 500;

/** What became of one line item of a batch. */
export interface LineItemOutcome {
  readonly lineItemId: string;
  /** exists: the same one was added before. */
  readonly outcome: 'added' | 'exists' | 'refused';
  readonly code?: string;
}

/**
 * Adds line items to the open period in the order given, each on its own, in one event: what is refused stops no other, but once
 * the period is full it is full for all that follow. `remembered`: of each, whether its id was used before with this content or other. Nothing
 * when all exist. Raises `invalid-option`, `no-open-period`, `boundary-due`, `subscription-canceled`.
 */
export function addLineItems(
  state: Subscription,
  inputs: readonly NewLineItem[],
  remembered: readonly ('same' | 'other' | undefined)[],
  now: string,
): SubscriptionEvent[] {
  if (inputs.length < 1 || inputs.length > MAX_BATCH)
    throw new DomainError('invalid-option', `1 to ${MAX_BATCH} at once`);
  const subscription = living(state, now);
  let period = openPeriod(subscription);
  const at = laterInstant(now, period.startsAt);
  let room = roomOf(subscription);
  const lines: Line[] = [];
  const notAdded: LineItemsAdded['data']['notAdded'][number][] = [];
  let full = false;
  for (const [index, input] of inputs.entries()) {
    const { lineItemId } = input;
    const judged = judge(subscription, period, input, at, room, remembered[index]);
    if (judged === 'exists') notAdded.push({ index, lineItemId, outcome: 'exists' });
    else if (typeof judged === 'string' || full) {
      const code: DomainErrorCode = typeof judged === 'string' ? judged : 'billing-period-full';
      full ||= code === 'billing-period-full';
      notAdded.push({ index, lineItemId, outcome: 'refused', code });
    } else {
      lines.push(judged.data.line);
      room = roomBeside(subscription, judged.data.line, room);
      period = evolvePeriod(period, judged);
    }
  }
  if (notAdded.length === inputs.length && notAdded.every(({ outcome }) => outcome === 'exists')) return [];
  const { periodNumber } = period;
  return [{ type: 'LineItemsAdded', data: { effectiveAt: at, periodNumber, lines, notAdded } }];
}

/** What became of each line item, in the order of the batch, as the events of its command say. */
export function lineItemOutcomes(ids: readonly string[], events: readonly SubscriptionEvent[]): LineItemOutcome[] {
  const event = events.find((each) => each.type === 'LineItemsAdded');
  const others = new Map(event?.data.notAdded.map(({ index, ...other }) => [index, other]));
  const otherwise = event ? 'added' : 'exists';
  return ids.map((lineItemId, index) => others.get(index) ?? { lineItemId, outcome: otherwise });
}

function judge(
  subscription: StartedSubscription,
  period: BillingPeriod,
  input: NewLineItem,
  at: string,
  room: Room,
  remembered: 'same' | 'other' | undefined,
): LineItemAdded | 'exists' | DomainErrorCode {
  if (remembered) return remembered === 'same' ? 'exists' : 'line-item-exists';
  try {
    const { line, known } = newLine(subscription, period, input, at);
    const [added] = addLine(period, line, known, at, roomBeside(subscription, line, room));
    return added ?? 'exists';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}
