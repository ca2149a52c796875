/**
 * Reports very many usage records in one period and holds what is measured, sealed and billed against totals kept beside it:
 * `npm run check:usage -- --records 1000000 [--in-flight 2] [--seed 1]`. The store is a
 * process of its own, on disk. Needs dist/. Ends with 1
 * when a total differs, a repeat counts, or a bound of memory, snapshot or load time is broken.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  BillingRepositories,
  GetUsage,
  RecordUsage,
  RollOverBillingPeriod,
  StartSubscription,
  type ReportedUsage,
} from '@perennial/billing-application';
import { usageId, type Line } from '@perennial/billing-domain';
import { streamNames } from '@perennial/event-sourcing';
import { GetUsageHandler } from '../../libs/billing-application/src/queries/usage';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { freePort } from '../support/processes';
import { Random } from '../support/random';

export interface UsageCampaign {
  readonly at: { readonly url: string; readonly prefix: string };
  readonly records: number;
  readonly inFlight: number;
  readonly seed: number;
  /** Whether times are held to their bounds: not where the neighbours of a test say how long things take. */
  readonly timed: boolean;
  /** Events between two snapshots; the service's own number when left out. */
  readonly snapshotEvery?: number;
  readonly say: (line: string) => void;
}

export interface UsageReport {
  readonly records: number;
  readonly repeats: number;
  readonly events: number;
  readonly seconds: number;
  readonly secondsOfLast: number;
  /** Of the process that records, the server not included: at the start of the many, and the most. */
  readonly rssAtStart: number;
  readonly rssPeak: number;
  readonly snapshotBytes: number;
  readonly slices: number;
  readonly sliceBytes: number;
  /** Medians of loads by a process that knows nothing yet; of a period of 1,000 records, and of all of them. */
  readonly coldLoadMsOf1000: number;
  readonly coldLoadMs: number;
  /** A batch of 1,000 old records that a process which knows nothing yet takes. */
  readonly coldRepeatMs: number;
  readonly sealMs: number;
  readonly violations: readonly string[];
}

const BATCH = 1_000;
const USERS = 50_000;

/** What a campaign must keep to. */
export const bounds = {
  /** State, exact recent tokens and extents of slices: whatever the count of records. */
  snapshotBytes: 200_000,
  /** A place is 16 bytes in a table that is filled to three quarters; users are remembered too, and one slice is not full. */
  sliceBytes: (records: number) => 256 * 1024 + 24 * (records + USERS),
  /** Beside what the process has at the start: the places, twice (a cold load beside the warm one), and room to work. */
  rssGrowth: (records: number) => 256 * 1024 * 1024 + 100 * records,
  /** A cold load reads the places: what 1,000 records take, and this for each further million. */
  coldLoadMs: (of1000: number, records: number) => Math.max(1.5 * of1000, 100) + records / 1_000,
} as const;

const start = Date.UTC(2026, 0, 1);
const end = Date.UTC(2026, 1, 1);
const ONE = 10n ** 12n;

const measured = [
  { key: 'calls', aggregation: 'count' },
  { key: 'bytes', aggregation: 'sum', valueProperty: 'bytes' },
  { key: 'eu-bytes', aggregation: 'sum', valueProperty: 'bytes', filters: [{ property: 'region', values: ['eu'] }] },
  { key: 'peak', aggregation: 'max' },
  { key: 'level', aggregation: 'latest' },
  { key: 'users', aggregation: 'unique-count', uniqueProperty: 'user' },
  { key: 'storage', aggregation: 'weighted-sum', carry: true },
] as const;

/** The record with that number: a function of it alone, so that any of them can be sent again. */
function recordOf(subscription: string, n: number, seed: number): ReportedUsage {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ n);
  return {
    subscriptionIds: [subscription],
    id: `record-${n}`,
    event: 'use',
    at: new Date(random.between(start, end - 1)).toISOString(),
    value: `${random.between(-500, 1_000)}.${random.between(0, 9)}`,
    properties: {
      bytes: `${random.between(0, 5_000_000)}`,
      region: random.pick(['eu', 'us', 'ap']),
      user: `user-${random.between(1, USERS)}`,
    },
  };
}

/** The totals of all records, by plain sums; in 10^-12. */
class Kept {
  private readonly users = new Set<string>();
  private calls = 0;
  private bytes = 0n;
  private euBytes = 0n;
  private peak: bigint | undefined;
  private last: { at: string; id: string; value: bigint } | undefined;
  private area = 0n;

