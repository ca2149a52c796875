/**
 * Kills the standalone again and again while commands are in flight and holds what is left against what its callers
 * know: `node test/run.mjs test/faults/kill-standalone.ts [--rounds 30] [--seed 1] [--in-flight 64] [--max-seconds 600]`.
 * Needs dist/. Ends with 1 when something acknowledged is missing, doubled or changed.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EventStore } from '@perennial/event-sourcing';
import { HttpClient } from '../support/http-client';
import { Program, runToEnd } from '../support/processes';
import { Random } from '../support/random';
import { apiKeyOf, serversOf } from '../support/standalone';
import { CommandJournal, type Journaled } from './command-journal';

export interface KillCampaign {
  readonly rounds: number;
  readonly seed: number;
  /** Commands kept in flight; every kill waits for 50 of them (or all, when fewer). */
  readonly inFlight: number;
  readonly maxSeconds: number;
  /** Also lose the database's directory, and put an older store under it. */
  readonly losses: boolean;
  readonly say: (line: string) => void;
}

export interface KillReport {
  readonly rounds: number;
  readonly commands: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly events: number;
  readonly readyMs: readonly number[];
  readonly violations: readonly string[];
}

const firstInstant = Date.UTC(2026, 0, 1);
const day = 86_400_000;

/** A service that is killed at seeded moments, and the journals of those who use it. */
class Campaign {
  readonly journal = new CommandJournal();
  readonly random: Random;
  readonly readyMs: number[] = [];
  readonly dataDir = mkdtempSync(join(tmpdir(), 'perennial-kill-'));
  readonly subscriptions: string[] = [];
  unknownInAll = 0;
  private businessDay = 0;
  private keys = 0;
  private program: Program | undefined;
  private client: HttpClient | undefined;

  constructor(private readonly o: KillCampaign) {
    this.random = new Random(o.seed);
  }

  get violations(): string[] {
    return this.journal.violations;
  }

  async start(): Promise<void> {
    this.program = await Program.start({
      program: 'standalone',
      args: ['--test-clock'],
      env: {
        DATA_DIR: this.dataDir,
        RATE_LIMIT_PER_SECOND: '1000000',
        RATE_LIMIT_BURST: '1000000',
        SCHEDULER_INTERVAL_MS: '100',
        SNAPSHOT_EVERY: '20',
      },
    });
    this.readyMs.push(await this.program.ready());
    this.client?.close();
    this.client = new HttpClient(this.program.url, apiKeyOf(this.dataDir));
    await this.advance(0);
  }

  async stop(): Promise<void> {
    const code = await this.program?.stop();
    if (code !== 0) this.violations.push(`a graceful stop ended with ${code}:\n${this.program?.log.slice(-2_000)}`);
  }

