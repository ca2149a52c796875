import { randomUUID } from 'node:crypto';
import { eventually, lineItem, monthly } from '../support/app';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { HttpClient } from '../support/http-client';
import { testDatabase, type TestDatabase } from '../support/postgres';
import { Program, runToEnd } from '../support/processes';
import { tcpProxy } from '../support/tcp-proxy';

/** API and worker as processes of their own, on servers that somebody else runs. */
describe('api and worker apart', () => {
  let store: TestEventStore;
  let database: TestDatabase;
  let env: Record<string, string>;
  let token: string;
  const programs: Program[] = [];
  const clients: HttpClient[] = [];

  beforeAll(async () => {
    [store, database] = await Promise.all([testEventStore(), testDatabase()]);
    env = {
      EVENTSTORE_URL: store.url,
      DATABASE_URL: database.url,
      STREAM_PREFIX: store.prefix,
      DATABASE_SCHEMA: database.schema,
      SCHEDULER_INTERVAL_MS: '50',
    };
    const { code, output } = await runToEnd('apps/api/src/create-api-key.js', [], env);
    expect(code).toBe(0);
    token = output.trim();
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    for (const program of programs) if (program.running) await program.kill9();
    await database.close();
    await store.close();
  });

  async function start(program: 'api' | 'worker', more: Record<string, string> = {}, args = ['--test-clock']) {
    const started = await Program.start({ program, env: { ...env, ...more }, args });
    programs.push(started);
    return started;
  }
  function clientOf({ url }: Program, key: string | undefined = token): HttpClient {
    const client = new HttpClient(url, key);
    clients.push(client);
    return client;
  }

  it('an API without a worker takes commands, says that its read models are behind, and never guesses', async () => {
    const api = await start('api', { VISIBILITY_WAIT_MS: '200' });
    const client = clientOf(api);
    await eventually(
      () => client.get('/health/live').catch(() => ({ status: 0, headers: {}, body: undefined })),
      ({ status }) => status === 200,
    );
    const started = await client.post('/v1/subscriptions', monthly(), 'start');
    expect(started.status).toBe(201);
    const read = await client.get(`/v1/subscriptions/${started.body.id}?minPosition=${started.body.position}`);
    expect([read.status, read.body.code, read.headers['retry-after']]).toEqual([503, 'not-yet-visible', '1']);
    const ready = await client.get('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.body.checks).toContainEqual(expect.objectContaining({ name: 'read-models', ok: false }));

    const worker = await start('worker');
    await Promise.all([worker.ready(), api.ready()]);
    expect((await client.get(`/v1/subscriptions/${started.body.id}`)).status).toBe(200);
    expect(await api.stop()).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  it('two APIs and two workers bill each period once', async () => {
    const [one, two, ...workers] = await Promise.all([start('api'), start('api'), start('worker'), start('worker')]);
    await Promise.all([one, two, ...workers].map((program) => program.ready()));
    const [a, b] = [clientOf(one), clientOf(two)];
    await a.ask('PUT', '/v1/test-clock', { body: { now: '2027-01-01T00:00:00Z' } });
    const started = await a.post('/v1/subscriptions', monthly({ externalId: 'two' }), 'start-two');
    const added = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        (n % 2 ? a : b).post(`/v1/subscriptions/${started.body.id}/line-items`, lineItem(`n${n}`), `add-${n}`),
      ),
    );
    expect(added.map(({ status }) => status)).toEqual(Array(40).fill(201));
    // Two processes share the clock, so the other one sees the time that this one set.
    expect((await b.get('/v1/test-clock')).body.now).toBe('2027-01-01T00:00:00.000Z');
    await b.ask('PUT', '/v1/test-clock', { body: { now: '2027-07-01T00:00:00Z' } });
    const { body } = await eventually(
      () => b.get(`/v1/invoices?subscriptionId=${started.body.id}&status=finalised`),
      (answer) => answer.body.items?.length === 7,
    );
    expect(body.items.map((invoice: { billNumber: number }) => invoice.billNumber)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(body.items.map((invoice: { total: { amount: string } }) => invoice.total.amount)).toEqual([
      '1999',
      String(1999 + 40 * 1250),
      ...Array<string>(5).fill('1999'),
    ]);
    for (const program of [one, two, ...workers]) expect(await program.stop()).toBe(0);
  });

  it('limits each key, says for how long to wait, and leaves other keys and health alone', async () => {
    const worker = await start('worker');
    const api = await start('api', { RATE_LIMIT_PER_SECOND: '5', RATE_LIMIT_BURST: '20' });
    await Promise.all([api.ready(), worker.ready()]);
    const client = clientOf(api);
    const answers = await Promise.all(Array.from({ length: 60 }, () => client.get('/v1/subscriptions?limit=1')));
    const limited = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(20);
    expect(limited.length).toBeGreaterThan(20);
    expect(limited[0]?.body).toMatchObject({ code: 'rate-limited', retryable: true });
    expect(limited[0]?.headers['retry-after']).toBe('1');
    const other = (await runToEnd('apps/api/src/create-api-key.js', ['--scopes', 'finance:read'], env)).output.trim();
    expect((await clientOf(api, other).get('/v1/subscriptions')).status).toBe(200);
    expect((await client.get('/health/ready')).status).toBe(200);
    // The bucket fills again; what was limited succeeds when it is sent again.
    await eventually(
      () => client.get('/v1/subscriptions?limit=1'),
      ({ status }) => status === 200,
    );
    await api.stop();
    await worker.stop();
  });

  it('finishes what runs when it is told to stop, and ends with 0', async () => {
    const worker = await start('worker');
    // Long enough for a busy machine to have sent all of them: what was never accepted cannot be finished.
    const api = await start('api', { SHUTDOWN_DELAY_MS: '4000' });
    await Promise.all([api.ready(), worker.ready()]);
    const client = clientOf(api);
    const { body } = await client.post('/v1/subscriptions', monthly(), randomUUID());
    const running = Array.from({ length: 100 }, (_, n) =>
      client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem(`stop-${n}`), `stop-${n}`),
    );
    // By the first answer the others have been sent, however slow the machine.
    await Promise.race(running);
    const ended = api.stop();
    const notReady = await eventually(
      () => client.get('/health/ready'),
      ({ status }) => status === 503,
    );
    expect(notReady.body.checks).toContainEqual({ name: 'process', ok: false, reason: 'stopping' });
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual(Array(100).fill(201));
    expect(await ended).toBe(0);
    expect(await worker.stop()).toBe(0);
  });

  it('says 503 with what to do while the store or the database is away, and is ready again when they are back', async () => {
    const gone = { EVENTSTORE_URL: 'esdb://127.0.0.1:9?tls=false', COMMAND_TIMEOUT_MS: '1000' };
    const api = await start('api', gone);
    const client = clientOf(api);
    await eventually(
      () => client.get('/health/live').catch(() => ({ status: 0, headers: {}, body: undefined })),
      ({ status }) => status === 200,
    );
    const refused = await client.get('/v1/subscriptions');
    expect([refused.status, refused.body.code, refused.body.retryable]).toEqual([503, 'store-unavailable', true]);
    expect(refused.headers['retry-after']).toBeDefined();
    await api.stop();

    const blind = await start('api', { DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' });
    const other = clientOf(blind);
    await eventually(
      () => other.get('/health/live').catch(() => ({ status: 0, headers: {}, body: undefined })),
      ({ status }) => status === 200,
    );
    expect((await other.get('/v1/subscriptions')).body.code).toBe('read-models-unavailable');
    expect((await other.post('/v1/subscriptions', monthly(), randomUUID())).status).toBe(201);
    expect((await other.get('/health/ready')).body.checks).toContainEqual(
      expect.objectContaining({ name: 'database', ok: false }),
    );
    expect(await blind.stop()).toBe(0);
  });

  it('answers within COMMAND_TIMEOUT_MS also while the store is silent, and a repeat goes on where that ended', async () => {
    const { hostname, port } = new URL(store.url.replace(/^[a-z+]+:/, 'http:'));
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    try {
      const url = `esdb://127.0.0.1:${proxy.port}?tls=false`;
      const api = await start('api', { EVENTSTORE_URL: url, COMMAND_TIMEOUT_MS: '1500' });
      const client = clientOf(api);
      await api.answers();
      const { body } = await client.post('/v1/subscriptions', monthly(), randomUUID());
      proxy.watch = () => 'hold';
      const asked: [string, object, string][] = [
        [`/v1/subscriptions/${body.id}/line-items`, lineItem('silent'), 'append'],
        [`/v1/subscriptions/${randomUUID()}/line-items`, lineItem('silent'), 'read'],
        [`/v1/subscriptions/${body.id}/line-items?dryRun=true`, lineItem('dry'), 'dry run'],
        ['/v1/subscriptions', monthly({ customerId: 'unknown so far' }), 'reads before it appends'],
      ];
      const began = performance.now();
      const answers = await Promise.all(asked.map(([path, item, key]) => client.post(path, item, key)));
      const tookMs = performance.now() - began;
      expect(answers.map(({ status, body: { retryable } }) => [status, retryable])).toEqual(
        asked.map(() => [503, true]),
      );
      expect(tookMs).toBeLessThan(2_500);
      proxy.watch = undefined;
      proxy.cut();
      const again = await eventually(
        () => client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem('silent'), 'append'),
        ({ status }) => status !== 503,
      );
      expect([again.status, again.body.revision]).toEqual([201, String(BigInt(body.revision) + 1n)]);
    } finally {
      await proxy.close();
    }
  });

  it('refuses to start with a wrong configuration, naming every mistake', async () => {
    const wrong = { ...env, PORT: 'x', SNAPSHOT_EVERY: '0', LOG_LEVEL: 'loud' };
    const { code, output } = await runToEnd('apps/api/src/main.js', [], wrong);
    expect(code).toBe(2);
    for (const name of ['PORT', 'SNAPSHOT_EVERY', 'LOG_LEVEL']) expect(output).toContain(name);
    const production = { ...env, NODE_ENV: 'production' };
    const refused = await runToEnd('apps/worker/src/main.js', ['--test-clock'], production);
    expect([refused.code, refused.output]).toEqual([2, expect.stringContaining('refused when NODE_ENV is production')]);
    const missing = await runToEnd('apps/api/src/main.js', [], {});
    expect([missing.code, missing.output]).toEqual([1, expect.stringContaining('EVENTSTORE_URL and DATABASE_URL')]);
    const unknown = await runToEnd('apps/api/src/main.js', ['--nonsense'], env);
    expect([unknown.code, unknown.output]).toEqual([2, expect.stringContaining('--test-clock')]);
  });

  it('prints its configuration without passwords', async () => {
    const secret = { ...env, DATABASE_URL: 'postgres://me:hush@host/db' };
    const { code, output } = await runToEnd('apps/worker/src/main.js', ['--print-config'], secret);
    expect([code, output]).toEqual([0, expect.stringContaining('DATABASE_URL=postgres://me:***@host/db')]);
    expect(output).not.toContain('hush');
  });

  it('shows metrics to a key with the scope admin', async () => {
    const worker = await start('worker');
    await worker.ready();
    const metrics = await clientOf(worker).get('/metrics');
    expect(metrics.status).toBe(200);
    for (const name of ['http_request_duration_seconds', 'command_duration_seconds', 'process_cpu_seconds_total']) {
      expect(metrics.body).toContain(name);
    }
    expect((await clientOf(worker, '').get('/metrics')).status).toBe(401);
    await worker.stop();
  });
});
