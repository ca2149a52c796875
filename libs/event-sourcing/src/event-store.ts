import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import {
  type AllStreamSubscription,
  type EventData,
  binaryEvent,
  jsonEvent,
  streamNameFilter,
} from '@eventstore/db-client';
import { validate as isUuid } from 'uuid';
import { CorruptEvent, OutcomeUnknown, type Revision, StoreUnavailable } from './errors';
import type { JsonValue, RecordedEvent } from './event';
import { BatchCallEnded, DeadlinePassed, type Message } from './batch-append';
import { assertJson } from './event-codec';
import { type LogFilter, type LogRecord, readLog } from './log-reading';
import { type Call, type Connected, type Connection, connectTo } from './store-client';
import { GRPC, appendFailure, codeOf, connectionLost, readFailure, reconnectsByItself } from './store-failures';

/** An event to append. */
export interface NewEvent {
  readonly id: string;
  readonly type: string;
  /** What becomes JSON, the text of a JSON object that is sent as it is, or bytes. */
  readonly data: object | string;
  /** As data, but no bytes. */
  readonly metadata?: object | string;
}

export interface Appended {
  /** Of the last event written. */
  readonly revision: bigint;
  /** Log position of the last event written. */
  readonly position: bigint;
}

export interface EventStoreOptions {
  /** `esdb://host:port?tls=false`, or `esdb+discover://`, as the client takes it. */
  readonly url: string;
  /** How appends are sent; docs/adr/0010 has the figures. Default: one BatchAppend call, by Append where there is none. */
  readonly appendWith?: 'append' | 'batch-append';
  /** An append answers within this many ms, whatever the server does. Default 2,000. */
  readonly appendDeadlineMs?: number;
  /** A read gives up when this many ms pass without an event. Default 5,000. */
  readonly readDeadlineMs?: number;
}

export interface ReadOptions {
  /** Inclusive. Default: the start forwards, the end backwards. */
  readonly from?: bigint | 'start' | 'end';
  readonly direction?: 'forwards' | 'backwards';
  readonly maxCount?: number;
  /** Lowers the read deadline. */
  readonly withinMs?: number;
}

export interface SubscribeOptions {
  /** The log position after which events are wanted. */
  readonly from: bigint | 'start' | 'end';
  /** Beginnings of stream names. */
  readonly prefixes: readonly string[];
  /** Ends the subscription, also one that hangs: to restart it, abort and subscribe again from the last position. */
  readonly signal: AbortSignal;
  /** All wanted events up to this position have been yielded. Called in order with them; what it throws ends the subscription. */
  readonly onCheckpoint?: (position: bigint) => void;
  /** Every event that stood in the log at some recent moment has been yielded. Called in order with them. */
  readonly onCaughtUp?: () => void;
  /** The subscription ended and will be resumed, at once when there was progress: normal running, not an error. */
  readonly onDropped?: (reason: unknown, hadProgress: boolean) => void;
}

const CHECKPOINT_EVERY_WINDOWS = 8;
/** A stream that nobody writes. */
const PING = 'ping';

/**
 * The one door to EventStoreDB/KurrentDB. It meets the defects of `@eventstore/db-client` 6.2.1
 * (test/integration/write-side-defects.int-spec.ts lists them): every call has a deadline of its own, nothing is ever sent twice by
 * itself, and what was surely not written (StoreUnavailable) differs from what may have been (OutcomeUnknown).
 */
export class EventStore {
  readonly #calls: Connection;
  readonly #appendDeadlineMs: number;
  readonly #readDeadlineMs: number;
  readonly #closing = new AbortController();
  #batching: boolean;

  private constructor(
    private readonly options: EventStoreOptions,
    private readonly connect: (url: string) => Connection,
  ) {
    this.#calls = connect(options.url);
    this.#appendDeadlineMs = options.appendDeadlineMs ?? 2_000;
    this.#readDeadlineMs = options.readDeadlineMs ?? 5_000;
    this.#batching = options.appendWith !== 'append';
  }

  /** Connects at the first call, not here; throws for a malformed url. `connect`: how, when not over the network (a simulation). */
  static connect(options: EventStoreOptions, connect: (url: string) => Connection = connectTo): EventStore {
    return new EventStore(options, connect);
  }

  /**
   * Appends all events or none at the expected revision, within the deadline. Throws RevisionConflict, StreamDeleted,
   * AppendTooLarge or StoreUnavailable when nothing was written, OutcomeUnknown when that cannot be known.
   */
  async append(
    stream: string,
    events: readonly NewEvent[],
    expected: Revision | 'any',
    options: { withinMs?: number } = {},
  ): Promise<Appended> {
    return this.#append(stream, events.map(toMessage), expected, options);
  }

