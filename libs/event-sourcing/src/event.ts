/** A fact as the domain knows it: a type and JSON-safe data (no bigint, Date, Map or class instances). */
export interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/** An id of the caller's (of a line item, say) that a stream remembers for ever, as it does an idempotency key. */
export interface Remembered {
  readonly kind: string;
  readonly id: string;
  readonly fingerprint: string;
}

/** The envelope of every event of an aggregate, stored as the event's metadata. Instants are ISO 8601 UTC. */
export interface EventMetadata {
  /** Integer version of the data's shape: 1 + the number of upcasts that existed when it was written. */
  readonly version: number;
  /** max(clock, recordedAt of the event before it in the stream): never decreases in a stream. */
  readonly recordedAt: string;
  readonly tenant: string;
  /** The idempotency key of the command that recorded this event. */
  readonly key: string;
  /** sha256 (hex) of what the command asked for; the same key with another fingerprint is refused. */
  readonly fingerprint: string;
  readonly principal: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly correlationId: string;
  readonly causationId?: string;
  readonly traceparent?: string;
  readonly remembers?: readonly Remembered[];
  /** sha256 (hex) of the previous event's hash ('' before the first) and the canonical JSON of { id, type, data, metadata without hash }. */
  readonly hash: string;
}

/** An event as it stands in the store, not yet decoded: `data` and `metadata` are what JSON.parse gave. */
export interface RecordedEvent {
  readonly stream: string;
  readonly revision: bigint;
  /** Log position (commit = prepare): strictly increasing, not dense. */
  readonly position: bigint;
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  /** Parsed JSON, or a Uint8Array when isJson is false. */
  readonly data: unknown;
  readonly metadata: unknown;
}

/** A decoded event of an aggregate: today's shape, with where it stands and its envelope. */
export interface StoredEvent<Event extends DomainEvent = DomainEvent> {
  readonly event: Event;
  readonly aggregate: string;
  readonly aggregateId: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly id: string;
  readonly metadata: EventMetadata;
}

/** Lifts the data of version n to version n + 1. */
export type Upcast = (data: unknown) => unknown;

/** Every event type of an aggregate with its upcasts in order: version = 1 + their number. A type left out does not compile. */
export type EventCatalog<Event extends DomainEvent> = { readonly [Type in Event['type']]: readonly Upcast[] };

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What the repository needs to know of an aggregate. The domain provides it as plain data, without importing this. */
export interface AggregateType<State, Event extends DomainEvent> {
  /** First part of the stream name: `<prefix>.<name>-<uuid>`. */
  readonly name: string;
  readonly catalog: EventCatalog<Event>;
  /** The state before the first event. */
  readonly initial: State;
  evolve(state: State, event: Event): State;
  /**
   * Ids that an event holds in its data and its stream remembers exactly for as long as it lives, thousands in one event and
   * millions in one stream: a decision asks for them with `recalls` or `contains`.
   */
  readonly remembers?: (event: Event) => readonly string[];
  readonly snapshot: {
    /** Raised with every change of the fold or of the state's JSON. */
    readonly version: number;
    toJSON(state: State): JsonValue;
    fromJSON(json: JsonValue): State;
  };
}

/** Everything about a command that is not its content. Instants ISO 8601 UTC. */
export interface CommandContext {
  readonly tenant: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly principal: string;
  readonly correlationId: string;
  readonly now: string;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly causationId?: string | undefined;
  readonly traceparent?: string | undefined;
  /** The revision that the caller named with If-Match. Left out: a conflict is retried. */
  readonly expectedRevision?: bigint | undefined;
  readonly dryRun?: boolean | undefined;
  /** How long the command may take in all, in ms; the configured default when left out. */
  readonly timeBudgetMs?: number | undefined;
}

/** What a command did: a function of the recorded events, so a repeat with the same key gives the same. */
export interface Change<Event extends DomainEvent> {
  readonly aggregateId: string;
  /** The events that this command's key recorded; none when it changed nothing. In a dry run those it would record. */
  readonly events: readonly StoredEvent<Event>[];
  /** Revision of the last event that this command's key recorded (in a dry run: the revision decided on). */
  readonly revision: bigint;
  readonly position: bigint;
  /** True when the key had been seen before and the answer was read from the record. */
  readonly repeated: boolean;
  readonly dryRun: boolean;
}
