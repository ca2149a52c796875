import fc from 'fast-check';
import { KeyMemory, commandKey, parseSlice, rememberedId } from './key-filter';

function memoryOf(keys: number, prefix = 'key'): KeyMemory {
  const memory = new KeyMemory();
  for (let revision = 0; revision < keys; revision++) memory.add(commandKey(`${prefix}-${revision}`), BigInt(revision));
  return memory;
}

function stored(memory: KeyMemory): Uint8Array[] {
  return memory.extents.map((_, index) => memory.sliceBytes(index));
}

describe('KeyMemory', () => {
  it('never forgets a key, and its ranges hold the revision', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 400 }),
        (keys, step) => {
          const memory = new KeyMemory();
          keys.forEach((key, index) => memory.add(commandKey(key), BigInt(index * step)));
          return keys.every((key, index) =>
            memory
              .find(commandKey(key))
              .some(({ from, to }) => from <= BigInt(index * step) && BigInt(index * step) <= to),
          );
        },
      ),
    );
  });

  it('is the same after a snapshot at any revision and the rest of the stream', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 0, max: 3_000 }), (before, after) => {
        const restored = KeyMemory.restore(memoryOf(before).toJSON(), stored(memoryOf(before)))!;
        for (let revision = before; revision < before + after; revision++) {
          restored.add(commandKey(`key-${revision}`), BigInt(revision));
        }
        const whole = memoryOf(before + after);
        expect(restored.toJSON()).toEqual(whole.toJSON());
        expect(stored(restored).map((bytes) => Buffer.from(bytes).toString('base64'))).toEqual(
          stored(whole).map((bytes) => Buffer.from(bytes).toString('base64')),
        );
      }),
      { numRuns: 20 },
    );
  });

  it('stays small when commands remember many ids each, and is the same from a snapshot anywhere', () => {
    const fill = (memory: KeyMemory, from: number, to: number) => {
      for (let revision = from; revision < to; revision++) {
        memory.add(commandKey(`key-${revision}`), BigInt(revision));
        for (let n = 0; n < 500; n++) memory.add(rememberedId('line-item', `${revision}-${n}`), BigInt(revision));
      }
      return memory;
    };
    const whole = fill(new KeyMemory(), 0, 120);
    expect(whole.toJSON().recent.length).toBeLessThan(100_000);
    expect(Math.max(...stored(whole).map((slice) => slice.length))).toBeLessThanOrEqual(256 * 1024);
    for (const at of [1, 8, 9, 57]) {
      const snapshot = fill(new KeyMemory(), 0, at);
      const restored = fill(KeyMemory.restore(snapshot.toJSON(), stored(snapshot))!, at, 120);
      expect(restored.toJSON()).toEqual(whole.toJSON());
    }
    const known = (revision: number, n: number) =>
      whole
        .find(rememberedId('line-item', `${revision}-${n}`))
        .some(({ from, to }) => from <= BigInt(revision) && BigInt(revision) <= to);
    for (let revision = 0; revision < 120; revision++)
      expect([known(revision, 0), known(revision, 499)]).toEqual([true, true]);
    const fresh = Array.from({ length: 20_000 }, (_, n) => whole.find(commandKey(`new-${n}`)).length > 0);
    expect(fresh.filter(Boolean).length / fresh.length).toBeLessThanOrEqual(0.002);
  });

  it('takes slices and recent keys that are ahead of the snapshot, and no slice behind it', () => {
    const early = memoryOf(2_100);
    const late = memoryOf(5_000);
    const ahead = KeyMemory.restore(early.toJSON(), stored(late))!;
    for (let revision = 2_100; revision < 5_000; revision++) ahead.add(commandKey(`key-${revision}`), BigInt(revision));
    for (let revision = 0; revision < 5_000; revision++) {
      expect(ahead.find(commandKey(`key-${revision}`))).not.toEqual([]);
    }
    expect(KeyMemory.restore(late.toJSON(), stored(early))).toBeUndefined();
    expect(KeyMemory.restore(late.toJSON(), [])).toBeUndefined();
  });

  it('refuses a slice with any byte changed or cut off', () => {
    const [slice] = stored(memoryOf(2_000));
    expect(parseSlice(slice, 0)).toBeDefined();
    expect(parseSlice(slice, 1)).toBeUndefined();
    expect(parseSlice(slice!.subarray(0, slice!.length - 1), 0)).toBeUndefined();
    for (const at of [0, 5, 8, 20, 27, 40, 70, 9_000]) {
      const damaged = Uint8Array.from(slice!);
      damaged[at]! ^= 1;
      expect(parseSlice(damaged, 0)).toBeUndefined();
    }
  });

  it('costs under 2 bytes a key in slices of at most 256 KiB, and takes at most 0.2 % of new keys for old ones', () => {
    const keys = 300_000;
    const memory = memoryOf(keys);
    const slices = stored(memory);
    expect(Math.max(...slices.map((slice) => slice.length))).toBeLessThanOrEqual(256 * 1024);
    expect(slices[0]!.length).toBeLessThanOrEqual(16 * 1024);
    const full = slices.slice(0, -1).reduce((sum, slice) => sum + slice.length, 0);
    const covered = Number(memory.extents.at(-2)!.to) + 1;
    expect(full / covered).toBeLessThan(2);
    let hits = 0;
    const fresh = 50_000;
    for (let n = 0; n < fresh; n++) if (memory.find(commandKey(`new-${n}`)).length > 0) hits += 1;
    expect(hits / fresh).toBeLessThanOrEqual(0.002);
    expect(hits).toBeGreaterThan(0);
  });

  it('keeps command keys and remembered ids apart', () => {
    const memory = new KeyMemory();
    memory.add(commandKey('a'), 0n);
    memory.add(rememberedId('line-item', 'b'), 1n);
    expect(memory.find(commandKey('b'))).toEqual([]);
    expect(memory.find(rememberedId('line-item', 'a'))).toEqual([]);
    expect(memory.find(rememberedId('line-item', 'b'))).toEqual([{ from: 1n, to: 1n, filtered: false }]);
  });
});
