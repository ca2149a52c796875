import { streamNameOf, type StoredRecord } from './record';
import type { Storage } from './storage';

export interface Verification {
  records: number;
  /** Position of the last record of the last whole append before any damage; 0 when there is none. */
  soundUntil: number;
  /** What is wrong at the first damaged place, undefined when nothing is. */
  damage: string | undefined;
  /** Sound records that follow the first damage. */
  soundAfter: number;
  /** Nothing is damaged but the events of the last append are not all there. */
  unfinished: boolean;
  /** The records are whole but the tables that lead to them are not. */
  indexDamage: string | undefined;
}

/**
 * Reads the records after a position in one pass of the table, checks every CRC and where appends begin and end, and
 * (from the start of the log only) that stream names and the index by revision lead to exactly these records.
 */
export function verify(storage: Storage, after: number): Verification {
  const result: Verification = {
    records: 0,
    soundUntil: Math.max(0, after),
    damage: undefined,
    soundAfter: 0,
    unfinished: false,
    indexDamage: undefined,
  };
  const names = new Map<number, string>();
  let sum = 0;
  let previous: StoredRecord | undefined;
  try {
    for (const record of storage.scan(after)) {
      if (result.damage !== undefined) {
        if (!(record instanceof Error)) result.soundAfter++;
        continue;
      }
      result.damage = record instanceof Error ? record.message : misplaced(previous, record);
      if (record instanceof Error || result.damage !== undefined) continue;
      previous = record;
      result.records++;
      sum = mix(sum, record.stream, record.revision, record.position);
      if (after < 0 && !names.has(record.stream)) names.set(record.stream, streamNameOf(record.bytes));
      if (record.remaining === 0) result.soundUntil = record.position;
    }
  } catch (error) {
    result.damage ??= error instanceof Error ? error.message : String(error);
  }
  if (result.damage === undefined && previous !== undefined && previous.remaining > 0) {
    result.unfinished = true;
    result.damage = `the append that ends with position ${previous.position} is not whole`;
  }
  if (result.damage !== undefined) return result;
  if (after >= 0) return result;
  try {
    let indexed = 0;
    for (const [stream, revision, position] of storage.scanIndex()) indexed = mix(indexed, stream, revision, position);
    if (indexed !== sum) result.indexDamage = 'the index by revision does not match the records';
    for (const [id, name] of names) {
      if (storage.streamId(Buffer.from(name)) !== id) result.indexDamage = `the name of stream ${id} is damaged`;
    }
  } catch (error) {
    result.indexDamage = error instanceof Error ? error.message : String(error);
  }
  return result;
}

function misplaced(previous: StoredRecord | undefined, record: StoredRecord): string | undefined {
  if (previous === undefined) return undefined;
  if (record.position <= previous.position) return `position ${record.position} follows ${previous.position}`;
  const whole =
    previous.remaining === 0 || (record.stream === previous.stream && record.remaining === previous.remaining - 1);
  return whole ? undefined : `the append that ends with position ${previous.position} is not whole`;
}

/** A checksum that does not depend on the order of its entries. */
const mix = (sum: number, stream: number, revision: number, position: number): number =>
  (sum + (Math.imul(stream, 0x9e3779b1) ^ Math.imul(revision | 0, 0x85ebca6b) ^ Math.imul(position | 0, 0xc2b2ae35))) |
  0;
