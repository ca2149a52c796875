import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, HttpClient } from './http-client';
import { testDatabase } from './postgres';
import { Program, runToEnd } from './processes';
import { apiKeyOf, serversOf } from './standalone';

export interface ServiceOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A standalone over real sockets, on a data directory of its own and the database of this test run. */
export class Service {
  private readonly clients: HttpClient[] = [];

  private constructor(
    readonly program: Program,
    readonly dataDir: string,
    private readonly closeDatabase: () => Promise<void>,
    /** A caller with every scope, tenant `default`. */
    readonly client: HttpClient,
  ) {
    this.clients.push(client);
  }

  /** Starts it with the test clock and without a rate limit to speak of, and waits until it is ready. */
  static async start({ args = ['--test-clock'], env = {} }: ServiceOptions = {}): Promise<Service> {
    const dataDir = mkdtempSync(join(tmpdir(), 'perennial-e2e-'));
    const database = await testDatabase();
    const program = await Program.start({
      program: 'standalone',
      args,
      env: {
        DATA_DIR: dataDir,
        DATABASE_URL: database.url,
        DATABASE_SCHEMA: database.schema,
        STREAM_PREFIX: database.schema.replaceAll('_', ''),
        SCHEDULER_INTERVAL_MS: '50',
        RATE_LIMIT_PER_SECOND: '100000',
        RATE_LIMIT_BURST: '100000',
        ...(process.env['EVENTSTORE_URL'] && { EVENTSTORE_URL: process.env['EVENTSTORE_URL'] }),
        ...env,
      },
    });
    try {
      await program.ready();
    } catch (error) {
      if (program.running) await program.kill9();
      await database.close();
      throw error;
    }
    return new Service(program, dataDir, () => database.close(), new HttpClient(program.url, apiKeyOf(dataDir)));
  }

  /** A caller with this API key, or with none. */
  as(token?: string): HttpClient {
    const client = new HttpClient(this.program.url, token);
    this.clients.push(client);
    return client;
  }

  /** What the program was started with, and where its servers are: for other programs beside it. */
  get surroundings(): Record<string, string> {
    const { eventstoreUrl, databaseUrl } = serversOf(this.dataDir);
    return { ...this.program.options.env, EVENTSTORE_URL: eventstoreUrl, DATABASE_URL: databaseUrl };
  }

  /** A new API key, made on the command line as for an installation of several processes. */
  async newKey(tenant: string, scopes: readonly string[]): Promise<string> {
    const args = ['--tenant', tenant, '--scopes', scopes.join(','), '--name', 'test'];
    const { code, output } = await runToEnd('apps/api/src/create-api-key.js', args, this.surroundings);
    if (code !== 0) throw new Error(`create-api-key ended with ${code}: ${output}`);
    return output.trim();
  }

  /** Sets the business clock. */
  async setClock(now: string): Promise<void> {
    const { status, body } = await this.client.ask('PUT', '/v1/test-clock', { body: { now } });
    if (status !== 200) throw new Error(`the clock cannot be set: ${status} ${JSON.stringify(body)}`);
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close();
    if (this.program.running) await this.program.stop();
    await this.closeDatabase();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** A monthly subscription of 19.99 USD in advance, in Berlin. */
export function monthly(more: object = {}): object {
  return {
    customerId: 'customer-1',
    currency: 'USD',
    timeZone: 'Europe/Berlin',
    interval: { unit: 'month', count: 1 },
    items: [{ description: 'Base fee', timing: 'advance', price: { model: 'flat', unitPrice: '1999' } }],
    ...more,
  };
}

export function lineItem(lineItemId: string, more: object = {}): object {
  return { lineItemId, description: 'Work', unitPrice: '1250', ...more };
}

/** Asks again until the answer is as wanted; throws with the last one when it is not within `timeoutMs`. */
export async function eventually(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
  timeoutMs = 40_000,
): Promise<Answer> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > until) throw new Error(`not within ${timeoutMs} ms: ${JSON.stringify(answer.body)}`);
    await delay(20);
  }
}
