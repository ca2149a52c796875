import { join } from 'node:path';
import { HttpClient } from '../support/http-client';
import { preparePostgresDirectory } from '../support/postgres-directory';
import { Program, Running, runToEnd } from '../support/processes';
import { apiKeyOf } from '../support/standalone';
import { crowding } from './own-time';
import { tcpProxy, type TcpProxy } from '../support/tcp-proxy';

/** A server of the service as a process of its own, on a directory that outlives it, behind a network that can be bad. */
export class Server {
  private constructor(
    private readonly args: readonly string[],
    private readonly announces: RegExp,
    readonly network: TcpProxy,
    public process: Running,
  ) {}

  /** Starts it; `announces` has the port that it listens on as its first group. */
  static async start(args: readonly string[], announces: RegExp): Promise<Server> {
    const network = await tcpProxy({ host: '127.0.0.1', port: 9 });
    const server = new Server(args, announces, network, Running.node(args));
    await server.listens();
    return server;
  }

  /** Starts it again after its end. */
  async restart(): Promise<void> {
    this.process = Running.node(this.args);
    await this.listens();
  }

  async close(): Promise<void> {
    await this.network.close();
    if (this.process.running) await this.process.kill9();
  }

  private async listens(): Promise<void> {
    const port = this.announces.exec(await this.process.prints(this.announces))?.[1];
    this.network.target = { host: '127.0.0.1', port: Number(port) };
  }
}

export interface DeploymentOptions {
  readonly directory: string;
  /** One standalone with servers outside it, or processes apart. */
  readonly programs: 'standalone' | { readonly apis: number; readonly workers: number };
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that is not ready by then never will be, however busy the machine. */
const startedWithinMs = 120_000;

/** The time that a command may take here: so short that an outage shows what becomes of commands in it. */
export const commandTimeoutMs = 3_000;
/** Within this every command is answered: 10 % more, and what the machine adds. */
export const answerWithinMs = () => Math.round(commandTimeoutMs * 1.1 + 2_000 * crowding());

/** The service with its event store and its database each as a process of its own. */
export class Deployment {
  private readonly clients: HttpClient[] = [];
  private next = 0;

  private constructor(
    readonly store: Server,
    readonly database: Server,
    /** As every program has it. */
    readonly env: Readonly<Record<string, string>>,
    readonly apis: Program[],
    readonly workers: Program[],
    readonly token: string,
  ) {}

  /** Brings everything up and waits until it is ready. */
  static async start(o: DeploymentOptions): Promise<Deployment> {
    const database = join(o.directory, 'postgres');
    await preparePostgresDirectory(database);
    const started: (Server | Program)[] = [];
    try {
      const servers = await Promise.allSettled([
        Server.start(
          ['dist/libs/embedded-eventstore/src/main.js', '--data', join(o.directory, 'eventstore'), '--port', '0'],
          /esdb:\/\/127\.0\.0\.1:(\d+)/,
        ),
        Server.start(
          ['test/run.mjs', 'test/bench/postgres-server.ts', database],
          /postgresql:\/\/postgres@127\.0\.0\.1:(\d+)/,
        ),
      ]);
      for (const server of servers) if (server.status === 'fulfilled') started.push(server.value);
      const [store, base] = servers.map((server) => {
        if (server.status === 'rejected') throw server.reason;
        return server.value;
      }) as [Server, Server];
      const env = {
        EVENTSTORE_URL: `esdb://127.0.0.1:${store.network.port}?tls=false`,
        DATABASE_URL: `postgresql://postgres@127.0.0.1:${base.network.port}/postgres`,
        DATA_DIR: join(o.directory, 'data'),
        RATE_LIMIT_PER_SECOND: '1000000',
        RATE_LIMIT_BURST: '1000000',
        SCHEDULER_INTERVAL_MS: '100',
        SNAPSHOT_EVERY: '20',
        HEARTBEAT_INTERVAL_MS: '1000',
        COMMAND_TIMEOUT_MS: String(commandTimeoutMs),
        VISIBILITY_WAIT_MS: '10000',
        APPEND_DEADLINE_MS: '500',
        ...o.env,
      };
      const launch = async (program: 'standalone' | 'api' | 'worker') => {
        const launched = await Program.start({ program, env, args: ['--test-clock'] });
        started.push(launched);
        return launched;
      };
      if (o.programs === 'standalone') {
        const program = await launch('standalone');
        await program.ready(startedWithinMs);
        return new Deployment(store, base, env, [program], [], apiKeyOf(env.DATA_DIR));
      }
      const { code, output } = await runToEnd('apps/api/src/create-api-key.js', [], env);
      if (code !== 0) throw new Error(`create-api-key ended with ${code}: ${output}`);
      const all = await Promise.all([
        ...Array.from({ length: o.programs.apis }, () => launch('api')),
        ...Array.from({ length: o.programs.workers }, () => launch('worker')),
      ]);
      await Promise.all(all.map((program) => program.ready(startedWithinMs)));
      const apis = all.slice(0, o.programs.apis);
      return new Deployment(store, base, env, apis, all.slice(o.programs.apis), output.trim());
    } catch (error) {
      for (const each of started) await (each instanceof Server ? each.close() : each.kill9());
      throw error;
    }
  }

  /** A caller of the APIs, of another one each time. */
  readonly client = (): HttpClient => {
    const index = this.next++ % this.apis.length;
    const url = this.apis[index]?.url ?? '';
    const known = this.clients[index];
    if (known?.url === url) return known;
    known?.close();
    return (this.clients[index] = new HttpClient(url, this.token));
  };

  /** Starts a program again after its end and waits until it is ready; gives how long that took, in ms. */
  async restart(program: Program): Promise<{ program: Program; readyMs: number }> {
    const again = await Program.start(program.options);
    for (const list of [this.apis, this.workers]) if (list.includes(program)) list[list.indexOf(program)] = again;
    return { program: again, readyMs: await again.ready(startedWithinMs) };
  }

  get programs(): readonly Program[] {
    return [...this.apis, ...this.workers];
  }

  /** The store and the database without the bad network before them: for those who look at what is left. */
  get direct(): Record<string, string> {
    return {
      ...this.env,
      EVENTSTORE_URL: `esdb://127.0.0.1:${this.store.network.target.port}?tls=false`,
      DATABASE_URL: `postgresql://postgres@127.0.0.1:${this.database.network.target.port}/postgres`,
    };
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    await Promise.all(this.programs.filter(({ running }) => running).map((program) => program.kill9()));
    await Promise.all([this.store.close(), this.database.close()]);
  }
}
