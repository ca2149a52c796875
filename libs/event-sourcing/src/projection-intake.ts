import type { EventStore } from './event-store';
import type { RecordedEvent } from './event';
import type { FeedEvent } from './projection-feed';

const FEW = 16;

/** What came in since the last call, in log order. */
export interface Intake {
  readonly events: readonly FeedEvent[];
  /** Everything up to here has come in. */
  readonly covered: bigint | undefined;
  /** Nothing more is waiting and the subscription has said that it is at the head. */
  readonly caughtUp: boolean;
}

/**
 * A catch-up subscription read into a bounded buffer, so that writing one batch and receiving the next overlap. When
 * the buffer is full it stops reading, and the store may drop the subscription, which resumes itself.
 */
export class EventIntake {
  /** Monotonic time of the last sign of life. */
  heardAt = performance.now();
  drops = 0;
  #events: FeedEvent[] = [];
  #covered: bigint | undefined;
  #live = false;
  #failure: unknown;
  #ended = false;
  #taken: (() => void) | undefined;
  #arrived: (() => void) | undefined;
  readonly #done: Promise<void>;

  constructor(
    private readonly options: {
      readonly store: EventStore;
      readonly prefix: string;
      readonly from: bigint | null;
      readonly signal: AbortSignal;
      readonly read: (recorded: RecordedEvent) => FeedEvent;
      readonly capacity?: number;
      readonly onDropped?: (reason: unknown, hadProgress: boolean) => void;
    },
  ) {
    this.#done = this.#run();
  }

  get #capacity(): number {
    return this.options.capacity ?? 2_000;
  }

  get full(): boolean {
    return this.#events.length >= this.#capacity;
  }

  get waiting(): number {
    return this.#events.length;
  }

  /** Up to `max` events, after at most `waitMs` also none. Throws what reading an event threw, after all before it were given out. */
  async take(max: number, waitMs: number): Promise<Intake> {
    if (this.#events.length === 0 && !this.#ended) await this.#arrival(1, waitMs);
    // Under load a transaction costs more than its rows: a few ms make fewer and larger ones.
    if (this.#events.length > FEW && !this.#ended) await this.#arrival(max, this.#live ? 10 : 50);
    if (this.#events.length === 0 && this.#ended) {
      if (this.#failure !== undefined) throw this.#failure as Error;
      this.options.signal.throwIfAborted();
    }
    const events = this.#events.splice(0, max);
    this.#taken?.();
    const all = this.#events.length === 0;
    return { events, covered: all ? this.#covered : events.at(-1)?.position, caughtUp: all && this.#live };
  }

  /** Resolves when the subscription has ended, which the signal brings about. */
  ended(): Promise<void> {
    return this.#done;
  }

  async #run(): Promise<void> {
    const { store, prefix, from, signal, read } = this.options;
    try {
      const subscription = store.subscribe({
        from: from ?? 'start',
        prefixes: [prefix],
        signal,
        onCheckpoint: (position) => this.#heard(position),
        onCaughtUp: () => {
          this.#live = true;
          this.#heard();
        },
        onDropped: (reason, hadProgress) => {
          this.drops++;
          this.#live = false;
          this.options.onDropped?.(reason, hadProgress);
        },
      });
      for await (const recorded of subscription) {
        this.#events.push(read(recorded));
        this.#heard(recorded.position);
        while (this.full && !signal.aborted) await this.#room();
      }
    } catch (error) {
      this.#failure = error;
    } finally {
      this.#ended = true;
      this.#arrived?.();
    }
  }

  #heard(position?: bigint): void {
    this.heardAt = performance.now();
    this.#covered = position ?? this.#covered;
    this.#arrived?.();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.options.signal.removeEventListener('abort', go);
        this.#taken = undefined;
        resolve();
      };
      this.#taken = go;
      this.options.signal.addEventListener('abort', go, { once: true });
    });
  }

  /** Until `count` events wait, for at most `waitMs`; for the first one anything that was heard will do. */
  #arrival(count: number, waitMs: number): Promise<void> {
    if (this.#events.length >= count) return Promise.resolve();
    return new Promise((resolve) => {
      const go = () => {
        if (!this.#ended && count > 1 && this.#events.length < Math.min(count, this.#capacity)) return;
        end();
      };
      const end = () => {
        clearTimeout(timer);
        this.#arrived = undefined;
        // What came with the same packet belongs into the same batch.
        setImmediate(resolve);
      };
      const timer = setTimeout(end, waitMs);
      this.#arrived = go;
    });
  }
}
