import type { Answer } from './http-client';
import { testEventStore } from './eventstore';
import { HttpClient } from './http-client';
import { testDatabase } from './postgres';
import { Program, runToEnd } from './processes';

/** API processes that share nothing but a store, without a worker: commands and the audit need none. */
export class ApiProcesses {
  private constructor(
    readonly env: Readonly<Record<string, string>>,
    private readonly token: string,
    readonly programs: Program[],
    readonly clients: HttpClient[],
    private readonly closeServers: () => Promise<void>,
  ) {}

  /** Starts `count` of them with the test clock; ready as soon as they answer. */
  static async start(count: number, more: Readonly<Record<string, string>> = {}): Promise<ApiProcesses> {
    const [store, database] = await Promise.all([testEventStore(), testDatabase()]);
    const env = {
      EVENTSTORE_URL: store.url,
      DATABASE_URL: database.url,
      STREAM_PREFIX: store.prefix,
      DATABASE_SCHEMA: database.schema,
      RATE_LIMIT_PER_SECOND: '1000000',
      RATE_LIMIT_BURST: '1000000',
      ...more,
    };
    const { code, output } = await runToEnd('apps/api/src/create-api-key.js', [], env);
    if (code !== 0) throw new Error(`create-api-key ended with ${code}: ${output}`);
    const processes = new ApiProcesses(env, output.trim(), [], [], async () => {
      await database.close();
      await store.close();
    });
    await Promise.all(Array.from({ length: count }, (_, index) => processes.restart(index)));
    return processes;
  }

  client(index: number): HttpClient {
    const client = this.clients[index % this.clients.length];
    if (!client) throw new Error('no process');
    return client;
  }

  /** Starts the n-th process, after the end of the one before it. */
  async restart(index: number): Promise<void> {
    await this.programs[index]?.kill9();
    this.clients[index]?.close();
    const program = await Program.start({ program: 'api', env: this.env, args: ['--test-clock'] });
    this.programs[index] = program;
    this.clients[index] = new HttpClient(program.url, this.token);
    await program.answers();
  }

  async setClock(now: string): Promise<void> {
    const { status, body } = await this.client(0).ask('PUT', '/v1/test-clock', { body: { now } });
    if (status !== 200) throw new Error(`the clock cannot be set: ${status} ${JSON.stringify(body)}`);
  }

  /** Every event of a subscription's stream, as the audit reads it. */
  async events(subscriptionId: string): Promise<Answer['body'][]> {
    const stream = `${this.env['STREAM_PREFIX']}.subscription-${subscriptionId}`;
    const events: Answer['body'][] = [];
    for (let from: string | null = '0'; from !== null;) {
      const { status, body } = await this.client(0).get(
        `/v1/audit/streams/${stream}/events?limit=1000&fromRevision=${from}`,
      );
      if (status !== 200) throw new Error(`${stream}: ${status} ${JSON.stringify(body)}`);
      if (!body.chainHolds) throw new Error(`${stream}: the chain does not hold from ${from}`);
      events.push(...body.events);
      from = body.nextRevision;
    }
    return events;
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    for (const program of this.programs) if (program.running) await program.kill9();
    await this.closeServers();
  }
}
