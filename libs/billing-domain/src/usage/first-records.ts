import type { MeterTotal, TimedValue, UsageSegment } from './events';

/** A record that may be free; `segment`: where it counts, if not where its own time lies. */
export type FirstValue = NonNullable<MeterTotal['first']>[number];

interface Placed {
  readonly place: number;
  readonly value: FirstValue;
}

/**
 * The first records of a meter while they come in any order: those of each part of the period in which the free ones are counted
 * anew. They count in order of segments, as one that came late is older than what was free before it came.
 */
export class FirstRecords {
  private readonly parts = new Map<number, Placed[]>();
  /** By segment: the one that its part begins with. */
  private readonly partOf: readonly number[];

  constructor(
    kept: readonly FirstValue[],
    private readonly segments: readonly UsageSegment[],
    meter: string,
  ) {
    const anew = segments.map((each) => each.anew?.includes(meter) === true);
    this.partOf = segments.map((_, place) => Math.max(anew.lastIndexOf(true, place), 0));
    for (const each of kept) this.add(each, Infinity);
  }

  /** Keeps `most` of its part at most. */
  add(value: FirstValue, most: number): void {
    const one = { place: placeOf(this.segments, value), value };
    const part = this.partOf[one.place] ?? 0;
    const kept = this.parts.get(part) ?? [];
    this.parts.set(part, kept);
    const last = kept.at(-1);
    if (kept.length >= most && last && !comesFirst(one, last)) return;
    let at = kept.length;
    while (at > 0 && comesFirst(one, kept[at - 1]!)) at -= 1;
    kept.splice(at, 0, one);
    if (kept.length > most) kept.pop();
  }

  all(): FirstValue[] {
    const parts = [...this.parts].sort(([a], [b]) => a - b);
    return parts.flatMap(([, kept]) => kept.map(({ value }) => value));
  }
}

/** The place of a moment among segments. */
export function segmentAt(segments: readonly UsageSegment[], at: string): number {
  return Math.max(
    segments.findLastIndex(({ from }) => from <= at),
    0,
  );
}

/** The place of the segment in which a record counts. */
export const placeOf = (segments: readonly UsageSegment[], { at, segment }: FirstValue): number =>
  segment ?? segmentAt(segments, at);

/** In order of the records' own time, then id. */
export function isBefore(a: TimedValue, b: TimedValue): boolean {
  return a.at < b.at || (a.at === b.at && a.id < b.id);
}

const comesFirst = (a: Placed, b: Placed) => a.place < b.place || (a.place === b.place && isBefore(a.value, b.value));
