import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { startEventStoreWorker } from '@perennial/embedded-eventstore';
import type { Config, Logger } from '@perennial/platform';
import type { Servers } from '../../process/src/connections';
import { type EmbeddedServers, startEmbeddedServers, storeDirectory } from './embedded-servers';

/** What DATA_DIR/servers.json holds while a standalone runs: where its servers are, for the commands of an operator. */
interface Published extends Servers {
  readonly pid: number;
}

const fileOf = (dataDir: string) => join(dataDir, 'servers.json');

/** Writes where this process's servers are, readable by its owner only; `withdraw` when they stop. */
export async function publishServers(dataDir: string, { eventstoreUrl, databaseUrl }: Servers): Promise<void> {
  const published: Published = { pid: process.pid, eventstoreUrl, databaseUrl };
  const path = fileOf(dataDir);
  await writeFile(`${path}.new`, JSON.stringify({ ...published, checksum: checksumOf(published) }), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function withdrawServers(dataDir: string): Promise<void> {
  await rm(fileOf(dataDir), { force: true });
}

/** Servers that a command of an operator can work on; `own`: it has started them itself, nothing else runs on them. */
export interface ReachedServers extends EmbeddedServers {
  readonly own: boolean;
}

/**
 * The servers of this configuration: those that it names, else those of the standalone that runs on DATA_DIR, else the
 * embedded ones, started for this command (and closed with it).
 */
export async function reachServers(config: Config, logger: Logger): Promise<ReachedServers> {
  const close = async () => undefined;
  const { eventstoreUrl, databaseUrl } = config;
  const embedsDatabase = databaseUrl === undefined;
  if (eventstoreUrl !== undefined && databaseUrl !== undefined)
    return { eventstoreUrl, databaseUrl, embedsDatabase, own: false, close };
  const running = await readPublished(config.dataDir);
  if (running) return { ...running, embedsDatabase, own: false, close };
  return { ...(await startEmbeddedServers(config, logger)), own: true };
}

/**
 * The event store alone: the one that EVENTSTORE_URL names, else that of the standalone that runs on DATA_DIR, else the embedded
 * one, started for this command. Throws when DATA_DIR holds none.
 */
export async function reachStore({
  dataDir,
  eventstoreUrl,
}: Config): Promise<{ readonly url: string; close(): Promise<void> }> {
  const close = async () => undefined;
  if (eventstoreUrl !== undefined) return { url: eventstoreUrl, close };
  const running = await readPublished(dataDir);
  if (running) return { url: running.eventstoreUrl, close };
  if (!existsSync(storeDirectory(dataDir))) {
    throw new Error(`there is no event store in ${dataDir}: set DATA_DIR or EVENTSTORE_URL to where it is`);
  }
  return startEventStoreWorker({ dataDir: storeDirectory(dataDir) });
}

/** Whether a standalone runs on this directory. */
export async function isServed(dataDir: string): Promise<boolean> {
  return (await readPublished(dataDir)) !== undefined;
}

async function readPublished(dataDir: string): Promise<Servers | undefined> {
  try {
    const { pid, eventstoreUrl, databaseUrl } = readable(await readFile(fileOf(dataDir), 'utf8'), fileOf(dataDir));
    if (pid === process.pid) return undefined;
    process.kill(pid, 0);
    await Promise.all([eventstoreUrl, databaseUrl].map(answers));
    return { eventstoreUrl, databaseUrl };
  } catch (error) {
    // No file, or left behind by a process that was killed (whose pid may be another's by now): nobody runs.
    if (['ENOENT', 'ESRCH', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** What was published; throws when the text is not what was written. */
function readable(text: string, path: string): Published {
  try {
    const { checksum, ...published } = JSON.parse(text) as Published & { readonly checksum?: string };
    if (checksum === undefined || checksum === checksumOf(published)) return published;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Error(`${path} is damaged: remove it when nothing runs on this directory, else restart what runs`);
}

/** Another port in it, or another pid, would lead to servers of somebody else. */
function checksumOf({ pid, eventstoreUrl, databaseUrl }: Published): string {
  return createHash('sha256')
    .update(JSON.stringify([pid, eventstoreUrl, databaseUrl]))
    .digest('hex');
}

/** Throws ECONNREFUSED when nobody listens there. */
async function answers(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  await new Promise<void>((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.setTimeout(5_000, () => socket.destroy(new Error(`${hostname}:${port} does not answer`)));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
