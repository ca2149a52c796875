import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@perennial/platform';
import { FutureEventVersion, UnknownEventType } from './errors';
import type { EventStore } from './event-store';
import { Heartbeat } from './heartbeat';
import type { Projection } from './projection';
import {
  type Catalogs,
  type FeedEvent,
  feedReader,
  LeaseLost,
  NewerModel,
  ProjectionFeed,
  reasonOf,
  RevisionGap,
} from './projection-feed';
import { EventIntake } from './projection-intake';
import * as metrics from './projection-metrics';
import { rebuildProjection, RebuildUnderWay, StoreDiverged } from './projection-rebuild';
import { prepareFeed } from './projection-start';
import {
  type AnyDatabase,
  claimFeed,
  createFeedTables,
  type FeedRow,
  readFeed,
  readModels,
  releaseFeed,
} from './projection-tables';
import { ProjectionWatch } from './projection-watch';
import { streamNames, type StreamNames } from './streams';

export interface ProjectionRunnerOptions {
  readonly store: EventStore;
  readonly db: AnyDatabase;
  readonly schema: string;
  readonly streamPrefix: string;
  readonly projections: readonly Projection[];
  readonly catalogs: Catalogs;
  readonly logger: Logger;
  /** `rebuild`: rows read from another history are thrown away and built again (an embedded database); `stop`: an operator decides. */
  readonly onDiverged: 'rebuild' | 'stop';
  /** Take the lease from whoever has it: for a process that knows that it is the only one. */
  readonly takeOver?: boolean;
  /** 30,000 */
  readonly heartbeatIntervalMs?: number;
  /** A heartbeat that is not back by then makes the process not ready; also how long it may lag. 10,000 */
  readonly silenceMs?: number;
  /** 3,000; renewed three times as often. */
  readonly leaseMs?: number;
}

export type RunnerHealth =
  | { readonly status: 'ok'; readonly role: 'active' | 'standby' }
  | { readonly status: 'lagging' | 'silent' | 'diverged' | 'stopped'; readonly reason: string };

export interface ProjectionStatus {
  readonly name: string;
  readonly version: number;
  readonly state: 'live' | 'building' | 'waiting' | 'diverged' | 'stopped';
  readonly position: bigint | undefined;
  /** Events received and not yet applied. */
  readonly lagEvents: number;
  /** Ms since the rows last held everything that was in the store. */
  readonly lagMs: number;
  readonly caughtUp: boolean;
  readonly incomplete: number;
}

class Silent extends Error {}
class OtherHistory extends Error {}

/** Who asks an embedded database waits for a transaction: they are short, but where many events wait it is for these. */
const FOLLOWING = { least: 100, most: 500, ms: 50 };
const CATCHING_UP = { least: 500, most: 2_000, ms: 1_000 };
/** From batch to batch of those that follow, in ms: a transaction costs the same for one event as for twenty. */
const PACE_MS = 40;

/**
 * Keeps the read models: one catch-up subscription of the process feeds all of them, and one process at a time writes
 * (others stand by). Whatever goes wrong, it starts again from the position that stands with the rows.
 */
export class ProjectionRunner {
  readonly #names: StreamNames;
  readonly #owner = randomUUID();
  readonly #watch: ProjectionWatch;
  readonly #heartbeat: Heartbeat;
  readonly #leaseMs: number;
  readonly #silenceMs: number;
  #aborted = new AbortController();
  #running: Promise<void> | undefined;
  #building: Promise<void> | undefined;

  #role: 'starting' | 'active' | 'standby' = 'starting';
  #feed: ProjectionFeed | undefined;
  #intake: EventIntake | undefined;
  /** Why nothing moves at the moment, and whether that passes by itself. */
  #trouble: { status: 'lagging' | 'diverged' | 'stopped'; reason: string } | undefined;
  #covered: bigint | undefined;
  #checkedDrops = 0;
  #mayTake: boolean;
  #caughtUp = false;
  #caughtUpAt: number | undefined;
  /** What the active process has noted, while this one stands by. */
  #elsewhere: FeedRow | undefined;
  /** What this process appended and has not seen come back: the one that is waited for, and the last one. */
  #appended: { readonly position: bigint; readonly at: number } | undefined;
  #lastAppended: { readonly position: bigint; readonly at: number } | undefined;
  #applied = 0;
  #waiters = new Set<() => void>();

