import { join } from 'node:path';
import { startEventStoreWorker } from '@perennial/embedded-eventstore';
import { startPostgres } from '@perennial/embedded-postgres';
import type { Config, Logger } from '@perennial/platform';
import type { Servers } from '../../process/src/connections';
import { CannotStart } from '../../process/src/run';

export interface EmbeddedServers extends Servers {
  /** The read models' database is this process's own: it may be thrown away and built again. */
  readonly embedsDatabase: boolean;
  close(): Promise<void>;
}

/** Where the embedded event store has its files. */
export function storeDirectory(dataDir: string): string {
  return join(dataDir, 'eventstore');
}

/** Brings up what EVENTSTORE_URL and DATABASE_URL do not name, each in a thread of its own with its data under DATA_DIR. */
export async function startEmbeddedServers(config: Config, logger: Logger): Promise<EmbeddedServers> {
  const [store, database] = await Promise.allSettled([
    config.eventstoreUrl === undefined
      ? startEventStoreWorker({
          dataDir: storeDirectory(config.dataDir),
          onNotice: (notice) => logger.warn({ notice }, 'the embedded event store'),
        })
      : { url: config.eventstoreUrl, close: async () => undefined },
    config.databaseUrl === undefined
      ? startPostgres({
          dataDir: join(config.dataDir, 'postgres'),
          onRestart: (restart) => logger.warn(restart, 'the embedded database was opened again'),
        })
      : { url: config.databaseUrl, close: async () => undefined },
  ]);
  const started = [database, store].flatMap((server) => (server.status === 'fulfilled' ? [server.value] : []));
  const close = async () => {
    for (const server of started) await server.close();
  };
  if (store.status === 'rejected' || database.status === 'rejected') {
    await close();
    const reasons = [store, database].flatMap((server) =>
      server.status === 'rejected' ? [messageOf(server.reason)] : [],
    );
    throw new CannotStart(`the data in ${config.dataDir} cannot be opened: ${reasons.join('; ')}`);
  }
  if ('replaced' in database.value && database.value.replaced !== undefined) {
    logger.warn(
      { setAside: database.value.replaced },
      'the read models’ database could not be opened; it was set aside and is built again from the streams',
    );
  }
  return {
    eventstoreUrl: store.value.url,
    databaseUrl: database.value.url,
    embedsDatabase: config.databaseUrl === undefined,
    close,
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
