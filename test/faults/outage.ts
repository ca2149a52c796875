import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../support/random';
import type { Deployment } from './deployment';
import type { Fault } from './fault';
import { HealthWatch } from './health-watch';
import { crowding, ownTime } from './own-time';
import { underLoad } from './under-load';

/** A time in which something that the service needs is away or behaves badly, and is itself again afterwards. */
export interface Outage {
  readonly name: string;
  readonly about: string;
  readonly begin: (deployment: Deployment, random: Random) => void | Promise<void>;
  /** Resolves when what was away is there again. */
  readonly end: (deployment: Deployment) => void | Promise<void>;
  /** 5 to 7 s */
  readonly lastsMs?: (random: Random) => number;
  /** `away`: nothing works meanwhile, and health has to say so. `bad`: things may go on. */
  readonly meanwhile: 'away' | 'bad';
  /** Until commands go all the way again and every process is ready, when one otherwise does so at once. 5,000 */
  readonly recoversWithinMs?: number;
}

/** The fault of an outage under load: commands are answered in time, health says the truth, and all is well soon after. */
export function outage(o: Outage): Fault {
  const { name, about, recoversWithinMs = 5_000 } = o;
  return {
    name,
    about,
    round: (round) =>
      underLoad(round, 'standalone', async ({ deployment, callers, random, say, violations }) => {
        const { answer } = await callers.subscribeApart();
        if (!answer) throw new Error('no subscription to watch');
        const urls = deployment.programs.map(({ url }) => url);
        const watch = HealthWatch.start({ urls, token: deployment.token, subscriptionId: answer.id });
        try {
          await watch.progresses(30_000);
          await callers.advance(random.between(5, 40));
          await o.begin(deployment, random);
          const usualMs = watch.slowestMs;
          const notReadyBefore = watch.notReady;
          if (o.meanwhile === 'away') watch.away();
          await delay(o.lastsMs?.(random) ?? random.between(5_000, 7_000));
          if (o.meanwhile === 'away' && watch.notReady === notReadyBefore)
            violations.push('nothing worked, and health never said so');
          watch.back();
          await o.end(deployment);
          const ended = ownTime();
          await Promise.all([watch.progresses(60_000), ...deployment.programs.map((program) => program.ready(60_000))]);
          const recoveredMs = Math.round(ownTime() - ended);
          const dueMs = Math.round(recoversWithinMs * crowding() + 3 * usualMs);
          if (recoveredMs > dueMs) violations.push(`all was well again after ${recoveredMs} ms, due within ${dueMs}`);
          say(`well again after ${recoveredMs} ms`);
          const report = await watch.stop();
          violations.push(...report.violations);
          return { ...report.counts, usualMs: Math.round(usualMs), recoveredMs };
        } finally {
          await watch.stop();
        }
      }),
  };
}
