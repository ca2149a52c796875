/** `npm run faults -- --help`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { killAll } from '../support/processes';
import { Random } from '../support/random';
import { everyFault } from './every-fault';
import type { Fault, FaultOutcome } from './fault';
import { huntFor, type PlantedBug, plantedBugs } from './planted-bugs';

const usage = `npm run faults -- [--seed N] [--rounds N] [--minutes N] [--only NAME[,NAME]]
npm run faults -- --list
npm run faults -- --planted [--only NAME[,NAME]]

Does to the service what happens to services, and holds what is left against what its callers know.
--seed     1 unless given; the same seed takes the same faults in the same order with the same chances
--rounds   rounds of each fault: 1 unless given, without end when --minutes is given
--minutes  begins no round after so many minutes
--only     these faults alone
--list     the faults and what each is about
--planted  the faults tested themselves: bugs are put into copies of the build, and each has to be found
Ends with 1 when an oracle was violated, and says how to replay the round.`;

interface Asked {
  readonly seed: number;
  readonly rounds: number;
  readonly minutes: number;
  readonly kinds: readonly (readonly Fault[])[];
  /** The bugs to hunt for instead. */
  readonly planted: readonly PlantedBug[] | undefined;
}

class Misunderstood extends Error {}

function readArguments(): Asked | 'help' | 'list' {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      rounds: { type: 'string' },
      minutes: { type: 'string' },
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.list) return 'list';
  const whole = (name: string, text: string, least: number) => {
    const number = Number(text);
    if (!/^\d{1,10}$/.test(text) || number < least || number > 0xffff_ffff)
      throw new Misunderstood(`--${name} takes a whole number from ${least} to 4294967295, not ${text}`);
    return number;
  };
  const minutes = Number(values.minutes ?? Infinity);
  if (!(minutes > 0)) throw new Misunderstood(`--minutes takes a number above 0, not ${values.minutes}`);
  const names = values.only?.split(',');
  const known = (values.planted ? plantedBugs : everyFault.flat()).map(({ name }) => name);
  for (const name of names ?? [])
    if (!known.includes(name)) throw new Misunderstood(`there is no ${name}; there are ${known.join(', ')}`);
  return {
    seed: whole('seed', values.seed, 0),
    rounds: values.rounds === undefined ? (values.minutes ? Infinity : 1) : whole('rounds', values.rounds, 1),
    minutes,
    kinds: everyFault
      .map((kind) => kind.filter(({ name }) => names?.includes(name) ?? true))
      .filter((kind) => kind.length > 0),
    planted: values.planted ? plantedBugs.filter(({ name }) => names?.includes(name) ?? true) : undefined,
  };
}

/** One fault of each kind in turn until all are taken: the kinds as they are listed, in each an order of the seed's. */
function inTurn(kinds: readonly (readonly Fault[])[], random: Random): Fault[] {
  const shuffled = kinds.map((kind) => shuffle(kind, random));
  const longest = Math.max(...shuffled.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) =>
    shuffled.flatMap((kind) => (kind[index] ? [kind[index]] : [])),
  ).flat();
}

function shuffle<T>(of: readonly T[], random: Random): T[] {
  const all = [...of];
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = random.between(0, last);
    [all[last], all[other]] = [all[other] as T, all[last] as T];
  }
  return all;
}

