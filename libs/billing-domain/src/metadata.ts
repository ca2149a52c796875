import { DomainError } from './domain-error';
import { sameJson } from './json';
import { encodedBytes, metadata } from './text';

/** Bytes of all metadata of one thing as JSON. */
const MAX_METADATA_BYTES = 8_000;

/** What a caller changes: keys that are set, and with null those that go. */
export type MetadataPatch = Readonly<Record<string, string | null>>;

/** The metadata after a patch; undefined when it is so already. Raises `invalid-metadata`. */
export function patched(
  before: Readonly<Record<string, string>>,
  patch: MetadataPatch,
): Readonly<Record<string, string>> | undefined {
  const kept = Object.entries({ ...before, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null);
  const after = metadata(Object.fromEntries(kept));
  if (encodedBytes(after) > MAX_METADATA_BYTES) throw new DomainError('invalid-metadata');
  return sameJson(before, after) ? undefined : after;
}
