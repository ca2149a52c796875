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
  bytes: Buffer,
];

const COLUMNS = 'position, stream, revision, created, remaining, crc, bytes';

/** The file format; a file of another format is refused. */
export const FORMAT = 1;

/**
 * The log in an SQLite database: one row a record, in the order of positions, each with a CRC.
 * Every query goes through `all`: in libsql 0.5 a statement's `get` leaves the statement open and may repeat an older row.
 * A lone Buffer parameter is given in an array, else it is taken for an object of named parameters.
 */
export class Storage {
  private readonly statements;

  constructor(
    readonly db: Database.Database,
    private readonly crcChecked = true,
  ) {
    db.exec(`
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
    `);
    const query = (sql: string) => db.prepare<unknown[]>(sql).raw();
    this.statements = {
      insertRecord: db.prepare(`INSERT INTO record (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`),
      insertStream: db.prepare('INSERT INTO stream (id, name) VALUES (?, ?)'),
      streamByName: query('SELECT id FROM stream WHERE name = ?'),
      maxStream: query('SELECT max(id) FROM stream'),
      lastRevision: query('SELECT revision FROM record WHERE stream = ? ORDER BY revision DESC LIMIT 1'),
      forwards: query(
        `SELECT ${COLUMNS} FROM record WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision LIMIT ?`,
      ),
      backwards: query(
        `SELECT ${COLUMNS} FROM record WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision DESC LIMIT ?`,
      ),
      after: query(`SELECT ${COLUMNS} FROM record WHERE position > ? ORDER BY position LIMIT ?`),
      before: query(`SELECT ${COLUMNS} FROM record WHERE position < ? ORDER BY position DESC LIMIT ?`),
    };
  }

  begin(): void {
    this.db.exec('BEGIN IMMEDIATE');
  }

  commit(): void {
    this.db.exec('COMMIT');
  }

  rollback(): void {
    if (this.db.inTransaction) this.db.exec('ROLLBACK');
  }

  insert(record: StoredRecord): void {
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
    return this.number(this.statements.streamByName.all([name]));
  }

  addStream(id: number, name: Buffer): void {
    this.statements.insertStream.run(id, name);
  }

  highestStreamId(): number {
    return this.number(this.statements.maxStream.all()) ?? 0;
  }

  /** The last revision of a stream, `TOMBSTONE_REVISION` when it is tombstoned. */
  lastRevision(stream: number): number | undefined {
    return this.number(this.statements.lastRevision.all(stream));
  }

  /** Records of one stream with revisions `from` … `to` (both included), in ascending order. */
  forwards(stream: number, from: number, to: number, limit: number): StoredRecord[] {
    return this.records(this.statements.forwards.all(stream, from, to, limit), stream);
  }

  /** Records of one stream with revisions `from` … `to` (both included), in descending order. */
  backwards(stream: number, from: number, to: number, limit: number): StoredRecord[] {
    return this.records(this.statements.backwards.all(stream, from, to, limit), stream);
  }

  /** Records after a position, in log order. */
  after(position: number, limit: number): StoredRecord[] {
    return this.records(this.statements.after.all(position, limit));
  }

  /** Records before a position, newest first. */
  before(position: number, limit: number): StoredRecord[] {
    return this.records(this.statements.before.all(position, limit));
  }

  close(): void {
    this.db.close();
  }

  private number(rows: unknown[]): number | undefined {
    return ((rows[0] as [number | null] | undefined)?.[0] ?? undefined) as number | undefined;
  }

  private records(rows: unknown[], stream?: number): StoredRecord[] {
    return (rows as Row[]).map(([position, id, revision, created, remaining, crc, bytes]) => {
      if (this.crcChecked && (recordCrc(id, revision, position, remaining, bytes) !== crc || (stream ?? id) !== id)) {
        throw new DamagedRecord(`record at position ${position}`);
      }
      return { position, stream: id, revision, created, remaining, crc, bytes };
    });
  }
}
