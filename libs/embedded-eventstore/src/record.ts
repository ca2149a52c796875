import { crc32 } from 'node:zlib';
import { MalformedMessage, Reader, field, numberField, putVarint, varintLength } from './wire';

/** An event as a client proposes it. */
export interface ProposedEvent {
  id: string;
  type: string;
  /** As a real server keeps it: JSON or any bytes. */
  json: boolean;
  data: Buffer;
  metadata: Buffer;
}

/**
 * One event in the log. `bytes` is the whole encoded `ReadResp{event}` (ids as strings) as it goes out on the wire;
 * `remaining` counts the events of the same append that follow it; `created` is in milliseconds since 1970.
 */
export interface StoredRecord {
  position: number;
  stream: number;
  revision: number;
  created: number;
  remaining: number;
  crc: number;
  bytes: Buffer;
}

/** The revision of a tombstone is the largest int64; in the log it is the largest safe integer. */
export const TOMBSTONE_REVISION = Number.MAX_SAFE_INTEGER;
const INT64_MAX = Buffer.from('ffffffffffffffff7f', 'hex');

/** The content type whose events clients parse. */
export const JSON_CONTENT_TYPE = 'application/json';

const TYPE_KEY = Buffer.from('\x0a\x04type\x12', 'latin1');
const CREATED_KEY = Buffer.from('\x0a\x07created\x12', 'latin1');
const JSON_ENTRY = Buffer.from('\x32\x20\x0a\x0ccontent-type\x12\x10application/json', 'latin1');
const BYTES_ENTRY = Buffer.from('\x32\x28\x0a\x0ccontent-type\x12\x18application/octet-stream', 'latin1');

/** Field numbers of `ReadResp.ReadEvent.RecordedEvent`, as tags. */
const TAG = {
  id: 0x0a,
  stream: 0x12,
  revision: 0x18,
  prepare: 0x20,
  commit: 0x28,
  entry: 0x32,
  metadata: 0x3a,
  data: 0x42,
};

function putField(out: Buffer, at: number, tag: number, content: Buffer): number {
  out[at++] = tag;
  at = putVarint(out, at, content.length);
  return at + content.copy(out, at);
}

function putEntry(out: Buffer, at: number, key: Buffer, value: string, length: number): number {
  out[at++] = TAG.entry;
  at = putVarint(out, at, key.length + varintLength(length) + length);
  at += key.copy(out, at);
  at = putVarint(out, at, length);
  return at + out.write(value, at, length, 'utf8');
}

const entryLength = (key: Buffer, length: number): number => {
  const inner = key.length + varintLength(length) + length;
  return 1 + varintLength(inner) + inner;
};
const fieldLength = (length: number): number => 1 + varintLength(length) + length;

/** Encodes `ReadResp{event{event, commit_position}}` for an event at its place in the log. */
export function encodeRecord(
  event: ProposedEvent,
  streamName: Buffer,
  revision: number,
  position: number,
  created: number,
): Buffer {
  const tombstone = revision === TOMBSTONE_REVISION;
  // .NET ticks of 100 ns since 1970, as the real server sends them.
  const ticks = `${created}0000`;
  const typeLength = Buffer.byteLength(event.type);
  const contentType = event.json ? JSON_ENTRY : BYTES_ENTRY;
  const positionLength = varintLength(position);
  const nameLength = fieldLength(streamName.length);
  const recorded =
    2 +
    38 +
    1 +
    varintLength(nameLength) +
    nameLength +
    (tombstone ? 10 : revision === 0 ? 0 : 1 + varintLength(revision)) +
    2 * (1 + positionLength) +
    entryLength(TYPE_KEY, typeLength) +
    contentType.length +
    entryLength(CREATED_KEY, ticks.length) +
    (event.metadata.length === 0 ? 0 : fieldLength(event.metadata.length)) +
    (event.data.length === 0 ? 0 : fieldLength(event.data.length));
  const readEvent = fieldLength(recorded) + 1 + positionLength;
  const out = Buffer.allocUnsafe(fieldLength(readEvent));
  let at = 0;
  out[at++] = 0x0a;
  at = putVarint(out, at, readEvent);
  out[at++] = 0x0a;
  at = putVarint(out, at, recorded);
  out[at++] = TAG.id;
  out[at++] = 38;
  out[at++] = 0x12;
  out[at++] = 36;
  at += out.write(event.id, at, 36, 'latin1');
  out[at++] = TAG.stream;
  at = putVarint(out, at, nameLength);
  at = putField(out, at, 0x1a, streamName);
  if (tombstone) {
    out[at++] = TAG.revision;
    at += INT64_MAX.copy(out, at);
  } else if (revision !== 0) {
    out[at++] = TAG.revision;
    at = putVarint(out, at, revision);
  }
  out[at++] = TAG.prepare;
  at = putVarint(out, at, position);
  out[at++] = TAG.commit;
  at = putVarint(out, at, position);
  at = putEntry(out, at, TYPE_KEY, event.type, typeLength);
  at += contentType.copy(out, at);
  at = putEntry(out, at, CREATED_KEY, ticks, ticks.length);
  if (event.metadata.length !== 0) at = putField(out, at, TAG.metadata, event.metadata);
  if (event.data.length !== 0) at = putField(out, at, TAG.data, event.data);
  out[at++] = 0x18;
  at = putVarint(out, at, position);
  if (at !== out.length) throw new Error(`record encoded to ${at} bytes instead of ${out.length}`);
  return out;
}

