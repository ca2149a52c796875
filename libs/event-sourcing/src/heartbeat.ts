import { randomUUID } from 'node:crypto';
import type { EventStore } from './event-store';
import type { StreamNames } from './streams';

export const HEARTBEAT = 'Heartbeat';

/**
 * Writes an event of no meaning every so often and waits for it to come back: that nothing is missing cannot be told
 * from a subscription that has gone silent in any other way. Times are monotonic, in ms.
 */
export class Heartbeat {
  /** Round trip of the last one that came back, in ms. */
  roundTripMs: number | undefined;
  /** Whether one has come back since the start. */
  returned = false;
  /** Why the last one could not be written; undefined when it could. */
  failure: unknown;
  #waiting: { ids: Set<string>; since: number } | undefined;
  #next = 0;
  #writing: Promise<void> | undefined;
  #retention: Promise<void> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly names: StreamNames,
    private readonly intervalMs: number,
    private readonly onReturn?: (roundTripMs: number) => void,
  ) {}

  /** How long the oldest one has been under way, in ms; 0 when none is. */
  overdueMs(now = performance.now()): number {
    return this.#waiting ? now - this.#waiting.since : 0;
  }

  /** Writes the next one when it is due; never waits for the store. */
  tick(now = performance.now()): void {
    if (now < this.#next || this.#writing) return;
    this.#next = now + this.intervalMs;
    this.#writing = this.#write(now).finally(() => (this.#writing = undefined));
  }

  /** To be called for every event that has been applied. */
  seen(id: string): void {
    if (!this.#waiting?.ids.has(id)) return;
    this.roundTripMs = performance.now() - this.#waiting.since;
    this.#waiting = undefined;
    this.returned = true;
    this.onReturn?.(this.roundTripMs);
  }

  /** Writes one now; throws when the store does not take it. */
  async beat(): Promise<{ position: bigint }> {
    this.#retention ??= this.store.setMetadata(this.names.heartbeat, { maxCount: 1 }).catch((error: unknown) => {
      this.#retention = undefined;
      throw error;
    });
    await this.#retention;
    const id = randomUUID();
    this.#waiting ??= { ids: new Set(), since: performance.now() };
    this.#waiting.ids.add(id);
    const event = { id, type: HEARTBEAT, data: { process: process.pid }, metadata: {} };
    const written = await this.store.append(this.names.heartbeat, [event], 'any');
    // Its way back begins here; how long a busy store takes to write it says nothing about the subscription.
    if (this.#waiting?.ids.size === 1) this.#waiting.since = performance.now();
    return written;
  }

  async #write(now: number): Promise<void> {
    try {
      await this.beat();
      this.failure = undefined;
    } catch (error) {
      this.failure = error;
      this.#waiting ??= { ids: new Set(), since: now };
      this.#next = Math.min(this.#next, performance.now() + 1_000);
    }
  }
}
