import { setTimeout as delay } from 'node:timers/promises';
import {
  AggregateRepository,
  type AggregateType,
  type CommandContext,
  EventStore,
  type RepositoryOptions,
} from '@perennial/event-sourcing';

export type AccountEvent =
  | { readonly type: 'Opened'; readonly data: { readonly effectiveAt: string; readonly owner: string } }
  | {
      readonly type: 'Deposited';
      readonly data: { readonly effectiveAt: string; readonly amount: number; readonly note?: string };
    }
  | { readonly type: 'Closed'; readonly data: { readonly effectiveAt: string } };

export interface Account {
  readonly status: 'none' | 'open' | 'closed';
  readonly balance: number;
  readonly deposits: number;
}

export class Refused extends Error {}

/** A small aggregate for the specs of the write side. */
export const accountType: AggregateType<Account, AccountEvent> = {
  name: 'account',
  catalog: { Opened: [], Deposited: [], Closed: [] },
  initial: { status: 'none', balance: 0, deposits: 0 },
  evolve(state, event) {
    switch (event.type) {
      case 'Opened':
        return { ...state, status: 'open' };
      case 'Deposited':
        return { ...state, balance: state.balance + event.data.amount, deposits: state.deposits + 1 };
      case 'Closed':
        return { ...state, status: 'closed' };
    }
  },
  snapshot: { version: 1, toJSON: (state) => ({ ...state }), fromJSON: (json) => json as unknown as Account },
};

const effectiveAt = '2026-01-01T00:00:00.000Z';

export const open =
  (owner = 'ada') =>
  (state: Account): AccountEvent[] => {
    if (state.status === 'closed') throw new Refused('closed');
    return state.status === 'open' ? [] : [{ type: 'Opened', data: { effectiveAt, owner } }];
  };

/** No amount changes nothing. */
export const deposit =
  (amount: number, note?: string) =>
  (state: Account): AccountEvent[] => {
    if (state.status !== 'open') throw new Refused(`account is ${state.status}`);
    return amount === 0
      ? []
      : [{ type: 'Deposited', data: { effectiveAt, amount, ...(note === undefined ? {} : { note }) } }];
  };

export const close =
  () =>
  (state: Account): AccountEvent[] =>
    state.status === 'closed' ? [] : [{ type: 'Closed', data: { effectiveAt } }];

export function context(key: string, change: Partial<CommandContext> = {}): CommandContext {
  return {
    tenant: 'acme',
    key,
    fingerprint: `fingerprint of ${key}`,
    principal: 'api-key:1',
    correlationId: 'c',
    now: '2026-01-01T00:00:00.000Z',
    ...change,
  };
}

export type Accounts = AggregateRepository<Account, AccountEvent>;

/** What one process has: a connection and a repository of its own. */
export function accountProcess(
  store: { url: string; prefix: string },
  options: Partial<RepositoryOptions> & { appendDeadlineMs?: number; readDeadlineMs?: number } = {},
): { store: EventStore; accounts: Accounts } {
  const { appendDeadlineMs = 2_000, readDeadlineMs = 5_000, ...repository } = options;
  const connection = EventStore.connect({ url: store.url, appendDeadlineMs, readDeadlineMs });
  return {
    store: connection,
    accounts: new AggregateRepository(accountType, { store: connection, streamPrefix: store.prefix, ...repository }),
  };
}

/** Waits for a condition, looking every few ms; throws after `withinMs`. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come true in time');
    await delay(5);
  }
}

export async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}