const scratch = Buffer.alloc(28);

/** CRC-32 over stream, revision, position, the place in the append, and the bytes. */
export function recordCrc(
  stream: number,
  revision: number,
  position: number,
  remaining: number,
  bytes: Buffer,
): number {
  scratch.writeDoubleLE(position, 0);
  scratch.writeDoubleLE(revision, 8);
  scratch.writeDoubleLE(stream, 16);
  scratch.writeUInt32LE(remaining, 24);
  return crc32(bytes, crc32(scratch));
}

/** The encoded `RecordedEvent` inside a record's bytes, not copied. */
export function recordedEvent(bytes: Buffer): Buffer {
  const reader = new Reader(bytes);
  reader.at++;
  reader.varint();
  reader.at++;
  return reader.slice();
}

/** The event id of a record, without decoding the rest. */
export function eventIdOf(bytes: Buffer): string {
  const event = recordedEvent(bytes);
  return event.toString('latin1', 4, 40);
}

/** The stream name of a record, without decoding the rest. */
export function streamNameOf(bytes: Buffer): string {
  const reader = new Reader(recordedEvent(bytes), 41);
  const identifier = reader.message();
  identifier.at++;
  return identifier.text();
}

/** Type, data and metadata of a record. */
export function decodeRecord(bytes: Buffer): ProposedEvent & { stream: string } {
  const reader = new Reader(recordedEvent(bytes));
  const event: ProposedEvent & { stream: string } = {
    id: '',
    stream: '',
    type: '',
    json: false,
    data: Buffer.alloc(0),
    metadata: Buffer.alloc(0),
  };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === TAG.id) event.id = uuidText(reader.message());
    else if (tag === TAG.stream) {
      const identifier = reader.message();
      identifier.at++;
      event.stream = identifier.text();
    } else if (tag === TAG.entry) {
      const [key, value] = entry(reader.message());
      if (key === 'type') event.type = value;
      else if (key === 'content-type') event.json = value === JSON_CONTENT_TYPE;
    } else if (tag === TAG.metadata) event.metadata = reader.slice();
    else if (tag === TAG.data) event.data = reader.slice();
    else reader.skip(tag & 7);
  }
  return event;
}

/** The type of a record. */
export function eventTypeOf(bytes: Buffer): string {
  const reader = new Reader(recordedEvent(bytes), 40);
  while (reader.more) {
    const tag = reader.varint();
    if (tag !== TAG.entry) {
      reader.skip(tag & 7);
      continue;
    }
    const [key, value] = entry(reader.message());
    if (key === 'type') return value;
  }
  throw new MalformedMessage('recorded event without a type');
}

/** Key and value of a `map<string, string>` entry. */
export function entry(reader: Reader): [string, string] {
  let key = '';
  let value = '';
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) key = reader.text();
    else if (tag === 0x12) value = reader.text();
    else reader.skip(tag & 7);
  }
  return [key, value];
}

/** A `UUID` message, structured or text, as lower-case text. */
export function uuidText(reader: Reader): string {
  let text = '';
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x12) text = reader.text().toLowerCase();
    else if (tag === 0x0a) {
      const structured = reader.message();
      let most = 0n;
      let least = 0n;
      while (structured.more) {
        const part = structured.varint();
        if (part === 0x08) most = structured.bigVarint();
        else if (part === 0x10) least = structured.bigVarint();
        else structured.skip(part & 7);
      }
      const hex = most.toString(16).padStart(16, '0') + least.toString(16).padStart(16, '0');
      text = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    } else reader.skip(tag & 7);
  }
  return text;
}

function bigVarintBytes(value: bigint): Buffer {
  const out: number[] = [];
  while (value >= 128n) {
    out.push(Number(value & 0x7fn) | 0x80);
    value >>= 7n;
  }
  out.push(Number(value));
  return Buffer.from(out);
}

/** The same `RecordedEvent` with its id as two 64-bit halves, for clients that ask for structured ids. */
function withStructuredId(event: Buffer): Buffer {
  const hex = event.toString('latin1', 4, 40).replaceAll('-', '');
  const structured = Buffer.concat([
    Buffer.from([0x08]),
    bigVarintBytes(BigInt(`0x${hex.slice(0, 16)}`)),
    Buffer.from([0x10]),
    bigVarintBytes(BigInt(`0x${hex.slice(16)}`)),
  ]);
  return Buffer.concat([field(TAG.id, field(0x0a, structured)), event.subarray(40)]);
}

/**
 * `ReadResp{event}` other than the stored one: with structured ids, or of a link (`record`) and its target.
 * `target` undefined with `isLink` is a link whose target is missing.
 */
export function encodeReadEvent(
  record: StoredRecord,
  options: { structuredIds: boolean; isLink?: boolean; target?: StoredRecord | undefined },
): Buffer {
  const event = (r: StoredRecord): Buffer => {
    const stored = recordedEvent(r.bytes);
    return options.structuredIds ? withStructuredId(stored) : stored;
  };
  const position = numberField(0x18, record.position);
  if (options.isLink !== true) return field(0x0a, Buffer.concat([field(0x0a, event(record)), position]));
  const link = field(0x12, event(record));
  const target = options.target === undefined ? [] : [field(0x0a, event(options.target))];
  return field(0x0a, Buffer.concat([...target, link, position]));
}
