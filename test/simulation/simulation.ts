import { setTimeout as delay } from 'node:timers/promises';
import { billingPolicies } from '@perennial/billing-application';
import { readModelsUnderAudit, verify } from '@perennial/billing-audit';
import { billingProjections } from '@perennial/billing-read-models';
import {
  DataKeys,
  EventStore,
  parseMasterKeys,
  ProjectionWatch,
  readParkedReactions,
  readPolicyPosition,
} from '@perennial/event-sourcing';
import { createLogger, type Database, loadConfig, openDatabase } from '@perennial/platform';
import { gapsIn } from '../../libs/billing-audit/src/reconcile';
import { masterKey } from '../support/billing-process';
import { Random } from '../support/random';
import { Chaos } from './chaos';
import { type Issued, Journal } from './journal';
import { Ledger } from './ledger';
import { Link } from './link';
import { compareWithRebuilt } from './rebuilt';
import type { SimulatedDatabase } from './simulated-database';
import { SimulatedProcess, type Surroundings } from './simulated-process';
import { SimulatedStore, type Write } from './simulated-store';
import { takeOverTime } from './virtual-time';
import { newPlan, newPlanVersion, publishPlan } from './plan-workload';
import type { Known, Request } from './request';
import { anything, newCoupon, newCustomer, newSubscription } from './workload';

export interface SimulationOptions {
  readonly seed: number;
  readonly database: SimulatedDatabase;
  /** Subscriptions that are started. */
  readonly subscriptions: number;
  /** Business time to go through. */
  readonly years: number;
  /** Chance of a fault at one await. Default: another one every while, sometimes none. */
  readonly rate?: number | undefined;
  readonly show?: ((line: string) => void) | undefined;
  /** A planted bug in the store. */
  readonly write?: Write | undefined;
}

export interface SimulationReport {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Of business time for which periods were closed. */
  readonly subscriptionYears: number;
  readonly commands: number;
  readonly attempts: number;
  readonly events: number;
  readonly crashes: number;
  readonly virtualSeconds: number;
  /** Of the processor. */
  readonly cpuSeconds: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Of everything that happened, in order: the same for the same seed. */
  readonly digest: string;
}

const YEAR = 365.25 * 86_400_000;
const DAY = 86_400_000;
const STARTS_AT = Date.UTC(2026, 0, 15, 9);
const prefix = 'simulated';
const schema = 'simulated';
/** How long what is owed may take once nothing goes wrong any more: the longest pause is 30 s, silence is noticed within 40. */
const RECOVERY_MS = 240_000;

