import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { LowWaterMark } from './policy-low-water-mark';

describe('the low-water mark', () => {
  it('is always the last place before which nothing is open, whatever the order of finishing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('begin' as const), fc.nat(30)), { maxLength: 80 }),
        fc.option(fc.nat(100), { nil: undefined }),
        (steps, start) => {
          const marks = new LowWaterMark<number>(start);
          const open = new Map<number, () => void>();
          const begun: number[] = [];
          let next = 1_000;
          for (const step of steps) {
            if (step === 'begin') {
              begun.push(next);
              open.set(next, marks.begin(next));
              next += 7;
            } else {
              const place = [...open.keys()][step % Math.max(1, open.size)];
              if (place === undefined) continue;
              const finish = open.get(place)!;
              open.delete(place);
              finish();
              finish();
            }
            const firstOpen = begun.findIndex((place) => open.has(place));
            const finished = firstOpen < 0 ? begun : begun.slice(0, firstOpen);
            expect(marks.mark).toBe(finished.at(-1) ?? start);
            expect(marks.outstanding).toBe(begun.length - finished.length);
          }
        },
      ),
    );
  });
});
