import { randomUUID } from 'node:crypto';
import { Clock } from '@perennial/platform';
import { RevisionConflict } from './errors';
import type { EventStore } from './event-store';
import { streamNames } from './streams';

const CLOCK_SET = 'ClockSet';

/** The time asked for lies before the clock's. */
export class ClockCannotGoBack extends Error {
  override readonly name = 'ClockCannotGoBack';
  constructor(
    readonly now: string,
    readonly asked: string,
  ) {
    super(`the clock stands at ${now} and cannot go back to ${asked}`);
  }
}

/**
 * A clock that stands still until it is set, shared by all processes of an installation through the event store, so
 * that a test can drive months of billing in seconds. It shows real time until it is set for the first time.
 */
export class StoredTestClock extends Clock {
  readonly #stream: string;

  constructor(
    private readonly store: EventStore,
    streamPrefix: string,
  ) {
    super();
    this.#stream = streamNames(streamPrefix).clock;
  }

  async now(): Promise<string> {
    return (await this.#last())?.at ?? new Date().toISOString();
  }

  /** Sets the clock to an instant (ISO 8601) and answers it; throws ClockCannotGoBack, or a RangeError for what is no instant. */
  async set(instant: string): Promise<string> {
    const at = new Date(instant).toISOString();
    return this.#change((now) => {
      if (now !== undefined && at < now) throw new ClockCannotGoBack(now, at);
      return at;
    });
  }

  /** Moves the clock on by a number of ms and answers where it stands then; throws a RangeError for a negative number. */
  async advance(ms: number): Promise<string> {
    if (!(ms >= 0)) throw new RangeError(`the clock cannot go back by ${ms} ms`);
    return this.#change((now) => new Date(Date.parse(now ?? new Date().toISOString()) + ms).toISOString());
  }

  async #change(to: (now: string | undefined) => string): Promise<string> {
    for (;;) {
      const last = await this.#last();
      const at = to(last?.at);
      if (!last) await this.store.setMetadata(this.#stream, { maxCount: 1 });
      try {
        const event = { id: randomUUID(), type: CLOCK_SET, data: { at }, metadata: {} };
        await this.store.append(this.#stream, [event], last?.revision ?? 'no_stream');
        return at;
      } catch (error) {
        // Somebody else set it meanwhile: judge again from there.
        if (!(error instanceof RevisionConflict)) throw error;
      }
    }
  }

  async #last(): Promise<{ at: string; revision: bigint } | undefined> {
    const event = await this.store.last(this.#stream);
    return event && { at: (event.data as { at: string }).at, revision: event.revision };
  }
}