/** One run: years of a book's life, with faults until shortly before its end, all from one seed. */
export async function simulate(o: SimulationOptions): Promise<SimulationReport> {
  const time = takeOverTime(o.seed, STARTS_AT);
  const cpu = process.cpuUsage();
  const report = (): SimulationReport => {
    const { user, system } = process.cpuUsage(cpu);
    return { ...run.report(), cpuSeconds: (user + system) / 1_000_000 };
  };
  const run = new Run(o, () => time.now(), new Chaos(new Random(o.seed), time, o.show));
  try {
    await time.run(run.live());
    return report();
  } catch (error) {
    run.violation(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return report();
  } finally {
    o.database.drop(schema);
    time.end();
    await run.store.close();
  }
}

class Run implements Surroundings {
  readonly store: SimulatedStore;
  readonly database: SimulatedDatabase;
  readonly config = loadConfig(
    {},
    { streamPrefix: prefix, databaseSchema: schema, snapshotEvery: 20, schedulerIntervalMs: 2_000, databasePoolMax: 4 },
  );
  readonly logger;
  private readonly violations: string[] = [];
  private readonly random: Random;
  private readonly journal: Journal;
  private readonly processes: SimulatedProcess[] = [];
  private readonly observer: Link;
  private readonly observed;
  private readonly looking: Database;
  private readonly dataKeys: DataKeys;
  private readonly ledger: Ledger;
  private readonly known: Known;
  private aheadMs = 0;
  private crashes = 0;

  constructor(
    private readonly o: SimulationOptions,
    private readonly virtualNow: () => number,
    readonly chaos: Chaos,
  ) {
    this.random = new Random(o.seed ^ 0xca11e5);
    this.store = new SimulatedStore(o.write);
    this.database = o.database;
    this.logger = createLogger(o.show ? 'warn' : 'silent', o.show && { write: o.show });
    this.journal = new Journal(chaos, (what) => this.violation(what));
    // Who looks on sees what is there, whatever goes wrong for others.
    const calm = new Chaos(new Random(0), { now: virtualNow } as never);
    this.observer = new Link(calm, 'observer', () => undefined, true);
    this.observed = EventStore.connect({ url: 'esdb://simulated' }, this.store.connector(this.observer));
    this.looking = openDatabase('postgresql://simulated@simulated/simulated', {
      stream: this.database.connector(this.observer),
      connectionTimeoutMs: RECOVERY_MS,
      queryTimeoutMs: RECOVERY_MS,
    });
    this.dataKeys = new DataKeys(this.observed, prefix, parseMasterKeys(masterKey), 1);
    this.ledger = new Ledger(this.store, prefix, this.dataKeys, (what) => this.violation(what));
    this.known = {
      random: this.random,
      now: STARTS_AT,
      serial: 0,
      contracts: [],
      customers: [],
      coupons: [],
      plans: [],
      documents: this.ledger.documents,
    };
  }

  violation(what: string): void {
    this.chaos.trace(`VIOLATION ${what}`);
    if (this.violations.length < 50) this.violations.push(what);
  }

  businessNow(): number {
    return STARTS_AT + this.virtualNow() + this.aheadMs;
  }

  report(): Omit<SimulationReport, 'cpuSeconds'> {
    return {
      seed: this.o.seed,
      violations: this.violations,
      subscriptionYears: this.ledger.billedMs / YEAR,
      commands: this.journal.issued.length,
      attempts: this.journal.attempts,
      events: this.ledger.log.length,
      crashes: this.crashes,
      virtualSeconds: this.virtualNow() / 1_000,
      faults: this.chaos.counts,
      digest: this.chaos.digest(),
    };
  }

  async live(): Promise<void> {
    for (const name of ['api-1', 'api-2', 'worker-1', 'worker-2']) this.start(name);
    await this.setUp();
    const until = STARTS_AT + this.o.years * YEAR;
    while (this.businessNow() < until && this.violations.length === 0) await this.step();
    if (this.violations.length === 0) await this.recover();
    if (this.violations.length === 0) await this.audit();
    await this.ledger.audited();
    for (const each of this.processes) if (each.alive) await each.stop();
    await this.looking.close();
  }

  private start(name: string, place = this.processes.length): void {
    const role = name.startsWith('api') ? 'api' : 'worker';
    this.processes[place] = new SimulatedProcess(name, role, this, () => {
      this.crashes += 1;
      void this.chaos.pause(100, 8_000).then(() => this.start(name, place));
    });
  }

  private async setUp(): Promise<void> {
    this.chaos.rate = this.o.rate ?? this.random.pick([0, 0.005, 0.02, 0.05]);
    const { known } = this;
    const wanted = [
      ...Array.from({ length: 3 }, () => newCustomer(known)),
      ...Array.from({ length: 3 }, () => newCoupon(known)),
      ...Array.from({ length: 3 }, () => newPlan(known)),
    ];
    await Promise.all(wanted.map((each) => this.ask(each)));
    for (const plan of known.plans) {
      await this.ask(newPlanVersion(known, plan));
      if (plan.drafted > 0) await this.ask(publishPlan(plan));
    }
  }

  /** Business time moves on, callers ask for things meanwhile, processes end. */
  private async step(): Promise<void> {
    const { random, chaos, known } = this;
    if (random.chance(0.3)) chaos.rate = this.o.rate ?? random.pick([0, 0.002, 0.005, 0.02, 0.05]);
    this.aheadMs += random.chance(0.03) ? random.between(60, 200) * DAY : random.between(1, 30) * DAY;
    known.now = this.businessNow();
    chaos.trace(`business time ${new Date(known.now).toISOString()}, rate ${chaos.rate}`);
    const missing = Math.max(0, this.o.subscriptions - known.contracts.length);
    const atOnce = Math.max(6, Math.ceil(this.o.subscriptions / 8));
    const starting = Array.from({ length: Math.min(missing, random.between(1, atOnce)) }, () => newSubscription(known));
    const asked = Array.from({ length: random.between(0, Math.max(8, Math.ceil(known.contracts.length / 10))) }, () =>
      known.contracts.length > 0 ? anything(known) : undefined,
    );
    const callers = [...starting, ...asked].map(async (request) => {
      if (!request) return;
      await delay(random.between(0, 2_000));
      await this.ask(request);
    });
    if (random.chance(0.1)) random.pick(this.processes).kill();
    if (this.o.rate !== 0 && random.chance(0.08)) void this.loseServer();
    await Promise.all([...callers, delay(random.between(300, 2_500))]);
  }

  /** A whole server is away for a while, for everybody. */
  private async loseServer(): Promise<void> {
    const { random, chaos } = this;
    const [name, { reach }] = random.pick([['store', this.store] as const, ['database', this.database] as const]);
    if (reach.away || chaos.rate === 0) return;
    const how = random.pick(['refuses', 'hangs'] as const);
    chaos.note(`whole ${name}`, how);
    reach.lose(how);
    await chaos.pause(500, random.chance(0.2) ? 40_000 : 8_000);
    chaos.trace(`whole ${name} back`);
    reach.restore();
  }

  /** As a caller does: repeats what it does not know with the same key, and gives up for now after a while. */
  private async ask(request: Request): Promise<void> {
    const issued = this.journal.issue(request);
    const copies = this.random.chance(0.05) ? 2 : 1;
    await Promise.all(Array.from({ length: copies }, () => this.insist(issued, 4)));
    if (issued.state === 'acknowledged' && this.random.chance(0.1)) await this.journal.attempt(issued, this.api());
    this.learn(issued);
  }

  private async insist(issued: Issued, attempts: number): Promise<void> {
    for (let attempt = 0; attempt < attempts && issued.state === 'unknown'; attempt += 1) {
      if (attempt > 0) await delay(this.random.between(50, 1_000));
      await this.journal.attempt(issued, this.api());
    }
  }

  private learn({ request, state, answer }: Issued): void {
    if (state === 'acknowledged' && answer) request.learn?.(answer);
  }

  private api(): SimulatedProcess {
    return this.processes[this.random.between(0, 1)]!;
  }

  /** Nothing goes wrong any more: within bounded time everything that is owed must be done. */
  private async recover(): Promise<void> {
    this.chaos.rate = 0;
    this.store.reach.restore();
    this.database.reach.restore();
    this.chaos.trace('calm');
    const until = this.virtualNow() + RECOVERY_MS;
    let owed: readonly string[] = ['not looked yet'];
    while (owed.length > 0 && this.virtualNow() < until) {
      await delay(3_000);
      for (const each of this.journal.of('unknown')) {
        await this.journal.attempt(each, this.api());
        this.learn(each);
      }
      owed = await this.owed();
    }
    for (const each of owed.slice(0, 10))
      this.violation(`not done ${RECOVERY_MS / 1_000} s after the last fault: ${each}`);
    if (owed.length > 0)
      for (const each of this.processes) this.violation(`${each.name} says: ${each.problem() ?? 'all is well'}`);
  }

  private async owed(): Promise<readonly string[]> {
    const unknown = this.journal.of('unknown').map(({ key, request }) => `${key} ${request.what} has no answer`);
    if (unknown.length > 0) return unknown;
    const now = new Date(this.businessNow() - 5_000).toISOString();
    const owed = this.ledger.owed(now, new Date(Date.now() - 5_000).toISOString());
    if (owed.length > 0) return owed;
    const positions = await Promise.all(
      billingPolicies.map(({ name }) => readPolicyPosition(this.observed, prefix, name)),
    );
    const head = this.ledger.log.at(-1)?.position ?? 0n;
    const behind = billingPolicies.filter((_, index) => (positions[index]?.position ?? -1n) < head);
    if (behind.length > 0) return behind.map(({ name }) => `${name} has not reached the head`);
    const models = await this.unfinishedModels();
    if (models.length > 0) return models;
    const gaps = await gapsIn(await this.ledger.audited(), { dataKeys: this.dataKeys, now });
    return gaps.map(({ what, subject, message }) => `${what} ${subject}: ${message}`);
  }

  private async unfinishedModels(): Promise<readonly string[]> {
    const watch = new ProjectionWatch(this.looking.db, schema);
    const states = await Promise.all(
      billingProjections.map(async ({ name }) => ({ name, ...(await watch.asOf(name)) })),
    );
    const head = this.ledger.log.at(-1)?.position ?? 0n;
    return states.flatMap(({ name, incomplete, state, position = -1n }) =>
      incomplete > 0 || state !== 'live' || position < head
        ? [`${name} is ${state} up to ${position}, ${incomplete} streams are parked`]
        : [],
    );
  }

  /** Everything that can be checked when all is quiet, by the auditor's own means. */
  private async audit(): Promise<void> {
    this.ledger.compare(this.journal.issued);
    for (const { name } of billingPolicies) {
      for (const { stream, command, error } of (
        await readParkedReactions(this.observed, prefix, name)
      ).waiting.values())
        this.violation(`${name} parked ${stream}: ${command ?? ''} ${error}`);
    }
    const { db } = this.looking;
    const report = await verify({
      store: this.observed,
      prefix,
      log: await this.ledger.audited(),
      dataKeys: this.dataKeys,
      readModels: {
        ...readModelsUnderAudit({ db, schema, store: this.observed, prefix, waitMs: 30_000 }),
        diff: () => compareWithRebuilt(db, { schema, prefix, log: this.ledger.log }),
      },
      policyPosition: async (policy) => (await readPolicyPosition(this.observed, prefix, policy))?.position,
    });
    for (const { check, subject, message, expected, found } of report.differences)
      this.violation(`${check} ${subject}: ${message} (expected ${expected}, found ${found})`);
    if (report.pending > 0) this.violation(`${report.pending} facts wait for policies`);
    this.chaos.trace(`audited ${report.sha256}`);
  }
}
