import type { Logger } from '@perennial/platform';
import type { EventStore } from './event-store';
import type { Projection } from './projection';
import { type Catalogs, LeaseLost, NewerModel, tablesExist } from './projection-feed';
import { projectionFailures } from './projection-metrics';
import { retryParked } from './projection-parked';
import { StoreDiverged } from './projection-rebuild';
import {
  type AnyDatabase,
  type FeedRow,
  forProjection,
  noteModel,
  readModels,
  readParked,
  resetFeed,
  stopModel,
} from './projection-tables';

interface Start {
  readonly store: EventStore;
  readonly db: AnyDatabase;
  readonly schema: string;
  readonly streamPrefix: string;
  readonly projections: readonly Projection[];
  readonly catalogs: Catalogs;
  readonly logger: Logger;
  readonly onDiverged: 'rebuild' | 'stop';
}

/**
 * What the owner of the feed does before it follows the store: from where it can go on, the tables of a new
 * installation, another try for what is parked. Throws StoreDiverged or NewerModel; LeaseLost when it put everything
 * back to the start of the log and has to claim it again.
 */
export async function prepareFeed(start: Start, claimed: FeedRow): Promise<FeedRow> {
  const row = await sameHistory(start, claimed);
  await findModels(start, row);
  // A new build may well take what an earlier one failed on.
  for (const { projection, stream } of await readParked(start.db, start.schema)) {
    const known = start.projections.some(({ name }) => name === projection);
    if (known) await retryParked(start, { projection, stream, skip: false });
  }
  return row;
}

/** Whether the store still holds what was read from it; else the rows are of another history. */
async function sameHistory(start: Start, row: FeedRow): Promise<FeedRow> {
  const { db, schema, store, projections, logger, onDiverged } = start;
  if (row.position === null || row.position_id === null) return row;
  if ((await store.readAt(row.position))?.id === row.position_id) return row;
  // Heartbeats and what others write may have been truncated since; an aggregate's event never is.
  const { event_position, event_id } = row;
  if (event_position !== null && (await store.readAt(event_position))?.id === event_id) {
    return { ...row, position: event_position, position_id: event_id };
  }
  if (event_position === null && ((await store.headPosition()) ?? -1n) >= row.position) {
    return { ...row, position: null, position_id: null };
  }
  logger.error({ position: row.position.toString() }, 'the store is not the one that the projections were built from');
  projectionFailures.inc({ kind: 'store-diverged' });
  if (onDiverged === 'stop') throw new StoreDiverged();
  await resetFeed(db, schema, projections);
  throw new LeaseLost();
}

/** Makes the tables of a new installation and finds out which models another version has built. */
async function findModels({ db, schema, projections }: Start, row: FeedRow): Promise<void> {
  const built = await readModels(db, schema);
  for (const projection of projections) {
    const { name, version } = projection;
    const was = built.get(name);
    if (was !== undefined && was > version) throw new NewerModel(name, was);
    if (was === undefined && row.position === null) {
      await db.transaction().execute(async (tx) => {
        if (!(await tablesExist(tx, schema, projection))) await projection.create(forProjection(tx), schema);
        await noteModel(tx, schema, projection);
      });
    } else if (was !== undefined && was < version) await stopModel(db, schema, name);
  }
}
