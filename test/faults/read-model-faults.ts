import { setTimeout as delay } from 'node:timers/promises';
import { billingProjections } from '@perennial/billing-read-models';
import { HttpClient } from '../support/http-client';
import { runToEnd } from '../support/processes';
import type { Deployment } from './deployment';
import type { Fault } from './fault';
import { crowding, ownTime } from './own-time';
import { underLoad } from './under-load';

/** Readers may wait so long while models are switched under them. */
const switchWithinMs = 3_000;

const rebuiltUnderTraffic: Fault = {
  name: 'rebuild-under-traffic',
  about: 'read models are built anew and switched while commands run and readers read; nothing differs afterwards',
  round: (o) =>
    underLoad(o, 'standalone', async ({ deployment, callers, random, say, violations }) => {
      await callers.advance(random.between(31, 62));
      await delay(1_000);
      const reading = readAllTheTime(deployment);
      const names = billingProjections.map(({ name }) => name);
      const some = [random.pick(names), 'subscription-summary', 'invoices'].filter(
        (name, index, all) => names.includes(name) && all.indexOf(name) === index,
      );
      try {
        for (const name of some) {
          await projections(deployment, violations, 'rebuild', name);
          say(`rebuilt ${name}`);
        }
        for (const name of some) await projections(deployment, violations, 'diff', name);
      } finally {
        const { reads, failed, slowestMs } = await reading.stop();
        violations.push(...failed.slice(0, 3));
        if (slowestMs > switchWithinMs * crowding()) violations.push(`a reader waited for ${slowestMs} ms`);
        say(`${reads} reads, the slowest ${slowestMs} ms`);
      }
      return { rebuilt: some.length };
    }),
};

/** `npm run projections` while the service runs; what does not end with 0 is a violation. */
async function projections(
  deployment: Deployment,
  violations: string[],
  task: 'rebuild' | 'diff',
  name: string,
): Promise<void> {
  const { code, output } = await runToEnd('apps/standalone/src/projections.js', [task, name], deployment.direct);
  if (code !== 0) violations.push(`projections ${task} ${name} ended with ${code}\n${output.slice(-2_000)}`);
}

function readAllTheTime(deployment: Deployment) {
  const client = new HttpClient(deployment.apis[0]?.url ?? '', deployment.token);
  const failed: string[] = [];
  let [stopped, reads, slowestMs] = [false, 0, 0];
  const reading = (async () => {
    while (!stopped) {
      for (const path of ['/v1/subscriptions?limit=5', '/v1/invoices?limit=5']) {
        const asked = ownTime();
        const { status, body } = await client.get(path);
        slowestMs = Math.max(slowestMs, Math.round(ownTime() - asked));
        reads += 1;
        if (status !== 200) failed.push(`${path}: ${status} ${JSON.stringify(body)}`);
      }
      await delay(20);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await reading;
      client.close();
      return { reads, failed, slowestMs };
    },
  };
}

export const readModelFaults: readonly Fault[] = [rebuiltUnderTraffic];
