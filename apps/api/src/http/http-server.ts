import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import helmet from '@fastify/helmet';
import { type Type, type DynamicModule, type ValidationError } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Logger as NestLogger, PinoLogger } from 'nestjs-pino';
import { Histogram } from 'prom-client';
import type { Config, Logger } from '@perennial/platform';
import { type Authenticate, requireApiKey } from './authentication';
import { deepObjects } from './deep-object';
import { EdgeProblem, type FieldError } from './edge-problem';
import { checkJson } from './json-body';
import { type ProblemCode, problems } from './problem';
import { ProblemFilter, problemOf } from './problem.filter';
import { RateLimit } from './rate-limit';
import { SynchronousValidation } from './synchronous-validation';

const requestDuration = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Time from the first byte of a request to the last of its answer',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** Headers of one request together, bytes. */
const maxHeaderBytes = 16 * 1024;

/**
 * The Nest application of `module` on a Fastify that is bounded in every direction (bytes, time, connections), speaks
 * JSON alone, and answers whatever goes wrong with problem+json. Not yet listening.
 */
export async function createHttpServer(
  module: Type | DynamicModule,
  config: Config,
  logger: Logger,
  authenticate: Authenticate,
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: config.bodyLimitBytes,
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: 500, caseSensitive: true },
    http: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: Math.min(config.requestTimeoutMs, 10_000),
      connectionsCheckingInterval: 1_000,
    },
    genReqId: () => randomUUID(),
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: ((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      request.correlationId ||= request.id;
      const code = error.code === 'FST_ERR_MAX_PARAM_LENGTH' ? 'uri-too-long' : 'malformed-request';
      const problem = problemOf({ code, detail: problems[code].about }, request, config.publicUrl ?? '');
      void reply.code(problem.status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem));
    }) as never,
  });
  const server = adapter.getInstance<FastifyInstance>();
  server.server.maxConnections = config.maxConnections;
  parseJsonOnly(server);
  server.setReplySerializer(toJson);
  server.decorateRequest('correlationId', '');
  server.addHook('onRequest', async (request, reply) => {
    request.correlationId = correlationId(request);
    reply.header('x-correlation-id', request.correlationId).header('cache-control', 'no-store');
  });
  server.addHook('onResponse', async (request, reply) => {
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none');
    requestDuration.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1_000);
  });
  const allowedMethods = rememberRoutes(server);
  server.addHook('onRoute', (route) => {
    const { bodyLimitBytes } = (route.config ?? {}) as RouteLimits;
    if (bodyLimitBytes !== undefined) route.bodyLimit = Math.max(bodyLimitBytes, config.bodyLimitBytes);
  });
  await sendSecurityHeaders(server);

  server.addHook('onRequest', async ({ headers }) => {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      throw new EdgeProblem('unsupported-media-type', `Bodies are sent as they are, not as ${encoding.slice(0, 50)}.`);
    }
  });
  server.addHook('preValidation', async (request) => {
    request.query = deepObjects(request.query as Record<string, unknown>);
  });
  const limit = new RateLimit(config.rateLimitPerSecond, config.rateLimitBurst);
  requireApiKey(server, authenticate, limit, config.commandTimeoutMs);

  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    bodyParser: false,
    bufferLogs: false,
    abortOnError: false,
    logger: new NestLogger(new PinoLogger({ pinoHttp: { logger: logger.child({}, { level: 'warn' }) } }), {}),
  });
  app.useGlobalPipes(
    new SynchronousValidation({
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      stopAtFirstError: true,
      transform: true,
      transformOptions: { enableImplicitConversion: false },
      exceptionFactory: (errors) => new EdgeProblem('invalid-request', undefined, { errors: fieldErrors(errors) }),
    }),
  );
  app.useGlobalFilters(new ProblemFilter(logger, config.publicUrl ?? '', allowedMethods));
  return app;
}

/** What a route says of itself with `@RouteConfig`. */
export interface RouteLimits {
  /** Where a body is larger than others by nature. */
  readonly bodyLimitBytes?: number;
}

/** Pages load scripts and styles from here only; Swagger UI writes inline styles and data: images. */
const contentSecurityPolicy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  fontSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
  // Loopback has no TLS, and a browser would be sent to https for /docs.
  upgradeInsecureRequests: null,
};

/** The same for every answer, so helmet is asked once. */
async function sendSecurityHeaders(server: FastifyInstance): Promise<void> {
  await server.register(helmet, { global: false, contentSecurityPolicy: { directives: contentSecurityPolicy } });
  let headers: Readonly<Record<string, number | string | string[] | undefined>> | undefined;
  server.addHook('onRequest', async (_, reply) => {
    if (headers) {
      reply.headers(headers);
      return;
    }
    reply.helmet();
    headers = reply.raw.getHeaders();
  });
}

/** Positions and revisions are bigint: a decimal string in JSON, as numbers would lose digits. */
function toJson(payload: unknown): string {
  try {
    return JSON.stringify(payload);
  } catch {
    // A replacer takes several times as long, and few answers hold a bigint.
    return JSON.stringify(payload, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  }
}

function parseJsonOnly(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const text = body.toString();
    if (text.trim() === '') return done(null, {});
    void parse(request, text, (error, value) => {
      if (error) return done(new EdgeProblem('malformed-request', error.message));
      try {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) {
          throw new EdgeProblem('malformed-request', 'The body is no JSON object.');
        }
        checkJson(text, value);
      } catch (refusal) {
        return done(refusal as Error);
      }
      return done(null, value);
    });
    return undefined;
  });
}

/** The methods that a path has, by the routes that were registered. */
function rememberRoutes(server: FastifyInstance): (path: string) => readonly string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  server.addHook('onRoute', ({ url, method }) => {
    const escaped = url
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replace(/:[A-Za-z]+/g, '[^/]+')
      .replace(/\*/g, '.*');
    routes.push({ pattern: new RegExp(`^${escaped}$`), methods: [method].flat() });
  });
  return (path) => [...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))];
}

/** A caller's own id is kept when it is short and printable. */
function correlationId(request: FastifyRequest): string {
  const given = request.headers['x-correlation-id'];
  return typeof given === 'string' && /^[\x21-\x7e]{1,128}$/.test(given) ? given : request.id;
}

function fieldErrors(errors: readonly ValidationError[], path = ''): FieldError[] {
  return errors.flatMap(({ property, constraints, children }) => {
    const pointer = `${path}/${property.replace(/~/g, '~0').replace(/\//g, '~1')}`;
    const own = Object.values(constraints ?? {}).map((message) => ({ pointer, message }));
    return [...own, ...fieldErrors(children ?? [], pointer)].slice(0, 50);
  });
}

/** What Node cannot parse never becomes a request; it is answered on the socket. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const code: ProblemCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers-too-large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request-timeout'
        : 'malformed-request';
  const { status, title, about, retryable } = problems[code];
  const correlation = randomUUID();
  const body = JSON.stringify({
    type: `/problems/${code}`,
    title,
    status,
    detail: about,
    instance: '/',
    code,
    correlationId: correlation,
    retryable,
  });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nX-Correlation-Id: ${correlation}\r\nConnection: close\r\n\r\n${body}`,
  );
}
