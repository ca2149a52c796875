import { type Chaos, type Fault, never } from './chaos';
import type { Away, Reach } from './reach';

/** Beyond every deadline of a single call, within a command's time. */
const LATE_MS = { from: 2_000, to: 6_000 };
const SLOW_MS = { from: 50, to: 1_500 };

/** The server at the other end, and how its client reports a connection that was refused, or ended under a call. */
export interface Server {
  readonly reach: Reach;
  /** Of one way, in virtual ms. */
  readonly latencyMs: { readonly from: number; readonly to: number };
  lost(how: 'refused' | 'lost'): Error;
}

/** The way from one process to a server. When the process dies, nothing comes back over it any more; what was sent arrives. */
export class Link {
  alive = true;
  private readonly onDeath = new Set<() => void>();

  constructor(
    readonly chaos: Chaos,
    readonly name: string,
    private readonly crash: () => void,
    /** Who only looks on reaches servers that are away for others. */
    private readonly onlooker = false,
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
  async call<T>(where: string, possible: readonly Fault[], apply: () => T | Promise<T>, server: Server): Promise<T> {
    const { chaos } = this;
    if (!this.alive) return never();
    if (this.away(server) === 'refuses') {
      await this.back(0, 1);
      throw server.lost('refused');
    }
    const fault = chaos.at(where, possible);
    if (fault === 'crash') return this.crashIn(apply);
    if (fault === 'refused') {
      await this.back(0, 1);
      throw server.lost('refused');
    }
    if (fault === 'request-lost') {
      await this.back(1, 200);
      return this.unanswered(server);
    }
    if (fault === 'late') await chaos.pause(LATE_MS.from, LATE_MS.to);
    else if (fault === 'slow') await chaos.pause(SLOW_MS.from, SLOW_MS.to);
    else await chaos.pause(server.latencyMs.from, server.latencyMs.to);
    if (this.away(server)) return this.unanswered(server);
    const settled = await Promise.resolve()
      .then(apply)
      .then(
        (value) => () => value,
        (error: unknown) => () => {
          throw error;
        },
      );
    await this.back(server.latencyMs.from, server.latencyMs.to);
    if (fault === 'answer-lost' || this.away(server)) return this.unanswered(server);
    return settled();
  }

  /** How the server is away for this process. */
  away(server: Server): Away | undefined {
    return this.onlooker ? undefined : server.reach.away;
  }

  /** Calls `listener` when connections to the server end because it refuses everybody. */
  whenRefused(server: Server, listener: () => void): () => void {
    return server.reach.whenLost((how) => {
      if (how === 'refuses' && !this.onlooker) listener();
    });
  }

  /** Nothing comes back while the server is away, nor for ever, or that the connection is lost. */
  private async unanswered(server: Server): Promise<never> {
    if (this.away(server) === 'hangs') {
      await server.reach.back();
      await this.back(0, 1);
    }
    if (this.chaos.random.chance(0.3)) return never();
    throw server.lost('lost');
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
