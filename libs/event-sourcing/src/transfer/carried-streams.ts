import { createHash } from 'node:crypto';
import type { LogRecord } from '../log-reading';

/** What stands in the way of a backup, a restore or a copy, for the operator to read; nothing was written because of it. */
export class TransferRefused extends Error {
  override readonly name = 'TransferRefused';
}

/**
 * `history`: kept whole, with revisions and order. `value`: of its stream only the newest event counts (data keys, the test
 * clock, stream metadata); older ones are truncated or superseded.
 */
export type StreamKind = 'history' | 'value';

export const TOMBSTONE = '$streamDeleted';
const METADATA = '$metadata';
/** Event types that tell which streams are deleted, truncated or superseded. */
const SURVEYED = [TOMBSTONE, METADATA, 'DataKeyWrapped', 'ClockSet'];
/** `$tb` of a softly deleted stream: 2^63 - 1, which a JSON number only comes near. */
const SOFTLY_DELETED = 2 ** 63;

/** Which streams of an installation are carried over: all that is no cache, no heartbeat and no place in its old log. */
export class CarriedStreams {
  /** For the server's filter, by stream name; with the streams' metadata. */
  readonly filter: { readonly streams: string };
  readonly #positions: string;

  constructor(readonly prefix: string) {
    this.filter = {
      streams: `^(\\$\\$)?${prefix}(\\.(?!heartbeat$)|_(?!snapshot\\.|keys\\.|position\\.|transfer$))`,
    };
    this.#positions = `$$${prefix}_position.`;
  }

  /** The kind of a carried stream. Throws TransferRefused for one that this build does not know. */
  kindOf(stream: string): StreamKind {
    const { prefix } = this;
    if (stream.startsWith('$$') || stream.startsWith(`${prefix}_key.`) || stream === `${prefix}_clock`) return 'value';
    if (stream.startsWith(`${prefix}.`) || stream.startsWith(`${prefix}_parked.`)) return 'history';
    throw new TransferRefused(`${stream} is of a kind that this build does not know: use the build that wrote it`);
  }

  /** The policy whose position the metadata stream belongs to. */
  policyOf(metadataStream: string): string | undefined {
    return metadataStream.startsWith(this.#positions) ? metadataStream.slice(this.#positions.length) : undefined;
  }
}

/** What is known of a log before it is read: which streams are gone, and which events do not count any more. */
export class Survey {
  static readonly types = SURVEYED;
  readonly tombstoned = new Set<string>();
  readonly softlyDeleted = new Set<string>();
  /** Streams of history whose first events may be gone. */
  readonly truncated = new Set<string>();
  readonly policies = new Set<string>();
  /** Newest revision of the values that were written more than once. */
  readonly #newest = new Map<string, bigint>();
  readonly #carried: RegExp;

  constructor(readonly streams: CarriedStreams) {
    this.#carried = new RegExp(streams.filter.streams);
  }

  /** Takes in an event; to be called in the order of the log. */
  note(record: LogRecord): void {
    const { stream, type } = record;
    const policy = this.streams.policyOf(stream);
    if (policy !== undefined) this.policies.add(policy);
    if (!this.#carried.test(stream)) return;
    if (type === TOMBSTONE) this.tombstoned.add(stream);
    else if (this.streams.kindOf(stream) === 'value') {
      if (record.revision > 0n) this.#newest.set(stream, record.revision);
      if (stream.startsWith('$$')) this.#noteRetention(stream.slice(2), retentionOf(record.data));
    }
  }

  /** Whether the event is carried over: not of a deleted stream, and no value that another one replaced. */
  counts(record: LogRecord): boolean {
    const { stream, type, revision } = record;
    const subject = stream.startsWith('$$') ? stream.slice(2) : stream;
    if (this.tombstoned.has(subject)) return type === TOMBSTONE;
    if (this.softlyDeleted.has(stream)) return false;
    return revision >= (this.#newest.get(stream) ?? revision);
  }

  /** Throws TransferRefused when revisions could not be kept. */
  check(): void {
    const [some] = [...this.truncated].filter((stream) => !this.tombstoned.has(stream));
    if (some === undefined) return;
    throw new TransferRefused(
      `the metadata of ${some} truncates it ($tb, $maxCount or $maxAge): its first events are gone, so its revisions and its hash chain cannot be kept. No program of Perennial truncates history`,
    );
  }

  #noteRetention(stream: string, { truncateBefore, bounded }: Retention): void {
    this.softlyDeleted.delete(stream);
    this.truncated.delete(stream);
    if (truncateBefore >= SOFTLY_DELETED) this.softlyDeleted.add(stream);
    else if (this.streams.kindOf(stream) === 'history' && (bounded || truncateBefore > 0)) this.truncated.add(stream);
  }
}

interface Retention {
  readonly truncateBefore: number;
  readonly bounded: boolean;
}

/** Malformed metadata is none, as for the store. */
function retentionOf(data: Uint8Array): Retention {
  try {
    const metadata = JSON.parse(Buffer.from(data).toString('utf8')) as Record<string, unknown>;
    const bounded = '$maxCount' in metadata || '$maxAge' in metadata;
    return { truncateBefore: Number(metadata['$tb'] ?? 0), bounded };
  } catch {
    return { truncateBefore: 0, bounded: false };
  }
}

/** What was carried, so that two sides can be compared without holding either: about 150 bytes of memory for each value. */
export class Tally {
  events = 0;
  /** Streams of history. */
  count = 0;
  bytes = 0;
  readonly erased = new Set<string>();
  readonly #history = createHash('sha256');
  readonly #values = new Map<string, string>();
  #digest: string | undefined;

