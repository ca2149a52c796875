import { randomUUID } from 'node:crypto';
import {
  EventStore,
  type NewEvent,
  OutcomeUnknown,
  type RecordedEvent,
  RevisionConflict,
  StoreUnavailable,
  StreamDeleted,
} from '@perennial/event-sourcing';
import { type TestEventStore, testEventStore } from '../support/eventstore';
import { collect, until } from './write-side-account';
import { proxyTo } from './write-side-network';

const event = (n = 0, id: string = randomUUID()): NewEvent => ({
  id,
  type: 'Happened',
  data: { n },
  metadata: { m: n },
});
const some = (count: number): NewEvent[] => Array.from({ length: count }, (_, n) => event(n));

describe.each(['batch-append', 'append'] as const)('event store, appending with %s', (appendWith) => {
  let server: TestEventStore;
  let store: EventStore;
  let stream: string;

  beforeAll(async () => {
    server = await testEventStore();
    store = EventStore.connect({ url: server.url, appendWith, appendDeadlineMs: 20_000 });
  });
  afterAll(async () => {
    await store.close();
    await server.close();
  });
  beforeEach(() => {
    stream = `${server.prefix}.thing-${randomUUID()}`;
  });

  it('appends all events or none, at the expected revision', async () => {
    const first = await store.append(stream, some(3), 'no_stream');
    expect(first.revision).toBe(2n);
    const second = await store.append(stream, [event(3)], 2n);
    expect(second.revision).toBe(3n);
    expect(second.position).toBeGreaterThan(first.position);
    await expect(store.append(stream, some(2), 2n)).rejects.toMatchObject({
      name: 'RevisionConflict',
      expected: 2n,
      actual: 3n,
    });
    await expect(store.append(`${stream}x`, some(1), 4n)).rejects.toMatchObject({ actual: 'no_stream' });
    await expect(store.append(stream, some(1), 'no_stream')).rejects.toThrow(RevisionConflict);
    await store.append(stream, some(1), 'any');
    expect((await collect(store.read(stream))).map(({ revision }) => revision)).toEqual([0n, 1n, 2n, 3n, 4n]);
  });

  it('does not take a stream for missing when the server ends the read without a word', async () => {
    if (!server.embedded) return;
    await store.append(stream, some(2), 'no_stream');
    expect(await store.last(`${stream}x`)).toBeUndefined();
    server.embedded.faults.endReadsSilentlyAfter = 0;
    try {
      await expect(store.last(stream)).rejects.toThrow(StoreUnavailable);
      expect(await store.last(`${stream}x`)).toBeUndefined();
    } finally {
      server.embedded.faults.endReadsSilentlyAfter = undefined;
    }
    expect(await store.last(stream)).toMatchObject({ revision: 1n });
  });

  it('gives back what was appended: JSON, bytes, metadata, revision and position', async () => {
    const id = randomUUID();
    const bytes = Uint8Array.from([0, 255, 128]);
    const { position } = await store.append(stream, [event(7, id)], 'no_stream');
    await store.append(stream, [{ id: randomUUID(), type: 'Bytes', data: bytes }], 'any');
    const [json, binary] = await collect(store.read(stream));
    expect(json).toEqual<RecordedEvent>({
      stream,
      revision: 0n,
      position,
      id,
      type: 'Happened',
      isJson: true,
      data: { n: 7 },
      metadata: { m: 7 },
    });
    expect(binary).toMatchObject({ isJson: false, type: 'Bytes' });
    expect(Buffer.from(binary!.data as Uint8Array)).toEqual(Buffer.from(bytes));
  });

  it('refuses before sending what the client would fail on where nothing can catch it', async () => {
    await expect(store.append(stream, [], 'any')).rejects.toThrow(TypeError);
    await expect(store.append(stream, [{ ...event(), data: { n: 1n } }], 'any')).rejects.toThrow('bigint');
    await expect(store.append(stream, [{ ...event(), id: 'x' }], 'any')).rejects.toThrow('not an event id');
    await expect(store.append(stream, [{ ...event(), type: '' }], 'any')).rejects.toThrow(TypeError);
  });

  it('reads from a revision, backwards, in pages, and nothing from a missing stream', async () => {
    await store.append(stream, some(10), 'no_stream');
    const revisions = async (options: Parameters<EventStore['read']>[1]) =>
      (await collect(store.read(stream, options))).map(({ revision }) => Number(revision));
    expect(await revisions({ from: 7n })).toEqual([7, 8, 9]);
    expect(await revisions({ from: 2n, maxCount: 2 })).toEqual([2, 3]);
    expect(await revisions({ direction: 'backwards', maxCount: 2 })).toEqual([9, 8]);
    expect(await revisions({ direction: 'backwards', from: 1n })).toEqual([1, 0]);
    expect(await revisions({ from: 10n })).toEqual([]);
    expect((await store.last(stream))?.revision).toBe(9n);
    expect(await collect(store.read(`${stream}x`))).toEqual([]);
    expect(await store.last(`${stream}x`)).toBeUndefined();
  });

  it('reads the event at a log position, and nothing where none begins', async () => {
    const { position } = await store.append(stream, some(1), 'no_stream');
    expect((await store.readAt(position))?.stream).toBe(stream);
    expect(await store.readAt(position + 1_000_000_000n)).toBeUndefined();
    expect(await store.readAt(position + 1n)).toBeUndefined();
    expect(await store.headPosition()).toBeGreaterThanOrEqual(position);
  });

  it('takes nothing for missing that a server only stops showing', async () => {
    if (!server.embedded) return;
    const { position } = await store.append(stream, some(3), 'no_stream');
    const { faults } = server.embedded;
    const endedSilently = [0];
    try {
      Object.defineProperty(faults, 'endReadsSilentlyAfter', { configurable: true, get: () => endedSilently.shift() });
      await expect(store.readAt(position)).rejects.toThrow(StoreUnavailable);
      Object.defineProperty(faults, 'endReadsSilentlyAfter', { writable: true, value: 0 });
      await expect(collect(store.whole(stream))).rejects.toThrow(StoreUnavailable);
      faults.endReadsSilentlyAfter = 2;
      await expect(collect(store.whole(stream))).rejects.toThrow(StoreUnavailable);
    } finally {
      faults.endReadsSilentlyAfter = undefined;
    }
    expect((await store.readAt(position))?.stream).toBe(stream);
    expect(await collect(store.whole(stream))).toHaveLength(3);
    expect(await collect(store.whole(`${stream}x`))).toEqual([]);
  });

  it('keeps, deletes and burns streams', async () => {
    await store.setMetadata(stream, { maxCount: 1 });
    await store.append(stream, some(3), 'any');
    expect((await collect(store.read(stream))).map(({ revision }) => revision)).toEqual([2n]);
    await store.deleteStream(stream);
    expect(await store.last(stream)).toBeUndefined();
    expect((await store.append(stream, some(1), 'no_stream')).revision).toBe(3n);
    await store.tombstone(stream);
    await expect(store.append(stream, some(1), 'any')).rejects.toThrow(StreamDeleted);
    await expect(store.last(stream)).rejects.toThrow(StreamDeleted);
  });

  it('refuses what is too large as too large', async () => {
    const large = { ...event(), data: { text: 'x'.repeat(1_100_000) } };
    if (server.embedded)
      await expect(store.append(stream, [large], 'any')).rejects.toMatchObject({ name: 'AppendTooLarge' });
  });

  it('does not run out of calls when reads are broken off', async () => {
    await store.append(stream, some(200), 'no_stream');
    for (let n = 0; n < 300; n++) {
      for await (const _ of store.read(stream)) break;
    }
    await expect(store.append(stream, some(1), 199n)).resolves.toBeDefined();
  });

  it('serves far more calls at once than one connection takes', async () => {
    await Promise.all(Array.from({ length: 400 }, (_, n) => store.append(`${stream}-${n % 7}`, some(1), 'any')));
    const counts = await Promise.all(
      [0, 1, 2, 3, 4, 5, 6].map(async (n) => (await collect(store.read(`${stream}-${n}`))).length),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(400);
  });

  it('says what was surely not written apart from what may have been', async () => {
    const nobody = EventStore.connect({ url: 'esdb://127.0.0.1:1?tls=false', appendDeadlineMs: 1_000 });
    await expect(nobody.append(stream, some(1), 'any')).rejects.toThrow(StoreUnavailable);
    await expect(nobody.append(stream, some(1), 'any')).rejects.not.toThrow(OutcomeUnknown);
    await expect(nobody.ping()).rejects.toThrow(StoreUnavailable);
    await nobody.close();
    await expect(nobody.append(stream, some(1), 'any')).rejects.toThrow(StoreUnavailable);
    await expect(store.ping()).resolves.toBeUndefined();
  });

  describe('subscription', () => {
    const of = (prefix: string, from: bigint | 'start' | 'end', signal: AbortSignal, extra = {}) =>
      store.subscribe({ from, prefixes: [prefix], signal, ...extra });

    it('yields what stands in the log and what comes, in order, until it is aborted', async () => {
      const prefix = `${server.prefix}_sub1.`;
      await store.append(`${prefix}a`, some(50), 'any');
      await store.append(`other${prefix}`, some(5), 'any');
      const abort = new AbortController();
      const seen: RecordedEvent[] = [];
      let caughtUp = 0;
      const running = (async () => {
        const onCaughtUp = () => {
          caughtUp = caughtUp || seen.length;
        };
        for await (const recorded of of(prefix, 'start', abort.signal, { onCaughtUp })) seen.push(recorded);
      })();
      await until(() => caughtUp > 0);
      expect(caughtUp).toBe(50);
      await store.append(`${prefix}b`, some(20), 'any');
      await until(() => seen.length === 70);
      expect(seen.every(({ stream: name }) => name.startsWith(prefix))).toBe(true);
      expect(seen.every(({ position }, index) => index === 0 || position > seen[index - 1]!.position)).toBe(true);
      abort.abort();
      await running;
    });

    it('begins after the position given, and at the end without missing what comes', async () => {
      const prefix = `${server.prefix}_sub2.`;
      const { position } = await store.append(`${prefix}a`, some(2), 'any');
      await store.append(`${prefix}a`, some(3), 'any');
      const abort = new AbortController();
      const after: bigint[] = [];
      const fromEnd: bigint[] = [];
      let ready = false;
      const both = [
        (async () => {
          for await (const { revision } of of(prefix, position, abort.signal)) after.push(revision);
        })(),
        (async () => {
          const onCaughtUp = () => void (ready = true);
          for await (const { revision } of of(prefix, 'end', abort.signal, { onCaughtUp })) fromEnd.push(revision);
        })(),
      ];
      await until(() => ready);
      await store.append(`${prefix}a`, some(1), 'any');
      await until(() => after.length === 4 && fromEnd.length === 1);
      expect(after).toEqual([2n, 3n, 4n, 5n]);
      expect(fromEnd).toEqual([5n]);
      abort.abort();
      await Promise.all(both);
    });

    it('reports a checkpoint only after everything before it was taken', async () => {
      const prefix = `${server.prefix}_sub3.`;
      await store.append(`${prefix}a`, some(1), 'any');
      await store.append(`${server.prefix}_noise`, some(900), 'any');
      const last = await store.append(`${prefix}a`, some(600), 'any');
      await store.append(`${server.prefix}_noise`, some(900), 'any');
      const abort = new AbortController();
      let taken = -1n;
      const checkpoints: { at: bigint; taken: bigint }[] = [];
      for await (const { position } of of(prefix, 'start', abort.signal, {
        onCheckpoint: (at: bigint) => checkpoints.push({ at, taken }),
        onCaughtUp: () => abort.abort(),
      })) {
        taken = position;
        await new Promise(setImmediate);
      }
      expect(checkpoints.length).toBeGreaterThan(0);
      expect(checkpoints.at(-1)!.at).toBeGreaterThan(last.position);
      for (const { at, taken: before } of checkpoints) if (at > last.position) expect(before).toBe(last.position);
    });
  });
});

/** HTTP/2 servers end the connection, and every call on it, of a client that resets many calls (about 1,000 at once, then 33 a second here). */
describe('reads at a high rate', () => {
  let server: TestEventStore;
  let proxy: Awaited<ReturnType<typeof proxyTo>>;
  let store: EventStore;
  let stream: string;

  beforeAll(async () => {
    server = await testEventStore();
    proxy = await proxyTo(server.url);
    store = EventStore.connect({ url: proxy.url, appendDeadlineMs: 20_000 });
    stream = `${server.prefix}.thing-${randomUUID()}`;
    await store.append(stream, some(20), 'no_stream');
  });
  afterAll(async () => {
    await store.close();
    proxy.close();
    await server.close();
  });

  /** `read` so often that resetting each call would use up what a server allows; the answers that were failures. */
  const failuresOf = async (read: () => Promise<unknown>): Promise<unknown[]> => {
    const failures: unknown[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        for (let n = 0; n < 120; n++) await read().catch((failure: unknown) => failures.push(failure));
      }),
    );
    return failures;
  };

  it.each<[string, () => Promise<unknown>]>([
    ['of the last event', () => store.last(stream)],
    ['of a missing stream', () => store.last(`${stream}x`)],
    [
      'of a page that is left at its last event',
      async () => {
        let left = 3;
        for await (const _ of store.read(stream, { maxCount: 3 })) if (--left === 0) return;
      },
    ],
    ['past the head', () => store.readAt(999_999_999_999_999n)],
  ])('%s do not make the server close the connection under other reads', async (_, read) => {
    const before = proxy.connections();
    expect(await failuresOf(read)).toEqual([]);
    expect(proxy.connections()).toBe(before);
  });

  it('that are broken off cost other reads nothing when the server closes the connection', async () => {
    const breakOff = async () => {
      for await (const _ of store.read(stream)) break;
    };
    expect(await failuresOf(breakOff)).toEqual([]);
    // What a server allows grows with time: on a slow machine it takes more to use it up.
    for (let more = 0; server.embedded && proxy.connections() === 1 && more < 20; more += 1)
      expect(await failuresOf(breakOff)).toEqual([]);
    if (server.embedded) expect(proxy.connections()).toBeGreaterThan(1);
  });
});
