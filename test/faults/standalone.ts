import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { preparePostgresDirectory } from '../support/postgres-directory';
import { Program } from '../support/processes';
import { apiKeyOf } from '../support/standalone';
import type { Random } from '../support/random';
import { Callers } from './callers';

/** What a standalone of a fault runs with: no rate limit to speak of, many snapshots, quick heartbeats. */
const surroundings = {
  RATE_LIMIT_PER_SECOND: '1000000',
  RATE_LIMIT_BURST: '1000000',
  SCHEDULER_INTERVAL_MS: '100',
  SNAPSHOT_EVERY: '20',
  HEARTBEAT_INTERVAL_MS: '1000',
};

export interface StandaloneOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** False: business time is the machine's. */
  readonly testClock?: boolean;
}

/** `npm start` on a data directory that outlives its processes, and whoever calls it. */
export class Standalone {
  readonly dataDir: string;
  readonly callers: Callers;
  private current: Program | undefined;
  private client: HttpClient | undefined;

  private constructor(
    directory: string,
    random: Random,
    private readonly o: StandaloneOptions,
  ) {
    this.dataDir = join(directory, 'data');
    this.callers = new Callers(random, () => this.http);
  }

  /** Brings it up on an empty data directory and waits until it is ready. */
  static async start(directory: string, random: Random, o: StandaloneOptions = {}): Promise<Standalone> {
    const standalone = new Standalone(directory, random, o);
    await preparePostgresDirectory(join(standalone.dataDir, 'postgres'));
    try {
      await standalone.start();
      if (o.testClock !== false) await standalone.callers.advance(0);
      return standalone;
    } catch (error) {
      await standalone.end();
      throw error;
    }
  }

  get http(): HttpClient {
    if (!this.client) throw new Error('not started');
    return this.client;
  }

  get program(): Program {
    if (!this.current) throw new Error('not started');
    return this.current;
  }

  /** Starts it and waits until it is ready; throws when it ends instead. */
  async start(
    more: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<void> {
    await this.launch(more);
    await this.program.ready();
    this.reconnect();
  }

  /** Starts it without waiting for anything. */
  async launch({
    args = [],
    env = {},
  }: { readonly args?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {}): Promise<void> {
    this.current = await Program.start({
      program: 'standalone',
      args: [...(this.o.testClock === false ? [] : ['--test-clock']), ...args],
      env: { ...surroundings, DATA_DIR: this.dataDir, ...this.o.env, ...env },
    });
  }

  /** Callers use the process of now, with the API key that is in the data directory now. */
  reconnect(): void {
    this.client?.close();
    this.client = new HttpClient(this.program.url, apiKeyOf(this.dataDir));
  }

  /** Whether a line item that is added to a subscription now can be read back: 200, or what the read answers instead. */
  async readsBack(id: string): Promise<{ readonly added: number; readonly read: number }> {
    const item = { lineItemId: randomUUID(), description: 'Does it come back?', unitPrice: '1' };
    const added = await this.http.post(`/v1/subscriptions/${id}/line-items`, item, item.lineItemId);
    if (added.status !== 201) return { added: added.status, read: 0 };
    const { status } = await this.http.get(`/v1/subscriptions/${id}?minPosition=${added.body.position}`);
    return { added: added.status, read: status };
  }

  /** Commands in flight for so long, while business time moves on. */
  async load(forMs: number, random: Random, inFlight = 32): Promise<void> {
    this.callers.start(inFlight);
    const ends = performance.now() + forMs;
    while (performance.now() < ends) {
      await delay(Math.min(250, ends - performance.now()));
      if (random.chance(0.5)) await this.callers.advance(random.between(3, 20));
    }
    await this.callers.stop();
  }

  /** The same, and then kill -9 with commands in flight. */
  async loadAndKill(forMs: number, random: Random): Promise<void> {
    this.callers.start(32);
    await delay(forMs / 2);
    await this.callers.advance(random.between(5, 40));
    await delay(forMs / 2);
    this.callers.hush();
    await this.program.kill9();
    await this.callers.stop();
  }

  async end(): Promise<void> {
    this.callers.hush();
    this.client?.close();
    if (this.current?.running) await this.current.kill9();
  }
}
