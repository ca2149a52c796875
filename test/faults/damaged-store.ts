import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventLog, type WriteResult } from '../../libs/embedded-eventstore/src/log';
import { openStorage } from '../../libs/embedded-eventstore/src/open';
import { type StoredRecord } from '../../libs/embedded-eventstore/src/record';
import { DamagedRecord } from '../../libs/embedded-eventstore/src/storage';
import type { Random } from '../support/random';
import type { Fault, FaultOutcome, FaultRound } from './fault';

const PAGE = 4096;
const STREAMS = 12;

interface Opened {
  readonly log: EventLog;
  readonly notices: string[];
  close(): Promise<void>;
}

function open(directory: string): Opened {
  const notices: string[] = [];
  const { storage, release } = openStorage(directory, (notice) => notices.push(notice));
  let log: EventLog;
  try {
    log = new EventLog(storage);
  } catch (error) {
    storage.close();
    release();
    throw error;
  }
  const close = async () => {
    try {
      await log.close();
    } finally {
      release();
    }
  };
  return { log, notices, close };
}

const write = (log: EventLog, stream: string, expected: number | 'any', texts: readonly string[]) =>
  new Promise<WriteResult>((resolve) => {
    const events = texts.map((text) => ({
      id: randomUUID(),
      type: 'E',
      json: false,
      data: Buffer.from(text),
      metadata: Buffer.alloc(0),
    }));
    log.write({ kind: 'append', stream, expected, events }, resolve);
  });

/** Every record up to the end or to the first that cannot be read. */
function readAll(log: EventLog, from = -1): { records: StoredRecord[]; damage?: string } {
  const records: StoredRecord[] = [];
  try {
    for (;;) {
      const page = log.after(records.at(-1)?.position ?? from, 64);
      if (page.length === 0) return { records };
      records.push(...page);
    }
  } catch (error) {
    return { records, damage: damageOf(error) };
  }
}

/** What a reader is told; anything but damage is thrown on. */
function damageOf(error: unknown): string {
  if (error instanceof DamagedRecord) return error.message;
  throw error;
}

/** A store of appends of 1 to 4 events, as it was read while it was sound. */
interface Sound {
  readonly directory: string;
  readonly records: readonly StoredRecord[];
  readonly byPosition: ReadonlyMap<number, StoredRecord>;
  readonly lasts: ReadonlyMap<string, number>;
}

const names = Array.from({ length: STREAMS }, (_, index) => `stream-${index}`);

/** Fills a store; `closed`: as a stop leaves it, else as a kill does, with the newest part in the write-ahead log. */
async function fill(directory: string, random: Random, closed: boolean): Promise<Sound> {
  const store = open(directory);
  const appends = random.pick([200, 1_200, 1_200]);
  for (let done = 0; done < appends; done += 25) {
    await Promise.all(
      Array.from({ length: 25 }, () => {
        const texts = Array.from({ length: random.between(1, 4) }, () =>
          random.word(6).padEnd(random.pick([8, 300, 300, 2_500]), 'x'),
        );
        return write(store.log, random.pick(names), 'any', texts);
      }),
    );
  }
  const { records } = readAll(store.log);
  const lasts = new Map(names.map((name) => [name, store.log.lastRevision(name).last]));
  const image = join(directory, '..', 'image');
  if (closed) await store.close();
  mkdirSync(image, { recursive: true });
  copyImage(directory, image);
  if (!closed) await store.close();
  return { directory: image, records, byPosition: new Map(records.map((record) => [record.position, record])), lasts };
}

function copyImage(from: string, to: string): void {
  for (const name of ['events.db', 'events.db-wal'])
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}

const kinds: Readonly<Record<number, string>> = {
  2: 'index interior page',
  5: 'table interior page',
  10: 'index leaf page',
  13: 'table leaf page',
};

/** A place of a file that one kind of damage can hit. */
interface Place {
  readonly where: string;
  readonly at: number;
}

/** Changes one byte of the store's files; says in which kind of place. */
function flip(directory: string, random: Random): string {
  const log = join(directory, 'events.db-wal');
  const inLog = existsSync(log) && statSync(log).size > 0 && random.chance(0.5);
  const path = inLog ? log : join(directory, 'events.db');
  const bytes = readFileSync(path);
  const { where, at } = inLog ? placeInLog(bytes, random) : placeInFile(bytes, random);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
  writeFileSync(path, bytes);
  return where;
}

function placeInLog(bytes: Buffer, random: Random): Place {
  const frame = 32 + random.between(0, Math.max(0, Math.floor((bytes.length - 32) / (PAGE + 24)) - 1)) * (PAGE + 24);
  return random.pick([
    { where: 'log header', at: random.between(0, 31) },
    { where: 'log frame header', at: frame + random.between(0, 23) },
    { where: 'log frame', at: frame + 24 + random.between(0, PAGE - 1) },
  ]);
}

/** A kind of page first, as most pages are of one kind. */
function placeInFile(bytes: Buffer, random: Random): Place {
  const pages = Array.from({ length: bytes.length / PAGE }, (_, index) => {
    if (index === 0) return { index, kind: 'first page' };
    return { index, kind: index === 1 ? 'pointer map' : (kinds[bytes[index * PAGE] ?? 0] ?? 'overflow or free page') };
  });
  const kind = random.pick([...new Set(pages.map((page) => page.kind))]);
  const { index } = random.pick(pages.filter((page) => page.kind === kind));
  const page = index * PAGE;
  const start = page + (index === 0 ? 100 : 0);
  if (kind === 'pointer map' || kind === 'overflow or free page')
    return { where: kind, at: page + random.between(0, PAGE - 1) };
  const pointers = start + (kind.endsWith('interior page') ? 12 : 8);
  const cells = bytes.readUInt16BE(start + 3);
  const content = page + bytes.readUInt16BE(start + 5);
  return random.pick([
    index === 0
      ? { where: 'file header', at: random.between(0, 99) }
      : { where: `${kind}, cells`, at: content + random.between(0, page + PAGE - content - 1) },
    { where: `${kind}, header`, at: start + random.between(0, pointers - start - 1) },
    { where: `${kind}, pointers`, at: pointers + random.between(0, Math.max(1, 2 * cells) - 1) },
    { where: `${kind}, cells`, at: content + random.between(0, page + PAGE - content - 1) },
  ]);
}

