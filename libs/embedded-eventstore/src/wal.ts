import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** What the write-ahead log holds. All in bytes from the start of the file. */
export interface WalInspection {
  size: number;
  /** End of the last whole commit: what SQLite will use. */
  committed: number;
  /**
   * Bytes after it that belong to the same log: an unfinished write (normal after a crash), or a damaged frame with
   * whatever was written after it. Frames left from before the log last restarted are not counted.
   */
  unused: number;
  /** What stands after the last commit is not something SQLite writes: zeros, or a frame cut short. */
  torn: boolean;
  /** A whole commit in it has written the file's first page: the one in the file is not used. */
  hasFirstPage: boolean;
}

const HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x377f0682;

/** The checksum of SQLite's WAL (https://www.sqlite.org/fileformat2.html#checksum_algorithm), continued from `sums`. */
function checksum(bytes: Buffer, from: number, to: number, bigEndian: boolean, sums: [number, number]): void {
  let [a, b] = sums;
  for (let at = from; at < to; at += 8) {
    const x = bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const y = bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    a = (a + x + b) >>> 0;
    b = (b + y + a) >>> 0;
  }
  sums[0] = a;
  sums[1] = b;
}

/** Walks the frames as SQLite's recovery does, to say where the log ends and whether something is wrong there. */
export function inspectWal(path: string): WalInspection {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return { size: 0, committed: 0, unused: 0, torn: false, hasFirstPage: false };
  }
  try {
    const size = fstatSync(fd).size;
    const header = Buffer.alloc(HEADER);
    const nothing = { size, committed: 0, unused: 0, torn: false, hasFirstPage: false };
    if (size === 0) return nothing;
    if (readSync(fd, header, 0, HEADER, 0) < HEADER) return { ...nothing, unused: size, torn: true };
    const magic = header.readUInt32BE(0);
    const sums: [number, number] = [0, 0];
    checksum(header, 0, 24, (magic & 1) === 1, sums);
    const valid =
      magic >>> 1 === MAGIC >>> 1 && sums[0] === header.readUInt32BE(24) && sums[1] === header.readUInt32BE(28);
    if (!valid) return { ...nothing, unused: size, torn: true };
    return walk(fd, size, header, sums);
  } finally {
    closeSync(fd);
  }
}

function walk(fd: number, size: number, header: Buffer, sums: [number, number]): WalInspection {
  const bigEndian = (header.readUInt32BE(0) & 1) === 1;
  const pageSize = header.readUInt32BE(8);
  const frameSize = FRAME_HEADER + pageSize;
  const salts = header.subarray(16, 24);
  const frame = Buffer.alloc(frameSize);
  let at = HEADER;
  let committed = HEADER;
  let sound = true;
  let end = HEADER;
  let torn = false;
  let firstPageWritten = false;
  let hasFirstPage = false;
  for (; at < size; at += frameSize) {
    const length = readSync(fd, frame, 0, frameSize, at);
    const ours = length >= FRAME_HEADER && frame.subarray(8, 16).equals(salts);
    if (length < frameSize) {
      torn ||= ours || (sound && length < FRAME_HEADER);
      if (ours) end = at + length;
      break;
    }
    if (!ours) {
      // A frame of zeros is none of SQLite's; one with other salts is left from before the log restarted.
      if (sound && frame.subarray(0, FRAME_HEADER).every((byte) => byte === 0)) {
        torn = true;
        end = at + frameSize;
      }
      sound = false;
      continue;
    }
    end = at + frameSize;
    if (!sound) continue;
    checksum(frame, 0, 8, bigEndian, sums);
    checksum(frame, FRAME_HEADER, frameSize, bigEndian, sums);
    sound = sums[0] === frame.readUInt32BE(16) && sums[1] === frame.readUInt32BE(20);
    if (!sound) {
      torn = true;
      continue;
    }
    firstPageWritten ||= frame.readUInt32BE(0) === 1;
    if (frame.readUInt32BE(4) === 0) continue;
    committed = at + frameSize;
    hasFirstPage = firstPageWritten;
  }
  return { size, committed, unused: Math.max(0, end - committed), torn, hasFirstPage };
}
