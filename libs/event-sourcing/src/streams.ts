const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const AGGREGATE_STREAM = new RegExp(`^[^$].*?\\.([a-z][a-z0-9-]*)-(${UUID})$`);

export interface AggregateStream {
  readonly aggregate: string;
  readonly id: string;
}

/** The names of all streams of one installation. Only what stands under `aggregates` is history. */
export interface StreamNames {
  /** What every stream of history begins with: the prefix that subscriptions filter by. */
  readonly aggregates: string;
  readonly heartbeat: string;
  readonly clock: string;
  of(aggregate: string, id: string): string;
  snapshot(aggregate: string, id: string): string;
  /** The stream of one slice of the key filter, counted from 0. */
  keys(aggregate: string, id: string, slice: number): string;
  position(policy: string): string;
  parked(policy: string): string;
  /** The stream of the data key that seals a subject's personal data. */
  key(subject: string): string;
  /** Undefined for what is no aggregate stream of this installation. */
  parse(stream: string): AggregateStream | undefined;
}

/** Stream names that begin with `prefix` (STREAM_PREFIX); throws a TypeError when it cannot begin a stream name. */
export function streamNames(prefix: string): StreamNames {
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(prefix)) throw new TypeError(`not a stream prefix: ${JSON.stringify(prefix)}`);
  return {
    aggregates: `${prefix}.`,
    heartbeat: `${prefix}.heartbeat`,
    clock: `${prefix}_clock`,
    of: (aggregate, id) => `${prefix}.${aggregate}-${id}`,
    snapshot: (aggregate, id) => `${prefix}_snapshot.${aggregate}-${id}`,
    keys: (aggregate, id, slice) => `${prefix}_keys.${aggregate}-${id}-${slice}`,
    position: (policy) => `${prefix}_position.${policy}`,
    parked: (policy) => `${prefix}_parked.${policy}`,
    key: (subject) => `${prefix}_key.${subject}`,
    parse: (stream) => (stream.startsWith(`${prefix}.`) ? parseAggregateStream(stream) : undefined),
  };
}

/** Aggregate and id of `<prefix>.<aggregate>-<uuid>`, whatever the prefix; undefined for any other name. */
export function parseAggregateStream(stream: string): AggregateStream | undefined {
  const match = AGGREGATE_STREAM.exec(stream);
  return match ? { aggregate: match[1]!, id: match[2]! } : undefined;
}
