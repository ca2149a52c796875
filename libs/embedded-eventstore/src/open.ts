import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { lockDirectory } from './directory-lock';
import { streamNameOf } from './record';
import { FORMAT, Storage, isCorruption } from './storage';
import { verify } from './verify';
import { inspectWal, type WalInspection } from './wal';

/** The data directory cannot be opened as it is; nothing in it was changed. */
export class DamagedStore extends Error {
  override name = 'DamagedStore';
}

type Notice = (notice: string) => void;

const PAGE = 4096;
/** After a crash without a trace of damage, a file larger than this is checked in its newest part only. */
const FULL_CHECK_BYTES = 128 * 1024 * 1024;
const NEWEST_RECORDS = 10_000;

/**
 * Opens the log of a directory, or one in memory. A file that was not closed, or that shows a cut or zeroed tail, is
 * read through first; when its tail is damaged the log opens on the whole appends before the damage, says where, and
 * keeps the damaged files in `damaged-<time>/`.
 * @throws DirectoryInUse, DamagedStore
 */
export function openStorage(
  dataDir: string | undefined,
  notice: Notice = () => undefined,
): { storage: Storage; release: () => void } {
  if (dataDir === undefined) return { storage: new Storage(openDatabase(':memory:')), release: () => undefined };
  mkdirSync(dataDir, { recursive: true });
  const lock = lockDirectory(dataDir);
  try {
    return { storage: openDirectory(dataDir, notice), release: lock.release };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function openDirectory(dataDir: string, notice: Notice): Storage {
  const path = join(dataDir, 'events.db');
  const rebuilt = join(dataDir, 'events.db.rebuilt');
  const existed = existsSync(path);
  // A rebuild that was interrupted between setting the damaged files aside and taking their place.
  if (!existed && existsSync(rebuilt)) {
    setAside(dataDir, notice);
    renameSync(rebuilt, path);
  }
  rmSync(rebuilt, { force: true });
  const file = inspectFile(path);
  const wal = inspectWal(`${path}-wal`);
  if (existed && (file.size < PAGE || file.headerIsZero)) {
    notice(`${path} has lost its first page: opened empty, before the first event`);
    setAside(dataDir, notice);
    return openFile(path);
  }
  if (wal.torn) {
    // SQLite drops what follows the last whole commit; keep it for whoever wants to look.
    const copy = join(damagedDirectory(dataDir), 'events.db-wal');
    copyFileSync(`${path}-wal`, copy);
    notice(
      `the write-ahead log is not whole: its last whole commit ends at byte ${wal.committed} of ${wal.size}, ` +
        `${wal.unused} bytes after it are dropped (a copy is ${copy})`,
    );
  }
  let storage: Storage;
  try {
    storage = openFile(path);
  } catch (error) {
    if (error instanceof DamagedStore || !isCorruption(error)) throw error;
    if (!file.tailIsCut && !file.tailIsZero) throw new DamagedStore(`${path} cannot be opened: ${message(error)}`);
    notice(`${path} has lost the start of its tables: opened empty, before the first event`);
    setAside(dataDir, notice);
    return openFile(path);
  }
  return existed ? checked(storage, path, file, wal, notice) : storage;
}

/** Reads through a file that may be damaged and rebuilds it when its tail is. */
function checked(storage: Storage, path: string, file: FileInspection, wal: WalInspection, notice: Notice): Storage {
  const suspicious = file.tailIsCut || file.tailIsZero || wal.torn;
  if (!suspicious && file.closedCleanly && wal.size === 0) return storage;
  const whole = suspicious || file.size + wal.size <= FULL_CHECK_BYTES;
  const found = verify(storage, whole ? -1 : storage.positionBeforeNewest(NEWEST_RECORDS));
  if (found.damage === undefined && found.indexDamage === undefined) {
    notice(`not closed when last used: checked ${found.records} records, opened at position ${found.soundUntil}`);
    return storage;
  }
  if (found.damage === undefined) {
    notice(`${found.indexDamage}: rebuilt from the records, opened at position ${found.soundUntil}`);
  } else if (suspicious || found.unfinished) {
    notice(`the tail is damaged (${found.damage}): opened on the whole appends up to position ${found.soundUntil}`);
  } else {
    notice(`damaged: ${found.damage}; nothing is dropped, reading that place answers DATA_LOSS`);
    return storage;
  }
  rebuild(storage, `${path}.partial`, found.damage === undefined ? Number.MAX_SAFE_INTEGER : found.soundUntil);
  try {
    storage.close();
  } catch (error) {
    // It is set aside as it is: its write-ahead log could not be merged.
    if (!isCorruption(error)) throw error;
  }
  renameSync(`${path}.partial`, `${path}.rebuilt`);
  syncDirectory(join(path, '..'));
  setAside(join(path, '..'), notice);
  renameSync(`${path}.rebuilt`, path);
  syncDirectory(join(path, '..'));
  return openFile(path);
}

/** Copies the records up to a position into a new file; names and index follow from the records. */
function rebuild(from: Storage, path: string, until: number): void {
  for (const suffix of ['', '-wal', '-journal']) rmSync(`${path}${suffix}`, { force: true });
  const to = openFile(path);
  const known = new Set<number>();
  to.begin();
  try {
    for (const record of from.scan(-1, until)) {
      if (record instanceof Error) throw record;
      if (!known.has(record.stream)) to.addStream(record.stream, Buffer.from(streamNameOf(record.bytes)));
      known.add(record.stream);
      to.insert(record);
    }
    to.commit();
  } finally {
    to.rollback();
    to.close();
  }
}

function openFile(path: string): Storage {
  const db = openDatabase(path);
  let storage: Storage;
  try {
    storage = new Storage(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
  const format = storage.format();
  if (format !== FORMAT) {
    storage.close();
    throw new DamagedStore(`${path} has format ${format}; this version reads format ${FORMAT}`);
  }
  syncDirectory(join(path, '..'));
  return storage;
}

function openDatabase(path: string): Database.Database {
  const db = new Database(path);
  const pragma = (sql: string): void => {
    db.prepare(`PRAGMA ${sql}`).all();
  };
  pragma(`page_size = ${PAGE}`);
  pragma('auto_vacuum = INCREMENTAL');
  pragma('cache_size = -65536');
  if (path !== ':memory:') {
    pragma('locking_mode = EXCLUSIVE');
    pragma('journal_mode = WAL');
    // The log is synced by `Storage.sync` before anything is acknowledged; checkpoints are synced by SQLite.
    pragma('synchronous = NORMAL');
    // Checkpoints are made by `Storage.checkpoint`, which also restarts the log.
    pragma('wal_autocheckpoint = 0');
    pragma('journal_size_limit = 67108864');
  }
  return db;
}

interface FileInspection {
  size: number;
  /** Closing leaves rollback mode in the header and no write-ahead log; a crash leaves WAL mode. */
  closedCleanly: boolean;
  tailIsCut: boolean;
  tailIsZero: boolean;
  headerIsZero: boolean;
}

function inspectFile(path: string): FileInspection {
  if (!existsSync(path)) {
    return { size: 0, closedCleanly: true, tailIsCut: false, tailIsZero: false, headerIsZero: false };
  }
  const { size } = statSync(path);
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(100);
    readSync(fd, header, 0, 100, 0);
    const tail = Buffer.alloc(8, 1);
    if (size >= 8) readSync(fd, tail, 0, 8, size - 8);
    const pages = header.readUInt32BE(28);
    return {
      size,
      closedCleanly: header[18] === 1 && header[19] === 1,
      tailIsCut: size % PAGE !== 0 || pages * PAGE > size,
      tailIsZero: tail.every((byte) => byte === 0),
      headerIsZero: header.every((byte) => byte === 0),
    };
  } finally {
    closeSync(fd);
  }
}

function damagedDirectory(dataDir: string): string {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const taken = new Set(readdirSync(dataDir));
  let name = `damaged-${stamp}`;
  for (let i = 2; taken.has(name); i++) name = `damaged-${stamp}-${i}`;
  const path = join(dataDir, name);
  mkdirSync(path);
  return path;
}

/** Moves the database files into a directory of their own: the main file first, so that it never stands without its log. */
function setAside(dataDir: string, notice: Notice): void {
  const directory = damagedDirectory(dataDir);
  for (const name of ['events.db', 'events.db-wal', 'events.db-journal']) {
    if (existsSync(join(dataDir, name))) renameSync(join(dataDir, name), join(directory, name));
  }
  syncDirectory(dataDir);
  notice(`the damaged files are kept in ${directory}`);
}

function syncDirectory(path: string): void {
  // Directories cannot be opened on every system; there the file system keeps renames in order itself.
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
