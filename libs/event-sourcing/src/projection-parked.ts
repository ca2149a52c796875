import { sql } from 'kysely';
import type { EventStore } from './event-store';
import type { Projection } from './projection';
import { type Catalogs, type FeedEvent, feedReader, reasonOf } from './projection-feed';
import {
  type AnyDatabase,
  forProjection,
  knownRevisions,
  lockFeed,
  park,
  type ParkedRow,
  readParked,
  touchFeed,
  unpark,
} from './projection-tables';
import { streamNames } from './streams';

export interface ParkedContext {
  readonly db: AnyDatabase;
  readonly schema: string;
  readonly store: EventStore;
  readonly streamPrefix: string;
  readonly projections: readonly Projection[];
  readonly catalogs: Catalogs;
}

const CHUNK = 200;

/**
 * Applies what waits of a stream in a model, in order and without its parked event when `skip`. True when the stream
 * no longer waits; false when an event failed (again), which is then the parked one. Throws when nothing is parked there.
 */
export async function retryParked(
  context: ParkedContext,
  { projection: name, stream, skip }: { projection: string; stream: string; skip: boolean },
): Promise<boolean> {
  const { db, schema } = context;
  const projection = context.projections.find((known) => known.name === name);
  let skipping = skip;
  for (;;) {
    const row = (await readParked(db, schema)).find((parked) => parked.projection === name && parked.stream === stream);
    if (!row || !projection) throw new Error(`nothing of ${stream} is parked in ${name}`);
    const until = (await knownRevisions(db, schema, [stream])).get(stream) ?? row.revision;
    const events = await readWaiting(context, projection, row, until);
    const done = await db.transaction().execute(async (tx) => {
      await lockFeed(tx, schema);
      const result = await applyInOrder(tx, schema, projection, skipping ? events.slice(1) : events);
      const last = events.at(-1);
      const now = (await knownRevisions(tx, schema, [stream])).get(stream) ?? row.revision;
      if (result.failed) {
        const { event, error } = result.failed;
        const { revision, type } = event.aggregate!;
        const at = { projection: name, stream, revision, position: event.position, event_id: event.id, type };
        await park(tx, schema, { ...at, error: reasonOf(error) });
      } else if (last && last.aggregate!.revision < now) {
        // More has come meanwhile, or there was more than one chunk: go on with what follows.
        const at = { projection: name, stream, revision: last.aggregate!.revision + 1n, position: last.position };
        await park(tx, schema, { ...at, event_id: last.id, type: last.aggregate!.type, error: row.error });
      } else await unpark(tx, schema, name, stream);
      await touchFeed(tx, schema);
      return result.failed ? 'failed' : !last || last.aggregate!.revision >= now ? 'done' : 'more';
    });
    if (done !== 'more') return done === 'done';
    skipping = false;
  }
}

async function readWaiting(
  { store, streamPrefix, catalogs }: ParkedContext,
  projection: Projection,
  row: ParkedRow,
  until: bigint,
): Promise<FeedEvent[]> {
  const read = feedReader(streamNames(streamPrefix), catalogs, [projection]);
  const count = Math.min(CHUNK, Number(until - row.revision) + 1);
  const events: FeedEvent[] = [];
  for await (const recorded of store.read(row.stream, { from: row.revision, maxCount: count })) {
    events.push(read(recorded));
  }
  return events;
}

async function applyInOrder(
  tx: AnyDatabase,
  schema: string,
  projection: Projection,
  events: readonly FeedEvent[],
): Promise<{ failed?: { event: FeedEvent; error: unknown } }> {
  for (const event of events) {
    if (!event.failure && !(event.stored && projection.handles.includes(event.stored.event.type))) continue;
    await sql`savepoint event`.execute(tx);
    try {
      if (event.failure) throw event.failure;
      await projection.apply([event.stored!], forProjection(tx), schema);
    } catch (error) {
      await sql`rollback to savepoint event`.execute(tx);
      return { failed: { event, error } };
    }
  }
  return {};
}