  constructor(private readonly streams: CarriedStreams) {}

  /** Takes in an event of history, a value or a tombstone; to be called in the order of the log. */
  add(record: LogRecord): StreamKind | 'tombstone' {
    if (record.type === TOMBSTONE) {
      this.erased.add(record.stream);
      this.#values.delete(record.stream);
      this.#values.delete(`$$${record.stream}`);
      return 'tombstone';
    }
    const kind = this.streams.kindOf(record.stream);
    if (kind === 'value') this.#values.set(record.stream, digestOf(record, false).toString('base64'));
    else {
      this.events += 1;
      if (record.revision === 0n) this.count += 1;
      this.bytes += record.data.length + record.metadata.length;
      this.#history.update(digestOf(record, true));
    }
    return kind;
  }

  /** Counts and digests of everything; ends the tally. */
  result(): Totals {
    this.#digest ??= this.#history.digest('hex');
    const values = [...this.#values].map(([stream, digest]) => `${stream} ${digest}`).sort();
    const tombstones = [...this.erased].sort();
    return {
      events: this.events,
      streams: this.count,
      bytes: this.bytes,
      values: values.length,
      tombstones: tombstones.length,
      history: this.#digest,
      rest: createHash('sha256')
        .update(JSON.stringify([values, tombstones]))
        .digest('hex'),
    };
  }
}

/** What a log or a backup holds. Two with the same totals hold the same events in the same order, byte for byte. */
export interface Totals {
  /** Events of history, in so many streams, with so many bytes of data and metadata. */
  readonly events: number;
  readonly streams: number;
  readonly bytes: number;
  /** Data keys, the test clock, metadata of streams. */
  readonly values: number;
  readonly tombstones: number;
  /** sha256 over every event of history in log order: stream, revision, id, type, data, metadata. */
  readonly history: string;
  /** sha256 over values and tombstones. */
  readonly rest: string;
}

/** Why the two differ; undefined when they do not. */
export function differenceOf(wanted: Totals, found: Totals): string | undefined {
  for (const what of ['events', 'streams', 'bytes', 'values', 'tombstones'] as const)
    if (wanted[what] !== found[what]) return `${found[what]} ${what} instead of ${wanted[what]}`;
  if (wanted.history !== found.history) return 'the events are as many, but other ones or in another order';
  if (wanted.rest !== found.rest) return 'data keys, test clock, stream metadata or tombstones differ';
  return undefined;
}

/** Where the event stands in its log is left out, and of a value also where in its stream: both begin anew elsewhere. */
function digestOf(record: LogRecord, withRevision: boolean): Buffer {
  const { stream, revision, id, type, isJson, data, metadata } = record;
  const head = JSON.stringify([stream, withRevision ? `${revision}` : '', id, type, isJson, data.length]);
  return createHash('sha256').update(head).update(data).update(metadata).digest();
}

/** Whether the two are the same event of the same stream, byte for byte. */
export function sameRecord(a: LogRecord, b: LogRecord): boolean {
  return (
    a.stream === b.stream &&
    a.revision === b.revision &&
    a.id === b.id &&
    a.type === b.type &&
    a.isJson === b.isJson &&
    Buffer.compare(a.data, b.data) === 0 &&
    Buffer.compare(a.metadata, b.metadata) === 0
  );
}
