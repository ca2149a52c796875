import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { Storage } from './storage';

/** Opens the log of a directory, or one in memory. */
export function openStorage(
  dataDir: string | undefined,
  _onNotice: (notice: string) => void = () => undefined,
): { storage: Storage; release: () => void } {
  if (dataDir === undefined) return { storage: new Storage(new Database(':memory:'), false), release: () => undefined };
  mkdirSync(dataDir, { recursive: true });
  const db = new Database(join(dataDir, 'events.db'));
  db.prepare('PRAGMA locking_mode = EXCLUSIVE').all();
  db.prepare('PRAGMA journal_mode = WAL').all();
  db.prepare('PRAGMA synchronous = FULL').all();
  return { storage: new Storage(db), release: () => undefined };
}
