import { sql, type Kysely, type Transaction } from 'kysely';
import type { Projection } from './projection';

/** A Kysely of any tables, or a transaction of it: what is here names its tables itself. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as Database.db of libs/platform
export type AnyDatabase = Kysely<any>;

/** A transaction as projections take it. */
export const forProjection = (tx: AnyDatabase) => tx as unknown as Transaction<unknown>;

/** How far a feed has come. Null: at the start of the log. */
export interface FeedRow {
  /** Everything up to here is in the rows; where to resume. */
  readonly position: bigint | null;
  /** Id of the event at `position`: a store in which another stands there is not the one that was read. */
  readonly position_id: string | null;
  /** The same of the last event of an aggregate; unlike others these are never truncated. */
  readonly event_position: bigint | null;
  readonly event_id: string | null;
  /** Counts the owners; every write names its own. */
  readonly epoch: bigint;
  readonly owner: string | null;
  /** Changes when what is parked or which models there are was changed outside the feed's own batches. */
  readonly generation: bigint;
  /** How long ago the rows last held everything that was in the store, in ms; null: never yet. */
  readonly caught_up_ms: number | null;
  /** Whether somebody holds the lease. */
  readonly leased: boolean;
}

/** An event that a model could not take; its stream waits for it. */
export interface ParkedRow {
  readonly projection: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly event_id: string;
  readonly type: string;
  readonly error: string;
  readonly parked_at: string;
}

/** The runner's own tables; a projection must not use these names. */
export const feedTables = (schema: string) => ({
  feed: sql.table(`${schema}.projection_feed`),
  models: sql.table(`${schema}.projection_model`),
  streams: sql.table(`${schema}.projection_stream`),
  parked: sql.table(`${schema}.projection_parked`),
});

/** Creates the schema and the runner's tables where they are missing. */
export async function createFeedTables(db: AnyDatabase, schema: string): Promise<void> {
  const t = feedTables(schema);
  const create = () =>
    db.transaction().execute(async (tx) => {
      await sql`create schema if not exists ${sql.id(schema)}`.execute(tx);
      await sql`create table if not exists ${t.feed} (
        only_row boolean primary key default true check (only_row),
        position int8, position_id text, event_position int8, event_id text,
        epoch int8 not null default 0, generation int8 not null default 0,
        owner text, lease_until timestamptz not null default '-infinity', caught_up_at timestamptz)`.execute(tx);
      await sql`create table if not exists ${t.models} (
        name text primary key, version int4 not null, stopped_at int8)`.execute(tx);
      await sql`create table if not exists ${t.streams} (stream text primary key, revision int8 not null)
        with (fillfactor = 80)`.execute(tx);
      await sql`create table if not exists ${t.parked} (
        projection text, stream text, revision int8 not null, position int8 not null, event_id text not null,
        type text not null, error text not null, parked_at timestamptz not null default clock_timestamp(),
        primary key (projection, stream))`.execute(tx);
      await sql`insert into ${t.feed} default values on conflict do nothing`.execute(tx);
    });
  try {
    await create();
  } catch (error) {
    // Two processes at once: `if not exists` is no lock, the second finds it made.
    if (!['23505', '42P06', '42P07', '42710'].includes((error as { code?: string }).code ?? '')) throw error;
    await create();
  }
}

const feedColumns = sql`position, position_id, event_position, event_id, epoch, owner, generation,
  lease_until > clock_timestamp() as leased,
  (extract(epoch from clock_timestamp() - caught_up_at) * 1000)::float8 as caught_up_ms`;

/** Throws an SQL error when the tables are not there. */
export async function readFeed(db: AnyDatabase, schema: string): Promise<FeedRow> {
  const { rows } = await sql<FeedRow>`select ${feedColumns} from ${feedTables(schema).feed}`.execute(db);
  if (!rows[0]) throw new Error(`${schema}.projection_feed has no row`);
  return rows[0];
}

/** Locks the feed until the transaction ends: no batch is written meanwhile. */
export async function lockFeed(tx: AnyDatabase, schema: string): Promise<FeedRow> {
  const { rows } = await sql<FeedRow>`select ${feedColumns} from ${feedTables(schema).feed} for update`.execute(tx);
  if (!rows[0]) throw new Error(`${schema}.projection_feed has no row`);
  return rows[0];
}

/** Becomes the owner if nobody is, or this one was, or `take`; what an earlier owner still tries to write is refused. */
export async function claimFeed(
  db: AnyDatabase,
  schema: string,
  { owner, ttlMs, take = false }: { owner: string; ttlMs: number; take?: boolean },
): Promise<FeedRow | undefined> {
  const { rows } = await sql<FeedRow>`update ${feedTables(schema).feed} set
      epoch = epoch + 1, owner = ${owner}, lease_until = ${until(ttlMs)}
    where ${take} or owner = ${owner} or lease_until <= clock_timestamp() returning ${feedColumns}`.execute(db);
  return rows[0];
}

/** Lets another take over at once. */
export async function releaseFeed(db: AnyDatabase, schema: string, epoch: bigint): Promise<void> {
  await sql`update ${feedTables(schema).feed} set lease_until = '-infinity', owner = null where epoch = ${epoch}`.execute(
    db,
  );
}

export interface FeedMove {
  readonly epoch: bigint;
  readonly ttlMs: number;
  /** Whether, with this, the rows hold everything that is known to be in the store. */
  readonly caughtUp: boolean;
  readonly to?: { readonly position: bigint; readonly id: string };
  readonly event?: { readonly position: bigint; readonly id: string };
}

