import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@perennial/platform';
import { Counter, Gauge } from 'prom-client';
import {
  AggregateNotFound,
  AppendTooLarge,
  FutureEventVersion,
  KeyReused,
  RememberedIdReused,
  type Revision,
  RevisionConflict,
  StreamDeleted,
  UnknownEventType,
} from './errors';
import type { RecordedEvent, StoredEvent } from './event';
import type { EventStore } from './event-store';
import type { Policy } from './policy';
import { LowWaterMark } from './policy-low-water-mark';
import {
  noteParked,
  type ParkedFact,
  type ParkedReaction,
  type ParkedState,
  readParkedReactions,
  recordParked,
} from './policy-parked';
import { type Place, readStoredPosition, writePolicyPosition } from './policy-position';
import { type Catalogs, type FeedEvent, feedReader, reasonOf } from './projection-feed';
import { streamNames, type StreamNames } from './streams';

export interface PolicyRunnerOptions {
  readonly store: EventStore;
  readonly streamPrefix: string;
  readonly policies: readonly Policy[];
  readonly catalogs: Catalogs;
  /** Executes a command; a repeat of one that was executed changes nothing. */
  readonly dispatch: (command: object) => Promise<void>;
  readonly logger: Logger;
  /** Whether a command was refused for good, as against an error that passes. The default knows a DomainError and what the repository refuses. */
  readonly isRefused?: (error: unknown) => boolean;
  /** Whether another process is meant to do the work. Only saves work: two at once do no harm. */
  readonly standsBy?: () => boolean;
  /** Commands at once. 16 */
  readonly concurrency?: number;
  /** Events that may be under way at once. 1,000 */
  readonly outstanding?: number;
  /** How often positions are stored, in ms. 1,000 */
  readonly saveEveryMs?: number;
  /** A subscription through which nothing came for so long, not even a heartbeat, is made anew, in ms. 100,000 */
  readonly silenceMs?: number;
}

export interface PolicyStatus {
  readonly policy: string;
  readonly state: 'running' | 'standby' | 'waiting' | 'stopped';
  readonly reason?: string;
  /** Everything up to here is done. */
  readonly position: bigint | undefined;
  readonly outstanding: number;
  readonly parkedStreams: number;
  /** Commands that failed for a reason that passes and are being repeated. */
  readonly retrying: number;
}

const handled = new Counter({
  name: 'policy_commands_total',
  help: 'Commands of policies by outcome; `failed` ones are repeated',
  labelNames: ['policy', 'outcome'],
});
const parkedStreams = new Gauge({
  name: 'policy_parked_streams',
  help: 'Streams that wait because a command of a policy was refused (alert above 0)',
  labelNames: ['policy'],
});

/** One policy at work: where it is and what waits. */
interface Progress {
  readonly policy: Policy;
  readonly marks: LowWaterMark<Place>;
  readonly parked: ParkedState;
  /** The last reaction of each stream that is under way: the next one follows it. */
  readonly tails: Map<string, Promise<void>>;
  saved: bigint | undefined;
  /** Of the stored position: one that was sent earlier and arrives later is refused. */
  revision: Revision;
  retrying: number;
}

/**
 * Turns events into commands, at least once: in order within a stream, but for what its policy takes in any order, in
 * parallel across streams. A position says up to where everything is done; a refused command parks its event in the store,
 * and its stream waits for that policy.
 */
export class PolicyRunner {
  readonly #names: StreamNames;
  readonly #limit: (task: () => Promise<void>) => Promise<void>;
  #aborted = new AbortController();
  #running: Promise<void> | undefined;
  #progress: readonly Progress[] = [];
  #state: { state: PolicyStatus['state']; reason?: string } = { state: 'waiting' };
  #room: (() => void) | undefined;
  /** Monotonic time of the last sign of life of the subscription. */
  #heardAt = 0;

  constructor(private readonly options: PolicyRunnerOptions) {
    this.#names = streamNames(options.streamPrefix);
    this.#limit = atMost(options.concurrency ?? 16);
  }

  /** Begins to run; what goes wrong is retried and shows in `status`. */
  start(): void {
    this.#aborted = new AbortController();
    this.#running ??= this.#run(this.#aborted.signal).finally(() => (this.#running = undefined));
  }

