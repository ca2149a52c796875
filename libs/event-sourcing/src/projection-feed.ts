import { pipelinedTransaction } from '@perennial/platform';
import { sql } from 'kysely';
import { type Catalog, decode, isCommandNoted } from './event-codec';
import { CorruptEvent, UnknownEventType } from './errors';
import type { RecordedEvent, StoredEvent } from './event';
import type { Projection } from './projection';
import {
  type AnyDatabase,
  forProjection,
  knownRevisions,
  moveFeed,
  noteRevisions,
  park,
  readFeed,
  readModels,
  readParked,
  type FeedRow,
  touchFeed,
} from './projection-tables';
import type { StreamNames } from './streams';

/** The catalogs of all aggregates by their names: a type in none of them stops the feed. */
export type Catalogs = Readonly<Record<string, Catalog>>;

/** What the feed needs of an event: its place, and for an aggregate's the decoded event or why there is none. */
export interface FeedEvent {
  readonly position: bigint;
  readonly id: string;
  readonly aggregate?: { readonly stream: string; readonly revision: bigint; readonly type: string };
  readonly stored?: StoredEvent;
  readonly failure?: CorruptEvent;
}

/** Another process has become the owner of the feed. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
  constructor() {
    super('another process runs the projections now');
  }
}

/** Events are missing between what was applied of a stream and what came: nothing may be built on that. */
export class RevisionGap extends Error {
  override readonly name = 'RevisionGap';
  constructor(
    readonly stream: string,
    readonly applied: bigint | undefined,
    readonly received: bigint,
  ) {
    super(`${stream}: revision ${received} came after ${applied ?? 'nothing'}`);
  }
}

/** A model was built by a newer build; this one must not write to it. */
export class NewerModel extends Error {
  override readonly name = 'NewerModel';
  constructor(
    readonly projection: string,
    readonly version: number,
  ) {
    super(`${projection} was built as version ${version} by a newer build`);
  }
}

class NotInSequence extends Error {}

/** What takes part, or what waits, was changed by somebody else since it was looked at. */
class Changed extends Error {
  constructor(readonly generation: bigint) {
    super(`the feed is at generation ${generation}`);
  }
}

const tables = (schema: string, projection: Projection) => projection.tables.map((table) => `${schema}.${table}`);

/** Decodes what some projection or policy uses. Throws UnknownEventType and FutureEventVersion; damage becomes a `failure`. */
export function feedReader(
  names: StreamNames,
  catalogs: Catalogs,
  users: readonly { readonly handles: readonly string[] }[],
): (recorded: RecordedEvent) => FeedEvent {
  const used = new Set(users.flatMap(({ handles }) => handles));
  return (recorded) => {
    const { position, id, stream, revision, type } = recorded;
    const address = type.startsWith('$') ? undefined : names.parse(stream);
    if (!address) return { position, id };
    const catalog = Object.hasOwn(catalogs, address.aggregate) ? catalogs[address.aggregate] : undefined;
    if (!catalog || !(Object.hasOwn(catalog, type) || isCommandNoted(recorded))) {
      throw new UnknownEventType(stream, revision, type);
    }
    const event = { position, id, aggregate: { stream, revision, type } };
    if (!used.has(type)) return event;
    try {
      return { ...event, stored: decode(recorded, catalog) };
    } catch (error) {
      if (error instanceof CorruptEvent) return { ...event, failure: error };
      throw error;
    }
  };
}

/**
 * Writes events into the tables of its projections: rows, revisions and position in one transaction that is refused
 * once another owner has come. An event that a projection fails on twice for reasons of its own is parked in the same
 * transaction, and its stream waits in that model.
 */
export class ProjectionFeed {
  position: bigint | null;
  /** The last event of an aggregate that was applied. */
  lastEvent: { readonly position: bigint; readonly id: string } | undefined;
  readonly #epoch: bigint;
  readonly #start: { position: bigint; id: string } | undefined;
  #generation: bigint | undefined;
  #live: readonly Projection[] = [];
  /** The live ones that use a type of event. */
  #users = new Map<string, Projection[]>();
  #parked = new Map<string, Set<string>>();

  constructor(
    private readonly options: {
      readonly db: AnyDatabase;
      readonly schema: string;
      readonly projections: readonly Projection[];
      readonly ttlMs: number;
      readonly onParked?: (projection: string, event: FeedEvent, error: unknown) => void;
    },
    claimed: FeedRow,
  ) {
    this.position = claimed.position;
    const { event_position: position, event_id: id } = claimed;
    if (position !== null && id !== null) this.lastEvent = { position, id };
    this.#start = claimed.position === null ? undefined : { position: claimed.position, id: claimed.position_id ?? '' };
    this.#epoch = claimed.epoch;
  }

  /** How many streams wait in a model, as of the last batch. */
  incomplete(projection: string): number {
    return this.#parked.get(projection)?.size ?? 0;
  }

