import { Readable } from 'node:stream';
import { StreamDeletedError, WrongExpectedVersionError } from '@eventstore/db-client';
import { EventLog, type WriteRequest, type WriteResult } from '../../libs/embedded-eventstore/src/log';
import { decodeRecord, type StoredRecord } from '../../libs/embedded-eventstore/src/record';
import { DeadlinePassed, type Message } from '../../libs/event-sourcing/src/batch-append';
import type { Revision } from '../../libs/event-sourcing/src/errors';
import type { RecordedEvent } from '../../libs/event-sourcing/src/event';
import { type Connected, type Connection } from '../../libs/event-sourcing/src/store-client';
import { StoreConnection } from '../../libs/event-sourcing/src/store-connection';
import type { Fault } from './chaos';
import type { Link, Server } from './link';
import { memoryStorage } from './memory-storage';
import { Reach } from './reach';

/* The embedded server's own log, in memory, behind a client of the shape that the adapter takes, without a network. */

const ON_WRITE: readonly Fault[] = ['refused', 'request-lost', 'answer-lost', 'answer-lost', 'late', 'slow', 'crash'];
const ON_READ: readonly Fault[] = ['refused', 'request-lost', 'slow', 'crash', 'broken-off'];
const ON_SUBSCRIBE: readonly Fault[] = ['refused', 'request-lost', 'slow', 'crash', 'repeated'];
const ON_DELIVERY: readonly Fault[] = ['broken-off', 'broken-off', 'slow', 'crash', 'mute'];
const PAGE = 256;
/** Events before the place that was asked for, which a subscription gives again. */
const REPEATED = 5;

/** What of a write reaches the log; a planted bug is one that passes on something else. */
export type Write = (
  request: WriteRequest,
  write: (request: WriteRequest) => Promise<WriteResult>,
) => Promise<WriteResult>;

export class SimulatedStore implements Server {
  readonly log = new EventLog(memoryStorage());
  readonly reach = new Reach();
  readonly latencyMs = { from: 0, to: 1 };
  readonly lost = lost;
  /** Appends, as they were taken. */
  writes = 0;

  constructor(private readonly throughServer: Write = (request, write) => write(request)) {}

  write(request: WriteRequest): Promise<WriteResult> {
    this.writes += 1;
    return this.throughServer(request, (each) => new Promise((resolve) => this.log.write(each, resolve)));
  }

  /** How a process connects: each connection that its adapter makes has the same way to the server. */
  connector(link: Link): (url: string) => Connection {
    const client = new SimulatedClient(this, link);
    const connected = { client, appender: client } as unknown as Connected;
    return () =>
      new StoreConnection(
        () => connected,
        () => undefined,
      );
  }

  close(): Promise<void> {
    return this.log.close();
  }
}

const lost = (how: 'refused' | 'lost'): Error =>
  Object.assign(
    new Error(how === 'refused' ? '14 UNAVAILABLE: No connection established' : '14 UNAVAILABLE: Connection dropped'),
    { code: 14 },
  );

interface ReadFrom {
  readonly direction: 'forwards' | 'backwards';
  readonly maxCount?: number;
}

/** What the adapter uses of the client, and of its own appender. */
class SimulatedClient {
  constructor(
    private readonly store: SimulatedStore,
    private readonly link: Link,
  ) {}

  async append(stream: string, events: readonly Message[], expected: Revision | 'any', withinMs: number) {
    const request: WriteRequest = {
      kind: 'append',
      stream,
      expected: typeof expected === 'bigint' ? Number(expected) : expected,
      // As bytes at once: what the caller does to its objects later does not change what it has sent.
      events: events.map(({ id, type, contentType, data, metadata }) => ({
        id,
        type,
        json: contentType === 'application/json',
        data: bytesOf(data),
        metadata: metadata === undefined ? Buffer.alloc(0) : bytesOf(metadata),
      })),
    };
    const { revision, position } = await this.inTime(withinMs, this.write(request, expected));
    return { revision: BigInt(revision), position: position === undefined ? undefined : BigInt(position) };
  }

