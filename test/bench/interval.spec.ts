import { describe, expect, it } from '@jest/globals';
import { Random } from '../support/random';
import { chunkTimes, ratioOfMeans, stagesOf } from './interval';

describe('the interval of a ratio', () => {
  it('is a point where nothing varies within a stage', () => {
    const a = [
      [6, 6, 6],
      [12, 12],
    ];
    const b = [
      [4, 4],
      [8, 8, 8],
    ];
    expect(ratioOfMeans(a, b, new Random(1))).toEqual({ ratio: 1.5, low: 1.5, high: 1.5 });
  });

  it('holds the true ratio about as often as it says, however far apart stages are', () => {
    const random = new Random(5);
    const noisy = (mean: number, count: number) => Array.from({ length: count }, () => mean * (0.5 + random.next()));
    const run = (mean: number, count: number) => [1, 2, 9, 30].map((cost) => noisy(cost * mean, count));
    const intervals = Array.from({ length: 100 }, () => ratioOfMeans(run(12, 10), run(10, 8), random));
    const held = intervals.filter(({ low, high }) => low <= 1.2 && 1.2 <= high).length;
    expect(held).toBeGreaterThanOrEqual(88);
    expect(held).toBeLessThanOrEqual(99);
    expect(Math.max(...intervals.map(({ low, high }) => high - low))).toBeLessThan(0.75);
  });

  it('needs two values of each stage, and the same stages', () => {
    expect(() => ratioOfMeans([[1]], [[1, 2]], new Random(1))).toThrow(RangeError);
    expect(() =>
      ratioOfMeans(
        [[1, 2]],
        [
          [1, 2],
          [1, 2],
        ],
        new Random(1),
      ),
    ).toThrow(RangeError);
  });

  it('cuts a run into stages of equal length', () => {
    expect(stagesOf([1, 2, 3, 4, 5, 6], 3)).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(stagesOf([1, 2, 3, 4, 5], 2)).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });
});

describe('the times of equal parts', () => {
  it('are read off between two readings, and what is left over is left out', () => {
    const readings = [
      [100, 0],
      [200, 10],
      [200, 10],
      [260, 40],
      [300, 49],
    ] as const;
    expect(chunkTimes(readings, 10)).toEqual([100, 20, 20, 20]);
    expect(chunkTimes(readings, 20)).toEqual([120, 40]);
    expect(chunkTimes([], 10)).toEqual([]);
  });
});
