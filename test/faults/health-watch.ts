import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { ownTime } from './own-time';

/** What the watcher saw; `violations` is empty when health told the truth. */
export interface HealthReport {
  readonly violations: readonly string[];
  readonly counts: { readonly 'ready asked': number; readonly 'said not ready': number; readonly progress: number };
}

/**
 * O7: asks `/health/ready` all the time, and at the same time does what a caller does: sends a command and reads it
 * back from a read model. A process that says ready has to have let one such command through, from sending to reading,
 * in the `truthMs` before; else it says "healthy" while nothing progresses.
 */
export class HealthWatch {
  private stopped = false;
  private lastProgress = ownTime();
  private progress = 0;
  private readonly marks: number[] = [];
  private readonly lies: string[] = [];
  private asked = 0;
  private notReady = 0;
  private readonly running: Promise<unknown>;
  private readonly client: HttpClient;

  private constructor(
    urls: readonly string[],
    token: string,
    private readonly subscriptionId: string,
    private readonly truthMs: number,
  ) {
    this.client = new HttpClient(urls[0] ?? '', token);
    this.running = Promise.all([this.tryOut(), ...urls.map((url) => this.askHealth(url))]);
  }

  /** `urls`: an API first; the health of every process is asked. The subscription takes line items all the time. */
  static start(o: {
    readonly urls: readonly string[];
    readonly token: string;
    readonly subscriptionId: string;
    /** What the service documents: 2 s for what a check asks, 10 s for what only silence shows, and a margin. */
    readonly truthMs: number;
  }): HealthWatch {
    return new HealthWatch(o.urls, o.token, o.subscriptionId, o.truthMs);
  }

  /** Resolves once a command that was sent after this call went all the way; throws when none has within `withinMs`. */
  async progresses(withinMs: number): Promise<void> {
    const from = performance.now();
    while (!this.marks.some((sent) => sent >= from)) {
      if (performance.now() - from > withinMs) throw new Error(`no command went through within ${withinMs} ms`);
      await delay(10);
    }
  }

  async stop(): Promise<HealthReport> {
    this.stopped = true;
    await this.running;
    this.client.close();
    return {
      violations: this.lies,
      counts: { 'ready asked': this.asked, 'said not ready': this.notReady, progress: this.progress },
    };
  }

  private async tryOut(): Promise<void> {
    while (!this.stopped) {
      const sent = performance.now();
      if (await this.goesThrough()) {
        this.lastProgress = ownTime();
        this.marks.push(sent);
        this.progress += 1;
      }
      await delay(50);
    }
  }

  private async goesThrough(): Promise<boolean> {
    const path = `/v1/subscriptions/${this.subscriptionId}`;
    const item = { lineItemId: randomUUID(), description: 'Is it alive?', unitPrice: '1' };
    try {
      const added = await this.client.post(`${path}/line-items`, item, item.lineItemId, { timeoutMs: 15_000 });
      if (added.status !== 201) return false;
      const read = await this.client.get(`${path}?minPosition=${added.body.position}`, { timeoutMs: 15_000 });
      return read.status === 200;
    } catch {
      return false;
    }
  }

  private async askHealth(url: string): Promise<void> {
    const client = new HttpClient(url);
    while (!this.stopped) {
      const asked = ownTime();
      const status = await client.get('/health/ready', { timeoutMs: 10_000 }).then(
        (answer) => answer.status,
        () => 0,
      );
      const silentMs = Math.round(asked - this.lastProgress);
      this.asked += 1;
      if (status !== 200) this.notReady += 1;
      else if (silentMs > this.truthMs)
        this.lies.push(`${url} said ready when nothing had gone through for ${silentMs} ms`);
      await delay(25);
    }
    client.close();
  }
}
