import { Empty as ProtobufEmpty } from 'google-protobuf/google/protobuf/empty_pb';
import { Any } from 'google-protobuf/google/protobuf/any_pb';
import shared from '@eventstore/db-client/generated/shared_pb';
import status_pb from '@eventstore/db-client/generated/status_pb';
import code_pb from '@eventstore/db-client/generated/code_pb';
import streams from '@eventstore/db-client/generated/streams_pb';
import type { ExpectedRevision } from './expected-revision';
import { MAX_APPEND_BYTES } from './grpc-errors';
import { JSON_CONTENT_TYPE, entry, uuidText, type ProposedEvent } from './record';
import { LENGTH_DELIMITED, MalformedMessage, Reader, field, numberField } from './wire';

/** A proposed event as decoded; a missing type or content type (`json` undefined) is for the caller to refuse. */
export type DecodedEvent = Omit<ProposedEvent, 'type' | 'json'> & {
  type: string | undefined;
  json: boolean | undefined;
};

const NOTHING = Buffer.alloc(0);

/** Decodes `AppendReq.ProposedMessage` and `BatchAppendReq.ProposedMessage`, which are the same. */
function decodeEvent(reader: Reader): DecodedEvent {
  const event: DecodedEvent = { id: '', type: undefined, json: undefined, data: NOTHING, metadata: NOTHING };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) event.id = uuidText(reader.message());
    else if (tag === 0x12) {
      const [key, value] = entry(reader.message());
      if (key === 'type') event.type = value;
      else if (key === 'content-type') event.json = value === JSON_CONTENT_TYPE;
    } else if (tag === 0x1a) event.metadata = reader.slice();
    else if (tag === 0x22) event.data = reader.slice();
    else reader.skip(tag & 7);
  }
  return event;
}

export interface AppendOptions {
  stream: string;
  expected: ExpectedRevision;
  /** Milliseconds since 1970. */
  deadline: number | undefined;
}

/** Seconds and nanoseconds of a `Timestamp` or `Duration` in milliseconds. */
function milliseconds(reader: Reader): number {
  let seconds = 0n;
  let nanos = 0n;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x08) seconds = BigInt.asIntN(64, reader.bigVarint());
    else if (tag === 0x10) nanos = BigInt.asIntN(32, reader.bigVarint());
    else reader.skip(tag & 7);
  }
  return Number(seconds) * 1000 + Number(nanos) / 1e6;
}

/** Decodes `AppendReq.Options` and `BatchAppendReq.Options`, which agree in their first five fields. */
function decodeOptions(reader: Reader, now: number): AppendOptions {
  const options: AppendOptions = { stream: '', expected: 'any', deadline: undefined };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) {
      const identifier = reader.message();
      while (identifier.more) {
        const part = identifier.varint();
        if (part === 0x1a) options.stream = identifier.text();
        else identifier.skip(part & 7);
      }
    } else if (tag === 0x10) options.expected = revision(reader.bigVarint());
    else if ((tag & 7) === LENGTH_DELIMITED && tag >>> 3 <= 5) {
      reader.slice();
      options.expected = tag === 0x1a ? 'no_stream' : tag === 0x22 ? 'any' : 'stream_exists';
    } else if (tag === 0x32) options.deadline = milliseconds(reader.message());
    else if (tag === 0x3a) options.deadline = now + milliseconds(reader.message());
    else reader.skip(tag & 7);
  }
  return options;
}

/** An expected revision from the wire; beyond 2^53 it can only be wrong, and stays so. */
export const revision = (value: bigint): number => Number(value > 0x1ffffffffffffen ? 0x1ffffffffffffen : value);

/** A decoded `AppendReq`: the first of a call has options, the others an event. */
export type AppendMessage = { options: AppendOptions } | { event: DecodedEvent } | undefined;

export function decodeAppend(bytes: Buffer): AppendMessage {
  const reader = new Reader(bytes);
  let message: AppendMessage;
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) message = { options: decodeOptions(reader.message(), Date.now()) };
    else if (tag === 0x12) message = { event: decodeEvent(reader.message()) };
    else reader.skip(tag & 7);
  }
  return message;
}

/** A decoded `BatchAppendReq`. `correlation` is the encoded UUID, sent back as it came. */
export interface BatchAppendMessage {
  correlation: Buffer;
  options: AppendOptions | undefined;
  events: DecodedEvent[];
  isFinal: boolean;
}

export function decodeBatchAppend(bytes: Buffer): BatchAppendMessage {
  const reader = new Reader(bytes);
  const message: BatchAppendMessage = { correlation: NOTHING, options: undefined, events: [], isFinal: false };
  while (reader.more) {
    const tag = reader.varint();
    if (tag === 0x0a) message.correlation = reader.slice();
    else if (tag === 0x12) message.options = decodeOptions(reader.message(), Date.now());
    else if (tag === 0x1a) message.events.push(decodeEvent(reader.message()));
    else if (tag === 0x20) message.isFinal = reader.varint() !== 0;
    else reader.skip(tag & 7);
  }
  if (message.correlation.length === 0) throw new MalformedMessage('batch append without a correlation id');
  return message;
}

