import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { Program } from '../support/processes';
import type { Random } from '../support/random';
import { apiKeyOf, serversOf } from '../support/standalone';
import { Callers } from './callers';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import type { CommandJournal } from './command-journal';
import { commandCounts, underLoad } from './under-load';
import { auditDifferences, compareWithStore } from './oracles';

const inFlight = 64;
/** Every kill of the standalone finds so many commands in flight. */
const wanted = 50;

/** A standalone with its embedded servers that is killed again and again, and started on what is left. */
class Victim {
  readyMs = 0;
  private program: Program | undefined;
  private client: HttpClient | undefined;

  constructor(readonly dataDir: string) {}

  get http(): HttpClient {
    if (!this.client) throw new Error('not started');
    return this.client;
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
    this.readyMs = Math.max(this.readyMs, await this.program.ready());
    this.client?.close();
    this.client = new HttpClient(this.program.url, apiKeyOf(this.dataDir));
  }

  async kill9(): Promise<void> {
    await this.program?.kill9();
  }

  async stop(): Promise<{ code: number | string; log: string }> {
    const code = (await this.program?.stop()) ?? 0;
    return { code, log: this.program?.log.slice(-2_000) ?? '' };
  }

  async end(): Promise<void> {
    this.client?.close();
    if (this.program?.running) await this.program.kill9();
  }
}

/** Kills the standalone `kills` times with commands in flight, then, when it `loses` it, throws its database away. */
export async function killStandalone(
  { random, directory, say }: FaultRound,
  { kills, loses }: { readonly kills: number; readonly loses: boolean },
): Promise<FaultOutcome> {
  const victim = new Victim(join(directory, 'data'));
  const callers = new Callers(random, () => victim.http);
  const { journal } = callers;
  const violations: string[] = [];
  let unknown = 0;
  try {
    await victim.start();
    await callers.advance(0);
    for (let kill = 1; kill <= kills; kill += 1) {
      const first = journal.commands.length;
      callers.start(inFlight);
      await Promise.all([delay(random.between(300, 1_500)), movesTimeOn(callers, random)]);
      await acknowledgedSince(journal, first);
      const caught = await manyInFlight(journal);
      callers.hush();
      await victim.kill9();
      await callers.stop();
      const lost = journal.get('unknown').length;
      unknown += lost;
      await victim.start();
      await callers.settle();
      await callers.askAgain(journal.commands.slice(first));
      if (caught < wanted) violations.push(`kill ${kill}: only ${caught} commands were in flight`);
      say(`kill ${kill}: ${journal.commands.length - first} commands, ${caught} in flight, ${lost} unknown`);
    }
    if (loses) {
      await victim.kill9();
      rmSync(join(victim.dataDir, 'postgres'), { recursive: true });
      await victim.start();
    }
    const { eventstoreUrl } = serversOf(victim.dataDir);
    const stored = await compareWithStore({ eventstoreUrl, commands: journal.commands });
    violations.push(...stored.violations, ...(await auditDifferences({ DATA_DIR: victim.dataDir })));
    const { code, log } = await victim.stop();
    if (code !== 0) violations.push(`a graceful stop ended with ${code}:\n${log}`);
    return {
      violations: [...journal.violations, ...violations],
      counts: {
        kills,
        ...(loses && { 'databases lost': 1 }),
        ...commandCounts(journal),
        unknown,
        events: stored.events,
        readyMs: Math.round(victim.readyMs),
      },
    };
  } finally {
    callers.hush();
    await victim.end();
  }
}

async function movesTimeOn(callers: Callers, random: Random): Promise<void> {
  await delay(random.between(50, 200));
  await callers.advance(random.between(5, 40));
}

/** A kill before anything was acknowledged could lose nothing. */
async function acknowledgedSince(journal: CommandJournal, first: number): Promise<void> {
  const until = performance.now() + 20_000;
  const count = () => journal.commands.slice(first).filter(({ state }) => state === 'acknowledged').length;
  while (count() < wanted && performance.now() < until) await delay(5);
}

async function manyInFlight(journal: CommandJournal): Promise<number> {
  const until = performance.now() + 5_000;
  while (journal.inFlight < wanted && performance.now() < until) await delay(1);
  return journal.inFlight;
}

const standaloneKilled: Fault = {
  name: 'kill-standalone',
  about:
    'kill -9 of the standalone with 50 commands or more in flight, three times; sometimes its database is lost too',
  round: (o) => killStandalone(o, { kills: 3, loses: o.random.chance(1 / 3) }),
};

const eventStoreKilled: Fault = {
  name: 'kill-event-store',
  about: 'kill -9 of the event store alone, with commands in flight; the service stays and goes on',
  round: (o) =>
    underLoad(o, 'standalone', async ({ deployment, callers, random }) => {
      for (let kill = 1; kill <= 3; kill += 1) {
        await Promise.all([delay(random.between(300, 1_200)), movesTimeOn(callers, random)]);
        await deployment.store.process.kill9();
        await delay(random.between(0, 500));
        await deployment.store.restart();
        await deployment.apis[0]?.ready();
      }
      return { kills: 3 };
    }),
};

const workerKilled: Fault = {
  name: 'kill-worker',
  about: 'kill -9 of the worker alone while the API takes commands; it goes on where its rows and policies stand',
  round: (o) =>
    underLoad(o, { apis: 1, workers: 1 }, async ({ deployment, callers, random }) => {
      let slowestMs = 0;
      for (let kill = 1; kill <= 2; kill += 1) {
        await Promise.all([delay(random.between(300, 1_200)), movesTimeOn(callers, random)]);
        const worker = deployment.workers[0];
        if (!worker) throw new Error('no worker');
        await worker.kill9();
        const { readyMs } = await deployment.restart(worker);
        slowestMs = Math.max(slowestMs, readyMs);
      }
      return { kills: 2, readyMs: Math.round(slowestMs) };
    }),
};

export const kills: readonly Fault[] = [standaloneKilled, eventStoreKilled, workerKilled];
