/**
 * Simulates years of the service's life with everything going wrong, from one seed each: `npm run simulate -- [--seed N]
 * [--runs N] [--minutes M] [--subscriptions N] [--years N] [--trace]`. Ends with 1 at the first run that breaks a promise
 * and says how to replay it.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SimulatedDatabase } from './simulated-database';
import { simulate, type SimulationReport } from './simulation';

const usage = `npm run simulate -- [--seed N] [--runs N] [--minutes M] [--subscriptions N] [--years N] [--trace]
  --seed           of the first run, the next ones count on from it (default: by chance)
  --runs           how many (20)
  --minutes        instead of a number of runs: for so long
  --subscriptions  of one run (60)
  --years          of business time in one run (5)
  --trace          print everything that happens`;

interface Wanted {
  readonly seed: number;
  readonly runs: number;
  readonly until: number;
  readonly subscriptions: number;
  readonly years: number;
  readonly trace: boolean;
}

function readArguments(): Wanted | undefined {
  try {
    const { values } = parseArgs({
      options: {
        seed: { type: 'string' },
        runs: { type: 'string' },
        minutes: { type: 'string' },
        subscriptions: { type: 'string', default: '60' },
        years: { type: 'string', default: '5' },
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

async function main(): Promise<number> {
  const wanted = readArguments();
  if (!wanted) return 2;
  const { subscriptions, years } = wanted;
  const size = `--subscriptions ${subscriptions} --years ${years}`;
  const database = await SimulatedDatabase.open();
  const reports: SimulationReport[] = [];
  const started = performance.now();
  const cpu = process.cpuUsage();
  for (let run = 0; run < wanted.runs && performance.now() < wanted.until; run += 1) {
    const seed = wanted.seed + run;
    const report = await simulate({ seed, database, subscriptions, years, show: wanted.trace ? say : undefined });
    reports.push(report);
    const faults = [...report.faults.values()].reduce((sum, count) => sum + count, 0);
    say(
      `seed ${seed}: ${report.subscriptionYears.toFixed(0)} subscription-years, ${report.commands} commands in ${report.attempts} attempts, ` +
        `${report.events} events, ${faults} faults, ${report.crashes} crashes, ${report.violations.length} violations`,
    );
    if (report.violations.length > 0) break;
  }
  await database.close();

  const minutes = (performance.now() - started) / 60_000;
  const { user, system } = process.cpuUsage(cpu);
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
  row('subscription-years a minute of processor time', Math.round(simulated / ((user + system) / 60_000_000)));
  const failed = reports.find(({ violations }) => violations.length > 0);
  for (const violation of failed?.violations ?? []) say(`VIOLATION ${violation}`);
  if (!failed) return 0;
  say(`to replay it: npm run simulate -- --seed ${failed.seed} --runs 1 ${size} --trace`);
  return 1;
}

void main().then((code) => process.exit(code));
