import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import { Program } from '../support/processes';
import { headBar, ReadModelWatch, startSubscriptions } from './command-load';
import { type Bench, type BenchRun, type Figure, median } from './figure';
import { type BenchServers, newApiKey, startServers } from './servers';

const WRITERS = 64;
const SLOWEST = 3;

/** Many callers of one subscription: they wait for each other in a process, and conflict between two. */
export const hotStream: Bench = {
  name: 'hot-stream',
  about: '64 writers on one subscription, through one and two API processes; beside the same commands on 64 of them',
  async run(o) {
    const servers = await startServers();
    const readModels = new ReadModelWatch(servers.databaseUrl);
    const programs: Program[] = [];
    try {
      const token = await newApiKey(servers);
      for (const program of ['worker', 'api', 'api'] as const) {
        programs.push(await Program.start({ program, env: { ...servers.env, LOG_LEVEL: 'info' } }));
      }
      for (const program of programs) await program.ready();
      const urls = programs.slice(1).map(({ url }) => url);
      const one = await measure(o, servers, urls.slice(0, 1), token, readModels);
      const two = await measure(o, servers, urls, token, readModels);
      const until = { ...headBar([...one.waits, ...two.waits]), name: 'hot-stream until the read models hold all' };
      return [one.figure, two.figure, until];
    } finally {
      for (const program of programs) await program.stop();
      await readModels.close();
      await servers.close();
    }
  },
};

async function measure(
  { scale, say }: BenchRun,
  { schema }: BenchServers,
  urls: readonly string[],
  token: string,
  readModels: ReadModelWatch,
): Promise<{ readonly figure: Figure; readonly waits: readonly number[] }> {
  const seconds = scale === 'full' ? 20 : 3;
  const clients = urls.map((url) => new HttpClient(url, token));
  try {
    const subscriptions = await startSubscriptions(urls[0]!, token, WRITERS);
    await write(clients, subscriptions, 1);
    const cold = await write(clients, subscriptions, seconds);
    const coldWait = await readModels.until(schema, cold.position);
    const conflictsBefore = await conflictsOf(clients);
    const hot = await write(clients, subscriptions.slice(0, 1), seconds);
    const hotWait = await readModels.until(schema, hot.position);
    const conflicts = (await conflictsOf(clients)) - conflictsBefore;
    const done = hot.counts.reduce((sum, count) => sum + count, 0);
    const slowest = median(hot.counts) / Math.min(...hot.counts);
    const processes = `${urls.length} API process${urls.length === 1 ? '' : 'es'}`;
    say(
      `${processes}: ${Math.round(hot.perSecond)} commands/s on one stream, ${Math.round(cold.perSecond)} on ${WRITERS}`,
    );
    const figure: Figure = {
      name: `hot-stream, ${processes}`,
      value: hot.perSecond,
      unit: 'commands/s',
      limit: cold.perSecond,
      limitName: 'a stream for each writer',
      ratio: hot.perSecond / cold.perSecond,
      bar: {
        text: `none failed, slowest writer within ${SLOWEST} × the median`,
        met: hot.failures.length === 0 && slowest <= SLOWEST,
      },
      more: {
        failed: hot.failures.length,
        ...(hot.failures[0] !== undefined && { firstFailure: hot.failures[0] }),
        slowestWriter: slowest,
        conflictsPerSuccess: conflicts / done,
      },
    };
    return { figure, waits: [coldWait, hotWait] };
  } finally {
    for (const client of clients) client.close();
  }
}

interface Written {
  readonly perSecond: number;
  /** Commands that each writer had answered. */
  readonly counts: readonly number[];
  readonly failures: readonly string[];
  /** The last one in the log. */
  readonly position: bigint;
}

let made = 0;

/** Every writer changes the metadata of its subscription, and again as soon as it is answered, for so many seconds. */
async function write(clients: readonly HttpClient[], ids: readonly string[], seconds: number): Promise<Written> {
  const counts = Array.from({ length: WRITERS }, () => 0);
  const failures: string[] = [];
  let position = 0n;
  const began = performance.now();
  const writer = async (n: number) => {
    const client = clients[n % clients.length]!;
    while (performance.now() - began < seconds * 1_000) {
      made += 1;
      const { status, body } = await client.ask('PATCH', `/v1/subscriptions/${ids[n % ids.length]}`, {
        key: `hot-${made}`,
        body: { metadata: { seenBy: `writer ${n}`, seen: String(made) } },
      });
      if (status !== 200) {
        failures.push(`${status} ${JSON.stringify(body)}`);
        await delay(10);
        continue;
      }
      counts[n] = (counts[n] ?? 0) + 1;
      const at = BigInt(body.position as string);
      if (at > position) position = at;
    }
  };
  await Promise.all(counts.map((_, n) => writer(n)));
  const done = counts.reduce((sum, count) => sum + count, 0);
  return { perSecond: done / ((performance.now() - began) / 1_000), counts, failures, position };
}

/** Appends that these processes have had refused because another writer won. */
async function conflictsOf(clients: readonly HttpClient[]): Promise<number> {
  let sum = 0;
  for (const client of clients) {
    const { body } = await client.get('/metrics');
    sum += Number(/^command_conflicts_total (\d+)/m.exec(String(body))?.[1] ?? Number.NaN);
  }
  return sum;
}
