import { randomUUID } from 'node:crypto';
import { fingerprintOf } from '@perennial/billing-application';
import {
  addLineItem,
  rollOver,
  rollOverKey,
  start,
  subscriptionType,
  type NewLineItem,
  type Subscription,
  type SubscriptionEvent,
} from '@perennial/billing-domain';
import {
  chainHash,
  encode,
  streamNames,
  type DomainEvent,
  type EventStore,
  type NewEvent,
  type Remembered,
} from '@perennial/event-sourcing';
import type { Random } from '../support/random';

const DAY = 86_400_000;
const at = (ms: number) => new Date(ms).toISOString();
/** A period has a day; so many line items come in it before it is rolled over. */
const LINE_ITEMS_PER_PERIOD = 40;

/** An append of a subscription's life: what one command recorded. */
export type Recorded = readonly NewEvent[];

/**
 * The life of a subscription as commands would have recorded it, one append after the other and without end: decided by the
 * domain, with envelopes, keys, remembered line items and the hash chain, but without a server in between.
 */
export function* subscriptionLife(
  id: string,
  random: Random,
  /** Midnight of its first day, ms. */
  first = Date.UTC(2010, 0, 1),
  tenant = 'default',
): Generator<Recorded, never> {
  let state: Subscription = subscriptionType.initial;
  let hash = '';
  const record = (
    key: string,
    content: object,
    now: string,
    decide: (state: Subscription) => readonly SubscriptionEvent[],
    remembers: readonly Remembered[] = [],
  ): Recorded =>
    decide(state).map((event: DomainEvent, index) => {
      const { type, version, data } = encode(event, subscriptionType.catalog, { aggregate: 'subscription', id });
      const envelope = {
        version,
        recordedAt: now,
        tenant,
        key,
        fingerprint: fingerprintOf(content),
        principal: 'bench',
        correlationId: key,
        ...(index === 0 && remembers.length > 0 && { remembers }),
      };
      const eventId = randomUUID();
      hash = chainHash(hash, { id: eventId, type, data, metadata: envelope });
      state = subscriptionType.evolve(state, event as SubscriptionEvent);
      return { id: eventId, type, data: data as object, metadata: { ...envelope, hash } };
    });

  const terms = {
    subscriptionId: id,
    customerId: `customer of ${id}`,
    currency: 'USD',
    timeZone: 'UTC',
    interval: { unit: 'day', count: 1 },
    item: { description: 'Base', unitPrice: '3000', timing: 'advance', quantity: '3' },
  } as const;
  yield record(randomUUID(), terms, at(first), (none) => start(none, terms, at(first)));
  for (let period = 1; ; period += 1) {
    const begins = first + (period - 1) * DAY;
    for (let n = 0; n < LINE_ITEMS_PER_PERIOD; n += 1) {
      const now = at(begins + ((n + 1) * DAY) / (LINE_ITEMS_PER_PERIOD + 1));
      const lineItem = randomLineItem(`${period}-${n}`, random);
      const remembered = { kind: 'line-item', id: lineItem.lineItemId, fingerprint: fingerprintOf(lineItem) };
      yield record(randomUUID(), lineItem, now, (state) => addLineItem(state, lineItem, now), [remembered]);
    }
    const boundary = at(begins + DAY);
    const content = { command: 'RollOverBillingPeriod', subscriptionId: id, periodNumber: period };
    yield record(rollOverKey(id, period), content, boundary, (state) => rollOver(state, period, boundary));
  }
}

/** When a life of so many events has to begin to be in its last, elapsed day at the start of today, ms. */
export function beginsSoThatNow(events: number): number {
  const days = Math.ceil(events / (LINE_ITEMS_PER_PERIOD + 3));
  return Math.floor(Date.now() / DAY) * DAY - days * DAY;
}

/** A line item as callers send it. */
export function randomLineItem(lineItemId: string, random: Random): NewLineItem {
  return {
    lineItemId,
    description: `Support, ${random.between(1, 90)} minutes, ticket ${random.word(8)}`,
    quantity: `${random.between(1, 20)}`,
    unitPrice: `${random.between(1, 9_999)}.${random.between(1, 9)}`,
    metadata: { ticket: random.word(8) },
  };
}

/** The first `count` events of a life: whole appends but for the last, which is cut. */
export function* firstEvents(life: Iterable<Recorded>, count: number): Generator<NewEvent> {
  let left = count;
  for (const recorded of life) {
    yield* recorded.slice(0, left);
    left -= recorded.length;
    if (left <= 0) return;
  }
}

/** Appends a subscription's events in large appends, from the revision after `after` on; gives the revision of the last. */
export async function appendHistory(
  store: EventStore,
  prefix: string,
  id: string,
  events: Iterable<NewEvent>,
  after = -1n,
): Promise<bigint> {
  const stream = streamNames(prefix).of('subscription', id);
  let revision = after;
  const append = async (batch: readonly NewEvent[]) => {
    if (batch.length > 0) ({ revision } = await store.append(stream, batch, revision < 0n ? 'no_stream' : revision));
  };
  let batch: NewEvent[] = [];
  for (const event of events) {
    batch.push(event);
    if (batch.length < 250) continue;
    await append(batch);
    batch = [];
  }
  await append(batch);
  return revision;
}
