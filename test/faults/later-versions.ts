import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventStore } from '@perennial/event-sourcing';
import { until } from '../support/read-side';
import { serversOf } from '../support/standalone';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { commandCounts } from './under-load';
import { compareWithStore } from './oracles';
import { anyStart } from './poison';
import { Standalone } from './standalone';

const prefix = 'perennial';

/** Makes a build that knows what a later one has written: loaded before the program. */
function laterBuild(directory: string, type: string): string {
  const path = join(directory, 'later-build.cjs');
  const dist = process.env['DIST_DIR'] ?? join(__dirname, '../../dist');
  writeFileSync(
    path,
    `const { billingCatalogs } = require(${JSON.stringify(join(dist, 'libs/billing-domain/src/index.js'))});
     const known = billingCatalogs.subscription[${JSON.stringify(type)}];
     billingCatalogs.subscription[${JSON.stringify(type)}] = known ? [...known, (data) => data] : [];\n`,
  );
  return path;
}

const laterVersions: Fault = {
  name: 'later-versions',
  about:
    'an event of a later build stands in the log: not ready and nothing skipped, also after a restart, until a build runs that knows it',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const standalone = await Standalone.start(directory, random);
    const { callers, dataDir } = standalone;
    const store = EventStore.connect({ url: serversOf(dataDir).eventstoreUrl });
    try {
      await standalone.load(400, random);
      const start = await anyStart(store, callers.subscriptions[0] ?? '');
      const id = randomUUID();
      const unknown = random.chance(0.5);
      const type = unknown ? 'SubscriptionTeleported' : start.type;
      const metadata = start.metadata as { version: number };
      const event = {
        id: randomUUID(),
        type,
        data: { ...(start.data as object), subscriptionId: id },
        metadata: { ...metadata, version: unknown ? 1 : metadata.version + 1 },
      };
      await store.append(`${prefix}.subscription-${id}`, [event], 'no_stream');
      say(unknown ? 'an unknown type' : 'a later version');
      const notReady = async (when: string) => {
        let reason = '';
        await until(async () => {
          const { status, body } = await standalone.http.get('/health/ready');
          reason = JSON.stringify(body);
          return status === 503 && reason.includes(type);
        }, 30_000).catch(() => violations.push(`${when}: it does not say that it is not ready for ${type}: ${reason}`));
      };
      await notReady('running');
      const behind = await standalone.readsBack(callers.subscriptions[0] ?? '');
      if (behind.read === 200) violations.push('the read models went on past an event that they do not know');
      await standalone.program.stop();
      await standalone.launch();
      await standalone.program.answers();
      standalone.reconnect();
      await notReady('after a restart');
      await standalone.program.stop();
      const preload = laterBuild(directory, type);
      await standalone.start({ env: { NODE_OPTIONS: `--require ${preload}` } });
      const on = await standalone.readsBack(callers.subscriptions[0] ?? '');
      if (on.added === 201 && on.read !== 200)
        violations.push(`a build that knows the event does not go on: ${on.read}`);
      await standalone.load(400, random);
      await callers.settle();
      const { eventstoreUrl } = serversOf(dataDir);
      const stored = await compareWithStore({ eventstoreUrl, commands: callers.journal.commands });
      violations.push(...callers.journal.violations, ...stored.violations);
      return {
        violations,
        counts: { [unknown ? 'unknown types' : 'later versions']: 1, ...commandCounts(callers.journal) },
      };
    } finally {
      await store.close();
      await standalone.end();
    }
  },
};

export const later: readonly Fault[] = [laterVersions];
