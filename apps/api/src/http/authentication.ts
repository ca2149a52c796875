import { StoreUnavailable } from '@perennial/event-sourcing';
import { inTime } from '@perennial/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EdgeProblem } from './edge-problem';
import type { Principal } from './principal';
import type { RateLimit } from './rate-limit';

/** Finds the principal of an API key (`pk_<id>_<secret>`); undefined when the key is unknown, wrong or revoked. */
export type Authenticate = (apiKey: string) => Promise<Principal | undefined>;

/** Pages for people: a browser may show its password dialogue for them (HTTP Basic, any name, the key as password). */
const pages = /^\/(docs|problems|openapi\.json)([/?]|$)/;
const open = /^\/health\/(live|ready)([?]|$)/;

/**
 * Asks for an API key before anything else of a request is read, also where there is no route: nothing but health
 * answers without one, and a key that cannot be looked up within `withinMs` ends in StoreUnavailable. Then takes one token of the
 * key's rate limit (of the address's, when there is no valid key).
 */
export function requireApiKey(
  server: FastifyInstance,
  authenticate: Authenticate,
  limit: RateLimit,
  withinMs: number,
): void {
  const late = () => new StoreUnavailable('reading an API key', 'out of time');
  server.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    if (open.test(request.url)) return;
    const key = presentedKey(request);
    const principal =
      key === undefined ? undefined : await inTime(authenticate(key), performance.now() + withinMs, late);
    const wait = limit.take(principal ? `key ${principal.apiKeyId}` : `address ${request.ip}`);
    if (wait > 0) {
      throw new EdgeProblem('rate-limited', `Wait ${wait} s.`, { headers: { 'retry-after': String(wait) } });
    }
    if (!principal) {
      const bearer = `Bearer realm="perennial"${key === undefined ? '' : ', error="invalid_token"'}`;
      // A line each: Chromium takes two challenges on one line for the first alone and shows no dialogue.
      const basic = pages.test(request.url) ? ['Basic realm="perennial, the API key as password"'] : [];
      reply.header('www-authenticate', [...basic, bearer]);
      throw new EdgeProblem(
        'unauthenticated',
        key === undefined ? 'Send `Authorization: Bearer pk_…`.' : 'The API key is unknown or has been revoked.',
      );
    }
    request.principal = principal;
  });
}

function presentedKey(request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  if (header === undefined || header.length > 1_024) return undefined;
  const bearer = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(header)?.[1];
  if (basic === undefined || request.method !== 'GET' || !pages.test(request.url)) return undefined;
  const [, password] = /^[^:]*:(\S+)$/.exec(Buffer.from(basic, 'base64').toString('utf8')) ?? [];
  return password;
}
