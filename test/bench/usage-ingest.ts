import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { EventStore, streamNames, type RecordedEvent } from '@perennial/event-sourcing';
import { HttpClient } from '../support/http-client';
import { Program } from '../support/processes';
import { Random } from '../support/random';
import { interleaved, type Bench } from './figure';
import { newApiKey, startServers } from './servers';

const BATCH = 500;
const SUBSCRIPTIONS = 16;
const roundMs = { small: 1_000, full: 5_000 };
const DAY = 86_400_000;

/** How fast measured usage comes in, projections and policies live. */
export const usageIngest: Bench = {
  name: 'usage-ingest',
  about: 'usage records per second over HTTP in batches of 500, beside the bare client appending the same bytes',
  async run({ scale, seed, say }) {
    const servers = await startServers();
    const random = new Random(seed);
    const bare = EventStoreDBClient.connectionString(servers.eventstoreUrl);
    const store = EventStore.connect({ url: servers.eventstoreUrl });
    let program: Program | undefined;
    let http: HttpClient | undefined;
    try {
      program = await Program.start({ program: 'standalone', env: servers.env });
      await program.ready();
      const client = (http = new HttpClient(program.url, await newApiKey(servers)));
      say(`${SUBSCRIPTIONS} subscriptions`);
      const ids = await Promise.all(Array.from({ length: SUBSCRIPTIONS }, (_, n) => start(client, n)));
      let records = 0;
      const send = async (subscriptionId: string) => {
        const batch = Array.from({ length: BATCH }, () => ({
          id: `record ${(records += 1)}`,
          event: 'call',
          at: new Date(Date.now() - random.between(0, DAY)).toISOString(),
          properties: { bytes: String(random.between(0, 5_000_000)), user: `user ${random.between(1, 10_000)}` },
          subscriptionId,
        }));
        const { status, body } = await client.post('/v1/usage', { records: batch }, `batch ${records}`);
        if (status !== 200 || body.records.some(({ result }: { result: string }) => result !== 'accepted'))
          throw new Error(`usage was not taken: ${status} ${JSON.stringify(body).slice(0, 500)}`);
      };
      say('a batch to each, and what it becomes in the store');
      for (const id of ids) await send(id);
      const template = await lastCommand(store, servers.prefix);
      const bytes = template.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0);
      const append = async (stream: string) => {
        const events = template.map(({ type, data, metadata }) =>
          jsonEvent({ type, data: data as Record<string, unknown>, metadata: metadata as Record<string, unknown> }),
        );
        await bare.appendToStream(stream, events);
      };
      say('in turns');
      const rate = (one: (of: string) => Promise<void>) => async () => {
        const started = performance.now();
        let batches = 0;
        const caller = async (of: string) => {
          while (performance.now() < started + roundMs[scale]) {
            await one(of);
            batches += 1;
          }
        };
        await Promise.all(ids.map(caller));
        return (batches * BATCH * 1_000) / (performance.now() - started);
      };
      const ours = rate(send);
      const limit = rate((id) => append(`${servers.prefix}_bare-${id}`));
      await ours();
      const pairs = await interleaved(ours, limit);
      return [
        {
          name: 'usage-ingest',
          ...pairs,
          unit: 'records/s',
          limitName: 'bare client, the same bytes',
          more: { recordsPerBatch: BATCH, eventsPerBatch: template.length, bytesPerRecord: Math.round(bytes / BATCH) },
        },
      ];
    } finally {
      http?.close();
      await program?.stop();
      await bare.dispose();
      await store.close();
      await servers.close();
    }
  },
};

async function start(client: HttpClient, n: number): Promise<string> {
  const meter = (key: string, aggregation: string, more: object) => ({ key, event: 'call', aggregation, ...more });
  const item = (key: string, of: object) => ({
    componentKey: key,
    kind: 'usage',
    description: key,
    timing: 'arrears',
    price: { model: 'per-unit', unitPrice: '0.01' },
    meter: of,
  });
  const { status, body } = await client.post(
    '/v1/subscriptions',
    {
      externalId: `metered ${n}`,
      customerId: `customer ${n}`,
      currency: 'USD',
      timeZone: 'UTC',
      interval: { unit: 'month', count: 1 },
      startsAt: new Date(Date.now() - 2 * DAY).toISOString(),
      items: [
        item('calls', meter('calls', 'count', {})),
        item('bytes', meter('bytes', 'sum', { valueProperty: 'bytes' })),
        item('users', meter('users', 'unique-count', { uniqueProperty: 'user' })),
      ],
    },
    `metered ${n}`,
  );
  if (status !== 201) throw new Error(`no subscription: ${status} ${JSON.stringify(body)}`);
  return body.id as string;
}

/** The events of the newest batch of usage in the log. */
async function lastCommand(store: EventStore, prefix: string): Promise<readonly RecordedEvent[]> {
  const names = streamNames(prefix);
  const abort = new AbortController();
  let found: RecordedEvent[] = [];
  let caughtUp = false;
  const onCaughtUp = () => {
    caughtUp = true;
    abort.abort();
  };
  const prefixes = [names.of('usage', '')];
  for await (const event of store.subscribe({ from: 'start', prefixes, signal: abort.signal, onCaughtUp })) {
    const key = (recorded: RecordedEvent | undefined) => (recorded?.metadata as { key?: string } | undefined)?.key;
    found = key(found[0]) === key(event) ? [...found, event] : [event];
  }
  if (!caughtUp || found.length === 0) throw new Error('no usage in the store');
  return found;
}
