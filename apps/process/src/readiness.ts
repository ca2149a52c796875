/** One thing that must hold for a process to be of use; answers why it does not, or undefined. */
export interface Check {
  readonly name: string;
  readonly problem: () => Promise<string | undefined>;
}

export interface ReadinessState {
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[];
}

/** Whether this process can do its work now; every check has `timeoutMs` to answer. */
export class Readiness {
  private draining = false;

  constructor(
    private readonly checks: readonly Check[],
    private readonly timeoutMs = 2_000,
  ) {}

  /** From now on it is not ready: the process is stopping. */
  drain(): void {
    this.draining = true;
  }

  async state(): Promise<ReadinessState> {
    const results = await Promise.all(
      this.checks.map(async ({ name, problem }) => ({ name, reason: await this.ask(problem) })),
    );
    if (this.draining) results.unshift({ name: 'process', reason: 'stopping' });
    return {
      ready: results.every(({ reason }) => reason === undefined),
      checks: results.map(({ name, reason }) => ({
        name,
        ok: reason === undefined,
        ...(reason !== undefined && { reason }),
      })),
    };
  }

  private async ask(problem: Check['problem']): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no answer within ${this.timeoutMs} ms`), this.timeoutMs);
    });
    try {
      return await Promise.race([problem(), late]);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
