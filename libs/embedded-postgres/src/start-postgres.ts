import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { lockDirectory } from './directory-lock';
import type { WorkerReport, WorkerTask } from './worker';

export interface PostgresOptions {
  /** Left out: in memory. */
  readonly dataDir?: string;
  /** 0 or left out: a free one. */
  readonly port?: number;
  readonly host?: string;
  /** A transaction that is silent for so long while others wait is rolled back and its connection closed (ms, 30,000). */
  readonly idleInTransactionMs?: number;
  /** The database stopped working and was opened again, with `replaced` as in the result. */
  readonly onRestart?: (restart: { readonly reason: string; readonly replaced?: string }) => void;
}

export interface EmbeddedPostgres {
  readonly url: string;
  readonly port: number;
  /** Where a directory that could not be opened was put; a new, empty one has taken its place. */
  readonly replaced?: string;
  /** Finishes what runs, writes a checkpoint and ends. */
  close(): Promise<void>;
}

const FIRST_CREATE_MS = 120_000;
const OPEN_MS = 60_000;
const CLOSE_MS = 10_000;
/** A database that dies again and again within this time is given up. */
const RESTARTS_PER_MINUTE = 5;

/**
 * Starts PGlite behind a PostgreSQL socket in a worker thread. It is one session shared by turns: no notices, no
 * cancelling of a query, session settings and named statements are seen by all. Never for data that cannot be rebuilt:
 * it runs without fsync. Throws when the directory is in use by another process or the port is taken.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<EmbeddedPostgres> {
  const host = options.host ?? '127.0.0.1';
  const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
  if (dataDir !== undefined) mkdirSync(dirname(dataDir), { recursive: true });
  const lock = dataDir === undefined ? undefined : lockDirectory(dataDir);

  const serve = async (port: number, damaged = false): Promise<{ worker: Worker; port: number; replaced?: string }> => {
    const task = {
      task: 'serve' as const,
      host,
      port,
      idleInTransactionMs: options.idleInTransactionMs ?? 30_000,
      ...(dataDir === undefined ? {} : { dataDir }),
    };
    if (dataDir === undefined) return runUntilReady(task, FIRST_CREATE_MS);
    if (damaged || !existsSync(join(dataDir, 'PG_VERSION'))) {
      const replaced = existsSync(dataDir) && readdirSync(dataDir).length > 0 ? setAside(dataDir) : undefined;
      await createDirectory(dataDir);
      return { ...(await runUntilReady(task, OPEN_MS)), ...(replaced === undefined ? {} : { replaced }) };
    }
    try {
      return await runUntilReady(task, OPEN_MS);
    } catch (error) {
      if (!(error instanceof CannotOpen)) throw error;
      const replaced = setAside(dataDir);
      await createDirectory(dataDir);
      return { ...(await runUntilReady(task, OPEN_MS)), replaced };
    }
  };

  let closing = false;
  let restarting: Promise<void> | undefined;
  const deaths: number[] = [];
  let current: Worker;

  const keepAlive = (worker: Worker, port: number) => {
    current = worker;
    let damaged = false;
    worker.on('message', ({ kind }: WorkerReport) => (damaged ||= kind === 'damaged'));
    worker.once('exit', (code) => {
      if (closing || current !== worker) return;
      const now = performance.now();
      deaths.push(now);
      if (deaths.filter((at) => at > now - 60_000).length > RESTARTS_PER_MINUTE) return;
      restarting = serve(port, damaged).then(
        (again) => {
          keepAlive(again.worker, port);
          options.onRestart?.({
            reason: damaged ? 'the database has damaged pages' : `the database ended with code ${code}`,
            ...(again.replaced === undefined ? {} : { replaced: again.replaced }),
          });
        },
        // Not openable, not replaceable (a full disk): connections are refused, which the service reports as not ready.
        () => undefined,
      );
    });
  };

  try {
    const started = await serve(options.port ?? 0);
    keepAlive(started.worker, started.port);
    return {
      url: `postgresql://postgres@${host}:${started.port}/postgres`,
      port: started.port,
      ...(started.replaced === undefined ? {} : { replaced: started.replaced }),
      close: async () => {
        if (closing) return;
        closing = true;
        await restarting;
        await stop(current);
        lock?.release();
      },
    };
  } catch (error) {
    lock?.release();
    throw error;
  }
}

class CannotOpen extends Error {}

/** The compiled worker; run from source (in jest) it is the one that `npm run build` has made. */
function startWorker(task: WorkerTask): Worker {
  const file =
    extname(__filename) === '.ts'
      ? join(__dirname, '../../../dist/libs/embedded-postgres/src/worker.js')
      : join(__dirname, 'worker.js');
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build`);
  // Not the parent's flags: jest's and a debugger's are not for this thread.
  return new Worker(file, { workerData: task, execArgv: [] });
}

function firstReport(worker: Worker, withinMs: number): Promise<WorkerReport> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      void worker.terminate();
      reject(new CannotOpen(`the database did not open within ${withinMs} ms`));
    }, withinMs);
    worker.once('message', (message: WorkerReport) => {
      clearTimeout(timer);
      resolve(message);
    });
    const failed = (reason: unknown) => {
      clearTimeout(timer);
      reject(new CannotOpen(`the database did not open: ${String(reason)}`));
    };
    worker.once('error', failed);
    worker.once('exit', failed);
  });
}

async function runUntilReady(task: WorkerTask, withinMs: number): Promise<{ worker: Worker; port: number }> {
  const worker = startWorker(task);
  const message = await firstReport(worker, withinMs);
  worker.on('error', () => undefined);
  if (message.kind === 'ready') return { worker, port: message.port };
  await worker.terminate();
  if (message.kind === 'failed' && message.step === 'listen') throw new Error(message.message);
  throw new CannotOpen(message.kind === 'failed' ? message.message : message.kind);
}

/** Made beside and then renamed, so that a directory with the final name is always whole; in a thread of its own because making one leaves 500 MB behind. */
async function createDirectory(dataDir: string): Promise<void> {
  const beside = `${dataDir}.new`;
  rmSync(beside, { recursive: true, force: true });
  const worker = startWorker({ task: 'create', dataDir: beside });
  try {
    const message = await firstReport(worker, FIRST_CREATE_MS);
    if (message.kind !== 'created') throw new Error(`cannot create ${dataDir}: ${JSON.stringify(message)}`);
  } finally {
    worker.removeAllListeners('exit');
    await worker.terminate();
  }
  rmSync(dataDir, { recursive: true, force: true });
  renameSync(beside, dataDir);
}

/** Keeps the newest damaged directory only: each is tens of megabytes of what can be rebuilt. */
function setAside(dataDir: string): string {
  const parent = dirname(dataDir);
  const prefix = `${basename(dataDir)}-damaged-`;
  for (const name of readdirSync(parent)) {
    if (name.startsWith(prefix)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  const aside = join(parent, prefix + new Date().toISOString().replace(/[:.]/g, '-'));
  renameSync(dataDir, aside);
  return aside;
}

async function stop(worker: Worker): Promise<void> {
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage('close');
  const timer = setTimeout(() => void worker.terminate(), CLOSE_MS);
  await ended;
  clearTimeout(timer);
}
