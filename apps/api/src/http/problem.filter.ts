import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
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
import { DomainError } from '@perennial/billing-domain';
import type { Logger } from '@perennial/platform';
import { EdgeProblem, type FieldError } from './edge-problem';
import { type ProblemCode, problemCode, problems } from './problem';

/** An answer in the form of RFC 9457. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ProblemCode;
  readonly errors?: readonly FieldError[];
  readonly correlationId: string;
  readonly retryable: boolean;
  readonly currentRevision?: string;
}

interface Refusal {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly FieldError[];
  readonly currentRevision?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes problem+json of everything that is thrown; what has no code of its own is `internal-error`, and is logged. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly typeRoot: string,
    private readonly allowedMethods: (path: string) => readonly string[],
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent || reply.raw.headersSent) return;
    const path = request.url.split('?')[0] ?? '/';
    const methods = request.is404 ? [...this.allowedMethods(path)] : [];
    if (methods.length > 0) methods.push('OPTIONS');
    if (methods.length > 0 && request.method === 'OPTIONS') {
      void reply.header('allow', methods.join(', ')).code(204).send();
      return;
    }
    const refusal = request.is404 && isNotFound(error) ? noSuchRoute(path, methods) : refusalOf(error);
    const problem = problemOf(refusal, request, this.typeRoot);
    if (refusal.code === 'internal-error') {
      this.logger.error({ err: error, correlationId: request.correlationId, path: problem.instance }, 'request failed');
    }
    if (problem.status === 401 || problem.status === 403) {
      const { apiKeyId, tenant } = request.principal ?? {};
      const who = { principal: apiKeyId, tenant, address: request.ip };
      this.logger.info(
        { ...who, code: problem.code, method: request.method, path: problem.instance },
        'access refused',
      );
    }
    if (problem.retryable && !refusal.headers?.['retry-after']) reply.header('retry-after', '1');
    void reply
      .headers({ ...refusal.headers })
      .code(problem.status)
      .type('application/problem+json; charset=utf-8')
      .send(JSON.stringify(problem));
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof HttpException && error.getStatus() === 404;
}

/** What Nest calls not found is 405 when the path has other methods. */
function noSuchRoute(path: string, methods: readonly string[]): Refusal {
  if (methods.length === 0) return { code: 'not-found', detail: `There is no ${path}.` };
  const allow = methods.join(', ');
  return { code: 'method-not-allowed', detail: `${path} has ${allow}.`, headers: { allow } };
}

/** The body of a refusal. `typeRoot` is '' (types relative to the request) or the public URL. */
export function problemOf(
  { code, detail, errors, currentRevision }: Refusal,
  request: FastifyRequest,
  typeRoot: string,
): Problem {
  const { status, title, retryable } = problems[code];
  return {
    type: `${typeRoot}/problems/${code}`,
    title,
    status,
    detail,
    instance: (request.url.split('?')[0] ?? '/').slice(0, 500),
    code,
    ...(errors && { errors }),
    correlationId: request.correlationId,
    retryable,
    ...(currentRevision !== undefined && { currentRevision }),
  };
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof EdgeProblem) return { code: error.code, detail: error.detail, ...error.more };
  if (error instanceof DomainError) return { code: error.code, detail: error.message };
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
