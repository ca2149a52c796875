import { type StoredRecord, TOMBSTONE_REVISION } from '../../libs/embedded-eventstore/src/record';
import type { Storage } from '../../libs/embedded-eventstore/src/storage';

/* What the embedded server's log needs of its storage, in plain arrays: a transaction there is one append here. */

interface StreamRecords {
  readonly id: number;
  readonly records: StoredRecord[];
}

/** A storage that keeps everything in memory and forgets nothing. Only what one log does is supported: no damage, no reclaiming. */
export function memoryStorage(): Storage {
  const byName = new Map<string, StreamRecords>();
  const byId = new Map<number, StreamRecords>();
  const all: StoredRecord[] = [];
  /** Revisions of a stream have no gaps, so a revision is a place; a tombstone's alone is not, and stands last. */
  const within = (id: number, from: number, to: number): StoredRecord[] => {
    const { records } = byId.get(id) ?? { records: [] };
    const last = records.at(-1);
    if (last?.revision === TOMBSTONE_REVISION && from === TOMBSTONE_REVISION) return [last];
    return records.slice(Math.max(0, from), to + 1);
  };
  /** How many records stand before the position. */
  const placeOf = (position: number): number => {
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (all[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const storage: Partial<Storage> = {
    highestStreamId: () => byId.size,
    begin: () => undefined,
    commit: () => undefined,
    rollback: () => undefined,
    sync: (done) => done(null),
    checkpointWhenDue: () => undefined,
    close: () => undefined,
    addStream(id, name) {
      const stream = { id, records: [] };
      byName.set(name.toString(), stream);
      byId.set(id, stream);
    },
    streamId: (name) => byName.get(name.toString())?.id,
    insert(record) {
      byId.get(record.stream)!.records.push(record);
      all.push(record);
    },
    lastRevision: (id) => byId.get(id)?.records.at(-1)?.revision,
    forwards: (id, from, to, limit) => within(id, from, to).slice(0, limit),
    backwards: (id, from, to, limit) => within(id, from, to).reverse().slice(0, limit),
    after: (position, limit) => {
      const place = placeOf(position + 1);
      return all.slice(place, place + limit);
    },
    before: (position, limit) => {
      const place = placeOf(position);
      return all.slice(Math.max(0, place - limit), place).reverse();
    },
    extentBefore: (position) => {
      const record = all[placeOf(position) - 1];
      return record && { position: record.position, length: record.bytes.length };
    },
  };
  return storage as Storage;
}
