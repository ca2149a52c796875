import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EventStore } from '@perennial/event-sourcing';
import { EventLog } from '../../libs/embedded-eventstore/src/log';
import { openStorage } from '../../libs/embedded-eventstore/src/open';
import { eventIdOf, streamNameOf } from '../../libs/embedded-eventstore/src/record';
import { inspectWal } from '../../libs/embedded-eventstore/src/wal';
import { runToEnd } from '../support/processes';
import { serversOf } from '../support/standalone';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { commandCounts } from './under-load';
import { auditDifferences, compareWithStore } from './oracles';
import { Standalone } from './standalone';
import type { Random } from '../support/random';

/** Changes one bit of a byte somewhere in [from, to) of a file. */
function flip(path: string, random: Random, from = 0, to = statSync(path).size): void {
  const bytes = readFileSync(path);
  const at = random.between(from, to - 1);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  writeFileSync(path, bytes);
}

/** Cuts or zeroes the last bytes of what is used of a file. */
function loseTail(path: string, used: number, lost: number, cut: boolean): void {
  if (cut) truncateSync(path, used - lost);
  else {
    const bytes = readFileSync(path);
    bytes.fill(0, used - lost, used);
    writeFileSync(path, bytes);
  }
}

/** What is never truncated. */
const ofAnAggregate = (stream: string) => stream.startsWith('perennial.') && stream !== 'perennial.heartbeat';

/** An event of an aggregate: its id, and `stream@revision`. */
interface Standing {
  readonly id: string;
  readonly place: string;
}

/** Leaves at the end of a write-ahead log what a write that was not finished leaves: some of a frame, with its salts. */
function leaveUnfinished(log: string, random: Random): void {
  const bytes = readFileSync(log);
  appendFileSync(log, bytes.subarray(32, 32 + random.between(101, 24 + 4_096)));
}

/** The events of aggregates in a store that nobody runs, in log order; reads a copy. */
function eventsOf(directory: string, scratch: string): Standing[] {
  cpSync(directory, scratch, { recursive: true });
  const { storage, release } = openStorage(scratch);
  const log = new EventLog(storage);
  const events: Standing[] = [];
  for (let position = -1; ;) {
    const page = log.after(position, 500);
    if (page.length === 0) break;
    for (const { bytes, revision } of page) {
      const stream = streamNameOf(bytes);
      if (ofAnAggregate(stream)) events.push({ id: eventIdOf(bytes), place: `${stream}@${revision}` });
    }
    position = page.at(-1)?.position ?? position;
  }
  storage.close();
  release();
  rmSync(scratch, { recursive: true });
  return events;
}

/** Ids of the events of aggregates in a store that runs, in log order. */
async function idsIn(eventstoreUrl: string): Promise<string[]> {
  const store = EventStore.connect({ url: eventstoreUrl });
  const caughtUp = new AbortController();
  const ids: string[] = [];
  try {
    const all = store.subscribe({
      from: 'start',
      prefixes: ['perennial.'],
      signal: caughtUp.signal,
      onCaughtUp: () => caughtUp.abort(),
    });
    for await (const { id, stream } of all) if (ofAnAggregate(stream)) ids.push(id);
  } finally {
    await store.close();
  }
  return ids;
}

/** Takes back what the callers know of commands that the store has lost and said so; gives how many acknowledged ones. */
function forgetLost(standalone: Standalone, places: ReadonlySet<string>): number {
  const { journal, subscriptions } = standalone.callers;
  const stands = (id: string, revision: string) => places.has(`perennial.subscription-${id}@${revision}`);
  const kept = journal.commands.filter(({ answer }) => !answer || stands(answer.id, answer.revision));
  const lost = journal.commands.length - kept.length;
  // Of a subscription that is gone nothing can be known, whatever was refused or is unknown of it.
  const subject = (path: string) => /\/v1\/subscriptions\/([^/]+)/.exec(path)?.[1];
  const gone = (path: string) => {
    const id = subject(path);
    return id !== undefined && !stands(id, '0');
  };
  journal.commands.splice(0, Infinity, ...kept.filter(({ path }) => !gone(path)));
  subscriptions.splice(0, Infinity, ...subscriptions.filter((id) => stands(id, '0')));
  return lost;
}

/** After everything: nothing unknown is left, more commands go through, and every oracle holds. */
async function holds(standalone: Standalone, random: Random): Promise<string[]> {
  const { callers, dataDir, program } = standalone;
  await callers.advance(0);
  await callers.settle();
  await callers.askAgain();
  await standalone.load(500, random);
  await callers.settle();
  const { eventstoreUrl } = serversOf(dataDir);
  const stored = await compareWithStore({ eventstoreUrl, commands: callers.journal.commands });
  const differences = await auditDifferences({ DATA_DIR: dataDir });
  const found = [...callers.journal.violations, ...stored.violations, ...differences];
  return found.length === 0 ? [] : [...found, `what the service printed:\n${program.log.slice(-3_000)}`];
}

