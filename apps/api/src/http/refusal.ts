import { HttpException } from '@nestjs/common';
import { DomainError } from '@perennial/billing-domain';
import {
  AggregateNotFound,
  AppendTooLarge,
  BudgetExhausted,
  KeyReused,
  OutcomeUnknown,
  QueueFull,
  RememberedIdReused,
  RevisionMismatch,
  StoreUnavailable,
  StreamDeleted,
} from '@perennial/event-sourcing';
import type { CommandOutcome } from '@perennial/platform';
import { EdgeProblem, type FieldError } from './edge-problem';
import { type ProblemCode, problemCode, problems } from './problem';

/** Why a request was not done, before it becomes an answer. */
export interface Refusal {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly currentRevision?: string;
  readonly details?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The code and words for whatever was thrown; `internal-error` for what nobody foresaw. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof EdgeProblem) return { code: error.code, detail: error.detail, ...error.more };
  if (error instanceof DomainError) {
    const { code, message: detail, details } = error;
    return { code, detail, ...(details && { details }) };
  }
  if (error instanceof AggregateNotFound) {
    return {
      code: problemCode(`${error.aggregate}-not-found`) ?? 'not-found',
      detail: `There is no ${error.aggregate} ${error.id}.`,
    };
  }
  if (error instanceof RevisionMismatch) {
    return {
      code: 'revision-mismatch',
      detail: `If-Match names another revision than the current one, ${error.actual}.`,
      currentRevision: String(error.actual),
    };
  }
  if (error instanceof KeyReused) return about('idempotency-key-reused');
  if (error instanceof RememberedIdReused) {
    return {
      code: problemCode(`${error.kind}-exists`) ?? 'internal-error',
      detail: `${error.kind} ${error.id} exists, with other content.`,
    };
  }
  if (error instanceof AppendTooLarge)
    return { code: 'body-too-large', detail: 'The command would record more bytes than one append can carry.' };
  if (error instanceof QueueFull) return about('queue-full');
  if (error instanceof BudgetExhausted) return about('too-much-contention');
  if (error instanceof OutcomeUnknown) return about('outcome-unknown');
  if (error instanceof StoreUnavailable) return about('store-unavailable');
  if (error instanceof StreamDeleted) return about('not-found');
  if (isDatabaseLoss(error)) return about('read-models-unavailable');
  const code = problemCode((error as { code?: unknown } | null)?.code);
  if (code !== undefined) return { code, detail: (error as Error).message };
  return fromFramework(error) ?? about('internal-error');
}

function about(code: ProblemCode): Refusal {
  return { code, detail: problems[code].about };
}

/** Fastify and Nest say with a status what was wrong with a request before a handler saw it. */
function fromFramework(error: unknown): Refusal | undefined {
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown } | null)?.statusCode;
  if (status === 413) return about('body-too-large');
  if (status === 414) return about('uri-too-long');
  if (status === 415) return about('unsupported-media-type');
  if (status === 404) return about('not-found');
  if (status === 408) return about('request-timeout');
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return {
      code: 'malformed-request',
      detail: error instanceof Error ? error.message : problems['malformed-request'].about,
    };
  }
  return undefined;
}

/** A lost or overloaded PostgreSQL (SQLSTATE 08, 53, 57), one without our tables yet (42P01, 3F000), or no socket to it. */
function isDatabaseLoss(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (
    typeof code === 'string' &&
    /^(08|53|57)[0-9A-Z]{3}$|^(42P01|3F000)$|^E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|NOTFOUND)$/.test(code)
  )
    return true;
  return (
    typeof message === 'string' &&
    /timeout exceeded when trying to connect|Connection terminated|Query read timeout/.test(message)
  );
}

/** How a command that threw is reported: its code, and louder the less the caller can do about it. */
export function outcomeOf(error: unknown): CommandOutcome {
  const { code } = refusalOf(error);
  const level = code === 'internal-error' ? 'error' : problems[code].status >= 500 ? 'warn' : 'info';
  return { outcome: code, level };
}
