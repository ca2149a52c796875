import { type Chaos, type Fault, never } from './chaos';

const LATENCY_MS = { from: 1, to: 3 };
/** Beyond every deadline of a single call, within a command's time. */
const LATE_MS = { from: 2_000, to: 6_000 };
const SLOW_MS = { from: 50, to: 1_500 };

/** A connection that ended under a call, as a client reports it. */
export type LostConnection = (how: 'refused' | 'lost') => Error;

/** The way from one process to a server. When the process dies, nothing comes back over it any more; what was sent arrives. */
export class Link {
  alive = true;
  private readonly onDeath = new Set<() => void>();

  constructor(
    readonly chaos: Chaos,
    readonly name: string,
    private readonly crash: () => void,
  ) {}

  /** The process is gone. */
  cut(): void {
    this.alive = false;
    for (const listener of [...this.onDeath]) listener();
  }

  whenCut(listener: () => void): () => void {
    this.onDeath.add(listener);
    return () => this.onDeath.delete(listener);
  }

  /** The process ends here and now; for whoever asked, nothing follows. */
  die(): Promise<never> {
    this.crash();
    return never();
  }

  /** What was sent goes over the network, `apply` happens at the server, the answer comes back; or what the fault makes of that. */
  async call<T>(
    where: string,
    possible: readonly Fault[],
    apply: () => T | Promise<T>,
    lost: LostConnection,
  ): Promise<T> {
    const { chaos } = this;
    if (!this.alive) return never();
    const fault = chaos.at(where, possible);
    if (fault === 'crash') return this.crashIn(apply);
    if (fault === 'refused') {
      await this.back(0, 1);
      throw lost('refused');
    }
    if (fault === 'request-lost') {
      await this.back(1, 200);
      if (chaos.random.chance(0.3)) return never();
      throw lost('lost');
    }
    if (fault === 'late') await chaos.pause(LATE_MS.from, LATE_MS.to);
    else if (fault === 'slow') await chaos.pause(SLOW_MS.from, SLOW_MS.to);
    else await chaos.pause(LATENCY_MS.from, LATENCY_MS.to);
    const settled = await Promise.resolve()
      .then(apply)
      .then(
        (value) => () => value,
        (error: unknown) => () => {
          throw error;
        },
      );
    await this.back(LATENCY_MS.from, LATENCY_MS.to);
    if (fault === 'answer-lost') {
      if (chaos.random.chance(0.3)) return never();
      throw lost('lost');
    }
    return settled();
  }

  private async back(from: number, to: number): Promise<void> {
    await this.chaos.pause(from, to);
    if (!this.alive) await never();
  }

  private async crashIn<T>(apply: () => T | Promise<T>): Promise<T> {
    const sent = this.chaos.random.chance(0.6);
    if (!sent) this.crash();
    else {
      // Under way when its process ends; the server has it now, or hears of it later.
      await this.chaos.pause(0, 5);
      const doing = Promise.resolve().then(apply);
      doing.catch(() => undefined);
      if (this.chaos.random.chance(0.5)) await doing.catch(() => undefined);
      this.crash();
    }
    return never();
  }
}
