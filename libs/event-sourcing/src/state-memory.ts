/** Memory of a state, in bytes: an estimate that is never far below what it takes. */
export interface StateMemory {
  readonly bytes: number;
  /** What it took when all of it was last counted. */
  readonly counted: number;
}

export const NO_MEMORY: StateMemory = { bytes: 0, counted: 0 };

/**
 * Freezes a state, plain objects and arrays, and counts it. What is frozen already was frozen with all below it and counted then, so
 * only what is new is looked at; what the new state has let go shows when it is all counted again, at twice the size.
 */
export function freezeAndCount(state: unknown, before: StateMemory): StateMemory {
  const bytes = before.bytes + bytesOf(state, true);
  if (bytes < 2 * before.counted) return { bytes, counted: before.counted };
  const counted = bytesOf(state, false);
  return { bytes: counted, counted };
}

/** What V8 takes on a machine of 64 bits, without what is counted by its container: a slot of 8 bytes each. */
function bytesOf(value: unknown, freezing: boolean): number {
  if (typeof value === 'string') return 24 + value.length;
  if (typeof value === 'bigint') return 24;
  if (typeof value !== 'object' || value === null) return 0;
  if (ArrayBuffer.isView(value)) return 100 + value.byteLength;
  if (freezing) {
    if (Object.isFrozen(value)) return 0;
    Object.freeze(value);
  }
  const members: unknown[] = Object.values(value);
  let bytes = 32 + 8 * members.length;
  for (const member of members) bytes += bytesOf(member, freezing);
  return bytes;
}
