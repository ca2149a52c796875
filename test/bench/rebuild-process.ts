import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStoreDBClient, streamNameFilter } from '@eventstore/db-client';
import { billingCatalogs } from '@perennial/billing-domain';
import { billingProjections } from '@perennial/billing-read-models';
import { EventStore, ProjectionRunner, type Projection } from '@perennial/event-sourcing';
import { createLogger, openDatabase, type Database } from '@perennial/platform';
import { sql, type Kysely } from 'kysely';
import { Pool, type PoolClient } from 'pg';

/** What the process of the read models is asked to do, on tables of its own that are gone afterwards. */
export type RebuildTask = { readonly eventstoreUrl: string; readonly databaseUrl: string; readonly schema: string } & (
  | { readonly task: 'rebuild'; readonly prefix: string; readonly head: string; readonly recordTo?: string }
  | { readonly task: 'read'; readonly prefix: string; readonly head: string }
  | { readonly task: 'write'; readonly recorded: string }
);

export interface RebuildAnswer {
  readonly ms: number;
  /** Of this process, on all its threads. */
  readonly cpuMs: number;
  /** Since the process began. */
  readonly maxRssMiB: number;
  /** Of a rebuild that was recorded: ms in each model's `apply`, and rows that were written. */
  readonly modelMs?: Readonly<Record<string, number>>;
  readonly rows?: number;
}

type Measured = Omit<RebuildAnswer, 'cpuMs' | 'maxRssMiB'>;

const HOUR = 3_600_000;

/** All read models from the first event to `head` by the real runner. */
async function rebuild(o: Extract<RebuildTask, { task: 'rebuild' }>): Promise<Measured> {
  const store = EventStore.connect({ url: o.eventstoreUrl });
  const database = openDatabase(o.databaseUrl, { max: 4 });
  const record = o.recordTo === undefined ? undefined : new Recording(o.recordTo, o.schema, database);
  const runner = new ProjectionRunner({
    store,
    db: database.db,
    schema: o.schema,
    streamPrefix: o.prefix,
    projections: record ? billingProjections.map((each) => record.timed(each)) : billingProjections,
    catalogs: billingCatalogs,
    logger: createLogger(process.env['TEST_LOG'] ?? 'warn'),
    onDiverged: 'stop',
  });
  try {
    runner.start();
    while (runner.role !== 'active') await delay(1);
    const began = performance.now();
    if (!(await runner.waitFor('streams', BigInt(o.head), HOUR))) throw new Error('not rebuilt within an hour');
    const ms = performance.now() - began;
    await record?.end();
    return { ms, ...(record && { modelMs: record.modelMs, rows: record.rows }) };
  } finally {
    await runner.stop();
    await store.close();
    await dropSchema(database.db, o.schema);
    await database.close();
  }
}

/** The rows that a rebuild writes, in a file: its upserts as statements, transaction by transaction. */
class Recording {
  readonly modelMs: Record<string, number> = {};
  rows = 0;
  private readonly file: WriteStream;

  constructor(
    path: string,
    private readonly schema: string,
    database: Database,
  ) {
    this.file = createWriteStream(path);
    database.pool.on('connect', (client) => this.listen(client));
  }

  timed(projection: Projection): Projection {
    return {
      ...projection,
      apply: async (events, tx, schema) => {
        const began = performance.now();
        await projection.apply(events, tx, schema);
        this.modelMs[projection.name] = (this.modelMs[projection.name] ?? 0) + performance.now() - began;
      },
    };
  }

  async end(): Promise<void> {
    this.file.end();
    await once(this.file, 'finish');
  }

  private listen(client: PoolClient): void {
    type Query = (text: string, values?: unknown[]) => Promise<{ readonly rowCount: number | null }>;
    const query = client.query.bind(client) as Query;
    const table = new RegExp(`^insert into "${this.schema}"\\."(${tables.join('|')})"`);
    let statements: string[] = [];
    const heard: Query = async (text, values) => {
      if (text === 'begin') statements = [];
      if (text === 'commit' && statements.length > 0) {
        if (!this.file.write(`${statements.join('\n')}\n\n`)) await once(this.file, 'drain');
      }
      const result = await query(text, values);
      if (table.test(text)) {
        this.rows += result.rowCount ?? 0;
        statements.push(JSON.stringify([text.replaceAll(`"${this.schema}"`, '"@@"'), values]));
      }
      return result;
    };
    client.query = heard as unknown as PoolClient['query'];
  }
}

const tables = billingProjections.flatMap((projection) => projection.tables);

/** The client alone: its filtered subscription to all streams, up to `head`. */
async function read(o: Extract<RebuildTask, { task: 'read' }>): Promise<Measured> {
  const client = EventStoreDBClient.connectionString(o.eventstoreUrl);
  const head = BigInt(o.head);
  const began = performance.now();
  const filter = streamNameFilter({ prefixes: [`${o.prefix}.`] });
  const subscription = client.subscribeToAll({ filter });
  for await (const { event } of subscription) if ((event?.position?.commit ?? 0n) >= head) break;
  const ms = performance.now() - began;
  await client.dispose();
  return { ms };
}

/** The driver alone: the statements of a rebuild, each transaction as it was; reading them from the file is not counted. */
async function write(o: Extract<RebuildTask, { task: 'write' }>): Promise<Measured> {
  const database = openDatabase(o.databaseUrl, { max: 1 });
  const pool = new Pool({ connectionString: o.databaseUrl, max: 1 });
  const client = await pool.connect();
  let ms = 0;
  try {
    await sql`create schema ${sql.id(o.schema)}`.execute(database.db);
    for (const projection of billingProjections) await projection.create(database.db as Kysely<unknown>, o.schema);
    let statements: [string, unknown[]][] = [];
    for await (const line of createInterface({ input: createReadStream(o.recorded) })) {
      if (line !== '') {
        const [text, values] = JSON.parse(line) as [string, unknown[]];
        statements.push([text.replaceAll('"@@"', `"${o.schema}"`), values]);
        continue;
      }
      const began = performance.now();
      await client.query('begin');
      for (const [text, values] of statements) await client.query(text, values);
      await client.query('commit');
      ms += performance.now() - began;
      statements = [];
    }
    return { ms };
  } finally {
    client.release();
    await pool.end();
    await dropSchema(database.db, o.schema);
    await database.close();
  }
}

async function dropSchema(db: Database['db'], schema: string): Promise<void> {
  await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db);
}

process.on('message', (task: RebuildTask) => {
  const before = process.cpuUsage();
  const done = task.task === 'rebuild' ? rebuild(task) : task.task === 'read' ? read(task) : write(task);
  done.then(
    (answer) => {
      const { user, system } = process.cpuUsage(before);
      const maxRssMiB = process.resourceUsage().maxRSS / 1_024;
      process.send?.({ ...answer, cpuMs: (user + system) / 1_000, maxRssMiB } satisfies RebuildAnswer);
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
