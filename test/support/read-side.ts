import { randomUUID } from 'node:crypto';
import { EventStore, ProjectionRunner, type ProjectionRunnerOptions } from '@perennial/event-sourcing';
import { createLogger, openDatabase, type Database } from '@perennial/platform';
import { sql } from 'kysely';
import { accountCatalogs, Accounts, balances, journal } from './accounts';
import { testDatabase, type TestDatabase } from './postgres';

/** TEST_LOG=debug shows what the runners say. */
export const logger = createLogger(process.env['TEST_LOG'] ?? 'silent');

/** A schema and a stream prefix of its own, on the run's database and a given store. */
export class Installation {
  readonly runners: ProjectionRunner[] = [];
  private constructor(
    readonly store: EventStore,
    readonly prefix: string,
    readonly at: TestDatabase,
    readonly database: Database,
    readonly accounts: Accounts,
  ) {}

  static async make(server: { readonly url: string }): Promise<Installation> {
    const at = await testDatabase();
    const store = EventStore.connect({ url: server.url, appendDeadlineMs: 10_000 });
    const prefix = `r${randomUUID().slice(0, 8)}`;
    const database = openDatabase(at.url, { max: 4 });
    return new Installation(store, prefix, at, database, new Accounts(store, prefix));
  }

  get context() {
    const { store, prefix, at, database } = this;
    return { store, db: database.db, schema: at.schema, streamPrefix: prefix, catalogs: accountCatalogs };
  }

  start(options: Partial<ProjectionRunnerOptions> = {}): ProjectionRunner {
    const runner = new ProjectionRunner({
      ...this.context,
      projections: [balances, journal],
      logger,
      onDiverged: 'rebuild',
      heartbeatIntervalMs: 500,
      silenceMs: 2_000,
      leaseMs: 600,
      ...options,
    });
    this.runners.push(runner);
    runner.start();
    return runner;
  }

  async rows(table: string): Promise<Record<string, unknown>[]> {
    const found = await sql<Record<string, unknown>>`select * from ${sql.table(`${this.at.schema}.${table}`)} t
      order by t::text`.execute(this.database.db);
    return found.rows;
  }

  async close(): Promise<void> {
    await Promise.all(this.runners.map((runner) => runner.stop()));
    await this.store.close();
    await this.database.close();
    await this.at.close();
  }
}

export async function until(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not so within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
