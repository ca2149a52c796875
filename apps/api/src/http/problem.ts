import { type DomainErrorCategory, type DomainErrorCode, domainErrors } from '@perennial/billing-domain';

/** What a problem code means; the same text stands in the catalogue at /problems/<code>. */
export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What happened and what the caller does about it. */
  readonly about: string;
  /** The same request may succeed later, sent again with the same Idempotency-Key. */
  readonly retryable: boolean;
}

/** Refusals that arise at the edge, before or after the domain. */
export const edgeProblems = {
  'malformed-request': {
    status: 400,
    title: 'The request cannot be read',
    about:
      'The body is no JSON object without repeated names, or the URL or a header is malformed. Correct it and send it again.',
    retryable: false,
  },
  'invalid-request': {
    status: 400,
    title: 'The request is not valid',
    about: 'Fields are missing, unknown or out of bounds; `errors` names each with a JSON pointer.',
    retryable: false,
  },
  'idempotency-key-missing': {
    status: 400,
    title: 'The command has no Idempotency-Key',
    about:
      'Every command needs an Idempotency-Key of 1 to 255 printable ASCII characters (bare or as a quoted string). Repeating a command with its key gives its first answer for as long as the resource exists.',
    retryable: false,
  },
  'invalid-cursor': {
    status: 400,
    title: 'The cursor is not one of this list',
    about: 'Cursors are opaque: send `nextCursor` of the page before to the same list, or none to start again.',
    retryable: false,
  },
  'invalid-if-match': {
    status: 400,
    title: 'If-Match cannot be read',
    about:
      'If-Match is `*` or one strong entity tag as given in ETag, for example "7". Weak tags and lists cannot name the one revision that a command is meant for.',
    retryable: false,
  },
  unauthenticated: {
    status: 401,
    title: 'A valid API key is needed',
    about: 'Send `Authorization: Bearer pk_…`. The key is missing, malformed, unknown or revoked.',
    retryable: false,
  },
  'insufficient-scope': {
    status: 403,
    title: 'The API key lacks a scope',
    about: 'The key is valid but was not made for this. `detail` names the scope that is needed.',
    retryable: false,
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    about: 'No such resource, or it belongs to another tenant.',
    retryable: false,
  },
  'method-not-allowed': {
    status: 405,
    title: 'The resource does not have this method',
    about: 'The `Allow` header lists the methods that it has.',
    retryable: false,
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    about: 'The whole request must arrive within the configured time.',
    retryable: true,
  },
  'clock-cannot-go-back': {
    status: 409,
    title: 'The test clock cannot go back',
    about: 'The business time only moves on; what has been recorded cannot become the future.',
    retryable: false,
  },
  'revision-mismatch': {
    status: 412,
    title: 'The resource has another revision',
    about:
      'If-Match named a revision that is not the current one; `currentRevision` is. Read the resource, decide anew, and send a new command with a new key.',
    retryable: false,
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    about: 'Bodies are limited (BODY_LIMIT_BYTES, 256 KiB by default; 1 MiB where usage is reported).',
    retryable: false,
  },
  'uri-too-long': {
    status: 414,
    title: 'The URL is too long',
    about: 'A part of the path is too long.',
    retryable: false,
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is not JSON',
    about: 'Send `Content-Type: application/json`.',
    retryable: false,
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key belongs to another request',
    about: 'This key has been used for a command with other content. Use a new key for a new command.',
    retryable: false,
  },
  'unknown-position': {
    status: 422,
    title: 'No event stands at this position',
    about: '`minPosition` is a position that an answer gave in `Perennial-Position`.',
    retryable: false,
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    about:
      'This API key (or, without a valid one, this address) sends faster than its limit. Wait for the seconds in Retry-After.',
    retryable: true,
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    about: 'All headers together are limited to 16 KiB.',
    retryable: false,
  },
  'internal-error': {
    status: 500,
    title: 'Something went wrong here',
    about: 'A fault of the service; it is logged under the correlationId. A command may be repeated with its key.',
    retryable: true,
  },
  'not-yet-visible': {
    status: 503,
    title: 'The read model has not seen this position yet',
    about:
      'The event at `minPosition` exists, and the read model did not reach it within the bounded wait. Ask again after Retry-After.',
    retryable: true,
  },
  'outcome-unknown': {
    status: 503,
    title: 'It is unknown whether the command was recorded',
    about:
      'The store did not answer in time. Repeat the command with the same Idempotency-Key: it is recorded once, whatever happened.',
    retryable: true,
  },
  'too-much-contention': {
    status: 503,
    title: 'Too many commands for one resource',
    about:
      'Other commands kept changing the resource until the time budget was used up. Repeat with the same Idempotency-Key.',
    retryable: true,
  },
  'queue-full': {
    status: 503,
    title: 'Too many commands wait for one resource',
    about: 'Nothing was recorded. Repeat with the same Idempotency-Key after Retry-After.',
    retryable: true,
  },
  'store-unavailable': {
    status: 503,
    title: 'The event store cannot be reached',
    about: 'Nothing was recorded. Repeat with the same Idempotency-Key after Retry-After.',
    retryable: true,
  },
  'personal-data-unavailable': {
    status: 503,
    title: 'Personal data cannot be opened',
    about:
      'This process was not given the master key that the data is sealed under, or the streams of keys are not whole. Operators: see docs/personal-data.md.',
    retryable: true,
  },
  'read-models-unavailable': {
    status: 503,
    title: 'The read models cannot be reached',
    about: 'The database did not answer, or the read models are being rebuilt. Ask again after Retry-After.',
    retryable: true,
  },
} as const satisfies Readonly<Record<string, ProblemKind>>;

export type EdgeProblemCode = keyof typeof edgeProblems;

const statusOf: Readonly<Record<DomainErrorCategory, number>> = {
  'not-found': 404,
  conflict: 409,
  invalid: 422,
  'unavailable-feature': 422,
};

export type ProblemCode = EdgeProblemCode | DomainErrorCode;

/** Every code that an answer can carry. Codes are public and never change their meaning. */
export const problems: Readonly<Record<ProblemCode, ProblemKind>> = {
  ...edgeProblems,
  ...(Object.fromEntries(
    Object.entries(domainErrors).map(([code, { category, meaning }]) => [
      code,
      { status: statusOf[category], title: meaning.replace(/\.$/, ''), about: meaning, retryable: false },
    ]),
  ) as Record<DomainErrorCode, ProblemKind>),
};

/** Undefined for text that is no code of ours. */
export function problemCode(text: unknown): ProblemCode | undefined {
  return typeof text === 'string' && Object.hasOwn(problems, text) ? (text as ProblemCode) : undefined;
}
