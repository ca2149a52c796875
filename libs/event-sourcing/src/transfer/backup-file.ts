import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, open, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import type { LogRecord } from '../log-reading';
import { CarriedStreams, differenceOf, Survey, Tally, type Totals, TransferRefused } from './carried-streams';
import type { PolicyMark, TransferSource } from './source';

/**
 * A backup is this line, a gzip stream, and the sha256 (hex) of all before it. The stream holds frames: the lengths of a JSON
 * head, of data and of metadata (4 bytes each, big-endian), then these three. The first head is the `Opening`, the last the
 * `Closing`, those between them are `RecordHead`s.
 */
const FIRST_LINE = 'perennial-backup 1\n';
const CHECKSUM_BYTES = 65;
const PART_BYTES = 256 * 1024;
/** No server stores a larger event. */
const MAX_FRAME_PART = 32 * 1024 * 1024;

interface Opening {
  readonly prefix: string;
  readonly madeAt: string;
  readonly marks: readonly { readonly policy: string; readonly position: string }[];
}

interface RecordHead {
  readonly s: string;
  readonly r: string;
  readonly p: string;
  readonly i: string;
  readonly t: string;
  /** 1 for JSON. */
  readonly j: 0 | 1;
}

interface Closing {
  /** Everything up to here is in it, nothing after. */
  readonly position: string;
  readonly totals: Totals;
}

/** What a backup says of itself. */
export interface BackupSummary {
  readonly prefix: string;
  /** ISO 8601 UTC: when the reading began. */
  readonly madeAt: string;
  /** The log position up to which everything is in it. */
  readonly position: bigint;
  readonly totals: Totals;
  /** sha256 (hex) of the file without its last line, which holds it. */
  readonly checksum: string;
}

/** The file is no backup, or not as it was written. */
export class BackupDamaged extends Error {
  override readonly name = 'BackupDamaged';
  constructor(path: string, why: string) {
    super(`${path} cannot be used: ${why}`);
  }
}

export type Progress = (events: number, position: bigint) => void;

/**
 * Writes a source into a file that has its name only when it is whole, on disk, and read back. Throws TransferRefused when there
 * is such a file already.
 */
export async function writeBackup(
  source: TransferSource,
  path: string,
  { madeAt, progress }: { readonly madeAt: string; readonly progress?: Progress },
): Promise<BackupSummary> {
  const existing = await stat(path).catch(() => undefined);
  if (existing) throw new TransferRefused(`${path} exists and is not overwritten`);
  const unfinished = `${path}.${process.pid}.unfinished`;
  try {
    const written = await writeUnfinished(source, unfinished, madeAt, progress);
    const { summary } = await openBackup(unfinished);
    const difference = differenceOf(written, summary.totals);
    if (difference !== undefined) throw new BackupDamaged(unfinished, `read back, it holds ${difference}`);
    await link(unfinished, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new TransferRefused(`${path} exists by now and is not overwritten`);
    });
    return summary;
  } finally {
    await unlink(unfinished).catch(() => undefined);
    await syncPath(dirname(path)).catch(() => undefined);
  }
}

async function writeUnfinished(
  source: TransferSource,
  path: string,
  madeAt: string,
  progress: Progress | undefined,
): Promise<Totals> {
  const checksum = createHash('sha256');
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const tally = new Tally(source.streams);
  let totals: Totals | undefined;
  async function* frames(): AsyncGenerator<Buffer> {
    const marks = source.marks.map(({ policy, position }) => ({ policy, position: `${position}` }));
    const opening: Opening = { prefix: source.streams.prefix, madeAt, marks };
    yield frame(opening);
    let position = -1n;
    for await (const record of source.records()) {
      tally.add(record);
      position = record.position;
      yield recordFrame(record);
      progress?.(tally.events, position);
    }
    totals = tally.result();
    const closing: Closing = { position: `${position}`, totals };
    yield frame(closing);
  }
  async function* summed(parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const first = Buffer.from(FIRST_LINE);
    checksum.update(first);
    yield first;
    for await (const part of parts) {
      checksum.update(part);
      yield part;
    }
    yield Buffer.from(`${checksum.digest('hex')}\n`);
  }
  await pipeline(Readable.from(inParts(frames()), { objectMode: true }), createGzip({ level: 4 }), summed, file);
  await syncPath(path);
  return totals!;
}

