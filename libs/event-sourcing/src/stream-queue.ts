import { inTime } from '@perennial/platform';
import { BudgetExhausted, QueueFull } from './errors';

/** Lets the commands on one stream wait for each other inside a process, so that only other processes conflict. */
export class StreamQueue {
  readonly #waiting = new Map<string, { count: number; tail: Promise<void> }>();

  constructor(private readonly limit: number) {}

  /**
   * Runs the task after those that came before it. Throws QueueFull when too many wait already, BudgetExhausted when
   * its turn has not come by `deadline` (performance.now() in ms).
   */
  async run<T>(stream: string, deadline: number, task: () => Promise<T>): Promise<T> {
    const line = this.#waiting.get(stream) ?? { count: 0, tail: Promise.resolve() };
    if (line.count >= this.limit) throw new QueueFull(stream);
    line.count += 1;
    const before = line.tail;
    let done = (): void => undefined;
    line.tail = new Promise((resolve) => (done = resolve));
    this.#waiting.set(stream, line);
    try {
      if (line.count > 1) await inTime(before, deadline, () => new BudgetExhausted(stream));
      return await task();
    } finally {
      line.count -= 1;
      // One that gave up waiting must not let the next overtake those before it.
      void before.then(done);
      if (line.count === 0) this.#waiting.delete(stream);
    }
  }
}
