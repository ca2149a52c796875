import { randomUUID } from 'node:crypto';
import type { EventStore } from '../event-store';
import type { Totals } from './carried-streams';

/** What a copy or a restore notes in the store that it fills. */
export type TransferNote =
  | { readonly type: 'TransferBegun'; readonly data: { readonly from: string; readonly at: string } }
  | {
      readonly type: 'TransferCompleted';
      readonly data: {
        readonly from: string;
        readonly at: string;
        /** Of the source's log: everything up to here is in the target. */
        readonly position: string;
        readonly totals: Totals;
      };
    };

/** The newest note of a copy or restore into this store; undefined when there never was one. */
export async function readTransfer(store: EventStore, prefix: string): Promise<TransferNote | undefined> {
  const last = await store.last(streamOf(prefix));
  return last && ({ type: last.type, data: last.data } as TransferNote);
}

export async function noteTransfer(store: EventStore, prefix: string, { type, data }: TransferNote): Promise<void> {
  await store.append(streamOf(prefix), [{ id: randomUUID(), type, data, metadata: {} }], 'any');
}

const streamOf = (prefix: string) => `${prefix}_transfer`;
