import { setTimeout as delay } from 'node:timers/promises';
import { Empty } from '@eventstore/db-client/generated/shared_pb';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb';
import { ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb';
import type { CallOptions, ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { CorruptEvent, StoreUnavailable } from './errors';
import { type Connection, connectTo } from './store-client';
import { readFailure } from './store-failures';

/** An event as its bytes stand in the log. */
export interface LogRecord {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** What is wanted of a log: by a regular expression over stream names, or by beginnings of event types. */
export type LogFilter = { readonly streams: string } | { readonly types: readonly string[] };

const CHECKPOINT_EVERY_WINDOWS = 8;
/** Attempts without an event or checkpoint after which reading is given up. */
const FRUITLESS_ATTEMPTS = 8;

/**
 * Every wanted event of the log at `url` in its order, up to where the store says that nothing more is there, with its bytes
 * untouched (the client parses JSON and loses them). Resumes after a drop; throws CorruptEvent or StoreUnavailable.
 */
export async function* readLog(
  url: string,
  filter: LogFilter,
  { silenceMs = 10_000 }: { readonly silenceMs?: number } = {},
): AsyncGenerator<LogRecord, void, undefined> {
  let from: bigint | undefined;
  let fruitless = 0;
  let connection = connectTo(url);
  try {
    for (;;) {
      let reason: unknown = 'ended by the server';
      let progress = false;
      try {
        for await (const item of readOnce(connection, requestOf(filter, from), silenceMs)) {
          if (item === 'caught-up') return;
          progress = true;
          from = typeof item === 'bigint' ? item : item.position;
          if (typeof item !== 'bigint') yield item;
        }
      } catch (error) {
        reason = readFailure(error, 'the log');
        if (reason instanceof CorruptEvent) throw reason;
      }
      fruitless = progress ? 0 : fruitless + 1;
      if (fruitless === FRUITLESS_ATTEMPTS)
        throw new StoreUnavailable(`the log cannot be read past position ${from ?? 'start'}`, reason);
      if (fruitless === 0) continue;
      connection.close();
      connection = connectTo(url);
      await delay(Math.min(5_000, 25 * 2 ** fruitless));
    }
  } finally {
    connection.close();
  }
}

/** What the client keeps to itself: how it opens a call on its channel. */
interface ClientInternals {
  callArguments(options: object, callOptions: CallOptions): [Metadata, CallOptions];
  GRPCStreamCreator(
    service: typeof StreamsClient,
    name: string,
    create: (service: StreamsClient) => ClientReadableStream<ReadResp>,
  ): () => Promise<ClientReadableStream<ReadResp>>;
}

async function* readOnce(
  connection: Connection,
  request: ReadReq,
  silenceMs: number,
): AsyncGenerator<LogRecord | bigint | 'caught-up'> {
  const call = await connection.open(silenceMs);
  const internals = call.client.client as unknown as ClientInternals;
  let reading: ClientReadableStream<ReadResp> | undefined;
  // The store's time, not that of whoever takes the events.
  let waitingSince: number | undefined = performance.now();
  const silence = setInterval(() => {
    if (waitingSince !== undefined && performance.now() - waitingSince > silenceMs)
      reading?.destroy(new StoreUnavailable('a read of the log was left unanswered', 'no event in time'));
  }, silenceMs / 4).unref();
  try {
    const open = internals.GRPCStreamCreator(StreamsClient, 'readLog', (client) =>
      client.read(request, ...internals.callArguments({}, { deadline: Infinity })),
    );
    reading = await open();
    reading.on('error', ignore);
    for await (const answer of reading as AsyncIterable<ReadResp>) {
      waitingSince = undefined;
      const event = answer.getEvent()?.getEvent();
      if (event) yield recordOf(event);
      else if (answer.hasCheckpoint()) yield BigInt(answer.getCheckpoint()!.getCommitPosition());
      else if (answer.hasCaughtUp()) yield 'caught-up';
      waitingSince = performance.now();
    }
  } finally {
    clearInterval(silence);
    reading?.cancel();
    reading?.destroy();
    call.release();
  }
}

function requestOf(filter: LogFilter, after: bigint | undefined): ReadReq {
  const all = new ReadReq.Options.AllOptions();
  if (after === undefined) all.setStart(new Empty());
  else {
    const position = new ReadReq.Options.Position();
    position.setCommitPosition(`${after}`);
    position.setPreparePosition(`${after}`);
    all.setPosition(position);
  }
  const expression = new ReadReq.Options.FilterOptions.Expression();
  const wanted = new ReadReq.Options.FilterOptions();
  if ('streams' in filter) wanted.setStreamIdentifier(expression.setRegex(filter.streams));
  else wanted.setEventType(expression.setPrefixList([...filter.types]));
  wanted.setCount(new Empty());
  wanted.setCheckpointintervalmultiplier(CHECKPOINT_EVERY_WINDOWS);
  const options = new ReadReq.Options()
    .setAll(all)
    .setResolveLinks(false)
    .setSubscription(new ReadReq.Options.SubscriptionOptions())
    .setUuidOption(new ReadReq.Options.UUIDOption().setString(new Empty()))
    .setFilter(wanted);
  return new ReadReq().setOptions(options);
}

function recordOf(event: ReadResp.ReadEvent.RecordedEvent): LogRecord {
  const described = event.getMetadataMap();
  return {
    stream: Buffer.from(event.getStreamIdentifier()!.getStreamName_asU8()).toString('utf8'),
    revision: BigInt(event.getStreamRevision()),
    position: BigInt(event.getCommitPosition()),
    id: event.getId()!.getString(),
    type: described.get('type') ?? '',
    isJson: described.get('content-type') === 'application/json',
    data: event.getData_asU8(),
    metadata: event.getCustomMetadata_asU8(),
  };
}

function ignore(): void {}