/** Moves the feed and renews the lease; undefined when the lease belongs to another by now. */
export async function moveFeed(
  tx: AnyDatabase,
  schema: string,
  { epoch, ttlMs, caughtUp, to, event }: FeedMove,
): Promise<{ generation: bigint } | undefined> {
  const { rows } = await sql<{ generation: bigint }>`update ${feedTables(schema).feed} set
      position = coalesce(${to?.position ?? null}::int8, position),
      position_id = coalesce(${to?.id ?? null}::text, position_id),
      event_position = coalesce(${event?.position ?? null}::int8, event_position),
      event_id = coalesce(${event?.id ?? null}::text, event_id),
      caught_up_at = case when ${caughtUp}::bool then clock_timestamp() else caught_up_at end,
      lease_until = ${until(ttlMs)}
    where epoch = ${epoch} returning generation`.execute(tx);
  return rows[0];
}

/** Says that something beside the batches changed: the owner looks again before its next one. */
export async function touchFeed(tx: AnyDatabase, schema: string): Promise<void> {
  await sql`update ${feedTables(schema).feed} set generation = generation + 1`.execute(tx);
}

const until = (ttlMs: number) => sql`clock_timestamp() + ${ttlMs}::int8 * interval '1 millisecond'`;

/**
 * Notes the revisions that a batch brings, one row a stream. True when every stream goes on exactly where it stood;
 * else nothing may be kept of the batch.
 */
export async function noteRevisions(
  tx: AnyDatabase,
  schema: string,
  streams: readonly { stream: string; first: bigint; last: bigint }[],
): Promise<boolean> {
  if (streams.length === 0) return true;
  const t = feedTables(schema);
  const { rows } = await sql<{ noted: number }>`with incoming as (
      select * from unnest(${streams.map(({ stream }) => stream)}::text[], ${streams.map(({ first }) => first)}::int8[],
        ${streams.map(({ last }) => last)}::int8[]) as s (stream, first, last)),
    started as (insert into ${t.streams} select stream, last from incoming where first = 0
      on conflict do nothing returning 1),
    continued as (update ${t.streams} s set revision = i.last from incoming i
      where s.stream = i.stream and s.revision = i.first - 1 and i.first > 0 returning 1)
    select ((select count(*) from started) + (select count(*) from continued))::int4 as noted`.execute(tx);
  return rows[0]?.noted === streams.length;
}

/** The last revision applied of each of these streams; missing: none. */
export async function knownRevisions(
  db: AnyDatabase,
  schema: string,
  streams: readonly string[],
): Promise<Map<string, bigint>> {
  const { rows } = await sql<{ stream: string; revision: bigint }>`select stream, revision
    from ${feedTables(schema).streams} where stream = any(${[...streams]}::text[])`.execute(db);
  return new Map(rows.map(({ stream, revision }) => [stream, revision]));
}

export async function readParked(db: AnyDatabase, schema: string): Promise<ParkedRow[]> {
  const { rows } = await sql<ParkedRow>`select projection, stream, revision, position, event_id, type, error, parked_at
    from ${feedTables(schema).parked} order by projection, position`.execute(db);
  return rows;
}

/** Parks an event, or moves what is parked of its stream on to it. */
export async function park(tx: AnyDatabase, schema: string, row: Omit<ParkedRow, 'parked_at'>): Promise<void> {
  await sql`insert into ${feedTables(schema).parked} (projection, stream, revision, position, event_id, type, error)
    values (${row.projection}, ${row.stream}, ${row.revision}, ${row.position}, ${row.event_id}, ${row.type}, ${row.error})
    on conflict (projection, stream) do update set revision = excluded.revision, position = excluded.position,
      event_id = excluded.event_id, type = excluded.type, error = excluded.error, parked_at = clock_timestamp()`.execute(
    tx,
  );
}

export async function unpark(tx: AnyDatabase, schema: string, projection: string, stream: string): Promise<void> {
  await sql`delete from ${feedTables(schema).parked}
    where projection = ${projection} and stream = ${stream}`.execute(tx);
}

/** The version that each model's tables were built for. */
export async function readModels(db: AnyDatabase, schema: string): Promise<Map<string, number>> {
  const { rows } = await sql<{ name: string; version: number }>`select name, version
    from ${feedTables(schema).models}`.execute(db);
  return new Map(rows.map(({ name, version }) => [name, version]));
}

export async function noteModel(tx: AnyDatabase, schema: string, { name, version }: Projection): Promise<void> {
  await sql`insert into ${feedTables(schema).models} (name, version) values (${name}, ${version})
    on conflict (name) do update set version = excluded.version, stopped_at = null`.execute(tx);
}

/** Says that a model's rows stay where they are now, because this build would make them otherwise. */
export async function stopModel(db: AnyDatabase, schema: string, name: string): Promise<void> {
  const t = feedTables(schema);
  await sql`update ${t.models} set stopped_at = (select coalesce(position, -1) from ${t.feed})
    where name = ${name} and stopped_at is null`.execute(db);
}

/** Puts everything back to the start of the log: empty tables for these projections, nothing parked. */
export async function resetFeed(db: AnyDatabase, schema: string, projections: readonly Projection[]): Promise<void> {
  const t = feedTables(schema);
  await db.transaction().execute(async (tx) => {
    await lockFeed(tx, schema);
    for (const projection of projections) {
      for (const table of projection.tables)
        await sql`drop table if exists ${sql.table(`${schema}.${table}`)}`.execute(tx);
      await projection.create(forProjection(tx), schema);
    }
    await sql`delete from ${t.models}`.execute(tx);
    for (const projection of projections) await noteModel(tx, schema, projection);
    await sql`truncate ${t.streams}, ${t.parked}`.execute(tx);
    await sql`update ${t.feed} set position = null, position_id = null, event_position = null, event_id = null,
      caught_up_at = null, epoch = epoch + 1, generation = generation + 1`.execute(tx);
  });
}
