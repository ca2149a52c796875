import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EventStore } from '@perennial/event-sourcing';
import { type Answer, HttpClient } from '../support/http-client';
import { Program } from '../support/processes';
import { Random } from '../support/random';
import type { Bench, BenchRun } from './figure';
import { appendHistory, beginsSoThatNow, firstEvents, randomLineItem, subscriptionLife } from './histories';
import { newApiKey, startServers } from './servers';

const MIB = 1024 * 1024;
const BAR_MIB = 400;
/**
 * What a peak may differ by without meaning anything: when the collector last ran. Judged at full scale only, as a small run ends
 * before the heap has its usual size: the longer it works, the larger its peak, whatever it reads.
 */
const FLAT_MIB = 64;
/** Events of one subscription, and events that no read model has seen when the service starts. */
const sizes = {
  small: { short: 1_000, long: 5_000, few: 1_000, many: 5_000 },
  full: { short: 10_000, long: 100_000, few: 10_000, many: 200_000 },
};
const EVENTS_OF_OTHERS = 40;
const COMMANDS = 200;

interface Peak {
  readonly standaloneMib: number;
  readonly postgresMib?: number;
}

/** The most memory that the service has held, and whether it hangs on how long a stream or a backlog is. */
export const memory: Bench = {
  name: 'memory',
  about: 'peak memory of the standalone, its PostgreSQL apart, with a long stream and with a long backlog',
  async run(run) {
    const { short, long, few, many } = sizes[run.scale];
    const base = await peakOf(run, short, few);
    const longStream = await peakOf(run, long, few);
    const longBacklog = await peakOf(run, short, many);
    const figure = (name: string, { standaloneMib, postgresMib }: Peak) => ({
      name,
      value: standaloneMib,
      unit: 'MiB',
      ...(postgresMib !== undefined && { more: { postgresMib } }),
    });
    const within = ({ standaloneMib }: Peak) => ({ text: `at most ${BAR_MIB} MiB`, met: standaloneMib <= BAR_MIB });
    const flat = (peak: Peak) => {
      const { text, met } = within(peak);
      if (run.scale === 'small') return { text, met };
      return {
        text: `${text}, and ${FLAT_MIB} MiB above the short one`,
        met: met && peak.standaloneMib <= base.standaloneMib + FLAT_MIB,
      };
    };
    const beside = (peak: Peak) => ({
      limit: base.standaloneMib,
      limitName: 'the short one',
      ratio: peak.standaloneMib / base.standaloneMib,
      bar: flat(peak),
    });
    return [
      {
        ...figure(`memory ${short} events, backlog ${few}`, base),
        limit: BAR_MIB,
        limitName: 'the bar',
        ratio: base.standaloneMib / BAR_MIB,
        bar: within(base),
      },
      { ...figure(`memory ${long} events, backlog ${few}`, longStream), ...beside(longStream) },
      { ...figure(`memory ${short} events, backlog ${many}`, longBacklog), ...beside(longBacklog) },
    ];
  },
};

/** A store with a stream so long and a backlog so long, and a standalone that starts on it, takes commands and catches up. */
async function peakOf({ seed, say }: BenchRun, length: number, backlog: number): Promise<Peak> {
  say(`a subscription of ${length} events and ${backlog} events of others`);
  const servers = await startServers();
  const random = new Random(seed);
  const id = randomUUID();
  let program: Program | undefined;
  let client: HttpClient | undefined;
  try {
    const store = EventStore.connect({ url: servers.eventstoreUrl, appendDeadlineMs: 30_000 });
    try {
      await appendHistory(
        store,
        servers.prefix,
        id,
        firstEvents(subscriptionLife(id, random, beginsSoThatNow(length)), length),
      );
      for (let n = 0; n < backlog; n += EVENTS_OF_OTHERS) {
        const other = randomUUID();
        const events = firstEvents(
          subscriptionLife(other, random, beginsSoThatNow(EVENTS_OF_OTHERS)),
          EVENTS_OF_OTHERS,
        );
        await appendHistory(store, servers.prefix, other, events);
      }
    } finally {
      await store.close();
    }
    const token = await newApiKey(servers);
    program = await Program.start({ program: 'standalone', env: servers.env });
    await program.answers();
    const http = (client = new HttpClient(program.url, token));
    let position = '0';
    for (let n = 0; n < COMMANDS; n += 1) {
      const lineItem = randomLineItem(`bench ${n}`, random);
      const path = `/v1/subscriptions/${id}/line-items`;
      const { status, body } = await answered(() => http.post(path, lineItem, `line item ${n}`));
      if (status !== 201) throw new Error(`a command was refused: ${status} ${JSON.stringify(body)}`);
      position = body.position as string;
    }
    say('until the read models have seen it all');
    await seen(client, id, position);
    const { postgres } = servers.pids;
    const peak = {
      standaloneMib: peakMib(program.pid),
      ...(postgres !== undefined && { postgresMib: peakMib(postgres) }),
    };
    say(`${peak.standaloneMib.toFixed(0)} MiB at most`);
    return peak;
  } finally {
    client?.close();
    await program?.stop();
    await servers.close();
  }
}

/** Asks again, as a caller would, while the answer is that the service is busy. */
async function answered(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask();
    if (answer.status !== 503 || attempt === 20) return answer;
    await delay(200);
  }
}

async function seen(client: HttpClient, id: string, position: string): Promise<void> {
  for (const until = performance.now() + 600_000; performance.now() < until; await delay(100)) {
    const { status } = await client.get(`/v1/subscriptions/${id}?minPosition=${position}`);
    if (status === 200) return;
  }
  throw new Error('the read models did not catch up within ten minutes');
}

/** The most resident memory that a process ever had. Linux alone says so. */
function peakMib(pid: number): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (peak === undefined) throw new Error(`no peak in /proc/${pid}/status`);
  return (Number(peak) * 1024) / MIB;
}
