import type { Duplex } from 'node:stream';
import {
  CompiledQuery,
  type DatabaseConnection,
  Kysely,
  PostgresAdapter,
  PostgresDialect,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import { Pool, types, type Client, type CustomTypesConfig, type PoolClient } from 'pg';

export interface DatabaseOptions {
  /** Connections at most (10). */
  readonly max?: number;
  /** How long to wait for a connection, in ms (5,000). */
  readonly connectionTimeoutMs?: number;
  /** A query without an answer for so long fails and its connection is closed, in ms (30,000). */
  readonly queryTimeoutMs?: number;
  /** A connection in the pool was lost while idle; the next query makes a new one. */
  readonly onIdleError?: (error: Error) => void;
  /** What a connection runs over in place of a socket (a simulation). */
  readonly stream?: () => Duplex;
}

export interface Database {
  /** Every statement names its schema: the embedded database is one session, so a search path is nobody's own. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each read model types its own tables
  readonly db: Kysely<any>;
  readonly pool: Pool;
  close(): Promise<void>;
}

const INT8 = 20;
const DATE = 1082;
const TIMESTAMPTZ = 1184;
const NUMERIC = 1700;
const JSON_TYPE = 114;
const JSONB = 3802;
const INT8_ARRAY = 1016;

const parseTextArray = types.getTypeParser(INT8_ARRAY as number) as (text: string) => string[];
const asText = (value: string) => value;

/** PostgreSQL's `2026-01-31 09:00:00.5+00` as the one form that instants have: ISO 8601 UTC in milliseconds. */
export function parseInstant(text: string): string {
  if (text === 'infinity' || text === '-infinity') return text;
  return new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')).toISOString();
}

const parsers: Record<number, (value: string) => unknown> = {
  [INT8]: BigInt,
  [INT8_ARRAY]: (value) => parseTextArray(value).map(BigInt),
  [NUMERIC]: asText,
  [DATE]: asText,
  [TIMESTAMPTZ]: parseInstant,
  [JSON_TYPE]: (value) => JSON.parse(value) as unknown,
  [JSONB]: (value) => JSON.parse(value) as unknown,
};

const typeConfig: CustomTypesConfig = {
  getTypeParser: (oid: number): ((value: string) => unknown) =>
    parsers[oid] ?? (types.getTypeParser(oid) as (value: string) => unknown),
};

/**
 * Opens a PostgreSQL, real or embedded, with the same values from both: int8 as bigint, numeric as string, date as
 * `YYYY-MM-DD`, timestamptz as ISO 8601 UTC in milliseconds, json and jsonb parsed. Connects on the first query.
 */
export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const pool = new Pool({
    connectionString: url,
    max: options.max ?? 10,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 5_000,
    query_timeout: options.queryTimeoutMs ?? 30_000,
    types: typeConfig,
    pipeline: true,
    ...(options.stream && { stream: options.stream }),
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  // A connection lost while in use fails its query and says so again as an event; unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('connect', closeWhenUnanswered);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in Database
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool }) });
  return { db, pool, close: () => db.destroy() };
}

/**
 * Runs `work` in a transaction whose statements go out as they come and are answered in that order: those that are begun together
 * take one round trip. `work` must have waited for all that it began, also when one of them failed. What `begin` failed with, or
 * `work` threw, is thrown after a rollback; what the commit failed with, as it is.
 */
export function pipelinedTransaction<Tables, Result>(
  db: Kysely<Tables>,
  work: (tx: Kysely<Tables>) => Promise<Result>,
): Promise<Result> {
  return onOneConnection(db, async (connection) => {
    const run = (statement: string) => connection.executeQuery(CompiledQuery.raw(statement));
    const [begun, worked] = await Promise.allSettled([run('begin'), work(over<Tables>(connection))]);
    if (begun.status === 'fulfilled' && worked.status === 'fulfilled') {
      await run('commit');
      return worked.value;
    }
    // On a lost connection this fails as well, and the server rolls back by itself.
    await run('rollback').catch(() => undefined);
    throw [begun, worked].find((each) => each.status === 'rejected')?.reason;
  });
}

/** The rows of some queries, all at one snapshot and in one round trip. Throws what the first of them failed with. */
export function readAtOnce<Tables, Rows extends readonly unknown[]>(
  db: Kysely<Tables>,
  queries: { readonly [N in keyof Rows]: CompiledQuery<Rows[N]> },
): Promise<{ readonly [N in keyof Rows]: Rows[N][] }> {
  return onOneConnection(db, async (connection) => {
    const statements = [
      CompiledQuery.raw('begin isolation level repeatable read read only'),
      ...queries,
      CompiledQuery.raw('commit'),
    ];
    const answers = await Promise.allSettled(statements.map((each) => connection.executeQuery(each)));
    const failed = answers.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
    const rows = answers.slice(1, -1).map((each) => each.status === 'fulfilled' && each.value.rows);
    return rows as unknown as { readonly [N in keyof Rows]: Rows[N][] };
  });
}

function onOneConnection<Tables, Result>(
  db: Kysely<Tables>,
  work: (connection: DatabaseConnection) => Promise<Result>,
): Promise<Result> {
  return db.connection().execute((own) => own.getExecutor().provideConnection(work));
}

/** One connection for everybody who asks, at the same time: Kysely's own transactions hold each statement back until the last is answered. */
function over<Tables>(connection: DatabaseConnection): Kysely<Tables> {
  const nothing = () => Promise.resolve();
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createDriver: () => ({
        init: nothing,
        acquireConnection: () => Promise.resolve(connection),
        releaseConnection: nothing,
        beginTransaction: nothing,
        commitTransaction: nothing,
        rollbackTransaction: nothing,
        destroy: nothing,
      }),
    },
  });
}

/**
 * A connection that left one query unanswered answers none behind it either. The driver destroys its socket, but until that is
 * noticed the pool would hand it out again.
 */
function closeWhenUnanswered(client: PoolClient): void {
  const query = client.query.bind(client) as (...parameters: unknown[]) => unknown;
  client.query = ((...parameters: unknown[]) => {
    const answer = query(...parameters);
    if (answer instanceof Promise) {
      answer.catch((error: unknown) => {
        if ((error as Error).message === 'Query read timeout')
          void (client as unknown as Client).end().catch(() => undefined);
      });
    }
    return answer;
  }) as PoolClient['query'];
}
