import { defaultRules, type BillingRules } from '../billing-rules';
import { instant, timeZone, toLocal, type Interval } from '../calendar';
import { commitmentEdit, committed, type CommitmentEdit } from '../commitment/bounds';
import { DomainError } from '../domain-error';
import { currency } from '../money';
import { metadata, text } from '../text';
import { openAt } from './billing-period';
import { bill } from './bill';
import type { SubscriptionEvent } from './events';
import { outstandingLines } from './outstanding';
import { evolve, type Subscription } from './state';
import { newItems, startGrid, type Anchor, type NewItem } from './terms';

export interface StartSubscription {
  /** Derived from the external id or the key: ids.ts. */
  readonly subscriptionId: string;
  readonly externalId?: string | undefined;
  readonly customerId: string;
  readonly currency: string;
  readonly timeZone: string;
  /** Default 0. */
  readonly paymentTermsDays?: number | undefined;
  readonly interval: Interval;
  /** Default: the start of the local date of the start. */
  readonly anchor?: Anchor | undefined;
  /** Only now, which is the default: anything else raises `not-available`. */
  readonly startsAt?: string | undefined;
  readonly item: NewItem;
  /** Further items besides the first. */
  readonly items?: readonly NewItem[] | undefined;
  /** What a whole period comes to at least and at most, before discounts: decimals of the minor unit. Default: no bounds. */
  readonly commitment?: CommitmentEdit | undefined;
  /** Default: those of `defaultRules`. */
  readonly rules?: BillingRules | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/**
 * Starts a subscription now, opens its first period and bills what is due in advance. Raises `subscription-exists`,
 * `not-available` (a start at another time) and the codes of category `invalid`.
 */
export function start(state: Subscription, input: StartSubscription, now: string): SubscriptionEvent[] {
  if (state.status !== 'none') throw new DomainError('subscription-exists');
  const at = instant(now);
  if (input.startsAt !== undefined && instant(input.startsAt) !== at) {
    throw new DomainError('not-available', 'a subscription can only start now');
  }
  const zone = timeZone(input.timeZone);
  const local = toLocal(at, zone);
  const { externalId, paymentTermsDays = 0 } = input;
  if (!Number.isInteger(paymentTermsDays) || paymentTermsDays < 0 || paymentTermsDays > 365) {
    throw new DomainError('invalid-payment-terms');
  }
  const grid = startGrid(input.anchor, input.interval, local);
  const conditions = committed(undefined, commitmentEdit(input.commitment ?? {}));
  const data = {
    effectiveAt: at,
    subscriptionId: input.subscriptionId,
    ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
    customerId: text('customerId', input.customerId, 200),
    currency: currency(input.currency),
    timeZone: zone,
    paymentTermsDays,
    startsAt: at,
    anchor: grid.anchor,
    ...(grid.anchorDay !== undefined && { anchorDay: grid.anchorDay }),
    interval: grid.interval,
    items: newItems([input.item, ...(input.items ?? [])], local),
    rules: input.rules ?? defaultRules,
    metadata: metadata(input.metadata),
    ...(Object.keys(conditions).length > 0 && { conditions }),
  } as const;
  const started: SubscriptionEvent = { type: 'SubscriptionStarted', data };
  const opened = openAt(grid, zone, 1, at);
  const after = evolve(evolve(state, started), opened);
  return [started, opened, ...bill(after, 'start', 1, at, outstandingLines(after))];
}
