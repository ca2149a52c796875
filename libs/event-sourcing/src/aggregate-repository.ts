import { randomBytes } from 'node:crypto';
import { inTime } from '@perennial/platform';
import { Counter, Histogram } from 'prom-client';
import { type AggregateCache, aggregateCache } from './aggregate-cache';
import { commit, pause, prepare } from './commit';
import {
  AggregateNotFound,
  AppendTooLarge,
  BudgetExhausted,
  KeyReused,
  OutcomeUnknown,
  RememberedIdReused,
  type Revision,
  RevisionConflict,
  RevisionMismatch,
  StoreUnavailable,
} from './errors';
import type { AggregateType, Change, CommandContext, DomainEvent, Remembered, StoredEvent } from './event';
import { COMMAND_NOTED, type CommandNoted, decode, isCommandNoted } from './event-codec';
import type { DataKeys } from './data-keys';
import type { EventStore } from './event-store';
import { type KeyMemory, type RevisionRange, commandKey, rememberedId } from './key-filter';
import { type DataKey, sealEvents } from './personal-data';
import { type FoundSnapshot, type Logger, Snapshots, type Standing } from './snapshots';
import { Fold, OWN_ID, advance } from './standing';
import { StreamQueue } from './stream-queue';
import { type StreamNames, streamNames } from './streams';

const conflicts = new Counter({ name: 'command_conflicts_total', help: 'Appends refused because another writer won' });
const replayed = new Histogram({
  name: 'load_events_replayed',
  help: 'Events folded by a load of an aggregate',
  buckets: [0, 1, 10, 100, 1_000, 10_000, 100_000],
});
const snapshotReads = new Counter({
  name: 'snapshot_reads_total',
  help: 'Loads of an aggregate by whether a snapshot could be used',
  labelNames: ['hit'] as const,
});
const filterHits = new Counter({
  name: 'key_filter_hits_total',
  help: 'Keys that the filter took for known, by whether the stream had them',
  labelNames: ['real'] as const,
});

export interface RepositoryOptions {
  readonly store: EventStore;
  readonly streamPrefix: string;
  /** A snapshot is written when the count of a stream's events crosses a multiple of this. Default 100. */
  readonly snapshotEvery?: number;
  /** Where states are kept between commands; shared by repositories that share its memory. Default: one of its own. */
  readonly cache?: AggregateCache;
  /** Commands of this process that may wait for one stream. Default 512. */
  readonly queueLimit?: number;
  /** Time of a command that names none, in ms. Default 10,000. */
  readonly timeBudgetMs?: number;
  readonly logger?: Logger;
  /** Seal the personal data of events; an event that has some cannot be recorded without. */
  readonly dataKeys?: DataKeys;
}

/** Where a decision stands: at a revision, or before the first event. */
export interface DecisionPoint<Event extends DomainEvent = DomainEvent> {
  readonly revision: Revision;
  /** Of the ids that the command recalls those that stand in the stream, each with the event that holds it first. */
  readonly recalled: ReadonlyMap<string, Event>;
  /** Of the ids that the command asks for with `contains` those that the stream remembers. */
  readonly contained: ReadonlySet<string>;
  /** Of the ids that `ChangeOptions.each` asks about, those that are remembered, with their fingerprints. */
  readonly known: ReadonlyMap<string, string>;
}

export interface ChangeOptions<Event> {
  /** Ids that the command stands for as a whole: remembered together with its events, or known together. */
  readonly remembers?: readonly Remembered[] | undefined;
  /** Ids of one kind that are told to the decision one by one, and which of them its events record. */
  readonly each?:
    | { readonly ids: readonly Remembered[]; readonly recorded: (events: readonly Event[]) => readonly Remembered[] }
    | undefined;
  /** Ids that its events hold in their data (`AggregateType.remembers`): the decision is given those that are known. */
  readonly recalls?: readonly string[] | undefined;
  /**
   * As `recalls`, where it is enough to know that an event holds an id: nothing is read, however many of them are known. By 80 bits
   * of a hash, which is exact but for one case in 10^12 among a million ids.
   */
  readonly contains?: readonly string[] | undefined;
}

