import { Metadata, status } from '@grpc/grpc-js';
import type { ExpectedRevision } from './expected-revision';
import { InvalidFilter } from './filter';
import { DamagedRecord, isCorruption } from './storage';
import { MalformedMessage } from './wire';

/** Largest sum of event data in one append: `MaxAppendSize` of EventStoreDB up to 24.10, which counts data alone. */
export const MAX_APPEND_BYTES = 1_048_576;
/** Largest record; metadata has no other limit. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** A gRPC status with the trailers by which clients tell errors apart. */
export class StatusError extends Error {
  readonly metadata = new Metadata();

  constructor(
    readonly code: status,
    readonly details: string,
    trailers: Record<string, string> = {},
  ) {
    super(details);
    for (const [key, value] of Object.entries(trailers)) this.metadata.set(key, value);
  }
}

/** Trailer values must be printable ASCII; .NET percent-encodes nothing here, so other characters become `?`. */
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');

export const streamDeleted = (stream: string): StatusError =>
  new StatusError(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': ascii(stream),
  });

const EXPECTED_CODES = { no_stream: '-1', any: '-2', stream_exists: '-4' } as const;

export const wrongExpectedVersion = (stream: string, expected: ExpectedRevision, current: number): StatusError => {
  const code = typeof expected === 'number' ? String(expected) : EXPECTED_CODES[expected];
  return new StatusError(
    status.FAILED_PRECONDITION,
    `Append failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${code}, Actual version: ${current}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': ascii(stream),
      'expected-version': code,
      'actual-version': String(current),
    },
  );
};

export const maximumAppendSizeExceeded = (): StatusError =>
  new StatusError(status.INVALID_ARGUMENT, `Maximum Append Size of ${MAX_APPEND_BYTES} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(MAX_APPEND_BYTES),
  });

export const missingMetadataProperty = (): StatusError =>
  new StatusError(status.INVALID_ARGUMENT, 'Required Metadata Property Missing: type,content-type', {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': 'type,content-type',
  });

/** A real server answers UNKNOWN to what its own argument checks refuse. */
export const refusedArgument = (details: string): StatusError => new StatusError(status.UNKNOWN, details);

export const invalidPosition = (position: number): StatusError =>
  new StatusError(status.INVALID_ARGUMENT, `Trying to read from an invalid position: no record starts at ${position}.`);

export const timedOut = (): StatusError => new StatusError(status.ABORTED, 'Operation timed out');

export const shuttingDown = (): StatusError => new StatusError(status.UNAVAILABLE, 'Server is shutting down');

/** Any error as the status that goes out. */
export function toStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof DamagedRecord) return new StatusError(status.DATA_LOSS, error.message);
  if (error instanceof MalformedMessage || error instanceof InvalidFilter) return refusedArgument(error.message);
  const message = error instanceof Error ? error.message : String(error);
  if (isCorruption(error)) {
    return new StatusError(status.DATA_LOSS, `the event store's file is damaged: ${message}`);
  }
  return new StatusError(status.INTERNAL, message);
}
