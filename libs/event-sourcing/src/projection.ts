import type { Kysely, Transaction } from 'kysely';
import type { StoredEvent } from './event';

/** A read model: its tables and how a batch of events changes them. Pure of time and of other models. */
export interface Projection {
  /** The question that it answers, kebab-case: the name in `projections list` and in answers. */
  readonly name: string;
  /** Raised when the rows would differ: the next start rebuilds the model beside the old one and switches. */
  readonly version: number;
  /** Event types it uses; for all others only its position moves. */
  readonly handles: readonly string[];
  /** The tables that it owns, unqualified. A rebuild creates them in a schema of their own and then switches. */
  readonly tables: readonly string[];
  /** Creates the tables (with their indexes) in `schema`. */
  create(db: Kysely<unknown>, schema: string): Promise<void>;
  /**
   * Applies events in log order inside the runner's transaction, folding the batch in memory and writing each table
   * with few statements (unnest upserts). Must give the same rows however the events are cut into batches.
   */
  apply(events: readonly StoredEvent[], tx: Transaction<unknown>, schema: string): Promise<void>;
}
