import { instant } from '../calendar';
import { DomainError } from '../domain-error';
import type { JsonValue } from '../json';
import { oneOf, text } from '../text';
import type { ApiKeyEvent, Scope } from './events';

/** What a key may do. */
export const scopes = ['commands:write', 'finance:read', 'audit:read', 'admin'] as const satisfies readonly Scope[];

export type ApiKey = { readonly status: 'none' } | { readonly status: 'active' | 'revoked'; readonly apiKeyId: string };

export interface NewApiKey {
  readonly apiKeyId: string;
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** sha256 (hex) of the secret. */
  readonly secretHash: string;
}

/** Creates a key of a tenant. Raises `api-key-exists`, `invalid-option`, `invalid-text`. */
export function createApiKey(state: ApiKey, input: NewApiKey, now: string): ApiKeyEvent[] {
  if (state.status !== 'none') throw new DomainError('api-key-exists');
  if (input.scopes.length === 0) throw new DomainError('invalid-option', 'a key has at least one scope');
  if (!/^[0-9a-f]{64}$/.test(input.secretHash))
    throw new DomainError('invalid-option', 'secretHash is a sha256 in hex');
  const granted = scopes.filter((scope) => input.scopes.map((each) => oneOf('scope', each, scopes)).includes(scope));
  const { apiKeyId, tenant, secretHash } = input;
  const name = text('name', input.name, 100);
  return [
    {
      type: 'ApiKeyCreated',
      data: { effectiveAt: instant(now), apiKeyId, tenant, name, scopes: granted, secretHash },
    },
  ];
}

/** Revokes a key for good; nothing when it is revoked. Raises `api-key-not-found`. */
export function revokeApiKey(state: ApiKey, now: string): ApiKeyEvent[] {
  if (state.status === 'none') throw new DomainError('api-key-not-found');
  if (state.status === 'revoked') return [];
  return [{ type: 'ApiKeyRevoked', data: { effectiveAt: instant(now), apiKeyId: state.apiKeyId } }];
}

/** Records what happened. */
export function evolveApiKey(_state: ApiKey, event: ApiKeyEvent): ApiKey {
  switch (event.type) {
    case 'ApiKeyCreated':
      return { status: 'active', apiKeyId: event.data.apiKeyId };
    case 'ApiKeyRevoked':
      return { status: 'revoked', apiKeyId: event.data.apiKeyId };
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const apiKeyEvents: Readonly<Record<ApiKeyEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  ApiKeyCreated: [],
  ApiKeyRevoked: [],
};

/** What the aggregate repository needs to know of API keys. */
export const apiKeyType = {
  name: 'api-key',
  catalog: apiKeyEvents,
  initial: { status: 'none' } as ApiKey,
  evolve: evolveApiKey,
  snapshot: {
    version: 1,
    toJSON: (state: ApiKey) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as ApiKey,
  },
} as const;
