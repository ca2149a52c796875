import { randomUUID } from 'node:crypto';
import shared from '@eventstore/db-client/generated/shared_pb';
import streams, { type ReadReq } from '@eventstore/db-client/generated/streams_pb';
import { LIVE_BUFFER, type FaultSwitches } from './faults';
import { compileFilter, type RecordFilter } from './filter';
import { invalidPosition, refusedArgument, streamDeleted } from './grpc-errors';
import type { EventLog } from './log';
import { consumerTooSlow, type Outlet } from './outlet';
import { decodeRecord, encodeReadEvent, eventTypeOf, type StoredRecord } from './record';
import { field, numberField } from './wire';

/** Records fetched at once: few at first, more while they are small. */
const FIRST_PAGE = 32;
const LARGEST_PAGE = 512;
const PAGE_BYTES = 512 * 1024;

function nextPage(limit: number, page: readonly StoredRecord[]): number {
  let bytes = 0;
  for (const record of page) bytes += record.bytes.length;
  return bytes > PAGE_BYTES
    ? Math.max(1, limit >> 2)
    : bytes < PAGE_BYTES / 4
      ? Math.min(LARGEST_PAGE, limit * 2)
      : limit;
}

/** What every read and subscription has in common. */
interface Reading {
  log: EventLog;
  outlet: Outlet;
  faults: FaultSwitches;
  resolveLinks: boolean;
  structuredIds: boolean;
  /** Events sent so far, for the faults that count them. */
  sent: number;
  subscription: boolean;
}