  /** Lets commands under way finish and stores the positions. */
  async stop(): Promise<void> {
    this.#aborted.abort();
    await this.#running;
  }

  status(): PolicyStatus[] {
    return this.options.policies.map(({ name }) => {
      const progress = this.#progress.find(({ policy }) => policy.name === name);
      return {
        policy: name,
        ...this.#state,
        position: progress?.marks.mark?.position,
        outstanding: progress?.marks.outstanding ?? 0,
        parkedStreams: progress?.parked.waiting.size ?? 0,
        retrying: progress?.retrying ?? 0,
      };
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { logger, standsBy } = this.options;
    for (let failures = 0; !signal.aborted;) {
      if (standsBy?.()) {
        this.#state = { state: 'standby' };
        await pause(500, signal);
        continue;
      }
      try {
        await this.#session(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        const final = error instanceof UnknownEventType || error instanceof FutureEventVersion;
        this.#state = { state: final ? 'stopped' : 'waiting', reason: reasonOf(error) };
        logger.error({ err: error }, final ? 'the policies stopped' : 'the policies were interrupted');
        await pause(final ? 5_000 : Math.min(5_000, 50 * 2 ** failures++), signal);
      }
    }
  }

  async #session(outer: AbortSignal): Promise<void> {
    const { store, streamPrefix, policies, standsBy } = this.options;
    this.#progress = await Promise.all(
      policies.map(async (policy) => {
        const { place: at, revision } = await readStoredPosition(store, streamPrefix, policy.name);
        return {
          policy,
          revision,
          marks: new LowWaterMark(at),
          parked: await readParkedReactions(store, streamPrefix, policy.name),
          tails: new Map<string, Promise<void>>(),
          saved: at?.position,
          retrying: 0,
        };
      }),
    );
    const session = new AbortController();
    const signal = AbortSignal.any([outer, session.signal]);
    // Each stream that waits for its next attempt listens; Node takes more than ten for a leak.
    setMaxListeners(0, signal);
    const saving = this.#keepSaving(signal, () => {
      if (standsBy?.() || this.#isSilent()) session.abort();
    });
    this.#state = { state: 'running' };
    this.#heardAt = performance.now();
    try {
      for (const progress of this.#progress) {
        for (const stream of progress.parked.requests.keys()) this.#release(progress, stream, signal);
      }
      await this.#follow(signal);
    } finally {
      session.abort();
      await Promise.all(this.#progress.flatMap(({ tails }) => [...tails.values()]));
      await saving;
      await this.#save();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, streamPrefix, policies, catalogs, outstanding = 1_000 } = this.options;
    const read = feedReader(this.#names, catalogs, policies);
    const starts = this.#progress.map(({ marks }) => marks.mark?.position);
    const from = starts.reduce((least, at) =>
      least === undefined || at === undefined ? undefined : at < least ? at : least,
    );
    const prefixes = [this.#names.aggregates, this.#names.parked('')];
    for await (const recorded of store.subscribe({ from: from ?? 'start', prefixes, signal })) {
      this.#heardAt = performance.now();
      if (recorded.stream.startsWith(`${streamPrefix}_`)) {
        this.#noteFact(recorded, signal);
        continue;
      }
      const event = read(recorded);
      if (!event.aggregate) continue;
      for (const [index, progress] of this.#progress.entries()) {
        const start = starts[index];
        if (start === undefined || event.position > start) this.#take(progress, event, signal);
      }
      while (!signal.aborted && this.#progress.some(({ marks }) => marks.outstanding >= outstanding)) {
        await this.#someRoom(signal);
        this.#heardAt = performance.now();
      }
    }
  }

  /** Heartbeats of the projections come through as well: when even these stay away, it is open and dead. */
  #isSilent(): boolean {
    const silent = !this.#room && performance.now() - this.#heardAt > (this.options.silenceMs ?? 100_000);
    if (silent) this.options.logger.warn('the subscription of the policies has gone silent and is restarted');
    return silent;
  }

  #someRoom(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener('abort', go);
        this.#room = undefined;
        resolve();
      };
      this.#room = go;
      signal.addEventListener('abort', go, { once: true });
    });
  }

  #take(progress: Progress, event: FeedEvent, signal: AbortSignal): void {
    const { policy, marks, parked } = progress;
    const { stream, type, revision } = event.aggregate!;
    const finish = marks.begin({ position: event.position, id: event.id });
    const done = () => {
      finish();
      this.#room?.();
    };
    if (!policy.handles.includes(type)) {
      done();
      return;
    }
    // Of a stream that waits or is being released nothing goes ahead: the release reads only what stands in it by then.
    const beside = policy.inAnyOrder?.includes(type) && !parked.waiting.has(stream);
    this.#afterTail(progress, beside ? event.id : stream, async () => {
      const waiting = parked.waiting.get(stream);
      if (waiting && waiting.revision <= revision) done();
      else if (await this.#react(progress, event, signal)) done();
    });
  }

  /** Chains what is to be done of a stream, so that it is done in order, or begins what is by itself, under a name of its own. */
  #afterTail({ tails }: Progress, stream: string, task: () => Promise<void>): void {
    const tail = (tails.get(stream) ?? Promise.resolve())
      .then(task)
      // What cannot even be parked stays before the position, which the log and the status show.
      .catch((error: unknown) => this.options.logger.error({ err: error, stream }, 'a reaction failed'))
      .finally(() => {
        if (tails.get(stream) === tail) tails.delete(stream);
      });
    tails.set(stream, tail);
  }

  /**
   * True when the event is dealt with, by its commands or by parking; false when the signal came first. `releasing`: what its stream
   * waited for, if it is taken up again.
   */
  async #react(
    progress: Progress,
    event: FeedEvent,
    signal: AbortSignal,
    releasing?: ParkedReaction,
  ): Promise<boolean> {
    const { name } = progress.policy;
    let command: object | undefined;
    try {
      for (command of reactionTo(progress.policy, event)) {
        const next = command;
        const executed = await this.#untilDone(progress, signal, () => this.#limit(() => this.options.dispatch(next)));
        if (!executed) return false;
        handled.inc({ policy: name, outcome: 'done' });
      }
      return true;
    } catch (error) {
      handled.inc({ policy: name, outcome: 'refused' });
      return this.#park(progress, event, command, error, signal, releasing);
    }
  }

  async #park(
    progress: Progress,
    event: FeedEvent,
    command: object | undefined,
    refusal: unknown,
    signal: AbortSignal,
    releasing: ParkedReaction | undefined,
  ): Promise<boolean> {
    const { store, streamPrefix, logger } = this.options;
    const { policy, parked } = progress;
    const { stream, revision, type } = event.aggregate!;
    const earlier = parked.waiting.get(stream);
    // The release of what was parked before it comes by here again.
    if (earlier && earlier !== releasing && earlier.revision < revision) return true;
    const what = { stream, eventId: event.id, type, error: reasonOf(refusal) };
    const named = command === undefined ? what : { ...what, command: command.constructor.name };
    const inAnyOrder = !releasing && policy.inAnyOrder?.includes(type);
    const fact: ParkedFact = {
      type: 'Parked',
      data: { ...named, revision: revision.toString(), ...(inAnyOrder && { inAnyOrder }) },
    };
    logger.error({ policy: policy.name, ...named, revision: revision.toString() }, 'a policy parked an event');
    parked.waiting.set(stream, { policy: policy.name, ...named, revision });
    parkedStreams.set({ policy: policy.name }, parked.waiting.size);
    // The position must not pass it before it is in the store.
    return this.#untilDone(
      progress,
      signal,
      async () => void (await recordParked(store, streamPrefix, policy.name, fact)),
    );
  }

  /** Repeats what fails for a reason that passes, until it succeeds or the signal comes (false). Throws a refusal. */
  async #untilDone(progress: Progress, signal: AbortSignal, task: () => Promise<void>): Promise<boolean> {
    const { isRefused = refusedByDefault, logger } = this.options;
    for (let failures = 0; ; failures++) {
      if (signal.aborted) return false;
      try {
        await task();
        return true;
      } catch (error) {
        if (isRefused(error)) throw error;
        handled.inc({ policy: progress.policy.name, outcome: 'failed' });
        logger.warn(
          { policy: progress.policy.name, err: error, failures },
          'a command of a policy failed and is repeated',
        );
        progress.retrying++;
        await pause(Math.min(30_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2), signal);
        progress.retrying--;
      }
    }
  }

  #noteFact(recorded: RecordedEvent, signal: AbortSignal): void {
    const progress = this.#progress.find(({ policy }) => recorded.stream === this.#names.parked(policy.name));
    if (!progress) return;
    const { parked, policy } = progress;
    const known = parked.revision;
    noteParked(parked, policy.name, recorded);
    parkedStreams.set({ policy: policy.name }, parked.waiting.size);
    const { stream } = recorded.data as ParkedFact['data'];
    if (recorded.revision > known && parked.requests.has(stream)) this.#release(progress, stream, signal);
  }

  /** Goes on with a stream that waits, as an operator asked: what came meanwhile is read from the stream itself. */
  #release(progress: Progress, stream: string, signal: AbortSignal): void {
    const { store, streamPrefix, catalogs } = this.options;
    const { policy, parked } = progress;
    const read = feedReader(this.#names, catalogs, [policy]);
    this.#afterTail(progress, stream, async () => {
      const entry = parked.waiting.get(stream);
      const request = parked.requests.get(stream);
      if (!entry || !request) return;
      let next = entry.revision + (request.skip ? 1n : 0n);
      const released = await this.#untilDone(progress, signal, async () => {
        // The tail holds back what comes of this stream now; it is taken after this, and dealt with twice at worst.
        for await (const recorded of store.read(stream, { from: next })) {
          const event = read(recorded);
          if (policy.handles.includes(recorded.type) && !(await this.#react(progress, event, signal, entry))) return;
          if (parked.waiting.get(stream) !== entry) return;
          next = recorded.revision + 1n;
        }
      });
      if (!released || signal.aborted || parked.waiting.get(stream) !== entry) return;
      parked.waiting.delete(stream);
      parked.requests.delete(stream);
      const fact: ParkedFact = { type: 'Released', data: { stream, revision: (next - 1n).toString() } };
      await this.#untilDone(
        progress,
        signal,
        async () => void (await recordParked(store, streamPrefix, policy.name, fact)),
      );
    });
  }

  async #keepSaving(signal: AbortSignal, check: () => void): Promise<void> {
    while (!signal.aborted) {
      await pause(this.options.saveEveryMs ?? 1_000, signal);
      check();
      await this.#save();
    }
  }

  async #save(): Promise<void> {
    const { store, streamPrefix, logger } = this.options;
    for (const progress of this.#progress) {
      const { marks, policy } = progress;
      const { mark } = marks;
      if (!mark || mark.position === progress.saved) continue;
      try {
        progress.revision = await writePolicyPosition(store, streamPrefix, policy.name, mark, progress.revision);
        progress.saved = mark.position;
      } catch (error) {
        logger.debug({ err: error }, 'a position was not stored and will be with the next');
        if (error instanceof RevisionConflict) await this.#lookAgain(progress, mark);
      }
    }
  }

  /** Another process has stored a position, or what was sent without an answer has arrived. */
  async #lookAgain(progress: Progress, mark: Place): Promise<void> {
    const { store, streamPrefix, logger } = this.options;
    try {
      const { place, revision } = await readStoredPosition(store, streamPrefix, progress.policy.name);
      progress.revision = revision;
      if (place && place.position >= mark.position) progress.saved = mark.position;
    } catch (error) {
      logger.debug({ err: error }, 'a stored position could not be read and will be with the next');
    }
  }
}

/** The commands for an event, asked for twice when the policy throws: it is a pure function and does not get better by waiting. */
function reactionTo(policy: Policy, event: FeedEvent): readonly object[] {
  if (event.failure) throw event.failure;
  return policy.react(event.stored as StoredEvent);
}

function refusedByDefault(error: unknown): boolean {
  if (
    [KeyReused, RememberedIdReused, AggregateNotFound, AppendTooLarge, StreamDeleted].some(
      (kind) => error instanceof kind,
    )
  ) {
    return true;
  }
  return error instanceof Error && error.name === 'DomainError';
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Runs at most `limit` tasks at once, the others in the order of their coming. */
function atMost(limit: number): (task: () => Promise<void>) => Promise<void> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
