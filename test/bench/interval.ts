import type { Random } from '../support/random';

export interface Interval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/**
 * The ratio of two means (`a` / `b`) with its 95 % interval, by resampling both (bootstrap of percentiles). Throws a RangeError
 * for fewer than two values of either.
 */
export function ratioOfMeans(a: readonly number[], b: readonly number[], random: Random): Interval {
  if (a.length < 2 || b.length < 2) throw new RangeError('an interval of fewer than two values');
  const ratios = Array.from({ length: RESAMPLES }, () => mean(resampled(a, random)) / mean(resampled(b, random))).sort(
    (x, y) => x - y,
  );
  const at = (part: number) => ratios[Math.round(part * (RESAMPLES - 1))] ?? Number.NaN;
  return { ratio: mean(a) / mean(b), low: at(0.025), high: at(0.975) };
}

/** The time that each `size` of a count took, from readings [ms, count so far] in order, between two of which it grows evenly. */
export function chunkTimes(readings: readonly (readonly [number, number])[], size: number): number[] {
  const times: number[] = [];
  let [from, before] = readings[0] ?? [0, 0];
  let started = from;
  let next = before + size;
  for (const [ms, count] of readings.slice(1)) {
    while (count >= next) {
      const passed = from + ((ms - from) * (next - before)) / (count - before);
      times.push(passed - started);
      started = passed;
      next += size;
    }
    [from, before] = [ms, count];
  }
  return times;
}

function resampled(values: readonly number[], random: Random): number[] {
  return values.map(() => random.pick(values));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
