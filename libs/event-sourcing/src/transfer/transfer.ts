import { setTimeout as delay } from 'node:timers/promises';
import { OutcomeUnknown, RevisionConflict, StoreUnavailable } from '../errors';
import type { EventStore } from '../event-store';
import type { LogRecord } from '../log-reading';
import { readPolicyPosition, type Place, writePolicyPosition } from '../policy-position';
import { type CarriedStreams, differenceOf, sameRecord, Tally, type Totals, TransferRefused } from './carried-streams';
import { OrderedWriter } from './ordered-writer';
import { storeSource, type TransferSource } from './source';
import { noteTransfer, readTransfer } from './transfer-note';

/** The target does not hold what was to be carried over, though everything was written. */
export class TransferDiffers extends Error {
  override readonly name = 'TransferDiffers';
}

export interface TransferReport {
  /** Of the source's log: everything up to here was carried over. */
  readonly position: bigint;
  readonly totals: Totals;
  /** Events of history that were there already, of an earlier run. */
  readonly found: number;
  readonly policies: readonly { readonly policy: string; readonly from: bigint; readonly to: bigint }[];
}

export interface TransferProgress {
  readonly phase: 'comparing' | 'writing' | 'verifying';
  readonly events: number;
  readonly position: bigint;
}

export interface TransferOptions {
  /** Where the events come from, for the note that is left in the target. */
  readonly from: string;
  /** ISO 8601 */
  readonly now: () => string;
  readonly progress?: (progress: TransferProgress) => void;
}

const FRUITLESS_ATTEMPTS = 8;

/**
 * Carries a source over into a store that holds nothing of this prefix, or what an earlier run brought: then it goes on after that.
 * Events keep ids, bytes, revisions and order; data keys that were destroyed stay so; policies begin after the last event
 * that they had done. At the end the target is read again and compared with the source by count and digest. Until then a note
 * in the target says that it is unfinished. Throws TransferRefused (nothing was written, or nothing more), TransferDiffers, or
 * the store's errors after several attempts.
 */
export async function transfer(
  source: TransferSource,
  target: EventStore,
  options: TransferOptions,
): Promise<TransferReport> {
  for (let fruitless = 0; ;) {
    const writer = new OrderedWriter(target);
    try {
      return await attempt(source, target, writer, options);
    } catch (error) {
      await writer.settle();
      if (error instanceof RevisionConflict)
        throw new TransferRefused(`${error.message}: something else writes to the target`, { cause: error });
      // The store was away: again from what stands in the target by then.
      if (!(error instanceof StoreUnavailable) && !(error instanceof OutcomeUnknown)) throw error;
      fruitless = writer.written > 0 ? 0 : fruitless + 1;
      if (fruitless === FRUITLESS_ATTEMPTS) throw error;
      await delay(Math.min(5_000, 100 * 2 ** fruitless));
    }
  }
}

async function attempt(
  source: TransferSource,
  target: EventStore,
  writer: OrderedWriter,
  options: TransferOptions,
): Promise<TransferReport> {
  const { prefix } = source.streams;
  await refuseUnlessUnused(target, source.streams);
  await noteTransfer(target, prefix, { type: 'TransferBegun', data: { from: options.from, at: options.now() } });
  const carried = await carry(source, target, writer, options);
  const { places, totals } = await takeStock(target, source.streams, carried.marks, options);
  const difference = differenceOf(carried.totals, totals);
  if (difference !== undefined) throw new TransferDiffers(`the target holds ${difference}; does a service run on it?`);
  for (const [policy, place] of places) {
    if ((await readPolicyPosition(target, prefix, policy))?.id === place.id) continue;
    await writePolicyPosition(target, prefix, policy, place);
  }
  await noteTransfer(target, prefix, {
    type: 'TransferCompleted',
    data: { from: options.from, at: options.now(), position: `${carried.position}`, totals },
  });
  return {
    position: carried.position,
    totals,
    found: carried.found,
    policies: source.marks.flatMap(({ policy, position }) => {
      const place = places.get(policy);
      return place ? [{ policy, from: position, to: place.position }] : [];
    }),
  };
}

