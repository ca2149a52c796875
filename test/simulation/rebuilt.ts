import { billingCatalogs } from '@perennial/billing-domain';
import { billingProjections } from '@perennial/billing-read-models';
import { type RecordedEvent, streamNames } from '@perennial/event-sourcing';
import { type Kysely, sql } from 'kysely';
import { feedReader, ProjectionFeed } from '../../libs/event-sourcing/src/projection-feed';
import {
  type AnyDatabase,
  claimFeed,
  createFeedTables,
  forProjection,
  noteModel,
} from '../../libs/event-sourcing/src/projection-tables';

const BATCH = 2_000;
const LEASE_MS = 600_000;

/**
 * Builds every read model anew from the log, all of them in one reading, and compares all rows with those that stand in `schema`, which
 * nobody writes any more: one sentence a difference. What `projections diff` does model by model while writes go on.
 */
export async function compareWithRebuilt(
  database: Kysely<unknown>,
  o: { readonly schema: string; readonly prefix: string; readonly log: readonly RecordedEvent[] },
): Promise<{ model: string; message: string }[]> {
  const db = database as AnyDatabase;
  const again = `${o.schema}_again`;
  await createFeedTables(db, again);
  for (const projection of billingProjections) {
    await projection.create(forProjection(db), again);
    await noteModel(db, again, projection);
  }
  const claimed = await claimFeed(db, again, { owner: 'audit', ttlMs: LEASE_MS });
  const feed = new ProjectionFeed({ db, schema: again, projections: billingProjections, ttlMs: LEASE_MS }, claimed!);
  await feed.begin();
  const read = feedReader(streamNames(o.prefix), billingCatalogs, billingProjections);
  for (let from = 0; from < o.log.length; from += BATCH)
    await feed.apply(o.log.slice(from, from + BATCH).map(read), false);
  const found: { model: string; message: string }[] = [];
  for (const { name, tables } of billingProjections) {
    for (const table of tables)
      for (const { side, row } of await differing(db, `${o.schema}.${table}`, `${again}.${table}`))
        found.push({ model: `${name}/${table}`, message: `only ${side}: ${JSON.stringify(row)}` });
  }
  await sql`drop schema ${sql.id(again)} cascade`.execute(db);
  return found;
}

async function differing(db: AnyDatabase, live: string, replay: string) {
  const { rows } = await sql<{ side: 'live' | 'replay'; row: unknown }>`
    with live as (select to_jsonb(t)::text as r from ${sql.table(live)} t),
      replay as (select to_jsonb(t)::text as r from ${sql.table(replay)} t)
    (select 'live' as side, r as row from live except all select 'live', r from replay)
    union all (select 'replay', r from replay except all select 'replay', r from live) limit 100`.execute(db);
  return rows;
}
