import type { EventLog } from './log';
import type { Storage } from './storage';

export interface ReclaimOptions {
  /** How often to look for events to remove, in milliseconds. */
  everyMs: number;
  /** Truncated events stay in $all for at least this long, as they do on a real server until its scavenge. */
  afterMs: number;
}

export const RECLAIM: ReclaimOptions = { everyMs: 5000, afterMs: 20_000 };

/** Work done at once, a few milliseconds, so that appends are not held up. */
const RECORDS_AT_ONCE = 200;
const STREAMS_AT_ONCE = 200;
const PAGES_AT_ONCE = 200;
const PAUSE_MS = 2;
/** The file gives pages back when more than these are free: below, new events will use them. */
const FREE_PAGES_KEPT = 512;
const FREE_PART_KEPT = 0.2;

const METASTREAMS = Buffer.from('$$');
const AFTER_METASTREAMS = Buffer.from('$%');

/**
 * Removes events that stream metadata hides ($maxCount, $maxAge, $tb, deletion), a little at a time, and shrinks the
 * file. Returns how to stop it.
 */
export function startReclaiming(
  log: EventLog,
  storage: Storage,
  options: ReclaimOptions,
  failed: (error: unknown) => void,
): () => void {
  let timer: NodeJS.Timeout;
  let stopped = false;
  /** Where the search for streams that were truncated before this start has come. */
  let searched: Buffer | undefined = METASTREAMS;
  let pass: string[] = [];
  let removed = 0;

  const again = (ms: number): void => {
    if (!stopped) timer = setTimeout(step, ms).unref();
  };

  /** One slice; true when there is more to do at once. */
  const work = (): boolean => {
    if (searched !== undefined) {
      const names = storage.streamNames(searched, AFTER_METASTREAMS, STREAMS_AT_ONCE);
      for (const name of names) log.truncated.add(name.toString()).add(name.toString().slice(2));
      searched = names.at(-1);
      return true;
    }
    const name = pass.at(-1);
    if (name !== undefined) {
      const slice = log.reclaim(name, Date.now() - options.afterMs, RECORDS_AT_ONCE);
      removed += slice.removed;
      if (slice.removed === RECORDS_AT_ONCE) return true;
      if (slice.left) log.truncated.add(name);
      pass.pop();
      return true;
    }
    if (removed > 0) {
      const { free, all } = storage.pages();
      if (free > Math.max(FREE_PAGES_KEPT, all * FREE_PART_KEPT)) {
        storage.shrink(PAGES_AT_ONCE);
        return true;
      }
      removed = 0;
      storage.forgetRemoved();
    }
    return false;
  };

  const step = (): void => {
    let more = false;
    try {
      more = work();
    } catch (error) {
      // Damage, which readers are told of; appends and the other streams go on.
      failed(error);
      pass.pop();
    }
    if (!more && pass.length === 0) {
      pass = [...log.truncated];
      log.truncated.clear();
    }
    again(more ? PAUSE_MS : options.everyMs);
  };

  again(options.everyMs);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
