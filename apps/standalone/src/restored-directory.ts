import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { startEventStoreWorker } from '@perennial/embedded-eventstore';
import { TransferRefused } from '@perennial/event-sourcing';
import { storeDirectory } from './embedded-servers';
import { isServed } from './servers-file';

/**
 * Fills the event store of a data directory that has none: in a directory beside it, which gets its name only when `fill` has
 * returned, so that nothing can start on half of it. What an earlier run left there is gone on with. Throws TransferRefused.
 */
export async function fillStoreDirectory<T>(dataDir: string, fill: (url: string) => Promise<T>): Promise<T> {
  const directory = storeDirectory(dataDir);
  const refuseUnlessEmpty = async () => {
    if (await isServed(dataDir)) throw new TransferRefused(`a service runs on ${dataDir}: stop it first`);
    if ((await entriesOf(directory)).length === 0) return;
    throw new TransferRefused(
      `${directory} holds an event store: restore into an empty DATA_DIR, or move that directory away`,
    );
  };
  await refuseUnlessEmpty();
  const unfinished = `${directory}.unfinished`;
  await mkdir(unfinished, { recursive: true });
  const server = await startEventStoreWorker({ dataDir: unfinished });
  let result: T;
  try {
    result = await fill(server.url);
  } finally {
    await server.close();
  }
  await refuseUnlessEmpty();
  await rename(unfinished, directory);
  const handle = await open(dataDir, 'r');
  await handle.sync().finally(() => handle.close());
  return result;
}

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
