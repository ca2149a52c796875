import { closeSync, fdatasync, openSync } from 'node:fs';
import Database from 'libsql';
import { recordCrc, type StoredRecord } from './record';

/** Damaged bytes were met where a record should be; the server answers DATA_LOSS. */
export class DamagedRecord extends Error {
  constructor(where: string) {
    super(`the event store's file is damaged: ${where}`);
  }
}

type Row = [
  position: number,
  stream: number,
  revision: number,
  created: number,
  remaining: number,
  crc: number,
  bytes: unknown,
];

const COLUMNS = 'position, stream, revision, created, remaining, crc, bytes';

/** The file format; a file of another format is refused. */
export const FORMAT = 1;

const SCHEMA = `
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
      INSERT OR IGNORE INTO meta VALUES ('format', ${FORMAT}), ('generation', 0), ('reclaimed', 0);
      CREATE TABLE IF NOT EXISTS stream (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
      CREATE TABLE IF NOT EXISTS record (
        position INTEGER PRIMARY KEY,
        stream INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        created INTEGER NOT NULL,
        remaining INTEGER NOT NULL,
        crc INTEGER NOT NULL,
        bytes BLOB NOT NULL
      );
      CREATE UNIQUE INDEX IF NOT EXISTS record_by_revision ON record (stream, revision);
    `;

/** Values of another type than was written; libsql ends the process over text that is no UTF-8. */
const OTHER_TYPES = [
  `SELECT position FROM record WHERE typeof(bytes) <> 'blob' OR ${['stream', 'revision', 'created', 'remaining', 'crc']
    .map((column) => `typeof(${column}) <> 'integer'`)
    .join(' OR ')}`,
  "SELECT id FROM stream WHERE typeof(name) <> 'blob'",
  "SELECT rowid FROM meta WHERE typeof(value) <> 'integer'",
];

const CHECKPOINT_FRAMES = 3000;
const FIRST_CHECKPOINT_RECORDS = 2000;

/**
 * The log in an SQLite database: one row a record, in the order of positions, each with a CRC.
 * Every query goes through `all`: in libsql 0.5 a statement's `get` leaves the statement open and may repeat an older row.
 * A lone Buffer parameter is given in an array, else it is taken for an object of named parameters.
 */
export class Storage {
  private readonly statements;
  private insertedSinceCheckpoint = 0;
  private checkpointAfter = FIRST_CHECKPOINT_RECORDS;

  private readonly onDisk: boolean;
  private readonly wal: number | undefined;

  /** `path` of the main file: CRCs are checked on reading, and there is something to sync. Absent: in memory. */
  constructor(
    private readonly db: Database.Database,
    path?: string,
  ) {
    this.onDisk = path !== undefined;
    db.exec(SCHEMA);
    this.wal = path === undefined ? undefined : openSync(`${path}-wal`, 'r+');
    const query = (sql: string) => db.prepare<unknown[]>(sql).raw();
    this.statements = {
      insertRecord: db.prepare(`INSERT INTO record (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`),
      insertStream: db.prepare('INSERT INTO stream (id, name) VALUES (?, ?)'),
      streamByName: query('SELECT id FROM stream WHERE name = ?'),
      streamsFrom: query('SELECT id, name FROM stream WHERE name > ? AND name < ? ORDER BY name LIMIT ?'),
      maxStream: query('SELECT max(id) FROM stream'),
      lastRevision: query('SELECT revision FROM record WHERE stream = ? ORDER BY revision DESC LIMIT 1'),
      firstRevision: query('SELECT revision FROM record WHERE stream = ? ORDER BY revision LIMIT 1'),
      forwards: query(
        `SELECT ${COLUMNS} FROM record WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision LIMIT ?`,
      ),
      backwards: query(
        `SELECT ${COLUMNS} FROM record WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision DESC LIMIT ?`,
      ),
      after: query(`SELECT ${COLUMNS} FROM record WHERE position > ? ORDER BY position LIMIT ?`),
      before: query(`SELECT ${COLUMNS} FROM record WHERE position < ? ORDER BY position DESC LIMIT ?`),
      extentBefore: query(
        'SELECT position, length(bytes) FROM record WHERE position < ? ORDER BY position DESC LIMIT 1',
      ),
      removable: query(
        'SELECT position FROM record WHERE stream = ? AND revision < ? AND created < ? ORDER BY revision LIMIT ?',
      ),
      reclaimed: db.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'reclaimed'"),
      remove: db.prepare('DELETE FROM record WHERE position = ?'),
    };
  }