const storeTail: Fault = {
  name: 'store-tail',
  about:
    'after kill -9 under load the tail of the event store’s log or database is cut or zeroed: whole appends, a prefix, announced; nothing when the bytes were never acknowledged',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const cut = random.chance(0.5);
    // What follows the last whole commit was never acknowledged; before it everything was.
    const unacknowledged = random.chance(0.3);
    const standalone = await Standalone.start(directory, random);
    try {
      await standalone.loadAndKill(random.between(800, 1_800), random);
      const store = join(standalone.dataDir, 'eventstore');
      const before = eventsOf(store, join(directory, 'copy'));
      const log = join(store, 'events.db-wal');
      const wal = inspectWal(log);
      if (unacknowledged) leaveUnfinished(log, random);
      const lost = random.between(1, unacknowledged ? 100 : Math.min(wal.size, 200_000));
      const what = `${cut ? 'cut' : 'zeroed'} ${unacknowledged ? 'behind the last commit' : 'into commits'}`;
      say(`${what}: ${lost} of ${wal.size} bytes of the log, committed up to ${wal.committed}`);
      const end = unacknowledged ? statSync(log).size : Math.min(wal.size, wal.committed + wal.unused);
      loseTail(log, end, lost, cut);
      await standalone.start();
      const ids = await idsIn(serversOf(standalone.dataDir).eventstoreUrl);
      const kept = before.filter(({ id }, index) => ids[index] === id);
      const old = new Set(before.map(({ id }) => id));
      if (ids.slice(kept.length).some((id) => old.has(id)))
        violations.push('what is left is not the beginning of what was there');
      const lostCommands = forgetLost(standalone, new Set(kept.map(({ place }) => place)));
      if (unacknowledged && lostCommands > 0)
        violations.push(`${lostCommands} acknowledged commands are gone though no acknowledged byte was`);
      if (lostCommands > 0 && !/opened on the \d+ records|last whole commit ends at byte/.test(standalone.program.log))
        violations.push(
          `${lostCommands} acknowledged commands are gone and nothing was said:\n${standalone.program.log}`,
        );
      violations.push(...(await holds(standalone, random)));
      return {
        violations,
        counts: {
          [what]: 1,
          ...commandCounts(standalone.callers.journal),
          'events before': before.length,
          'events kept': kept.length,
          'acknowledged lost and announced': lostCommands,
        },
      };
    } finally {
      await standalone.end();
    }
  },
};

/** What can be done to the files of the read models' database. Gives what it did; undefined when there is no such place. */
const databaseDamages: Readonly<Record<string, (directory: string, random: Random) => void>> = {
  'pg_wal tail cut'(directory, random) {
    loseWalTail(directory, random, true);
  },
  'pg_wal tail zeroed'(directory, random) {
    loseWalTail(directory, random, false);
  },
  'pg_wal flipped'(directory, random) {
    const { path, used } = newestWal(directory);
    flip(path, random, Math.max(0, used - 200_000), used);
  },
  'data page flipped'(directory, random) {
    for (const path of relationFiles(directory, random)) flip(path, random);
  },
  'catalog page flipped'(directory, random) {
    for (const path of relationFiles(directory, random, 0)) flip(path, random);
  },
  'data page zeroed'(directory, random) {
    for (const path of relationFiles(directory, random)) {
      const bytes = readFileSync(path);
      const page = 8_192 * random.between(0, bytes.length / 8_192 - 1);
      bytes.fill(0, page + 4_096, page + 8_192);
      writeFileSync(path, bytes);
    }
  },
  'pg_control flipped'(directory, random) {
    flip(join(directory, 'global', 'pg_control'), random, 0, 300);
  },
  'PG_VERSION flipped'(directory, random) {
    flip(join(directory, 'PG_VERSION'), random);
  },
};

function newestWal(directory: string): { path: string; used: number } {
  const folder = join(directory, 'pg_wal');
  const newest = readdirSync(folder)
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort()
    .map((name) => {
      const path = join(folder, name);
      return { path, used: 1 + readFileSync(path).findLastIndex((byte) => byte !== 0) };
    })
    .filter(({ used }) => used > 0)
    .at(-1);
  if (!newest) throw new Error('the database has no log');
  return newest;
}

function loseWalTail(directory: string, random: Random, cut: boolean): void {
  const { path, used } = newestWal(directory);
  loseTail(path, used, random.between(1, Math.min(used, random.pick([100, 20_000, used]))), cut);
}

/** Some of the larger files of tables and indexes of the read models (user relations have oids of 16384 and above). */
function relationFiles(directory: string, random: Random, from = 16_384): string[] {
  const base = join(directory, 'base');
  const files = readdirSync(base)
    .flatMap((database) =>
      readdirSync(join(base, database))
        .filter((name) => /^\d+$/.test(name) && Number(name) >= from)
        .map((name) => join(base, database, name)),
    )
    .filter((path) => statSync(path).size >= 8_192);
  return Array.from({ length: Math.min(files.length, 5) }, () => random.pick(files));
}

