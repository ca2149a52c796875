import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import Database from 'libsql';
import { DirectoryInUse, startEventStore } from '.';
import { EventLog, type WriteResult } from './log';
import { openStorage } from './open';
import { decodeRecord, type StoredRecord } from './record';
import { DamagedRecord } from './storage';

let root: string;
let directories = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'eventstore-recovery-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fresh = (): string => join(root, `d${++directories}`);

interface Opened {
  log: EventLog;
  notices: string[];
  close(): Promise<void>;
}

function open(directory: string): Opened {
  const notices: string[] = [];
  const { storage, release } = openStorage(directory, (notice) => notices.push(notice));
  const log = new EventLog(storage);
  return {
    log,
    notices,
    close: async () => {
      await log.close();
      release();
    },
  };
}

const event = (text: string) => ({
  id: randomUUID(),
  type: 'E',
  json: false,
  data: Buffer.from(text),
  metadata: Buffer.alloc(0),
});

const append = (log: EventLog, stream: string, texts: string[]): Promise<WriteResult> =>
  new Promise((resolve) => {
    log.write({ kind: 'append', stream, expected: 'any', events: texts.map(event) }, resolve);
  });

/** Appends `count` groups of 1 to 5 events to ten streams; resolves with the texts of each acknowledged append. */
async function fill(log: EventLog, count: number, size = 300): Promise<string[][]> {
  const appends = Array.from({ length: count }, (_, i) =>
    Array.from({ length: 1 + (i % 5) }, (_, j) => `a${i}.${j} `.padEnd(size + ((i * 37) % 900), 'x')),
  );
  for (let i = 0; i < count; i += 20) {
    const results = await Promise.all(
      appends.slice(i, i + 20).map((texts, j) => append(log, `s-${(i + j) % 10}`, texts)),
    );
    expect(results.every(({ kind }) => kind === 'written')).toBe(true);
  }
  return appends;
}

function everything(log: EventLog): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (;;) {
    const page = log.after(records.at(-1)?.position ?? -1, 500);
    if (page.length === 0) return records;
    records.push(...page);
  }
}

const texts = (log: EventLog): string[] => everything(log).map(({ bytes }) => decodeRecord(bytes).data.toString());

/** What a crash leaves: the files as they are while the store is open. */
function crashImage(from: string): string {
  const to = fresh();
  mkdirSync(to);
  for (const name of ['events.db', 'events.db-wal']) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  }
  return to;
}

function zeroTail(path: string, bytes: number): void {
  const { size } = statSync(path);
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(Math.min(bytes, size)), 0, Math.min(bytes, size), Math.max(0, size - bytes));
  closeSync(fd);
}

/** The store opens on whole appends from the first on, every stream reads to its end, and writing goes on. */
async function expectPrefix(directory: string, appends: string[][]): Promise<{ kept: number; notices: string[] }> {
  const opened = open(directory);
  const found = texts(opened.log);
  const all = appends.flat();
  expect(found).toEqual(all.slice(0, found.length));
  const ends = new Set([0]);
  let sum = 0;
  for (const one of appends) ends.add((sum += one.length));
  expect(ends.has(found.length)).toBe(true);
  for (let i = 0; i < 10; i++) {
    const readable = opened.log.readable(`s-${i}`);
    const expected = appends
      .filter((_, j) => j % 10 === i)
      .flat()
      .filter((text) => found.includes(text)).length;
    expect(readable.kind === 'present' ? readable.last + 1 : 0).toBe(expected);
    if (readable.kind === 'present') {
      expect(opened.log.forwards(readable.id, 0, readable.last, 10_000)).toHaveLength(expected);
    }
  }
  expect((await append(opened.log, 'after', ['after'])).kind).toBe('written');
  expect(texts(opened.log)).toEqual([...found, 'after']);
  await opened.close();
  const again = open(directory);
  expect(texts(again.log)).toEqual([...found, 'after']);
  expect(again.notices).toEqual([]);
  await again.close();
  return { kept: found.length, notices: opened.notices };
}

