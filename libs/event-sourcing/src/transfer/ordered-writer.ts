import { RevisionConflict, StreamDeleted } from '../errors';
import type { EventStore } from '../event-store';
import type { LogRecord } from '../log-reading';
import { MAX_APPEND_BYTES } from '../snapshots';

/** Appends under way at once: what EventStore.appendRecords keeps in order. */
const UNDER_WAY = 63;
const EVENTS_AT_ONCE = 500;
/** Of an event beside its data and metadata. */
const ENVELOPE_BYTES = 300;

/**
 * Writes events in the order in which they are given, many appends under way at a time; neighbours of one stream go in
 * one append. Every append names the revision that it follows, so a repeat of what is there changes nothing.
 */
export class OrderedWriter {
  #group: LogRecord[] = [];
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #underWay = new Set<Promise<void>>();
  /** The last value of each stream that is under way: the next one follows it. */
  readonly #puts = new Map<string, Promise<void>>();
  written = 0;

  constructor(private readonly store: EventStore) {}

  /** Writes an event of history at its own revision. Throws what an earlier append threw. */
  async append(record: LogRecord): Promise<void> {
    const last = this.#group.at(-1);
    const bytes = record.data.length + record.metadata.length + record.type.length + ENVELOPE_BYTES;
    const follows = last?.stream === record.stream && record.revision === last.revision + 1n;
    if (!follows || this.#group.length === EVENTS_AT_ONCE || this.#bytes + bytes > MAX_APPEND_BYTES) {
      await this.#send();
    }
    this.#group.push(record);
    this.#bytes += bytes;
  }

  /** Makes it the newest event of its stream, whatever revision it gets there. */
  async put(record: LogRecord): Promise<void> {
    await this.#room();
    const { stream, revision } = record;
    const before = this.#puts.get(stream) ?? Promise.resolve();
    const put: Promise<void> = before
      .then(() => (revision === 0n ? this.#found(record) : this.#replace(record)))
      .finally(() => {
        if (this.#puts.get(stream) === put) this.#puts.delete(stream);
      });
    this.#puts.set(stream, put);
    this.#follow(put);
  }

  /** Burns the stream's name; also when it is burnt already. */
  async tombstone(stream: string): Promise<void> {
    await this.finish();
    await this.store.tombstone(stream).catch(ignoreDeleted);
  }

  /** Resolves when everything stands in the store. Throws what an append threw. */
  async finish(): Promise<void> {
    await this.#send();
    await this.settle();
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves when nothing is under way any more. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #send(): Promise<void> {
    const group = this.#group;
    const [first] = group;
    if (!first) return;
    await this.#room();
    this.#group = [];
    this.#bytes = 0;
    const expected = first.revision === 0n ? 'no_stream' : first.revision - 1n;
    this.#follow(
      this.store.appendRecords(first.stream, group, expected).then(() => void (this.written += group.length)),
    );
  }

  /** Begins the stream with it, which is one round trip where it is new there, as it mostly is. */
  async #found(record: LogRecord): Promise<void> {
    try {
      await this.store.appendRecords(record.stream, [record], 'no_stream');
    } catch (error) {
      if (error instanceof RevisionConflict) await this.#replace(record);
      else ignoreDeleted(error);
    }
  }

  async #replace(record: LogRecord): Promise<void> {
    const last = await this.store.last(record.stream).catch(ignoreDeleted);
    if (last?.id === record.id) return;
    await this.store.appendRecords(record.stream, [record], last?.revision ?? 'no_stream').catch(ignoreDeleted);
  }

  async #room(): Promise<void> {
    while (this.#underWay.size >= UNDER_WAY) await Promise.race(this.#underWay);
    if (this.#failure) throw this.#failure.error;
  }

  #follow(append: Promise<unknown>): void {
    const followed: Promise<void> = append
      .then(() => undefined)
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => void this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }
}

/** A name that is burnt there holds nothing; whether it should be is compared at the end. */
function ignoreDeleted(error: unknown): undefined {
  if (!(error instanceof StreamDeleted)) throw error;
}
