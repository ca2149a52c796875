import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { decideWrite, type ExpectedRevision } from './expected-revision';
import {
  METASTREAM_LIMITS,
  NO_LIMITS,
  SOFT_DELETE_METADATA,
  firstReadable,
  isMetastream,
  isSoftDeleted,
  metastreamOf,
  parseLimits,
  undeleted,
  type StreamLimits,
} from './metadata';
import {
  TOMBSTONE_REVISION,
  decodeRecord,
  encodeRecord,
  eventIdOf,
  recordCrc,
  type ProposedEvent,
  type StoredRecord,
} from './record';
import { DamagedRecord, type Storage } from './storage';

export interface WriteRequest {
  kind: 'append' | 'delete' | 'tombstone';
  stream: string;
  expected: ExpectedRevision;
  events: readonly ProposedEvent[];
  /** Milliseconds since 1970 after which the write must not be started. */
  deadline?: number | undefined;
}

/** What became of a write. `revision` is −1 for an append of nothing to a missing stream. */
export type WriteResult =
  | { kind: 'written'; revision: number; position: number | undefined }
  | { kind: 'wrong-expected-revision'; current: number }
  | { kind: 'stream-deleted' }
  | { kind: 'timeout' }
  | { kind: 'failed'; error: Error };

interface Stream {
  name: string;
  nameBytes: Buffer;
  id: number | undefined;
  last: number;
  tombstoned: boolean;
  limits: StreamLimits | undefined;
}

/** What may be read of a stream now. `first` … `last` are readable revisions, those older than `notBefore` excepted. */
export type ReadableStream =
  | { kind: 'missing' }
  | { kind: 'tombstoned' }
  | { kind: 'present'; id: number; first: number; last: number; notBefore: number };

/** Positions are byte offsets in an imagined transaction log; 0 is its start and no record's. */
export const FIRST_POSITION = 64;
/** Bytes of that log that a record takes beyond its encoded event. */
export const RECORD_OVERHEAD = 16;

const CACHED_STREAMS = 100_000;
const RECENT_EVENT_IDS = 64 * 1024;
const RECENT_EVENT_IDS_AFTER_OPENING = 4096;
const TAIL_BYTES = 8 * 1024 * 1024;

/**
 * The transaction log: decides and writes appends in groups (one transaction and one sync for all that wait),
 * reads streams and $all, and wakes those who follow it. SQLite is the truth; the caches here are bounded.
 */
export class EventLog {
  private readonly streams = new LRUCache<string, Stream>({ max: CACHED_STREAMS });
  private readonly recent = new Map<string, number>();
  private nextStream: number;
  private nextPosition = FIRST_POSITION;
  private lastPosition = 0;
  private lastCreated = 0;

  private queue: { request: WriteRequest; done: (result: WriteResult) => void }[] = [];
  private flushScheduled = false;
  /** A group is committed and not yet on disk. */
  private syncing = false;
  /** Why nothing can be written any more: a sync failed, and what is on disk is unknown. */
  private broken: Error | undefined;
  private idle: (() => void)[] = [];

  /** The newest records in log order; it holds every record after `tailFrom`. */
  private tail: StoredRecord[] = [];
  private tailBytes = 0;
  private tailFrom = 0;
  private written: StoredRecord[] = [];
  /** Streams written to by the group that is not yet on disk, as readers still see them. */
  private readonly views = new Map<string, Stream>();
  /** Position of the last record on disk: readers see nothing after it. */
  private durablePosition = 0;

  /** Streams that may hold events to reclaim; emptied by whoever reclaims. */
  readonly truncated = new Set<string>();

  private readonly followersOfAll = new Set<() => void>();
  private readonly followersOfStream = new Map<string, Set<() => void>>();

  constructor(private readonly storage: Storage) {
    this.nextStream = storage.highestStreamId() + 1;
    this.findHead();
    this.durablePosition = this.lastPosition;
  }

  /** Position of the last record that is on disk, 0 when there is none. */
  get head(): number {
    return this.durablePosition;
  }

  /** Queues a write; `done` is called once it is on disk or refused. */
  write(request: WriteRequest, done: (result: WriteResult) => void): void {
    this.queue.push({ request, done });
    this.scheduleFlush();
  }

  /** What may be read of a stream at this moment. */
  readable(name: string, now = Date.now()): ReadableStream {
    return this.readableNow(this.seen(name), now);
  }