export type Decide<State, Event extends DomainEvent> = (state: State, at: DecisionPoint<Event>) => readonly Event[];

/** An aggregate as it was read: `revision` and `position` are those of the last event that made it. */
export interface Loaded<State> {
  readonly state: State;
  readonly revision: bigint;
  readonly position: bigint;
  readonly recordedAt: string;
}

interface Command<State, Event extends DomainEvent> {
  readonly id: string;
  readonly stream: string;
  readonly context: CommandContext;
  readonly decide: Decide<State, Event>;
  readonly remembers: readonly Remembered[];
  readonly recalls: readonly string[];
  readonly contains: readonly string[];
  readonly each: ChangeOptions<Event>['each'];
  /** performance.now() in ms. */
  readonly deadline: number;
}

/** The standing that a decision is made on; `proven` when it was read within this command. */
interface Basis<State> {
  readonly standing: Standing<State> | undefined;
  readonly proven: boolean;
}

const AGAIN = Symbol('again');
/** Events asked for in one call by what reads on to the end, and by what looks up one command, which seldom recorded more. */
const PAGE = 10_000;
const SMALL_PAGE = 8;
/** Stretches so near to each other are read as one. */
const NEAR = 64n;
/** A stream of so many events is read whole rather than by its snapshot, unless it has one before that. */
const SHORT = 16;
/** Events read at a time to settle what is recalled. */
const RECALL_READERS = 8;

/** The one way to change an aggregate, and the way to load it: design §3. */
export class AggregateRepository<State, Event extends DomainEvent> {
  readonly #store: EventStore;
  readonly #names: StreamNames;
  readonly #snapshots: Snapshots<State, Event>;
  readonly #snapshotEvery: bigint;
  readonly #short: number;
  readonly #timeBudgetMs: number;
  readonly #dataKeys: DataKeys | undefined;
  readonly #cache: AggregateCache;
  readonly #queue: StreamQueue;
  readonly #running = new Map<string, Promise<Change<Event>>>();

  constructor(
    private readonly type: AggregateType<State, Event>,
    options: RepositoryOptions,
  ) {
    this.#store = options.store;
    this.#names = streamNames(options.streamPrefix);
    this.#snapshots = new Snapshots(type, options.store, this.#names, options.logger);
    this.#snapshotEvery = BigInt(options.snapshotEvery ?? 100);
    // Events that hold thousands of ids are large.
    this.#short = type.remembers ? 1 : Math.min(SHORT, options.snapshotEvery ?? 100);
    this.#timeBudgetMs = options.timeBudgetMs ?? 10_000;
    this.#dataKeys = options.dataKeys;
    this.#cache = options.cache ?? aggregateCache();
    this.#queue = new StreamQueue(options.queueLimit ?? 512);
  }

