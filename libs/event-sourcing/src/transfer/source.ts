import type { EventStore } from '../event-store';
import type { LogRecord } from '../log-reading';
import { readPolicyPosition } from '../policy-position';
import { CarriedStreams, Survey, TOMBSTONE, TransferRefused } from './carried-streams';

/** Up to where a policy has done everything, as a position of the log that is read. */
export interface PolicyMark {
  readonly policy: string;
  readonly position: bigint;
}

/** Where events are carried from: a store or a backup. */
export interface TransferSource {
  readonly streams: CarriedStreams;
  /** Never ahead of what `records` yields: a policy that begins there skips nothing. */
  readonly marks: readonly PolicyMark[];
  /**
   * What is carried, in log order, up to the head that the log has when the reading gets there; can be asked for again.
   * Whatever an event on the way undid (a key destroyed, a value replaced) is undone by an event of the same reading.
   */
  readonly records: () => AsyncGenerator<LogRecord>;
}

/**
 * The streams of an installation as a source. The positions of policies are read first: what a policy did before it stored one
 * stands before the head that `records` reaches. Throws TransferRefused when the history is not whole.
 */
export async function storeSource(store: EventStore, prefix: string): Promise<TransferSource> {
  const streams = new CarriedStreams(prefix);
  const survey = new Survey(streams);
  for await (const record of store.readLog({ types: Survey.types })) survey.note(record);
  survey.check();
  const marks: PolicyMark[] = [];
  for (const policy of [...survey.policies].sort()) {
    const place = await readPolicyPosition(store, prefix, policy);
    if (place) marks.push({ policy, position: place.position });
  }
  return {
    streams,
    marks,
    async *records() {
      for await (const record of store.readLog(streams.filter)) {
        if (!survey.counts(record)) continue;
        if (record.type === TOMBSTONE && deletedNow(streams, survey, record))
          throw new TransferRefused(`${record.stream} was deleted meanwhile: run it again`);
        yield record;
      }
    },
  };
}

/** Events of history that were yielded before cannot be taken back; nothing of the service deletes any. */
function deletedNow(streams: CarriedStreams, survey: Survey, { stream }: LogRecord): boolean {
  return streams.kindOf(stream) === 'history' && !survey.tombstoned.has(stream);
}
