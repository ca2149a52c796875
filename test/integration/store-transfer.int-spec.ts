import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore, type RunningEventStore } from '@perennial/embedded-eventstore';
import {
  BackupDamaged,
  DataKeys,
  EventStore,
  openBackup,
  parseMasterKeys,
  type Policy,
  PolicyRunner,
  readParkedReactions,
  readPolicyPosition,
  readTransfer,
  StoredTestClock,
  storeSource,
  streamNames,
  transfer,
  TransferRefused,
  writeBackup,
  type LogRecord,
  type TransferProgress,
} from '@perennial/event-sourcing';
import { accountCatalogs, accountEvent, Accounts } from '../support/accounts';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger, until } from '../support/read-side';

const masterKey = Buffer.alloc(32, 'm').toString('base64');
const otherKey = Buffer.alloc(32, 'n').toString('base64');
const now = () => '2026-01-01T00:00:00.000Z';

class Reward {
  constructor(readonly event: string) {}
}
class Refused extends Error {}

const rewardDeposits: Policy<Reward> = {
  name: 'rewardDeposits',
  handles: ['Deposited'],
  react: ({ id }) => [new Reward(id)],
};

describe('carrying an installation over', () => {
  let server: TestEventStore;
  let store: EventStore;
  let directory: string;
  const targets: { server: RunningEventStore; store: EventStore }[] = [];

  beforeAll(async () => {
    server = await testEventStore();
    store = EventStore.connect({ url: server.url, appendDeadlineMs: 10_000 });
    directory = mkdtempSync(join(tmpdir(), 'perennial-transfer-'));
  });
  afterAll(async () => {
    for (const target of targets) {
      await target.store.close();
      await target.server.close();
    }
    await store.close();
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const emptyStore = async () => {
    const started = await startEventStore();
    const target = { server: started, store: EventStore.connect({ url: started.url, appendDeadlineMs: 10_000 }) };
    targets.push(target);
    return target;
  };
  const newFile = () => join(directory, randomUUID());
  const keysOf = (in_: EventStore, prefix: string, masters = masterKey) =>
    new DataKeys(in_, prefix, parseMasterKeys(masters));

  /** What `storeSource` is compared with: everything under the prefix, whatever it is. */
  const logOf = async (of: EventStore, prefix: string): Promise<LogRecord[]> => {
    const all: LogRecord[] = [];
    for await (const record of of.readLog({ streams: `^(\\$\\$)?${prefix}[._]` })) all.push(record);
    return all;
  };
  const history = (records: readonly LogRecord[], prefix: string) =>
    records
      .filter(({ stream }) => stream.startsWith(`${prefix}.account-`) || stream.startsWith(`${prefix}_parked.`))
      .map(({ position: _, ...record }) => ({
        ...record,
        data: Buffer.from(record.data).toString(),
        metadata: Buffer.from(record.metadata).toString(),
      }));

  const runPolicy = async (in_: EventStore, prefix: string, expected: number, refuse = '') => {
    const done: string[] = [];
    const runner = new PolicyRunner({
      store: in_,
      streamPrefix: prefix,
      policies: [rewardDeposits],
      catalogs: accountCatalogs,
      dispatch: async (command) => {
        if ((command as Reward).event === refuse) throw new Refused('no');
        done.push((command as Reward).event);
      },
      isRefused: (error) => error instanceof Refused,
      logger,
      saveEveryMs: 20,
    });
    runner.start();
    await until(() => done.length >= expected);
    await runner.stop();
    return done;
  };

  /** 30 accounts with interleaved appends of one to three events, a policy at work, keys, a clock, and what is left out. */
  const book = async (events = 120) => {
    const prefix = `s${randomUUID().slice(0, 8)}`;
    const names = streamNames(prefix);
    const accounts = new Accounts(store, prefix);
    const ids = Array.from({ length: 30 }, () => randomUUID());
    const deposit = async (count: number) => {
      for (let n = 0; n < count; n += 1) {
        const amounts = Array.from({ length: 1 + (n % 3) }, (_, i) => n * 10 + i);
        await accounts.deposit(ids[n % ids.length]!, ...amounts);
      }
    };
    await deposit(events / 4); // Two events each.
    const clock = new StoredTestClock(store, prefix);
    await clock.set('2026-01-01T00:00:00Z');
    await clock.set('2026-02-01T00:00:00Z');
    const keys = keysOf(store, prefix);
    const subjects = { plain: randomUUID(), rewrapped: randomUUID(), erased: randomUUID() };
    const before = {
      plain: await keys.keyFor(subjects.plain),
      rewrapped: await keys.keyFor(subjects.rewrapped),
    };
    await keys.keyFor(subjects.erased);
    await keysOf(store, prefix, `${otherKey},${masterKey}`).rewrap();
    await keys.destroy(subjects.erased);
    const snapshot = { id: randomUUID(), type: 'Snapshot', data: {} };
    await store.append(names.snapshot('account', ids[0]!), [snapshot], 'no_stream');
    await store.append(names.keys('account', ids[0]!, 0), [{ ...snapshot, type: 'Keys' }], 'no_stream');
    await store.append(names.heartbeat, [{ ...snapshot, type: 'Heartbeat' }], 'no_stream');
    await deposit(events / 4);
    return { prefix, names, accounts, ids, deposit, subjects, before };
  };

  it('restores a backup with every event as it was, in order, and leaves out what is built again', async () => {
    const { prefix, names, ids, subjects, before } = await book();
    const parked = accountEvent('Parked', { stream: names.of('account', ids[0]!), revision: '1', eventId: 'e' });
    await store.append(names.parked('rewardDeposits'), [parked], 'no_stream');
    const raw = { id: randomUUID(), type: 'Noise', isJson: true, data: Buffer.from('{ "b": 1.0, "a": 2, "1": 3 }') };
    const odd = { ...raw, stream: '', revision: 0n, position: 0n, metadata: Buffer.from('{"x" : 1e2}') };
    await store.appendRecords(names.of('account', randomUUID()), [odd], 'no_stream');

    const file = newFile();
    const written = await writeBackup(await storeSource(store, prefix), file, { madeAt: now() });
    const { summary, source } = await openBackup(file);
    expect(summary).toEqual(written);
    const target = await emptyStore();
    const report = await transfer(source, target.store, { from: 'a backup', now });

    const [was, is] = [await logOf(store, prefix), await logOf(target.store, prefix)];
    expect(history(is, prefix)).toEqual(history(was, prefix));
    expect(report.totals).toEqual(summary.totals);
    expect(report.totals).toMatchObject({ events: history(was, prefix).length, streams: 32, tombstones: 1 });
    expect(summary.position).toBe(was.at(-1)!.position);
    const kinds = new Set(is.map(({ stream }) => /[._$]+[a-z]+/.exec(stream.slice(prefix.length))?.[0]));
    expect([...kinds].filter((kind) => ['.heartbeat', '_snapshot', '_keys'].includes(kind ?? ''))).toEqual([]);
    const keys = keysOf(target.store, prefix, `${otherKey},${masterKey}`);
    expect([await keys.find(subjects.plain), await keys.find(subjects.rewrapped)]).toEqual([
      before.plain,
      before.rewrapped,
    ]);
    expect([await keys.find(subjects.erased), await keys.keyFor(subjects.erased)]).toEqual(['destroyed', 'destroyed']);
    // A second key would be readable beside the first without the retention that stands in the stream's metadata.
    await keysOf(target.store, prefix, `${masterKey},${otherKey}`).rewrap();
    const readable = [];
    for await (const { revision } of target.store.read(names.key(subjects.plain))) readable.push(revision);
    expect(readable).toEqual([1n]);
    expect(await new StoredTestClock(target.store, prefix).now()).toBe('2026-02-01T00:00:00.000Z');
    expect((await readParkedReactions(target.store, prefix, 'rewardDeposits')).waiting.size).toBe(1);
    expect((await readTransfer(target.store, prefix))?.type).toBe('TransferCompleted');
  });

  it('keeps no byte of a destroyed or replaced key in a backup', async () => {
    const { prefix, names, subjects } = await book();
    const file = newFile();
    await writeBackup(await storeSource(store, prefix), file, { madeAt: now() });
    const wrapped = [];
    for await (const record of (await openBackup(file)).source.records())
      if (record.type === 'DataKeyWrapped') wrapped.push(record.stream);
    expect(wrapped.sort()).toEqual([names.key(subjects.plain), names.key(subjects.rewrapped)].sort());
  });

  it('is a state that the log has been in, whoever writes meanwhile', async () => {
    const { prefix, deposit, accounts } = await book();
    let writing = true;
    const writer = (async () => {
      while (writing) await deposit(20);
    })();
    const file = newFile();
    const { position } = await writeBackup(await storeSource(store, prefix), file, { madeAt: now() });
    await until(() => accounts.position > position);
    writing = false;
    await writer;
    const held: LogRecord[] = [];
    for await (const record of (await openBackup(file)).source.records()) held.push(record);
    const log = (await logOf(store, prefix)).filter((record) => record.position <= position);
    expect(history(held, prefix)).toEqual(history(log, prefix));
    expect(held.at(-1)!.position).toBe(position);
  });

  it('refuses a backup in which any byte was changed or is missing', async () => {
    const { prefix } = await book(40);
    const file = newFile();
    await writeBackup(await storeSource(store, prefix), file, { madeAt: now() });
    const bytes = readFileSync(file);
    const damaged = newFile();
    for (let at = 0; at < bytes.length; at += at < 32 || at > bytes.length - 70 ? 1 : 97) {
      const flipped = Buffer.from(bytes);
      flipped[at] = flipped[at]! ^ 0x01;
      writeFileSync(damaged, flipped);
      await expect(openBackup(damaged)).rejects.toThrow(BackupDamaged);
    }
    for (const length of [0, 10, 60, 90, bytes.length - 66, bytes.length - 1]) {
      writeFileSync(damaged, bytes.subarray(0, length));
      await expect(openBackup(damaged)).rejects.toThrow(BackupDamaged);
    }
    writeFileSync(damaged, Buffer.concat([bytes, bytes]));
    await expect(openBackup(damaged)).rejects.toThrow(BackupDamaged);
  });

  it('overwrites no file and leaves none behind when it cannot finish', async () => {
    const { prefix } = await book(40);
    const source = await storeSource(store, prefix);
    const file = newFile();
    writeFileSync(file, 'mine');
    await expect(writeBackup(source, file, { madeAt: now() })).rejects.toThrow(TransferRefused);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const other = newFile();
    const failing = {
      ...source,
      async *records() {
        for await (const record of source.records()) yield record;
        throw new Error('the store went away');
      },
    };
    await expect(writeBackup(failing, other, { madeAt: now() })).rejects.toThrow('the store went away');
    expect(readdirSync(directory).filter((name) => name.startsWith(other.slice(directory.length + 1)))).toEqual([]);
  });

  it('goes on with a copy that was broken off anywhere, and ends the same', async () => {
    const { prefix, deposit, subjects } = await book();
    const target = await emptyStore();
    let stopAt = 20;
    let phases: string[] = [];
    const progress = ({ phase, events }: TransferProgress) => {
      phases.push(phase);
      if (events >= stopAt) throw new Error('killed');
    };
    for (; stopAt < 120; stopAt += 30) {
      await expect(
        transfer(await storeSource(store, prefix), target.store, { from: 'a', now, progress }),
      ).rejects.toThrow('killed');
      expect((await readTransfer(target.store, prefix))?.type).toBe('TransferBegun');
      await deposit(3);
    }
    await keysOf(store, prefix).destroy(subjects.plain);
    stopAt = Infinity;
    phases = [];
    const report = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now, progress });
    expect(new Set(phases)).toEqual(new Set(['comparing', 'writing', 'verifying']));
    expect(report.found).toBeGreaterThan(80);
    expect(report.found).toBeLessThan(report.totals.events);
    expect(report.totals.tombstones).toBe(2);
    expect(history(await logOf(target.store, prefix), prefix)).toEqual(history(await logOf(store, prefix), prefix));
    expect(await keysOf(target.store, prefix).find(subjects.plain)).toBe('destroyed');

    await deposit(5);
    const again = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now });
    expect(again).toMatchObject({ found: report.totals.events, totals: { events: report.totals.events + 9 } });
  });

  it('carries on by itself when connections break and answers are lost', async () => {
    const { prefix } = await book(240);
    const target = await emptyStore();
    let next = 50;
    const progress = ({ phase, events }: TransferProgress) => {
      if (phase !== 'writing' || events < next) return;
      next = events + 60;
      target.server.faults.resetConnections();
    };
    const report = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now, progress });
    expect(report.totals.events).toBe(history(await logOf(store, prefix), prefix).length);
    expect(next).toBeGreaterThan(200);
    expect(history(await logOf(target.store, prefix), prefix)).toEqual(history(await logOf(store, prefix), prefix));
  });

  it('lets a policy go on after what it had done, neither skipping nor beginning again', async () => {
    const { prefix, deposit, ids, accounts } = await book(40);
    const waitingStream = accounts.streamOf(ids[1]!);
    const { id: refused } = (await store.last(waitingStream))!;
    const deposits = async () => (await logOf(store, prefix)).filter(({ type }) => type === 'Deposited');
    const first = await runPolicy(store, prefix, (await deposits()).length - 1, refused);
    await deposit(20);
    const target = await emptyStore();
    const report = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now });
    const [{ policy, from, to }] = report.policies as [{ policy: string; from: bigint; to: bigint }];
    const place = await readPolicyPosition(target.store, prefix, policy);
    expect([policy, place?.position]).toEqual(['rewardDeposits', to]);
    expect((await readPolicyPosition(store, prefix, policy))?.position).toBe(from);
    expect(place?.id).toBe((await readPolicyPosition(store, prefix, policy))?.id);

    // The parked one and what came after it in its stream waits there as it did here.
    const waiting = [...(await readParkedReactions(target.store, prefix, policy)).waiting.values()];
    expect(waiting.map(({ eventId }) => eventId)).toEqual([refused]);
    const left = (await deposits()).filter(({ id, stream }) => !first.includes(id) && stream !== waitingStream);
    expect(left.length).toBeGreaterThan(20);
    const second = await runPolicy(target.store, prefix, left.length);
    expect(second.sort()).toEqual(left.map(({ id }) => id).sort());
  });

  it('refuses a target that holds anything else, and one that a service has gone on from', async () => {
    const { prefix, deposit } = await book(40);
    const source = await storeSource(store, prefix);
    const used = await emptyStore();
    const own = new Accounts(used.store, prefix);
    await own.deposit(randomUUID(), 1);
    const before = (await logOf(used.store, prefix)).length;
    await expect(transfer(source, used.store, { from: 'a', now })).rejects.toThrow('it must be empty');
    expect((await logOf(used.store, prefix)).length).toBe(before);

    const copy = await emptyStore();
    await transfer(source, copy.store, { from: 'a', now });
    await new Accounts(copy.store, prefix).deposit(randomUUID(), 1);
    await deposit(1);
    await expect(transfer(await storeSource(store, prefix), copy.store, { from: 'a', now })).rejects.toThrow(
      'a service has gone on from the copy',
    );

    // One that was broken off, and then meets another source.
    const half = await emptyStore();
    const progress = ({ events }: TransferProgress) => {
      if (events >= 20) throw new Error('killed');
    };
    await expect(transfer(source, half.store, { from: 'a', now, progress })).rejects.toThrow('killed');
    await new Accounts(half.store, prefix).deposit(randomUUID(), 1);
    await expect(transfer(source, half.store, { from: 'a', now })).rejects.toThrow('it is no copy of this source');
  });

  it('leaves deleted streams out, repeats that they are deleted, and refuses truncated history', async () => {
    const { prefix, names, ids } = await book(40);
    const [tombstoned, deleted, truncated] = ids.map((id) => names.of('account', id)) as [string, string, string];
    await store.tombstone(tombstoned);
    await store.deleteStream(deleted);
    const target = await emptyStore();
    const { totals } = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now });
    expect([totals.streams, totals.tombstones]).toEqual([8, 2]);
    await expect(target.store.last(tombstoned)).rejects.toThrow('is deleted');
    expect(await target.store.last(deleted)).toBeUndefined();
    const streams = new Set((await logOf(target.store, prefix)).map(({ stream }) => stream));
    expect([streams.has(deleted), streams.has(`$$${deleted}`)]).toEqual([false, true]);

    await store.setMetadata(truncated, { truncateBefore: 1n });
    await expect(storeSource(store, prefix)).rejects.toThrow(`the metadata of ${truncated} truncates it`);
  });

  it('refuses streams of a kind that it does not know', async () => {
    const { prefix } = await book(40);
    await store.append(`${prefix}_later.kind`, [accountEvent('Something')], 'no_stream');
    const file = newFile();
    await expect(writeBackup(await storeSource(store, prefix), file, { madeAt: now() })).rejects.toThrow(
      'is of a kind that this build does not know',
    );
    expect(readdirSync(directory).includes(file.slice(directory.length + 1))).toBe(false);
  });

  it('carries large events and long runs of one stream over within the bounds of an append', async () => {
    const prefix = `s${randomUUID().slice(0, 8)}`;
    const accounts = new Accounts(store, prefix);
    const id = randomUUID();
    for (let n = 0; n < 5; n += 1)
      await accounts.append(id, accountEvent('Noise', { text: randomBytes(200_000).toString('hex') }));
    for (let n = 0; n < 3; n += 1) await accounts.deposit(id, ...Array.from({ length: 400 }, (_, i) => i));
    const target = await emptyStore();
    const report = await transfer(await storeSource(store, prefix), target.store, { from: 'a', now });
    expect(report.totals).toMatchObject({ events: 1205, streams: 1 });
  });
});
