import { setTimeout as delay } from 'node:timers/promises';
import { CreateCustomer, StartSubscription } from '@perennial/billing-application';
import { DEFAULT_SERIES, invoiceNumbersId } from '@perennial/billing-domain';
import { EventStore, streamNames } from '@perennial/event-sourcing';
import { billingProcess, masterKey, request } from '../support/billing-process';
import { Program } from '../support/processes';
import { Random } from '../support/random';
import { ReadModelWatch } from './command-load';
import type { Bench } from './figure';
import { chunkTimes, mean, ratioOfMeans, stagesOf } from './interval';
import { type BenchServers, startServers } from './servers';

const BAR = 1.25;
/** Few, many, and few again, so that a machine that becomes slower or faster does not look like growth. */
const sizes = {
  small: { few: 240, many: 600, chunk: 6 },
  full: { few: 10_000, many: 100_000, chunk: 250 },
};
/** A run begins with roll-overs, ends with finalising and is granted its numbers between: its parts are compared with those of the same stage. */
const STAGES = 10;
const CALLERS = 48;
const DAY = 86_400_000;
const LOOK_EVERY_MS = 500;
const SAY_EVERY_MS = 5_000;

interface Run {
  /** ms that each chunk of invoices took, one after the other, from the start until every invoice was finalised in the read model. */
  readonly chunks: number[];
  readonly seconds: number;
}

/** What the end of a month costs: every subscription's period has elapsed, and the worker begins. */
export const billingRun: Bench = {
  name: 'billing-run',
  about: 'all due subscriptions rolled over and invoiced by the worker: whether each costs the same among many',
  async run({ scale, seed, say }) {
    const { few, many, chunk } = sizes[scale];
    const first = await billAll(few, chunk, say);
    const long = await billAll(many, chunk, say);
    const last = await billAll(few, chunk, say);
    const stages = ({ chunks }: Run) =>
      stagesOf(
        chunks.map((ms) => ms / chunk),
        STAGES,
      );
    const short = stages(first).map((values, stage) => [...values, ...stages(last)[stage]!]);
    const interval = ratioOfMeans(stages(long), short, new Random(seed));
    const cost = mean(long.chunks) / chunk;
    return [
      {
        name: 'billing-run',
        value: cost,
        unit: `ms/subscription of ${many}`,
        limit: mean([...first.chunks, ...last.chunks]) / chunk,
        limitName: `the same of ${few}`,
        ratio: interval.ratio,
        bar: { text: `upper end of the 95 % interval of the ratio below ${BAR}`, met: interval.high < BAR },
        more: {
          low: interval.low,
          high: interval.high,
          invoicesPerMinute: 60_000 / cost,
          seconds: long.seconds,
          secondsOfFew: `${first.seconds.toFixed(1)} and ${last.seconds.toFixed(1)}`,
        },
      },
    ];
  },
};

/** Starts so many subscriptions of as many customers a month ago, then lets a worker find them all due. */
async function billAll(count: number, chunk: number, say: (line: string) => void): Promise<Run> {
  const servers = await startServers();
  let worker: Program | undefined;
  try {
    say(`${count} subscriptions of as many customers`);
    await startSubscriptions(servers, count);
    worker = await Program.start({ program: 'worker', env: { ...servers.env, PERSONAL_DATA_MASTER_KEY: masterKey } });
    await worker.answers();
    say('the worker rolls them over');
    return await watch(servers, worker, count, chunk, say);
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

/**
 * Reads how far the log has come until the read model holds the last finalised invoice. Each subscription's bill takes up as much of the
 * log as any other's, so a part of the log is as many invoices; roll-overs run ahead and numbers are granted late, and neither alone would tell.
 */
async function watch(
  servers: BenchServers,
  worker: Program,
  count: number,
  chunk: number,
  say: (line: string) => void,
): Promise<Run> {
  const store = EventStore.connect({ url: servers.eventstoreUrl });
  const readModels = new ReadModelWatch(servers.databaseUrl);
  const numbers = streamNames(servers.prefix).of('invoice-numbers', invoiceNumbersId('default', DEFAULT_SERIES));
  const readings: [number, number][] = [];
  let granted = 0;
  let looked = 0;
  let said = performance.now();
  try {
    for (let finalised = 0; finalised < count; await delay(20)) {
      if (!worker.running) throw new Error(`the worker ended:\n${worker.log}`);
      readings.push([performance.now(), Number((await store.headPosition()) ?? 0n)]);
      if (performance.now() < looked + LOOK_EVERY_MS) continue;
      looked = performance.now();
      if (granted < count) granted = Number((await store.last(numbers))?.revision ?? -1n) + 1;
      else finalised = await readModels.finalised(servers.schema);
      if (looked < said + SAY_EVERY_MS) continue;
      said = looked;
      say(`${granted} invoices have their number, ${finalised} are finalised`);
    }
    const [[started, from], [ended, to]] = [readings[0]!, readings.at(-1)!];
    const invoices = readings.map(([ms, head]) => [ms, ((head - from) / (to - from)) * count] as const);
    return { chunks: chunkTimes(invoices, chunk), seconds: (ended - started) / 1_000 };
  } finally {
    await readModels.close();
    await store.close();
  }
}