  add({ id, at, value, properties }: ReportedUsage): void {
    const { bytes = '0', region, user = '' } = properties ?? {};
    const tenths = BigInt((value ?? '0').replace('.', ''));
    const level = (tenths * ONE) / 10n;
    this.calls += 1;
    this.bytes += BigInt(bytes);
    if (region === 'eu') this.euBytes += BigInt(bytes);
    if (this.peak === undefined || level > this.peak) this.peak = level;
    if (!this.last || at > this.last.at || (at === this.last.at && id > this.last.id))
      this.last = { at, id, value: level };
    this.users.add(user);
    this.area += level * BigInt(end - Date.parse(at));
  }

  /** By meter, in 10^-12. */
  totals(): Record<string, bigint> {
    const length = BigInt(end - start);
    const half = this.area < 0n ? -length / 2n : length / 2n;
    return {
      calls: BigInt(this.calls) * ONE,
      bytes: this.bytes * ONE,
      'eu-bytes': this.euBytes * ONE,
      peak: this.peak ?? 0n,
      level: this.last?.value ?? 0n,
      users: BigInt(this.users.size) * ONE,
      storage: (this.area + half) / length,
    };
  }
}

export async function usageCampaign({
  at,
  records,
  inFlight,
  seed,
  timed,
  snapshotEvery = 100,
  say,
}: UsageCampaign): Promise<UsageReport> {
  const violations: string[] = [];
  const time = '2026-01-01T00:00:00.000Z';
  const billing = await billingProcess(at, { time, snapshotEvery });
  try {
    const small = await started(billing, 'small');
    const large = await started(billing, 'large');
    billing.clock.time = '2026-01-31T23:59:59.000Z';

    await recorded(billing, small, 0, 1_000, seed);
    await billing.repositories.flushSnapshots();
    const coldLoadMsOf1000 = await coldLoad(billing, at, small);

    const kept = new Kept();
    const counts: Record<string, number> = {};
    const rssAtStart = process.memoryUsage().rss;
    let rssPeak = rssAtStart;
    const watching = setInterval(() => (rssPeak = Math.max(rssPeak, process.memoryUsage().rss)), 100);
    const began = performance.now();
    let [next, sent, repeats, said, secondsOfLast, lastMark] = [0, 0, 0, began, 0, began];
    const random = new Random(seed);
    const reporter = async () => {
      while (next < records) {
        const from = next;
        const count = Math.min(BATCH, records - from);
        next += count;
        for (let n = from; n < from + count; n += 1) kept.add(recordOf(large, n, seed));
        add(counts, await recorded(billing, large, from, count, seed));
        sent += count;
        // Every twentieth batch comes again under another key, and with a few of an older one.
        if (random.chance(0.05)) {
          const older = random.between(0, from);
          add(counts, await recorded(billing, large, older, Math.min(count, from + count - older), seed));
          repeats += Math.min(count, from + count - older);
        }
        if (sent % 100_000 < count) {
          secondsOfLast = (performance.now() - lastMark) / 1_000;
          lastMark = performance.now();
        }
        if (performance.now() - said > 10_000) {
          said = performance.now();
          const rate = Math.round(sent / ((said - began) / 1_000));
          say(`${sent} records, ${rate} a second, ${megabytes(process.memoryUsage().rss)} MB`);
        }
      }
    };
    await Promise.all(Array.from({ length: inFlight }, reporter));
    const seconds = (performance.now() - began) / 1_000;
    if (counts['accepted'] !== records) violations.push(`${counts['accepted']} accepted of ${records}`);
    if ((counts['duplicate'] ?? 0) !== repeats) violations.push(`${counts['duplicate']} duplicates of ${repeats}`);

    const view = await new GetUsageHandler(billing.repositories, billing.clock).execute(
      new GetUsage('default', large, undefined),
    );
    const read = Object.fromEntries(view.meters.map(({ meter, quantity }) => [meter, quantity]));
    compare('read', read, kept, violations);
    say('read as it stands; now loading it cold');

    await billing.repositories.flushSnapshots();
    const sizes = await storedSizes(billing, at.prefix, usageId('default', large, 1));
    const coldLoadMs = await coldLoad(billing, at, large);
    const fresh = await billingProcess(at, { time: billing.clock.time });
    const coldAt = performance.now();
    const again = await recorded(fresh, large, 0, Math.min(BATCH, records), seed);
    const coldRepeatMs = performance.now() - coldAt;
    if (again['duplicate'] !== Math.min(BATCH, records)) violations.push(`a cold repeat: ${JSON.stringify(again)}`);
    await fresh.close();

    billing.clock.time = '2026-02-01T00:00:01.000Z';
    const sealAt = performance.now();
    await billing.execute(new RollOverBillingPeriod(large, 1, request()));
    const sealMs = performance.now() - sealAt;
    compare('billed', await billedQuantities(billing, large), kept, violations);
    const sample = random.between(0, Math.max(records - BATCH, 0));
    const late = await recorded(billing, large, sample, Math.min(BATCH, records), seed);
    if (late['duplicate'] !== Math.min(BATCH, records))
      violations.push(`repeats after the seal: ${JSON.stringify(late)}`);

    say('sealed and billed; now counting what stands in the stream');
    const events = await inStream(billing, usageId('default', large, 1), records, violations);
    clearInterval(watching);
    rssPeak = Math.max(rssPeak, process.memoryUsage().rss);

    const report = {
      records,
      repeats,
      events,
      seconds,
      secondsOfLast,
      rssAtStart,
      rssPeak,
      ...sizes,
      coldLoadMsOf1000,
      coldLoadMs,
      coldRepeatMs,
      sealMs,
    };
    return { ...report, violations: [...violations, ...broken(report, timed)] };
  } finally {
    await billing.close();
  }
}

