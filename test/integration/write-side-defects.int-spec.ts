import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';
import { startEventStore } from '@perennial/embedded-eventstore';
import {
  CorruptEvent,
  EventStore,
  type NewEvent,
  OutcomeUnknown,
  RevisionConflict,
  StoreUnavailable,
  decode,
} from '@perennial/event-sourcing';
import { accountProcess, collect, context, open, until } from './write-side-account';
import { type OddServer, oddServer, proxyTo, silentServer } from './write-side-network';

type Server = Awaited<ReturnType<typeof startEventStore>>;

/**
 * Every row of the defects of @eventstore/db-client 6.2.1 (docs/adr/0010 tells where they come from): either a test
 * shows what the bare client does and that the adapter does not mind, or the row says why there is none.
 */
const DEFECTS: Readonly<Record<string, string>> = {
  '5.1#1 one table of promises for all clients of a process': 'tested',
  '5.1#2 the deadline of a batch append is not enforced': 'tested',
  '5.1#3 a frozen server': 'tested',
  '5.1#4 a batch stream that the server ends cleanly': 'tested',
  '5.1#5 the deadline sent is a point in time':
    'tested, the bare half; the adapter states a limit an hour ahead and has a timer of its own',
  '5.1#6 the feature probe has no deadline': 'tested',
  '5.1#7 one failed feature probe fails every later append': 'tested',
  '5.1#8 a server that is down at first use gives a raw error': 'tested',
  '5.1#9 throwOnAppendFailure: false answers revision 1 for any conflict': 'tested',
  '5.1#10 an append of nothing': 'tested',
  '5.1#11 per-call credentials force unary Append': 'no defect: what appendWith: append uses, see 5.1#2',
  '5.1#12 appends that are not awaited keep their order only by luck':
    'not testable: no order is promised, ours is the queue per stream (write-side-repository)',
  '5.1#13 more than 100 appends at once on a fresh connection':
    'fixed in the client; write-side-store sends 400 at once',
  '5.1#14 BigInt in data': 'tested',
  '5.2#1 a lost connection: one error, then silence': 'tested',
  '5.2#2 a subscription that the server ends without an error': 'tested',
  '5.2#3 a subscription that dangles': 'tested',
  '5.2#4 break does not cancel': 'tested',
  "5.2#5 on('data') has no back-pressure": 'tested',
  '5.2#6 malformed JSON arrives as a string': 'tested',
  '5.2#7 checkpointReached that throws':
    'tested, the adapter; the bare half is an unhandled rejection by reading the source',
  '5.2#8 the text "Cancelled on client" is compared':
    'not testable: nothing here depends on it, all errors after a cancel are ignored',
  '5.2#9 a live subscription is dropped by a burst': 'tested',
  '5.3#1 the 101st stream of a connection waits in silence': 'tested',
  '5.3#2 one CancelledError replaces the channel':
    'not testable apart: subscriptions have connections of their own, and 5.2#1 shows that losing one is minded by nobody',
  '5.3#3 not the leader: the call fails': 'tested',
  '5.3#4 deleteStream with stream_exists': 'tested',
  '5.3#5 tlsVerifyCert=false is ignored':
    'not testable here: no server with TLS; the configuration documents tlsCAFile',
  '5.3#6 old leaks': 'fixed in the client',
  '5.3#7 numbers through the Rust bridge': 'of the other client only',
};

const event = (data: object = {}): NewEvent => ({ id: randomUUID(), type: 'Happened', data });
const bareEvent = () => jsonEvent({ type: 'Happened', data: {} });
const some = (count: number): NewEvent[] => Array.from({ length: count }, (_, n) => event({ n }));
const after = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(() => resolve('pending'), ms));
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: Error) => error.constructor.name,
  );