  /**
   * Decides on the aggregate and appends what was decided, at the revision it read. In this order: a key seen before
   * answers from the record (KeyReused for another fingerprint), a named revision must match (RevisionMismatch), then
   * `decide` runs, maybe more than once; what it throws passes through. No events append `CommandNoted`, or throw
   * AggregateNotFound when there is no stream to note it in. Also throws AppendTooLarge, RememberedIdReused, QueueFull,
   * and when the time is used BudgetExhausted, StoreUnavailable or OutcomeUnknown (safe to repeat with the same key).
   */
  async change(
    id: string,
    context: CommandContext,
    decide: Decide<State, Event>,
    options: ChangeOptions<Event> = {},
  ): Promise<Change<Event>> {
    const command: Command<State, Event> = {
      id,
      stream: this.#names.of(this.type.name, id),
      context,
      decide,
      remembers: options.remembers ?? [],
      recalls: options.recalls ?? [],
      contains: options.contains ?? [],
      each: options.each,
      deadline: performance.now() + (context.timeBudgetMs ?? this.#timeBudgetMs),
    };
    if (context.dryRun) return this.#untilAnswered(command);
    const same = JSON.stringify([command.stream, context.tenant, context.key, context.fingerprint]);
    for (;;) {
      const first = this.#running.get(same);
      if (!first) break;
      const change = await inTime(
        first.catch(() => undefined),
        command.deadline,
        () => new BudgetExhausted(command.stream),
      );
      // A failure is not shared: the first may have named another revision or had less time.
      if (change) return { ...change, repeated: true };
    }
    const running = this.#queue.run(command.stream, command.deadline, () => this.#untilAnswered(command));
    this.#running.set(same, running);
    try {
      return await running;
    } finally {
      this.#running.delete(same);
    }
  }

  /** The aggregate as it is now; undefined when this tenant has none. Throws StoreUnavailable, CorruptEvent and its like. */
  async load(id: string, tenant: string): Promise<Loaded<State> | undefined> {
    const stream = this.#names.of(this.type.name, id);
    const basis = await this.#basis(id, stream);
    let { standing } = basis;
    if (standing && !basis.proven && !(await this.#isHead(stream, standing))) {
      this.#cache.delete(stream);
      standing = await this.#read(id, stream);
    }
    if (standing?.tenant !== tenant) return undefined;
    const { state, revision, position, recordedAt } = standing;
    return { state, revision, position, recordedAt };
  }

  /**
   * The aggregate as it was: after the event of a revision, or before the first event recorded after an instant. From
   * the events alone, without snapshots or cache. Undefined when there was none yet or it is another tenant's.
   */
  async loadAt(
    id: string,
    tenant: string,
    point: { readonly revision: bigint } | { readonly at: string },
  ): Promise<Loaded<State> | undefined> {
    const stream = this.#names.of(this.type.name, id);
    const fold = new Fold(this.type);
    const head = await this.#store.last(stream);
    if (!head) return undefined;
    for await (const stored of this.#events(stream, 0n, head.revision)) {
      if ('at' in point ? stored.metadata.recordedAt > point.at : stored.revision > point.revision) break;
      if (stored.metadata.tenant !== tenant) return undefined;
      fold.add(stored);
    }
    const { standing } = fold;
    if (!standing) return undefined;
    const { state, revision, position, recordedAt } = standing;
    if ('revision' in point && revision !== point.revision) return undefined;
    return { state, revision, position, recordedAt };
  }

  /** Of these ids those that the aggregate's events hold, each with the first such event; none when this tenant has no such aggregate. */
  async recall(id: string, tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, Event>> {
    const stream = this.#names.of(this.type.name, id);
    const standing = ids.length === 0 ? undefined : await this.#catchUp(id, stream);
    return standing?.tenant === tenant ? this.#recall(stream, standing, ids) : new Map();
  }

  /** The aggregate's events in order, from a revision on. Throws StoreUnavailable, CorruptEvent and its like. */
  async *history(id: string, tenant: string, from = 0n): AsyncGenerator<StoredEvent<Event>, void, undefined> {
    const stream = this.#names.of(this.type.name, id);
    const head = await this.#store.last(stream);
    if (!head || head.revision < from) return;
    for await (const stored of this.#events(stream, from, head.revision)) {
      if (stored.metadata.tenant !== tenant) return;
      if (!isCommandNoted(stored.event)) yield stored;
    }
  }

  /** Resolves when no snapshot waits or is being written. */
  flushSnapshots(): Promise<void> {
    return this.#snapshots.flush();
  }

  async #untilAnswered(command: Command<State, Event>): Promise<Change<Event>> {
    for (let attempt = 0; ; attempt++) {
      let failure: Error;
      try {
        const answer = await this.#attempt(command, attempt > 0);
        if (answer !== AGAIN) return answer;
        failure = new BudgetExhausted(command.stream);
        // Short, because the other writer is at work: who waits longer than an append takes never comes first.
        await pause(attempt, command.deadline, 20);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        failure = error;
        this.#cache.delete(command.stream);
        await pause(attempt, command.deadline);
      }
      if (performance.now() >= command.deadline) throw failure;
    }
  }

  async #attempt(command: Command<State, Event>, contended: boolean): Promise<Change<Event> | typeof AGAIN> {
    const { id, stream, context } = command;
    const { standing, proven } = contended
      ? { standing: await this.#catchUp(id, stream), proven: true }
      : await this.#basis(id, stream);
    /** A "no" decided on a cached state is given only when the stream's head still is what was decided on. */
    const confirmed = async (): Promise<boolean> => proven || !standing || this.#isHead(stream, standing);
    const refuse = async (error: unknown): Promise<typeof AGAIN> => {
      if (await confirmed()) throw error;
      return AGAIN;
    };

    if (standing && standing.tenant !== context.tenant) throw new AggregateNotFound(this.type.name, id);
    const recorded = standing && (await this.#recordOf(stream, standing, context.key));
    if (recorded) {
      if (recorded[0]!.metadata.fingerprint !== context.fingerprint) throw new KeyReused(context.key);
      return this.#answer(command, standing, recorded, { repeated: true });
    }
    if (context.expectedRevision !== undefined && context.expectedRevision !== standing?.revision) {
      return refuse(standing ? new RevisionMismatch(standing.revision) : new AggregateNotFound(this.type.name, id));
    }

    let events: readonly DomainEvent[];
    let prepared;
    try {
      const known = standing ? await this.#firstToRemember(stream, standing, command.remembers) : undefined;
      const recalled = await this.#recall(stream, standing, command.recalls);
      const decided = known
        ? []
        : command.decide(standing?.state ?? this.type.initial, {
            revision: standing?.revision ?? 'no_stream',
            recalled,
            contained: containedIn(standing, command.contains),
            known: await this.#knownOf(stream, standing, command.each?.ids ?? []),
          });
      events = decided.length > 0 ? decided : [this.#note(command, standing, known)];
      const remembers = decided.length > 0 ? [...command.remembers, ...(command.each?.recorded(decided) ?? [])] : [];
      const sealed = await sealEvents(events, this.type.name, id, (subject) => this.#keyOf(subject, context));
      prepared = prepare(stream, standing, sealed, context, this.type.catalog, remembers);
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      return refuse(error);
    }

    if (context.dryRun) {
      if (!(await confirmed())) return AGAIN;
      return this.#answer(command, standing, prepared.stored as StoredEvent<Event>[], { repeated: false });
    }
    try {
      const { position } = await commit(this.#store, stream, prepared, command.deadline);
      const stored = prepared.stored.map((event) => ({ ...event, position })) as StoredEvent<Event>[];
      const now = advance(this.type, standing, stored);
      this.#keep(stream, now);
      this.#snapshotWhenCrossed(id, standing?.revision ?? -1n, now);
      return await this.#answer(command, now, stored, { repeated: false });
    } catch (error) {
      if (error instanceof OutcomeUnknown || error instanceof AppendTooLarge) this.#cache.delete(stream);
      if (!(error instanceof RevisionConflict)) throw error;
      conflicts.inc();
      this.#queue.lost(stream);
      return AGAIN;
    }
  }

  /** What a command's events say: a function of the record, so a repeat gives the same. */
  async #answer(
    { id, stream, context }: Command<State, Event>,
    standing: Standing<State> | undefined,
    stored: readonly StoredEvent<Event>[],
    { repeated }: { repeated: boolean },
  ): Promise<Change<Event>> {
    const last = stored.at(-1)!;
    const dryRun = context.dryRun ?? false;
    const events = stored.filter(({ event }) => !isCommandNoted(event));
    const { repeats } = (stored[0]!.event as DomainEvent as CommandNoted).data;
    const decidedOn = dryRun && !repeated;
    return {
      aggregateId: id,
      events:
        isCommandNoted(stored[0]!.event) && repeats !== undefined && standing
          ? ((await this.#recordOf(stream, standing, repeats)) ?? [])
          : events,
      revision: decidedOn ? (standing?.revision ?? -1n) : last.revision,
      position: decidedOn ? (standing?.position ?? 0n) : last.position,
      repeated,
      dryRun,
    };
  }

  /** A dry run seals under a key of the moment: nothing is stored, so nobody has to open it. */
  async #keyOf(subject: string, { dryRun }: CommandContext): Promise<DataKey> {
    if (dryRun) return randomBytes(32);
    if (!this.#dataKeys) throw new TypeError(`no keys to seal the personal data of ${subject} with`);
    return this.#dataKeys.keyFor(subject);
  }

  #note(
    { id, context }: Command<State, Event>,
    standing: Standing<State> | undefined,
    repeats: string | undefined,
  ): CommandNoted {
    if (!standing) throw new AggregateNotFound(this.type.name, id);
    const data = { effectiveAt: context.now, ...(repeats === undefined ? {} : { repeats }) };
    return { type: COMMAND_NOTED, data };
  }

  /** All events that a key recorded, each with the position of their append's last; undefined when there are none. */
  async #recordOf(
    stream: string,
    standing: Standing<State>,
    key: string,
  ): Promise<readonly StoredEvent<Event>[] | undefined> {
    for (const range of standing.keys.find(commandKey(key))) {
      const found = await this.#scan(stream, range, standing.revision, (event) => event.metadata.key === key);
      if (range.filtered) filterHits.inc({ real: `${found.length > 0}` });
      if (found.length === 0) continue;
      const { position } = found.at(-1)!;
      return found.map((event) => ({ ...event, position }));
    }
    return undefined;
  }

  /**
   * The key of the command that first recorded these remembered ids, when it asked for the same; undefined when none
   * of them is known. Throws RememberedIdReused for one that is known with other content, or beside one that is new.
   */
  async #firstToRemember(
    stream: string,
    standing: Standing<State>,
    remembers: readonly Remembered[],
  ): Promise<string | undefined> {
    const firsts: (string | undefined)[] = [];
    for (const { kind, id, fingerprint } of remembers) {
      const same = (entry: Remembered): boolean => entry.kind === kind && entry.id === id;
      let first: StoredEvent<Event> | undefined;
      for (const range of standing.keys.find(rememberedId(kind, id))) {
        [first] = await this.#scan(
          stream,
          range,
          standing.revision,
          (event) => event.metadata.remembers?.some(same) ?? false,
        );
        if (range.filtered) filterHits.inc({ real: `${first !== undefined}` });
        if (first) break;
      }
      const known = first?.metadata.remembers?.find(same);
      if (known && known.fingerprint !== fingerprint) throw new RememberedIdReused(kind, id);
      firsts.push(first?.metadata.key);
    }
    const index = firsts.findIndex((key) => key !== undefined);
    if (index === -1) return undefined;
    if (firsts.some((key) => key !== firsts[index])) {
      throw new RememberedIdReused(remembers[index]!.kind, remembers[index]!.id);
    }
    return firsts[index];
  }

  /** The places that the memory names are read: what stands there settles it. */
  async #recall(
    stream: string,
    standing: Standing<State> | undefined,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, Event>> {
    const found = new Map<string, Event>();
    const places = new Map<bigint, string[]>();
    for (const id of standing ? ids : []) {
      for (const { from } of standing!.keys.find(rememberedId(OWN_ID, id))) {
        if (from <= standing!.revision) {
          const wanted = places.get(from);
          if (wanted) wanted.push(id);
          else places.set(from, [id]);
        }
      }
    }
    const waiting = places.entries();
    const reader = async () => {
      for (const [revision, wanted] of waiting) {
        for await (const { event } of this.#events(stream, revision, revision, 1)) {
          const held = isCommandNoted(event) ? [] : (this.type.remembers?.(event) ?? []);
          const there = new Set(held);
          for (const id of wanted) if (there.has(id) && !found.has(id)) found.set(id, event);
          break;
        }
      }
    };
    await Promise.all(Array.from({ length: RECALL_READERS }, reader));
    return found;
  }

  /** Which of these ids, all of one kind, are remembered, with their fingerprints; reads each stretch of the stream that may tell of some once. */
  async #knownOf(
    stream: string,
    standing: Standing<State> | undefined,
    ids: readonly Remembered[],
  ): Promise<ReadonlyMap<string, string>> {
    const known = new Map<string, string>();
    if (!standing || ids.length === 0) return known;
    const sought = new Set(ids.map(({ kind, id }) => rememberedId(kind, id)));
    const ranges = ids.flatMap(({ kind, id }) => standing.keys.find(rememberedId(kind, id)));
    for (const { from, to } of stretchesOf(ranges)) {
      for await (const { revision, metadata } of this.#events(stream, from, standing.revision)) {
        if (revision > to) break;
        for (const { kind, id, fingerprint } of metadata.remembers ?? [])
          if (!known.has(id) && sought.has(rememberedId(kind, id))) known.set(id, fingerprint);
      }
    }
    return known;
  }

  /** The first run of events that `wanted` holds for and that begins in the range; reads on to the end of the run. */
  async #scan(
    stream: string,
    range: RevisionRange,
    head: bigint,
    wanted: (event: StoredEvent<Event>) => boolean,
  ): Promise<StoredEvent<Event>[]> {
    const found: StoredEvent<Event>[] = [];
    for await (const event of this.#events(stream, range.from, head, range.filtered ? PAGE : SMALL_PAGE)) {
      if (wanted(event)) found.push(event);
      else if (found.length > 0 || event.revision >= range.to) break;
    }
    return found;
  }

  /**
   * The events from a revision on, decoded. Throws StoreUnavailable when the read ends before `head`, which is known to
   * be there: a server or a proxy that goes away may end a call as if it were finished.
   */
  async *#events(
    stream: string,
    from: bigint,
    head: bigint,
    page = PAGE,
  ): AsyncGenerator<StoredEvent<Event>, void, undefined> {
    for (let next = from; ;) {
      let count = 0;
      for await (const recorded of this.#store.read(stream, { from: next, maxCount: page })) {
        count += 1;
        next = recorded.revision + 1n;
        yield decode<Event>(recorded, this.type.catalog);
      }
      if (count < page && next > head) return;
      if (count === 0) throw new StoreUnavailable(`a read of ${stream} ended early`, `before ${next} of ${head}`);
    }
  }

