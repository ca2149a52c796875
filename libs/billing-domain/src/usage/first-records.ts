import type { TimedValue, UsageSegment } from './events';

/**
 * The first records of a meter while they come in any order: those of each part of the period in which the free ones are counted
 * anew.
 */
export class FirstRecords {
  private readonly parts = new Map<number, TimedValue[]>();
  /** By segment: the one that its part begins with. */
  private readonly partOf: readonly number[];

  constructor(
    kept: readonly TimedValue[],
    private readonly segments: readonly UsageSegment[],
    meter: string,
  ) {
    const anew = segments.map((each) => each.anew?.includes(meter) === true);
    this.partOf = segments.map((_, place) => Math.max(anew.lastIndexOf(true, place), 0));
    for (const each of kept) this.add(each, Infinity);
  }

  /** Keeps `most` of its part at most. */
  add(value: TimedValue, most: number): void {
    const part = this.partOf[segmentAt(this.segments, value.at)] ?? 0;
    const kept = this.parts.get(part) ?? [];
    this.parts.set(part, kept);
    const last = kept.at(-1);
    if (kept.length >= most && last && !isBefore(value, last)) return;
    let at = kept.length;
    while (at > 0 && isBefore(value, kept[at - 1]!)) at -= 1;
    kept.splice(at, 0, value);
    if (kept.length > most) kept.pop();
  }

  all(): TimedValue[] {
    const parts = [...this.parts].sort(([a], [b]) => a - b);
    return parts.flatMap(([, kept]) => kept);
  }
}

/** The place of a moment among segments. */
export function segmentAt(segments: readonly UsageSegment[], at: string): number {
  return Math.max(
    segments.findLastIndex(({ from }) => from <= at),
    0,
  );
}

/** In order of time, then id. */
export function isBefore(a: TimedValue, b: TimedValue): boolean {
  return a.at < b.at || (a.at === b.at && a.id < b.id);
}
