import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { EventStore, type NewEvent, type RecordedEvent } from '@perennial/event-sourcing';
import {
  addLineItems,
  CONNECTIONS,
  headBar,
  percentile,
  ReadModelWatch,
  type Round,
  type Side,
  warmUp,
} from './command-load';
import { type Bench, type BenchRun, type Figure, interleaved, median } from './figure';
import { Running } from '../support/processes';
import { type BenchServers, startServers } from './servers';
import { type Service, startService } from './service';

const SUBSCRIPTIONS = 1_000;
const LEAST_RATIO = 0.7;

/** Commands through the whole service, beside a program that does nothing but parse and append the same bytes. */
export const httpCommands: Bench = {
  name: 'http-commands',
  about:
    'AddLineItem over HTTP, 64 connections, 1,000 subscriptions; beside a bare node:http handler that appends the same bytes',
  async run(o) {
    const servers = await startServers();
    const readModels = new ReadModelWatch(servers.databaseUrl);
    const ends: (() => Promise<unknown>)[] = [() => readModels.close(), () => servers.close()];
    try {
      o.say(`starting the service with ${SUBSCRIPTIONS} subscriptions`);
      const service = await startService(servers, SUBSCRIPTIONS, readModels);
      ends.unshift(() => service.program.stop());
      const warm = o.scale === 'full' ? 30_000 : 6_000;
      await warmUp(service, warm, warm / 1_000, readModels);
      o.say('starting the bare handler on a copy of them');
      const bare = await startBare(servers, service);
      ends.unshift(() => bare.stop());
      await warmUp(bare, warm / 2, warm / 2_000, readModels);
      return await compare(o, servers, service, bare, readModels);
    } finally {
      for (const end of ends) await end();
    }
  },
};

async function compare(
  { scale, say }: BenchRun,
  servers: BenchServers,
  service: Service,
  bare: Bare,
  readModels: ReadModelWatch,
): Promise<Figure[]> {
  const seconds = scale === 'full' ? 10 : 1;
  const rounds: Round[] = [];
  const bareRounds: Round[] = [];
  const noHttp: number[] = [];
  const measure = async (side: Side, into: Round[], name: string) => {
    const round = await addLineItems(side, seconds, readModels);
    into.push(round);
    say(`${name}: ${Math.round(round.perSecond)} commands/s, ${Math.round(round.cpuMicroseconds)} µs of CPU for each`);
    return round.perSecond;
  };
  const { value, limit, ratio } = await interleaved(
    () => measure(service, rounds, 'service'),
    async () => {
      noHttp.push(await appendBare(servers, bare, seconds));
      return measure(bare, bareRounds, 'bare handler');
    },
  );
  const latencies = rounds.flatMap(({ latencies: all }) => all);
  return [
    {
      name: 'http-commands',
      value,
      unit: 'commands/s',
      limit,
      limitName: 'bare node:http handler',
      ratio,
      bar: { text: `at least ${LEAST_RATIO}`, met: ratio >= LEAST_RATIO },
      more: {
        p50Ms: percentile(latencies, 0.5),
        p95Ms: percentile(latencies, 0.95),
        p99Ms: percentile(latencies, 0.99),
        cpuMicroseconds: median(rounds.map(({ cpuMicroseconds }) => cpuMicroseconds)),
        bareCpuMicroseconds: median(bareRounds.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      },
    },
    {
      name: 'http-commands against the client alone',
      value,
      unit: 'commands/s',
      limit: median(noHttp),
      limitName: 'the bare client without HTTP',
      ratio: value / median(noHttp),
    },
    {
      ...headBar(rounds.map(({ visibleAfterMs }) => visibleAfterMs)),
      name: 'http-commands until the read models hold all',
    },
  ];
}

interface Bare extends Side {
  readonly event: RecordedEvent;
  stop(): Promise<unknown>;
}

/** The bare handler with streams of its own: the service's subscriptions as they began, and events as the service made them. */
async function startBare(servers: BenchServers, service: Service): Promise<Bare> {
  const prefix = `${servers.prefix}-bare`;
  const schema = `${servers.schema}_bare`;
  const event = await copyStreams(servers, service.subscriptions, prefix);
  const child = Running.node(['test/run.mjs', 'test/bench/bare-service.ts'], {
    ...servers.env,
    STREAM_PREFIX: prefix,
    DATABASE_SCHEMA: schema,
    PORT: '0',
    EVENT: JSON.stringify({ data: event.data, metadata: event.metadata }),
  });
  const url = await child.prints(/http:\S+/);
  const { token, subscriptions } = service;
  return { url, token, schema, pid: child.pid, subscriptions, event, stop: () => child.stop() };
}

/** Copies how each subscription began under another prefix; gives a line item that one of them has. */
async function copyStreams(servers: BenchServers, ids: readonly string[], prefix: string): Promise<RecordedEvent> {
  const store = EventStore.connect({ url: servers.eventstoreUrl });
  const waiting = ids.values();
  let added: RecordedEvent | undefined;
  const copier = async () => {
    for (const id of waiting) {
      const begun: NewEvent[] = [];
      for await (const recorded of store.read(`${servers.prefix}.subscription-${id}`, { maxCount: 10 })) {
        if (recorded.type === 'LineItemAdded') {
          added ??= recorded;
          break;
        }
        const { type, data, metadata } = recorded;
        begun.push({ id: randomUUID(), type, data: data as object, metadata: metadata as object });
      }
      await store.append(`${prefix}.subscription-${id}`, begun, 'no_stream');
    }
  };
  await Promise.all(Array.from({ length: 16 }, copier));
  await store.close();
  if (!added) throw new Error('no subscription has a line item');
  return added;
}

/** Appends a second of the bare client: as many at once as there are connections, the same bytes, nothing else. */
async function appendBare({ eventstoreUrl, prefix }: BenchServers, { event }: Bare, seconds: number): Promise<number> {
  const client = EventStoreDBClient.connectionString(eventstoreUrl);
  const { type, data, metadata } = event as { type: string; data: object; metadata: object };
  const began = performance.now();
  let count = 0;
  const writer = async () => {
    while (performance.now() - began < seconds * 1_000) {
      const stream = `${prefix}-alone.subscription-${(count += 1) % SUBSCRIPTIONS}`;
      await client.appendToStream(stream, jsonEvent({ type, data: data as never, metadata: metadata as never }));
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, writer));
  const perSecond = count / ((performance.now() - began) / 1_000);
  await client.dispose();
  return perSecond;
}