  format(): number {
    return this.numbers("SELECT value FROM meta WHERE key = 'format'")[0] ?? 0;
  }

  /** The highest position ever removed: before it, positions may be missing on purpose. */
  reclaimedUntil(): number {
    return this.numbers("SELECT value FROM meta WHERE key = 'reclaimed'")[0] ?? 0;
  }

  /** Carries `reclaimedUntil` over into a rebuilt file. */
  setReclaimedUntil(position: number): void {
    this.statements.reclaimed.run(position);
  }

  begin(): void {
    this.db.exec('BEGIN IMMEDIATE');
  }

  /** The transaction is in the write-ahead log, but on disk only after a `sync` that begins later. */
  commit(): void {
    this.db.exec('COMMIT');
  }

  /**
   * Calls `done` once all that was committed before is on disk. The wait is outside this thread, so that requests are
   * read meanwhile: this is the sync that SQLite's own `synchronous = FULL` makes, moved out of its commit.
   */
  sync(done: (error: Error | null) => void): void {
    if (this.wal === undefined) done(null);
    else fdatasync(this.wal, done);
  }

  rollback(): void {
    if (this.db.inTransaction) this.db.exec('ROLLBACK');
  }

  insert(record: StoredRecord): void {
    this.insertedSinceCheckpoint++;
    this.statements.insertRecord.run(
      record.position,
      record.stream,
      record.revision,
      record.created,
      record.remaining,
      record.crc,
      record.bytes,
    );
  }

  streamId(name: Buffer): number | undefined {
    return first(looked(() => this.statements.streamByName.all([name])));
  }

  addStream(id: number, name: Buffer): void {
    this.statements.insertStream.run(id, name);
  }

  highestStreamId(): number {
    return first(this.statements.maxStream.all()) ?? 0;
  }

  /** Names of streams after `name` and before `end`, in byte order. */
  streamNames(name: Buffer, end: Buffer, limit: number): Buffer[] {
    return (this.statements.streamsFrom.all(name, end, limit) as [number, Buffer][]).map(([, bytes]) => bytes);
  }

  /** The last revision of a stream, `TOMBSTONE_REVISION` when it is tombstoned. */
  lastRevision(stream: number): number | undefined {
    return first(looked(() => this.statements.lastRevision.all(stream)));
  }

  /** The first revision of a stream that is still kept. */
  firstRevision(stream: number): number | undefined {
    return first(looked(() => this.statements.firstRevision.all(stream)));
  }

  /** Records of one stream with revisions `from` … `to` (both included), in ascending order. */
  forwards(stream: number, from: number, to: number, limit: number): StoredRecord[] {
    return this.records((count) => this.statements.forwards.all(stream, from, to, count), limit, stream);
  }

  /** Records of one stream with revisions `from` … `to` (both included), in descending order. */
  backwards(stream: number, from: number, to: number, limit: number): StoredRecord[] {
    return this.records((count) => this.statements.backwards.all(stream, from, to, count), limit, stream);
  }

  /** Records after a position, in log order. */
  after(position: number, limit: number): StoredRecord[] {
    return this.records((count) => this.statements.after.all(position, count), limit);
  }

  /** Records before a position, newest first. */
  before(position: number, limit: number): StoredRecord[] {
    return this.records((count) => this.statements.before.all(position, count), limit);
  }

  /** Position and encoded length of the last record before a position, its bytes not looked at. */
  extentBefore(position: number): { position: number; length: number } | undefined {
    const [row] = looked(() => this.statements.extentBefore.all(position)) as [number, number][];
    return row === undefined ? undefined : { position: row[0], length: row[1] };
  }

