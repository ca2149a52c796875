import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import type { EventStore } from './event-store';
import { Heartbeat } from './heartbeat';
import type { Projection } from './projection';
import { type Catalogs, type FeedEvent, feedReader, ProjectionFeed } from './projection-feed';
import { EventIntake } from './projection-intake';
import {
  type AnyDatabase,
  claimFeed,
  createFeedTables,
  forProjection,
  feedTables,
  lockFeed,
  noteModel,
  readFeed,
  readModels,
  touchFeed,
} from './projection-tables';
import { streamNames } from './streams';

export interface RebuildContext {
  readonly db: AnyDatabase;
  readonly schema: string;
  readonly store: EventStore;
  readonly streamPrefix: string;
  readonly catalogs: Catalogs;
}

export interface RebuildProgress {
  readonly events: number;
  readonly position: bigint | null;
  /** Where the live model stands; it moves while writes go on. */
  readonly target: bigint | null;
}

export interface RebuildOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RebuildProgress) => void;
}

/** Another process is building this model now. */
export class RebuildUnderWay extends Error {
  override readonly name = 'RebuildUnderWay';
}

/** The live rows were built from another history than the store holds: there is no position to meet them at. */
export class StoreDiverged extends Error {
  override readonly name = 'StoreDiverged';
  constructor() {
    super('store-diverged: the event store does not hold what the read models were built from; rebuild all of them');
  }
}

/** A row that only one side has. A changed row is two of them. */
export interface RowDifference {
  readonly table: string;
  readonly side: 'live' | 'replay';
  readonly row: unknown;
}

export interface ProjectionDiff {
  readonly projection: string;
  /** Both sides hold exactly the events up to here. */
  readonly position: bigint | null;
  readonly rows: number;
  /** The first of them; `differing` counts all. */
  readonly differences: readonly RowDifference[];
  readonly differing: number;
}

const LEASE_MS = 30_000;
const BATCH = 500;
/** Events that may be applied while the live feed waits for the switch. */
const LAST_FEW = 500;
const SHOWN = 100;

/**
 * Builds a model again from the first event in a schema of its own, beside the live one and while writes go on, and
 * then puts it in the live one's place in one transaction. Starts anew when an earlier attempt was broken off. Throws
 * RebuildUnderWay, StoreDiverged.
 */
export async function rebuildProjection(
  context: RebuildContext,
  projection: Projection,
  options: RebuildOptions = {},
): Promise<{ position: bigint | null; events: number }> {
  return beside(context, projection, 'rebuild', options, async (tx, schema) => {
    const live = feedTables(context.schema);
    const built = feedTables(schema);
    for (const table of projection.tables) {
      await sql`drop table if exists ${sql.table(`${context.schema}.${table}`)}`.execute(tx);
      await sql`alter table ${sql.table(`${schema}.${table}`)} set schema ${sql.id(context.schema)}`.execute(tx);
    }
    await sql`delete from ${live.parked} where projection = ${projection.name}`.execute(tx);
    await sql`insert into ${live.parked} select * from ${built.parked}`.execute(tx);
    await noteModel(tx, context.schema, projection);
    await touchFeed(tx, context.schema);
  });
}

/** Builds a model from the first event beside the live one and compares all rows of both at one position. */
export async function diffProjection(
  context: RebuildContext,
  projection: Projection,
  options: RebuildOptions = {},
): Promise<ProjectionDiff> {
  const copy = (schema: string, table: string) => sql.table(`${schema}.live_copy_of_${table}`);
  let compared: Omit<ProjectionDiff, 'projection' | 'position'> = { rows: 0, differences: [], differing: 0 };
  const { position } = await beside(
    context,
    projection,
    'diff',
    options,
    async (tx, schema) => {
      const version = (await readModels(tx, context.schema)).get(projection.name);
      if (version !== projection.version) {
        throw new Error(
          `${projection.name} was built as version ${version ?? 'none'}, this build has ${projection.version}`,
        );
      }
      // The feed waits for this transaction: copying is fast, comparing is done afterwards.
      for (const table of projection.tables) {
        await sql`create table ${copy(schema, table)} as table ${sql.table(`${context.schema}.${table}`)}`.execute(tx);
      }
    },
    async (schema) => {
      let rows = 0;
      let differing = 0;
      const differences: RowDifference[] = [];
      for (const table of projection.tables) {
        const replay = sql.table(`${schema}.${table}`);
        const counted = await sql<{ n: number }>`select count(*)::int4 as n from ${replay}`.execute(context.db);
        rows += counted.rows[0]?.n ?? 0;
        const only = await sql<{ side: 'live' | 'replay'; row: unknown; total: number }>`
          with live as (select to_jsonb(t) as r from ${copy(schema, table)} t),
            replay as (select to_jsonb(t) as r from ${replay} t),
            differing as (
              select 'live' as side, r from (select r from live except all select r from replay) l
              union all select 'replay', r from (select r from replay except all select r from live) p)
          select side, r as row, (count(*) over ())::int4 as total from differing
          order by r::text, side limit ${SHOWN}`.execute(context.db);
        differing += only.rows[0]?.total ?? 0;
        for (const { side, row } of only.rows) differences.push({ table, side, row });
      }
      compared = { rows, differing, differences: differences.slice(0, SHOWN) };
    },
  );
  return { projection: projection.name, position, ...compared };
}

