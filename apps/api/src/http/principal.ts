import type { FastifyRequest } from 'fastify';

export const scopes = ['commands:write', 'finance:read', 'audit:read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who asks: an API key, the tenant that it belongs to, and what it may do. */
export interface Principal {
  readonly apiKeyId: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the authentication hook; absent on health checks and on requests that were refused. */
    principal?: Principal;
    correlationId: string;
  }
}

/** The principal of an authenticated request; every route but health has one. */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error(`no principal on ${request.method} ${request.url}`);
  return request.principal;
}