  private readableNow(stream: Stream, now: number): ReadableStream {
    if (stream.tombstoned) return { kind: 'tombstoned' };
    const limits = this.limits(stream);
    if (stream.id === undefined || stream.last < 0 || isSoftDeleted(limits)) return { kind: 'missing' };
    return {
      kind: 'present',
      id: stream.id,
      first: firstReadable(limits, stream.last),
      last: stream.last,
      notBefore: limits.maxAgeMs === undefined ? 0 : now - limits.maxAgeMs,
    };
  }

  /** Last revision (−1 none) and tombstone of a stream, whatever its metadata says. */
  lastRevision(name: string): { last: number; tombstoned: boolean } {
    return this.seen(name);
  }

  /** Records of a stream whatever its metadata says, ascending; the tombstone is not among them. */
  rawForwards(name: string, from: number, limit: number): StoredRecord[] {
    const { id, last } = this.seen(name);
    return id === undefined || from > last ? [] : this.forwards(id, from, last, limit);
  }

  tombstoneOf(name: string): StoredRecord | undefined {
    const { id } = this.stream(name);
    return id === undefined ? undefined : this.storage.forwards(id, TOMBSTONE_REVISION, TOMBSTONE_REVISION, 1)[0];
  }

  /** Records with revisions `from` … `to`; `continued` when `from − 1` was read before, so that `from` must be there. */
  forwards(id: number, from: number, to: number, limit: number, continued = false): StoredRecord[] {
    const records = contiguous(this.storage.forwards(id, from, to, limit), 1);
    if (continued && records[0]?.revision !== from) throw new DamagedRecord(`revision ${from} of a stream is missing`);
    return records;
  }

  /** The same in descending order from `to`. */
  backwards(id: number, from: number, to: number, limit: number): StoredRecord[] {
    return contiguous(this.storage.backwards(id, from, to, limit), -1);
  }

  /**
   * Removes for good up to `limit` events of a stream that its metadata hides and that are older than `createdBefore`
   * (ms since 1970). The last event of a stream always stays: its revisions go on from there. `left`: events are
   * hidden, or will be by their age, that were not removed.
   */
  reclaim(name: string, createdBefore: number, limit: number): { removed: number; left: boolean } {
    const stream = this.stream(name);
    if (stream.id === undefined) return { removed: 0, left: false };
    const limits = this.limits(stream);
    const below = stream.tombstoned ? TOMBSTONE_REVISION : Math.min(firstReadable(limits, stream.last), stream.last);
    const ages = limits.maxAgeMs !== undefined && !stream.tombstoned;
    let removed = 0;
    this.storage.begin();
    try {
      if (below > 0) removed = this.storage.remove(stream.id, below, createdBefore, limit);
      if (ages && removed < limit) {
        const expired = Math.min(createdBefore, Date.now() - (limits.maxAgeMs as number));
        removed += this.storage.remove(stream.id, stream.last, expired, limit - removed);
      }
      this.storage.commit();
    } finally {
      this.storage.rollback();
    }
    const first = this.storage.firstRevision(stream.id) ?? 0;
    return { removed, left: first < (ages ? stream.last : below) };
  }