describe('after a crash', () => {
  it('has every acknowledged append', async () => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 100);
    const image = crashImage(directory);
    const { kept } = await expectPrefix(image, appends);
    expect(kept).toBe(appends.flat().length);
    await store.close();
  });

  it('has them also when the log was checkpointed in between', async () => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 900);
    const { kept } = await expectPrefix(crashImage(directory), appends);
    expect(kept).toBe(appends.flat().length);
    await store.close();
  });

  it.each(['cut', 'zeroed'])('opens on whole appends when the tail of the write-ahead log is %s', async (how) => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 120);
    const wal = statSync(join(directory, 'events.db-wal')).size;
    const kept: number[] = [];
    for (const bytes of [1, 4120, 4121, 30_000, wal - 40, wal - 10, wal]) {
      const image = crashImage(directory);
      const path = join(image, 'events.db-wal');
      if (how === 'cut') truncateSync(path, wal - bytes);
      else zeroTail(path, bytes);
      const result = await expectPrefix(image, appends);
      kept.push(result.kept);
      if (bytes < 4120) expect(result.notices.join()).toMatch(/last whole commit ends at byte \d+/);
      expect(result.notices.join()).toMatch(/opened at position \d+|up to position \d+/);
    }
    expect(kept[0]).toBeGreaterThan(appends.flat().length * 0.7);
    expect(kept).toEqual([...kept].sort((a, b) => b - a));
    await store.close();
  });

  it.each(['cut', 'zeroed'])('opens on whole appends when the tail of the main file is %s', async (how) => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 400);
    await store.close();
    const { size } = statSync(join(directory, 'events.db'));
    const kept: number[] = [];
    for (const bytes of [10, 4096, 5000, size >> 2, size >> 1, size - 5000, size - 10, size]) {
      const image = crashImage(directory);
      const path = join(image, 'events.db');
      if (how === 'cut') truncateSync(path, size - bytes);
      else zeroTail(path, bytes);
      const { kept: count, notices } = await expectPrefix(image, appends);
      kept.push(count);
      // What is before the damage is kept, less what stands in the last pages or spans them.
      expect(count / appends.flat().length).toBeGreaterThan((size - bytes) / size - 0.3);
      expect(notices.join()).toMatch(/position \d+/);
    }
    expect(kept[0]).toBeGreaterThan(appends.flat().length * 0.5);
    expect(kept.at(-1)).toBe(0);
  });

  it('opens on whole appends when the main file is cut below a live write-ahead log', async () => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 900);
    const { size } = statSync(join(directory, 'events.db'));
    for (const bytes of [4096, size >> 1]) {
      const image = crashImage(directory);
      truncateSync(join(image, 'events.db'), size - bytes);
      await expectPrefix(image, appends);
    }
    await store.close();
  });
});

describe('damage in the middle', () => {
  it('answers DATA_LOSS there and nowhere else, and drops nothing', async () => {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 200);
    await store.close();
    const path = join(directory, 'events.db');
    const bytes = readFileSync(path);
    const at = bytes.indexOf('a100.0 ');
    expect(at).toBeGreaterThan(0);
    bytes[at + 20] = 0x79;
    writeFileSync(path, bytes);
    const damaged = open(directory);
    const all = appends.flat();
    const index = appends.slice(0, 100).flat().length;
    const found: string[] = [];
    let position = -1;
    expect(() => {
      for (;;) {
        const page = damaged.log.after(position, 64);
        found.push(...page.map((record) => decodeRecord(record.bytes).data.toString()));
        if (page.length === 0) return;
        position = page.at(-1)?.position as number;
      }
    }).toThrow(DamagedRecord);
    expect(found).toEqual(all.slice(0, index));
    const stream = damaged.log.readable('s-0');
    if (stream.kind !== 'present') throw new Error('the stream is gone');
    expect(() => damaged.log.forwards(stream.id, 10, stream.last, 100)).toThrow(DamagedRecord);
    expect(damaged.log.forwards(stream.id, 11, stream.last, 100).length).toBe(stream.last - 10);
    expect((await append(damaged.log, 's-0', ['goes on'])).kind).toBe('written');
    await damaged.close();
  });

  it('reaches clients as status DATA_LOSS, also when the newest record is the damaged one', async () => {
    const directory = fresh();
    const store = open(directory);
    await append(store.log, 's', ['first one']);
    await append(store.log, 's', ['the last one']);
    await store.close();
    const path = join(directory, 'events.db');
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('the last one')] = 0x54;
    writeFileSync(path, bytes);
    const server = await startEventStore({ dataDir: directory });
    const { EventStoreDBClient } = await import('@eventstore/db-client');
    const client = EventStoreDBClient.connectionString(server.url);
    const seen: bigint[] = [];
    await expect(async () => {
      for await (const { event: read } of client.readStream('s')) seen.push(read?.revision ?? -1n);
    }).rejects.toMatchObject({ code: 15 });
    expect(seen).toEqual([0n]);
    await client.dispose();
    await server.close();
  });
});

