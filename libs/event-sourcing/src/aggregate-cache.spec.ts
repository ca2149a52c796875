import { aggregateCache } from './aggregate-cache';
import { KeyMemory } from './key-filter';
import type { Standing } from './snapshots';

const standing = (memory = { bytes: 10_000, counted: 10_000 }): Standing<unknown> => ({
  state: {},
  revision: 0n,
  position: 0n,
  hash: '',
  recordedAt: '',
  tenant: '',
  keys: new KeyMemory('filter'),
  memory,
});

describe('the cache of aggregates', () => {
  it('holds no more than its memory, whatever the types, those used last', () => {
    const cache = aggregateCache(100_000);
    for (let n = 0; n < 50; n += 1) cache.set(`perennial.${n % 2 ? 'invoice' : 'subscription'}-${n}`, standing());
    expect(cache.calculatedSize).toBeLessThanOrEqual(100_000);
    expect([...cache.keys()]).toEqual(
      ['49', '48', '47', '46', '45', '44', '43', '42', '41'].map((n) => expect.stringMatching(new RegExp(`-${n}$`))),
    );
  });

  it('keeps nothing with no memory; it did not start', () => {
    const cache = aggregateCache(0);
    cache.set('perennial.invoice-1', standing());
    expect(cache.size).toBe(0);
  });
});