/** `AppendResp.Success` and `BatchAppendResp.Success`, which are the same. */
function success(revision: number, position: number | undefined): Buffer {
  const at = position === undefined ? undefined : numberField(0x08, position);
  return Buffer.concat([
    revision < 0 ? field(0x12, NOTHING) : numberField(0x08, revision),
    at === undefined ? field(0x22, NOTHING) : field(0x1a, Buffer.concat([at, numberField(0x10, position as number)])),
  ]);
}

export const appendSuccess = (revision: number, position: number | undefined): Buffer =>
  field(0x0a, success(revision, position));

/** `AppendResp.wrong_expected_version`, with the deprecated fields that older clients read. */
export function appendWrongVersion(expected: ExpectedRevision, current: number): Buffer {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (current < 0) {
    wrong.setCurrentNoStream(new shared.Empty());
    wrong.setNoStream2060(new shared.Empty());
  } else {
    wrong.setCurrentRevision(String(current));
    wrong.setCurrentRevision2060(current);
  }
  if (expected === 'any') {
    wrong.setExpectedAny(new shared.Empty());
    wrong.setAny2060(new shared.Empty());
  } else if (expected === 'stream_exists') {
    wrong.setExpectedStreamExists(new shared.Empty());
    wrong.setStreamExists2060(new shared.Empty());
  } else if (expected === 'no_stream') {
    wrong.setExpectedNoStream(new shared.Empty());
  } else {
    wrong.setExpectedRevision(String(expected));
    wrong.setExpectedRevision2060(expected);
  }
  const response = new streams.AppendResp();
  response.setWrongExpectedVersion(wrong);
  return Buffer.from(response.serializeBinary());
}

export const batchAppendSuccess = (
  correlation: Buffer,
  stream: string,
  revision: number,
  position: number | undefined,
): Buffer =>
  Buffer.concat([
    field(0x0a, correlation),
    field(0x1a, success(revision, position)),
    field(0x22, field(0x1a, Buffer.from(stream))),
  ]);

/** What can go wrong with one append of a batch stream; each is an `Any` that clients know by its name. */
export type BatchAppendProblem =
  | { kind: 'wrong-expected-revision'; expected: ExpectedRevision; current: number }
  | { kind: 'stream-deleted' }
  | { kind: 'maximum-append-size-exceeded' }
  | { kind: 'timeout' }
  | { kind: 'bad-request'; message: string }
  | { kind: 'unknown'; message: string };

function problemDetails(problem: BatchAppendProblem, stream: string): [code_pb.Code, string, string, Uint8Array] {
  switch (problem.kind) {
    case 'wrong-expected-revision': {
      const details = new shared.WrongExpectedVersion();
      if (problem.current < 0) details.setCurrentNoStream(new ProtobufEmpty());
      else details.setCurrentStreamRevision(String(problem.current));
      if (problem.expected === 'any') details.setExpectedAny(new ProtobufEmpty());
      else if (problem.expected === 'stream_exists') details.setExpectedStreamExists(new ProtobufEmpty());
      else if (problem.expected === 'no_stream') details.setExpectedNoStream(new ProtobufEmpty());
      else details.setExpectedStreamPosition(String(problem.expected));
      return [
        code_pb.Code.FAILED_PRECONDITION,
        'Wrong Expected Version',
        'WrongExpectedVersion',
        details.serializeBinary(),
      ];
    }
    case 'stream-deleted': {
      const details = new shared.StreamDeleted();
      const identifier = new shared.StreamIdentifier();
      identifier.setStreamName(Buffer.from(stream));
      details.setStreamIdentifier(identifier);
      return [code_pb.Code.FAILED_PRECONDITION, 'Stream Deleted', 'StreamDeleted', details.serializeBinary()];
    }
    case 'maximum-append-size-exceeded': {
      const details = new shared.MaximumAppendSizeExceeded();
      details.setMaxappendsize(MAX_APPEND_BYTES);
      return [
        code_pb.Code.INVALID_ARGUMENT,
        'Maximum Append Size Exceeded',
        'MaximumAppendSizeExceeded',
        details.serializeBinary(),
      ];
    }
    case 'timeout':
      return [code_pb.Code.DEADLINE_EXCEEDED, 'Timeout', 'Timeout', new shared.Timeout().serializeBinary()];
    case 'bad-request': {
      const details = new shared.BadRequest();
      details.setMessage(problem.message);
      return [code_pb.Code.INVALID_ARGUMENT, problem.message, 'BadRequest', details.serializeBinary()];
    }
    case 'unknown':
      return [code_pb.Code.UNKNOWN, problem.message, 'Unknown', new shared.Unknown().serializeBinary()];
  }
}

export function batchAppendProblem(correlation: Buffer, stream: string, problem: BatchAppendProblem): Buffer {
  const [code, message, name, value] = problemDetails(problem, stream);
  const details = new Any();
  details.setTypeUrl(`type.googleapis.com/event_store.client.${name}`);
  details.setValue(value);
  const error = new status_pb.Status();
  error.setCode(code);
  error.setMessage(message);
  error.setDetails(details);
  return Buffer.concat([
    field(0x0a, correlation),
    field(0x12, Buffer.from(error.serializeBinary())),
    field(0x22, field(0x1a, Buffer.from(stream))),
  ]);
}
