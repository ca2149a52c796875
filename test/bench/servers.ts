import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { preparePostgresDirectory } from '../support/postgres-directory';
import { Running, runToEnd } from '../support/processes';

/** What a benchmark runs against: EVENTSTORE_URL and DATABASE_URL where they are set, else servers of its own, on disk. */
export interface BenchServers {
  readonly eventstoreUrl: string;
  readonly databaseUrl: string;
  /** First word of the names of streams; no other run has it. */
  readonly prefix: string;
  /** Of the read models; not yet created. close() drops it where the database goes on. */
  readonly schema: string;
  /** Empty, removed by close(). */
  readonly directory: string;
  /** The environment of a program of dist/ on these servers, without limits on the rate of requests. */
  readonly env: Readonly<Record<string, string>>;
  /** The processes of the servers that are embedded. */
  readonly pids: { readonly eventstore?: number; readonly postgres?: number };
  close(): Promise<void>;
}

/** Starts the event store, and the database unless it is not wanted, each embedded one as a process of its own. */
export async function startServers({ database = true }: { database?: boolean } = {}): Promise<BenchServers> {
  const directory = mkdtempSync(join(tmpdir(), 'perennial-bench-'));
  const word = `${runWord()}${randomBytes(3).toString('hex')}`;
  const started: Running[] = [];
  const end = async () => {
    await Promise.all(started.map((child) => child.stop()));
    rmSync(directory, { recursive: true, force: true });
  };
  const eventstore = async () => {
    const given = process.env['EVENTSTORE_URL'];
    if (given) return { url: given };
    const main = 'dist/libs/embedded-eventstore/src/main.js';
    const child = Running.node([main, '--data', join(directory, 'eventstore'), '--port', '0']);
    started.push(child);
    return { url: await child.prints(/esdb:\/\/\S+/), pid: child.pid };
  };
  const postgres = async () => {
    const given = process.env['DATABASE_URL'];
    if (given || !database) return { url: given ?? '' };
    const dataDir = join(directory, 'postgres');
    await preparePostgresDirectory(dataDir);
    const child = Running.node(['test/run.mjs', 'test/bench/postgres-server.ts', dataDir]);
    started.push(child);
    return { url: await child.prints(/postgresql:\/\/\S+/), pid: child.pid };
  };
  try {
    const [store, base] = await Promise.all([eventstore(), postgres()]);
    const prefix = word.replaceAll('_', '-');
    return {
      eventstoreUrl: store.url,
      databaseUrl: base.url,
      prefix,
      schema: word,
      directory,
      env: {
        EVENTSTORE_URL: store.url,
        DATABASE_URL: base.url,
        STREAM_PREFIX: prefix,
        DATABASE_SCHEMA: word,
        DATA_DIR: join(directory, 'data'),
        RATE_LIMIT_PER_SECOND: '1000000',
        RATE_LIMIT_BURST: '1000000',
        ...(process.env['BENCH_PROFILE'] && {
          BENCH_PROFILE: process.env['BENCH_PROFILE'],
          NODE_OPTIONS: `--require ${join(__dirname, 'profile.cjs')}`,
        }),
      },
      pids: { ...(store.pid && { eventstore: store.pid }), ...(base.pid && { postgres: base.pid }) },
      async close() {
        if (process.env['DATABASE_URL']) await dropSchemas(process.env['DATABASE_URL'], word);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The first word of everything that one run of `npm run bench` leaves in servers that go on. */
function runWord(): string {
  return process.env['BENCH_RUN'] ?? 'bench_';
}

/** Drops the schemas whose names begin so. */
export async function dropSchemas(databaseUrl: string, first: string): Promise<void> {
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const { rows } = await pool.query<{ name: string }>(
      'select nspname as name from pg_catalog.pg_namespace where starts_with(nspname, $1)',
      [first],
    );
    for (const { name } of rows) await pool.query(`drop schema if exists "${name}" cascade`);
  } finally {
    await pool.end();
  }
}

/** A key of the service's API on these servers. */
export async function newApiKey({ env }: Pick<BenchServers, 'env'>): Promise<string> {
  const { code, output } = await runToEnd('apps/api/src/create-api-key.js', [], env);
  if (code !== 0) throw new Error(`create-api-key ended with ${code}: ${output}`);
  return output.trim();
}
