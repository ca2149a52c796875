import { CorruptEvent, FutureEventVersion, UnknownEventType } from './errors';
import type { DomainEvent, EventMetadata, JsonValue, RecordedEvent, StoredEvent, Upcast } from './event';
import { canonicalJson } from './hash-chain';
import { misplaced, placeOf } from './personal-data';
import { type AggregateStream, parseAggregateStream } from './streams';

/** The types of an aggregate's events with their upcasts, as the codec needs them: any EventCatalog is one. */
export type Catalog = Readonly<Record<string, readonly Upcast[]>>;

/** The repository's own event: a command that changed nothing, recorded so that its repeat cannot act later. */
export const COMMAND_NOTED = 'CommandNoted';

export interface CommandNoted {
  readonly type: typeof COMMAND_NOTED;
  readonly data: {
    readonly effectiveAt: string;
    /** The idempotency key of the earlier command whose remembered id this one repeated: its answer is that one's. */
    readonly repeats?: string;
  };
}

/** Whether the domain never sees this event. */
export function isCommandNoted(event: { readonly type: string }): boolean {
  return event.type === COMMAND_NOTED;
}

const OWN: Catalog = { [COMMAND_NOTED]: [] };

/**
 * An event as it is stored in `stream`: today's version of its type, its data as canonical JSON text and as that reads back. Throws a TypeError
 * for a type outside the catalog, for what JSON would change in silence (bigint, Date, Map, NaN, class instances), and
 * for personal data that `sealEvents` has not sealed for this place.
 */
export function encode(
  event: DomainEvent,
  catalog: Catalog,
  { aggregate, id }: AggregateStream,
): { type: string; version: number; json: string; data: JsonValue } {
  const upcasts = upcastsOf(event.type, catalog);
  if (!upcasts) throw new TypeError(`event type ${event.type} is not in the catalog`);
  const why = misplaced(event.data, placeOf(aggregate, id, event.type));
  if (why !== undefined) throw new TypeError(`${event.type}: ${why}`);
  assertJson(event.data);
  const json = canonicalJson(event.data);
  return { type: event.type, version: upcasts.length + 1, json, data: JSON.parse(json) as JsonValue };
}

/**
 * A stored event in today's shape, its personal data sealed. Throws UnknownEventType, FutureEventVersion, or CorruptEvent
 * for malformed data or metadata (the client hands malformed JSON over as a string, without an error) and for personal
 * data that is not sealed or belongs elsewhere.
 */
export function decode<Event extends DomainEvent = DomainEvent>(
  recorded: RecordedEvent,
  catalog: Catalog,
): StoredEvent<Event> {
  const { stream, revision, type } = recorded;
  const address = parseAggregateStream(stream);
  if (!address) throw new CorruptEvent(stream, revision, 'not a stream of an aggregate');
  const upcasts = upcastsOf(type, catalog);
  if (!upcasts) throw new UnknownEventType(stream, revision, type);
  if (!recorded.isJson || !isObject(recorded.data)) throw new CorruptEvent(stream, revision, 'data is no JSON object');
  const why = misplaced(recorded.data, placeOf(address.aggregate, address.id, type));
  if (why !== undefined) throw new CorruptEvent(stream, revision, why);
  const metadata = envelope(recorded);
  const known = upcasts.length + 1;
  if (metadata.version > known) throw new FutureEventVersion(stream, revision, type, metadata.version, known);
  let data: unknown = recorded.data;
  try {
    for (const upcast of upcasts.slice(metadata.version - 1)) data = upcast(data);
  } catch (error) {
    throw new CorruptEvent(stream, revision, `version ${metadata.version} of ${type} cannot be lifted`, error);
  }
  return {
    event: { type, data } as Event,
    aggregate: address.aggregate,
    aggregateId: address.id,
    stream,
    revision,
    position: recorded.position,
    id: recorded.id,
    metadata,
  };
}

/** The envelope of a stored event; throws CorruptEvent when it is malformed. */
export function envelope(recorded: RecordedEvent): EventMetadata {
  const { metadata, stream, revision } = recorded;
  if (!isObject(metadata)) throw new CorruptEvent(stream, revision, 'metadata is no JSON object');
  const fields = metadata as Record<string, unknown>;
  if (!Number.isInteger(fields['version']) || (fields['version'] as number) < 1) {
    throw new CorruptEvent(stream, revision, 'metadata.version is no positive integer');
  }
  for (const name of ['recordedAt', 'tenant', 'key', 'fingerprint', 'principal', 'correlationId', 'hash']) {
    if (typeof fields[name] !== 'string') throw new CorruptEvent(stream, revision, `metadata.${name} is no string`);
  }
  if (fields['remembers'] !== undefined && !isRemembered(fields['remembers'])) {
    throw new CorruptEvent(stream, revision, 'metadata.remembers is malformed');
  }
  return metadata as unknown as EventMetadata;
}

/** The value as JSON.parse would give it back; throws a TypeError, with the path, for what JSON cannot say. */
export function throughJson(value: unknown): JsonValue {
  assertJson(value);
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}

/** Throws a TypeError, with the path, for what JSON cannot say or would change in silence. */
export function assertJson(value: unknown): void {
  const found = outsideJson(value);
  if (found) throw new TypeError(`$${found.path} is no JSON value (${found.what})`);
}

/** The first part that is no JSON value; its path is put together only when there is one. */
function outsideJson(value: unknown): { readonly path: string; readonly what: string } | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number' && Number.isFinite(value)) return undefined;
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) {
      const found = outsideJson(element);
      if (found) return { ...found, path: `[${index}]${found.path}` };
    }
    return undefined;
  }
  if (typeof value === 'object' && isPlain(value)) {
    for (const name of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[name];
      // An optional member that is absent; JSON leaves it out, and so does the type under exactOptionalPropertyTypes.
      const found = member === undefined ? undefined : outsideJson(member);
      if (found) return { ...found, path: `.${name}${found.path}` };
    }
    return undefined;
  }
  return { path: '', what: typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isRemembered(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (entry: unknown) =>
        isObject(entry) &&
        ['kind', 'id', 'fingerprint'].every((name) => typeof (entry as Record<string, unknown>)[name] === 'string'),
    )
  );
}

function upcastsOf(type: string, catalog: Catalog): readonly Upcast[] | undefined {
  if (Object.hasOwn(OWN, type)) return OWN[type];
  return Object.hasOwn(catalog, type) ? catalog[type] : undefined;
}
