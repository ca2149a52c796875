import type { EventStoreDBClient } from '@eventstore/db-client';
import { unpackToCommandError } from '@eventstore/db-client/dist/streams/appendToStream/unpackError';
import { parseUUID } from '@eventstore/db-client/dist/utils/grpcUUID';
import { StreamIdentifier, UUID } from '@eventstore/db-client/generated/shared_pb';
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb';
import { BatchAppendReq, type BatchAppendResp } from '@eventstore/db-client/generated/streams_pb';
import type { CallOptions, ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb';
import { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';
import { v4 as uuid } from 'uuid';
import type { Revision } from './errors';

/**
 * The server gives up an append at its own write timeout, 2 s. This limit, a point in time of this machine's clock, is
 * only there because the protocol has the field: far enough off that no wrong clock makes it past (5.1#5).
 */
const LIMIT_MS = 60 * 60 * 1000;

type Duplex = ClientDuplexStream<BatchAppendReq, BatchAppendResp>;
/** The call ended under the appends that waited in it; `cause` is why, undefined when the server just ended it. */
export class BatchCallEnded extends Error {
  constructor(cause?: Error) {
    super(cause?.message ?? 'the server ended the call', { cause });
  }
}

/** No answer came in time. */
export class DeadlinePassed extends Error {
  constructor(ms: number) {
    super(`no answer within ${Math.round(ms)} ms`);
  }
}

/** An event as it goes out: bytes, or JSON text. */
export interface Message {
  readonly id: string;
  readonly type: string;
  readonly contentType: 'application/json' | 'application/octet-stream';
  readonly data: string | Uint8Array;
  readonly metadata: string | Uint8Array | undefined;
}

interface Call {
  readonly duplex: Promise<Duplex>;
  /** By correlation id. */
  readonly waiting: Map<string, (answer: BatchAppendResp | Error) => void>;
}

/** What the client keeps to itself: how it opens a call on its channel, follows a leader and ends calls on disposal. */
interface ClientInternals {
  callArguments(options: object, callOptions: CallOptions): [Metadata, CallOptions];
  GRPCStreamCreator(
    service: typeof StreamsClient,
    name: string,
    create: (service: StreamsClient) => Duplex,
  ): () => Promise<Duplex>;
}

/**
 * Appends through one BatchAppend call of a client. The client's own way keeps one table of promises for the whole
 * process (5.1#1); here each call has a table of its own: its end fails what waits in it and nothing else, and an
 * answer that nobody waits for any more is dropped. Nothing is sent twice.
 */
export class BatchAppender {
  #call: Call | undefined;

  constructor(private readonly client: EventStoreDBClient) {}

  /** Rejects with the client's errors, BatchCallEnded, or DeadlinePassed after `withinMs`, whatever the server does. */
  async append(
    stream: string,
    messages: readonly Message[],
    expected: Revision | 'any',
    withinMs: number,
  ): Promise<{ revision: bigint; position: bigint | undefined }> {
    const id = uuid();
    const request = encodeRequest(id, stream, messages, expected);
    const { duplex, waiting } = (this.#call ??= this.#open());
    const answer = await new Promise<BatchAppendResp>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id);
        reject(new DeadlinePassed(withinMs));
      }, withinMs);
      waiting.set(id, (settled) => {
        clearTimeout(timer);
        if (settled instanceof Error) reject(settled);
        else resolve(settled);
      });
      // A call that cannot be opened settles what waits in it.
      duplex.then((open) => waiting.has(id) && open.write(request)).catch(() => undefined);
    });
    const problem = answer.getError();
    if (problem) {
      throw problem.hasDetails() ? unpackToCommandError(problem, stream) : new Error(problem.getMessage());
    }
    const success = answer.getSuccess();
    if (!success) throw new Error('an answer that is neither success nor error');
    const position = success.getPosition()?.getCommitPosition();
    return {
      revision: BigInt(success.getCurrentRevision()),
      position: position === undefined ? undefined : BigInt(position),
    };
  }

  #open(): Call {
    const internals = this.client as unknown as ClientInternals;
    const waiting: Call['waiting'] = new Map();
    const over = (cause?: Error): void => {
      if (this.#call === call) this.#call = undefined;
      const why = new BatchCallEnded(cause);
      for (const settle of waiting.values()) settle(why);
      waiting.clear();
    };
    const create = internals.GRPCStreamCreator(StreamsClient, 'batchAppend', (service) =>
      service
        .batchAppend(...internals.callArguments({}, { deadline: Infinity }))
        .on('data', (answer: BatchAppendResp) => {
          const id = parseUUID(answer.getCorrelationId()) ?? '';
          waiting.get(id)?.(answer);
          waiting.delete(id);
        })
        .on('error', over)
        .on('end', () => over()),
    );
    const call: Call = { duplex: create(), waiting };
    call.duplex.catch(over);
    return call;
  }
}

function encodeRequest(
  id: string,
  stream: string,
  messages: readonly Message[],
  expected: Revision | 'any',
): BatchAppendReq {
  const options = new BatchAppendReq.Options()
    .setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from(stream)))
    .setDeadline(Timestamp.fromDate(new Date(Date.now() + LIMIT_MS)));
  if (expected === 'any') options.setAny(new Empty());
  else if (expected === 'no_stream') options.setNoStream(new Empty());
  else options.setStreamPosition(`${expected}`);
  return new BatchAppendReq()
    .setCorrelationId(new UUID().setString(id))
    .setOptions(options)
    .setProposedMessagesList(messages.map(encodeMessage))
    .setIsFinal(true);
}

function encodeMessage({ id, type, contentType, data, metadata }: Message): BatchAppendReq.ProposedMessage {
  const message = new BatchAppendReq.ProposedMessage().setId(new UUID().setString(id)).setData(bytesOf(data));
  message.getMetadataMap().set('type', type).set('content-type', contentType);
  return metadata === undefined ? message : message.setCustomMetadata(bytesOf(metadata));
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content;
}
