import { setTimeout as delay } from 'node:timers/promises';
import { inTime } from '@perennial/platform';
import { BudgetExhausted, QueueFull } from './errors';

/**
 * A process whose commands follow each other without a gap always appends first; another has to read what it missed before. So
 * the one that has had a contended stream for so long stands back until the other has had the time to come first.
 */
const TURN_MS = 100;
const STAND_BACK_MS = 25;
/** So long after a conflict the other process may still be trying. */
const CONTENDED_MS = 2_000;

interface Line {
  count: number;
  tail: Promise<void>;
  /** Since when commands have followed each other here, and when another process last came first. performance.now() in ms. */
  since: number;
  lostAt: number;
}

/** Lets the commands on one stream wait for each other inside a process, so that only other processes conflict. */
export class StreamQueue {
  readonly #waiting = new Map<string, Line>();

  constructor(private readonly limit: number) {}

  /**
   * Runs the task after those that came before it. Throws QueueFull when too many wait already, BudgetExhausted when
   * its turn has not come by `deadline` (performance.now() in ms).
   */
  async run<T>(stream: string, deadline: number, task: () => Promise<T>): Promise<T> {
    const line = this.#waiting.get(stream) ?? {
      count: 0,
      tail: Promise.resolve(),
      since: performance.now(),
      lostAt: Number.NEGATIVE_INFINITY,
    };
    if (line.count >= this.limit) throw new QueueFull(stream);
    line.count += 1;
    const before = line.tail;
    let done = (): void => undefined;
    line.tail = new Promise((resolve) => (done = resolve));
    this.#waiting.set(stream, line);
    try {
      if (line.count > 1) await inTime(before, deadline, () => new BudgetExhausted(stream));
      await standBack(line, deadline);
      return await task();
    } finally {
      line.count -= 1;
      // One that gave up waiting must not let the next overtake those before it.
      void before.then(done);
      if (line.count === 0) this.#waiting.delete(stream);
    }
  }

  /** That a command of this process found another process's events in its place. */
  lost(stream: string): void {
    const line = this.#waiting.get(stream);
    if (line) line.since = line.lostAt = performance.now();
  }
}

async function standBack(line: Line, deadline: number): Promise<void> {
  const now = performance.now();
  if (now - line.lostAt > CONTENDED_MS || now - line.since < TURN_MS) return;
  await delay(Math.max(0, Math.min(STAND_BACK_MS, deadline - now)));
  line.since = performance.now();
}
