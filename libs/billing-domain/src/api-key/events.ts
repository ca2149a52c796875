export type Scope = 'commands:write' | 'finance:read' | 'audit:read' | 'admin';

export interface ApiKeyCreated {
  readonly type: 'ApiKeyCreated';
  readonly data: {
    readonly effectiveAt: string;
    readonly apiKeyId: string;
    readonly tenant: string;
    readonly name: string;
    readonly scopes: readonly Scope[];
    /** sha256 (hex) of the secret, which is 256 random bits and stored nowhere. */
    readonly secretHash: string;
  };
}

export interface ApiKeyRevoked {
  readonly type: 'ApiKeyRevoked';
  readonly data: { readonly effectiveAt: string; readonly apiKeyId: string };
}

export type ApiKeyEvent = ApiKeyCreated | ApiKeyRevoked;
