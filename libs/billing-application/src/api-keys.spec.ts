import { StoreUnavailable } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../test/support/eventstore';
import { formatToken, newSecret } from './api-key-token';
import { CreateApiKey } from './commands/create-api-key';
import { RevokeApiKey } from './commands/revoke-api-key';

const TIME = '2026-01-01T00:00:00.000Z';

describe('API keys', () => {
  let at: TestEventStore;
  let process: BillingProcess;

  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: TIME });
  });

  afterAll(async () => {
    await process.close();
    await at.close();
  });

  const create = (over: Parameters<typeof request>[0] = {}) =>
    new CreateApiKey('finance', ['finance:read', 'audit:read'], request(over));

  it('authenticates the token that creating it gave, in its tenant and with its scopes', async () => {
    const { aggregateId, token } = await process.execute(create({ tenant: 'acme' }));
    expect(await process.apiKeys.authenticate(token ?? '')).toEqual({
      apiKeyId: aggregateId,
      tenant: 'acme',
      name: 'finance',
      scopes: ['finance:read', 'audit:read'],
    });
  });

  it('keeps the secret nowhere and gives it once', async () => {
    const command = create();
    const { token, ...first } = await process.execute(command);
    const secret = token?.slice(-43) ?? '';
    for await (const { data, metadata } of process.store.read(`${at.prefix}.api-key-${first.aggregateId}`))
      expect(JSON.stringify([data, metadata])).not.toContain(secret);
    expect(await process.execute(command)).toEqual({ ...first, repeated: true });
  });

  it('gives the secret to exactly one of many who send one key at once, and none in a dry run', async () => {
    const command = create();
    const answers = await Promise.all(Array.from({ length: 20 }, () => process.execute(command)));
    const tokens = answers.flatMap(({ token }) => token ?? []);
    expect(tokens).toHaveLength(1);
    expect(await process.apiKeys.authenticate(tokens[0] ?? '')).toBeDefined();
    expect(await process.execute(create({ dryRun: true }))).not.toHaveProperty('token');
  });

  it('refuses a revoked key at once in this process and soon in another, one that knew it too', async () => {
    const other = await billingProcess(at, { time: TIME, rememberKeysForMs: 50 });
    const { aggregateId, token = '' } = await process.execute(create());
    expect(await process.apiKeys.authenticate(token)).toBeDefined();
    expect(await other.apiKeys.authenticate(token)).toBeDefined();
    await process.execute(new RevokeApiKey(aggregateId, request()));
    expect(await process.apiKeys.authenticate(token)).toBeUndefined();
    const deadline = performance.now() + 5_000;
    while ((await other.apiKeys.authenticate(token)) !== undefined) expect(performance.now()).toBeLessThan(deadline);
    await other.close();
  });

  it('does not take a revoked key for one that stands when a read ends before its revocation', async () => {
    if (!at.embedded) return;
    const { aggregateId, token = '' } = await process.execute(create());
    await process.execute(new RevokeApiKey(aggregateId, request()));
    at.embedded.faults.endReadsSilentlyAfter = 1;
    try {
      await expect(process.apiKeys.authenticate(token)).rejects.toThrow(StoreUnavailable);
    } finally {
      at.embedded.faults.endReadsSilentlyAfter = undefined;
    }
    expect(await process.apiKeys.authenticate(token)).toBeUndefined();
  });

  it('refuses what is malformed, unknown, or has another secret', async () => {
    const { aggregateId, token = '' } = await process.execute(create());
    const wrong = [
      '',
      'pk_',
      token.slice(0, -1),
      `${token}x`,
      token.toUpperCase(),
      formatToken({ apiKeyId: aggregateId, secret: newSecret() }),
      formatToken({ apiKeyId: 'ffffffff-ffff-4fff-8fff-ffffffffffff', secret: newSecret() }),
    ];
    for (const each of wrong) expect(await process.apiKeys.authenticate(each)).toBeUndefined();
  });

  it('cannot be revoked from another tenant', async () => {
    const { aggregateId, token = '' } = await process.execute(create({ tenant: 'acme' }));
    await expect(process.execute(new RevokeApiKey(aggregateId, request()))).rejects.toThrow('no api-key');
    expect(await process.apiKeys.authenticate(token)).toBeDefined();
  });
});
