import { sql, type Kysely, type Transaction } from 'kysely';

type ColumnType = 'uuid' | 'text' | 'char(3)' | 'int4' | 'int8' | 'numeric' | 'bool' | 'date' | 'timestamptz' | 'jsonb';

/**
 * A table as data: what creates it is also what writes it. Values of a row are what the parsers of libs/platform give
 * (int8: bigint, numeric and date: string, timestamptz: ISO 8601 UTC, jsonb: parsed). `?` after a type: may be null.
 */
export interface Table<Row extends object> {
  readonly name: string;
  readonly columns: { readonly [Column in keyof Row & string]: ColumnType | `${ColumnType}?` };
  readonly key: readonly (keyof Row & string)[];
  readonly indexes: readonly {
    readonly on: readonly (keyof Row & string)[];
    /** Rows with null in the first of these are left out of the index. */
    readonly notNull?: keyof Row & string;
    readonly unique?: boolean;
    /** `gin`: of one jsonb column, for what it contains. */
    readonly using?: 'gin';
  }[];
}

const typeOf = (column: string) => column.replace('?', '');

/** Creates the table and its indexes in `schema`. */
export async function createTable<Row extends object>(
  db: Kysely<unknown>,
  schema: string,
  table: Table<Row>,
): Promise<void> {
  const columns = Object.entries<string>(table.columns).map(
    ([name, type]) => sql`${sql.ref(name)} ${sql.raw(typeOf(type))} ${sql.raw(type.endsWith('?') ? '' : 'not null')}`,
  );
  await sql`create table ${sql.table(`${schema}.${table.name}`)} (${sql.join([
    ...columns,
    sql`primary key (${sql.join(table.key.map((column) => sql.ref(column)))})`,
  ])})`.execute(db);
  for (const index of table.indexes) {
    await sql`create ${sql.raw(index.unique ? 'unique' : '')} index on ${sql.table(`${schema}.${table.name}`)} ${
      index.using === 'gin' ? sql`using gin` : sql``
    } (${sql.join(
      index.on.map((column) => (index.using === 'gin' ? sql`${sql.ref(column)} jsonb_path_ops` : sql.ref(column))),
    )}) ${index.notNull === undefined ? sql`` : sql`where ${sql.ref(index.notNull)} is not null`}`.execute(db);
  }
}

/** One `unnest` parameter per column, so that a batch of any size is one statement with a fixed number of parameters. */
function unnest<Row extends object>(table: Table<Row>, columns: readonly (keyof Row & string)[], rows: readonly Row[]) {
  return sql`unnest(${sql.join(
    columns.map((column) => {
      const type = typeOf(table.columns[column]);
      return sql`${sql.val(arrayOf(type, column, rows))}::${sql.raw(type)}[]`;
    }),
  )})`;
}

/** What PostgreSQL reads as an array, made here in one pass: the driver's own way through arrays took four times as long. */
function arrayOf<Row extends object>(type: string, column: keyof Row & string, rows: readonly Row[]): string {
  let text = '{';
  for (const row of rows) {
    const value: unknown = row[column];
    if (text.length > 1) text += ',';
    if (value === null || value === undefined) text += 'NULL';
    else if (type === 'jsonb') text += quote(JSON.stringify(value));
    else text += typeof value === 'string' ? quote(value) : `${value as number | bigint | boolean}`;
  }
  return `${text}}`;
}

function quote(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}

/** Inserts rows or replaces those with the same key. */
export async function upsertRows<Row extends object>(
  tx: Transaction<unknown>,
  schema: string,
  table: Table<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const columns = Object.keys(table.columns) as (keyof Row & string)[];
  const others = columns.filter((column) => !table.key.includes(column));
  await sql`insert into ${sql.table(`${schema}.${table.name}`)} (${sql.join(columns.map((column) => sql.ref(column)))})
    select * from ${unnest(table, columns, rows)}
    on conflict (${sql.join(table.key.map((column) => sql.ref(column)))}) do update set ${sql.join(
      others.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`),
    )}`.execute(tx);
}

/** Deletes the rows whose `columns` equal those of one of the given. */
export async function deleteRows<Row extends object>(
  tx: Transaction<unknown>,
  schema: string,
  table: Table<Row>,
  columns: readonly (keyof Row & string)[],
  matches: readonly Partial<Row>[],
): Promise<void> {
  if (matches.length === 0) return;
  await sql`delete from ${sql.table(`${schema}.${table.name}`)} where (${sql.join(
    columns.map((column) => sql.ref(column)),
  )}) in (select * from ${unnest(table, columns, matches as readonly Row[])})`.execute(tx);
}

/** The rows with one of these ids in `column`. */
export async function rowsWith<Row extends object>(
  tx: Kysely<unknown>,
  schema: string,
  table: Table<Row>,
  column: keyof Row & string,
  ids: readonly string[],
): Promise<Row[]> {
  const type = sql.raw(typeOf(table.columns[column]));
  const { rows } = await sql<Row>`select ${sql.join(Object.keys(table.columns).map((name) => sql.ref(name)))}
    from ${sql.table(`${schema}.${table.name}`)} where ${sql.ref(column)} = any(${sql.val(ids)}::${type}[])`.execute(
    tx,
  );
  return rows;
}
