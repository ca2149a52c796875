import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { EventStore } from '@perennial/event-sourcing';
import { appendBillingHistory } from './billing-history';
import { type Bench, type BenchRun, type Figure, interleaved, median } from './figure';
import type { RebuildAnswer, RebuildTask } from './rebuild-process';
import { startServers } from './servers';

const root = join(__dirname, '../..');
const EVENTS = { small: 8_000, full: 1_000_000 } as const;
/** Of a million events a pair takes minutes. */
const PAIRS = { small: 5, full: 3 } as const;

/**
 * All read models from zero, beside the client that only reads the same events and the driver that only writes the same
 * rows. Both use one thread of one process on the way, as the rebuild does, so the limit is one after the other; what the
 * rebuild gains by doing them at the same time, in other processes, is its own. The ratio to the slower of the two alone
 * is reported beside.
 */
export const projectionRebuild: Bench = {
  name: 'projection-rebuild',
  about: 'all read models from zero',
  run,
};

async function run({ scale, seed, say }: BenchRun): Promise<readonly Figure[]> {
  const servers = await startServers();
  const processes = new Processes();
  try {
    const { eventstoreUrl, databaseUrl, prefix } = servers;
    const store = EventStore.connect({ url: eventstoreUrl, appendDeadlineMs: 30_000 });
    const seeding = performance.now();
    const { events, head } = await appendBillingHistory(store, prefix, { events: EVENTS[scale], seed });
    await store.close();
    say(`${events} events appended in ${seconds(performance.now() - seeding)}`);

    const history = { prefix, head: head.toString() };
    const recorded = join(servers.directory, 'rows');
    let schemas = 0;
    const ask = (of: object) => {
      const schema = `${servers.schema}_${(schemas += 1)}`;
      return processes.ask({ eventstoreUrl, databaseUrl, schema, ...of } as RebuildTask);
    };
    const recording = await ask({ task: 'rebuild', ...history, recordTo: recorded });
    const { rows = 0, modelMs = {} } = recording;
    if (rows < events) throw new Error(`${rows} rows of ${events} events were recorded`);
    say(`${rows} rows recorded in ${seconds(recording.ms)}`);

    const rate = ({ ms }: RebuildAnswer) => (events / ms) * 1_000;
    const parts = { read: [] as number[], write: [] as number[] };
    let peak = 0;
    const ours = async () => {
      const answer = await ask({ task: 'rebuild', ...history });
      peak = Math.max(peak, answer.maxRssMiB);
      say(`${whole(rate(answer))} events/s`);
      return rate(answer);
    };
    const limit = async () => {
      const read = rate(await ask({ task: 'read', ...history }));
      const write = rate(await ask({ task: 'write', recorded }));
      parts.read.push(read);
      parts.write.push(write);
      say(`${whole(read)} events/s read, ${whole(write)} events/s written`);
      return 1 / (1 / read + 1 / write);
    };
    const pairs = await interleaved(ours, limit, PAIRS[scale]);
    return [
      {
        name: 'projection-rebuild',
        value: Math.round(pairs.value),
        unit: 'events/s',
        limit: Math.round(pairs.limit),
        limitName: 'bare subscription, then bare upserts of the same rows',
        ratio: pairs.ratio,
        bar: { text: 'at least 0.5', met: pairs.ratio >= 0.5 },
        more: {
          events,
          rows,
          'bare subscription, events/s': Math.round(median(parts.read)),
          'bare upserts, events/s': Math.round(median(parts.write)),
          'ratio to the slower of the two': pairs.value / Math.min(median(parts.read), median(parts.write)),
          'peak RSS of the process, MiB': Math.round(peak),
          'time in each model': shares(modelMs),
        },
      },
    ];
  } finally {
    await processes.end();
    await servers.close();
  }
}

/** Rebuilds have a process of their own, so that the peak of memory is theirs alone. */
class Processes {
  private readonly children = new Map<'rebuild' | 'bare', ChildProcess>();

  async ask(task: RebuildTask): Promise<RebuildAnswer> {
    const kind = task.task === 'rebuild' ? 'rebuild' : 'bare';
    let child = this.children.get(kind);
    if (child === undefined) {
      child = fork('test/run.mjs', ['test/bench/rebuild-process.ts'], { cwd: root });
      this.children.set(kind, child);
    }
    child.send(task);
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const [answer] = (await Promise.race([
        once(child, 'message', { signal }),
        once(child, 'exit', { signal }).then(() => Promise.reject(new Error(`the process of the ${task.task} ended`))),
      ])) as [RebuildAnswer];
      return answer;
    } finally {
      ended.abort();
    }
  }

  async end(): Promise<void> {
    for (const child of this.children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.disconnect();
      await exit;
    }
  }
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
const whole = (rate: number) => Math.round(rate).toLocaleString('en');

function shares(modelMs: Readonly<Record<string, number>>): string {
  const all = Object.values(modelMs).reduce((sum, ms) => sum + ms, 0);
  return Object.entries(modelMs)
    .sort(([, a], [, b]) => b - a)
    .map(([name, ms]) => `${name} ${Math.round((100 * ms) / all)} %`)
    .join(', ');
}