/** The bounds that were not kept. */
function broken(report: Omit<UsageReport, 'violations'>, timed: boolean): string[] {
  const { records, snapshotBytes, sliceBytes, rssAtStart, rssPeak, coldLoadMs, coldLoadMsOf1000 } = report;
  const within = (what: string, value: number, most: number) =>
    value <= most ? [] : [`${what}: ${Math.round(value)} of at most ${Math.round(most)}`];
  return [
    ...within('bytes of the snapshot', snapshotBytes, bounds.snapshotBytes),
    ...within('bytes of slices', sliceBytes, bounds.sliceBytes(records)),
    ...within('growth of memory', rssPeak - rssAtStart, bounds.rssGrowth(records)),
    ...(timed ? within('ms of a cold load', coldLoadMs, bounds.coldLoadMs(coldLoadMsOf1000, records)) : []),
  ];
}

async function started(process: BillingProcess, externalId: string): Promise<string> {
  const items = measured.map((meter) => ({
    componentKey: meter.key,
    description: meter.key,
    kind: 'usage' as const,
    timing: 'arrears' as const,
    meter: { ...meter, event: 'use' },
    price: { model: 'per-unit' as const, unitPrice: '0.0001' },
  }));
  const [item, ...others] = items;
  if (!item) throw new Error('nothing is measured');
  const terms = {
    externalId,
    customerId: 'many',
    currency: 'USD',
    timeZone: 'UTC',
    interval: { unit: 'month', count: 1 },
    item,
    items: others,
  } as const;
  return (await process.execute(new StartSubscription(terms, request()))).aggregateId;
}