  async end(): Promise<void> {
    this.client?.close();
    if (this.program?.running) await this.program.kill9();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Moves business time on; the scheduler then has periods to roll over. */
  private async advance(days: number): Promise<void> {
    this.businessDay += days;
    const now = new Date(firstInstant + this.businessDay * day).toISOString();
    const { status, body } = await this.http.ask('PUT', '/v1/test-clock', { body: { now } });
    if (status !== 200) throw new Error(`the test clock cannot be set: ${status} ${JSON.stringify(body)}`);
  }

  private get http(): HttpClient {
    if (!this.client) throw new Error('not started');
    return this.client;
  }

  private async act(): Promise<void> {
    const { random } = this;
    const key = `k${(this.keys += 1)}-${random.word(8)}`;
    const id = this.subscriptions.length > 0 ? random.pick(this.subscriptions) : undefined;
    const dice = id === undefined || (this.subscriptions.length < 30 && random.chance(0.05)) ? 0 : random.next();
    const of = (rest: string, body: unknown) =>
      this.journal.send(this.http, key, `/v1/subscriptions/${id}/${rest}`, body);
    if (id === undefined || dice === 0) {
      const started = await this.journal.send(this.http, key, '/v1/subscriptions', this.newSubscription());
      if (started.answer) this.subscriptions.push(started.answer.id);
      return;
    }
    const done = await this.change(of, dice);
    // Those that have ended take no more commands; those that are paused go on, so that most commands do something.
    if (done.code === 'subscription-canceled' && this.subscriptions.includes(id))
      this.subscriptions.splice(this.subscriptions.indexOf(id), 1);
    if (done.code === 'no-open-period')
      await this.journal.send(this.http, `${key}-resume`, `/v1/subscriptions/${id}/resume`, {});
  }

  private change(of: (rest: string, body: unknown) => Promise<Journaled>, dice: number): Promise<Journaled> {
    const { random } = this;
    if (dice < 0.8)
      return of('line-items', {
        lineItemId: `item-${this.keys}`,
        description: 'Work',
        unitPrice: String(random.between(1, 9_999)),
        quantity: random.pick(['1', '2', '0.5']),
      });
    if (dice < 0.86) return of('roll-over', { periodNumber: random.between(1, 40) });
    if (dice < 0.9) return of('pause', {});
    if (dice < 0.97) return of('resume', {});
    return random.chance(0.5) ? of('cancel', { at: 'period-end' }) : of('undo-cancellation', {});
  }

  private newSubscription(): object {
    return {
      customerId: `customer-${this.random.between(1, 5)}`,
      currency: this.random.pick(['USD', 'EUR', 'JPY']),
      timeZone: this.random.pick(['UTC', 'Europe/Berlin', 'America/New_York']),
      interval: { unit: 'month', count: 1 },
      paymentTermsDays: 14,
      items: [
        {
          description: 'Base',
          timing: this.random.pick(['advance', 'arrears']),
          price: { model: 'flat', unitPrice: '3100' },
        },
      ],
    };
  }

  /** Keeps commands in flight until the service is killed in their midst, starts it again and settles what is unknown. */
  async round(number: number): Promise<void> {
    const { random, journal } = this;
    const first = journal.commands.length;
    let killed = false;
    const worker = async () => {
      while (!killed) await this.act();
    };
    if (this.subscriptions.length === 0) await this.act();
    const workers = Array.from({ length: this.o.inFlight }, worker);
    const moments = delay(random.between(300, 1_500));
    const clock = delay(random.between(50, 200)).then(() => this.advance(random.between(5, 40)));
    await Promise.all([moments, clock]);
    const wanted = Math.min(50, this.o.inFlight);
    const started = performance.now();
    while (journal.inFlight < wanted && performance.now() - started < 2_000) await delay(1);
    const inFlight = journal.inFlight;
    if (inFlight < wanted) this.violations.push(`round ${number}: only ${inFlight} commands were in flight`);
    killed = true;
    await this.program?.kill9();
    await Promise.all(workers);
    const sent = journal.commands.slice(first);
    const unknown = sent.filter((each) => each.state === 'unknown');
    this.unknownInAll += unknown.length;

    await this.start();
    await this.settle();
    await this.askAgain(sent.filter((each) => each.state === 'acknowledged'));
    this.o.say(
      `round ${number}: ${sent.length} commands, ${inFlight} in flight at the kill, ${unknown.length} unknown, ready after ${Math.round(this.readyMs.at(-1) ?? 0)} ms`,
    );
  }

  /** Every command whose outcome is unknown is sent again with its key until there is an answer. */
  private async settle(): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const unknown = this.journal.get('unknown');
      if (unknown.length === 0) return;
      await Promise.all(unknown.map((each) => this.journal.attempt(this.http, each)));
    }
    for (const each of this.journal.get('unknown')) this.violations.push(`${each.path} ${each.key}: never settled`);
    for (const { answer, path } of this.journal.commands)
      if (answer && path === '/v1/subscriptions' && !this.subscriptions.includes(answer.id))
        this.subscriptions.push(answer.id);
  }

  /** A repeat of an acknowledged command's key must give the same answer; the journal notices another. */
  private async askAgain(acknowledged: readonly Journaled[]): Promise<void> {
    const some = acknowledged.filter(() => this.random.chance(30 / Math.max(30, acknowledged.length)));
    await Promise.all(some.map((each) => this.journal.attempt(this.http, each)));
  }

  /** Reads every event of the store and holds the keys in it against the journal. */
  async compareWithStore(): Promise<number> {
    const { eventstoreUrl } = serversOf(this.dataDir);
    const store = EventStore.connect({ url: eventstoreUrl });
    const caughtUp = new AbortController();
    const appends = new Map<string, { stream: string; first: bigint; last: bigint; broken: boolean }>();
    const ids = new Set<string>();
    let events = 0;
    try {
      for await (const event of store.subscribe({
        from: 'start',
        prefixes: ['perennial.'],
        signal: caughtUp.signal,
        onCaughtUp: () => caughtUp.abort(),
      })) {
        const { key } = (event.metadata ?? {}) as { key?: string };
        if (key === undefined) continue;
        events += 1;
        if (ids.has(event.id)) this.violations.push(`event ${event.id} occurs twice`);
        ids.add(event.id);
        const name = `${event.stream} ${key}`;
        const before = appends.get(name);
        if (!before)
          appends.set(name, { stream: event.stream, first: event.revision, last: event.revision, broken: false });
        else {
          before.broken ||= event.revision !== before.last + 1n;
          before.last = event.revision;
        }
      }
    } finally {
      await store.close();
    }
    for (const { key, path, state, answer } of this.journal.commands) {
      const stream = (id: string) => appends.get(`perennial.subscription-${id} ${key}`);
      const id = answer?.id ?? /\/v1\/subscriptions\/([^/]+)/.exec(path)?.[1];
      const found = id === undefined ? undefined : stream(id);
      if (state === 'acknowledged' && !found)
        this.violations.push(`${path} ${key}: acknowledged, and not in the store`);
      if (state === 'acknowledged' && found?.broken) this.violations.push(`${path} ${key}: recorded by two appends`);
      if (state === 'acknowledged' && found && answer && found.last.toString() !== answer.revision)
        this.violations.push(`${path} ${key}: acknowledged at ${answer.revision}, stands at ${found.last}`);
      if (state === 'refused' && found) this.violations.push(`${path} ${key}: refused, and in the store`);
    }
    return events;
  }

  /** Forgets what a restored older store cannot know; what is left must still hold. */
  forgetAfter(count: number): void {
    this.journal.commands.splice(count);
    this.subscriptions.splice(
      0,
      Infinity,
      ...this.journal.commands.flatMap(({ path, answer }) =>
        answer && path === '/v1/subscriptions' ? [answer.id] : [],
      ),
    );
  }

  /** `audit verify` in a process of its own, until the policies have done what they owe. */
  async verify(when: string): Promise<void> {
    const until = performance.now() + 60_000;
    for (;;) {
      const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], { DATA_DIR: this.dataDir });
      const waiting = /waiting for policies\s+(\d+)/.exec(output)?.[1];
      if (code === 0 && waiting === undefined) return this.o.say(`${when}: audit verify is clean`);
      if (code !== 0 || performance.now() > until) {
        this.violations.push(`${when}: audit verify ended with ${code}\n${output.slice(-4_000)}`);
        return;
      }
      await delay(200);
    }
  }

  private directory(kind: 'eventstore' | 'postgres'): string {
    const path = join(this.dataDir, kind);
    if (!existsSync(path)) throw new Error(`there is no ${path}`);
    return path;
  }

  /** The whole PostgreSQL directory is gone after a kill: it is made again from the streams. */
  async loseDatabase(): Promise<void> {
    await this.program?.kill9();
    rmSync(this.directory('postgres'), { recursive: true });
    await this.start();
    await this.verify('after the loss of the database');
  }

  /** An older copy of the store is put under a newer database: that is noticed, and the read models are made again. */
  async restoreOlderStore(): Promise<void> {
    await this.stop();
    const backup = `${this.dataDir}-backup`;
    cpSync(this.directory('eventstore'), backup, { recursive: true });
    const known = this.journal.commands.length;
    const businessDay = this.businessDay;
    try {
      await this.start();
      await this.round(0);
      await this.stop();
      const directory = this.directory('eventstore');
      rmSync(directory, { recursive: true });
      cpSync(backup, directory, { recursive: true });
    } finally {
      if (existsSync(backup)) rmSync(backup, { recursive: true });
    }
    this.forgetAfter(known);
    this.businessDay = businessDay;
    await this.start();
    await this.verify('after an older store was restored');
    await this.compareWithStore();
    await this.round(0);
  }
}

