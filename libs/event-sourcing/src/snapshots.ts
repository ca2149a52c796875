import { createHash } from 'node:crypto';
import { Counter } from 'prom-client';
import { v7 as uuid } from 'uuid';
import { NO_MEMORY, type StateMemory } from './state-memory';
import { RevisionConflict } from './errors';
import type { AggregateType, DomainEvent, JsonValue, RecordedEvent } from './event';
import { throughJson } from './event-codec';
import type { EventStore } from './event-store';
import { KeyMemory, type KeyMemoryJson, type KeyMemoryKind, parseSlice } from './key-filter';
import type { StreamNames } from './streams';

/** Servers up to 24.10 refuse an append over 1 MiB. */
export const MAX_APPEND_BYTES = 900_000;
const SNAPSHOT = 'Snapshot';
const KEYS = 'Keys';
const MAX_WRITERS = 2;
const MAX_PENDING = 1_000;

const written = new Counter({
  name: 'snapshots_total',
  help: 'Snapshots by what became of them',
  labelNames: ['result'] as const,
});

/** Where an aggregate stands: its state and what the next append needs to know. Plain, immutable but for `keys`. */
export interface Standing<State> {
  readonly state: State;
  /** Of the last event, as are position, hash and recordedAt. */
  readonly revision: bigint;
  readonly position: bigint;
  readonly hash: string;
  readonly recordedAt: string;
  readonly tenant: string;
  readonly keys: KeyMemory;
  readonly memory: StateMemory;
}

interface SnapshotJson {
  readonly stateVersion: number;
  readonly revision: string;
  readonly position: string;
  readonly hash: string;
  readonly recordedAt: string;
  readonly tenant: string;
  readonly keys: KeyMemoryJson;
  readonly state: JsonValue;
}

export interface Logger {
  warn(details: object, message: string): void;
}

/** A stored snapshot whose checksum and state version are right; the stream itself has yet to confirm it. */
export interface FoundSnapshot<State> {
  readonly standing: Omit<Standing<State>, 'keys'>;
  readonly keys: KeyMemoryJson;
}

/**
 * Reads and writes snapshots and the slices of the key filter: caches, each in a stream of one event. Deleting them
 * changes nothing but time.
 */
export class Snapshots<State, Event extends DomainEvent> {
  readonly #pending = new Map<string, Standing<State>>();
  readonly #idle: (() => void)[] = [];
  readonly #kind: KeyMemoryKind;
  #writers = 0;

  constructor(
    private readonly type: AggregateType<State, Event>,
    private readonly store: EventStore,
    private readonly names: StreamNames,
    private readonly logger: Logger | undefined,
  ) {
    this.#kind = type.remembers ? 'places' : 'filter';
  }

  /** The newest snapshot of the aggregate; undefined when there is none that this build can use. */
  async find(id: string): Promise<FoundSnapshot<State> | undefined> {
    const recorded = await this.store.last(this.names.snapshot(this.type.name, id));
    if (!recorded) return undefined;
    const found = parseSnapshot(recorded, this.type);
    if (typeof found !== 'string') return found;
    this.logger?.warn({ stream: recorded.stream, why: found }, 'snapshot ignored');
    return undefined;
  }

  /** The key memory that a snapshot needs; undefined when a slice is missing, damaged or behind it. */
  async findKeys(id: string, json: KeyMemoryJson): Promise<KeyMemory | undefined> {
    const streams = json.slices.map((_, index) => this.names.keys(this.type.name, id, index));
    const stored = await Promise.all(streams.map((stream) => this.store.last(stream)));
    return KeyMemory.restore(
      json,
      stored.map((event) => (event?.data instanceof Uint8Array ? event.data : undefined)),
      this.#kind,
    );
  }

