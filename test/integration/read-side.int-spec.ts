import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EventStore,
  ProjectionRunner,
  type ProjectionRunnerOptions,
  diffProjection,
  type Projection,
  asOf,
  rebuildProjection,
} from '@perennial/event-sourcing';
import { createLogger, openDatabase, type Database } from '@perennial/platform';
import { sql } from 'kysely';
import { accountCatalogs, accountEvent, Accounts, balances, journal } from '../support/accounts';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { testDatabase, type TestDatabase } from '../support/postgres';

const logger = createLogger(process.env['TEST_LOG'] ?? 'silent');

/** A schema and a stream prefix of its own, on the run's database and this file's store. */
class Installation {
  readonly runners: ProjectionRunner[] = [];
  private constructor(
    readonly store: EventStore,
    readonly prefix: string,
    readonly at: TestDatabase,
    readonly database: Database,
    readonly accounts: Accounts,
  ) {}

  static async make(server: TestEventStore): Promise<Installation> {
    const at = await testDatabase();
    const store = EventStore.connect({ url: server.url });
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

async function until(condition: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not so within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the projection runner', () => {
  let server: TestEventStore;
  const installations: Installation[] = [];
  const install = async () => {
    const made = await Installation.make(server);
    installations.push(made);
    return made;
  };
  beforeAll(async () => {
    server = await testEventStore();
  });
  afterAll(async () => {
    await Promise.all(installations.map((made) => made.close()));
    await server.close();
  });

  it('follows the store, states where it is and becomes healthy', async () => {
    const at = await install();
    const [a, b] = [randomUUID(), randomUUID()];
    await at.accounts.append(a, accountEvent('Opened'), accountEvent('Deposited', { amount: '5' }));
    const runner = at.start();
    expect(runner.health().status).toBe('lagging');
    await at.accounts.append(b, accountEvent('Opened'));
    const position = await at.accounts.append(a, accountEvent('Withdrawn', { amount: '7' }), accountEvent('Noise'));
    expect(await runner.waitFor('account-balances', position, 10_000)).toBe(true);
    expect(await at.rows('account_balance')).toEqual(
      [
        { account: a, events: 3n, total: '-2', revision: 2n },
        { account: b, events: 1n, total: '0', revision: 0n },
      ].sort((x, y) => (x.account < y.account ? -1 : 1)),
    );
    await until(() => runner.health().status === 'ok');
    const seen = await asOf(at.database.db, at.at.schema, 'account-balances');
    expect(seen).toMatchObject({ incomplete: 0, state: 'live' });
    expect(seen.position).toBeGreaterThanOrEqual(position);
    expect(await runner.waitFor('account-balances', position + 1_000_000n, 50)).toBe(false);
    await runner.stop();
  });
});
