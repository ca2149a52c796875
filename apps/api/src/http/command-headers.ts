import type { FastifyRequest } from 'fastify';
import { fingerprintOf, type RequestContext } from '@perennial/billing-application';
import { EdgeProblem } from './edge-problem';
import { principalOf } from './principal';

/**
 * Reads Idempotency-Key, If-Match, X-Actor, X-Reason, traceparent and the principal of a command's request. The
 * fingerprint covers what the command asks for (its name, the route's parameters, the body) and the tenant, so that a key
 * cannot be used for two things; a dry run has the fingerprint of the real one. It covers no personal data, whose hash could
 * be guessed and is not erased: the handler compares that. Throws EdgeProblem.
 */
export function contextOf(request: FastifyRequest, command: string, dryRun: boolean): RequestContext {
  const { apiKeyId, tenant } = principalOf(request);
  const { personal: _, ...body } = (request.body ?? {}) as { readonly personal?: unknown };
  return {
    tenant,
    key: idempotencyKey(request),
    fingerprint: fingerprintOf({ tenant, command, parameters: request.params ?? {}, body }),
    principal: apiKeyId,
    correlationId: request.correlationId,
    actor: text(request, 'x-actor', 200),
    reason: text(request, 'x-reason', 500),
    traceparent: traceparent(request),
    expectedRevision: expectedRevision(request),
    dryRun,
  };
}

/** For a command without content: a body that says something is a mistake of the caller's, not to be ignored. */
export function refuseBody({ body }: FastifyRequest): void {
  const empty =
    body === undefined ||
    (typeof body === 'object' && body !== null && Object.keys(body).length === 0 && !Array.isArray(body));
  if (empty) return;
  throw new EdgeProblem('invalid-request', undefined, {
    errors: [{ pointer: '', message: 'this command takes no body' }],
  });
}

/** `"abc"` (draft-ietf-httpapi-idempotency-key-header) and bare `abc` are the same key. */
function idempotencyKey(request: FastifyRequest): string {
  const given = single(request, 'idempotency-key')?.trim();
  if (given === undefined || given === '') throw new EdgeProblem('idempotency-key-missing');
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(given)?.[1]?.replace(/\\(["\\])/g, '$1');
  const key = quoted ?? given;
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new EdgeProblem('idempotency-key-missing', 'An Idempotency-Key is 1 to 255 printable ASCII characters.');
  }
  return key;
}

/** `*` and no header leave the revision open; a strong tag names it; anything else cannot be honoured and is refused. */
function expectedRevision(request: FastifyRequest): bigint | undefined {
  const given = single(request, 'if-match')?.trim();
  if (given === undefined || given === '*') return undefined;
  const revision = /^"(\d{1,18})"$/.exec(given)?.[1];
  if (revision === undefined) throw new EdgeProblem('invalid-if-match');
  return BigInt(revision);
}

/** A W3C trace context of version 00 is recorded; one that is malformed is ignored, as the standard asks. */
function traceparent(request: FastifyRequest): string | undefined {
  const given = single(request, 'traceparent');
  if (given === undefined || !/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given)) return undefined;
  return /^00-0{32}|-0{16}-/.test(given) ? undefined : given;
}

/** Header bytes are read as UTF-8 when they are (names have accents), and hold no control characters. */
function text(request: FastifyRequest, name: string, longest: number): string | undefined {
  const given = single(request, name);
  if (given === undefined || given.trim() === '') return undefined;
  const utf8 = Buffer.from(given, 'latin1').toString('utf8');
  const value = (utf8.includes('\ufffd') ? given : utf8).trim();
  if (value.length > longest || /[\p{Cc}\p{Surrogate}]/u.test(value)) {
    throw new EdgeProblem('malformed-request', `The header ${name} is at most ${longest} printable characters.`);
  }
  return value;
}

function single(request: FastifyRequest, name: string): string | undefined {
  const given = request.headers[name];
  return Array.isArray(given) ? given.join(', ') : given;
}
