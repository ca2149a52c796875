import { truncateSync } from 'node:fs';
import Database from 'libsql';

/**
 * Takes `<directory>.lock` for this process, or throws when a live one (or this one) has it already. The lock is the
 * operating system's, on an SQLite file: it ends with the process however that ends, so it is never stale and never
 * stolen, also between containers that share a volume and know nothing of each other's process ids.
 */
export function lockDirectory(directory: string): { release(): void } {
  const path = `${directory}.lock`;
  try {
    return lock(path);
  } catch (error) {
    if (isBusy(error)) throw new Error(`data directory ${directory} is in use by another process`, { cause: error });
    // Bytes in it mean nothing, damaged ones neither. Emptied, not removed: who has it keeps it.
    truncateSync(path);
    return lock(path);
  }
}

function lock(path: string): { release(): void } {
  const file = new Database(path, { timeout: 0 });
  try {
    file.exec('pragma journal_mode = memory; begin exclusive');
  } catch (error) {
    file.close();
    throw error;
  }
  return { release: () => file.close() };
}

const isBusy = (error: unknown): boolean =>
  /BUSY|LOCKED/.test(String((error as { code?: unknown }).code)) || /locked|busy/i.test((error as Error).message);
