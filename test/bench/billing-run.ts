import { setTimeout as delay } from 'node:timers/promises';
import { CreateCustomer, StartSubscription } from '@perennial/billing-application';
import { DEFAULT_SERIES, invoiceNumbersId } from '@perennial/billing-domain';
import { EventStore, streamNames } from '@perennial/event-sourcing';
import { openDatabase } from '@perennial/platform';
import { sql } from 'kysely';
import { billingProcess, masterKey, request } from '../support/billing-process';
import { Program } from '../support/processes';
import { Random } from '../support/random';
import type { Bench } from './figure';
import { chunkTimes, ratioOfMeans } from './interval';
import { type BenchServers, startServers } from './servers';

const BAR = 1.25;
/** Few, many, and few again, so that a machine that becomes slower or faster does not look like growth. */
const sizes = {
  small: { few: 240, many: 600, chunk: 30, warm: 120 },
  full: { few: 10_000, many: 100_000, chunk: 1_000, warm: 1_000 },
};
const CALLERS = 48;
const DAY = 86_400_000;

/** Invoices that are timed together, and how many are left out first, as the process is starting still. */
interface Parts {
  readonly chunk: number;
  readonly warm: number;
}

interface Run {
  /** ms that each chunk of invoices took, one after the other. */
  readonly chunks: number[];
  readonly seconds: number;
  /** From the last number granted until every invoice was finalised in the read model. */
  readonly visibleAfterMs: number;
}

/** What the end of a month costs: every subscription's period has elapsed, and the worker begins. */
export const billingRun: Bench = {
  name: 'billing-run',
  about: 'all due subscriptions rolled over and invoiced by the worker: whether each costs the same among many',
  async run({ scale, seed, say }) {
    const { few, many, chunk } = sizes[scale];
    const first = await billAll(few, sizes[scale], say);
    const long = await billAll(many, sizes[scale], say);
    const last = await billAll(few, sizes[scale], say);
    const perSubscription = (run: Run) => run.chunks.map((ms) => ms / chunk);
    const short = [...perSubscription(first), ...perSubscription(last)];
    const interval = ratioOfMeans(perSubscription(long), short, new Random(seed));
    const cost = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return [
      {
        name: 'billing-run',
        value: cost(perSubscription(long)),
        unit: `ms/subscription of ${many}`,
        limit: cost(short),
        limitName: `the same of ${few}`,
        ratio: interval.ratio,
        bar: { text: `upper end of the 95 % interval of the ratio below ${BAR}`, met: interval.high < BAR },
        more: {
          low: interval.low,
          high: interval.high,
          invoicesPerMinute: 60_000 / cost(perSubscription(long)),
          seconds: long.seconds,
          visibleAfterMs: long.visibleAfterMs,
        },
      },
    ];
  },
};

/** Starts so many subscriptions of as many customers a month ago, then lets a worker find them all due. */
async function billAll(count: number, parts: Parts, say: (line: string) => void): Promise<Run> {
  const servers = await startServers();
  let worker: Program | undefined;
  try {
    say(`${count} subscriptions of as many customers`);
    await startSubscriptions(servers, count);
    worker = await Program.start({ program: 'worker', env: { ...servers.env, PERSONAL_DATA_MASTER_KEY: masterKey } });
    say('the worker rolls them over');
    return await watch(servers, worker, count, parts, say);
  } finally {
    await worker?.stop();
    await servers.close();
  }
}

async function startSubscriptions(servers: BenchServers, count: number): Promise<void> {
  const time = new Date(Date.now() - 31 * DAY).toISOString();
  const billing = await billingProcess({ url: servers.eventstoreUrl, prefix: servers.prefix }, { time });
  const numbers = Array.from({ length: count }, (_, n) => n).values();
  const caller = async () => {
    for (const n of numbers) {
      const customerId = `customer ${n}`;
      const terms = { currency: 'USD', timeZone: 'America/New_York', paymentTermsDays: 14 };
      const address = { line1: `${n} Main Street`, city: 'Springfield', country: 'US' };
      const personal = { billTo: { name: `Company ${n}`, address } };
      await billing.execute(new CreateCustomer({ externalId: customerId, ...terms, personal }, request()));
      const subscription = {
        externalId: `subscription ${n}`,
        customerId,
        interval: { unit: 'day', count: 30 },
        item: { description: 'Base', unitPrice: '4900', timing: 'arrears' },
        items: [
          {
            componentKey: 'seats',
            description: 'Seats',
            timing: 'arrears',
            quantity: `${1 + (n % 40)}`,
            unitPrice: '1200',
          },
        ],
      } as const;
      await billing.execute(new StartSubscription(subscription, request()));
    }
  };
  try {
    await Promise.all(Array.from({ length: CALLERS }, caller));
  } finally {
    await billing.close();
  }
}

/** Reads how many numbers the series has granted until there are enough, then waits for the last invoice in the read model. */
async function watch(
  servers: BenchServers,
  worker: Program,
  count: number,
  { chunk, warm }: Parts,
  say: (line: string) => void,
): Promise<Run> {
  const store = EventStore.connect({ url: servers.eventstoreUrl });
  const database = openDatabase(servers.databaseUrl, { max: 1 });
  const stream = streamNames(servers.prefix).of('invoice-numbers', invoiceNumbersId('default', DEFAULT_SERIES));
  const readings: [number, number][] = [];
  let said = performance.now();
  const running = () => {
    if (!worker.running) throw new Error(`the worker ended:\n${worker.log}`);
  };
  try {
    for (let granted = 0; granted < count;) {
      running();
      granted = Number((await store.last(stream))?.revision ?? -1n) + 1;
      if (granted > 0) readings.push([performance.now(), granted]);
      if (performance.now() > said + 5_000) {
        said = performance.now();
        say(`${granted} invoices have their number`);
      }
      await delay(20);
    }
    const [started = 0] = readings[0] ?? [];
    const ended = performance.now();
    const table = sql.table(`${servers.schema}.invoice`);
    for (let finalised = 0n; finalised < BigInt(count);) {
      running();
      const query = sql<{ n: bigint }>`select count(*) as n from ${table} where number is not null`;
      finalised = BigInt((await query.execute(database.db)).rows[0]?.n ?? 0n);
      await delay(20);
    }
    return {
      chunks: chunkTimes(readings, chunk).slice(warm / chunk),
      seconds: (ended - started) / 1_000,
      visibleAfterMs: performance.now() - ended,
    };
  } finally {
    await database.close();
    await store.close();
  }
}
