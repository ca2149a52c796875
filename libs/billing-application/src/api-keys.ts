import { apiKeyType, type ApiKeyEvent, type Scope } from '@perennial/billing-domain';
import { decode, streamNames, type EventStore } from '@perennial/event-sourcing';
import { LRUCache } from 'lru-cache';
import { isSecret, parseToken } from './api-key-token';

/** Who asks: a key that stands, with the tenant that it belongs to. */
export interface ApiKeyHolder {
  readonly apiKeyId: string;
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

interface KnownKey extends ApiKeyHolder {
  readonly secretHash: string;
  readonly revoked: boolean;
}

const MAX_REMEMBERED = 10_000;
const REMEMBERED_FOR_MS = 5_000;
const UNKNOWN = 'unknown';

/**
 * Tells whose API key a token is. Keys are read from their streams, since a token does not say its tenant, and
 * remembered for 5 s at most, the unknown ones too; a key revoked elsewhere is refused after that.
 */
export class ApiKeys {
  private readonly known: LRUCache<string, KnownKey | typeof UNKNOWN>;

  constructor(
    private readonly store: EventStore,
    private readonly streamPrefix: string,
    rememberedForMs = REMEMBERED_FOR_MS,
  ) {
    this.known = new LRUCache({
      max: MAX_REMEMBERED,
      ttl: rememberedForMs,
      // The cache would otherwise ask the time only when a timer lets it: never, under a storm of requests.
      ttlResolution: 0,
      // Many requests with one key make one read.
      fetchMethod: async (id) => (await this.read(id)) ?? UNKNOWN,
    });
  }

  /** Undefined for a token that is malformed, unknown or revoked. Throws StoreUnavailable when that cannot be told. */
  async authenticate(token: string): Promise<ApiKeyHolder | undefined> {
    const parsed = parseToken(token);
    if (parsed === undefined) return undefined;
    const key = await this.known.fetch(parsed.apiKeyId);
    if (key === undefined || key === UNKNOWN) return undefined;
    if (!isSecret(parsed.secret, key.secretHash) || key.revoked) return undefined;
    const { apiKeyId, tenant, name, scopes } = key;
    return { apiKeyId, tenant, name, scopes };
  }

  /** The key changed in this process. */
  forget(apiKeyId: string): void {
    this.known.delete(apiKeyId);
  }

  private async read(id: string): Promise<KnownKey | undefined> {
    let key: KnownKey | undefined;
    for await (const recorded of this.store.whole(streamNames(this.streamPrefix).of(apiKeyType.name, id))) {
      const { event } = decode<ApiKeyEvent>(recorded, apiKeyType.catalog);
      if (event.type === 'ApiKeyCreated') key = { ...event.data, revoked: false };
      if (event.type === 'ApiKeyRevoked') return key && { ...key, revoked: true };
    }
    return key;
  }
}