/** What became of a batch. */
async function recorded(process: BillingProcess, subscription: string, from: number, count: number, seed: number) {
  const batch = Array.from({ length: count }, (_, i) => recordOf(subscription, from + i, seed));
  const counts: Record<string, number> = {};
  for (const answer of (await process.execute(new RecordUsage(batch, request()))).records) {
    const name = 'code' in answer ? answer.code : answer.result;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function add(counts: Record<string, number>, more: Record<string, number>): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
}

/** The median of loads by repositories whose caches are empty, in ms. */
async function coldLoad(
  { store, repositories }: BillingProcess,
  { prefix }: UsageCampaign['at'],
  subscription: string,
) {
  const id = usageId('default', subscription, 1);
  const times: number[] = [];
  for (let n = 0; n < 7; n += 1) {
    const cold = new BillingRepositories({ store, streamPrefix: prefix, dataKeys: repositories.dataKeys });
    const began = performance.now();
    const loaded = await cold.usages.load(id, 'default');
    times.push(performance.now() - began);
    if (!loaded) throw new Error('no usage');
  }
  return times.sort((a, b) => a - b)[3] ?? 0;
}

async function storedSizes({ store }: BillingProcess, prefix: string, id: string) {
  const names = streamNames(prefix);
  const snapshot = await store.last(names.snapshot('usage', id));
  const snapshotBytes = Buffer.byteLength(JSON.stringify(snapshot?.data ?? ''));
  let [slices, sliceBytes] = [0, 0];
  for (;;) {
    const slice = await store.last(names.keys('usage', id, slices));
    if (!(slice?.data instanceof Uint8Array)) return { snapshotBytes, slices, sliceBytes };
    slices += 1;
    sliceBytes += slice.data.length;
  }
}

async function billedQuantities(process: BillingProcess, subscription: string): Promise<Record<string, string>> {
  const lines: Line[] = [];
  for await (const { event } of process.repositories.subscriptions.history(subscription, 'default')) {
    const { type, data } = event;
    if (type === 'LinesBilled') lines.push(...data.lines);
  }
  return Object.fromEntries(lines.map(({ itemId, quantity }) => [itemId ?? '', quantity]));
}

function compare(what: string, quantities: Record<string, string>, kept: Kept, violations: string[]): void {
  for (const [meter, total] of Object.entries(kept.totals())) {
    const quantity = quantities[meter] ?? '0';
    // Less than nothing is billed as nothing.
    const expected = what === 'billed' && total < 0n ? 0n : total;
    if (trillionths(quantity) !== expected) violations.push(`${what} ${meter}: ${quantity}, not ${expected} x 10^-12`);
  }
}

/** The events of the stream; every record must stand there once. */
async function inStream({ repositories }: BillingProcess, id: string, records: number, violations: string[]) {
  const seen = new Uint8Array(records);
  let events = 0;
  for await (const { event } of repositories.usages.history(id, 'default')) {
    events += 1;
    const { type, data } = event;
    if (type !== 'UsageRecorded') continue;
    for (const record of data.records) seen[Number(record.id.slice('record-'.length))]! += 1;
  }
  const wrong = seen.reduce((count, times) => (times === 1 ? count : count + 1), 0);
  if (wrong > 0) violations.push(`${wrong} records do not stand in the stream once`);
  return events;
}

function trillionths(text: string): bigint {
  const [, sign = '', units = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  return BigInt(`${sign}${units}${fraction.padEnd(12, '0')}`);
}

const megabytes = (bytes: number) => Math.round(bytes / 1024 / 1024);

export function printableUsageReport(report: UsageReport): string {
  const row = (name: string, value: string | number) => `${name.padEnd(56)} ${value}`;
  const { records, seconds } = report;
  return [
    row('records, each once', records),
    row('records sent again', report.repeats),
    row('events', report.events),
    row('seconds, records a second', `${seconds.toFixed(1)}, ${Math.round(records / seconds)}`),
    row('seconds of the last 100,000', report.secondsOfLast.toFixed(1)),
    row('memory at the start / at most, MB', `${megabytes(report.rssAtStart)} / ${megabytes(report.rssPeak)}`),
    row('bytes of the snapshot', report.snapshotBytes),
    row('slices that remember ids, bytes in all', `${report.slices}, ${report.sliceBytes}`),
    row(
      'cold load of 1,000 records / of all, ms',
      `${report.coldLoadMsOf1000.toFixed(1)} / ${report.coldLoadMs.toFixed(1)}`,
    ),
    row('a cold repeat of 1,000 records, ms', report.coldRepeatMs.toFixed(1)),
    row('seal and bill, ms', report.sealMs.toFixed(1)),
    row('violations', report.violations.length),
    ...report.violations.map((each) => `VIOLATION ${each}`),
  ].join('\n');
}

/** An event store as a process of its own, on disk. */
async function serverProcess() {
  const dataDir = mkdtempSync(join(tmpdir(), 'perennial-usage-'));
  const port = await freePort();
  const program = join(__dirname, '../../dist/libs/embedded-eventstore/src/main.js');
  const args = [program, '--data', dataDir, '--port', String(port)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the event store ended with ${code}`)));
  });
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '1000000' },
      'in-flight': { type: 'string', default: '2' },
      seed: { type: 'string', default: '1' },
    },
  });
  const server = await serverProcess();
  try {
    const report = await usageCampaign({
      at: { url: server.url, prefix: 'many' },
      records: Number(values.records),
      inFlight: Number(values['in-flight']),
      seed: Number(values.seed),
      timed: true,
      say: (line) => void process.stderr.write(`${line}\n`),
    });
    process.stdout.write(`${printableUsageReport(report)}\n`);
    process.exitCode = report.violations.length === 0 ? 0 : 1;
  } finally {
    await server.close();
  }
}

if (process.argv[1] === __filename) void main();