describe('damage to the ways to records', () => {
  /** Numbers of the pages of a kind, by the first byte of a page (https://www.sqlite.org/fileformat2.html#b_tree_pages). */
  const pagesOf = (bytes: Buffer, kind: number): number[] =>
    Array.from({ length: bytes.length / 4096 }, (_, page) => page).filter(
      (page) => page > 1 && bytes[page * 4096] === kind,
    );
  const TABLE_LEAF = 13;
  const INDEX_LEAF = 10;

  async function closedStore(): Promise<{ directory: string; bytes: Buffer; all: string[] }> {
    const directory = fresh();
    const store = open(directory);
    const appends = await fill(store.log, 200);
    await store.close();
    return { directory, bytes: readFileSync(join(directory, 'events.db')), all: appends.flat() };
  }

  /** The same store with other bytes in its file. */
  function damagedBy(bytes: Buffer, change: (copy: Buffer) => void): string {
    const copy = Buffer.from(bytes);
    change(copy);
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, 'events.db'), copy);
    return directory;
  }

  /** Every text up to the end, or to the first place that answers as damaged. */
  function readUntilDamage(log: EventLog): { found: string[]; damaged: boolean } {
    const found: string[] = [];
    for (let position = -1; ;) {
      let page: StoredRecord[];
      try {
        page = log.after(position, 64);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedRecord);
        return { found, damaged: true };
      }
      if (page.length === 0) return { found, damaged: false };
      found.push(...page.map((record) => decodeRecord(record.bytes).data.toString()));
      position = page.at(-1)?.position as number;
    }
  }

  it('never passes over a record in silence when a pointer to it is wrong, and drops no other', async () => {
    const { bytes, all } = await closedStore();
    const page = pagesOf(bytes, TABLE_LEAF)[20] as number;
    const cells = bytes.readUInt16BE(page * 4096 + 3);
    for (let cell = 0; cell < cells; cell += 1) {
      const directory = damagedBy(bytes, (copy) => {
        const at = page * 4096 + 8 + 2 * cell;
        copy[at + 1] = (copy[at + 1] as number) ^ 4;
      });
      const damaged = open(directory);
      const { found, damaged: told } = readUntilDamage(damaged.log);
      expect(told).toBe(true);
      expect(found).toEqual(all.slice(0, found.length));
      expect(damaged.notices.join()).toMatch(/1 records cannot be read, from position \d+ on; nothing is dropped/);
      let kept = 0;
      for (let stream = 0; stream < 10; stream += 1) {
        const readable = damaged.log.readable(`s-${stream}`);
        if (readable.kind !== 'present') throw new Error('the stream is gone');
        for (let revision = 0; revision <= readable.last; revision += 1)
          try {
            kept += damaged.log.forwards(readable.id, revision, revision, 1).length;
          } catch (error) {
            expect(error).toBeInstanceOf(DamagedRecord);
          }
      }
      expect(kept).toBe(all.length - 1);
      await damaged.close();
    }
  });

  it('makes the index anew, with nothing missing, when a byte of it is wrong', async () => {
    const { bytes, all } = await closedStore();
    const page = pagesOf(bytes, INDEX_LEAF).at(-1) as number;
    for (const at of [0, 3, 4, 9, 2_500, 3_000, 4_095]) {
      const directory = damagedBy(bytes, (copy) => {
        copy[page * 4096 + at] = (copy[page * 4096 + at] as number) ^ 1;
      });
      const repaired = open(directory);
      expect(texts(repaired.log)).toEqual(all);
      if (repaired.notices.length > 0) expect(repaired.notices.join()).toMatch(/made anew, nothing is missing/);
      for (let stream = 0; stream < 10; stream += 1) {
        const { last } = repaired.log.lastRevision(`s-${stream}`);
        const stale = await new Promise<WriteResult>((resolve) => {
          const request = {
            kind: 'append' as const,
            stream: `s-${stream}`,
            expected: last - 1,
            events: [event('stale')],
          };
          repaired.log.write(request, resolve);
        });
        expect(stale).toEqual({ kind: 'wrong-expected-revision', current: last });
      }
      await repaired.close();
    }
  });

  it('survives a value that has become text which is no UTF-8, where the binding ends the process', async () => {
    const { directory, all } = await closedStore();
    const db = new Database(join(directory, 'events.db'));
    db.exec(
      "UPDATE record SET bytes = CAST(x'41ff' || bytes AS TEXT) WHERE position = (SELECT max(position) FROM record)",
    );
    db.close();
    const damaged = open(directory);
    const { found, damaged: told } = readUntilDamage(damaged.log);
    expect({ found, told }).toEqual({ found: all.slice(0, -1), told: true });
    await damaged.close();
  });

  it('refuses a file whose definitions of tables are damaged, and does not make new ones beside them', async () => {
    const { bytes } = await closedStore();
    const at = bytes.indexOf('TABLE record');
    for (const other of ['q', '\xff']) {
      const directory = damagedBy(bytes, (copy) => {
        copy.write(other, at + 8, 'latin1');
      });
      expect(() => open(directory)).toThrow(/restore a backup/);
      expect(readFileSync(join(directory, 'events.db')).length).toBe(bytes.length);
    }
  });
});

describe('the data directory', () => {
  it('belongs to one server at a time and is free after it', async () => {
    const directory = fresh();
    const server = await startEventStore({ dataDir: directory });
    await expect(startEventStore({ dataDir: directory })).rejects.toThrow(DirectoryInUse);
    await server.close();
    await (await startEventStore({ dataDir: directory })).close();
  });

  it('opens when the bytes of its lock are damaged, and still belongs to one', async () => {
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, 'lock.db'), 'no database at all '.repeat(20));
    const server = await startEventStore({ dataDir: directory });
    await expect(startEventStore({ dataDir: directory })).rejects.toThrow(DirectoryInUse);
    await server.close();
  });

  it('is not kept by what a killed process left behind', async () => {
    const directory = fresh();
    mkdirSync(directory);
    writeFileSync(join(directory, 'lock.pid'), `${process.pid}\n`);
    writeFileSync(join(directory, 'lock.db'), '');
    await (await startEventStore({ dataDir: directory })).close();
  });
});
