import {
  status,
  type Server,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import gossip from '@eventstore/db-client/generated/gossip_pb';
import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb';
import features from '@eventstore/db-client/generated/serverfeatures_pb';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb';
import shared from '@eventstore/db-client/generated/shared_pb';
import streams, { type DeleteReq, type ReadReq, type TombstoneReq } from '@eventstore/db-client/generated/streams_pb';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb';
import {
  appendSuccess,
  appendWrongVersion,
  batchAppendProblem,
  batchAppendSuccess,
  decodeAppend,
  decodeBatchAppend,
  revision,
  type AppendMessage,
  type AppendOptions,
  type BatchAppendMessage,
  type DecodedEvent,
} from './append-messages';
import type { ExpectedRevision } from './expected-revision';
import type { FaultSwitches } from './faults';
import {
  MAX_APPEND_BYTES,
  MAX_RECORD_BYTES,
  StatusError,
  maximumAppendSizeExceeded,
  missingMetadataProperty,
  refusedArgument,
  shuttingDown,
  streamDeleted,
  timedOut,
  toStatus,
  wrongExpectedVersion,
} from './grpc-errors';
import type { EventLog, WriteRequest, WriteResult } from './log';
import { Outlet } from './outlet';
import { serveRead } from './reading';
import type { ProposedEvent } from './record';

/** The version this server says it is: the one whose answers it gives. */
export const SERVER_VERSION = '23.10.8';

/** What the handlers share. `reads` and `batches` are the calls that stay open, for closing them. */
export interface ServerState {
  log: EventLog;
  faults: FaultSwitches;
  endpoint: { host: string; port: number };
  reads: Set<Outlet>;
  batches: Set<() => void>;
  /** Writes not answered yet. */
  pendingWrites: number;
  closing: boolean;
}

const raw = (bytes: Buffer): Buffer => bytes;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NO_UUID = '00000000-0000-0000-0000-000000000000';

/** Registers ServerFeatures, Gossip and Streams. */
export function addServices(server: Server, state: ServerState): void {
  server.addService(ServerFeaturesService, {
    getSupportedMethods: unary(state, () => {
      if (state.faults.failFeatureProbes > 0) {
        state.faults.failFeatureProbes--;
        throw new StatusError(status.INTERNAL, 'the feature probe fails');
      }
      return supportedMethods(state.faults.hideBatchAppend);
    }),
  });
  server.addService(GossipService, {
    read: unary(state, () => clusterInfo(state.endpoint)),
  });
  server.addService(
    {
      read: { ...StreamsService.read, responseSerialize: raw },
      append: { ...StreamsService.append, requestDeserialize: decodeAppend, responseSerialize: raw },
      batchAppend: { ...StreamsService.batchAppend, requestDeserialize: decodeBatchAppend, responseSerialize: raw },
      delete: StreamsService.delete,
      tombstone: StreamsService.tombstone,
    },
    {
      read: (call: ServerWritableStream<ReadReq, Buffer>) => void read(state, call),
      append: (call: ServerReadableStream<AppendMessage, Buffer>, answer: sendUnaryData<Buffer>) => {
        append(state, call, answer);
      },
      batchAppend: (call: ServerDuplexStream<BatchAppendMessage, Buffer>) => {
        batchAppend(state, call);
      },
      delete: (call: ServerUnaryCall<DeleteReq, streams.DeleteResp>, answer: sendUnaryData<streams.DeleteResp>) => {
        remove(state, 'delete', call.request, answer, deleteResponse);
      },
      tombstone: (
        call: ServerUnaryCall<TombstoneReq, streams.TombstoneResp>,
        answer: sendUnaryData<streams.TombstoneResp>,
      ) => {
        remove(state, 'tombstone', call.request, answer, tombstoneResponse);
      },
    },
  );
}

/** Refuses calls while the server closes or is told to. */
function admit(state: ServerState): void {
  if (state.closing || state.faults.refuseCalls) throw shuttingDown();
}

function unary<Response>(state: ServerState, respond: () => Response) {
  return (_call: unknown, answer: sendUnaryData<Response>): void => {
    try {
      admit(state);
      answer(null, respond());
    } catch (error) {
      answer(toStatus(error));
    }
  };
}

function supportedMethods(hideBatchAppend: boolean): features.SupportedMethods {
  const methods = new features.SupportedMethods();
  methods.setEventStoreServerVersion(SERVER_VERSION);
  const add = (service: string, method: string, ...features_: string[]): void => {
    const supported = new features.SupportedMethod();
    supported.setServiceName(service);
    supported.setMethodName(method);
    supported.setFeaturesList(features_);
    methods.addMethods(supported);
  };
  const service = 'event_store.client.streams.streams';
  add(service, 'read', 'position', 'events');
  add(service, 'append');
  if (!hideBatchAppend) add(service, 'batchappend', 'deadline_duration');
  add(service, 'delete');
  add(service, 'tombstone');
  add('event_store.client.gossip.gossip', 'read');
  add('event_store.client.server_features.serverfeatures', 'getsupportedmethods');
  return methods;
}

const INSTANCE = new shared.UUID();
INSTANCE.setString('00000000-0000-0000-0000-000000000001');

function clusterInfo({ host, port }: { host: string; port: number }): gossip.ClusterInfo {
  const endpoint = new gossip.EndPoint();
  endpoint.setAddress(host);
  endpoint.setPort(port);
  const member = new gossip.MemberInfo();
  member.setInstanceId(INSTANCE);
  member.setTimeStamp(`${Date.now()}0000`);
  member.setState(gossip.MemberInfo.VNodeState.LEADER);
  member.setIsAlive(true);
  member.setHttpEndPoint(endpoint);
  const info = new gossip.ClusterInfo();
  info.setMembersList([member]);
  return info;
}

async function read(state: ServerState, call: ServerWritableStream<ReadReq, Buffer>): Promise<void> {
  const outlet = new Outlet(call);
  state.reads.add(outlet);
  try {
    admit(state);
    await serveRead(call.request, state.log, outlet, state.faults);
    outlet.end();
  } catch (error) {
    outlet.fail(toStatus(error));
  } finally {
    state.reads.delete(outlet);
  }
}

/** Hands a write to the log and passes its result on, as late as the faults say, or never. */
function write(state: ServerState, request: WriteRequest, done: (result: WriteResult) => void): void {
  const { faults } = state;
  const never = request.kind === 'append' ? faults.neverAnswerAppends : false;
  if (never === 'not-written') return;
  const delay = request.kind === 'append' ? faults.answerAppendsAfterMs : 0;
  state.pendingWrites++;
  state.log.write(request, (result) => {
    const answer = (): void => {
      state.pendingWrites--;
      if (never === false) done(result);
    };
    if (delay > 0) setTimeout(answer, delay);
    else answer();
  });
}

/** Refuses what a real server refuses before it looks at the stream. */
function checkedAppend(options: AppendOptions, events: readonly DecodedEvent[]): WriteRequest {
  if (options.stream === '') throw refusedArgument('the stream name is empty');
  let bytes = 0;
  for (const event of events) {
    if (event.type === undefined || event.json === undefined) throw missingMetadataProperty();
    if (event.type === '') throw refusedArgument('the event type is empty');
    if (!UUID.test(event.id) || event.id === NO_UUID) throw refusedArgument('the event id is not a UUID');
    bytes += event.data.length;
    if (bytes > MAX_APPEND_BYTES) throw maximumAppendSizeExceeded();
    if (event.data.length + event.metadata.length > MAX_RECORD_BYTES) throw refusedArgument('the record is too big');
  }
  return {
    kind: 'append',
    stream: options.stream,
    expected: options.expected,
    events: events as readonly ProposedEvent[],
    deadline: options.deadline,
  };
}

function append(
  state: ServerState,
  call: ServerReadableStream<AppendMessage, Buffer>,
  answer: sendUnaryData<Buffer>,
): void {
  let options: AppendOptions | undefined;
  const events: DecodedEvent[] = [];
  let refused: StatusError | undefined;
  call.on('data', (message: AppendMessage) => {
    if (message === undefined) refused ??= refusedArgument('append message without content');
    else if ('options' in message) options = message.options;
    else events.push(message.event);
  });
  call.on('error', () => undefined);
  call.on('end', () => {
    // A cancelled call ends too; nothing of it may be written.
    if (call.cancelled) return;
    try {
      admit(state);
      if (refused !== undefined) throw refused;
      if (options === undefined) throw refusedArgument('append without options');
      const deadline = Number(call.getDeadline());
      const request = checkedAppend({ ...options, ...(deadline === Infinity ? {} : { deadline }) }, events);
      write(state, request, (result) => {
        answerAppend(request, result, answer);
      });
    } catch (error) {
      answer(toStatus(error));
    }
  });
}

function answerAppend(request: WriteRequest, result: WriteResult, answer: sendUnaryData<Buffer>): void {
  if (result.kind === 'written') answer(null, appendSuccess(result.revision, result.position));
  else if (result.kind === 'wrong-expected-revision')
    answer(null, appendWrongVersion(request.expected, result.current));
  else answer(failure(request, result));
}

function failure(request: WriteRequest, result: Exclude<WriteResult, { kind: 'written' }>): StatusError {
  switch (result.kind) {
    case 'wrong-expected-revision':
      return wrongExpectedVersion(request.stream, request.expected, result.current);
    case 'stream-deleted':
      return streamDeleted(request.stream);
    case 'timeout':
      return timedOut();
    case 'failed':
      return toStatus(result.error);
  }
}

/** A batch append of which not every message has come. */
interface Unfinished {
  options: AppendOptions;
  events: DecodedEvent[];
  bytes: number;
  timer: NodeJS.Timeout | undefined;
}

/** A batch append is given up when its last message has not come by then, whatever deadline it has. */
const BATCH_TIMEOUT_MS = 2000;

/**
 * Serves one BatchAppend stream. Messages with one correlation id accumulate until the final one. What follows an
 * error already answered is ignored, so that each correlation id has exactly one answer: clients rely on it.
 */
function batchAppend(state: ServerState, call: ServerDuplexStream<BatchAppendMessage, Buffer>): void {
  const unfinished = new Map<string, Unfinished>();
  let outstanding = 0;
  let ended = state.closing;
  let over = false;
  const close = (): void => {
    over = true;
    for (const { timer } of unfinished.values()) clearTimeout(timer);
    unfinished.clear();
    state.batches.delete(stop);
  };
  const finish = (): void => {
    if (over || !ended || outstanding > 0) return;
    close();
    call.end();
  };
  /** Answers what is outstanding, then ends. */
  const stop = (): void => {
    ended = true;
    finish();
  };
  state.batches.add(stop);
  const send = (bytes: Buffer): void => {
    if (over) return;
    if (!call.write(bytes)) call.pause();
  };
  call.on('drain', () => call.resume());
  call.on('cancelled', close);
  call.on('error', close);
  call.on('end', stop);

  /** What this message completes, undefined when more is to come or nothing is waited for. */
  const accumulate = (message: BatchAppendMessage): Unfinished | undefined => {
    const key = message.correlation.toString('latin1');
    let write = unfinished.get(key);
    if (write === undefined) {
      const { options } = message;
      if (options === undefined) return undefined;
      const left = Math.min(BATCH_TIMEOUT_MS, (options.deadline ?? Infinity) - Date.now());
      if (left <= 0) {
        send(batchAppendProblem(message.correlation, options.stream, { kind: 'timeout' }));
        return undefined;
      }
      write = { options, events: [], bytes: 0, timer: undefined };
      unfinished.set(key, write);
      if (!message.isFinal) {
        write.timer = setTimeout(() => {
          unfinished.delete(key);
          send(batchAppendProblem(message.correlation, options.stream, { kind: 'timeout' }));
        }, left);
      }
    }
    for (const event of message.events) {
      write.bytes += event.data.length;
      write.events.push(event);
    }
    const tooLarge = write.bytes > MAX_APPEND_BYTES;
    if (tooLarge) {
      send(batchAppendProblem(message.correlation, write.options.stream, { kind: 'maximum-append-size-exceeded' }));
    }
    if (!message.isFinal && !tooLarge) return undefined;
    clearTimeout(write.timer);
    unfinished.delete(key);
    return tooLarge ? undefined : write;
  };

  call.on('data', (message: BatchAppendMessage) => {
    if (over) return;
    if (state.faults.refuseCalls) {
      close();
      call.emit('error', shuttingDown());
      return;
    }
    const complete = accumulate(message);
    if (complete === undefined) return;
    if (state.faults.endNextBatchAppend) {
      state.faults.endNextBatchAppend = false;
      close();
      call.end();
      return;
    }
    try {
      const request = checkedAppend(complete.options, complete.events);
      outstanding++;
      write(state, request, (result) => {
        outstanding--;
        send(batchAnswer(message.correlation, request, result));
        finish();
      });
    } catch (error) {
      const problem = { kind: 'bad-request', message: toStatus(error).details } as const;
      send(batchAppendProblem(message.correlation, complete.options.stream, problem));
    }
  });
}

function batchAnswer(correlation: Buffer, request: WriteRequest, result: WriteResult): Buffer {
  const { stream, expected } = request;
  switch (result.kind) {
    case 'written':
      return batchAppendSuccess(correlation, stream, result.revision, result.position);
    case 'wrong-expected-revision':
      return batchAppendProblem(correlation, stream, { kind: result.kind, expected, current: result.current });
    case 'stream-deleted':
    case 'timeout':
      return batchAppendProblem(correlation, stream, { kind: result.kind });
    case 'failed':
      return batchAppendProblem(correlation, stream, { kind: 'unknown', message: toStatus(result.error).details });
  }
}

function expectedOf(options: DeleteReq.Options | TombstoneReq.Options): ExpectedRevision {
  if (options.hasRevision()) return revision(BigInt(options.getRevision()));
  return options.hasNoStream() ? 'no_stream' : options.hasStreamExists() ? 'stream_exists' : 'any';
}

function remove<Response>(
  state: ServerState,
  kind: 'delete' | 'tombstone',
  request: DeleteReq | TombstoneReq,
  answer: sendUnaryData<Response>,
  respond: (position: number | undefined) => Response,
): void {
  try {
    admit(state);
    const options = request.getOptions();
    const stream = Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8');
    if (options === undefined || stream === '') throw refusedArgument('the stream name is empty');
    const removal: WriteRequest = { kind, stream, expected: expectedOf(options), events: [] };
    write(state, removal, (result) => {
      if (result.kind === 'written') answer(null, respond(result.position));
      else answer(failure(removal, result));
    });
  } catch (error) {
    answer(toStatus(error));
  }
}

function deleteResponse(position: number | undefined): streams.DeleteResp {
  const response = new streams.DeleteResp();
  if (position === undefined) response.setNoPosition(new shared.Empty());
  else {
    const at = new streams.DeleteResp.Position();
    at.setCommitPosition(String(position));
    at.setPreparePosition(String(position));
    response.setPosition(at);
  }
  return response;
}

function tombstoneResponse(position: number | undefined): streams.TombstoneResp {
  const response = new streams.TombstoneResp();
  if (position === undefined) response.setNoPosition(new shared.Empty());
  else {
    const at = new streams.TombstoneResp.Position();
    at.setCommitPosition(String(position));
    at.setPreparePosition(String(position));
    response.setPosition(at);
  }
  return response;
}