  /**
   * Every record after a position up to another in one pass of the table, which also meets rows that a search would
   * miss; an error stands for a damaged one. Run it to its end: a statement left open holds up checkpoints.
   */
  *scan(after: number, until = Number.MAX_SAFE_INTEGER): Generator<StoredRecord | DamagedRecord> {
    const rows = this.db
      .prepare<unknown[]>(`SELECT ${COLUMNS} FROM record WHERE position > ? AND position <= ? ORDER BY position`)
      .raw();
    for (const row of rows.iterate(after, until) as IterableIterator<Row>) {
      let record: StoredRecord | DamagedRecord;
      try {
        record = this.record(row);
      } catch (error) {
        record = error as DamagedRecord;
      }
      yield record;
    }
  }

  /** Every entry of the index by revision. */
  *scanIndex(): Generator<[stream: number, revision: number, position: number]> {
    const rows = this.db
      .prepare<unknown[]>(
        'SELECT stream, revision, position FROM record INDEXED BY record_by_revision ORDER BY stream, revision',
      )
      .raw();
    yield* rows.iterate() as IterableIterator<[number, number, number]>;
  }

  /** Records that a pass of the table meets, their values not looked at. */
  count(): number {
    return this.numbers('SELECT count(*) FROM record NOT INDEXED')[0] ?? 0;
  }

  /** The streams that have been given an id. */
  streams(): [id: number, name: Buffer][] {
    return this.db.prepare<unknown[]>('SELECT id, name FROM stream').raw().all() as [number, Buffer][];
  }

  /** The position that has `count` records after it, −1 when there are not so many. */
  positionBeforeNewest(count: number): number {
    return this.numbers(`SELECT position FROM record ORDER BY position DESC LIMIT 1 OFFSET ${count}`)[0] ?? -1;
  }

  /** Removes up to `limit` records of a stream below a revision and older than `createdBefore`; returns how many. */
  remove(stream: number, belowRevision: number, createdBefore: number, limit: number): number {
    const rows = this.statements.removable.all(stream, belowRevision, createdBefore, limit) as [number][];
    let highest = 0;
    for (const [position] of rows) {
      this.statements.remove.run(position);
      highest = Math.max(highest, position);
    }
    if (highest > 0) this.statements.reclaimed.run(highest);
    this.insertedSinceCheckpoint += rows.length;
    return rows.length;
  }

  /** Gives up to `pages` free pages at the end of the file back; returns how many are left. */
  shrink(pages: number): number {
    this.db.prepare(`PRAGMA incremental_vacuum(${pages})`).all();
    this.insertedSinceCheckpoint += pages;
    return this.numbers('PRAGMA freelist_count')[0] ?? 0;
  }

  /** Free pages and all pages of the file. */
  pages(): { free: number; all: number } {
    return { free: this.numbers('PRAGMA freelist_count')[0] ?? 0, all: this.numbers('PRAGMA page_count')[0] ?? 0 };
  }

  /**
   * Moves the write-ahead log into the main file when it has grown. The log is restarted at once by a small write: a
   * log that is already in the main file must not be taken for valid if it is damaged later.
   */
  checkpointWhenDue(atLeast = this.checkpointAfter): void {
    if (!this.onDisk || this.insertedSinceCheckpoint < atLeast) return;
    const frames = this.checkpoint();
    const inserted = this.insertedSinceCheckpoint;
    this.insertedSinceCheckpoint = 0;
    this.checkpointAfter = Math.min(
      200_000,
      Math.max(500, Math.floor((inserted * CHECKPOINT_FRAMES) / Math.max(1, frames))),
    );
  }

  /**
   * Overwrites what was removed: removed records are zeroed in their pages (open.ts), and the log, which may hold them as
   * they were, is emptied into the main file and cut.
   */
  forgetRemoved(): void {
    if (!this.onDisk) return;
    this.checkpoint('TRUNCATE');
    this.insertedSinceCheckpoint = 0;
  }