/** The seed of the n-th round of a fault. The first one's is the run's, so that a round can be replayed by its seed. */
function seedOf(run: number, fault: string, n: number): number {
  let hash = run;
  if (n > 0) for (const character of `${fault} ${n}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash >>> 0;
}

/** What came of the rounds of one fault. */
interface Row {
  rounds: number;
  ms: number;
  readonly counts: Map<string, number>;
  readonly violations: { readonly seed: number; readonly text: string }[];
}

/** A round that has not ended by then never will. */
const longestRoundMs = 5 * 60_000;

const say = (line: string) => void process.stderr.write(`${line}\n`);
let directory: string | undefined;

function cleanUp(): void {
  killAll();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  directory = undefined;
}

async function round(fault: Fault, seed: number): Promise<FaultOutcome> {
  directory = mkdtempSync(join(tmpdir(), 'perennial-faults-'));
  const tooLong = new AbortController();
  try {
    return await Promise.race([
      fault.round({ seed, random: new Random(seed), directory, say: (line) => say(`    ${line}`) }),
      delay(longestRoundMs, undefined, { signal: tooLong.signal }).then(() => {
        throw new Error(`the round had not ended after ${longestRoundMs / 60_000} minutes`);
      }),
    ]);
  } catch (error) {
    return { violations: [error instanceof Error ? (error.stack ?? error.message) : String(error)], counts: {} };
  } finally {
    tooLong.abort();
    cleanUp();
  }
}

/** Counts are summed; of durations and sizes, whose names end in Ms and MiB, the table has the greatest of all rounds. */
function add(counts: Map<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) {
    const before = counts.get(name) ?? 0;
    counts.set(name, /(Ms|MiB)$/.test(name) ? Math.max(before, count) : before + count);
  }
}

const printable = (counts: Iterable<readonly [string, number]>) =>
  [...counts].map(([name, count]) => `${name} ${count}`).join(', ');

function table(rows: ReadonlyMap<string, Row>): string {
  const lines = [['FAULT', 'ROUNDS', 'VIOLATIONS', 'S EACH', 'WHAT HAPPENED']];
  for (const [name, { rounds, violations, counts, ms }] of rows)
    lines.push([name, `${rounds}`, `${violations.length}`, (ms / 1_000 / rounds).toFixed(1), printable(counts)]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)) + 2);
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('')).join('\n');
}

async function run({ seed, rounds, minutes, kinds }: Asked): Promise<number> {
  const random = new Random(seed);
  const until = performance.now() + minutes * 60_000;
  const rows = new Map<string, Row>();
  for (let n = 0; n < rounds && performance.now() < until; n += 1) {
    for (const fault of inTurn(kinds, random)) {
      if (performance.now() >= until) break;
      const itsSeed = seedOf(seed, fault.name, n);
      const row: Row = rows.get(fault.name) ?? { rounds: 0, ms: 0, counts: new Map(), violations: [] };
      rows.set(fault.name, row);
      say(`${fault.name}, round ${n + 1}, seed ${itsSeed} ...`);
      const started = performance.now();
      const { violations, counts } = await round(fault, itsSeed);
      const ms = performance.now() - started;
      row.rounds += 1;
      row.ms += ms;
      add(row.counts, counts);
      row.violations.push(...violations.map((text) => ({ seed: itsSeed, text })));
      const outcome = violations.length === 0 ? 'held' : `${violations.length} VIOLATIONS`;
      say(`${fault.name}: ${outcome} after ${(ms / 1_000).toFixed(1)} s; ${printable(Object.entries(counts))}`);
      for (const violation of violations.slice(0, 3)) say(`    ${violation}`);
    }
  }
  process.stdout.write(`seed ${seed}\n${table(rows)}\n`);
  let violated = 0;
  for (const [name, { violations }] of rows) {
    violated += violations.length;
    for (const { seed: itsSeed, text } of violations.slice(0, 20))
      process.stdout.write(
        `\nVIOLATION of ${name}, replayed by: npm run faults -- --only ${name} --seed ${itsSeed} --rounds 1\n${text}\n`,
      );
  }
  process.stdout.write(violated === 0 ? 'no violation\n' : `${violated} violations\n`);
  return violated === 0 ? 0 : 1;
}

/** Every planted bug has to be found within three rounds. */
async function hunt(bugs: readonly PlantedBug[], seed: number): Promise<number> {
  let missed = 0;
  for (const bug of bugs) {
    say(`${bug.name}: ${bug.about} ...`);
    const started = performance.now();
    const found = await huntFor(bug, { seed, rounds: 3, say: (line) => say(`    ${line}`) }).finally(killAll);
    const s = ((performance.now() - started) / 1_000).toFixed(1);
    if (found === undefined) missed += 1;
    const outcome = found === undefined ? 'NOT FOUND' : `found, ${found.split('\n')[0]}`;
    process.stdout.write(`${bug.name.padEnd(28)} ${s} s  ${outcome}\n`);
  }
  process.stdout.write(missed === 0 ? 'every planted bug was found\n' : `${missed} planted bugs were not found\n`);
  return missed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  try {
    const asked = readArguments();
    if (asked === 'help') process.stdout.write(`${usage}\n`);
    else if (asked === 'list')
      for (const { name, about } of everyFault.flat()) process.stdout.write(`${name.padEnd(28)} ${about}\n`);
    else return await (asked.planted ? hunt(asked.planted, asked.seed) : run(asked));
    return 0;
  } catch (error) {
    const mistaken = error instanceof Misunderstood || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    if (!mistaken) throw error;
    process.stderr.write(`${(error as Error).message}\n\n${usage}\n`);
    return 2;
  }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    say(`${signal}: stopping`);
    cleanUp();
    process.exit(code);
  });
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.once(event, (error: unknown) => {
    say(`VIOLATION: ${event} ${error instanceof Error ? error.stack : String(error)}`);
    cleanUp();
    process.exit(1);
  });
void main().then((code) => process.exit(code));