const databaseDamaged: Fault = {
  name: 'database-damaged',
  about:
    'the read models’ database loses the tail of its log, or a byte of its log, its pages or its control file: it is healed or made anew from the streams by itself',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const what = random.pick(Object.keys(databaseDamages));
    const graceful = random.chance(0.5);
    const standalone = await Standalone.start(directory, random);
    try {
      await standalone.load(random.between(500, 1_000), random);
      if (graceful) await standalone.program.stop();
      else await standalone.loadAndKill(600, random);
      say(`${what}, ${graceful ? 'stopped' : 'killed'} before`);
      databaseDamages[what]?.(join(standalone.dataDir, 'postgres'), random);
      await standalone.start();
      // It reads every row: whoever first meets a damaged page is told so, and that is the end of those pages.
      const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], {
        DATA_DIR: standalone.dataDir,
      });
      const violations =
        code === 0 || /invalid page|Connection terminated|ECONNRE/.test(output)
          ? []
          : [`audit verify ended with ${code}\n${output.slice(-2_000)}`];
      await standalone.program.ready();
      violations.push(...(await holds(standalone, random)));
      const anew = readdirSync(standalone.dataDir).some((name) => name.includes('-damaged-'));
      return {
        violations,
        counts: {
          [`${what}, ${graceful ? 'stopped' : 'killed'}: ${anew ? 'made anew' : 'healed or harmless'}`]: 1,
          ...commandCounts(standalone.callers.journal),
        },
      };
    } finally {
      await standalone.end();
    }
  },
};

const smallFiles = ['api-key', 'eventstore/lock.db', 'eventstore/lock.pid', 'postgres.lock', 'servers.json'] as const;

const smallFileDamaged: Fault = {
  name: 'small-file-damaged',
  about:
    'a byte of the API key’s file, servers.json or a lock is another one: said, or harmless; a new key or a start puts it right',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const standalone = await Standalone.start(directory, random);
    try {
      const file = random.pick(smallFiles);
      const path = join(standalone.dataDir, file);
      await standalone.load(400, random);
      let verdict = 'harmless';
      const damage = () => {
        // A lock may well be an empty file.
        if (!existsSync(path) || statSync(path).size === 0) writeFileSync(path, random.word(random.between(1, 200)));
        else flip(path, random);
      };
      if (file === 'servers.json') {
        const sound = readFileSync(path);
        damage();
        const { code, output } = await runToEnd('apps/standalone/src/audit.js', ['verify'], {
          DATA_DIR: standalone.dataDir,
        });
        if (code !== 0) {
          verdict = 'said';
          if (!/servers\.json is damaged/.test(output))
            violations.push(`audit verify ended with ${code} and did not say why:\n${output}`);
          if (/\n\s+at /.test(output)) violations.push(`audit verify printed a stack:\n${output}`);
        }
        writeFileSync(path, sound);
      } else {
        await standalone.program.kill9();
        damage();
        if (file === 'api-key') {
          await standalone.launch();
          await standalone.program.ready();
          if (!standalone.program.log.includes('--new-api-key'))
            violations.push(`nothing was said of the API key:\n${standalone.program.log}`);
          standalone.reconnect();
          const { status } = await standalone.http.get('/v1/subscriptions');
          if (status !== 401) violations.push(`a damaged API key was answered with ${status}`);
          await standalone.program.kill9();
          verdict = 'said';
          await standalone.start({ args: ['--new-api-key'] });
        } else await standalone.start();
      }
      say(`${file}: ${verdict}`);
      violations.push(...(await holds(standalone, random)));
      return { violations, counts: { [`${file}: ${verdict}`]: 1, ...commandCounts(standalone.callers.journal) } };
    } finally {
      await standalone.end();
    }
  },
};

const olderStore: Fault = {
  name: 'older-store',
  about:
    'the store is restored from an older backup under newer read models: noticed, and they are made anew; what was acknowledged before the backup stands',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const standalone = await Standalone.start(directory, random);
    const { callers, dataDir } = standalone;
    try {
      await standalone.load(700, random);
      await standalone.program.stop();
      const backup = join(directory, 'backup');
      cpSync(join(dataDir, 'eventstore'), backup, { recursive: true });
      const known = callers.journal.commands.length;
      const { businessDay } = callers;
      await standalone.start();
      if (random.chance(0.5)) await standalone.loadAndKill(700, random);
      else {
        await standalone.load(700, random);
        await standalone.program.stop();
      }
      const forgotten = callers.journal.commands.length - known;
      rmSync(join(dataDir, 'eventstore'), { recursive: true });
      cpSync(backup, join(dataDir, 'eventstore'), { recursive: true });
      callers.forgetAfter(known);
      callers.businessDay = businessDay;
      say(`${forgotten} commands forgotten`);
      await standalone.start();
      const violations = await holds(standalone, random);
      return { violations, counts: { restores: 1, forgotten, ...commandCounts(callers.journal) } };
    } finally {
      await standalone.end();
    }
  },
};

export const damagedFiles: readonly Fault[] = [storeTail, databaseDamaged, smallFileDamaged, olderStore];