  /** Closes the file so that it needs no recovery: everything in the main file, and no lock kept by libsql. */
  close(): void {
    try {
      if (this.onDisk) {
        this.db.prepare('PRAGMA journal_mode = DELETE').all();
        this.db.prepare('PRAGMA locking_mode = NORMAL').all();
        this.numbers('SELECT count(*) FROM meta');
      }
    } finally {
      if (this.wal !== undefined) closeSync(this.wal);
      this.db.close();
    }
  }

  /** Returns how many frames the log had. */
  private checkpoint(kind: 'RESTART' | 'TRUNCATE' = 'RESTART'): number {
    const [row] = this.db.prepare<unknown[]>(`PRAGMA wal_checkpoint(${kind})`).raw().all() as [
      number,
      number,
      number,
    ][];
    this.db.exec("UPDATE meta SET value = value + 1 WHERE key = 'generation'");
    return row?.[1] ?? 0;
  }

  private numbers(sql: string): number[] {
    return (this.db.prepare<unknown[]>(sql).raw().all() as [number][]).map(([value]) => value);
  }

  /**
   * The records of a query up to the first damaged one.
   * @throws DamagedRecord when the first is damaged, or the pages that lead to it.
   */
  private records(rows: (limit: number) => unknown[], limit: number, stream?: number): StoredRecord[] {
    let found: Row[];
    try {
      found = rows(limit) as Row[];
    } catch (error) {
      if (limit > 1) return this.records(rows, 1, stream);
      throw isCorruption(error) ? new DamagedRecord((error as Error).message) : error;
    }
    const records: StoredRecord[] = [];
    for (const row of found) {
      try {
        records.push(this.record(row, stream));
      } catch (error) {
        if (records.length === 0) throw error;
        break;
      }
    }
    return records;
  }

  private record([position, stream, revision, created, remaining, crc, bytes]: Row, asked?: number): StoredRecord {
    if (this.onDisk) {
      const sound =
        Buffer.isBuffer(bytes) &&
        (asked ?? stream) === stream &&
        recordCrc(stream, revision, position, remaining, bytes) === crc;
      if (!sound) throw new DamagedRecord(`the record at position ${position} does not match its checksum`);
    }
    return { position, stream, revision, created, remaining, crc, bytes: bytes as Buffer };
  }
}

/**
 * What is wrong with the tables of a file and the ways to their rows, undefined when nothing is; the bytes of records
 * have CRCs of their own. A search in damaged pages may pass over rows without a word, so this comes before any.
 */
export function structuralDamage(db: Database.Database): string | undefined {
  try {
    const [found] = db.prepare<unknown[]>('PRAGMA integrity_check(1)').raw().all() as [string][];
    if (found?.[0] !== 'ok') return found?.[0] ?? 'the check of the file said nothing';
    const schema = schemaOf(db);
    if (schema.length === 0) return undefined;
    const fresh = new Database(':memory:');
    fresh.exec(SCHEMA);
    const sound = new Set(schemaOf(fresh));
    fresh.close();
    if (!schema.every((part) => sound.has(part))) return 'a table has another shape than this version makes';
    const other = OTHER_TYPES.some((sql) => db.prepare<unknown[]>(`${sql} LIMIT 1`).raw().all().length > 0);
    return other ? 'a value has another type than was written' : undefined;
  } catch (error) {
    if (!isCorruption(error)) throw error;
    return (error as Error).message;
  }
}

const schemaOf = (db: Database.Database): string[] =>
  (db.prepare<unknown[]>('SELECT type, name, tbl_name, sql FROM sqlite_master').raw().all() as unknown[][]).map((row) =>
    JSON.stringify(row),
  );

/** The answer of a search. Throws DamagedRecord when the pages that lead to it are damaged. */
function looked(search: () => unknown[]): unknown[] {
  try {
    return search();
  } catch (error) {
    throw isCorruption(error) ? new DamagedRecord((error as Error).message) : error;
  }
}

/** True for SQLite's own errors about a damaged file. */
export const isCorruption = (error: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown } | undefined)?.code)) ||
  /malformed|corrupt/i.test(error instanceof Error ? error.message : '');

const first = (rows: unknown[]): number | undefined => (rows[0] as [number | null] | undefined)?.[0] ?? undefined;
