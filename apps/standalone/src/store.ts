import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  BackupDamaged,
  type BackupSummary,
  EventStore,
  openBackup,
  storeSource,
  type Totals,
  transfer,
  TransferDiffers,
  type TransferProgress,
  TransferRefused,
  type TransferReport,
  type TransferSource,
  writeBackup,
} from '@perennial/event-sourcing';
import { type Config, loadConfig } from '@perennial/platform';
import { commandLine } from './command-line';
import { fillStoreDirectory } from './restored-directory';
import { reachStore } from './servers-file';

const usage = `npm run store -- backup FILE
npm run store -- check FILE
npm run store -- restore FILE
npm run store -- copy --to URL [--from URL]

backup   writes everything that cannot be built again into FILE, up to one position of the log, while the service goes on.
         FILE appears when it is whole, on disk and read back; an existing one is not overwritten.
check    reads a backup and says what it holds.
restore  fills an empty DATA_DIR, or the store at EVENTSTORE_URL when it holds nothing of STREAM_PREFIX. FILE is checked
         before anything is written, what was written is read back. Interrupted: run it again.
copy     carries the streams over to another server with ids, revisions and order, and reads them back. Run it beside the
         service, then once more with the service stopped for what came since. Interrupted: run it again.

Works beside a running standalone, on DATA_DIR when none runs, or on EVENTSTORE_URL. Left out is what is built again:
read models, snapshots, key filters, heartbeats. The master key of personal data is not in the store: keep it apart.
Ends with 0 when all is well, with 1 when it is refused, damaged or not the same, with 2 when it could not be done.`;

type Asked =
  | { readonly task: 'backup'; readonly file: string }
  | { readonly task: 'check'; readonly file: string }
  | { readonly task: 'restore'; readonly file: string }
  | { readonly task: 'copy'; readonly from: string | undefined; readonly to: string };

/** What an operator asked for; undefined for anything else. */
function readArguments(): Asked | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { from: { type: 'string' }, to: { type: 'string' }, help: { type: 'boolean', default: false } },
    });
    const [task, file, ...rest] = positionals;
    if (values.help || rest.length > 0) return undefined;
    if (task === 'copy' && file === undefined && values.to !== undefined)
      return { task, from: values.from, to: values.to };
    const plain = values.from === undefined && values.to === undefined;
    if (plain && file !== undefined && (task === 'backup' || task === 'check' || task === 'restore'))
      return { task, file: resolve(file) };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  return undefined;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const tell = (line: string) => void process.stdout.write(`${line}\n`);
const now = () => new Date().toISOString();
const figure = (value: number) => value.toLocaleString('en');

async function main(): Promise<number> {
  const asked = readArguments();
  if (!asked) {
    say(usage);
    return 2;
  }
  const config = loadConfig(process.env);
  try {
    if (asked.task === 'backup') await backUp(config, asked.file);
    else if (asked.task === 'check') tell(`${asked.file}: ${described((await openBackup(asked.file)).summary)}`);
    else if (asked.task === 'restore') await restore(config, asked.file);
    else await copy(config, asked);
    return 0;
  } catch (error) {
    if (!(error instanceof TransferRefused || error instanceof BackupDamaged || error instanceof TransferDiffers))
      throw error;
    say(`perennial: ${error.message}`);
    return 1;
  }
}

async function backUp(config: Config, file: string): Promise<void> {
  const began = performance.now();
  await withStore(await reachStore(config), async (store) => {
    const madeAt = now();
    const source = await storeSource(store, config.streamPrefix);
    const progress = everySecond((events: number, position: bigint) =>
      say(`${figure(events)} events, at position ${position}`),
    );
    const summary = await writeBackup(source, file, { madeAt, progress });
    tell(`${file}: ${described(summary)}`);
    tell(`written, synced and read back in ${secondsSince(began)} s`);
    tell('not in it: the master key of personal data (PERSONAL_DATA_MASTER_KEY, or its file in DATA_DIR)');
  });
}

async function restore(config: Config, file: string): Promise<void> {
  const began = performance.now();
  say(`checking ${file}`);
  const { summary, source } = await openBackup(file);
  tell(`${file}: ${described(summary)}`);
  if (summary.prefix !== config.streamPrefix)
    throw new TransferRefused(
      `the backup is of the prefix ${summary.prefix}: set STREAM_PREFIX=${summary.prefix} to restore it`,
    );
  const from = `backup ${summary.checksum}`;
  const { eventstoreUrl, dataDir } = config;
  const report =
    eventstoreUrl === undefined
      ? await fillStoreDirectory(dataDir, (url) => carryOver(source, url, from))
      : await carryOver(source, eventstoreUrl, from);
  tellReport(report, `restored into ${eventstoreUrl === undefined ? dataDir : withoutSecrets(eventstoreUrl)}`, began);
}

async function copy(config: Config, { from, to }: { readonly from: string | undefined; readonly to: string }) {
  const began = performance.now();
  const reached = from === undefined ? await reachStore(config) : { url: from, close: async () => undefined };
  await withStore(reached, async (store) => {
    if (reached.url === to) throw new TransferRefused('--to is the store that is copied');
    const source = await storeSource(store, config.streamPrefix);
    const report = await carryOver(source, to, withoutSecrets(reached.url));
    tellReport(report, `copied to ${withoutSecrets(to)}`, began);
  });
}

async function withStore<T>(
  reached: { readonly url: string; close(): Promise<void> },
  use: (store: EventStore) => Promise<T>,
): Promise<T> {
  const store = EventStore.connect({ url: reached.url });
  try {
    return await use(store);
  } finally {
    await store.close();
    await reached.close();
  }
}

async function carryOver(source: TransferSource, url: string, from: string): Promise<TransferReport> {
  const store = EventStore.connect({ url, appendDeadlineMs: 30_000 });
  try {
    const progress = everySecond(({ phase, events, position }: TransferProgress) =>
      say(`${phase}: ${figure(events)} events, at position ${position}`),
    );
    return await transfer(source, store, { from, now, progress });
  } finally {
    await store.close();
  }
}

function tellReport({ position, totals, found, policies }: TransferReport, what: string, began: number): void {
  tell(`${what}: ${describedTotals(totals)}, up to position ${position} of the source`);
  if (found > 0) tell(`${figure(found)} of the events were there already`);
  for (const { policy, from, to } of policies) tell(`${policy} goes on after ${to} (${from} in the source)`);
  tell(`read back and the same: sha256 ${totals.history}; ${secondsSince(began)} s`);
}

function described({ prefix, madeAt, position, totals, checksum }: BackupSummary): string {
  return `${prefix} as of ${madeAt}, up to position ${position}: ${describedTotals(totals)}; sha256 of the file ${checksum}`;
}

function describedTotals({ events, streams, bytes, values, tombstones }: Totals): string {
  return `${figure(events)} events in ${figure(streams)} streams (${(bytes / 1e6).toFixed(1)} MB), ${figure(values)} keys and settings, ${figure(tombstones)} destroyed keys`;
}

/** Calls at most once a second. */
function everySecond<Args extends unknown[]>(call: (...args: Args) => void): (...args: Args) => void {
  let last = performance.now();
  return (...args) => {
    if (performance.now() - last < 1_000) return;
    last = performance.now();
    call(...args);
  };
}

function secondsSince(began: number): string {
  return ((performance.now() - began) / 1_000).toFixed(1);
}

function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}

commandLine(main);
