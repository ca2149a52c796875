import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault';
import { underLoad } from './under-load';

/** Commands that wait for the worker, or as many as there are within 10 s. */
const wanted = 5_000;
/** The most memory that a worker may need, however long its backlog. */
const mostMiB = 400;

const longBacklog: Fault = {
  name: 'slow-database-long-backlog',
  about:
    'the worker is away while commands go on; it comes back to a slow database, needs no more memory and catches up',
  round: (o) =>
    underLoad(
      o,
      { apis: 1, workers: 1 },
      async ({ deployment, callers, say, violations }) => {
        const [worker] = deployment.workers;
        if (!worker) throw new Error('no worker');
        await worker.stop();
        await callers.stop();
        const before = callers.journal.commands.length;
        callers.start(64);
        const until = performance.now() + 10_000;
        while (callers.journal.commands.length - before < wanted && performance.now() < until) await delay(50);
        await callers.advance(31);
        await callers.stop();
        const waiting = callers.journal.commands.length - before;
        say(`${waiting} commands wait for the worker`);
        deployment.database.network.delayMs = 5;
        const catching = deployment.restart(worker);
        let highestMiB = 0;
        let caughtUp = false;
        const watching = (async () => {
          while (!caughtUp) {
            const running = deployment.workers[0];
            if (running && running !== worker && running.running)
              highestMiB = Math.max(highestMiB, residentMiB(running.pid));
            await delay(100);
          }
        })();
        const { readyMs } = await catching.finally(() => (caughtUp = true));
        await watching;
        deployment.database.network.delayMs = 0;
        if (highestMiB > mostMiB) violations.push(`the worker took ${highestMiB} MiB for its backlog`);
        return { backlog: waiting, workerMiB: highestMiB, caughtUpMs: Math.round(readyMs) };
      },
      { load: 8 },
    ),
};

function residentMiB(pid: number): number {
  try {
    return Math.round(Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024);
  } catch {
    return 0; // Ended meanwhile.
  }
}

export const backlogFaults: readonly Fault[] = [longBacklog];
