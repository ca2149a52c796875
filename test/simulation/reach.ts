/** How a server is away: it refuses whoever comes, or nothing is heard of it. */
export type Away = 'refuses' | 'hangs';

/** Whether a server can be reached, by everybody at once. */
export class Reach {
  private how: Away | undefined;
  private readonly waiting = new Set<() => void>();
  private readonly connected = new Set<(how: Away) => void>();

  /** How the server is away; undefined while it is there. */
  get away(): Away | undefined {
    return this.how;
  }

  /** From now on nobody reaches it; who is connected is told. */
  lose(how: Away): void {
    this.how = how;
    for (const listener of [...this.connected]) listener(how);
  }

  /** It is there again. */
  restore(): void {
    this.how = undefined;
    for (const listener of [...this.waiting]) listener();
    this.waiting.clear();
  }

  /** Until it is there. */
  back(): Promise<void> {
    if (this.how === undefined) return Promise.resolve();
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  /** Calls `listener` when it goes away; answers how to stop that. */
  whenLost(listener: (how: Away) => void): () => void {
    this.connected.add(listener);
    return () => this.connected.delete(listener);
  }
}
