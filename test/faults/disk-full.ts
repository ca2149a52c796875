import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpClient } from '../support/http-client';
import type { Fault } from './fault';
import { underLoad } from './under-load';

/** No file of a process may grow beyond so many bytes: a write past them fails as on a full disk (EFBIG). */
function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  const { status, stderr, error } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
  if (status !== 0) throw new Error(`prlimit: ${error?.message ?? stderr.toString()}`);
}

/** Resolves with whether `/health/ready` came to say what is wanted. */
async function comesToSay(url: string, ready: boolean, withinMs: number): Promise<boolean> {
  const client = new HttpClient(url);
  const until = performance.now() + withinMs;
  try {
    while (performance.now() < until) {
      const status = await client.get('/health/ready', { timeoutMs: 5_000 }).then(
        (answer) => answer.status,
        () => 0,
      );
      if ((status === 200) === ready) return true;
      await delay(50);
    }
    return false;
  } finally {
    client.close();
  }
}

const diskFull: Fault = {
  name: 'disk-full',
  about:
    'the event store’s files cannot grow any more: nothing is acknowledged that is not on disk, the service says that it is not ready, and goes on when there is space again',
  round: (o) =>
    underLoad(o, 'standalone', async ({ deployment, callers, random, say, violations }) => {
      const [program] = deployment.apis;
      if (!program) throw new Error('no program');
      const log = join(o.directory, 'eventstore', 'events.db-wal');
      await delay(random.between(300, 800));
      const { size } = statSync(log);
      limitFiles(deployment.store.process.pid, size + random.between(0, 100_000));
      if (!(await comesToSay(program.url, false, 30_000)))
        violations.push('it said ready while nothing could be written');
      const before = callers.journal.get('acknowledged').length;
      await delay(500);
      const meanwhile = callers.journal.get('acknowledged').length - before;
      limitFiles(deployment.store.process.pid, 'unlimited');
      const restarted = !(await comesToSay(program.url, true, 20_000));
      if (restarted) {
        say('it did not go on by itself: the event store is started again');
        await deployment.store.process.stop();
        await deployment.store.restart();
        if (!(await comesToSay(program.url, true, 30_000)))
          violations.push('it is not ready though there is space again');
      }
      return { 'full disks': 1, 'stores started again': restarted ? 1 : 0, 'acknowledged meanwhile': meanwhile };
    }),
};

export const fullDisk: readonly Fault[] = [diskFull];
