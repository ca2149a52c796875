import { refusal } from '../subscription/decisions.fixture';
import { apiKeyType, createApiKey, evolveApiKey, revokeApiKey, scopes, type ApiKey, type NewApiKey } from './api-key';
import type { ApiKeyEvent, Scope } from './events';

const now = '2026-01-01T00:00:00.000Z';
const key: NewApiKey = {
  apiKeyId: 'd35711a6-d74c-5f3c-9409-b96e82ebe121',
  tenant: 'default',
  name: 'finance',
  scopes: ['audit:read', 'finance:read', 'audit:read'],
  secretHash: 'a'.repeat(64),
};
const after = (state: ApiKey, events: readonly ApiKeyEvent[]) => events.reduce<ApiKey>(evolveApiKey, state);
const created = after(apiKeyType.initial, createApiKey(apiKeyType.initial, key, now));

it('is created once, with each scope once', () => {
  expect(createApiKey(apiKeyType.initial, key, now)).toEqual([
    { type: 'ApiKeyCreated', data: { ...key, effectiveAt: now, scopes: ['finance:read', 'audit:read'] } },
  ]);
  expect(refusal(() => createApiKey(created, key, now))).toBe('api-key-exists');
  expect(createApiKey(apiKeyType.initial, { ...key, name: 'x'.repeat(100), scopes }, now)[0]?.data).toMatchObject({
    scopes: ['commands:write', 'finance:read', 'audit:read', 'admin'],
  });
  expect(refusal(() => createApiKey(apiKeyType.initial, key, '2026-01-01'))).toBe('invalid-instant');
});

it('keeps its id and whether it stands, and is the same from a snapshot', () => {
  expect(created).toEqual({ status: 'active', apiKeyId: key.apiKeyId });
  expect(after(created, revokeApiKey(created, now))).toEqual({ status: 'revoked', apiKeyId: key.apiKeyId });
  const { toJSON, fromJSON } = apiKeyType.snapshot;
  expect(fromJSON(JSON.parse(JSON.stringify(toJSON(created))))).toEqual(created);
  expect(refusal(() => revokeApiKey(created, '2026-01-01'))).toBe('invalid-instant');
});

it.each([
  ['invalid-option', { scopes: [] }],
  ['invalid-option', { scopes: ['root' as Scope] }],
  ['invalid-option', { secretHash: 'secret' }],
  ['invalid-option', { scopes: ['admin', 'root' as Scope] as const }],
  ['invalid-option', { secretHash: 'a'.repeat(65) }],
  ['invalid-option', { secretHash: `x${'a'.repeat(64)}` }],
  ['invalid-option', { secretHash: 'A'.repeat(64) }],
  ['invalid-text', { name: '' }],
  ['invalid-text', { name: 'x'.repeat(101) }],
])('refuses with %s: %j', (code, changes) => {
  expect(refusal(() => createApiKey(apiKeyType.initial, { ...key, ...changes }, now))).toBe(code);
});

it('is revoked for good, once', () => {
  const events = revokeApiKey(created, now);
  expect(events).toEqual([{ type: 'ApiKeyRevoked', data: { effectiveAt: now, apiKeyId: key.apiKeyId } }]);
  expect(revokeApiKey(after(created, events), now)).toEqual([]);
  expect(refusal(() => createApiKey(after(created, events), key, now))).toBe('api-key-exists');
  expect(refusal(() => revokeApiKey(apiKeyType.initial, now))).toBe('api-key-not-found');
});

it('throws at an event that it does not know', () => {
  expect(() => evolveApiKey(created, { type: 'ApiKeyEaten', data: {} } as unknown as ApiKeyEvent)).toThrow(
    'unknown event',
  );
});
