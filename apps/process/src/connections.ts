import { ApiKeys, BillingRepositories } from '@perennial/billing-application';
import { billingProjections, ReadModels } from '@perennial/billing-read-models';
import { billingCatalogs } from '@perennial/billing-domain';
import { DataKeys, EventStore, ProjectionRunner, ProjectionWatch, StoredTestClock } from '@perennial/event-sourcing';
import { type Clock, type Config, type Database, type Logger, openDatabase, SystemClock } from '@perennial/platform';
import { masterKeysOf } from './master-keys';

/** What a process holds of the outside world: one store, one database, one clock, and what is made of them. */
export interface Connections {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: EventStore;
  readonly database: Database;
  readonly clock: Clock;
  /** The same clock, when it can be set. */
  readonly testClock?: StoredTestClock;
  readonly repositories: BillingRepositories;
  readonly apiKeys: ApiKeys;
  readonly readModels: ReadModels;
  readonly watch: ProjectionWatch;
  /** Writes the snapshots that are due and closes both connections. */
  close(): Promise<void>;
}

/** Where the store and the database are; of a program's own configuration, or embedded. */
export interface Servers {
  readonly eventstoreUrl: string;
  readonly databaseUrl: string;
}

/** Connects on first use: what is not there yet shows in readiness, not here. */
export function connect({ eventstoreUrl, databaseUrl }: Servers, config: Config, logger: Logger): Connections {
  const store = EventStore.connect({ url: eventstoreUrl, appendDeadlineMs: config.appendDeadlineMs });
  const database = openDatabase(databaseUrl, {
    max: config.databasePoolMax,
    queryTimeoutMs: config.requestTimeoutMs,
    onIdleError: (err) => logger.warn({ err }, 'a database connection was lost'),
  });
  const testClock = config.testClock ? new StoredTestClock(store, config.streamPrefix) : undefined;
  const clock = testClock ?? new SystemClock();
  const connections = connectionsOver({ config, logger, store, database, clock, masterKeys: masterKeysOf(config) });
  return { ...connections, ...(testClock && { testClock }) };
}

/** What a process makes of a store, a database and a clock. */
export function connectionsOver({
  masterKeys,
  ...given
}: Pick<Connections, 'config' | 'logger' | 'store' | 'database' | 'clock'> & {
  readonly masterKeys: ConstructorParameters<typeof DataKeys>[2];
}): Connections {
  const { config, logger, store, database } = given;
  const dataKeys = new DataKeys(store, config.streamPrefix, masterKeys);
  const repositories = new BillingRepositories({
    store,
    dataKeys,
    streamPrefix: config.streamPrefix,
    snapshotEvery: config.snapshotEvery,
    cacheMaxBytes: config.cacheMaxBytes,
    timeBudgetMs: config.commandTimeoutMs,
    logger,
  });
  return {
    ...given,
    repositories,
    apiKeys: new ApiKeys(store, config.streamPrefix),
    readModels: new ReadModels(database.db, config.databaseSchema, dataKeys),
    watch: new ProjectionWatch(database.db, config.databaseSchema),
    async close() {
      await repositories.flushSnapshots();
      await database.close();
      await store.close();
    },
  };
}

/** The projections of billing on these connections; `embedded`: the database is this process's own and disposable. */
export function projectionsOf(
  connections: Connections,
  { embedded }: { readonly embedded: boolean },
): ProjectionRunner {
  const { config, logger, store, database } = connections;
  return new ProjectionRunner({
    store,
    db: database.db,
    schema: config.databaseSchema,
    streamPrefix: config.streamPrefix,
    projections: billingProjections,
    catalogs: billingCatalogs,
    logger,
    onDiverged: embedded ? 'rebuild' : 'stop',
    takeOver: embedded,
    heartbeatIntervalMs: config.heartbeatIntervalMs,
  });
}
