import { LRUCache } from 'lru-cache';
import type { Standing } from './snapshots';

/** States that are kept between commands, by stream: of all types of aggregate together, those used last. */
export type AggregateCache = LRUCache<string, Standing<unknown>>;

/** What an entry takes besides its state and its keys: the standing itself, its texts, the stream's name, the cache's own lists. */
const ENTRY_BYTES = 700;

/** A cache of about so much memory, in bytes; 0 keeps nothing. */
export function aggregateCache(maxBytes = 64 * 1024 * 1024): AggregateCache {
  return new LRUCache({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ memory, keys }) => memory.bytes + keys.bytes + ENTRY_BYTES,
  });
}