  #cached(stream: string): Standing<State> | undefined {
    return this.#cache.get(stream) as Standing<State> | undefined;
  }

  async #basis(id: string, stream: string): Promise<Basis<State>> {
    const cached = this.#cached(stream);
    if (cached) return { standing: cached, proven: false };
    return { standing: await this.#read(id, stream), proven: true };
  }

  async #isHead(stream: string, standing: Standing<State>): Promise<boolean> {
    const head = await this.#store.last(stream);
    return (
      head?.revision === standing.revision && (head.metadata as { hash?: unknown } | undefined)?.hash === standing.hash
    );
  }

  /**
   * A short stream whole, by one read; of a longer one the newest snapshot and what came after it, folded while reading;
   * without a usable snapshot all of it.
   */
  async #read(id: string, stream: string): Promise<Standing<State> | undefined> {
    const newest = await this.#store.newest(stream, this.#short);
    const [head] = newest;
    if (!head) return undefined;
    let fold: Fold<State, Event> | undefined;
    if (newest.at(-1)?.revision === 0n && head.revision === BigInt(newest.length - 1)) {
      fold = new Fold(this.type);
      for (const recorded of newest.reverse()) fold.add(decode<Event>(recorded, this.type.catalog));
      snapshotReads.inc({ hit: 'false' });
    } else {
      const snapshot = await this.#snapshots.find(id);
      fold =
        snapshot &&
        (await this.#foldOnto(stream, snapshot.standing, this.#snapshots.findKeys(id, snapshot.keys), head.revision));
      snapshotReads.inc({ hit: `${fold !== undefined}` });
      if (!fold) {
        fold = new Fold(this.type);
        for await (const event of this.#events(stream, 0n, head.revision)) fold.add(event);
      }
    }
    replayed.observe(fold.events);
    const { standing } = fold;
    if (!standing) return undefined;
    if (BigInt(fold.events) > this.#snapshotEvery) this.#snapshots.schedule(id, standing);
    this.#keep(stream, standing);
    return standing;
  }

  /**
   * The cached standing with what other writers appended since. A process that reads all again after each conflict never
   * comes first against one that need not; without a cached standing, or when the stream does not go on from it, it does.
   */
  async #catchUp(id: string, stream: string): Promise<Standing<State> | undefined> {
    const cached = this.#cached(stream);
    if (!cached) return this.#read(id, stream);
    const head = await this.#store.last(stream);
    const fold = head && (await this.#foldOnto(stream, cached, Promise.resolve(cached.keys), head.revision));
    const standing = fold?.standing;
    if (!standing) {
      this.#cache.delete(stream);
      return this.#read(id, stream);
    }
    this.#keep(stream, standing);
    // Also here, or the keys of a process that only follows another would never leave its memory.
    this.#snapshotWhenCrossed(id, cached.revision, standing);
    return standing;
  }

  /** Undefined when the stream does not hold the standing's last event as it was, or the keys are not whole. */
  async #foldOnto(
    stream: string,
    standing: FoundSnapshot<State>['standing'],
    loading: Promise<KeyMemory | undefined>,
    head: bigint,
  ): Promise<Fold<State, Event> | undefined> {
    const events = this.#events(stream, standing.revision, head);
    try {
      const [keys, first] = await Promise.all([loading, events.next()]);
      if (!keys || first.done) return undefined;
      const { revision, position, metadata } = first.value;
      if (revision !== standing.revision || metadata.hash !== standing.hash || metadata.tenant !== standing.tenant) {
        return undefined;
      }
      const fold = new Fold(this.type, keys, { ...standing, position });
      for await (const event of events) fold.add(event);
      return fold;
    } finally {
      await events.return();
    }
  }

  /** A load that began before a commit must not put its older standing back. */
  #keep(stream: string, standing: Standing<State>): void {
    const kept = this.#cache.peek(stream);
    if (!kept || kept.revision <= standing.revision) this.#cache.set(stream, standing);
  }

  #snapshotWhenCrossed(id: string, before: bigint, now: Standing<State>): void {
    const every = this.#snapshotEvery;
    if ((before + 1n) / every !== (now.revision + 1n) / every) this.#snapshots.schedule(id, now);
  }
}

/** Of these ids those that the memory of a stream of places has. */
function containedIn(standing: Standing<unknown> | undefined, ids: readonly string[]): ReadonlySet<string> {
  if (!standing) return new Set();
  const { keys, revision } = standing;
  return new Set(ids.filter((id) => keys.find(rememberedId(OWN_ID, id)).some(({ from }) => from <= revision)));
}

/** The ranges in order, with those that overlap or nearly touch made one. */
function stretchesOf(ranges: readonly RevisionRange[]): { from: bigint; to: bigint }[] {
  const stretches: { from: bigint; to: bigint }[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => Number(a.from - b.from))) {
    const last = stretches.at(-1);
    if (last && from <= last.to + NEAR) last.to = to > last.to ? to : last.to;
    else stretches.push({ from, to });
  }
  return stretches;
}