  /** Whether a model takes part; if not, it is being built beside. */
  isLive(projection: string): boolean {
    return this.#live.some(({ name }) => name === projection);
  }

  /** Applies events in log order; those at or before the position are skipped. Throws LeaseLost, RevisionGap, NewerModel or a database error. */
  async apply(events: readonly FeedEvent[], caughtUp: boolean): Promise<void> {
    let fresh = events.filter(({ position }) => this.position === null || position > this.position);
    if (fresh.length === 0) return;
    try {
      await this.#commit(fresh, caughtUp, false);
      return;
    } catch (error) {
      if (error instanceof NotInSequence) fresh = await this.#inSequence(fresh);
      else if (!mayBeTheEvents(error)) throw error;
    }
    for (const event of fresh) await this.#commit([event], caughtUp && event === fresh.at(-1), true);
  }

  /** The same inside a transaction of the caller's, who says afterwards with `moved` that it was committed. */
  async applyIn(tx: AnyDatabase, events: readonly FeedEvent[]): Promise<void> {
    const { generation } = await readFeed(tx, this.options.schema);
    await this.#look(tx, generation);
    await this.#write(tx, events, false, false);
  }

  moved(events: readonly FeedEvent[]): void {
    this.position = events.at(-1)?.position ?? this.position;
    this.lastEvent = events.findLast(({ aggregate }) => aggregate !== undefined) ?? this.lastEvent;
  }

