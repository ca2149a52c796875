import { randomUUID } from 'node:crypto';
import type { Catalogs, EventStore, NewEvent, Projection, StoredEvent } from '@perennial/event-sourcing';
import { sql } from 'kysely';

/** A small aggregate for tests of the runners, which know no billing. */
export const accountCatalogs: Catalogs = {
  account: { Opened: [], Deposited: [], Withdrawn: [], Poisoned: [], Noise: [] },
};

export const accountEvent = (type: string, data: object = {}): NewEvent => ({
  id: randomUUID(),
  type,
  data: { effectiveAt: '2026-01-01T00:00:00.000Z', ...data },
  metadata: {
    version: 1,
    recordedAt: '2026-01-01T00:00:00.000Z',
    tenant: 'default',
    key: randomUUID(),
    fingerprint: '',
    principal: 'test',
    correlationId: randomUUID(),
    hash: '',
  },
});

const amountOf = ({ event }: StoredEvent): bigint => {
  if (event.type === 'Poisoned') throw new TypeError('this event cannot be applied');
  const { amount = '0' } = event.data as { amount?: string };
  return event.type === 'Withdrawn' ? -BigInt(amount) : BigInt(amount);
};

/** One row an account, folded in memory and upserted. */
export const balances: Projection = {
  name: 'account-balances',
  version: 1,
  handles: ['Opened', 'Deposited', 'Withdrawn', 'Poisoned', 'CommandNoted'],
  tables: ['account_balance'],
  async create(db, schema) {
    await sql`create table ${sql.table(`${schema}.account_balance`)}
      (account uuid primary key, events int8 not null, total numeric not null, revision int8 not null)`.execute(db);
  },
  async apply(events, tx, schema) {
    const rows = new Map<string, { events: bigint; total: bigint; revision: bigint }>();
    for (const stored of events) {
      const row = rows.get(stored.aggregateId) ?? { events: 0n, total: 0n, revision: 0n };
      const next = { events: row.events + 1n, total: row.total + amountOf(stored), revision: stored.revision };
      rows.set(stored.aggregateId, next);
    }
    const ids = [...rows.keys()];
    const values = [...rows.values()];
    await sql`insert into ${sql.table(`${schema}.account_balance`)} as b
      select * from unnest(${ids}::uuid[], ${values.map((v) => v.events)}::int8[],
        ${values.map((v) => v.total.toString())}::numeric[], ${values.map((v) => v.revision)}::int8[])
      on conflict (account) do update set events = b.events + excluded.events, total = b.total + excluded.total,
        revision = excluded.revision`.execute(tx);
  },
};

/** One row an event, inserted without mercy: an event that comes twice is an error. */
export const journal: Projection = {
  name: 'account-journal',
  version: 1,
  handles: ['Opened', 'Deposited', 'Withdrawn'],
  tables: ['account_journal'],
  async create(db, schema) {
    await sql`create table ${sql.table(`${schema}.account_journal`)}
      (account uuid, revision int8, event_id uuid not null unique, type text not null, primary key (account, revision))`.execute(
      db,
    );
  },
  async apply(events, tx, schema) {
    await sql`insert into ${sql.table(`${schema}.account_journal`)}
      select * from unnest(${events.map((e) => e.aggregateId)}::uuid[], ${events.map((e) => e.revision)}::int8[],
        ${events.map((e) => e.id)}::uuid[], ${events.map((e) => e.event.type)}::text[])`.execute(tx);
  },
};

/** Appends to accounts as one writer, at the revisions that it knows. */
export class Accounts {
  readonly revisions = new Map<string, bigint>();
  position = -1n;

  constructor(
    private readonly store: EventStore,
    private readonly prefix: string,
  ) {}

  streamOf = (account: string) => `${this.prefix}.account-${account}`;

  async append(account: string, ...events: NewEvent[]): Promise<bigint> {
    const expected = this.revisions.get(account) ?? 'no_stream';
    const { revision, position } = await this.store.append(this.streamOf(account), events, expected);
    this.revisions.set(account, revision);
    if (position > this.position) this.position = position;
    return position;
  }

  deposit(account: string, ...amounts: number[]): Promise<bigint> {
    return this.append(account, ...amounts.map((amount) => accountEvent('Deposited', { amount: String(amount) })));
  }
}
