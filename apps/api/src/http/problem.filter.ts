import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '@perennial/platform';
import type { FieldError } from './edge-problem';
import { type ProblemCode, problems } from './problem';
import { type Refusal, refusalOf } from './refusal';

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
  readonly details?: Readonly<Record<string, string | number>>;
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
  { code, detail, errors, currentRevision, details }: Refusal,
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
    ...(details && { details }),
  };
}