  constructor(private readonly options: ProjectionRunnerOptions) {
    this.#names = streamNames(options.streamPrefix);
    this.#watch = new ProjectionWatch(options.db, options.schema);
    this.#mayTake = options.takeOver ?? false;
    this.#leaseMs = options.leaseMs ?? 3_000;
    this.#silenceMs = options.silenceMs ?? 10_000;
    this.#heartbeat = new Heartbeat(options.store, this.#names, options.heartbeatIntervalMs ?? 30_000, (ms) =>
      metrics.heartbeatSeconds.observe(ms / 1_000),
    );
  }

  /** Begins to run; what goes wrong is retried and shows in `health`. */
  start(): void {
    this.#aborted = new AbortController();
    this.#running ??= this.#run(this.#aborted.signal).finally(() => (this.#running = undefined));
  }

  /** Finishes the batch that is being written and gives the lease back. */
  async stop(): Promise<void> {
    this.#aborted.abort();
    await this.#running;
    await this.#building;
  }

  /** That this process appended something here: `health` then demands that it comes back through the subscription. */
  noteAppended(position: bigint): void {
    if (this.#role !== 'active' || (this.#feed?.position ?? -1n) >= position) return;
    const noted = { position, at: performance.now() };
    if (position > (this.#lastAppended?.position ?? -1n)) this.#lastAppended = noted;
    // Under steady writes the newest is never back yet: each one that is waited for is let come back first.
    this.#appended ??= noted;
  }

  /** `standby`: another process writes the rows. */
  get role(): 'starting' | 'active' | 'standby' {
    return this.#role;
  }

  /** Whether the rows can be trusted to follow the store; for /health/ready. */
  health(): RunnerHealth {
    if (this.#trouble) return this.#trouble;
    if (this.#role === 'starting') return { status: 'lagging', reason: 'starting' };
    const bound = this.#silenceMs;
    if (this.#role === 'standby') {
      const behindMs = this.#elsewhere?.caught_up_ms ?? Number.POSITIVE_INFINITY;
      if (behindMs <= bound) return { status: 'ok', role: 'standby' };
      return { status: 'lagging', reason: 'the process that runs the projections is behind' };
    }
    const lag = this.#lagMs();
    if (lag === Number.POSITIVE_INFINITY) return { status: 'lagging', reason: 'catching up for the first time' };
    if (this.#heartbeat.overdueMs() > bound) {
      const why = this.#heartbeat.failure;
      const reason = why === undefined ? 'a heartbeat has not come back' : `no heartbeat: ${reasonOf(why)}`;
      return { status: 'silent', reason };
    }
    if (lag > bound) return { status: 'lagging', reason: `${Math.round(lag)} ms behind` };
    if (this.#appended && performance.now() - this.#appended.at > bound) {
      return { status: 'silent', reason: 'what this process appended has not come back' };
    }
    const building = this.options.projections.find(({ name }) => !this.#feed?.isLive(name));
    if (building) return { status: 'lagging', reason: `building ${building.name}` };
    if (!this.#heartbeat.returned) return { status: 'lagging', reason: 'waiting for the first heartbeat' };
    return { status: 'ok', role: 'active' };
  }

  status(): ProjectionStatus[] {
    const standby = this.#role === 'standby';
    return this.options.projections.map(({ name, version }) => {
      const live = standby || (this.#feed?.isLive(name) ?? false);
      const trouble = this.#trouble?.status;
      const position = standby ? this.#elsewhere?.position : this.#feed?.position;
      return {
        name,
        version,
        state: trouble === 'lagging' ? 'waiting' : (trouble ?? (live ? 'live' : 'building')),
        position: live ? (position ?? undefined) : undefined,
        lagEvents: this.#intake?.waiting ?? 0,
        lagMs: standby ? (this.#elsewhere?.caught_up_ms ?? Number.POSITIVE_INFINITY) : this.#lagMs(),
        caughtUp: this.#caughtUp,
        incomplete: this.#feed?.incomplete(name) ?? 0,
      };
    });
  }

  /** True once the model holds everything up to `position`, whichever process writes it; false after `timeoutMs`. */
  async waitFor(projection: string, position: bigint, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    while (this.#role === 'active') {
      if (this.#feed?.isLive(projection) && (this.#feed.position ?? -1n) >= position) return true;
      const left = until - performance.now();
      if (left <= 0) return false;
      await this.#moved(left);
    }
    return this.#watch.waitFor(projection, position, until - performance.now());
  }

  async #run(signal: AbortSignal): Promise<void> {
    let fruitless = 0;
    while (!signal.aborted) {
      const before = this.#applied;
      try {
        await this.#session(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#note(error);
      }
      fruitless = this.#applied > before ? 0 : fruitless + 1;
      const pause = this.#trouble?.status === 'stopped' ? 5_000 : Math.min(2_000, 25 * 2 ** Math.min(fruitless, 8));
      await delay(pause * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  /** From claiming the lease until something goes wrong. */
  async #session(outer: AbortSignal): Promise<void> {
    const { db, schema, logger } = this.options;
    await createFeedTables(db, schema);
    const claimed = await this.#claim(outer);
    if (!claimed) return;
    try {
      const row = await prepareFeed(this.options, claimed);
      await this.#follow(row, outer);
    } finally {
      this.#role = 'starting';
      this.#feed = undefined;
      this.#intake = undefined;
      this.#caughtUp = false;
      await releaseFeed(db, schema, claimed.epoch).catch((error: unknown) => logger.debug({ err: error }, 'release'));
    }
  }

  async #claim(signal: AbortSignal): Promise<FeedRow | undefined> {
    const { db, schema } = this.options;
    while (!signal.aborted) {
      const claimed = await claimFeed(db, schema, {
        owner: this.#owner,
        ttlMs: this.#leaseMs,
        take: this.#mayTake,
      });
      this.#mayTake = false;
      if (claimed) return claimed;
      this.#trouble = undefined;
      this.#role = 'standby';
      this.#elsewhere = await readFeed(db, schema);
      this.#buildStale(signal);
      await delay(Math.min(1_000, this.#leaseMs / 3), undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }

  async #follow(row: FeedRow, outer: AbortSignal): Promise<void> {
    const { db, schema, store, projections, catalogs, logger } = this.options;
    const session = new AbortController();
    const signal = AbortSignal.any([outer, session.signal]);
    const feed = new ProjectionFeed(
      {
        db,
        schema,
        projections,
        ttlMs: this.#leaseMs,
        onParked: (projection, event, error) => {
          metrics.projectionFailures.inc({ kind: 'parked' });
          logger.error({ projection, stream: event.aggregate?.stream, err: error }, 'parked an event');
        },
      },
      row,
    );
    await feed.begin();
    const intake = new EventIntake({
      store,
      prefix: this.#names.aggregates,
      from: row.position,
      signal,
      read: feedReader(this.#names, catalogs, projections),
      onDropped: (reason, hadProgress) => {
        metrics.subscriptionDrops.inc({ progress: String(hadProgress) });
        logger.debug({ reason: reasonOf(reason), hadProgress }, 'subscription dropped');
      },
    });
    this.#feed = feed;
    this.#intake = intake;
    this.#role = 'active';
    this.#checkedDrops = 0;
    this.#covered = undefined;
    const ended = await Promise.allSettled(
      [this.#write(feed, intake, signal), this.#keep(feed, intake, signal, outer)].map((task) =>
        task.finally(() => session.abort()),
      ),
    );
    await intake.ended();
    for (const result of ended) {
      if (result.status === 'rejected' && result.reason !== signal.reason) throw result.reason;
    }
  }

  async #write(feed: ProjectionFeed, intake: EventIntake, signal: AbortSignal): Promise<void> {
    let reached = false;
    let size = FOLLOWING.least;
    let began = 0;
    while (!signal.aborted) {
      const batch = reached && !intake.full ? FOLLOWING : CATCHING_UP;
      const early = began + PACE_MS - performance.now();
      if (batch === FOLLOWING && early > 0) await delay(early, undefined, { signal }).catch(() => undefined);
      size = Math.min(batch.most, Math.max(batch.least, size));
      const { events, covered, caughtUp } = await intake.take(size, 1_000);
      if (events.length > 0) {
        this.#caughtUp = false;
        began = performance.now();
        await feed.apply(events, caughtUp);
        const took = performance.now() - began;
        metrics.batchSeconds.observe(took / 1_000);
        metrics.appliedEvents.inc(events.length);
        this.#applied += events.length;
        if (took > batch.ms) size = Math.floor(size / 2);
        else if (took < batch.ms / 2) size *= 2;
        this.#passed(events, feed);
      }
      this.#covered = covered;
      this.#caughtUp = caughtUp;
      if (caughtUp) {
        this.#caughtUpAt = performance.now();
        reached = true;
      }
      if (caughtUp || events.length > 0) this.#trouble = undefined;
      metrics.waitingEvents.set(intake.waiting);
    }
  }

  /** Renews the lease, notes progress past events that are nobody's, and listens for silence. */
  async #keep(feed: ProjectionFeed, intake: EventIntake, signal: AbortSignal, outer: AbortSignal): Promise<void> {
    const { store, projections } = this.options;
    const every = Math.min(1_000, this.#leaseMs / 3);
    while (!signal.aborted) {
      await this.#checkDropped(feed, intake);
      const covered = this.#covered;
      const beyond = this.#caughtUp && covered !== undefined && covered > (feed.position ?? -1n);
      const at = beyond ? await store.readAt(covered).catch(() => undefined) : undefined;
      await feed.renew(this.#caughtUp && intake.waiting === 0, at);
      if (projections.some(({ name }) => !feed.isLive(name))) this.#buildStale(outer);
      metrics.feedLag.set(Math.min(this.#lagMs(), 1e9) / 1_000);
      for (const { name } of projections) metrics.parkedStreams.set({ projection: name }, feed.incomplete(name));
      this.#heartbeat.tick();
      const silentMs = performance.now() - intake.heardAt;
      if (this.#heartbeat.overdueMs() > this.#silenceMs && silentMs > this.#silenceMs && !intake.full) {
        if (this.#heartbeat.failure === undefined) throw new Silent('nothing comes through the subscription');
      }
      await delay(every, undefined, { signal }).catch(() => undefined);
    }
  }

  /** What was dropped may have come back as another store. */
  async #checkDropped(feed: ProjectionFeed, intake: EventIntake): Promise<void> {
    if (intake.drops === this.#checkedDrops) return;
    const { drops } = intake;
    const { lastEvent } = feed;
    try {
      if (lastEvent && (await this.options.store.readAt(lastEvent.position))?.id !== lastEvent.id) {
        throw new OtherHistory('the store has changed under the subscription');
      }
      this.#checkedDrops = drops;
    } catch (error) {
      // Not there at the moment: asked again until it is.
      if (error instanceof OtherHistory) throw error;
    }
  }

  /** Models that another version has built, or that are new beside old ones, are built beside and then switched. */
  #buildStale(signal: AbortSignal): void {
    this.#building ??= this.#buildAll(signal)
      .catch((error: unknown) => {
        if (!signal.aborted && !(error instanceof RebuildUnderWay))
          this.options.logger.warn({ err: error }, 'building a read model failed and will be repeated');
      })
      .finally(() => (this.#building = undefined));
  }

  async #buildAll(signal: AbortSignal): Promise<void> {
    const { db, schema, projections, logger } = this.options;
    const built = await readModels(db, schema);
    const { position } = await readFeed(db, schema);
    if (position === null) return;
    for (const projection of projections) {
      if ((built.get(projection.name) ?? 0) >= projection.version) continue;
      logger.info(
        { projection: projection.name, version: projection.version },
        'building a read model beside the old one',
      );
      await rebuildProjection(this.options, projection, { signal });
    }
  }

  #passed(events: readonly FeedEvent[], feed: ProjectionFeed): void {
    for (const event of events) if (!event.aggregate) this.#heartbeat.seen(event.id);
    const position = feed.position ?? -1n;
    if (this.#appended && position >= this.#appended.position) {
      this.#appended = (this.#lastAppended?.position ?? -1n) > position ? this.#lastAppended : undefined;
    }
    for (const waiter of [...this.#waiters]) waiter();
  }

  #moved(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.#waiters.delete(go);
        resolve();
      };
      const timer = setTimeout(go, Math.min(withinMs, 250));
      this.#waiters.add(go);
    });
  }

  #lagMs(): number {
    if (this.#caughtUp) return 0;
    return this.#caughtUpAt === undefined ? Number.POSITIVE_INFINITY : performance.now() - this.#caughtUpAt;
  }

  #note(error: unknown): void {
    const { logger } = this.options;
    if (error instanceof LeaseLost) {
      logger.info('another process runs the projections now');
    } else if (error instanceof Silent) {
      metrics.subscriptionRestarts.inc();
      logger.warn('the subscription has gone silent and is restarted');
    } else if (error instanceof StoreDiverged) {
      this.#trouble = { status: 'diverged', reason: error.message };
    } else if (isFinal(error)) {
      metrics.projectionFailures.inc({ kind: error.name });
      logger.error({ err: error }, 'the projections stopped');
      this.#trouble = { status: 'stopped', reason: reasonOf(error) };
    } else {
      metrics.projectionFailures.inc({ kind: 'interrupted' });
      logger.warn({ err: error }, 'the projections were interrupted');
      this.#trouble = { status: 'lagging', reason: reasonOf(error) };
    }
  }
}

/** Only a newer build or an operator helps; it is looked at again every few seconds. */
function isFinal(error: unknown): error is Error {
  return [UnknownEventType, FutureEventVersion, RevisionGap, NewerModel].some((kind) => error instanceof kind);
}
