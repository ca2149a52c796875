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
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { lockDirectory } from './directory-lock';
import { recordCrc, streamNameOf, type StoredRecord } from './record';
import { FORMAT, Storage, isCorruption, structuralDamage } from './storage';
import { PageReader, isPlainSchema, wholeAppends } from './salvage';
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
const RESTORE = 'restore a backup';
const NEWEST_RECORDS = 10_000;
/** No record takes less than 100 bytes. */
const RECORDS_OF_A_PAGE = 40;

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
  if (existed && file.headerIsZero && wal.committed === 0) return rebuild(path, 0, 'its first page is lost', notice);
  if (wal.torn) {
    // SQLite drops what follows the last whole commit; keep it for whoever wants to look.
    const copy = join(damagedDirectory(dataDir), 'events.db-wal');
    copyFileSync(`${path}-wal`, copy);
    notice(
      `the write-ahead log is not whole: its last whole commit ends at byte ${wal.committed} of ${wal.size}, ` +
        `${wal.unused} bytes after it are dropped (a copy is ${copy})`,
    );
  }
  // SQLite opens no file that is shorter than its header says; a missing tail reads as a zeroed one.
  if (file.tailIsCut) truncateSync(path, Math.max(1, file.pages) * PAGE);
  const tail = file.tailIsCut || file.zeroTail > 0;
  if (!tail && file.schemaIsDamaged && !wal.hasFirstPage)
    throw new DamagedStore(`${path}: its first page is damaged; ${RESTORE}`);
  let opened: { storage: Storage; damage: string | undefined };
  try {
    opened = openFile(path);
  } catch (error) {
    if (error instanceof DamagedStore || !isCorruption(error)) throw error;
    if (!tail) throw new DamagedStore(`${path} cannot be opened: ${message(error)}; ${RESTORE}`);
    return rebuild(path, 0, message(error), notice);
  }
  const { storage, damage } = opened;
  return existed ? checked(storage, damage, path, file, wal, notice) : storage;
}

/**
 * Reads through a file that may be damaged: rebuilds it on whole appends when its tail is, repairs it when the ways to
 * its records are (`structure`).
 */
function checked(
  storage: Storage,
  structure: string | undefined,
  path: string,
  file: FileInspection,
  wal: WalInspection,
  notice: Notice,
): Storage {
  const suspicious = file.tailIsCut || file.zeroTail > 0 || wal.torn;
  if (!suspicious && structure !== undefined) return repair(storage, path, structure, notice);
  if (!suspicious && file.closedCleanly && wal.size === 0) return storage;
  const whole = suspicious || file.size + wal.size <= FULL_CHECK_BYTES;
  const found = verify(storage, whole ? -1 : storage.positionBeforeNewest(NEWEST_RECORDS));
  const damage = found.damage ?? found.indexDamage;
  const tail = file.tailIsCut || wal.torn || found.unfinished || explainedByZeros(file.zeroTail, found.soundAfter);
  if (damage !== undefined && tail) {
    let reclaimedUntil = 0;
    try {
      reclaimedUntil = storage.reclaimedUntil();
      storage.close();
    } catch (error) {
      // Then the file is taken as it is, without its write-ahead log.
      if (!isCorruption(error)) throw error;
    }
    return rebuild(path, reclaimedUntil, damage, notice);
  }
  const ways = structure ?? found.indexDamage;
  if (ways !== undefined) return repair(storage, path, ways, notice);
  notice(
    damage === undefined
      ? `not closed when last used: checked ${found.records} records, opened at position ${found.soundUntil}`
      : `damaged: ${damage}; nothing is dropped, reading that place answers DATA_LOSS`,
  );
  return storage;
}

/**
 * Zeros within the last page may be an event's own bytes: they are the damage only when not more sound records follow
 * it than one page holds. A whole page of zeros at the end is none of SQLite's.
 */
const explainedByZeros = (zeroTail: number, soundAfter: number): boolean =>
  zeroTail >= PAGE || (zeroTail > 0 && soundAfter <= RECORDS_OF_A_PAGE);

/** Makes a new file of the whole appends that the damaged one still has from the start on, and sets that one aside. */
function rebuild(path: string, reclaimedUntil: number, damage: string, notice: Notice): Storage {
  const reader = new PageReader(path, PAGE);
  try {
    const { records, last } = replace(path, wholeAppends(reader, reclaimedUntil), reclaimedUntil, new Map(), notice);
    notice(`damaged (${damage}): opened on the ${records} records of whole appends up to position ${last}`);
  } finally {
    reader.close();
  }
  return openFile(path).storage;
}

/**
 * Makes a new file of every record that the pages of the damaged one still hold. What the index knows of and no page
 * holds keeps its place and answers DATA_LOSS.
 * @throws DamagedStore when it cannot be told whether anything is missing.
 */