/** Small frames gathered, for fewer turns of the stream. */
async function* inParts(frames: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const each of frames) {
    waiting.push(each);
    bytes += each.length;
    if (bytes < PART_BYTES) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  yield Buffer.concat(waiting);
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Checks a whole backup, its checksum first, and opens it as a source. Throws BackupDamaged. */
export async function openBackup(path: string): Promise<{ summary: BackupSummary; source: TransferSource }> {
  const { checksum, end } = await verifyChecksum(path);
  const frames = () => readFrames(path, end);
  let opening: Opening | undefined;
  let survey: Survey | undefined;
  let tally: Tally | undefined;
  let closing: Closing | undefined;
  try {
    for await (const item of frames()) {
      if (closing) throw new BackupDamaged(path, 'something follows its end');
      if (isRecord(item)) {
        survey!.note(item);
        tally!.add(item);
      } else if ('marks' in item) {
        opening = item;
        const streams = new CarriedStreams(item.prefix);
        survey = new Survey(streams);
        tally = new Tally(streams);
      } else closing = item;
    }
  } catch (error) {
    if (error instanceof BackupDamaged || error instanceof TransferRefused) throw error;
    throw new BackupDamaged(path, error instanceof Error ? error.message : String(error));
  }
  if (!opening || !survey || !tally || !closing) throw new BackupDamaged(path, 'it ends early');
  const difference = differenceOf(closing.totals, tally.result());
  if (difference !== undefined) throw new BackupDamaged(path, `it holds ${difference}`);
  const { streams } = survey;
  const marks: PolicyMark[] = opening.marks.map(({ policy, position }) => ({ policy, position: BigInt(position) }));
  const counts = survey.counts.bind(survey);
  return {
    summary: {
      prefix: opening.prefix,
      madeAt: opening.madeAt,
      position: BigInt(closing.position),
      totals: closing.totals,
      checksum,
    },
    source: {
      streams,
      marks,
      async *records() {
        for await (const item of frames()) if (isRecord(item) && counts(item)) yield item;
      },
    },
  };
}

async function verifyChecksum(path: string): Promise<{ checksum: string; end: number }> {
  const { size } = await stat(path);
  const end = size - CHECKSUM_BYTES;
  if (end <= FIRST_LINE.length) throw new BackupDamaged(path, 'it is too short for a backup');
  const hash = createHash('sha256');
  let first = Buffer.alloc(0);
  for await (const part of createReadStream(path, { end: end - 1, highWaterMark: PART_BYTES })) {
    if (first.length < FIRST_LINE.length)
      first = Buffer.concat([first, (part as Buffer).subarray(0, FIRST_LINE.length)]);
    hash.update(part as Buffer);
  }
  if (first.toString('latin1', 0, FIRST_LINE.length) !== FIRST_LINE)
    throw new BackupDamaged(path, `it does not begin with "${FIRST_LINE.trim()}"`);
  const stated: Buffer[] = [];
  for await (const part of createReadStream(path, { start: end })) stated.push(part as Buffer);
  const checksum = hash.digest('hex');
  if (Buffer.concat(stated).toString('latin1') !== `${checksum}\n`)
    throw new BackupDamaged(path, 'its checksum is wrong: it is damaged or was cut off');
  return { checksum, end };
}

async function* readFrames(path: string, end: number): AsyncGenerator<Opening | LogRecord | Closing> {
  const packed = createReadStream(path, { start: FIRST_LINE.length, end: end - 1, highWaterMark: PART_BYTES });
  const unpacked = createGunzip({ chunkSize: PART_BYTES });
  packed.on('error', (error) => unpacked.destroy(error));
  try {
    let rest: Buffer = Buffer.alloc(0);
    for await (const part of packed.pipe(unpacked)) {
      rest = rest.length === 0 ? (part as Buffer) : Buffer.concat([rest, part as Buffer]);
      let at = 0;
      for (;;) {
        const size = frameSize(rest, at);
        if (size === undefined || at + size > rest.length) break;
        yield parseFrame(rest.subarray(at, at + size));
        at += size;
      }
      rest = rest.subarray(at);
    }
    if (rest.length > 0) throw new Error('its last frame is cut off');
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
}

function frameSize(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < at + 12) return undefined;
  let size = 12;
  for (const offset of [0, 4, 8]) {
    const part = bytes.readUInt32BE(at + offset);
    if (part > MAX_FRAME_PART) throw new Error('a frame is larger than any event');
    size += part;
  }
  return size;
}

function parseFrame(bytes: Buffer): Opening | LogRecord | Closing {
  const dataAt = 12 + bytes.readUInt32BE(0);
  const metadataAt = dataAt + bytes.readUInt32BE(4);
  const head = JSON.parse(bytes.toString('utf8', 12, dataAt)) as Opening | RecordHead | Closing;
  if (!('s' in head)) return head;
  return {
    stream: head.s,
    revision: BigInt(head.r),
    position: BigInt(head.p),
    id: head.i,
    type: head.t,
    isJson: head.j === 1,
    data: bytes.subarray(dataAt, metadataAt),
    metadata: bytes.subarray(metadataAt),
  };
}

function isRecord(item: Opening | LogRecord | Closing): item is LogRecord {
  return 'stream' in item;
}

function recordFrame({ stream, revision, position, id, type, isJson, data, metadata }: LogRecord): Buffer {
  return frame(
    { s: stream, r: `${revision}`, p: `${position}`, i: id, t: type, j: isJson ? 1 : 0 } satisfies RecordHead,
    data,
    metadata,
  );
}

function frame(head: object, data: Uint8Array = Buffer.alloc(0), metadata: Uint8Array = Buffer.alloc(0)): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const lengths = Buffer.alloc(12);
  lengths.writeUInt32BE(text.length, 0);
  lengths.writeUInt32BE(data.length, 4);
  lengths.writeUInt32BE(metadata.length, 8);
  return Buffer.concat([lengths, text, data, metadata]);
}
