import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from './http-client';

const root = join(__dirname, '../..');
/** The build that is tested; DIST_DIR names another one than dist/. */
const built = (file: string) => join(process.env['DIST_DIR'] ?? join(root, 'dist'), file);

export interface ProgramOptions {
  readonly program: 'standalone' | 'api' | 'worker';
  readonly env: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Everything that was started here and has not ended: nothing of it may outlive whoever started it. */
const alive = new Set<ChildProcess>();

/** Kills what is left of the processes that were started here, whatever state they are in. */
export function killAll(): void {
  for (const child of alive) child.kill('SIGKILL');
}

/** A process with what it prints, and what signals do to it. */
export class Running {
  private output = '';
  private readonly ended: Promise<number | string>;

  constructor(
    private readonly child: ChildProcess,
    private readonly name: string,
  ) {
    alive.add(child);
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (part: Buffer) => (this.output = (this.output + part.toString()).slice(-20_000)));
    this.ended = new Promise((resolve) =>
      child.on('exit', (code, signal) => {
        alive.delete(child);
        resolve(signal ?? code ?? 0);
      }),
    );
  }

  /** Starts a Node program of this repository, or of the build under test when its path begins with `dist/`. */
  static node(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const [file = '', ...rest] = args;
    const program = file.startsWith('dist/') ? built(file.slice('dist/'.length)) : file;
    const child = spawn(process.execPath, [program, ...rest], {
      cwd: root,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Running(child, file);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The end of what it printed. */
  get log(): string {
    return this.output;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves with what matched once it has printed it; throws when it ends, or has not by then. */
  async prints(pattern: RegExp, timeoutMs = 60_000): Promise<string> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.output);
      if (found) return found[0];
      if (!this.running) throw new Error(`${this.name} ended while starting:\n${this.output}`);
      if (performance.now() > until) throw new Error(`${this.name} did not start:\n${this.output}`);
      await delay(10);
    }
  }

  /** Stops it where it stands (SIGSTOP): its sockets stay open and nothing answers. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** kill -9; resolves when the process is gone. */
  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Asks it to stop (SIGTERM) and gives its exit code; kills it when that takes longer than `timeoutMs`. */
  async stop(timeoutMs = 30_000): Promise<number | string> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }
}

/** A program of dist/ as a process of its own. */
export class Program extends Running {
  private constructor(
    readonly options: ProgramOptions,
    readonly url: string,
    child: ChildProcess,
  ) {
    super(child, options.program);
  }

  /** Starts it on a free port; it is not ready yet. */
  static async start(options: ProgramOptions): Promise<Program> {
    const port = await freePort();
    const main = built(`apps/${options.program}/src/main.js`);
    const child = spawn(process.execPath, [main, ...(options.args ?? [])], {
      cwd: root,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        LOG_LEVEL: 'warn',
        PORT: String(port),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Program(options, `http://127.0.0.1:${port}`, child);
  }

  /** Resolves once it answers at all, ready or not. */
  answers(timeoutMs = 60_000): Promise<number> {
    return this.until('/health/live', timeoutMs);
  }

  /** Resolves with the ms that it took until `/health/ready` said 200; throws when it ends, or is not by then. */
  ready(timeoutMs = 60_000): Promise<number> {
    return this.until('/health/ready', timeoutMs);
  }

  private async until(path: string, timeoutMs: number): Promise<number> {
    const started = performance.now();
    const client = new HttpClient(this.url);
    let last = 'no answer';
    try {
      while (performance.now() - started < timeoutMs) {
        if (!this.running) throw new Error(`the ${this.options.program} ended while starting:\n${this.log}`);
        try {
          const { status, body } = await client.get(path, { timeoutMs: 3_000 });
          if (status === 200) return performance.now() - started;
          last = JSON.stringify(body);
        } catch {
          // Not listening yet.
        }
        await delay(25);
      }
    } finally {
      client.close();
    }
    throw new Error(`the ${this.options.program} was not ready after ${timeoutMs} ms: ${last}\n${this.log}`);
  }
}

/** Runs a program of dist/ to its end; resolves with its exit code and what it printed. */
export async function runToEnd(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs = 120_000,
): Promise<{ code: number | string; output: string }> {
  const child = spawn(process.execPath, [built(file), ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  alive.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString()));
  const code = await new Promise<number | string>((resolve) =>
    child.on('exit', (exit, signal) => resolve(signal ?? exit ?? 0)),
  );
  alive.delete(child);
  return { code, output };
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
