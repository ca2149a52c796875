/**
 * Simulates years of the service's life with everything going wrong, from one seed each: `npm run simulate -- [--seed N]
 * [--runs N] [--minutes M] [--subscriptions N] [--years N] [--jobs N] [--trace]`. Ends with 1 at the first run that breaks a promise
 * and says how to replay it.
 */
import { fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { SentReport } from './run-seeds';
import { SimulatedDatabase } from './simulated-database';
import { simulate, type SimulationReport } from './simulation';

const usage = `npm run simulate -- [--seed N] [--runs N] [--minutes M] [--subscriptions N] [--years N] [--jobs N] [--trace]
  --seed           of the first run, the next ones count on from it (default: by chance)
  --runs           how many (20)
  --minutes        instead of a number of runs: for so long
  --subscriptions  of one run (300)
  --years          of business time in one run (2)
  --jobs           processes that run seeds beside each other (1)
  --trace          print everything that happens`;

interface Wanted {
  readonly seed: number;
  readonly runs: number;
  readonly until: number;
  readonly subscriptions: number;
  readonly years: number;
  readonly jobs: number;
  readonly trace: boolean;
}

function readArguments(): Wanted | undefined {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        runs: { type: 'string' },
        minutes: { type: 'string' },
        subscriptions: { type: 'string', default: '300' },
        years: { type: 'string', default: '2' },
        jobs: { type: 'string', default: '1' },
        trace: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const count = (text: string) => (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0 ? Number(text) : Number.NaN);
    const { minutes, runs } = values;
    const wanted = {
      seed: values.seed === undefined ? randomInt(1, 1_000_000) : count(values.seed),
      runs: runs !== undefined ? count(runs) : minutes === undefined ? 20 : Infinity,
      until: minutes === undefined ? Infinity : performance.now() + count(minutes) * 60_000,
      subscriptions: count(values.subscriptions),
      years: count(values.years),
      jobs: values.trace ? 1 : count(values.jobs),
      trace: values.trace,
    };
    if (!values.help && !Object.values(wanted).some(Number.isNaN)) return wanted;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  process.stderr.write(`${usage}\n`);
  return undefined;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const sumOf = (reports: readonly SimulationReport[], of: (report: SimulationReport) => number): number =>
  reports.reduce((sum, report) => sum + of(report), 0);

type Next = () => number | undefined;
type Took = (report: SimulationReport) => void;

async function runHere({ subscriptions, years, trace }: Wanted, next: Next, took: Took): Promise<void> {
  const database = await SimulatedDatabase.open();
  for (let seed = next(); seed !== undefined; seed = next())
    took(await simulate({ seed, database, subscriptions, years, show: trace ? say : undefined }));
  await database.close();
}

/** The same in a process of its own: seeds have nothing to do with each other. */
function runBeside({ subscriptions, years }: Wanted, next: Next, took: Took): Promise<void> {
  const program = [join(__dirname, 'run-seeds.ts'), String(subscriptions), String(years)];
  const child = fork(join(__dirname, '../run.mjs'), program);
  let over = false;
  return new Promise((resolve, reject) => {
    child.on('message', (message: SentReport | 'ready') => {
      if (message !== 'ready') took({ ...message, faults: new Map(message.faults) });
      const seed = next();
      over = seed === undefined;
      if (seed === undefined) child.kill();
      else child.send(seed);
    });
    child.once('exit', (code) => (over ? resolve() : reject(new Error(`a process that ran seeds ended with ${code}`))));
  });
}

async function main(): Promise<number> {
  const wanted = readArguments();
  if (!wanted) return 2;
  const { subscriptions, years } = wanted;
  const size = `--subscriptions ${subscriptions} --years ${years}`;
  const reports: SimulationReport[] = [];
  const started = performance.now();
  let run = 0;
  const next = (): number | undefined => {
    const failed = reports.some(({ violations }) => violations.length > 0);
    return failed || run >= wanted.runs || performance.now() >= wanted.until ? undefined : wanted.seed + run++;
  };
  const took = (report: SimulationReport): void => {
    reports.push(report);
    const faults = [...report.faults.values()].reduce((sum, count) => sum + count, 0);
    say(
      `seed ${report.seed}: ${report.subscriptionYears.toFixed(0)} subscription-years, ${report.commands} commands in ${report.attempts} attempts, ` +
        `${report.events} events, ${faults} faults, ${report.crashes} crashes, ${report.violations.length} violations`,
    );
  };
  if (wanted.jobs === 1) await runHere(wanted, next, took);
  else await Promise.all(Array.from({ length: wanted.jobs }, () => runBeside(wanted, next, took)));

  const minutes = (performance.now() - started) / 60_000;
  const simulated = sumOf(reports, (report) => report.subscriptionYears);
  const row = (name: string, value: string | number) => say(`${name.padEnd(44)} ${value}`);
  const faults = new Map<string, number>();
  for (const report of reports)
    for (const [name, count] of report.faults) faults.set(name, (faults.get(name) ?? 0) + count);
  say('');
  for (const [name, count] of [...faults].sort()) row(`fault: ${name}`, count);
  row(
    'processes that crashed',
    sumOf(reports, ({ crashes }) => crashes),
  );
  row('runs', reports.length);
  row(
    'commands',
    sumOf(reports, ({ commands }) => commands),
  );
  row(
    'events',
    sumOf(reports, ({ events }) => events),
  );
  row('virtual seconds', Math.round(sumOf(reports, ({ virtualSeconds }) => virtualSeconds)));
  row('subscription-years', Math.round(simulated));
  row('subscription-years a minute', Math.round(simulated / minutes));
  row(
    'subscription-years a minute of processor time',
    Math.round(simulated / (sumOf(reports, ({ cpuSeconds }) => cpuSeconds) / 60)),
  );
  const failed = reports.find(({ violations }) => violations.length > 0);
  for (const violation of failed?.violations ?? []) say(`VIOLATION ${violation}`);
  if (!failed) return 0;
  say(`to replay it: npm run simulate -- --seed ${failed.seed} --runs 1 ${size} --trace`);
  return 1;
}

void main().then((code) => process.exit(code));
