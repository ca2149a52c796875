import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { TOMBSTONE_REVISION, recordCrc, type StoredRecord } from './record';
import { FIRST_POSITION, RECORD_OVERHEAD } from './log';
import { MalformedMessage, Reader } from './wire';

/** A sound record and where it stands in the file. */
export interface RecordPlace {
  readonly position: number;
  readonly stream: number;
  readonly revision: number;
  readonly page: number;
  readonly cell: number;
}

/**
 * Reads records straight from the leaf pages of an SQLite file (https://www.sqlite.org/fileformat2.html#b_tree_pages),
 * without the pages that lead to them: those are made later than the leaves and are the first to go with a cut tail.
 * What is no record of ours, or does not match its CRC, is left out.
 */
export class PageReader {
  private readonly fd: number;
  private readonly page: Buffer;
  private loaded = 0;
  readonly pages: number;

  constructor(
    path: string,
    private readonly pageSize: number,
  ) {
    this.fd = openSync(path, 'r');
    this.page = Buffer.alloc(pageSize);
    this.pages = Math.floor(fstatSync(this.fd).size / pageSize);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Where each record stands, in the order of positions, each position once. */
  places(): RecordPlace[] {
    const found = new Map<number, RecordPlace>();
    for (let page = 1; page <= this.pages; page++) {
      if (!this.load(page)) continue;
      const start = page === 1 ? 100 : 0;
      if (this.page[start] !== TABLE_LEAF) continue;
      const cells = this.page.readUInt16BE(start + 3);
      for (let cell = 0; cell < cells && start + 10 + 2 * cell <= this.pageSize; cell++) {
        const record = this.record(page, cell);
        if (record !== undefined) {
          const { position, stream, revision } = record;
          found.set(position, { position, stream, revision, page, cell });
        }
        this.load(page);
      }
    }
    return [...found.values()].sort((a, b) => a.position - b.position);
  }

  /** The record in a cell of a leaf page, undefined when it is none. */
  record(page: number, cell: number): StoredRecord | undefined {
    if (!this.load(page)) return undefined;
    const start = page === 1 ? 100 : 0;
    const at = this.page.readUInt16BE(start + 8 + 2 * cell);
    if (at >= this.pageSize) return undefined;
    try {
      const size = sqliteVarint(this.page, at);
      const position = sqliteVarint(this.page, size.next);
      const payload = this.payload(position.next, size.value);
      return payload === undefined ? undefined : decodeRow(position.value, payload);
    } catch (error) {
      // Lengths that lead out of the page, or no message: not a record of ours.
      if (error instanceof MalformedMessage || (error as Error).name === 'RangeError') return undefined;
      throw error;
    }
  }

  private load(page: number): boolean {
    if (this.loaded === page) return true;
    this.loaded = 0;
    if (readSync(this.fd, this.page, 0, this.pageSize, (page - 1) * this.pageSize) < this.pageSize) return false;
    this.loaded = page;
    return true;
  }

  /** A cell's payload, its overflow pages included. */
  private payload(at: number, size: number): Buffer | undefined {
    if (size > MAX_PAYLOAD) return undefined;
    const most = this.pageSize - 35;
    const least = Math.floor(((this.pageSize - 12) * 32) / 255) - 23;
    const spill = least + ((size - least) % (this.pageSize - 4));
    const local = size <= most ? size : spill <= most ? spill : least;
    if (at + local + (size > local ? 4 : 0) > this.pageSize) return undefined;
    const out = Buffer.alloc(size);
    let filled = this.page.copy(out, 0, at, at + local);
    let next = size > local ? this.page.readUInt32BE(at + local) : 0;
    while (filled < size) {
      if (next < 1 || next > this.pages || !this.load(next)) return undefined;
      filled += this.page.copy(out, filled, 4, Math.min(this.pageSize, 4 + size - filled));
      next = this.page.readUInt32BE(0);
    }
    return out;
  }
}

const TABLE_LEAF = 13;
const MAX_PAYLOAD = 64 * 1024 * 1024;
const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

/** Whether the definitions of tables on the first page of a file are plain text, as they were written. */
export function isPlainSchema(page: Buffer): boolean {
  try {
    for (let cell = 0; cell < page.readUInt16BE(103); cell++) {
      const size = sqliteVarint(page, page.readUInt16BE(108 + 2 * cell));
      const payload = sqliteVarint(page, size.next).next;
      const header = sqliteVarint(page, payload);
      for (let at = payload + header.value; at < payload + size.value; at++)
        if (page.readUInt8(at) > 0x7f) return false;
    }
    return true;
  } catch (error) {
    if ((error as Error).name === 'RangeError') return false;
    throw error;
  }
}

/** SQLite's own varint: most significant bits first, nine bytes at most. */
function sqliteVarint(bytes: Buffer, at: number): { value: number; next: number } {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes.readUInt8(at + i);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return { value: value * 256 + bytes.readUInt8(at + 8), next: at + 9 };
}

/** A row of the table `record` (the position is the row id), undefined when it is not one or is damaged. */
function decodeRow(position: number, payload: Buffer): StoredRecord | undefined {
  const header = sqliteVarint(payload, 0);
  let at = header.value;
  const values: (number | Buffer | undefined)[] = [];
  for (let type = header.next; type < header.value;) {
    const { value: serial, next } = sqliteVarint(payload, type);
    type = next;
    if (serial >= 12) {
      const length = (serial - 12) >> 1;
      values.push(payload.subarray(at, at + length));
      at += length;
    } else if (serial === 8 || serial === 9) values.push(serial - 8);
    else if (serial === 0) values.push(undefined);
    else {
      const length = INTEGER_BYTES[serial];
      if (length === undefined) return undefined;
      values.push(length === 8 ? Number(payload.readBigInt64BE(at)) : payload.readIntBE(at, length));
      at += length;
    }
  }
  const [none, stream, revision, created, remaining, crc, bytes] = values;
  if (values.length !== 7 || none !== undefined || !Buffer.isBuffer(bytes)) return undefined;
  const numbers = [stream, revision, created, remaining, crc];
  if (!numbers.every((value): value is number => typeof value === 'number')) return undefined;
  const [s, r, c, left, sum] = numbers as [number, number, number, number, number];
  if (left < 0 || recordCrc(s, r, position, left, bytes) !== sum) return undefined;
  if (new Reader(bytes).more === false) return undefined;
  return { position, stream: s, revision: r, created: c, remaining: left, crc: sum, bytes };
}

/**
 * The longest run of whole appends from the start of the log. Up to `reclaimedUntil` positions may have been removed
 * on purpose; there the revisions of each stream tell whether anything is missing.
 */
export function* wholeAppends(reader: PageReader, reclaimedUntil: number): Generator<StoredRecord> {
  let expected = FIRST_POSITION;
  const last = new Map<number, number>();
  let pending: StoredRecord[] = [];
  for (const { page, cell } of reader.places()) {
    const record = reader.record(page, cell);
    if (record === undefined) return;
    if (record.position !== expected && record.position > reclaimedUntil) return;
    const previous = last.get(record.stream);
    if (previous !== undefined && record.revision !== previous + 1 && record.revision !== TOMBSTONE_REVISION) return;
    last.set(record.stream, record.revision);
    expected = record.position + record.bytes.length + RECORD_OVERHEAD;
    pending.push(record);
    if (record.remaining > 0) continue;
    yield* pending;
    pending = [];
  }
}