/**
 * Builds the model up to exactly the position of the live feed, and calls `arrived` in a transaction in which the live
 * feed cannot move; then `after`, and drops the schema.
 */
async function beside(
  context: RebuildContext,
  projection: Projection,
  purpose: 'rebuild' | 'diff',
  { signal: outer, onProgress }: RebuildOptions,
  arrived: (tx: AnyDatabase, schema: string) => Promise<void>,
  after?: (schema: string) => Promise<void>,
): Promise<{ position: bigint | null; events: number }> {
  const { db, store } = context;
  const { event_position: position, event_id: id } = await readFeed(db, context.schema);
  if (position !== null && (await store.readAt(position))?.id !== id) throw new StoreDiverged();
  const schema = `${context.schema}_${purpose}_${projection.name.replaceAll('-', '_')}`;
  const feed = await prepare(context, projection, schema);
  const names = streamNames(context.streamPrefix);
  const stop = new AbortController();
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal;
  const read = feedReader(names, context.catalogs, [projection]);
  const intake = new EventIntake({ store, prefix: names.aggregates, from: null, signal, read });
  const heartbeat = new Heartbeat(store, names, 0);
  const ahead: FeedEvent[] = [];
  let covered = -1n;
  let events = 0;
  let nudgedAt = performance.now();
  let renewedAt = nudgedAt;

  const take = async (waitMs: number) => {
    const taken = await intake.take(BATCH, waitMs);
    ahead.push(...taken.events);
    covered = taken.covered !== undefined && taken.covered > covered ? taken.covered : covered;
    return taken;
  };
  const upTo = (position: bigint, max: number): FeedEvent[] => {
    const end = ahead.findIndex((event) => event.position > position);
    return ahead.slice(0, Math.min(max, end < 0 ? ahead.length : end));
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      const target = (await readFeed(db, context.schema)).position ?? -1n;
      const { caughtUp } = ahead.length < 4 * BATCH ? await take(covered >= target ? 0 : 100) : { caughtUp: false };
      const batch = upTo(target, BATCH);
      // While writes go on there is always something left; the last few are applied with the switch.
      if (batch.length === BATCH || (batch.length > LAST_FEW / 2 && covered >= target)) {
        await feed.apply(batch, false);
        ahead.splice(0, batch.length);
        events += batch.length;
        onProgress?.({ events, position: feed.position, target });
        continue;
      }
      if (performance.now() - renewedAt > LEASE_MS / 10) {
        renewedAt = performance.now();
        await feed.renew(false);
      }
      if (covered < target) {
        // The live feed has passed what is nobody's; something of ours behind it shows that nothing was missed.
        if (caughtUp && performance.now() - nudgedAt > 200) {
          nudgedAt = performance.now();
          await heartbeat.beat();
        }
        continue;
      }
      const switched = await db.transaction().execute(async (tx) => {
        const position = (await lockFeed(tx, context.schema)).position ?? -1n;
        const last = upTo(position, LAST_FEW + 1);
        if (covered < position || last.length > LAST_FEW) return false;
        await feed.applyIn(tx, last);
        await arrived(tx, schema);
        events += last.length;
        return { position: position < 0n ? null : position };
      });
      if (switched === false) {
        await delay(5);
        continue;
      }
      onProgress?.({ events, position: switched.position, target: switched.position });
      await after?.(schema);
      return { position: switched.position, events };
    }
  } finally {
    stop.abort();
    await intake.ended();
    await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db).catch(() => undefined);
  }
}

/** An empty schema with the model's tables and a feed of its own at the start of the log. */
async function prepare(context: RebuildContext, projection: Projection, schema: string): Promise<ProjectionFeed> {
  const { db } = context;
  await createFeedTables(db, schema);
  const claim = () => claimFeed(db, schema, { owner: randomUUID(), ttlMs: LEASE_MS });
  if (!(await claim())) throw new RebuildUnderWay(`${projection.name} is being built by another process (${schema})`);
  await sql`drop schema ${sql.id(schema)} cascade`.execute(db);
  await createFeedTables(db, schema);
  await db.transaction().execute(async (tx) => {
    await projection.create(forProjection(tx), schema);
    await noteModel(tx, schema, projection);
  });
  const claimed = await claim();
  if (!claimed) throw new RebuildUnderWay(`${projection.name} is being built by another process (${schema})`);
  const options = { db, schema, projections: [projection], ttlMs: LEASE_MS };
  const feed = new ProjectionFeed(options, claimed);
  await feed.begin();
  return feed;
}
