import type { ReadReq } from '@eventstore/db-client/generated/streams_pb';
import { eventTypeOf, streamNameOf, type StoredRecord } from './record';

/** Which records of $all a reader wants, and how often it wants to hear how far the search has come. */
export interface RecordFilter {
  matches(record: StoredRecord): boolean;
  /** A checkpoint is due after this many considered records. */
  checkpointEvery: number;
}

/** Thrown for a filter that cannot be: a malformed regular expression, or a checkpoint interval of 0. */
export class InvalidFilter extends Error {}

const DEFAULT_WINDOW = 32;
const REMEMBERED_VERDICTS = 50_000;

function predicate(expression: ReadReq.Options.FilterOptions.Expression): (value: string) => boolean {
  const prefixes = expression.getPrefixList();
  if (expression.getRegex() === '') return (value) => prefixes.some((prefix) => value.startsWith(prefix));
  let pattern: RegExp;
  try {
    pattern = new RegExp(expression.getRegex());
  } catch (error) {
    throw new InvalidFilter(error instanceof Error ? error.message : 'malformed regular expression');
  }
  return (value) => pattern.test(value);
}

/** The filter of a read or subscription of $all, undefined without one. */
export function compileFilter(
  options: ReadReq.Options.FilterOptions | undefined,
  subscription: boolean,
): RecordFilter | undefined {
  if (options === undefined) return undefined;
  const interval = options.getCheckpointintervalmultiplier();
  if (subscription && interval === 0) throw new InvalidFilter('the checkpoint interval multiplier must be positive');
  const checkpointEvery = (options.hasMax() ? options.getMax() : DEFAULT_WINDOW) * Math.max(1, interval);
  const byType = options.getEventType();
  if (byType !== undefined) {
    const wanted = predicate(byType);
    return { checkpointEvery, matches: (record) => wanted(eventTypeOf(record.bytes)) };
  }
  const byStream = options.getStreamIdentifier();
  if (byStream === undefined) throw new InvalidFilter('filter by neither stream name nor event type');
  const wanted = predicate(byStream);
  const verdicts = new Map<number, boolean>();
  return {
    checkpointEvery,
    matches(record) {
      const known = verdicts.get(record.stream);
      if (known !== undefined) return known;
      const verdict = wanted(streamNameOf(record.bytes));
      if (verdicts.size >= REMEMBERED_VERDICTS) verdicts.clear();
      verdicts.set(record.stream, verdict);
      return verdict;
    },
  };
}
