import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';

/** Another process (or another server in this one) has the data directory. */
export class DirectoryInUse extends Error {
  override name = 'DirectoryInUse';
}

/**
 * Takes the data directory for this server until it is released or the process ends.
 * The lock is the operating system's, held through an SQLite transaction on `lock.db`: it goes with its process, so it
 * can be neither left behind by a killed one nor taken from a live one, and a reused process id means nothing to it.
 * `lock.pid` only names the holder in the refusal.
 * @throws DirectoryInUse
 */
export function lockDirectory(directory: string): { release: () => void } {
  const pidFile = join(directory, 'lock.pid');
  const path = join(directory, 'lock.db');
  let db: Database.Database;
  try {
    db = lock(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') {
      throw new DirectoryInUse(`${directory} is in use by another event store${holder(pidFile)}`);
    }
    // Bytes in it mean nothing, damaged ones neither. Emptied, not removed: who has it keeps it.
    truncateSync(path);
    db = lock(path);
  }
  writeFileSync(pidFile, `${process.pid}\n`);
  return {
    release: () => {
      rmSync(pidFile, { force: true });
      db.exec('ROLLBACK');
      db.close();
    },
  };
}

function lock(path: string): Database.Database {
  const db = new Database(path);
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

function holder(pidFile: string): string {
  try {
    const pid = readFileSync(pidFile, 'utf8').trim();
    return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
  } catch {
    return '';
  }
}
