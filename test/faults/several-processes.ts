import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../support/processes';
import type { Fault } from './fault';
import { underLoad } from './under-load';

/** A lease lasts 3 s; who stands still for longer finds that another has gone on in his place. */
const longerThanALeaseMs = 4_500;

const severalProcesses: Fault = {
  name: 'two-of-everything',
  about:
    'two schedulers, two workers and two APIs on the same due periods; each worker in turn stands still until the other has taken over, and then goes on too',
  round: (o) =>
    underLoad(
      o,
      { apis: 2, workers: 2 },
      async ({ deployment, callers, random, say }) => {
        for (let started = 0; started < 10; started += 1) await callers.subscribe();
        let asked = 0;
        for (const worker of deployment.workers) {
          await callers.advance(random.between(31, 62));
          // Callers want the same periods closed as the schedulers, through both APIs at once.
          const rollOvers = Promise.all(
            callers.subscriptions.flatMap((id) => [callers.rollOver(id), callers.rollOver(id)]),
          );
          asked += 2 * callers.subscriptions.length;
          await standsStill(worker, longerThanALeaseMs);
          await rollOvers;
          await callers.advance(31);
          say('another worker has taken over, and the first goes on');
        }
        await Promise.all(deployment.programs.map((program) => program.ready(120_000)));
        return { 'workers frozen': deployment.workers.length, 'roll-overs asked for': asked };
      },
      { load: 8 },
    ),
};

async function standsStill(program: Program, forMs: number): Promise<void> {
  program.freeze();
  try {
    await delay(forMs);
  } finally {
    program.thaw();
  }
}

export const severalProcessesFaults: readonly Fault[] = [severalProcesses];