  /** Writes a snapshot when its turn comes, off the request path; a newer one of the same aggregate replaces it. */
  schedule(id: string, standing: Standing<State>): void {
    if (this.#pending.size >= MAX_PENDING && !this.#pending.has(id)) {
      written.inc({ result: 'skipped-busy' });
      return;
    }
    this.#pending.set(id, standing);
    if (this.#writers < MAX_WRITERS) void this.#work();
  }

  /** Resolves when no snapshot waits or is being written. */
  async flush(): Promise<void> {
    if (this.#writers === 0 && this.#pending.size === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #work(): Promise<void> {
    this.#writers += 1;
    for (;;) {
      const [next] = this.#pending;
      if (!next) break;
      this.#pending.delete(next[0]);
      try {
        written.inc({ result: await this.#write(...next) });
      } catch (error) {
        written.inc({ result: 'failed' });
        this.logger?.warn({ aggregate: this.type.name, id: next[0], err: error }, 'snapshot not written');
      }
    }
    this.#writers -= 1;
    if (this.#writers === 0) this.#idle.splice(0).forEach((resolve) => resolve());
  }

  async #write(id: string, standing: Standing<State>): Promise<'written' | 'skipped-too-large'> {
    // Keys and slices are taken at one moment, maybe later than the state: what is ahead of it does no harm.
    const { keys } = standing;
    const data = snapshotJson(this.type, standing);
    const slices = keys.extents.flatMap(({ to }, index) =>
      keys.isDirty(index) ? [{ index, to, bytes: keys.sliceBytes(index) }] : [],
    );
    const bytes = Buffer.byteLength(JSON.stringify(data));
    if (bytes > MAX_APPEND_BYTES) {
      this.logger?.warn({ aggregate: this.type.name, id, bytes }, 'snapshot too large, skipped');
      return 'skipped-too-large';
    }
    for (const slice of slices) {
      await this.#writeSlice(this.names.keys(this.type.name, id, slice.index), slice.index, slice.bytes);
      keys.markStored(slice.index, slice.to);
    }
    await this.#replace(this.names.snapshot(this.type.name, id), SNAPSHOT, data);
    return 'written';
  }

  /** Another process may have written a slice that covers more: that one stays. */
  async #writeSlice(stream: string, index: number, bytes: Buffer): Promise<void> {
    for (;;) {
      const last = await this.store.last(stream);
      const stored = last?.data instanceof Uint8Array ? parseSlice(last.data, index, this.#kind) : undefined;
      if (stored && stored.to >= bytes.readBigUInt64BE(16) && stored.from <= bytes.readBigUInt64BE(8)) return;
      try {
        await this.#replace(stream, KEYS, bytes, last);
        return;
      } catch (error) {
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  async #replace(stream: string, type: string, data: object, last?: RecordedEvent): Promise<void> {
    const previous = last ?? (await this.store.last(stream));
    if (!previous) await this.store.setMetadata(stream, { maxCount: 1 });
    const expected = type === KEYS ? (previous?.revision ?? 'no_stream') : 'any';
    await this.store.append(stream, [{ id: uuid(), type, data }], expected);
  }
}

function snapshotJson<State, Event extends DomainEvent>(
  type: AggregateType<State, Event>,
  standing: Standing<State>,
): SnapshotJson & { checksum: string } {
  const json: SnapshotJson = {
    stateVersion: type.snapshot.version,
    revision: `${standing.revision}`,
    position: `${standing.position}`,
    hash: standing.hash,
    recordedAt: standing.recordedAt,
    tenant: standing.tenant,
    keys: standing.keys.toJSON(),
    state: throughJson(type.snapshot.toJSON(standing.state)),
  };
  return { checksum: checksum(json), ...json };
}

/** The snapshot, or why it cannot be used. */
function parseSnapshot<State, Event extends DomainEvent>(
  recorded: RecordedEvent,
  type: AggregateType<State, Event>,
): FoundSnapshot<State> | string {
  if (recorded.type !== SNAPSHOT || typeof recorded.data !== 'object' || recorded.data === null) return 'malformed';
  const { checksum: stated, ...json } = recorded.data as SnapshotJson & { checksum?: unknown };
  if (stated !== checksum(json)) return 'checksum';
  if (json.stateVersion !== type.snapshot.version) return 'state version';
  const { hash, recordedAt, tenant } = json;
  return {
    standing: {
      state: type.snapshot.fromJSON(json.state),
      revision: BigInt(json.revision),
      position: BigInt(json.position),
      hash,
      recordedAt,
      tenant,
      memory: NO_MEMORY,
    },
    keys: json.keys,
  };
}

/** Over the members in the order in which they are stored, which JSON keeps. */
function checksum(json: SnapshotJson): string {
  return createHash('sha256').update(JSON.stringify(json)).digest('hex');
}
