import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { crowding, ownTime } from './own-time';

/** What the watcher saw; `violations` is empty when health told the truth. */
export interface HealthReport {
  readonly violations: readonly string[];
  readonly counts: { readonly 'ready asked': number; readonly 'said not ready': number; readonly progress: number };
}

/** Behind by more than this, or silent for longer, a process is not ready (its documentation says 10 s); and a margin. */
const truthMs = 14_000;
/** Within this a process notices that the store or the database is away: a check of its own takes up to 2 s; and a margin. */
const noticeMs = 4_000;

/**
 * O7: asks `/health/ready` all the time, and at the same time does what a caller does: sends a command and reads it
 * back from a read model. A process that says ready has to have let one such command through, from sending to reading,
 * in the `truthMs` before, and store and database have to be there: else it says "healthy" while nothing progresses.
 */
export class HealthWatch {
  private stopped = false;
  private lastProgress = ownTime();
  /** The longest that one command took to go all the way, in ms. */
  slowestMs = 0;
  private awaySince = Infinity;
  private progress = 0;
  private readonly marks: number[] = [];
  private readonly lies: string[] = [];
  private asked = 0;
  /** How often a process said that it is not ready. */
  notReady = 0;
  private readonly running: Promise<unknown>;
  private readonly client: HttpClient;

  private constructor(
    urls: readonly string[],
    token: string,
    private readonly subscriptionId: string,
  ) {
    this.client = new HttpClient(urls[0] ?? '', token);
    this.running = Promise.all([this.tryOut(), ...urls.map((url) => this.askHealth(url))]);
  }

  /** `urls`: an API first; the health of every process is asked. The subscription takes line items all the time. */
  static start(o: {
    readonly urls: readonly string[];
    readonly token: string;
    readonly subscriptionId: string;
  }): HealthWatch {
    return new HealthWatch(o.urls, o.token, o.subscriptionId);
  }

  /** Resolves once a command that was sent after this call went all the way; throws when none has within `withinMs`. */
  async progresses(withinMs: number): Promise<void> {
    const from = performance.now();
    while (!this.marks.some((sent) => sent >= from)) {
      if (performance.now() - from > withinMs) throw new Error(`no command went through within ${withinMs} ms`);
      await delay(10);
    }
  }

  /** From here on something is away that nothing works without. */
  away(): void {
    this.awaySince = ownTime();
  }

  back(): void {
    this.awaySince = Infinity;
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
        this.slowestMs = Math.max(this.slowestMs, performance.now() - sent);
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
      else if (silentMs > truthMs * crowding() + 2 * this.slowestMs)
        this.lies.push(`${url} said ready when nothing had gone through for ${silentMs} ms`);
      else if (asked - this.awaySince > noticeMs * crowding())
        this.lies.push(`${url} said ready when what it needs was away for ${Math.round(asked - this.awaySince)} ms`);
      await delay(25);
    }
    client.close();
  }
}
