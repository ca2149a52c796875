/**
 * A book that is kept and moved as an operator does it: backed up while commands run, restored elsewhere, copied to a server of its
 * own while commands run and while copier and server are killed, and carried on from there. `audit verify` must be clean
 * each time, and what was acknowledged must be remembered: `npm run check:move -- [--events 3000] [--seed 1] [--keep]`.
 * Needs dist/. Ends with 1 when anything differs; prints how long each step took.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { differenceOf, openBackup } from '@perennial/event-sourcing';
import { eventually, lineItem, monthly } from '../support/app';
import { type Answer, HttpClient } from '../support/http-client';
import { freePort, Program, runToEnd } from '../support/processes';
import { Random } from '../support/random';
import { apiKeyOf } from '../support/standalone';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '3000' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
const random = new Random(Number(values.seed));
const subscriptions = Math.max(8, Math.ceil(Number(values.events) / 60));
const root = mkdtempSync(join(tmpdir(), 'perennial-move-'));
const HOUR = 3_600_000;
const dist = process.env['DIST_DIR'] ?? join(__dirname, '../../dist');

const problems: string[] = [];
const steps: { readonly what: string; readonly seconds: number; readonly found: string }[] = [];
const say = (line: string) => void process.stderr.write(`${line}\n`);

function must(holds: boolean, what: string): void {
  if (holds) return;
  problems.push(what);
  say(`WRONG: ${what}`);
}

async function timed<T>(what: string, run: () => Promise<T>, found: (result: T) => string = () => ''): Promise<T> {
  say(`${what} ...`);
  const began = performance.now();
  const result = await run();
  steps.push({ what, seconds: (performance.now() - began) / 1_000, found: found(result) });
  say(`${what}: ${steps.at(-1)!.seconds.toFixed(1)} s ${steps.at(-1)!.found}`);
  return result;
}

const surroundings = (dataDir: string, eventstoreUrl?: string): Record<string, string> => ({
  DATA_DIR: dataDir,
  SCHEDULER_INTERVAL_MS: '50',
  RATE_LIMIT_PER_SECOND: '100000',
  RATE_LIMIT_BURST: '100000',
  TEST_CLOCK: 'true',
  ...(eventstoreUrl !== undefined && { EVENTSTORE_URL: eventstoreUrl }),
});

/** A data directory of its own with the master key of the first one. */
function directory(name: string, from?: string): string {
  const path = join(root, name);
  mkdirSync(path);
  if (from !== undefined) copyFileSync(join(from, 'personal-data-master-key'), join(path, 'personal-data-master-key'));
  return path;
}

/** A command that was answered, to be sent again later. */
interface Acknowledged {
  readonly path: string;
  readonly body: object;
  readonly key: string;
  readonly answer: Answer['body'];
}

/** The service, and what its callers know. */
class Book {
  readonly acknowledged: Acknowledged[] = [];
  readonly ids: string[] = [];
  readonly erased: string[] = [];
  #serial = 0;

  constructor(
    public program: Program,
    public client: HttpClient,
  ) {}

  static async start(dataDir: string, eventstoreUrl?: string, apiKey?: string): Promise<Book> {
    const env = surroundings(dataDir, eventstoreUrl);
    const program = await Program.start({ program: 'standalone', env });
    await program.ready(Number(values.events) * 20 + 120_000);
    return new Book(program, new HttpClient(program.url, apiKey ?? apiKeyOf(dataDir)));
  }

