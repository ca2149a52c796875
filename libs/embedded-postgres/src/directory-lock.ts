import Database from 'libsql';

/**
 * Takes `<directory>.lock` for this process, or throws when a live one (or this one) has it already. The lock is the
 * operating system's, on an SQLite file: it ends with the process however that ends, so it is never stale and never
 * stolen, also between containers that share a volume and know nothing of each other's process ids.
 */
export function lockDirectory(directory: string): { release(): void } {
  const file = new Database(`${directory}.lock`, { timeout: 0 });
  try {
    file.exec('pragma journal_mode = memory; begin exclusive');
  } catch (error) {
    file.close();
    throw new Error(`data directory ${directory} is in use by another process`, { cause: error });
  }
  return { release: () => file.close() };
}