  /** States where it starts from, which may be before what stands there, and looks what takes part. Throws LeaseLost. */
  async begin(): Promise<void> {
    const { db, schema, ttlMs } = this.options;
    const start = this.#start === undefined ? {} : { to: this.#start };
    const moved = await moveFeed(db, schema, { epoch: this.#epoch, ttlMs, caughtUp: false, ...start });
    if (!moved) throw new LeaseLost();
    await this.#look(db, moved.generation);
  }

  /** Renews the lease and moves on past events that are nobody's. Throws LeaseLost. */
  async renew(caughtUp: boolean, to?: { position: bigint; id: string }): Promise<void> {
    const { db, schema, ttlMs } = this.options;
    const on = to !== undefined && (this.position === null || to.position > this.position) ? to : undefined;
    const move = { epoch: this.#epoch, ttlMs, caughtUp, ...(on === undefined ? {} : { to: on }) };
    const moved = await moveFeed(db, schema, move);
    if (!moved) throw new LeaseLost();
    if (on) this.position = on.position;
    if (moved.generation !== this.#generation) await this.#look(db, moved.generation);
  }

  async #commit(events: readonly FeedEvent[], caughtUp: boolean, singly: boolean): Promise<void> {
    const { db } = this.options;
    for (;;) {
      try {
        await pipelinedTransaction(db, (tx) => this.#write(tx, events, caughtUp, singly));
        return this.moved(events);
      } catch (error) {
        if (!(error instanceof Changed)) throw error;
        await this.#look(db, error.generation);
      }
    }
  }

  async #write(tx: AnyDatabase, events: readonly FeedEvent[], caughtUp: boolean, singly: boolean): Promise<void> {
    const { schema, ttlMs } = this.options;
    const last = events.at(-1);
    if (!last) return;
    const event = events.findLast(({ aggregate }) => aggregate !== undefined);
    const guard = async () => {
      const move = { epoch: this.#epoch, ttlMs, caughtUp, to: last, ...(event && { event }) };
      const moved = await moveFeed(tx, schema, move);
      if (!moved) throw new LeaseLost();
      if (moved.generation !== this.#generation) throw new Changed(moved.generation);
    };
    const follow = async () => {
      if (!(await noteRevisions(tx, schema, runs(events)))) throw new NotInSequence();
    };
    const used = [...this.#usedBy(events)];
    if (singly) await allOf([guard(), follow()]);
    else {
      // All of it in one round trip; what is written before the guard has answered goes when it throws.
      const guards = allOf([guard(), follow()]);
      const rows = used.map(async ([projection, its]) =>
        projection.apply(its.map(readable), forProjection(tx), schema),
      );
      await Promise.allSettled([guards, ...rows]);
      // First, because events that do not follow make projections fail as well.
      await guards;
      return allOf(rows);
    }
    for (const [projection, its] of used) for (const each of its) await this.#writeOrPark(tx, projection, each);
  }

  /** The events that each live projection uses and that do not wait in it; an unreadable one concerns all. */
  #usedBy(events: readonly FeedEvent[]): Map<Projection, FeedEvent[]> {
    const used = new Map<Projection, FeedEvent[]>();
    for (const event of events) {
      const { aggregate, stored, failure } = event;
      if (aggregate === undefined || (stored === undefined && failure === undefined)) continue;
      for (const projection of failure === undefined ? (this.#users.get(aggregate.type) ?? []) : this.#live) {
        if (this.#parked.get(projection.name)?.has(aggregate.stream)) continue;
        const its = used.get(projection);
        if (its) its.push(event);
        else used.set(projection, [event]);
      }
    }
    return used;
  }

  async #writeOrPark(tx: AnyDatabase, projection: Projection, event: FeedEvent): Promise<void> {
    const { schema } = this.options;
    let failure: unknown;
    for (let attempt = 1; attempt <= 2; attempt++) {
      await sql`savepoint event`.execute(tx);
      try {
        await projection.apply([readable(event)], forProjection(tx), schema);
        return;
      } catch (error) {
        if (!mayBeTheEvents(error)) throw error;
        failure = error;
        // On a lost connection this throws too: then it was not the event.
        await sql`rollback to savepoint event`.execute(tx);
      }
    }
    const { stream, revision, type } = event.aggregate!;
    const { position, id: event_id } = event;
    const { name } = projection;
    await park(tx, schema, { projection: name, stream, revision, position, event_id, type, error: reasonOf(failure) });
    await touchFeed(tx, schema);
    this.options.onParked?.(name, event, failure);
  }

  /** Which models take part and what waits, when that was changed by somebody else (or by parking). */
  async #look(db: AnyDatabase, generation: bigint): Promise<void> {
    const { schema, projections } = this.options;
    const built = await readModels(db, schema);
    for (const { name, version } of projections) {
      if ((built.get(name) ?? 0) > version) throw new NewerModel(name, built.get(name)!);
    }
    const parked = new Map<string, Set<string>>();
    for (const { projection, stream } of await readParked(db, schema)) {
      parked.set(projection, (parked.get(projection) ?? new Set()).add(stream));
    }
    this.#live = projections.filter(({ name, version }) => built.get(name) === version);
    this.#users = new Map();
    for (const projection of this.#live) {
      for (const type of new Set(projection.handles)) {
        this.#users.set(type, [...(this.#users.get(type) ?? []), projection]);
      }
    }
    this.#parked = parked;
    this.#generation = generation;
  }

  /** Leaves out what was applied before; throws RevisionGap when something is missing instead. */
  async #inSequence(events: readonly FeedEvent[]): Promise<FeedEvent[]> {
    const { db, schema } = this.options;
    const streams = new Set(events.flatMap(({ aggregate }) => (aggregate ? [aggregate.stream] : [])));
    const known = await knownRevisions(db, schema, [...streams]);
    return events.map((event) => {
      if (!event.aggregate) return event;
      const { stream, revision } = event.aggregate;
      const applied = known.get(stream) ?? -1n;
      if (revision <= applied) return { position: event.position, id: event.id };
      if (revision > applied + 1n) throw new RevisionGap(stream, known.get(stream), revision);
      known.set(stream, revision);
      return event;
    });
  }
}

/**
 * Waits for all, so that nothing is left that still uses the transaction; then throws what failed first, as that may have
 * made the others fail.
 */
async function allOf(tasks: readonly Promise<void>[]): Promise<void> {
  let first: { readonly error: unknown } | undefined;
  await Promise.all(tasks.map((task) => task.catch((error: unknown) => (first ??= { error }))));
  if (first) throw first.error;
}

/** First and last revision that a batch brings of each stream. Throws NotInSequence when they do not follow each other. */
function runs(events: readonly FeedEvent[]): { stream: string; first: bigint; last: bigint }[] {
  const found = new Map<string, { stream: string; first: bigint; last: bigint }>();
  for (const { aggregate } of events) {
    if (!aggregate) continue;
    const { stream, revision } = aggregate;
    const run = found.get(stream);
    if (!run) found.set(stream, { stream, first: revision, last: revision });
    else if (revision === run.last + 1n) run.last = revision;
    else throw new NotInSequence();
  }
  return [...found.values()];
}

function readable(event: FeedEvent): StoredEvent {
  if (event.failure) throw event.failure;
  return event.stored!;
}

/**
 * Whether an error can come from the events themselves: one thrown by the projection's code, or SQL that refuses a
 * value (classes 22 and 23). Everything else is the database's state and is waited for, never parked.
 */
function mayBeTheEvents(error: unknown): boolean {
  if (error instanceof LeaseLost || error instanceof RevisionGap || error instanceof NewerModel) return false;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && /^([0-9A-Z]{5}|E[A-Z]+)$/.test(code)) return /^2[23]...$/.test(code);
  return !LOST_CONNECTION.test(String(message));
}

/** What pg throws without a code. */
const LOST_CONNECTION =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed|Cannot use a pool after)/;

export function reasonOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 2_000);
}

/** True when every table of a model is there. */
export async function tablesExist(db: AnyDatabase, schema: string, projection: Projection): Promise<boolean> {
  const names = tables(schema, projection);
  const { rows } = await sql<{ missing: number }>`select count(*)::int4 as missing from unnest(${names}::text[]) as name
    where to_regclass(name) is null`.execute(db);
  return rows[0]?.missing === 0;
}