type Verdict = 'harmless' | 'refused to open' | 'data loss answered' | 'opened on a prefix and said so';

/** Holds a damaged store against the sound one; throws nothing, whatever it finds. */
async function examine(sound: Sound, directory: string, random: Random, violations: string[]): Promise<Verdict> {
  let opened: Opened;
  try {
    opened = open(directory);
  } catch {
    return 'refused to open';
  }
  const { log, notices } = opened;
  let verdict: Verdict = 'harmless';
  const wrong = (what: string) => violations.push(`${what}; notices: ${notices.join(' | ') || 'none'}`);
  try {
    const { records, damage } = readAll(log);
    if (damage !== undefined) verdict = 'data loss answered';
    records.forEach((record, index) => {
      const was = sound.records[index];
      if (!was || was.position !== record.position || !was.bytes.equals(record.bytes))
        wrong(`record ${index} of the log is not what was written`);
    });
    const cut = damage === undefined && records.length < sound.records.length;
    if (cut) {
      if (notices.length === 0)
        wrong(`only ${records.length} of ${sound.records.length} records, and nothing was said`);
      if ((records.at(-1)?.remaining ?? 0) !== 0) wrong('the log ends within an append');
      verdict = 'opened on a prefix and said so';
    }
    for (const name of names) {
      if (cut || (sound.lasts.get(name) ?? -1) < 0) continue;
      const told = readStream(sound, log, name, wrong);
      if (told) verdict = 'data loss answered';
    }
    if (!cut) {
      for (let probe = 0; probe < 40; probe += 1) {
        const index = random.between(0, sound.records.length - 2);
        try {
          const [next] = log.after(sound.records[index]!.position, 1);
          if (next?.position !== sound.records[index + 1]!.position)
            wrong(`after record ${index} comes ${next?.position}`);
          const [before] = log.before(sound.records[index + 1]!.position, 1);
          if (before?.position !== sound.records[index]!.position)
            wrong(`before record ${index + 1} comes ${before?.position}`);
        } catch (error) {
          damageOf(error);
          verdict = 'data loss answered';
        }
      }
    }
    for (const name of names) await goOn(sound, log, name, cut, wrong);
  } catch (error) {
    wrong(`it threw ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    await opened.close().catch(() => undefined);
  }
  return verdict;
}

/** True when part of the stream answered as damaged. */
function readStream(sound: Sound, log: EventLog, name: string, wrong: (what: string) => void): boolean {
  const last = sound.lasts.get(name) ?? -1;
  try {
    const readable = log.readable(name);
    if (readable.kind !== 'present' || readable.last !== last) {
      wrong(`${name} is ${JSON.stringify(readable)}, and was at ${last}`);
      return false;
    }
    for (let from = 0; from <= last;) {
      const page = log.forwards(readable.id, from, last, 50, from > 0);
      if (page.length === 0) {
        wrong(`${name} reads empty from ${from} of ${last}`);
        return false;
      }
      for (const record of page) {
        if (record.revision !== from) wrong(`${name}: ${record.revision} stands at ${from}`);
        if (!sound.byPosition.get(record.position)?.bytes.equals(record.bytes))
          wrong(`${name}@${from} is not what was written`);
        from += 1;
      }
    }
    return false;
  } catch (error) {
    damageOf(error);
    return true;
  }
}

/** What is written now is written after what was there, or refused. */
async function goOn(
  sound: Sound,
  log: EventLog,
  name: string,
  cut: boolean,
  wrong: (what: string) => void,
): Promise<void> {
  const last = cut ? undefined : (sound.lasts.get(name) ?? -1);
  if (last === undefined || last < 1) return;
  const stale = await write(log, name, last - 1, ['stale']);
  if (stale.kind === 'written') wrong(`${name}: written after ${last - 1} though ${last} stands there`);
  const fresh = await write(log, name, 'any', ['fresh']);
  if (fresh.kind === 'written' && fresh.revision !== last + 1)
    wrong(`${name}: ${fresh.revision} was given after ${last}`);
}

/** One byte of the event store's files is another one. */
const flippedByte: Fault = {
  name: 'store-flipped-byte',
  about:
    'one byte of the event store’s database or log is flipped: the bytes written, DATA_LOSS, or a prefix that is announced',
  async round({ directory, random }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const counts: Record<string, number> = { flips: 0 };
    const closed = random.chance(0.5);
    const sound = await fill(join(directory, 'store'), random, closed);
    for (let index = 0; index < 15; index += 1) {
      const damaged = join(directory, `damaged-${index}`);
      mkdirSync(damaged);
      copyImage(sound.directory, damaged);
      const where = `${closed ? 'closed' : 'killed'}: ${flip(damaged, random)}`;
      const found: string[] = [];
      const verdict = await examine(sound, damaged, random, found);
      violations.push(...found.slice(0, 3).map((each) => `${where} (flip ${index}): ${each}`));
      counts['flips'] = (counts['flips'] ?? 0) + 1;
      counts[`${where}: ${verdict}`] = (counts[`${where}: ${verdict}`] ?? 0) + 1;
    }
    return { violations, counts };
  },
};

export const damagedStore: readonly Fault[] = [flippedByte];
