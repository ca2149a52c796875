import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketHandler, type PGLiteSocketHandlerOptions } from '@electric-sql/pglite-socket';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { SessionQueue } from './session-queue';

/** What the worker is started with. `create`: make the data directory and end. */
export type WorkerTask =
  | { readonly task: 'create'; readonly dataDir: string }
  | {
      readonly task: 'serve';
      readonly dataDir?: string;
      readonly host: string;
      readonly port: number;
      readonly idleInTransactionMs: number;
    };

/** What the worker reports. */
export type WorkerReport =
  | { readonly kind: 'created' }
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'failed'; readonly step: 'open' | 'listen'; readonly message: string }
  /** The directory holds damaged pages and is of no more use. It ends. */
  | { readonly kind: 'damaged' };

const port = parentPort;
if (!port) throw new Error('runs as a worker of startPostgres');

const report = (message: WorkerReport) => port.postMessage(message);

async function open(dataDir: string | undefined): Promise<PGlite> {
  const db = await PGlite.create(dataDir === undefined ? {} : { dataDir });
  await db.query('select count(*) from pg_catalog.pg_class');
  return db;
}

async function serve(task: Extract<WorkerTask, { task: 'serve' }>): Promise<void> {
  let db: PGlite;
  try {
    db = await open(task.dataDir);
  } catch (error) {
    report({ kind: 'failed', step: 'open', message: String(error) });
    process.exit(1);
  }
  const connections = new Map<number, { handler: PGLiteSocketHandler; socket: Socket }>();
  const queue = new SessionQueue(db, {
    idleInTransactionMs: task.idleInTransactionMs,
    cutOff: (connection) => connections.get(connection)?.socket.destroy(),
    // A WASM abort leaves nothing to work with: end, and startPostgres opens the directory anew.
    failed: () => process.exit(2),
    damaged: () => {
      report({ kind: 'damaged' });
      process.exit(3);
    },
  });
  const server = createServer((socket) => {
    const handler = new PGLiteSocketHandler({
      queryQueue: queue as unknown as PGLiteSocketHandlerOptions['queryQueue'],
      closeOnDetach: true,
    });
    connections.set(handler.handlerId, { handler, socket });
    socket.once('close', () => connections.delete(handler.handlerId));
    void handler.attach(socket);
  });
  server.maxConnections = 500;
  server.on('error', (error) => {
    report({ kind: 'failed', step: 'listen', message: error.message });
    process.exit(1);
  });
  server.listen(task.port, task.host, () => report({ kind: 'ready', port: (server.address() as AddressInfo).port }));

  port!.once('message', () => {
    void (async () => {
      server.close();
      await Promise.all([...connections.values()].map(({ handler }) => handler.detach(true)));
      await db.exec('CHECKPOINT');
      await db.close();
      process.exit(0);
    })();
  });
}

const task = workerData as WorkerTask;
if (task.task === 'create') {
  void open(task.dataDir).then(
    async (db) => {
      await db.close();
      report({ kind: 'created' });
    },
    (error: unknown) => report({ kind: 'failed', step: 'open', message: String(error) }),
  );
} else {
  void serve(task);
}
