import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { sql } from 'kysely';
import { billingProjections } from '@perennial/billing-read-models';
import { ProjectionWatch } from '@perennial/event-sourcing';
import { type Database, openDatabase } from '@perennial/platform';
import { HttpClient } from '../support/http-client';
import type { Figure } from './figure';

export const CONNECTIONS = 64;
/** Within so many ms after a round the read models must hold all of it. */
const VISIBLE_WITHIN_MS = 2_000;

/** One of the sides of a comparison: an HTTP server, and the read models that follow what it appends. */
export interface Side {
  readonly url: string;
  readonly token: string;
  readonly schema: string;
  /** Of the process that answers. */
  readonly pid: number;
  readonly subscriptions: readonly string[];
}

/** What one round of load gave. */
export interface Round {
  readonly perSecond: number;
  /** Ms, of every answered command. */
  readonly latencies: readonly number[];
  /** CPU time of the process that answers, for one command, its projections included. */
  readonly cpuMicroseconds: number;
  /** From the end of the load until the read models hold all of it. */
  readonly visibleAfterMs: number;
}

/** A line item of one service rendered; `n` makes it another one. */
export function lineItem(n: number): Readonly<Record<string, unknown>> {
  return {
    lineItemId: `${run}-${n}`,
    description: 'Consulting, per hour',
    quantity: '1.5',
    unitPrice: String(5_000 + (n % 5_000)),
    metadata: { ticket: `T-${n}` },
  };
}

const run = randomBytes(4).toString('hex');
let made = 0;

/** Starts so many subscriptions; gives their ids. */
export async function startSubscriptions(url: string, token: string, count: number): Promise<string[]> {
  const client = new HttpClient(url, token);
  const ids: string[] = [];
  let next = 0;
  const starter = async () => {
    for (let n = (next += 1); n <= count; n = next += 1) {
      const { status, body } = await client.post('/v1/subscriptions', subscription(n), `start-${run}-${n}`);
      if (status !== 201) throw new Error(`no subscription: ${status} ${JSON.stringify(body)}`);
      ids.push(body.id as string);
    }
  };
  try {
    await Promise.all(Array.from({ length: 32 }, starter));
  } finally {
    client.close();
  }
  return ids;
}

function subscription(n: number): object {
  return {
    customerId: `customer-${n % 100}`,
    currency: 'EUR',
    timeZone: 'Europe/Berlin',
    interval: { unit: 'month', count: 1 },
    paymentTermsDays: 14,
    items: [{ description: 'Base', timing: 'advance', price: { model: 'flat', unitPrice: '3100' } }],
  };
}

/**
 * `AddLineItem` over HTTP for so many seconds by 64 connections that each send the next command when the last is answered,
 * every command to another subscription than those before it. Throws when one is not answered with 201.
 */
export async function addLineItems(side: Side, seconds: number, readModels: ReadModelWatch): Promise<Round> {
  const { url, token, subscriptions, pid } = side;
  const refused: string[] = [];
  const load = autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    sampleInt: 50,
    requests: [
      {
        setupRequest: (request) => {
          made += 1;
          return {
            ...request,
            method: 'POST',
            path: `/v1/subscriptions/${subscriptions[made % subscriptions.length]}/line-items`,
            headers: {
              authorization: `Bearer ${token}`,
              'content-type': 'application/json',
              'idempotency-key': `key-${run}-${made}`,
            },
            body: JSON.stringify(lineItem(made)),
          };
        },
        onResponse: (status, body) => {
          if (status !== 201 && refused.length < 3) refused.push(`${status} ${body}`);
        },
      },
    ],
  });
  const latencies: number[] = [];
  const cpuBefore = cpuMs(pid);
  const began = performance.now();
  let ended = began;
  void load.on('response', (_client: unknown, _status: number, _bytes: number, ms: number) => {
    latencies.push(ms);
    ended = performance.now();
  });
  const { errors, timeouts, non2xx } = await load;
  if (errors + timeouts + non2xx > 0 || refused.length > 0) {
    throw new Error(`${errors} errors, ${timeouts} timeouts, ${non2xx} refused: ${refused.join('; ')}`);
  }
  const visibleAfterMs = await readModels.until(side.schema, await lastPosition(side));
  return {
    perSecond: latencies.length / ((ended - began) / 1_000),
    latencies,
    cpuMicroseconds: ((cpuMs(pid) - cpuBefore) * 1_000) / latencies.length,
    visibleAfterMs,
  };
}

/** Load that is not measured, until the code is compiled: so many commands, but no longer than so many seconds. */
export async function warmUp(side: Side, commands: number, seconds: number, readModels: ReadModelWatch): Promise<void> {
  const until = performance.now() + seconds * 1_000;
  for (let done = 0; done < commands && performance.now() < until;) {
    done += (await addLineItems(side, 1, readModels)).latencies.length;
  }
}

/** When the read models hold what was appended. */
export class ReadModelWatch {
  private readonly database: Database;
  private readonly watches = new Map<string, ProjectionWatch>();

  constructor(databaseUrl: string) {
    this.database = openDatabase(databaseUrl, { max: 2 });
  }

  /** Resolves with the ms until all of them hold everything up to a log position; throws when they do not within a minute. */
  async until(schema: string, position: bigint): Promise<number> {
    const started = performance.now();
    const watch = this.watches.get(schema) ?? new ProjectionWatch(this.database.db, schema);
    this.watches.set(schema, watch);
    for (const { name } of billingProjections) {
      if (!(await watch.waitFor(name, position, 60_000))) throw new Error(`${name} does not come to ${position}`);
    }
    return performance.now() - started;
  }

  /** How many invoices are finalised. */
  async finalised(schema: string): Promise<number> {
    const table = sql.table(`${schema}.invoice`);
    const query = sql<{ n: bigint }>`select count(*) as n from ${table} where status = 'finalised'`;
    return Number((await query.execute(this.database.db)).rows[0]?.n);
  }

  /** Resolves when so many invoices are finalised; throws when they are not within two minutes. */
  async untilFinalised(schema: string, count: number): Promise<void> {
    for (const until = performance.now() + 120_000; performance.now() < until; await delay(100)) {
      if ((await this.finalised(schema)) >= count) return;
    }
    throw new Error(`there are no ${count} invoices after two minutes`);
  }

  async close(): Promise<void> {
    await this.database.close();
  }
}

/** Log position of one more command of this side, sent when those of the load are answered. */
async function lastPosition({ url, token, subscriptions }: Side): Promise<bigint> {
  const client = new HttpClient(url, token);
  try {
    made += 1;
    const path = `/v1/subscriptions/${subscriptions[made % subscriptions.length]}/line-items`;
    const { status, body } = await client.post(path, lineItem(made), `key-${run}-${made}`);
    if (status !== 201) throw new Error(`the last command: ${status} ${JSON.stringify(body)}`);
    return BigInt(body.position as string);
  } finally {
    client.close();
  }
}

/** What must hold after the longest of these waits. */
export function headBar(visibleAfterMs: readonly number[]): Figure {
  const longest = Math.max(...visibleAfterMs);
  return {
    name: 'until the read models hold all of it',
    value: longest,
    unit: 'ms',
    limit: null,
    limitName: null,
    ratio: null,
    bar: { text: `at most ${VISIBLE_WITHIN_MS} ms`, met: longest <= VISIBLE_WITHIN_MS },
  };
}

/** The value below which this part of the values lies, interpolating nothing. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** CPU time that a process has used, in ms; NaN where the system does not tell. */
function cpuMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}