  private async inTime<T>(withinMs: number, answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new DeadlinePassed(withinMs)), withinMs);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  deleteStream(stream: string): Promise<unknown> {
    return this.write({ kind: 'delete', stream, expected: 'any', events: [] }, 'any');
  }

  tombstoneStream(stream: string): Promise<unknown> {
    return this.write({ kind: 'tombstone', stream, expected: 'any', events: [] }, 'any');
  }

  readStream(
    stream: string,
    {
      direction,
      fromRevision,
      maxCount = Number.MAX_SAFE_INTEGER,
    }: ReadFrom & { fromRevision: bigint | 'start' | 'end' },
  ) {
    const { store } = this;
    const { log } = store;
    return new SimulatedRead(this.link, store, () => {
      const found = log.readable(stream);
      if (found.kind === 'tombstoned') throw StreamDeletedError.fromStreamName(stream);
      if (found.kind === 'missing') return undefined;
      const limit = Math.min(maxCount, found.last - found.first + 1);
      if (direction === 'backwards') {
        const to = typeof fromRevision === 'bigint' ? Math.min(Number(fromRevision), found.last) : found.last;
        return log.backwards(found.id, found.first, to, limit);
      }
      const from = typeof fromRevision === 'bigint' ? Math.max(Number(fromRevision), found.first) : found.first;
      return from > found.last ? [] : log.forwards(found.id, from, found.last, limit);
    });
  }

  readAll({
    direction,
    fromPosition,
    maxCount = 1,
  }: ReadFrom & { fromPosition: { commit: bigint } | 'start' | 'end' }) {
    const { store } = this;
    const { log } = store;
    return new SimulatedRead(this.link, store, () => {
      const position = typeof fromPosition === 'string' ? undefined : Number(fromPosition.commit);
      if (position !== undefined && !log.isRecordStart(position))
        throw Object.assign(new Error('3 INVALID_ARGUMENT'), { code: 3 });
      return direction === 'forwards'
        ? log.after((position ?? 0) - 1, maxCount)
        : log.before(position ?? Number.MAX_SAFE_INTEGER, maxCount);
    });
  }

  subscribeToAll(options: SubscribeOptions): SimulatedSubscription {
    return new SimulatedSubscription(this.link, this.store, options);
  }

  private async write(request: WriteRequest, expected: Revision | 'any') {
    const { link, store } = this;
    const result = await link.call('append', ON_WRITE, () => store.write(request), store);
    link.chaos.trace(`${link.name} ${request.kind} ${request.stream} ${result.kind}`);
    switch (result.kind) {
      case 'written':
        return result;
      case 'wrong-expected-revision':
        throw new WrongExpectedVersionError(undefined, {
          streamName: request.stream,
          expected,
          current: result.current < 0 ? 'no_stream' : BigInt(result.current),
        } as never);
      case 'stream-deleted':
        throw StreamDeletedError.fromStreamName(request.stream);
      case 'timeout':
      case 'failed':
        throw new Error(`the log answered ${result.kind}`);
    }
  }
}

const bytesOf = (data: string | Uint8Array): Buffer =>
  typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);

const decoded = new WeakMap<StoredRecord, ReturnType<typeof decodeEvent>>();

/** Decoded once, whoever reads it: nobody changes what was read. */
function eventOf(record: StoredRecord): ReturnType<typeof decodeEvent> {
  let known = decoded.get(record);
  if (!known) decoded.set(record, (known = decodeEvent(record)));
  return known;
}

/** A record as the adapter hands it on. */
export function recordedOf(record: StoredRecord): RecordedEvent {
  const { streamId: stream, position, ...event } = eventOf(record);
  return { ...event, stream, position: position.commit };
}

function decodeEvent(record: StoredRecord) {
  const { id, type, json, stream, data, metadata } = decodeRecord(record.bytes);
  return {
    streamId: stream,
    id,
    type,
    isJson: json,
    revision: BigInt(record.revision),
    data: json ? (JSON.parse(data.toString()) as unknown) : Uint8Array.from(data),
    metadata: metadata.length === 0 ? undefined : (JSON.parse(metadata.toString()) as unknown),
    position: { commit: BigInt(record.position), prepare: BigInt(record.position) },
  };
}

/** A read under way, of what its caller uses a stream's: it is iterated once, and may be destroyed meanwhile. */
class SimulatedRead {
  private reject: ((error: Error) => void) | undefined;
  private failure: Error | undefined;
  private destroyed = false;

  constructor(
    private readonly link: Link,
    private readonly server: Server,
    private readonly records: () => StoredRecord[] | undefined,
  ) {}

  on(): this {
    return this;
  }

  destroy(error?: Error): void {
    this.destroyed = true;
    this.failure ??= error;
    this.reject?.(error ?? lost('lost'));
  }

