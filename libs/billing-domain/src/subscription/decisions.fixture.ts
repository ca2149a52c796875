import { DomainError } from '../domain-error';
import type { Line } from '../line';
import { nextBoundary } from './boundary';
import type { SubscriptionEvent } from './events';
import { evolve, notStarted, type Subscription } from './state';
import { start, type StartSubscription } from './start';
import { rollOver } from './subscription';

export type Decision = (state: Subscription) => SubscriptionEvent[];

/** The state after decisions, one after the other. */
export function given(...decisions: readonly Decision[]): Subscription {
  return decisions.reduce<Subscription>(
    (state, decide) => decide(state).reduce<Subscription>(evolve, state),
    notStarted,
  );
}

/** The code with which a decision refuses, or what it decided. */
export function refusal(decide: () => unknown): string {
  try {
    return `decided ${JSON.stringify(decide())}`;
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

/** 30.00 in advance every 30 days, in UTC, from 2026-01-01. */
export const thirtyDays: StartSubscription = {
  subscriptionId: '5d2eec52-086d-5f3c-8395-ed5062da6fd9',
  customerId: 'customer-1',
  currency: 'USD',
  timeZone: 'UTC',
  interval: { unit: 'day', count: 30 },
  item: { description: 'Base', unitPrice: '3000', timing: 'advance' },
};

export const startOn =
  (day: string, changes: Partial<StartSubscription> = {}, item: Partial<StartSubscription['item']> = {}): Decision =>
  (state) =>
    start(state, { ...thirtyDays, ...changes, item: { ...thirtyDays.item, ...item } }, at(day));

/** Midnight UTC of a date. */
export const at = (day: string) => (day.length === 10 ? `${day}T00:00:00.000Z` : day);

/** Starts what is scheduled, and rolls over every period that has elapsed, as the scheduler does. */
export const catchUp =
  (now: string): Decision =>
  (state) => {
    const events: SubscriptionEvent[] = [];
    let current = state;
    for (;;) {
      const due = current.status === 'none' ? undefined : nextBoundary(current);
      if (!due || at(now) < due.endsAt) return events;
      const next = rollOver(current, due.periodNumber, at(now));
      events.push(...next);
      current = next.reduce<Subscription>(evolve, current);
    }
  };

/** What is billed: service and net of each line, in order. */
export function billed(events: readonly SubscriptionEvent[]): [string, string, string][] {
  return linesOf(events).map(({ service, net }) => [service.from, service.to, net]);
}

export function linesOf(events: readonly SubscriptionEvent[]): Line[] {
  return events.flatMap((event) => (event.type === 'LinesBilled' ? event.data.lines : []));
}
