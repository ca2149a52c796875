import { describe, expect, it } from '@jest/globals';
import { Random } from '../support/random';
import { chunkTimes, ratioOfMeans } from './interval';

describe('the interval of a ratio', () => {
  it('is a point where nothing varies', () => {
    expect(ratioOfMeans([6, 6, 6], [4, 4], new Random(1))).toEqual({ ratio: 1.5, low: 1.5, high: 1.5 });
  });

  it('holds the true ratio about as often as it says', () => {
    const random = new Random(5);
    const noisy = (mean: number) => Array.from({ length: 40 }, () => mean * (0.5 + random.next()));
    const held = Array.from({ length: 100 }, () => ratioOfMeans(noisy(12), noisy(10), random)).filter(
      ({ low, high }) => low <= 1.2 && 1.2 <= high,
    ).length;
    expect(held).toBeGreaterThanOrEqual(88);
    expect(held).toBeLessThanOrEqual(99);
  });

  it('needs two values of each', () => {
    expect(() => ratioOfMeans([1], [1, 2], new Random(1))).toThrow(RangeError);
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
