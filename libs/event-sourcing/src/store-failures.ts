import { StreamDeletedError, WrongExpectedVersionError } from '@eventstore/db-client';
import { BatchCallEnded } from './batch-append';
import {
  AppendTooLarge,
  CorruptEvent,
  OutcomeUnknown,
  type Revision,
  RevisionConflict,
  StoreUnavailable,
  StreamDeleted,
} from './errors';

export const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
} as const;

/** What a failed append means to a caller: refused, surely not written, or unknown. */
export function appendFailure(error: unknown, stream: string, expected: Revision | 'any'): Error {
  if (error instanceof WrongExpectedVersionError) {
    return new RevisionConflict(stream, expected, error.actualVersion);
  }
  if (error instanceof StreamDeletedError) return new StreamDeleted(stream);
  if (error instanceof Error && 'maxAppendSize' in error) {
    return new AppendTooLarge(stream, Number.NaN, error.maxAppendSize as number);
  }
  if (surelyNotWritten(error)) return new StoreUnavailable(`an append to ${stream} was not taken`, error);
  return new OutcomeUnknown(stream, error);
}

/**
 * Refused by the server before writing, or never sent for want of a connection. Anything else may have been written;
 * so may what waited in a call that ended, whatever the reason given, which may be another append's.
 */
function surelyNotWritten(error: unknown): boolean {
  if (error instanceof BatchCallEnded) {
    const code = codeOf(error.cause);
    return code === GRPC.unimplemented || (code === GRPC.unavailable && NEVER_SENT.test(error.message));
  }
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  const { type } = error as { type?: unknown };
  if (type === 'not-leader' || type === 'access-denied' || code === GRPC.invalidArgument) return true;
  if (NOT_TAKEN.test(error.message)) return true;
  return code === GRPC.unavailable && NEVER_SENT.test(error.message);
}

/** The client replaces its channel after these, and goes to the leader that a `not-leader` (NOT_FOUND) named. */
export function reconnectsByItself(error: unknown): boolean {
  const code = codeOf(error instanceof BatchCallEnded ? error.cause : error);
  return code === GRPC.cancelled || code === GRPC.notFound || code === GRPC.unavailable;
}

/** What gRPC says when it found no connection to send the request on. */
const NEVER_SENT = /No connection established/;
/** What a server says that takes no writes at the moment. */
const NOT_TAKEN = /Server Is (Not Ready|Too Busy)/;

/** The gRPC status; also of a raw error that the client did not convert (5.1#8). */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

/** Whether a call ended because its connection did, and not because of what it asked. */
export function connectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code === GRPC.cancelled || code === GRPC.unavailable) return true;
  return (code === GRPC.internal || code === GRPC.resourceExhausted) && RESET.test((error as Error).message);
}

/** What gRPC says when the HTTP/2 stream or session was closed under a call. */
const RESET = /RST_STREAM|Session closed|write after end/;

/** What a failed read means to a caller. */
export function readFailure(error: unknown, stream: string): Error {
  if (error instanceof StreamDeletedError) return new StreamDeleted(stream);
  if (error instanceof CorruptEvent) return error;
  if (codeOf(error) === GRPC.dataLoss) return new CorruptEvent(stream, undefined, 'the store reports damage', error);
  if (error instanceof StoreUnavailable) return error;
  return new StoreUnavailable(`a read of ${stream} failed`, error);
}
