import type { Random } from '../support/random';

export interface Interval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/** Values by stage: those of one stage vary by chance, those of different stages for a reason. */
export type Stages = readonly (readonly number[])[];

/**
 * The ratio of two means (`a` / `b`), each of means of stages that weigh the same, with its 95 % interval, by resampling within each
 * stage (stratified bootstrap of percentiles). Throws a RangeError for fewer than two values of a stage, or other stages in `b`.
 */
export function ratioOfMeans(a: Stages, b: Stages, random: Random): Interval {
  if (a.length !== b.length) throw new RangeError('stages that do not correspond');
  if ([...a, ...b].some((values) => values.length < 2)) throw new RangeError('an interval of fewer than two values');
  const again = (stages: Stages) => meanOfStages(stages.map((values) => resampled(values, random)));
  const ratios = Array.from({ length: RESAMPLES }, () => again(a) / again(b)).sort((x, y) => x - y);
  const at = (part: number) => ratios[Math.round(part * (RESAMPLES - 1))] ?? Number.NaN;
  return { ratio: meanOfStages(a) / meanOfStages(b), low: at(0.025), high: at(0.975) };
}

/** The values of a run in as many stages of equal length, one after the other. */
export function stagesOf(values: readonly number[], count: number): Stages {
  const place = (stage: number) => Math.round((stage * values.length) / count);
  return Array.from({ length: count }, (_, stage) => values.slice(place(stage), place(stage + 1)));
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

const meanOfStages = (stages: Stages): number => mean(stages.map(mean));

/** Of values that are there. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