/** Holds nothing yet, an unfinished copy, or a finished one just as it was left. */
async function refuseUnlessUnused(target: EventStore, streams: CarriedStreams): Promise<void> {
  const note = await readTransfer(target, streams.prefix);
  if (note?.type === 'TransferBegun') return;
  if (note?.type === 'TransferCompleted') {
    const { totals } = await takeStock(target, streams, new Map());
    const difference = differenceOf(note.data.totals, totals);
    if (difference === undefined) return;
    throw new TransferRefused(
      `a service has gone on from the copy in the target (it holds ${difference}): the two histories cannot be joined. Begin again with an empty target`,
    );
  }
  const there = (await storeSource(target, streams.prefix)).records();
  for await (const { stream } of there)
    throw new TransferRefused(
      `the target already holds streams of the prefix ${streams.prefix} (such as ${stream}) that no copy or restore brought there: it must be empty`,
    );
}

interface Carried {
  readonly totals: Totals;
  readonly position: bigint;
  readonly found: number;
  /** Policy → how many events of history it had done. */
  readonly marks: ReadonlyMap<string, number>;
}

/** Reads both sides side by side while the target has something, then writes what it lacks. */
async function carry(
  source: TransferSource,
  target: EventStore,
  writer: OrderedWriter,
  { progress }: TransferOptions,
): Promise<Carried> {
  const { streams } = source;
  const tally = new Tally(streams);
  const marks = new Map<string, number>();
  const there = historyOf(await storeSource(target, streams.prefix));
  let known = await there.next();
  let found = 0;
  let position = -1n;
  try {
    for await (const record of source.records()) {
      position = record.position;
      const kind = tally.add(record);
      if (kind === 'tombstone') await writer.tombstone(record.stream);
      else if (kind === 'value') await writer.put(record);
      else {
        for (const mark of source.marks) if (record.position <= mark.position) marks.set(mark.policy, tally.events);
        if (known.done) await writer.append(record);
        else {
          if (!sameRecord(record, known.value)) throw otherHistory(record, known.value);
          found += 1;
          known = await there.next();
        }
      }
      progress?.({ phase: known.done ? 'writing' : 'comparing', events: tally.events, position });
    }
    if (!known.done) throw otherHistory(undefined, known.value);
    await writer.finish();
  } finally {
    await there.return(undefined);
  }
  return { totals: tally.result(), position, found, marks };
}

function otherHistory(wanted: LogRecord | undefined, found: LogRecord): TransferRefused {
  const where = `${found.stream}@${found.revision} (${found.type})`;
  return new TransferRefused(
    wanted
      ? `the target holds ${where} where the source has ${wanted.stream}@${wanted.revision} (${wanted.type}): it is no copy of this source. Begin again with an empty target`
      : `the target holds ${where}, which the source does not have: a service has gone on from that copy, or it was made of a later state. Begin again with an empty target`,
  );
}

async function* historyOf({ streams, records }: TransferSource): AsyncGenerator<LogRecord, undefined, undefined> {
  const tally = new Tally(streams);
  for await (const record of records()) if (tally.add(record) === 'history') yield record;
  return undefined;
}

/** Reads the whole target: what it holds, and where the n-th event of history stands that a policy had done. */
async function takeStock(
  target: EventStore,
  streams: CarriedStreams,
  marks: ReadonlyMap<string, number>,
  { progress }: Partial<TransferOptions> = {},
): Promise<{ totals: Totals; places: ReadonlyMap<string, Place> }> {
  const tally = new Tally(streams);
  const places = new Map<string, Place>();
  for await (const record of (await storeSource(target, streams.prefix)).records()) {
    if (tally.add(record) !== 'history') continue;
    for (const [policy, events] of marks)
      if (events === tally.events) places.set(policy, { position: record.position, id: record.id });
    progress?.({ phase: 'verifying', events: tally.events, position: record.position });
  }
  return { totals: tally.result(), places };
}