  /** Where the client's reads take each answer, and where the adapter listens for that of a missing stream. */
  _transform(_answer: { hasStreamNotFound(): boolean }, _encoding: string, next: () => void): void {
    next();
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ readonly event: ReturnType<typeof eventOf> }> {
    const { link } = this;
    const answer = await this.answer();
    const found = answer ?? [];
    const broken = link.chaos.at('read', ['broken-off']) !== undefined;
    const until = broken ? link.chaos.random.between(0, found.length) : found.length;
    for (let place = 0; place < until; place += 1) {
      if (this.failure) throw this.failure;
      yield { event: eventOf(found[place]!) };
    }
    if (broken && link.chaos.random.chance(0.5)) throw lost('lost');
    if (!answer && !broken) this._transform({ hasStreamNotFound: () => true }, '', () => undefined);
  }

  /** What the server answers, unless the read is destroyed first. */
  private answer(): Promise<readonly StoredRecord[] | undefined> {
    return new Promise((resolve, reject) => {
      this.reject = reject;
      if (this.destroyed) reject(this.failure ?? lost('lost'));
      this.link.call('read', ON_READ_CALL, this.records, this.server).then(resolve, reject);
    });
  }
}
const ON_READ_CALL = ON_READ.filter((fault) => fault !== 'broken-off');

interface SubscribeOptions {
  readonly fromPosition: { readonly commit: bigint } | 'start';
  readonly filter: {
    readonly prefixes: readonly string[];
    readonly checkpointInterval: number;
    readonly checkpointReached: (subscription: unknown, position: { commit: bigint; prepare: bigint }) => void;
  };
}

/** A filtered subscription to everything, from after a position on. */
class SimulatedSubscription extends Readable {
  constructor(
    private readonly link: Link,
    private readonly store: SimulatedStore,
    private readonly options: SubscribeOptions,
  ) {
    super({ objectMode: true, highWaterMark: Number.MAX_SAFE_INTEGER, read: () => undefined });
    this.once(
      'close',
      link.whenRefused(store, () => this.destroy(lost('lost'))),
    );
    void this.produce();
  }

  unsubscribe(): Promise<void> {
    return Promise.resolve();
  }

  private async produce(): Promise<void> {
    const { link, options } = this;
    try {
      let cursor = options.fromPosition === 'start' ? -1 : Number(options.fromPosition.commit);
      const repeat = await link.call(
        'subscribe',
        ON_SUBSCRIBE_CALL,
        () => link.chaos.at('subscribe', ['repeated']),
        this.store,
      );
      if (this.destroyed) return;
      this.emit('confirmation');
      if (repeat && cursor > 0) cursor = this.store.log.before(cursor + 1, REPEATED).at(-1)?.position ?? cursor;
      await this.follow(cursor);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  private async follow(from: number): Promise<void> {
    const { link, store, options } = this;
    const { log } = store;
    const { prefixes, checkpointInterval, checkpointReached } = options.filter;
    let cursor = from;
    let considered = 0;
    let live = false;
    const checkpoint = (): void => {
      if (cursor > 0) checkpointReached(this, { commit: BigInt(cursor), prepare: BigInt(cursor) });
    };
    while (!this.destroyed && link.alive) {
      const page = log.after(cursor, PAGE);
      if (page.length === 0) {
        if (!live) {
          live = true;
          checkpoint();
          this.emit('caughtUp');
        }
        await this.woken();
        continue;
      }
      const fault = link.chaos.at('delivery', ON_DELIVERY);
      await link.chaos.pause(1, fault === 'slow' ? 2_000 : 2);
      if (!link.alive || this.destroyed) return;
      if (link.away(store)) {
        await store.reach.back();
        // The connection outlived it, or nothing more comes through it.
        if (link.chaos.random.chance(0.5)) continue;
        return;
      }
      if (fault === 'mute') return;
      if (fault === 'crash') return await link.die();
      const until = fault === 'broken-off' ? link.chaos.random.between(0, page.length) : page.length;
      for (const record of page.slice(0, until)) {
        const event = eventOf(record);
        if (prefixes.some((prefix) => event.streamId.startsWith(prefix))) this.push({ event });
        cursor = record.position;
        considered += 1;
        if (considered % (32 * checkpointInterval) === 0) checkpoint();
      }
      if (fault !== 'broken-off') continue;
      if (link.chaos.random.chance(0.5)) this.push(null);
      else this.destroy(lost('lost'));
      return;
    }
  }

  /** Until something is written, the reader goes, or its process ends. */
  private woken(): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        stop();
        uncut();
        this.off('close', wake);
        resolve();
      };
      const stop = this.store.log.follow(undefined, wake);
      const uncut = this.link.whenCut(wake);
      this.on('close', wake);
    });
  }
}
const ON_SUBSCRIBE_CALL = ON_SUBSCRIBE.filter((fault) => fault !== 'repeated');