/** Runs the campaign; the report's violations are empty when everything held. */
export async function killCampaign(o: KillCampaign): Promise<KillReport> {
  const campaign = new Campaign(o);
  const until = performance.now() + o.maxSeconds * 1_000;
  let rounds = 0;
  let events = 0;
  try {
    await campaign.start();
    while (rounds < o.rounds && performance.now() < until && campaign.violations.length === 0) {
      await campaign.round((rounds += 1));
      if (rounds % 10 === 0) await campaign.verify(`round ${rounds}`);
    }
    events = await campaign.compareWithStore();
    await campaign.verify('after all rounds');
    if (o.losses) {
      await campaign.loseDatabase();
      await campaign.restoreOlderStore();
      await campaign.compareWithStore();
      await campaign.verify('at the end');
    }
    await campaign.stop();
  } catch (error) {
    campaign.violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    await campaign.end();
  }
  const { commands } = campaign.journal;
  return {
    rounds,
    commands: commands.length,
    acknowledged: campaign.journal.get('acknowledged').length,
    unknown: campaign.unknownInAll,
    refused: campaign.journal.get('refused').length,
    events,
    readyMs: campaign.readyMs,
    violations: campaign.violations,
  };
}

export function printableKillReport(report: KillReport, seed: number): string {
  const sorted = [...report.readyMs].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  const row = (name: string, value: string | number) => `${name.padEnd(40)} ${value}`;
  return [
    row('seed', seed),
    row('rounds of kill -9', report.rounds),
    row('commands', report.commands),
    row('acknowledged', report.acknowledged),
    row('outcome unknown, settled by a repeat', report.unknown),
    row('refused', report.refused),
    row('events compared', report.events),
    row('ready after a start, p50 / p95 / max ms', `${at(0.5)} / ${at(0.95)} / ${at(1)}`),
    row('violations', report.violations.length),
    ...report.violations.slice(0, 20).map((each) => `VIOLATION ${each}`),
  ].join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      'in-flight': { type: 'string', default: '64' },
      'max-seconds': { type: 'string', default: '600' },
    },
  });
  const seed = Number(values.seed);
  const report = await killCampaign({
    rounds: Number(values.rounds),
    seed,
    inFlight: Number(values['in-flight']),
    maxSeconds: Number(values['max-seconds']),
    losses: true,
    say: (line) => void process.stderr.write(`${line}\n`),
  });
  process.stdout.write(`${printableKillReport(report, seed)}\n`);
  process.exit(report.violations.length === 0 ? 0 : 1);
}

if (process.argv[1] === __filename) void main();
