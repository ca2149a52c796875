import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { addLineItems, lineItem, percentile, ReadModelWatch, warmUp } from './command-load';
import type { Bench, BenchRun, Figure } from './figure';
import { startServers } from './servers';
import { type Service, startService } from './service';

const SUBSCRIPTIONS = 1_000;
const SHARE_OF_RATE = 0.5;
/** One command in so many is looked for: a read costs about as much as a command and would be load of its own. */
const LOOK_EVERY = 10;
const P99_BAR_MS = 100;

/** Commands so far; each is another one. */
let sent = 0;

/** From the answer to a command until a reader who asks for it has it. */
export const readLag: Bench = {
  name: 'read-lag',
  about:
    'from the answer to a command until GET …?minPosition= shows the line, at half the measured command rate, open loop',
  async run(o) {
    const servers = await startServers();
    const readModels = new ReadModelWatch(servers.databaseUrl);
    let service: Service | undefined;
    try {
      o.say(`starting the service with ${SUBSCRIPTIONS} subscriptions`);
      service = await startService(servers, SUBSCRIPTIONS, readModels);
      await warmUp(service, 6_000, o.scale === 'full' ? 10 : 3, readModels);
      const { perSecond } = await addLineItems(service, o.scale === 'full' ? 10 : 2, readModels);
      // Its own code has to be compiled too: reads, and commands that do not come in crowds.
      await lagAt(o, service, perSecond, o.scale === 'full' ? 20 : 4);
      return [await lagAt(o, service, perSecond, o.scale === 'full' ? 30 : 4)];
    } finally {
      await service?.program.stop();
      await readModels.close();
      await servers.close();
    }
  },
};

async function lagAt({ say }: BenchRun, service: Service, most: number, seconds: number): Promise<Figure> {
  const rate = most * SHARE_OF_RATE;
  const client = new HttpClient(service.url, service.token);
  const lags: number[] = [];
  const failures: string[] = [];
  const command = async (n: number) => {
    const id = service.subscriptions[n % service.subscriptions.length];
    const item = lineItem(-n);
    const { status, body } = await client.post(`/v1/subscriptions/${id}/line-items`, item, `lag-${n}`);
    const { position } = body as { readonly position: string };
    const answered = performance.now();
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
    if (n % LOOK_EVERY !== 0) return;
    const seen = await client.get(`/v1/subscriptions/${id}/current-billing-period?minPosition=${position}`);
    lags.push(performance.now() - answered);
    if (seen.status !== 200 || !JSON.stringify(seen.body).includes(`"${String(item.lineItemId)}"`)) {
      throw new Error(
        `a line that was answered is not shown: ${seen.status} ${JSON.stringify(seen.body).slice(0, 500)}`,
      );
    }
  };
  const running: Promise<void>[] = [];
  const began = performance.now();
  try {
    for (let at = 0; at < seconds * 1_000; at = performance.now() - began) {
      for (const due = Math.floor((at / 1_000) * rate); running.length < due;) {
        sent += 1;
        running.push(command(sent).catch((error: unknown) => void failures.push(String(error))));
      }
      await delay(2);
    }
    await Promise.all(running);
  } finally {
    client.close();
  }
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${running.length} failed: ${failures.slice(0, 3).join('; ')}`);
  const p99 = percentile(lags, 0.99);
  say(
    `${running.length} commands at ${Math.round(rate)}/s, ${lags.length} looked for: p50 ${percentile(lags, 0.5).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  );
  return {
    name: 'read-lag',
    value: p99,
    unit: 'ms',
    limit: null,
    limitName: null,
    ratio: null,
    bar: { text: `p99 at most ${P99_BAR_MS} ms`, met: p99 <= P99_BAR_MS },
    more: { p50Ms: percentile(lags, 0.5), p95Ms: percentile(lags, 0.95), looked: lags.length, commandsPerSecond: rate },
  };
}
