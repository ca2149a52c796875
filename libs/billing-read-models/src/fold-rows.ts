import type { StoredEvent } from '@perennial/event-sourcing';
import type { Transaction } from 'kysely';
import { rowsWith, upsertRows, type Table } from './table';

/** How events make the one row of their stream. */
export interface RowFold<Row extends object> {
  readonly table: Table<Row>;
  /** The column that names the row, and what it holds for an event. */
  readonly column: keyof Row & string;
  readonly keyOf: (stored: StoredEvent) => string;
  /** The row after the event; `row` undefined before the first. */
  readonly evolve: (row: Row | undefined, stored: StoredEvent) => Row;
}

/**
 * Reads the rows of a batch, folds the events into them in memory and writes them back in one statement. What a row has
 * seen already is skipped; `applied` is told of every other event with the row after it.
 */
export async function foldRows<Row extends { readonly revision: bigint }>(
  events: readonly StoredEvent[],
  tx: Transaction<unknown>,
  schema: string,
  { table, column, keyOf, evolve }: RowFold<Row>,
  applied: (stored: StoredEvent, row: Row) => void = () => undefined,
): Promise<void> {
  const keys = [...new Set(events.map(keyOf))];
  const found = await rowsWith(tx, schema, table, column, keys);
  const rows = new Map(found.map((row) => [row[column] as string, row]));
  const changed = new Map<string, Row>();
  for (const stored of events) {
    const key = keyOf(stored);
    const before = rows.get(key);
    if (before !== undefined && stored.revision <= before.revision) continue;
    const after = evolve(before, stored);
    rows.set(key, after);
    changed.set(key, after);
    applied(stored, after);
  }
  await upsertRows(tx, schema, table, [...changed.values()]);
}
