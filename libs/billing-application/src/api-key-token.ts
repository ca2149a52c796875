import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An API key as its owner keeps it, taken apart: `pk_<apiKeyId>_<secret>`, the secret 256 random bits in base64url. */
export interface ApiKeyToken {
  readonly apiKeyId: string;
  readonly secret: string;
}

const TOKEN = /^pk_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function formatToken({ apiKeyId, secret }: ApiKeyToken): string {
  return `pk_${apiKeyId}_${secret}`;
}

/** Undefined for what cannot be an API key. */
export function parseToken(token: string): ApiKeyToken | undefined {
  const [, apiKeyId, secret] = TOKEN.exec(token) ?? [];
  return apiKeyId === undefined || secret === undefined ? undefined : { apiKeyId, secret };
}

/** sha256 (hex); a fast hash is enough for 256 random bits. */
export function secretHash(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** Compares in a time that does not tell how much was right. */
export function isSecret(secret: string, hashed: string): boolean {
  return timingSafeEqual(Buffer.from(secretHash(secret), 'hex'), Buffer.from(hashed, 'hex'));
}