  /** Records after a position; from memory when they are recent. */
  after(position: number, limit: number): StoredRecord[] {
    if (position >= this.durablePosition) return [];
    if (position < this.tailFrom) return this.durable(this.storage.after(position, limit));
    let low = 0;
    let high = this.tail.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.tail[middle] as StoredRecord).position <= position) low = middle + 1;
      else high = middle;
    }
    return this.tail.slice(low, low + limit);
  }

  before(position: number, limit: number): StoredRecord[] {
    return this.storage.before(Math.min(position, this.durablePosition + 1), limit);
  }

  /** False for an offset inside a record: no position that this log ever gave out. */
  isRecordStart(position: number): boolean {
    if (position <= 0 || position > this.lastPosition) return true;
    const before = this.storage.extentBefore(position);
    return before === undefined || before.position + before.length + RECORD_OVERHEAD <= position;
  }

  /** Calls `wake` after each commit that wrote to the stream (to any stream without a name); returns how to stop. */
  follow(name: string | undefined, wake: () => void): () => void {
    if (name === undefined) {
      this.followersOfAll.add(wake);
      return () => this.followersOfAll.delete(wake);
    }
    const followers = this.followersOfStream.get(name) ?? new Set();
    this.followersOfStream.set(name, followers.add(wake));
    return () => {
      followers.delete(wake);
      if (followers.size === 0 && this.followersOfStream.get(name) === followers) this.followersOfStream.delete(name);
    };
  }

  /** Writes what is queued, waits until it is on disk, and closes the database. */
  async close(): Promise<void> {
    while (this.syncing || this.queue.length > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
    this.storage.close();
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.syncing) return;
    this.flushScheduled = true;
    // After the sockets that are readable now have been read, so that one commit serves them all.
    setImmediate(() => {
      this.flush();
    });
  }

  /** Writes all that is queued in one commit, and answers once it is on disk; what comes meanwhile is the next group. */
  private flush(): void {
    this.flushScheduled = false;
    if (this.queue.length === 0) return;
    const group = this.queue;
    this.queue = [];
    const results = this.commitGroup(group.map(({ request }) => request));
    const finish = (error: Error | null): void => {
      this.syncing = false;
      if (error !== null) this.broken = error;
      const wrote = this.written.length > 0;
      if (error === null && wrote) this.publish();
      for (const [index, { done }] of group.entries()) {
        done(error === null ? (results[index] as WriteResult) : { kind: 'failed', error });
      }
      this.wake(error === null && wrote);
      if (this.queue.length > 0) this.scheduleFlush();
      else for (const resolve of this.idle.splice(0)) resolve();
    };
    if (this.written.length === 0) {
      finish(null);
      return;
    }
    this.syncing = true;
    this.storage.sync(finish);
  }

  /** Lets readers see the group that is now on disk. */
  private publish(): void {
    this.storage.checkpointWhenDue();
    this.keepTail();
    this.durablePosition = this.lastPosition;
  }

  private wake(wrote: boolean): void {
    const touched = [...this.views.keys()];
    this.views.clear();
    if (!wrote) return;
    for (const wake of [...this.followersOfAll]) wake();
    for (const name of touched) for (const wake of [...(this.followersOfStream.get(name) ?? [])]) wake();
  }

  /** One transaction for all; when it fails before its commit each request is tried alone, so that one cannot fail all. */
  private commitGroup(requests: WriteRequest[]): WriteResult[] {
    let committing = false;
    const { broken } = this;
    if (broken !== undefined) return requests.map(() => ({ kind: 'failed', error: broken }));
    const alreadyWritten = this.written.length;
    try {
      const now = Date.now();
      this.storage.begin();
      const results = requests.map((request) => this.apply(request, now));
      committing = true;
      if (this.written.length > alreadyWritten) this.storage.commit();
      else this.storage.rollback();
      return results;
    } catch (error) {
      this.forget(alreadyWritten);
      if (committing || requests.length === 1) {
        return requests.map(() => ({
          kind: 'failed',
          error: error instanceof Error ? error : new Error(String(error)),
        }));
      }
      return requests.flatMap((request) => this.commitGroup([request]));
    }
  }

  private apply(request: WriteRequest, now: number): WriteResult {
    if (request.deadline !== undefined && request.deadline <= now) return { kind: 'timeout' };
    const stream = this.stream(request.stream);
    const metastream = isMetastream(stream.name) ? undefined : this.stream(metastreamOf(stream.name));
    const softDeleted = isSoftDeleted(this.limits(stream));
    const decision = decideWrite(
      {
        last: stream.last,
        tombstoned: stream.tombstoned,
        softDeleted,
        hasMetadata: metastream !== undefined && metastream.last >= 0,
        recentRevision: (eventId) => (stream.id === undefined ? undefined : this.recent.get(`${stream.id}/${eventId}`)),
        eventIdAt: (revision) => this.eventIdAt(stream, revision),
      },
      request.expected,
      request.kind === 'append' ? request.events.map(({ id }) => id) : [NO_EVENT],
    );
    if (decision.kind === 'stream-deleted') return { kind: 'stream-deleted' };
    if (decision.kind === 'wrong-expected-revision') {
      return { kind: 'wrong-expected-revision', current: stream.last };
    }
    if (decision.kind === 'idempotent') {
      return {
        kind: 'written',
        revision: decision.lastRevision,
        position: this.readablePosition(stream, decision.lastRevision, now),
      };
    }
    switch (request.kind) {
      case 'append':
        return this.applyAppend(stream, request.events, softDeleted, now);
      case 'delete': {
        // Nothing to delete is refused, whatever was expected.
        if (stream.last < 0 && (metastream?.last ?? -1) < 0) return { kind: 'wrong-expected-revision', current: -1 };
        const position = this.put(this.stream(metastreamOf(stream.name)), [metadataEvent(SOFT_DELETE_METADATA)], now);
        return { kind: 'written', revision: stream.last, position };
      }
      case 'tombstone':
        return { kind: 'written', revision: TOMBSTONE_REVISION, position: this.put(stream, [TOMBSTONE()], now, true) };
    }
  }

  private applyAppend(
    stream: Stream,
    events: readonly ProposedEvent[],
    softDeleted: boolean,
    now: number,
  ): WriteResult {
    const base = isMetastream(stream.name) ? this.stream(stream.name.slice(2)) : undefined;
    const baseSoftDeleted = base !== undefined && isSoftDeleted(this.limits(base));
    const before = stream.last;
    const position = events.length === 0 ? this.lastPosition : this.put(stream, events, now);
    const revision = stream.last;
    if (softDeleted) this.undelete(stream, before + 1, now);
    if (base !== undefined && baseSoftDeleted) this.undelete(base, base.last + 1, now);
    return { kind: 'written', revision, position };
  }

  private undelete(stream: Stream, fromRevision: number, now: number): void {
    const metastream = this.stream(metastreamOf(stream.name));
    const current = this.lastRecord(metastream);
    const metadata = current === undefined ? undefined : undeleted(decodeRecord(current.bytes).data, fromRevision);
    if (metadata !== undefined) this.put(metastream, [metadataEvent(metadata)], now);
  }

  /** Writes events after the stream's last; returns the position of the last one written. */
  private put(stream: Stream, events: readonly ProposedEvent[], now: number, tombstone = false): number {
    const created = Math.max(now, this.lastCreated);
    this.lastCreated = created;
    this.keepView(stream);
    // Metadata changes what readers see of its stream, a tombstone what they see of its metadata.
    if (isMetastream(stream.name)) this.keepView(this.stream(stream.name.slice(2)));
    else if (tombstone) this.keepView(this.stream(metastreamOf(stream.name)));
    if (stream.id === undefined) {
      stream.id = this.nextStream++;
      this.storage.addStream(stream.id, stream.nameBytes);
    }
    for (const [index, event] of events.entries()) {
      const revision = tombstone ? TOMBSTONE_REVISION : stream.last + 1;
      const position = this.nextPosition;
      const bytes = encodeRecord(event, stream.nameBytes, revision, position, created);
      const remaining = events.length - index - 1;
      const crc = recordCrc(stream.id, revision, position, remaining, bytes);
      const record = { position, stream: stream.id, revision, created, remaining, crc, bytes };
      this.storage.insert(record);
      this.written.push(record);
      this.remember(stream.id, event.id, revision);
      this.lastPosition = position;
      this.nextPosition = position + bytes.length + RECORD_OVERHEAD;
      if (tombstone) stream.tombstoned = true;
      else stream.last = revision;
    }
    if (isMetastream(stream.name)) {
      this.stream(stream.name.slice(2)).limits = undefined;
      this.truncated.add(stream.name).add(stream.name.slice(2));
    } else if (tombstone || (stream.limits ?? NO_LIMITS) !== NO_LIMITS) this.truncated.add(stream.name);
    if (tombstone) this.streams.delete(metastreamOf(stream.name));
    return this.lastPosition;
  }

  /** Keeps how readers see a stream until what is written to it now is on disk. */
  private keepView(stream: Stream): void {
    if (this.views.has(stream.name)) return;
    this.limits(stream);
    this.views.set(stream.name, { ...stream });
  }

  /** A stream as readers see it: without what is not yet on disk. */
  private seen(name: string): Stream {
    return this.views.get(name) ?? this.stream(name);
  }

  private durable(records: StoredRecord[]): StoredRecord[] {
    return (records.at(-1)?.position ?? 0) <= this.durablePosition
      ? records
      : records.filter(({ position }) => position <= this.durablePosition);
  }

  private stream(name: string): Stream {
    const cached = this.streams.get(name);
    if (cached !== undefined) return cached;
    const nameBytes = Buffer.from(name);
    const id = this.storage.streamId(nameBytes);
    let last = id === undefined ? -1 : (this.storage.lastRevision(id) ?? -1);
    let tombstoned = last === TOMBSTONE_REVISION;
    if (tombstoned) last = -1;
    if (isMetastream(name) && this.stream(name.slice(2)).tombstoned) tombstoned = true;
    const stream: Stream = { name, nameBytes, id, last, tombstoned, limits: undefined };
    this.streams.set(name, stream);
    return stream;
  }

  private limits(stream: Stream): StreamLimits {
    if (isMetastream(stream.name)) return METASTREAM_LIMITS;
    if (stream.limits !== undefined) return stream.limits;
    const record = this.lastRecord(this.stream(metastreamOf(stream.name)));
    stream.limits = record === undefined ? NO_LIMITS : parseLimits(decodeRecord(record.bytes).data);
    return stream.limits;
  }

  private lastRecord(stream: Stream): StoredRecord | undefined {
    if (stream.id === undefined || stream.last < 0) return undefined;
    return this.storage.forwards(stream.id, stream.last, stream.last, 1)[0];
  }

  private eventIdAt(stream: Stream, revision: number): string | undefined {
    if (stream.id === undefined) return undefined;
    const [record] = this.storage.forwards(stream.id, revision, revision, 1);
    return record === undefined ? undefined : eventIdOf(record.bytes);
  }

  private readablePosition(stream: Stream, revision: number, now: number): number | undefined {
    const readable = this.readableNow(stream, now);
    if (readable.kind !== 'present' || revision < readable.first) return undefined;
    const [record] = this.storage.forwards(readable.id, revision, revision, 1);
    return record === undefined || record.created < readable.notBefore ? undefined : record.position;
  }

  private remember(stream: number, eventId: string, revision: number): void {
    this.recent.set(`${stream}/${eventId}`, revision);
    if (this.recent.size <= RECENT_EVENT_IDS) return;
    for (const oldest of this.recent.keys()) {
      this.recent.delete(oldest);
      break;
    }
  }

  private keepTail(): void {
    for (const record of this.written) {
      this.tailBytes += record.bytes.length;
      this.tail.push(record);
    }
    this.written = [];
    if (this.tailBytes <= TAIL_BYTES) return;
    let dropped = 0;
    while (this.tailBytes > TAIL_BYTES / 2) this.tailBytes -= (this.tail[dropped++] as StoredRecord).bytes.length;
    this.tailFrom = (this.tail[dropped - 1] as StoredRecord).position;
    this.tail = this.tail.slice(dropped);
  }

  /** After a failed transaction: nothing remembered of it may stay. */
  private forget(alreadyWritten: number): void {
    this.storage.rollback();
    this.written.length = alreadyWritten;
    this.streams.clear();
    this.recent.clear();
    this.nextStream = this.storage.highestStreamId() + 1;
    this.findHead();
  }

  private findHead(): void {
    const last = this.storage.extentBefore(Number.MAX_SAFE_INTEGER);
    this.lastPosition = last?.position ?? 0;
    this.nextPosition = last === undefined ? FIRST_POSITION : last.position + last.length + RECORD_OVERHEAD;
    this.tail = [];
    this.tailBytes = 0;
    this.tailFrom = this.lastPosition;
    this.lastCreated = 0;
    try {
      const newest = this.storage.before(Number.MAX_SAFE_INTEGER, RECENT_EVENT_IDS_AFTER_OPENING);
      this.lastCreated = newest[0]?.created ?? 0;
      for (const record of newest.reverse()) this.remember(record.stream, eventIdOf(record.bytes), record.revision);
    } catch (error) {
      // The newest record is damaged: it is refused to readers, but the log goes on after it.
      if (!(error instanceof DamagedRecord)) throw error;
    }
  }
}

/** Stands for the id of a delete, which repeats nothing. */
const NO_EVENT = '';

const NOTHING = Buffer.alloc(0);
const metadataEvent = (data: Buffer): ProposedEvent => ({
  id: randomUUID(),
  type: '$metadata',
  json: true,
  data,
  metadata: NOTHING,
});
const TOMBSTONE = (): ProposedEvent => ({
  id: randomUUID(),
  type: '$streamDeleted',
  json: false,
  data: NOTHING,
  metadata: NOTHING,
});

/**
 * Revisions of one stream have no gaps: records are returned up to one, and what comes after it is damage, never an
 * empty answer.
 */
function contiguous(records: StoredRecord[], step: 1 | -1): StoredRecord[] {
  for (let i = 1; i < records.length; i++) {
    if ((records[i] as StoredRecord).revision !== (records[i - 1] as StoredRecord).revision + step) {
      return records.slice(0, i);
    }
  }
  return records;
}