describe('defects of the client', () => {
  let server: Server;
  const closing: (() => unknown)[] = [];
  const store = (
    url: string,
    appendDeadlineMs = 500,
    appendWith: 'append' | 'batch-append' = 'batch-append',
  ): EventStore => {
    const connected = EventStore.connect({ url, appendDeadlineMs, readDeadlineMs: 2_000, appendWith });
    closing.push(() => connected.close());
    return connected;
  };
  const bare = (url: string): EventStoreDBClient => {
    const client = EventStoreDBClient.connectionString(url);
    closing.push(() => void client.dispose());
    return client;
  };
  const also = <T extends { close(): unknown }>(thing: T): T => {
    closing.push(() => thing.close());
    return thing;
  };
  let stream: string;

  beforeEach(async () => {
    server = await startEventStore();
    stream = `t.thing-${randomUUID()}`;
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await server.close();
  });
  const tested: string[] = [];
  const defect = (row: string, test: () => Promise<void>): void => {
    tested.push(row);
    it(row, test);
  };
  /** The append of the adapter must end as `expected` within the deadline + 10 % (and 100 ms for a busy machine). */
  const endsInTime = async (target: EventStore, expected: string, deadlineMs = 500): Promise<void> => {
    const started = performance.now();
    expect(await outcome(target.append(stream, [event()], 'any'))).toBe(expected);
    expect(performance.now() - started).toBeLessThan(deadlineMs * 1.1 + 100);
  };

  const child = (
    scenario: string,
    ...urls: string[]
  ): { process: ChildProcess; out: () => string; err: () => string; ended: Promise<number | null> } => {
    const process = spawn(globalThis.process.execPath, [join(__dirname, 'write-side-bare.mjs'), scenario, ...urls]);
    let [out, err] = ['', ''];
    process.stdout.on('data', (text: Buffer) => (out += text.toString()));
    process.stderr.on('data', (text: Buffer) => (err += text.toString()));
    closing.push(() => process.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolve) => process.on('close', resolve));
    return { process, out: () => out, err: () => err, ended };
  };

  defect('5.1#1 one table of promises for all clients of a process', async () => {
    const other = also(await startEventStore());
    server.faults.neverAnswerAppends = 'written';
    other.faults.answerAppendsAfterMs = 1_500;
    const readers = [store(server.url), store(other.url)];
    const taken = (name: string): Promise<void> =>
      until(async () => (await Promise.all(readers.map((reader) => reader.last(name)))).every(Boolean));
    const running = child('promise-table', server.url, other.url);
    await taken('promise-table');
    server.faults.resetConnections();
    expect(await running.ended).not.toBe(0);
    expect(running.err()).toContain('is not iterable');
    expect(running.out()).not.toContain('survived');

    const [broken, late] = [store(server.url, 5_000), store(other.url, 5_000)];
    const appends = [broken, late].map((target) => outcome(target.append(stream, [event()], 'any')));
    await taken(stream);
    server.faults.resetConnections();
    expect(await Promise.all(appends)).toEqual(['OutcomeUnknown', 'done']);
    other.faults.answerAppendsAfterMs = 300;
    // An answer that comes after its client was closed throws nowhere: jest would fail on the rejection.
    const disposed = store(other.url, 100);
    expect(await outcome(disposed.append(stream, [event()], 'any'))).toBe('OutcomeUnknown');
    await disposed.close();
    await after(500);
  });

  defect('5.1#2 the deadline of a batch append is not enforced', async () => {
    server.faults.neverAnswerAppends = 'not-written';
    const waiting = outcome(bare(server.url).appendToStream(stream, bareEvent(), { deadline: 500 }));
    expect(await Promise.race([waiting, after(1_500)])).toBe('pending');
    await endsInTime(store(server.url), 'OutcomeUnknown');
    await endsInTime(store(server.url, 500, 'append'), 'OutcomeUnknown');
  });

  defect('5.1#3 a frozen server', async () => {
    const proxy = also(await proxyTo(server.url));
    const [client, adapter] = [bare(proxy.url), store(proxy.url)];
    await client.appendToStream(stream, bareEvent());
    await adapter.append(stream, [event()], 'any');
    proxy.freeze();
    const waiting = outcome(client.appendToStream(stream, bareEvent(), { deadline: 500 }));
    await endsInTime(adapter, 'OutcomeUnknown');
    expect(await outcome(collect(adapter.read(stream)))).toBe('StoreUnavailable');
    expect(await Promise.race([waiting, after(1_000)])).toBe('pending');
    proxy.thaw();
    // The old connection stays half open; the adapter has a new one, the client waits for its keepalive.
    await until(() => adapter.append(stream, [event()], 'any').then(Boolean, () => false));
    expect(await Promise.race([waiting, after(100)])).toBe('pending');
  });

  defect('5.1#4 a batch stream that the server ends cleanly', async () => {
    server.faults.endNextBatchAppend = true;
    const waiting = outcome(bare(server.url).appendToStream(stream, bareEvent(), { deadline: 300 }));
    expect(await Promise.race([waiting, after(1_200)])).toBe('pending');
    server.faults.endNextBatchAppend = true;
    const adapter = store(server.url);
    const others = [adapter, adapter].map((target) => outcome(target.append(stream, [event()], 'any')));
    expect(await Promise.race([Promise.all(others), after(400)])).toContain('OutcomeUnknown');
    await endsInTime(adapter, 'done');
  });

  defect('5.1#5 the deadline sent is a point in time', async () => {
    const running = child('slow-clock', server.url);
    expect(await running.ended).toBe(0);
    expect(running.out().trim()).toBe('deadline-exceeded');
  });

  defect('5.1#6 the feature probe has no deadline', async () => {
    const silent = also(await silentServer());
    const waiting = outcome(bare(silent.url).appendToStream(stream, bareEvent(), { deadline: 300 }));
    await endsInTime(store(silent.url), 'OutcomeUnknown');
    await endsInTime(store(silent.url, 500, 'append'), 'OutcomeUnknown');
    expect(await Promise.race([waiting, after(800)])).toBe('pending');
  });

  defect('5.1#7 one failed feature probe fails every later append', async () => {
    server.faults.failFeatureProbes = 1;
    const client = bare(server.url);
    for (const _ of [1, 2, 3]) expect(await outcome(client.appendToStream(stream, bareEvent()))).not.toBe('done');
    server.faults.failFeatureProbes = 1;
    await endsInTime(store(server.url), 'done');
  });

  defect('5.1#8 a server that is down at first use gives a raw error', async () => {
    const down = 'esdb://127.0.0.1:1?tls=false';
    const error = await bare(down)
      .appendToStream(stream, bareEvent())
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 14 });
    expect(error).not.toHaveProperty('type');
    await endsInTime(store(down), 'StoreUnavailable');
    await endsInTime(store(down, 500, 'append'), 'StoreUnavailable');
    server.faults.refuseConnections = true;
    const reset = await outcome(store(server.url).append(stream, [event()], 'any'));
    expect(['StoreUnavailable', 'OutcomeUnknown']).toContain(reset);
  });

  defect('5.1#9 throwOnAppendFailure: false answers revision 1 for any conflict', async () => {
    await store(server.url).append(stream, some(42), 'no_stream');
    const client = bare(`${server.url}&throwOnAppendFailure=false`);
    const result = await client.appendToStream(stream, bareEvent(), { expectedRevision: 3n });
    expect(result).toMatchObject({ success: false, nextExpectedRevision: 1n });
    const conflict = await store(`${server.url}&throwOnAppendFailure=true`)
      .append(stream, [event()], 3n)
      .catch((e: unknown) => e);
    expect(conflict).toBeInstanceOf(RevisionConflict);
    expect(conflict).toMatchObject({ actual: 41n });
  });

  defect('5.1#10 an append of nothing', async () => {
    expect(await bare(server.url).appendToStream(stream, [])).toMatchObject({ nextExpectedRevision: 0n });
    expect(await outcome(store(server.url).append(stream, [], 'any'))).toBe('TypeError');
  });

  defect('5.1#14 BigInt in data', async () => {
    const running = child('bigint', server.url);
    expect(await running.ended).not.toBe(0);
    expect(running.err()).toContain('BigInt');
    expect(await outcome(store(server.url).append(stream, [event({ n: 1n })], 'any'))).toBe('TypeError');
  });

  /** Follows a subscription of the adapter; `revisions` grows as it yields. */
  const follow = (target: EventStore) => {
    const abort = new AbortController();
    closing.push(() => abort.abort());
    const followed = {
      revisions: [] as number[],
      drops: [] as boolean[],
      caughtUp: 0,
      abort,
      ended: Promise.resolve(),
    };
    followed.ended = (async () => {
      for await (const { revision } of target.subscribe({
        from: 'start',
        prefixes: ['t.'],
        signal: abort.signal,
        onDropped: (_, progress) => followed.drops.push(progress),
        onCaughtUp: () => void (followed.caughtUp += 1),
      })) {
        followed.revisions.push(Number(revision));
      }
    })();
    return followed;
  };
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

  defect('5.2#1 a lost connection: one error, then silence', async () => {
    await store(server.url).append(stream, some(5), 'any');
    const subscription = bare(server.url).subscribeToAll({ filter: streamNameFilter({ prefixes: ['t.'] }) });
    const seen: string[] = [];
    for (const name of ['error', 'end', 'close']) subscription.on(name, () => seen.push(name));
    subscription.on('data', () => seen.push('event'));
    const followed = follow(store(server.url));
    await until(() => followed.caughtUp > 0 && seen.length === 5);
    server.faults.resetConnections();
    await until(() => seen.includes('error'));
    await store(server.url).append(stream, some(5), 'any');
    await until(() => followed.revisions.length === 10);
    expect(followed.revisions).toEqual(upTo(10));
    expect(seen).toEqual([...Array<string>(5).fill('event'), 'error']);
    expect(subscription.destroyed).toBe(false);
  });

  defect('5.2#2 a subscription that the server ends without an error', async () => {
    await store(server.url).append(stream, some(23), 'any');
    server.faults.endReadsSilentlyAfter = 5;
    const subscription = bare(server.url).subscribeToAll({ filter: streamNameFilter({ prefixes: ['t.'] }) });
    subscription.on('error', () => undefined);
    expect(await collect(subscription)).toHaveLength(5);
    const followed = follow(store(server.url));
    await until(() => followed.revisions.length === 23);
    expect(followed.revisions).toEqual(upTo(23));
    expect(followed.drops.slice(0, 4)).toEqual([true, true, true, true]);
    server.faults.endReadsSilentlyAfter = undefined;
  });

  defect('5.2#3 a subscription that dangles', async () => {
    const proxy = also(await proxyTo(server.url));
    await store(server.url).append(stream, some(3), 'any');
    const dangling = follow(store(proxy.url));
    await until(() => dangling.caughtUp > 0);
    proxy.freeze();
    await store(server.url).append(stream, some(2), 'any');
    await after(200);
    expect(dangling.revisions).toEqual(upTo(3));
    // What a watchdog does when its heartbeat does not come back: abort, which does not wait, and subscribe again.
    proxy.thaw();
    dangling.abort.abort();
    await dangling.ended;
    const again = follow(store(proxy.url));
    await until(() => again.revisions.length === 5);
  });

  describe('with a server that never stops talking', () => {
    let odd: OddServer;
    beforeEach(async () => {
      odd = also(await oddServer({ data: JSON.stringify({ text: 'x'.repeat(1_000) }) }));
    });

    defect('5.2#4 break does not cancel', async () => {
      const client = bare(odd.url);
      for (let n = 0; n < 20; n++) for await (const _ of client.readStream('odd')) break;
      await after(100);
      expect(odd.open()).toBe(20);
      const adapter = store(odd.url);
      for (let n = 0; n < 120; n++) for await (const _ of adapter.read('odd')) break;
      await until(() => odd.open() === 20);
      const taken = adapter.read('odd');
      await taken.next();
      await expect(taken.throw(new Error('of the consumer'))).rejects.toThrow('of the consumer');
      await until(() => odd.open() === 20);
    });

    defect("5.2#5 on('data') has no back-pressure", async () => {
      const reading = bare(odd.url).readStream('odd');
      let handling = 0;
      reading.on('error', () => undefined);
      // eslint-disable-next-line @typescript-eslint/no-misused-promises
      reading.on('data', async () => {
        handling += 1;
        await after(50);
      });
      await until(() => handling > 2_000);
      reading.destroy();
      await reading.cancel();
      const before = odd.pushed();
      const slow = store(odd.url).read('odd');
      for (let n = 0; n < 10; n++) {
        await slow.next();
        await after(20);
      }
      expect(odd.pushed() - before).toBeLessThan(2_000);
      await slow.return();
    });

    defect('5.3#1 the 101st stream of a connection waits in silence', async () => {
      const client = bare(odd.url);
      const reads = Array.from({ length: 101 }, () => client.readStream('odd')[Symbol.asyncIterator]().next());
      const last = reads.pop()!;
      await Promise.all(reads);
      expect(await Promise.race([last.then(() => 'answered'), after(700)])).toBe('pending');
      last.catch(() => undefined);
      await client.dispose();
      const adapter = EventStore.connect({ url: odd.url, readDeadlineMs: 3_000 });
      closing.push(() => adapter.close());
      const held = Array.from({ length: 101 }, () => adapter.read('odd'));
      const results = await Promise.all(held.map((read) => outcome(read.next())));
      expect(results.filter((result) => result === 'done')).toHaveLength(90);
      expect(results.filter((result) => result === 'StoreUnavailable')).toHaveLength(11);
      await Promise.all(held.map((read) => read.return()));
      const free = adapter.read('odd');
      expect(await outcome(free.next())).toBe('done');
      await free.return();
    });
  });

  defect('5.2#6 malformed JSON arrives as a string', async () => {
    const odd = also(await oddServer({ data: '{"n":' }));
    for await (const { event: read } of bare(odd.url).readStream('odd', { maxCount: 1 })) {
      expect(read!.data as unknown).toBe('{"n":');
      break;
    }
    for await (const recorded of store(odd.url).read('odd')) {
      const address = { ...recorded, stream: `t.odd-${randomUUID()}`, metadata: {} };
      expect(() => decode(address, { Odd: [] })).toThrow(CorruptEvent);
      break;
    }
  });

  defect('5.2#7 checkpointReached that throws', async () => {
    await store(server.url).append('noise', some(600), 'any');
    const running = store(server.url).subscribe({
      from: 'start',
      prefixes: ['t.'],
      signal: new AbortController().signal,
      onCheckpoint: () => {
        throw new Error('of the caller');
      },
    });
    await expect(running.next()).rejects.toThrow('of the caller');
  });

  defect('5.2#9 a live subscription is dropped by a burst', async () => {
    server.faults.dropSlowSubscriptions = true;
    const subscription = bare(server.url).subscribeToAll({ filter: streamNameFilter({ prefixes: ['t.'] }) });
    let bareEvents = 0;
    let dropped: unknown;
    let live = false;
    subscription.on('caughtUp', () => (live = true));
    subscription.on('error', (error) => (dropped = error));
    subscription.on('data', () => (bareEvents += 1));
    const followed = follow(store(server.url));
    await until(() => live && followed.caughtUp > 0);
    const writer = store(server.url, 5_000);
    await Promise.all(Array.from({ length: 10 }, () => writer.append(stream, some(100), 'any')));
    await until(() => followed.revisions.length === 1_000);
    expect(followed.revisions).toEqual(upTo(1_000));
    expect(followed.drops.length).toBeGreaterThan(0);
    expect(`${dropped as Error}`).toContain('Consumer too slow');
    expect(bareEvents).toBeLessThan(1_000);
  });

  defect('5.3#3 not the leader: the call fails', async () => {
    const odd = also(await oddServer({ leader: server.url }));
    const client = bare(odd.url);
    expect(
      await outcome(client.appendToStream(stream, bareEvent(), { credentials: { username: 'u', password: 'p' } })),
    ).toBe('NotLeaderError');
    for (const [appendWith, first] of [
      ['append', 'StoreUnavailable'],
      // A call that ends may have been written to for other appends: only reading settles it.
      ['batch-append', 'OutcomeUnknown'],
    ] as const) {
      const adapter = also(EventStore.connect({ url: odd.url, appendDeadlineMs: 500, appendWith }));
      await endsInTime(adapter, first);
      await endsInTime(adapter, 'done');
    }
  });

  defect('5.3#4 deleteStream with stream_exists', async () => {
    await store(server.url).append(stream, some(1), 'any');
    expect(
      await outcome(bare(server.url).deleteStream(stream, { expectedRevision: 'stream_exists' as never })),
    ).not.toBe('done');
    await store(server.url).deleteStream(stream);
    expect(await store(server.url).last(stream)).toBeUndefined();
  });

  it('a command waits out a leader that is elsewhere, and says in time that a store is gone', async () => {
    const odd = also(await oddServer({ leader: server.url }));
    expect(odd.open()).toBe(0);
    const { accounts, store: connection } = accountProcess({ url: 'esdb://127.0.0.1:1?tls=false', prefix: 't' });
    closing.push(() => connection.close());
    const started = performance.now();
    await expect(accounts.change(randomUUID(), context('k', { timeBudgetMs: 700 }), open())).rejects.toThrow(
      StoreUnavailable,
    );
    expect(performance.now() - started).toBeLessThan(900);
    await expect(connection.append(stream, some(1), 'any')).rejects.not.toThrow(OutcomeUnknown);
  });

  it('are all in the list, and every one that the list calls tested is', () => {
    expect(tested.sort()).toEqual(
      Object.keys(DEFECTS)
        .filter((row) => DEFECTS[row]!.startsWith('tested'))
        .sort(),
    );
  });
});
