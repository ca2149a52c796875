import 'reflect-metadata';
import { CommandBus } from '@nestjs/cqrs';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper';
import { COMMAND_HANDLER_METADATA } from '@nestjs/cqrs/dist/decorators/constants';
import {
  ApiKeys,
  BillingApplicationModule,
  BillingRepositories,
  type CommandResult,
} from '@perennial/billing-application';
import { EventStore, parseMasterKeys } from '@perennial/event-sourcing';
import { Clock, type Config, type Logger, openDatabase } from '@perennial/platform';
import { type Connections, connectionsOver, projectionsOf } from '../../apps/process/src/connections';
import { Visibility } from '../../apps/process/src/visibility';
import { Worker } from '../../apps/worker/src/worker';
import { masterKey } from '../support/billing-process';
import type { Chaos } from './chaos';
import { Link } from './link';
import type { SimulatedDatabase } from './simulated-database';
import type { SimulatedStore } from './simulated-store';

/** What all processes of a run have in common: the servers, business time, and what goes wrong. */
export interface Surroundings {
  readonly store: SimulatedStore;
  readonly database: SimulatedDatabase;
  readonly chaos: Chaos;
  readonly config: Config;
  readonly logger: Logger;
  /** Business time, ms since 1970. */
  businessNow(): number;
}

/** A process's idea of business time: off by a little, each by its own. */
class SkewedClock extends Clock {
  constructor(
    private readonly surroundings: Surroundings,
    private readonly skewMs: number,
  ) {
    super();
  }

  now(): Promise<string> {
    return Promise.resolve(new Date(this.surroundings.businessNow() + this.skewMs).toISOString());
  }
}

/** One process: an API, which carries out commands, or a worker, which does what happens by itself. Its memory ends with it. */
export class SimulatedProcess {
  readonly connections: Connections;
  readonly projections;
  private readonly link: Link;
  private readonly bus: CommandBus;
  private readonly worker: Worker | undefined;
  private readonly ending = new Set<() => void>();

  constructor(
    readonly name: string,
    role: 'api' | 'worker',
    surroundings: Surroundings,
    onCrash: () => void,
  ) {
    const { chaos } = surroundings;
    this.link = new Link(chaos, name, () => {
      chaos.trace(`${name} crashed`);
      this.end();
      onCrash();
    });
    this.connections = connectionsThrough(this.link, surroundings);
    this.bus = commandBus(this.connections);
    if (role === 'worker') {
      this.projections = projectionsOf(this.connections, { embedded: false });
      const visibility = new Visibility(this.connections.watch, this.projections);
      this.worker = new Worker(this.connections, this.projections, visibility, this.bus);
      this.worker.start();
    }
  }

  get alive(): boolean {
    return this.link.alive;
  }

  /** Rejects with ProcessGone when the process ends under the command. */
  async execute<Result = CommandResult>(command: object): Promise<Result> {
    if (!this.alive) throw new ProcessGone(this.name);
    let end = (): void => undefined;
    const gone = new Promise<never>((_, reject) => (end = () => reject(new ProcessGone(this.name))));
    this.ending.add(end);
    try {
      return await Promise.race([this.bus.execute<object, Result>(command), gone]);
    } finally {
      this.ending.delete(end);
    }
  }

  /** Kills it. */
  kill(): void {
    if (this.alive) void this.link.die();
  }

  /** Ends it as an operator would, waiting for what is under way. */
  async stop(): Promise<void> {
    await this.worker?.stop();
    await this.connections.close();
    this.link.cut();
  }

  /** Why the process would say that it is not well. */
  problem(): string | undefined {
    const health = this.projections?.health();
    if (health && health.status !== 'ok') return `${health.status}: ${health.reason}`;
    return this.worker?.problem();
  }

  private end(): void {
    this.link.cut();
    for (const end of [...this.ending]) end();
    // Only so that its timers end too: whatever it still asks for is never answered.
    void this.worker?.stop();
  }
}

/** The connection to a process was lost: what became of the command is not known. */
export class ProcessGone extends Error {
  constructor(name: string) {
    super(`${name} has gone`);
  }
}

function connectionsThrough(link: Link, surroundings: Surroundings): Connections {
  const { config, logger, chaos } = surroundings;
  const store = EventStore.connect(
    { url: 'esdb://simulated', appendDeadlineMs: config.appendDeadlineMs },
    surroundings.store.connector(link),
  );
  const database = openDatabase('postgresql://simulated@simulated/simulated', {
    max: config.databasePoolMax,
    queryTimeoutMs: config.requestTimeoutMs,
    stream: surroundings.database.connector(link),
  });
  const clock = new SkewedClock(surroundings, chaos.random.between(-2_000, 2_000));
  return connectionsOver({ config, logger, store, database, clock, masterKeys: parseMasterKeys(masterKey) });
}

type Constructor = new (...dependencies: unknown[]) => unknown;

/** The command bus with every handler, made without a container: a process must start in no time. */
function commandBus({ repositories, apiKeys, clock }: Connections): CommandBus {
  const bus = new CommandBus(undefined as never);
  const known = new Map<unknown, unknown>([
    [BillingRepositories, repositories],
    [ApiKeys, apiKeys],
    [Clock, clock],
    [CommandBus, bus],
  ]);
  const { providers = [] } = BillingApplicationModule.register({ repositories, apiKeys, clock });
  for (const provider of providers) {
    if (typeof provider !== 'function') continue;
    if (!Reflect.hasMetadata(COMMAND_HANDLER_METADATA, provider)) continue;
    const wanted = Reflect.getMetadata('design:paramtypes', provider) as readonly unknown[];
    const instance = new (provider as Constructor)(...wanted.map((type) => known.get(type)));
    bus.register([{ metatype: provider, instance, isDependencyTreeStatic: () => true } as unknown as InstanceWrapper]);
  }
  return bus;
}