  async send(path: string, body: object, key = `move-${(this.#serial += 1)}`): Promise<Answer> {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.client.post(path, body, key).catch(() => undefined);
      if (answer && answer.status < 500) {
        if (answer.status < 300) this.acknowledged.push({ path, body, key, answer: answer.body });
        return answer;
      }
      if (attempt === 20) throw new Error(`${path}: ${JSON.stringify(answer?.body)}`);
      await delay(200);
    }
  }

  async all(tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
    const waiting = tasks.values();
    const worker = async () => {
      for (const task of waiting) await task();
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  items(id: string, month: string, count: number): Promise<Answer> {
    const lineItems = Array.from({ length: count }, (_, n) => lineItem(`${month}-${n}`, { unitPrice: `${n + 1}` }));
    return this.send(`/v1/subscriptions/${id}/line-items/batch`, { lineItems });
  }

  async setClock(now: string): Promise<void> {
    const { status, body } = await this.client.ask('PUT', '/v1/test-clock', { body: { now }, key: `clock-${now}` });
    must(status === 200, `the clock goes to ${now}: ${status} ${JSON.stringify(body)}`);
  }

  /** Until every subscription has been rolled over and everything is invoiced. */
  async settled(timeoutMs = Number(values.events) * 10 + 60_000): Promise<void> {
    await eventually(
      () => this.client.get('/v1/due-billing-periods'),
      ({ body }) => body.items?.length === 0,
      timeoutMs,
    );
    await eventually(
      () => this.client.get('/v1/invoices?status=draft'),
      ({ body }) => body.items?.length === 0,
      timeoutMs,
    );
  }

  async make(): Promise<void> {
    await this.setClock('2026-01-01T00:00:00.000Z');
    const customers = Array.from({ length: Math.ceil(subscriptions / 4) }, (_, n) => `customer-${n}`);
    await this.all(
      customers.map((externalId) => async () => {
        const terms = { externalId, currency: 'USD', timeZone: 'Europe/Berlin' };
        const personal = { billTo: { name: `Name of ${externalId}` } };
        const { body } = await this.send('/v1/customers', { ...terms, personal });
        // One that nobody bills any more, so that it can be erased.
        if (this.erased.length < Math.ceil(customers.length / 5)) {
          const gone = await this.send('/v1/customers', { ...terms, externalId: `gone-${externalId}`, personal });
          await this.send(`/v1/customers/${gone.body.id}/erase`, {});
          this.erased.push(gone.body.id);
        }
        must(typeof body.id === 'string', `a customer: ${JSON.stringify(body)}`);
      }),
    );
    await this.all(
      Array.from({ length: subscriptions }, (_, n) => async () => {
        const { body } = await this.send('/v1/subscriptions', monthly({ customerId: customers[n % customers.length] }));
        this.ids.push(body.id);
      }),
    );
    for (const [month, clock] of [
      ['january', '2026-02-01T12:00:00.000Z'],
      ['february', '2026-03-01T12:00:00.000Z'],
    ] as const) {
      await this.all(this.ids.map((id) => () => this.items(id, month, 20)));
      await this.all(
        this.ids.flatMap((id) => Array.from({ length: 20 }, (_, n) => () => this.one(id, `${month}-single-${n}`))),
      );
      await this.setClock(clock);
      await this.settled();
      say(`${month} is billed`);
    }
  }

  one(id: string, name: string): Promise<Answer> {
    return this.send(`/v1/subscriptions/${id}/line-items`, lineItem(name));
  }

  /** Callers who go on until they are told to stop; answers how many of their commands were answered. */
  traffic(name: string): () => Promise<number> {
    let going = true;
    let done = 0;
    const caller = async (n: number) => {
      for (let i = 0; going; i += 1) {
        const { status } = await this.one(random.pick(this.ids), `${name}-${n}-${i}`);
        if (status < 300) done += 1;
        await delay(20);
      }
    };
    const callers = Promise.all([0, 1, 2, 3].map(caller));
    return async () => {
      going = false;
      await callers;
      return done;
    };
  }

  /** Sends acknowledged commands again: they must be answered as then, and record nothing. */
  async repeat(of: readonly Acknowledged[], where: string): Promise<void> {
    // Positions are the log's own and differ in another one.
    const told = ({ revision, events, lineItems }: Answer['body']) =>
      JSON.stringify({ revision, lineItems, ids: events?.map((each: { id: string }) => each.id) });
    for (let n = 0; n < 40; n += 1) {
      const { path, body, key, answer } = random.pick(of);
      const again = await this.client.post(path, body, key);
      must(
        again.status < 300 && isDeepStrictEqual(told(again.body), told(answer)),
        `${where}: ${path} with the key ${key} is remembered: ${again.status} ${JSON.stringify(again.body)} instead of ${JSON.stringify(answer)}`,
      );
    }
    for (const id of this.erased) {
      const { body } = await this.client.get(`/v1/customers/${id}`);
      must(
        JSON.stringify(body.personal) === '{"erased":true}',
        `${where}: ${id} stays erased: ${JSON.stringify(body)}`,
      );
    }
    const { body } = await this.client.get('/v1/customers?limit=200');
    const names = (body.items as { personal: object }[]).filter(({ personal }) => 'billTo' in personal).length;
    must(names > 0, `${where}: names of customers can be read`);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.program.stop(60_000);
  }
}

/** Runs a command of the operator; its exit code must be 0. */
async function operate(program: 'store' | 'audit', args: readonly string[], env: Record<string, string>) {
  const { code, output } = await runToEnd(`apps/standalone/src/${program}.js`, args, env, HOUR);
  must(code === 0, `${program} ${args.join(' ')} ended with ${code}:\n${output.slice(-3_000)}`);
  return output;
}

const verify = (what: string, env: Record<string, string>) =>
  timed(
    `audit verify of ${what}`,
    () => operate('audit', ['verify', '--test-clock', '--wait', '1800'], env),
    (output) => /\d+ events in \d+ streams/.exec(output)?.[0] ?? '',
  );

/** A server of its own, as `npm run eventstore` starts it. */
async function startServer(dataDir: string, port: number): Promise<ChildProcess> {
  const main = join(dist, 'libs/embedded-eventstore/src/main.js');
  const child = spawn(process.execPath, [main, '--data', dataDir, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode !== null || !child.kill('SIGKILL')) return;
  await ended;
}

/** A copy under way; `reached` resolves once it writes, or after 2.5 s where a book is small, or when it has ended. */
function startCopy(url: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [join(dist, 'apps/standalone/src/store.js'), 'copy', '--to', url], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let told = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (told += part.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const reached = async () => {
    const until = performance.now() + (Number(values.events) < 20_000 ? 2_500 : 600_000);
    while (child.exitCode === null && performance.now() < until && !told.includes('writing: ')) await delay(50);
  };
  return { child, ended, reached, told: () => told };
}

async function main(): Promise<void> {
  const home = directory('home');
  const first = await Book.start(home);
  await timed('making the book', () => first.make());

  const file = join(root, 'book.perennial');
  const backup = await timed(
    'backup while commands run',
    async () => {
      const stop = first.traffic('backup');
      await operate('store', ['backup', file], surroundings(home));
      const done = await stop();
      must(done > 0, 'commands were answered during the backup');
      return { ...(await openBackup(file)).summary, done };
    },
    ({ totals, done }) =>
      `${totals.events} events in ${totals.streams} streams, ${(statSync(file).size / 1e6).toFixed(1)} MB, ${done} commands answered meanwhile`,
  );
  must(backup.totals.tombstones >= first.erased.length, 'the backup knows the erasures');
  const held = first.acknowledged.filter(({ answer }) => BigInt(answer.position) <= backup.position);

  const elsewhere = directory('elsewhere', home);
  await timed('restore', () => operate('store', ['restore', file], surroundings(elsewhere)));
  await verify('the restored book', surroundings(elsewhere));
  const restored = await timed('start on the restored book', () => Book.start(elsewhere, undefined, apiKeyOf(home)));
  restored.ids.push(...first.ids);
  restored.erased.push(...first.erased);
  await restored.repeat(held, 'restored');
  await restored.all(restored.ids.slice(0, 20).map((id) => () => restored.one(id, 'after the restore')));
  await restored.setClock('2026-04-01T12:00:00.000Z');
  await timed('rolling the restored book over', () => restored.settled());
  await restored.stop();
  await verify('the restored book, a month on', surroundings(elsewhere));

  const port = await freePort();
  const serverDir = join(root, 'server');
  let server = await startServer(serverDir, port);
  const url = `esdb://127.0.0.1:${port}?tls=false`;
  const stop = first.traffic('copy');
  await timed(
    'copy killed',
    async () => {
      const copying = startCopy(url, surroundings(home));
      await copying.reached();
      await killed(copying.child);
      return copying.told().trim().split('\n').at(-1) ?? '';
    },
    (line) => line,
  );
  await timed('copy beside the service, its target killed', async () => {
    const copying = startCopy(url, surroundings(home));
    await copying.reached();
    await killed(server);
    await delay(500);
    server = await startServer(serverDir, port);
    must((await copying.ended) === 0, `the copy goes on when its target is back: ${copying.told().slice(-3_000)}`);
  });
  must((await stop()) > 0, 'commands were answered during the copy');
  await first.stop();
  await timed(
    'copy of the rest, with the service stopped',
    () => operate('store', ['copy', '--to', url], surroundings(home)),
    (output) => output.split('\n').find((line) => line.includes('there already')) ?? '',
  );
  const [here, there] = [join(root, 'here.perennial'), join(root, 'there.perennial')];
  await operate('store', ['backup', here], surroundings(home));
  await operate('store', ['backup', there], surroundings(home, url));
  const difference = differenceOf((await openBackup(here)).summary.totals, (await openBackup(there)).summary.totals);
  must(difference === undefined, `the copy holds what the first store holds: ${difference}`);
  await verify('the copy', surroundings(directory('auditor', home), url));

  const moved = await timed('start on the copy, read models of the old store noticed and built again', () =>
    Book.start(home, url),
  );
  moved.ids.push(...first.ids);
  moved.erased.push(...first.erased);
  await moved.repeat(first.acknowledged, 'copied');
  await moved.all(moved.ids.map((id) => () => moved.one(id, 'after the move')));
  await moved.setClock('2026-04-01T12:00:00.000Z');
  await timed('rolling the copy over', () => moved.settled());
  const bills = (await moved.client.get(`/v1/invoices?subscriptionId=${moved.ids[0]}`)).body.items;
  must(bills.length === 4, `four invoices of a subscription: ${JSON.stringify(bills)}`);
  await moved.stop();
  await verify('the copy, a month on', surroundings(home, url));
  await killed(server);
}

main()
  .catch((error: unknown) => {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  })
  .finally(() => {
    const rows = steps.map(
      ({ what, seconds, found }) => `${what.padEnd(72)} ${seconds.toFixed(1).padStart(8)} s  ${found}`,
    );
    process.stdout.write(`${rows.join('\n')}\n${cpus().length} cores, node ${process.version}, seed ${values.seed}\n`);
    for (const problem of problems) process.stdout.write(`WRONG: ${problem}\n`);
    process.stdout.write(problems.length === 0 ? 'nothing differs\n' : `${problems.length} differences\n`);
    if (!values.keep) rmSync(root, { recursive: true, force: true });
    process.exit(problems.length === 0 ? 0 : 1);
  });