  /**
   * Appends events of another log as they stand there, byte for byte. As append, and more: calls that are made one after
   * another without waiting are written in that order, as long as none fails and fewer than 64 are under way.
   */
  async appendRecords(stream: string, records: readonly LogRecord[], expected: Revision): Promise<Appended> {
    // The client's own append would make JSON of the bytes.
    if (!this.#batching) throw new StoreUnavailable('appending bytes', 'the server has no BatchAppend');
    return this.#append(stream, records.map(messageOf), expected, {});
  }

  /** The log's wanted events with their bytes, in its order, up to its head. Throws CorruptEvent or StoreUnavailable. */
  readLog(filter: LogFilter): AsyncGenerator<LogRecord, void, undefined> {
    return readLog(this.options.url, filter);
  }

  async #append(
    stream: string,
    messages: readonly Message[],
    expected: Revision | 'any',
    options: { withinMs?: number },
  ): Promise<Appended> {
    if (messages.length === 0) throw new TypeError('an append of no events');
    const deadlineMs = Math.min(this.#appendDeadlineMs, options.withinMs ?? Infinity);
    const deadline = performance.now() + deadlineMs;
    const call = await this.#open(deadlineMs);
    try {
      const send = this.#batching ? this.#sendBatch : this.#sendUnary;
      const leftMs = Math.max(1, Math.floor(deadline - performance.now()));
      const { revision, position } = await send(call, stream, messages, expected, leftMs);
      return { revision, position: position ?? (await this.#positionOf(stream, revision)) };
    } catch (error) {
      if (error instanceof BatchCallEnded && codeOf(error.cause) === GRPC.unimplemented) this.#batching = false;
      const failure = appendFailure(error, stream, expected);
      if (failure instanceof OutcomeUnknown && !reconnectsByItself(error)) call.replace();
      throw failure;
    } finally {
      call.release();
    }
  }

  /**
   * The events of a stream, one at a time, with back-pressure; none for a stream that does not exist. Throws
   * StreamDeleted, CorruptEvent (the store found damage) or StoreUnavailable.
   */
  read(stream: string, options: ReadOptions = {}): AsyncGenerator<RecordedEvent, void, undefined> {
    return this.#readStream(stream, options);
  }

  async *#readStream(
    stream: string,
    options: ReadOptions,
    onMissing?: () => void,
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    const direction = options.direction ?? 'forwards';
    const { maxCount } = options;
    const silenceMs = Math.min(this.#readDeadlineMs, options.withinMs ?? Infinity);
    try {
      yield* this.#reading({ silenceMs, maxCount, onMissing }, (client) =>
        client.readStream(stream, {
          direction,
          fromRevision: options.from ?? (direction === 'forwards' ? 'start' : 'end'),
          ...(maxCount === undefined ? {} : { maxCount }),
        }),
      );
    } catch (error) {
      throw readFailure(error, stream);
    }
  }

  /** The newest event of a stream; undefined when there is none. Throws as `newest`. */
  async last(stream: string): Promise<RecordedEvent | undefined> {
    return (await this.newest(stream, 1))[0];
  }

  /**
   * Up to `count` events of a stream, the newest first; none when the server says that there are none. Throws StoreUnavailable when
   * it says nothing: a server or a proxy that goes away may end a call as if it were finished, and what exists must not be
   * taken for missing.
   */
  async newest(stream: string, count: number): Promise<RecordedEvent[]> {
    const { events, missing } = await this.#newest(stream, count);
    if (events.length > 0 || missing) return events;
    // A stream that was deleted and has only its metadata again is there and empty.
    const [metadata] = (await this.#newest(`$$${stream}`, 1)).events;
    if (metadata && '$tb' in (metadata.data as object)) return [];
    throw new StoreUnavailable(`a read of ${stream} ended early`, 'neither an event nor that there is none');
  }

  async #newest(stream: string, maxCount: number): Promise<{ events: RecordedEvent[]; missing: boolean }> {
    let missing = false;
    const events: RecordedEvent[] = [];
    const reading = this.#readStream(stream, { direction: 'backwards', maxCount }, () => (missing = true));
    for await (const event of reading) events.push(event);
    return { events, missing };
  }

  /** All events of a stream in order; none when the server says that there are none. Throws StoreUnavailable when it stops before the last. */
  async *whole(stream: string): AsyncGenerator<RecordedEvent, void, undefined> {
    const last = await this.last(stream);
    if (!last) return;
    for await (const event of this.read(stream)) {
      yield event;
      if (event.revision >= last.revision) return;
    }
    throw new StoreUnavailable(`a read of ${stream} ended early`, `before revision ${last.revision}`);
  }

  /**
   * The event at exactly this log position; undefined when none begins there or it is past the head. Throws as `newest`: an event
   * that is not shown must not be taken for another history.
   */
  async readAt(position: bigint): Promise<RecordedEvent | undefined> {
    const event = await this.#readAll('forwards', position);
    if (event) return event.position === position ? event : undefined;
    const head = await this.headPosition();
    // Of an empty log and a mute server only one says that a stream is missing.
    if (head === undefined) await this.last(PING);
    else if (head >= position) throw new StoreUnavailable('a read of the log ended early', `the head is at ${head}`);
    return undefined;
  }

  /** Log position of the newest event of all streams; undefined for an empty log. */
  async headPosition(): Promise<bigint | undefined> {
    return (await this.#readAll('backwards', 'end'))?.position;
  }

  /**
   * Everything under the prefixes, in log order, for ever: it resumes from the last position after an error and after
   * a silent end, at once when there was progress, else with growing, jittered pauses of at most 5 s. Ends only by the
   * signal (or close). Every attempt after one without progress uses a connection of its own.
   */
  async *subscribe(options: SubscribeOptions): AsyncGenerator<RecordedEvent, void, undefined> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    let from: bigint | 'start' | undefined = options.from === 'end' ? undefined : options.from;
    let fruitless = 0;
    let connection = this.connect(this.options.url);
    try {
      while (!signal.aborted) {
        let reason: unknown = 'ended by the server';
        let progress = false;
        let calling = false;
        try {
          // A subscription from `end` that drops before its first event could not be resumed without a gap.
          from ??= (await this.headPosition()) ?? 'start';
          for await (const item of this.#subscribeOnce(connection, from, options.prefixes, signal)) {
            if (typeof item === 'string' || typeof item === 'bigint') {
              calling = true;
              if (typeof item === 'bigint') {
                progress ||= from === 'start' || item > from;
                from = item;
                options.onCheckpoint?.(item);
              } else {
                options.onCaughtUp?.();
              }
              calling = false;
            } else {
              progress = true;
              from = item.position;
              yield item;
            }
          }
        } catch (error) {
          if (calling) throw error; // The caller's own, not the store's.
          reason = error;
        }
        if (signal.aborted) return;
        options.onDropped?.(reason, progress);
        fruitless = progress ? 0 : fruitless + 1;
        if (fruitless === 0) continue;
        connection.close();
        connection = this.connect(this.options.url);
        const pause = Math.min(5_000, 25 * 2 ** fruitless) * (0.5 + Math.random() / 2);
        await delay(pause, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      connection.close();
    }
  }

  /** Sets a stream's retention; later calls replace earlier ones. Errors as append. */
  async setMetadata(stream: string, metadata: { maxCount?: number; truncateBefore?: bigint }): Promise<void> {
    const data: Record<string, number> = {};
    if (metadata.maxCount !== undefined) data['$maxCount'] = metadata.maxCount;
    if (metadata.truncateBefore !== undefined) data['$tb'] = Number(metadata.truncateBefore);
    await this.append(`$$${stream}`, [{ id: crypto.randomUUID(), type: '$metadata', data }], 'any');
  }

  /** Deletes softly: the stream reads as missing and can be written again, from the revision after its last. */
  async deleteStream(stream: string): Promise<void> {
    await this.#remove(stream, (call, deadline) => call.client.client.deleteStream(stream, { deadline }));
  }

  /** Deletes for ever: the name is burnt. */
  async tombstone(stream: string): Promise<void> {
    await this.#remove(stream, (call, deadline) => call.client.client.tombstoneStream(stream, { deadline }));
  }

  /** Resolves when the store answers a read; throws StoreUnavailable within the read deadline otherwise. */
  async ping(): Promise<void> {
    for await (const _ of this.read(PING, { maxCount: 1 })) return;
  }

  /** Ends all subscriptions and closes the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#calls.close();
  }

  async *#subscribeOnce(
    connection: Connection,
    from: bigint | 'start',
    prefixes: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<RecordedEvent | bigint | 'caught-up'> {
    const call = await connection.open(this.#readDeadlineMs);
    const subscription: AllStreamSubscription = call.client.client.subscribeToAll({
      fromPosition: from === 'start' ? 'start' : { commit: from, prepare: from },
      filter: streamNameFilter({
        prefixes: [...prefixes],
        checkpointInterval: CHECKPOINT_EVERY_WINDOWS,
        // Called ahead of events that wait in the buffer: a mark in their midst keeps the order. Never throws (5.2#7).
        checkpointReached: (_, position) => void marks.push(new Mark(position.commit)),
      }),
    });
    const marks = subscription as unknown as { push(mark: Mark): boolean };
    subscription.on('error', ignore);
    subscription.on('caughtUp', () => void marks.push(new Mark('caught-up')));
    const abort = (): void => void subscription.destroy();
    const silent = setTimeout(
      () => subscription.destroy(new StoreUnavailable('a subscription was not confirmed', 'no answer in time')),
      this.#readDeadlineMs,
    );
    subscription.once('confirmation', () => clearTimeout(silent));
    signal.addEventListener('abort', abort, { once: true });
    try {
      for await (const item of subscription as AsyncIterable<{ event?: ClientEvent } | Mark>) {
        if (item instanceof Mark) yield item.value;
        else if (item.event) yield toRecorded(item.event);
      }
    } finally {
      clearTimeout(silent);
      signal.removeEventListener('abort', abort);
      subscription.unsubscribe().catch(ignore);
      subscription.destroy();
      call.release();
    }
  }

  async #readAll(direction: 'forwards' | 'backwards', from: bigint | 'end'): Promise<RecordedEvent | undefined> {
    const reading = this.#reading({ silenceMs: this.#readDeadlineMs, maxCount: 1 }, (client) =>
      client.readAll({
        direction,
        fromPosition: from === 'end' ? 'end' : { commit: from, prepare: from },
        maxCount: 1,
      }),
    );
    try {
      for await (const event of reading) return event;
      return undefined;
    } catch (error) {
      if (codeOf(error) === GRPC.invalidArgument) return undefined;
      throw readFailure(error, '$all');
    }
  }

  /**
   * What a read of the client yields. A connection may end under a read for reasons that are none of its own (a server
   * sends it away, another call made the client close its channel, 5.3#2): before its first event it is asked once more.
   */
  async *#reading(
    {
      silenceMs,
      maxCount = Infinity,
      onMissing,
    }: { silenceMs: number; maxCount: number | undefined; onMissing?: (() => void) | undefined },
    ask: (client: Connected['client']) => ClientRead<{ event?: ClientEvent }>,
  ): AsyncGenerator<RecordedEvent, void, undefined> {
    const deadline = performance.now() + silenceMs;
    for (let leftMs = silenceMs, again = false; ; again = true) {
      const call = await this.#open(leftMs);
      let progress = false;
      try {
        for await (const { event } of guarded(ask(call.client.client), leftMs, maxCount, onMissing)) {
          progress = true;
          if (event) yield toRecorded(event);
        }
        return;
      } catch (error) {
        if (error instanceof StoreUnavailable) call.replace();
        leftMs = deadline - performance.now();
        if (again || progress || leftMs < 1 || !connectionLost(error)) throw error;
      } finally {
        call.release();
      }
      await setImmediate(); // The client drops a broken channel in a later turn than the one that reports it.
    }
  }

  readonly #sendBatch: Send = ({ client: { appender } }, stream, messages, expected, withinMs) =>
    appender.append(stream, messages, expected, withinMs);

  readonly #sendUnary: Send = async ({ client: { client } }, stream, messages, expected, deadline) => {
    const append = client.appendToStream(stream, messages.map(toEventData), { expectedRevision: expected, deadline });
    const { nextExpectedRevision, position } = await within(deadline, append);
    return { revision: nextExpectedRevision, position: position?.commit };
  };

  /** A server repeats an old answer without its position when the events were truncated since. */
  async #positionOf(stream: string, revision: bigint): Promise<bigint> {
    for await (const event of this.read(stream, { from: revision, maxCount: 1 })) return event.position;
    return (await this.headPosition()) ?? 0n;
  }

  async #remove(stream: string, remove: (call: Call, deadline: number) => Promise<unknown>): Promise<void> {
    const call = await this.#open(this.#appendDeadlineMs);
    try {
      await within(this.#appendDeadlineMs, remove(call, this.#appendDeadlineMs));
    } catch (error) {
      throw appendFailure(error, stream, 'any');
    } finally {
      call.release();
    }
  }

  #open(waitMs: number): Promise<Call> {
    if (this.#closing.signal.aborted) throw new StoreUnavailable('the event store', 'closed');
    return this.#calls.open(waitMs);
  }
}

type Send = (
  call: Call,
  stream: string,
  messages: readonly Message[],
  expected: Revision | 'any',
  withinMs: number,
) => Promise<{ revision: bigint; position: bigint | undefined }>;

interface ClientEvent {
  readonly streamId: string;
  readonly id: string;
  readonly revision: bigint;
  readonly type: string;
  readonly data: unknown;
  readonly metadata?: unknown;
  readonly isJson: boolean;
  readonly position?: { readonly commit: bigint } | undefined;
}

interface ClientRead<T> extends AsyncIterable<T> {
  on(event: 'error', listener: (error: Error) => void): unknown;
  destroy(error?: Error): unknown;
  cancel(): Promise<void>;
}

/**
 * Yields from a read of the client, cancels it when it is left before its end (5.2#4) and gives up when the server falls
 * silent. The last of `maxCount` events is handed on only after the server ended the call, so that a caller who then
 * leaves cancels nothing: a server that sees many calls reset (HTTP/2 rapid reset) closes the whole connection.
 */
async function* guarded<T>(
  reading: ClientRead<T>,
  silenceMs: number,
  maxCount: number,
  onMissing?: () => void,
): AsyncGenerator<T> {
  let waiting = true;
  let ended = false;
  let count = 0;
  let final: T | undefined;
  reading.on('error', ignore);
  endWhenMissing(reading, onMissing);
  const silence = setTimeout(() => {
    if (waiting) reading.destroy(new StoreUnavailable('a read was left unanswered', 'no event in time'));
    else silence.refresh();
  }, silenceMs).unref();
  try {
    for await (const item of reading) {
      count += 1;
      if (count >= maxCount) {
        final = item;
        continue;
      }
      waiting = false;
      yield item;
      waiting = true;
      silence.refresh();
    }
    ended = true;
    clearTimeout(silence);
    if (final !== undefined) yield final;
  } finally {
    clearTimeout(silence);
    if (!ended) {
      reading.cancel().catch(ignore);
      reading.destroy();
    }
  }
}

/** A missing stream is no error here. The client would break the call off, which the server is about to end by itself. */
function endWhenMissing(reading: object, onMissing?: () => void): void {
  const client = reading as {
    _transform: (this: object, answer: ClientAnswer, encoding: string, next: () => void) => void;
  };
  const transform = client._transform;
  client._transform = (answer, encoding, next) => {
    if (!answer.hasStreamNotFound()) return transform.call(client, answer, encoding, next);
    onMissing?.();
    next();
  };
}

interface ClientAnswer {
  hasStreamNotFound(): boolean;
}

/** A checkpoint or the caught-up signal, pushed between the events so that it arrives in order with them. */
class Mark {
  constructor(readonly value: bigint | 'caught-up') {}
}

/** Rejects after `ms` with DeadlinePassed; a later outcome of the call is ignored, also when it is an error. */
async function within<T>(ms: number, call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlinePassed(ms)), ms);
  });
  try {
    return await Promise.race([call, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws a TypeError for what JSON cannot say; text is JSON already. */
function toMessage({ id, type, data, metadata }: NewEvent): Message {
  if (!isUuid(id)) throw new TypeError(`not an event id: ${id}`);
  if (type === '') throw new TypeError('an event without a type');
  const described = { id, type, metadata: metadata === undefined ? undefined : jsonText(metadata) };
  return data instanceof Uint8Array
    ? { ...described, contentType: 'application/octet-stream', data }
    : { ...described, contentType: 'application/json', data: jsonText(data) };
}

function jsonText(value: object | string): string {
  if (typeof value === 'string') return value;
  assertJson(value);
  return JSON.stringify(value);
}

/** As the client's own append takes it, which makes JSON text itself. */
function toEventData({ id, type, contentType, data, metadata }: Message): EventData {
  const described = { id, type, ...(metadata === undefined ? {} : { metadata: parsed(metadata) }) };
  return contentType === 'application/json'
    ? jsonEvent({ ...described, data: parsed(data) })
    : binaryEvent({ ...described, data: Buffer.from(data) });
}

function parsed(json: string | Uint8Array): Json {
  return JSON.parse(Buffer.from(json).toString()) as Json;
}

/** Bytes for both contents: only BatchAppend takes them so. */
function messageOf({ id, type, isJson, data, metadata }: LogRecord): Message {
  return { id, type, contentType: isJson ? 'application/json' : 'application/octet-stream', data, metadata };
}

type Json = { [key: string]: JsonValue };

function toRecorded(event: ClientEvent): RecordedEvent {
  const { streamId, revision, id, type, isJson, data, metadata, position } = event;
  if (position === undefined) throw new CorruptEvent(streamId, revision, 'the server gave no position');
  return { stream: streamId, revision, position: position.commit, id, type, isJson, data, metadata };
}

function ignore(): void {}
