import { type AsOf, type DataKeys, ERASED, type JsonValue, type StoredPersonal } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';

/** Where the read models live; what the query handlers are given. */
export class ReadModels {
  constructor(
    readonly db: Kysely<unknown>,
    readonly schema: string,
    /** Open personal data, which rows hold as the events do: sealed. */
    readonly dataKeys: DataKeys,
  ) {}
}

/** One thing, or undefined when the model knows none of that id in that tenant, and how far the model had read. */
export interface Found<View> {
  readonly found: View | undefined;
  readonly asOf: AsOf;
}

/** A part of a list; `nextCursor` is there while there is more. The rows show at least what `asOf` states. */
export interface Page<View> {
  readonly items: readonly View[];
  readonly nextCursor?: string;
  readonly asOf: AsOf;
}

/** An amount in minor units, as HTTP shows it. */
export interface MoneyView {
  readonly amount: string;
  readonly currency: string;
}

/** What is no uuid names nothing; asking the database would be an error. */
export const isUuid = (id: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);

/** What is shown in place of personal data whose key was destroyed. */
export interface ErasedView {
  readonly erased: true;
}

/** Personal data of a row in the clear, opened for this one answer. Throws what opening throws. */
export async function openedBy<View>(
  keys: DataKeys,
  personal: StoredPersonal | null,
): Promise<View | ErasedView | null> {
  if (personal === null) return null;
  const opened: JsonValue | typeof ERASED = await keys.open(personal);
  return opened === ERASED ? { erased: true } : (opened as View);
}
