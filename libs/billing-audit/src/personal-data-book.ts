import type { CustomerErased } from '@perennial/billing-domain';
import {
  type DataKeys,
  DataKeyMissing,
  type EventStore,
  MasterKeyMissing,
  SealBroken,
  type StoredEvent,
  type StoredPersonal,
  ERASED,
  streamNames,
} from '@perennial/event-sourcing';
import { customerType } from '@perennial/billing-domain';
import { type Difference, mismatch } from './difference';

/** Where it was recorded that a customer is erased. */
export interface Erasure {
  readonly customerId: string;
  readonly stream: string;
  readonly revision: bigint;
  readonly position: bigint;
}

/** What the log says of personal data: who was erased, and whose key is gone. About 100 bytes for each of them. */
export interface PersonalDataBook {
  readonly erasures: Map<string, Erasure>;
  /** Subjects of sealed data whose key was destroyed. */
  readonly destroyed: Set<string>;
}

/** Enters an event: an erasure, or personal data, which must open or have lost its key. */
export async function enterPersonalData(
  { erasures, destroyed }: PersonalDataBook,
  { event, stream, revision, position }: StoredEvent,
  keys: DataKeys,
): Promise<Difference | undefined> {
  if (event.type === ('CustomerErased' satisfies CustomerErased['type'])) {
    const { customerId } = event.data as CustomerErased['data'];
    erasures.set(customerId, { customerId, stream, revision, position });
  }
  const { personal } = event.data as { personal?: StoredPersonal };
  if (personal === undefined) return undefined;
  try {
    if ((await keys.open(personal)) === ERASED) destroyed.add(personal.subject);
    return undefined;
  } catch (error) {
    if (![SealBroken, DataKeyMissing, MasterKeyMissing].some((kind) => error instanceof kind)) throw error;
    return mismatch('personal-data', stream, (error as Error).message, 'personal data that opens', 'none', revision);
  }
}

/** Erased customers whose key still stands: their data can be read again. */
export async function unfinishedErasures({ erasures }: PersonalDataBook, keys: DataKeys): Promise<Erasure[]> {
  const unfinished: Erasure[] = [];
  for (const erasure of erasures.values())
    if ((await keys.find(erasure.customerId)) !== 'destroyed') unfinished.push(erasure);
  return unfinished;
}

/** Keys that are gone although nobody erased their customer: data that was lost. */
export async function unexplainedDestructions(
  { erasures, destroyed }: PersonalDataBook,
  store: EventStore,
  prefix: string,
): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  for (const subject of destroyed) {
    if (erasures.has(subject)) continue;
    const stream = streamNames(prefix).of(customerType.name, subject);
    let erased = false;
    // Maybe recorded after the log was read.
    for await (const { type } of store.whole(stream)) erased ||= type === 'CustomerErased';
    if (!erased)
      found.push(mismatch('personal-data', stream, 'the key is gone and nobody erased it', 'a key', 'destroyed'));
  }
  return found;
}