function repair(storage: Storage, path: string, damage: string, notice: Notice): Storage {
  let reclaimedUntil: number;
  let counted: number | undefined;
  let indexed: [stream: number, revision: number, position: number][] | undefined;
  let names: Map<number, Buffer>;
  try {
    reclaimedUntil = storage.reclaimedUntil();
    indexed = unlessCorrupt(() => [...storage.scanIndex()]);
    counted = unlessCorrupt(() => storage.count());
    names = new Map(unlessCorrupt(() => storage.streams()) ?? []);
    storage.close();
  } catch (error) {
    if (!isCorruption(error)) throw error;
    throw new DamagedStore(`${path} is damaged: ${damage}; ${RESTORE}`);
  }
  const reader = new PageReader(path, PAGE);
  try {
    const places = reader.places();
    if (indexed === undefined && counted !== places.length) {
      throw new DamagedStore(`${path} is damaged: ${damage}; ${RESTORE}`);
    }
    const sound = new Set(places.map(({ position }) => position));
    const standing = new Set(places.map(({ stream, revision }) => `${stream}@${revision}`));
    const missing = (indexed ?? []).filter(
      ([stream, revision, position]) => !sound.has(position) && !standing.has(`${stream}@${revision}`),
    );
    replace(path, withHoles(reader, places, missing), reclaimedUntil, names, notice);
    notice(
      missing.length === 0
        ? `damaged (${damage}): made anew, nothing is missing`
        : `damaged (${damage}): ${missing.length} records cannot be read, from position ${missing.map(([, , at]) => at).sort((a, b) => a - b)[0]} on; ` +
            `nothing is dropped, reading them answers DATA_LOSS`,
    );
  } finally {
    reader.close();
  }
  return openFile(path).storage;
}

/** Records in the order of their positions; a missing one is a row whose checksum never holds. */
function* withHoles(
  reader: PageReader,
  places: ReturnType<PageReader['places']>,
  missing: readonly [stream: number, revision: number, position: number][],
): Generator<StoredRecord> {
  const bytes = Buffer.alloc(0);
  const holes = missing.map(([stream, revision, position]) => ({ position, stream, revision }));
  let created = 0;
  for (const place of [...places, ...holes].sort((a, b) => a.position - b.position)) {
    const record = 'page' in place ? reader.record(place.page, place.cell) : undefined;
    created = record?.created ?? created;
    const { position, stream, revision } = place;
    const crc = recordCrc(stream, revision, position, 0, bytes) ^ 1;
    yield record ?? { position, stream, revision, created, remaining: 0, crc, bytes };
  }
}

/** Writes records into a new file that takes the place of the damaged one, which is set aside. `names`: of streams without a readable record. */
function replace(
  path: string,
  found: Iterable<StoredRecord>,
  reclaimedUntil: number,
  names: ReadonlyMap<number, Buffer>,
  notice: Notice,
): { records: number; last: number } {
  const dataDir = join(path, '..');
  const partial = `${path}.partial`;
  for (const suffix of ['', '-wal', '-journal']) rmSync(`${partial}${suffix}`, { force: true });
  const { storage: to } = openFile(partial);
  const known = new Set<number>();
  const unnamed = new Set<number>();
  let records = 0;
  let last = 0;
  try {
    to.begin();
    for (const record of found) {
      if (!known.has(record.stream)) {
        const name = record.bytes.length > 0 ? Buffer.from(streamNameOf(record.bytes)) : undefined;
        if (name === undefined) unnamed.add(record.stream);
        else {
          to.addStream(record.stream, name);
          known.add(record.stream);
          unnamed.delete(record.stream);
        }
      }
      to.insert(record);
      records++;
      last = record.position;
    }
    for (const stream of unnamed) {
      const name = names.get(stream);
      if (name === undefined) throw new DamagedStore(`${path} is damaged: a stream has lost its name; ${RESTORE}`);
      to.addStream(stream, name);
    }
    to.setReclaimedUntil(Math.min(reclaimedUntil, last));
    to.commit();
  } finally {
    to.rollback();
    to.close();
  }
  renameSync(partial, `${path}.rebuilt`);
  syncDirectory(dataDir);
  setAside(dataDir, notice);
  renameSync(`${path}.rebuilt`, path);
  syncDirectory(dataDir);
  return { records, last };
}

function unlessCorrupt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!isCorruption(error)) throw error;
    return undefined;
  }
}

/** Opens a file, or makes it, and says what is wrong with the ways to its records. */
function openFile(path: string): { storage: Storage; damage: string | undefined } {
  const db = openDatabase(path);
  let storage: Storage;
  let damage: string | undefined;
  try {
    damage = structuralDamage(db);
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
  return { storage, damage };
}

function openDatabase(path: string): Database.Database {
  const db = new Database(path);
  const pragma = (sql: string): void => {
    db.prepare(`PRAGMA ${sql}`).all();
  };
  pragma(`page_size = ${PAGE}`);
  pragma('auto_vacuum = INCREMENTAL');
  // A destroyed key must not be left in a free part of a page.
  pragma('secure_delete = ON');
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
  /** Pages that the file should have. */
  pages: number;
  tailIsCut: boolean;
  /** Zero bytes at the end, up to a page. */
  zeroTail: number;
  headerIsZero: boolean;
  /** The definitions of the tables on the first page are not plain text: SQLite's binding ends the process over them. */
  schemaIsDamaged: boolean;
}

function inspectFile(path: string): FileInspection {
  if (!existsSync(path)) {
    return {
      size: 0,
      closedCleanly: true,
      pages: 0,
      tailIsCut: false,
      zeroTail: 0,
      headerIsZero: false,
      schemaIsDamaged: false,
    };
  }
  const { size } = statSync(path);
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(PAGE);
    readSync(fd, header, 0, PAGE, 0);
    const tail = Buffer.alloc(Math.min(PAGE, size));
    readSync(fd, tail, 0, tail.length, size - tail.length);
    const pages = header.readUInt32BE(28);
    return {
      size,
      closedCleanly: header[18] === 1 && header[19] === 1,
      pages,
      tailIsCut: size % PAGE !== 0 || Math.max(1, pages) * PAGE > size,
      zeroTail: tail.length - 1 - tail.findLastIndex((byte) => byte !== 0),
      headerIsZero: header.subarray(0, 100).every((byte) => byte === 0),
      schemaIsDamaged: !isPlainSchema(header),
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
