import { mkdtempSync, readFileSync, rmSync, statSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, lineItem, monthly } from '../support/app';
import { HttpClient } from '../support/http-client';
import { Program } from '../support/processes';
import { apiKeyOf } from '../support/standalone';

/** As `npm start` runs it: embedded servers on disk, nothing configured. */
describe('a standalone of its own', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'perennial-first-'));
  const env = { DATA_DIR: dataDir, SCHEDULER_INTERVAL_MS: '50' };
  let program: Program;
  let client: HttpClient;
  let subscriptionId: string;

  async function start(args: readonly string[] = []): Promise<void> {
    program = await Program.start({ program: 'standalone', args: ['--test-clock', ...args], env });
    await program.ready(120_000);
    client = new HttpClient(program.url, apiKeyOf(dataDir));
  }

  beforeAll(() => start(), 150_000);
  afterAll(async () => {
    client.close();
    if (program.running) await program.kill9();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('keeps its first API key where only its owner can read it, and never logs it', () => {
    const path = join(dataDir, 'api-key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(program.log).toContain(path);
    expect(program.log).not.toContain(readFileSync(path, 'utf8').trim());
  });

  it('gives an invoice for a charge that was added to the open period', async () => {
    await client.ask('PUT', '/v1/test-clock', { body: { now: '2026-01-01T09:00:00Z' } });
    const started = await client.post('/v1/subscriptions', monthly({ externalId: 'contract-1' }), 'start-1');
    expect(started.status).toBe(201);
    subscriptionId = started.body.id;
    expect(started.headers.location).toBe(`/v1/subscriptions/${subscriptionId}`);

    const added = await client.post(`/v1/subscriptions/${subscriptionId}/line-items`, lineItem('setup'), 'add-1');
    expect(added.status).toBe(201);
    const period = await client.get(
      `/v1/subscriptions/${subscriptionId}/current-billing-period?minPosition=${added.body.position}`,
    );
    expect(period.body.period.pendingNet).toEqual({ amount: '1250', currency: 'USD' });
    expect(period.body.period.billedNet).toEqual({ amount: '1999', currency: 'USD' });
    expect(period.body.asOf).toMatchObject({ incomplete: 0, state: 'live' });

    // The scheduler sees that the period has elapsed; nobody asks for the roll-over.
    await client.ask('PUT', '/v1/test-clock', { body: { now: '2026-02-01T00:00:00Z' } });
    const { body } = await eventually(
      () => client.get(`/v1/invoices?subscriptionId=${subscriptionId}&status=finalised`),
      (answer) => answer.body.items?.length === 2,
    );
    expect(body.items).toMatchObject([
      { number: 'INV-000001', cause: 'start', total: { amount: '1999', currency: 'USD' } },
      { number: 'INV-000002', cause: 'boundary', issuedOn: '2026-02-01', total: { amount: '3249', currency: 'USD' } },
    ]);
    const invoice = await client.get(`/v1/invoices/${body.items[1].invoiceId}`);
    expect(invoice.body.lines.map((line: { net: string }) => line.net).sort()).toEqual(['1250', '1999']);
  });

  it('finds every acknowledged fact again after kill -9', async () => {
    const before = await client.get(`/v1/subscriptions/${subscriptionId}`);
    const { position } = (
      await client.post(`/v1/subscriptions/${subscriptionId}/line-items`, lineItem('late'), 'add-2')
    ).body;
    await program.kill9();
    client.close();
    await start();
    const after = await client.get(`/v1/subscriptions/${subscriptionId}?minPosition=${position}`);
    expect(Number(after.body.revision)).toBe(Number(before.body.revision) + 1);
    const repeated = await client.post('/v1/subscriptions', monthly({ externalId: 'contract-1' }), 'start-1');
    expect([repeated.status, repeated.headers['idempotent-replayed']]).toEqual([201, 'true']);
    expect(repeated.body.id).toBe(subscriptionId);
  });

  it('refuses to share its data directory or its port, in a sentence', async () => {
    const second = await Program.start({ program: 'standalone', env });
    await expect(second.ready()).rejects.toThrow('ended while starting');
    expect(second.log).toMatch(/cannot be opened: .*(in use|lock)/i);
    expect(second.log).not.toContain('    at ');

    const squatter = createServer();
    const port = await new Promise<number>((resolve) =>
      squatter.listen(0, '127.0.0.1', () => resolve((squatter.address() as { port: number }).port)),
    );
    const otherDir = mkdtempSync(join(tmpdir(), 'perennial-port-'));
    const third = await Program.start({
      program: 'api',
      env: {
        PORT: String(port),
        EVENTSTORE_URL: 'esdb://127.0.0.1:1?tls=false',
        DATABASE_URL: 'postgres://127.0.0.1:1/x',
      },
    });
    await expect(third.ready()).rejects.toThrow('ended while starting');
    expect(third.log).toContain(`port ${port} on 127.0.0.1 is in use`);
    rmSync(otherDir, { recursive: true, force: true });
    squatter.close();
  });

  it('stops with exit code 0, and makes a new API key when asked or when the file is lost', async () => {
    const first = apiKeyOf(dataDir);
    expect(await program.stop()).toBe(0);
    client.close();
    await start(['--new-api-key']);
    const second = apiKeyOf(dataDir);
    expect(second).not.toBe(first);
    expect((await client.get('/v1/subscriptions')).status).toBe(200);
    const old = new HttpClient(program.url, first);
    expect((await old.get('/v1/subscriptions')).status).toBe(401);
    old.close();

    expect(await program.stop()).toBe(0);
    client.close();
    unlinkSync(join(dataDir, 'api-key'));
    await start();
    expect((await client.get('/v1/subscriptions')).body.items).toHaveLength(1);
  });
});