/** Serves one `Streams/Read` call until it is finished or its client has gone. Throws what becomes its status. */
export async function serveRead(request: ReadReq, log: EventLog, outlet: Outlet, faults: FaultSwitches): Promise<void> {
  const options = request.getOptions();
  if (options === undefined) throw refusedArgument('read without options');
  const reading: Reading = {
    log,
    outlet,
    faults,
    resolveLinks: options.getResolveLinks(),
    structuredIds: options.getUuidOption()?.hasStructured() ?? false,
    sent: 0,
    subscription: options.hasSubscription(),
  };
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  if (!reading.subscription && !options.hasCount()) throw refusedArgument('read without count or subscription');
  if (reading.subscription && backwards) throw refusedArgument('subscriptions read forwards');
  const count = reading.subscription ? Infinity : Number(options.getCount());
  const stream = options.getStream();
  if (stream !== undefined) {
    const name = Buffer.from(stream.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8');
    if (name === '') throw refusedArgument('the stream name is empty');
    if (reading.subscription) return subscribeToStream(reading, name, subscribedRevision(log, name, stream));
    return backwards
      ? readStreamBackwards(
          reading,
          name,
          stream.hasRevision() ? revisionOf(stream) : stream.hasStart() ? 0 : Infinity,
          count,
        )
      : readStreamForwards(reading, name, stream, count);
  }
  const all = options.getAll();
  if (all === undefined) throw refusedArgument('read of neither a stream nor $all');
  const filter = compileFilter(options.getFilter(), reading.subscription);
  const position = positionOf(log, all);
  if (reading.subscription) return subscribeToAll(reading, position ?? (all.hasEnd() ? log.head : -1), filter);
  return backwards
    ? readAllBackwards(reading, position ?? (all.hasEnd() ? Infinity : 0), filter, count)
    : readAllForwards(reading, position ?? (all.hasEnd() ? Infinity : 0), filter, count);
}

const revisionOf = (stream: ReadReq.Options.StreamOptions): number => Number(stream.getRevision());

function subscribedRevision(log: EventLog, name: string, stream: ReadReq.Options.StreamOptions): number {
  if (stream.hasRevision()) return revisionOf(stream);
  return stream.hasEnd() ? log.lastRevision(name).last : -1;
}

function positionOf(log: EventLog, all: ReadReq.Options.AllOptions): number | undefined {
  const position = all.getPosition();
  if (position === undefined) return undefined;
  const commit = Number(position.getCommitPosition());
  if (BigInt(position.getCommitPosition()) < BigInt(position.getPreparePosition())) {
    throw refusedArgument('the commit position is less than the prepare position');
  }
  if (!log.isRecordStart(commit)) throw invalidPosition(commit);
  return commit;
}

async function readStreamForwards(
  reading: Reading,
  name: string,
  options: ReadReq.Options.StreamOptions,
  count: number,
): Promise<void> {
  // A real server passes −1 for the end into a check for non-negative numbers, before it looks at the stream.
  if (options.hasEnd()) throw refusedArgument('fromEventNumber should be non negative.');
  if (count === 0) throw refusedArgument('maxCount should be positive.');
  const stream = reading.log.readable(name);
  if (stream.kind === 'tombstoned') throw streamDeleted(name);
  if (stream.kind === 'missing') return void reading.outlet.send(streamNotFound(name));
  let from = Math.max(stream.first, options.hasRevision() ? revisionOf(options) : 0);
  let left = count;
  let limit = FIRST_PAGE;
  for (let continued = false; from <= stream.last && left > 0 && !reading.outlet.closed; continued = true) {
    const page = reading.log.forwards(stream.id, from, stream.last, Math.min(limit, left), continued);
    if (page.length === 0) return;
    from = (page.at(-1) as StoredRecord).revision + 1;
    limit = nextPage(limit, page);
    for (const record of page) {
      if (record.created < stream.notBefore) continue;
      left--;
      if (await sendEvent(reading, record)) return;
    }
  }
}

async function readStreamBackwards(reading: Reading, name: string, from: number, count: number): Promise<void> {
  if (count === 0) throw refusedArgument('maxCount should be positive.');
  const stream = reading.log.readable(name);
  if (stream.kind === 'tombstoned') throw streamDeleted(name);
  if (stream.kind === 'missing') return void reading.outlet.send(streamNotFound(name));
  let to = Math.min(from, stream.last);
  let left = count;
  let limit = FIRST_PAGE;
  while (to >= stream.first && left > 0 && !reading.outlet.closed) {
    const page = reading.log.backwards(stream.id, stream.first, to, Math.min(limit, left));
    if (page.length === 0) return;
    to = (page.at(-1) as StoredRecord).revision - 1;
    limit = nextPage(limit, page);
    for (const record of page) {
      if (record.created < stream.notBefore) return;
      left--;
      if (await sendEvent(reading, record)) return;
    }
  }
}

async function readAllForwards(
  reading: Reading,
  from: number,
  filter: RecordFilter | undefined,
  count: number,
): Promise<void> {
  const { log, outlet } = reading;
  const end = log.head;
  let after = from - 1;
  let left = count;
  let limit = FIRST_PAGE;
  while (after < end && left > 0 && !outlet.closed) {
    const page = log.after(after, Math.min(limit, filter === undefined ? left : limit));
    if (page.length === 0) return;
    after = (page.at(-1) as StoredRecord).position;
    limit = nextPage(limit, page);
    for (const record of page) {
      if (record.position > end || left === 0) return;
      if (filter !== undefined && !filter.matches(record)) continue;
      left--;
      if (await sendEvent(reading, record)) return;
    }
    if (filter !== undefined) await outlet.drained();
  }
}

async function readAllBackwards(
  reading: Reading,
  before: number,
  filter: RecordFilter | undefined,
  count: number,
): Promise<void> {
  const { log, outlet } = reading;
  let to = Math.min(before, Number.MAX_SAFE_INTEGER);
  let left = count;
  let limit = FIRST_PAGE;
  while (left > 0 && !outlet.closed) {
    const page = log.before(to, Math.min(limit, filter === undefined ? left : limit));
    if (page.length === 0) return;
    to = (page.at(-1) as StoredRecord).position;
    limit = nextPage(limit, page);
    for (const record of page) {
      if (left === 0) return;
      if (filter !== undefined && !filter.matches(record)) continue;
      left--;
      if (await sendEvent(reading, record)) return;
    }
    if (filter !== undefined) await outlet.drained();
  }
}

async function subscribeToStream(reading: Reading, name: string, after: number): Promise<void> {
  const { log, outlet, faults } = reading;
  if (log.lastRevision(name).tombstoned) throw streamDeleted(name);
  outlet.send(confirmation());
  let cursor = after;
  let live = false;
  let limit = FIRST_PAGE;
  while (!outlet.closed) {
    const stream = log.readable(name);
    // What was truncated before it was seen is left out; what comes while the subscription is live is not.
    const from = live || stream.kind !== 'present' ? cursor + 1 : Math.max(cursor + 1, stream.first);
    const page = !live && stream.kind === 'missing' ? [] : log.rawForwards(name, from, limit);
    if (page.length === 0) {
      if (stream.kind === 'tombstoned') {
        const tombstone = log.tombstoneOf(name);
        if (tombstone !== undefined) await sendEvent(reading, tombstone);
        throw streamDeleted(name);
      }
      if (!live) {
        live = true;
        cursor = Math.max(cursor, log.lastRevision(name).last);
        outlet.send(CAUGHT_UP);
      }
      await outlet.drained();
      if (log.lastRevision(name).last <= cursor && !log.lastRevision(name).tombstoned) {
        await outlet.until((wake) => log.follow(name, wake));
      }
      continue;
    }
    limit = nextPage(limit, page);
    const dropped = live && faults.dropSlowSubscriptions && log.lastRevision(name).last - cursor > LIVE_BUFFER;
    if (page.length > LIVE_BUFFER) live = false;
    for (const [index, record] of page.entries()) {
      if (dropped && index === LIVE_BUFFER) throw consumerTooSlow();
      cursor = record.revision;
      if (stream.kind === 'present' && record.created < stream.notBefore && !live) continue;
      if (await sendEvent(reading, record)) return;
    }
  }
}

async function subscribeToAll(reading: Reading, after: number, filter: RecordFilter | undefined): Promise<void> {
  const { log, outlet, faults } = reading;
  outlet.send(confirmation());
  let cursor = after;
  let checkpoint = -1;
  let considered = 0;
  let live = false;
  let limit = FIRST_PAGE;
  const sendCheckpoint = (): void => {
    if (filter === undefined || cursor <= 0 || cursor === checkpoint) return;
    checkpoint = cursor;
    outlet.send(encodeCheckpoint(cursor));
  };
  while (!outlet.closed) {
    const page = log.after(cursor, limit);
    if (page.length === 0) {
      if (!live) {
        live = true;
        sendCheckpoint();
        outlet.send(CAUGHT_UP);
      }
      await outlet.drained();
      if (log.head <= Math.max(0, cursor)) await outlet.until((wake) => log.follow(undefined, wake));
      continue;
    }
    limit = nextPage(limit, page);
    const wanted = filter === undefined ? page.length : page.filter((record) => filter.matches(record)).length;
    const dropped = live && faults.dropSlowSubscriptions && wanted > LIVE_BUFFER;
    if (wanted > LIVE_BUFFER) live = false;
    let delivered = 0;
    for (const record of page) {
      if (filter === undefined || filter.matches(record)) {
        if (dropped && delivered++ === LIVE_BUFFER) throw consumerTooSlow();
        if (await sendEvent(reading, record)) return;
      }
      cursor = record.position;
      if (filter !== undefined && ++considered % filter.checkpointEvery === 0) sendCheckpoint();
    }
    await outlet.drained();
  }
}

/** Sends one event, waiting while the client is behind; true when the call is over. */
async function sendEvent(reading: Reading, record: StoredRecord): Promise<boolean> {
  const { outlet, faults } = reading;
  if (faults.endReadsSilentlyAfter === 0) {
    outlet.end();
    return true;
  }
  const bytes = reading.resolveLinks || reading.structuredIds ? encodeAsAsked(reading, record) : record.bytes;
  if (!outlet.send(bytes)) await outlet.drained();
  reading.sent++;
  if (faults.endReadsSilentlyAfter !== undefined && reading.sent >= faults.endReadsSilentlyAfter) {
    outlet.end();
    return true;
  }
  if (reading.subscription && faults.dropSubscriptionsAfter !== undefined) {
    if (reading.sent >= faults.dropSubscriptionsAfter) throw consumerTooSlow();
  }
  return outlet.closed;
}

function encodeAsAsked(reading: Reading, record: StoredRecord): Buffer {
  const { structuredIds } = reading;
  if (!reading.resolveLinks || eventTypeOf(record.bytes) !== '$>') {
    return structuredIds ? encodeReadEvent(record, { structuredIds }) : record.bytes;
  }
  return encodeReadEvent(record, { structuredIds, isLink: true, target: linkTarget(reading.log, record) });
}

/** The event that a link (data `revision@stream`) points at; undefined when it is missing, truncated or deleted. */
function linkTarget(log: EventLog, link: StoredRecord): StoredRecord | undefined {
  const [, digits, name] = /^(\d{1,15})@(.+)$/s.exec(decodeRecord(link.bytes).data.toString('utf8')) ?? [];
  if (digits === undefined || name === undefined) return undefined;
  const revision = Number(digits);
  const stream = log.readable(name);
  if (stream.kind !== 'present' || revision < stream.first || revision > stream.last) return undefined;
  const [target] = log.forwards(stream.id, revision, revision, 1);
  return target === undefined || target.created < stream.notBefore ? undefined : target;
}

const CAUGHT_UP = field(0x42, Buffer.alloc(0));

const confirmation = (): Buffer => field(0x12, field(0x0a, Buffer.from(randomUUID())));

const encodeCheckpoint = (position: number): Buffer =>
  field(0x1a, Buffer.concat([numberField(0x08, position), numberField(0x10, position)]));

function streamNotFound(name: string): Buffer {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(name));
  const notFound = new streams.ReadResp.StreamNotFound();
  notFound.setStreamIdentifier(identifier);
  const response = new streams.ReadResp();
  response.setStreamNotFound(notFound);
  return Buffer.from(response.serializeBinary());
}
