import fc from 'fast-check';
import { propertyRuns } from '../../../../test/support/property-runs';
import type { UsageRecord } from './usage-record';
import type { NewMeter } from './meter';
import type { UsagePeriod } from './record-usage';
import { day, periodOf, UsageStream } from './usage.fixture';

/*
 * What a stream comes to after any records, repeats and changes of terms in any order, against one look at the records that it took:
 * written for this file, in whole days and hundredths, with no part of the code that it checks.
 */

const meters: readonly NewMeter[] = [
  { key: 'count', event: 'use', aggregation: 'count' },
  { key: 'eu', event: 'use', aggregation: 'count', filters: [{ property: 'region', values: ['eu', 'uk'] }] },
  { key: 'sum', event: 'use', aggregation: 'sum' },
  { key: 'max', event: 'use', aggregation: 'max' },
  { key: 'latest', event: 'use', aggregation: 'latest' },
  { key: 'level', event: 'use', aggregation: 'latest', carry: true },
  { key: 'users', event: 'use', aggregation: 'unique-count', uniqueProperty: 'user' },
  { key: 'storage', event: 'use', aggregation: 'weighted-sum' },
  { key: 'stock', event: 'use', aggregation: 'weighted-sum', carry: true },
];
const FIRST = 3;

interface Fact {
  readonly id: number;
  /** Day of the month, 1 to 30. */
  readonly on: number;
  readonly hundredths: number;
  readonly region: string;
  readonly user: string;
}

type Step =
  | { readonly kind: 'record'; readonly facts: readonly Fact[] }
  | { readonly kind: 'cut'; readonly segments: readonly Segment[] };

interface Segment {
  readonly on: number;
  readonly keys: readonly string[];
  /** Whether the free records of the sum begin anew. */
  readonly anew: boolean;
}

const fact: fc.Arbitrary<Fact> = fc.record({
  id: fc.integer({ min: 0, max: 25 }),
  on: fc.integer({ min: 1, max: 29 }),
  hundredths: fc.integer({ min: -500, max: 1_000 }),
  region: fc.constantFrom('eu', 'uk', 'us'),
  user: fc.constantFrom('anna', 'ben', 'cem', 'dora'),
});
const segments: fc.Arbitrary<readonly Segment[]> = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 2, max: 30 }), { maxLength: 3 }),
    fc.array(fc.tuple(fc.subarray(meters.map(({ key }) => key)), fc.boolean()), { minLength: 4, maxLength: 4 }),
  )
  .map(([ons, terms]) =>
    [1, ...ons.sort((a, b) => a - b)].map((on, i) => {
      const [keys, anew] = terms[i] ?? [[], false];
      return { on, keys, anew: i > 0 && anew };
    }),
  );
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('record' as const), facts: fc.array(fact, { maxLength: 8 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), segments }) },
);

const recordOf = ({ id, on, hundredths, region, user }: Fact): UsageRecord => ({
  id: `r-${`${id}`.padStart(3, '0')}`,
  event: 'use',
  at: day(on),
  value: decimal(BigInt(hundredths) * 10n ** 10n),
  properties: { region, user },
});

function decimal(trillionths: bigint): string {
  const digits = (trillionths < 0n ? -trillionths : trillionths).toString().padStart(13, '0');
  const fraction = digits.slice(-12).replace(/0+$/, '');
  const text = `${digits.slice(0, -12)}${fraction === '' ? '' : `.${fraction}`}`;
  return trillionths < 0n ? `-${text}` : text;
}

function periodWith(parts: readonly Segment[]): UsagePeriod {
  const period = periodOf(meters, { first: FIRST });
  const segments = parts.map(({ on, keys, anew }) => ({ from: day(on), meters: keys, ...(anew && { anew: ['sum'] }) }));
  return { ...period, segments };
}

/** Level and value that the period before gave on, in hundredths. */
interface Before {
  readonly level: number;
  readonly stock: number;
}

/** What each segment's meters come to, looking at all records at once. */
function naive(taken: readonly Fact[], parts: readonly Segment[], before: Before) {
  const endOf = (i: number) => parts[i + 1]?.on ?? 31;
  const partOf = ({ on }: Fact) => parts.filter((part) => part.on <= on).length - 1;
  return parts.map((part, i) => ({
    from: day(part.on),
    meters: part.keys.map((key) => {
      const has = (n: number) => parts[n]?.keys.includes(key) ?? false;
      const regions = key === 'eu' ? ['eu', 'uk'] : ['eu', 'uk', 'us'];
      const read = taken.filter((each) => has(partOf(each)) && regions.includes(each.region));
      const inOrder = [...read].sort((a, b) => a.on - b.on || a.id - b.id);
      const own = read.filter((each) => partOf(each) === i);
      const isLast = !parts.some((_, n) => n > i && has(n));
      const last = inOrder.at(-1)?.hundredths;
      const whole = (hundredths: number) => BigInt(hundredths) * 10n ** 10n;
      const atEnd = (value: bigint) => (isLast ? value : 0n);
      const quantity = (): bigint => {
        switch (key) {
          case 'count':
          case 'eu':
            return whole(100 * own.length);
          case 'sum':
            return whole(own.reduce((sum, each) => sum + each.hundredths, 0));
          case 'max':
            return atEnd(whole(read.length === 0 ? 0 : Math.max(...read.map((each) => each.hundredths))));
          case 'latest':
            return atEnd(whole(last ?? 0));
          case 'level':
            return atEnd(whole(last ?? before.level));
          case 'users':
            return atEnd(whole(100 * new Set(read.map(({ user }) => user)).size));
          default: {
            // Day by day: the level at its end, for each day of the segment.
            let hundredthDays = 0;
            for (let on = part.on; on < endOf(i); on += 1) {
              const known = read.filter((each) => each.on <= on).reduce((sum, each) => sum + each.hundredths, 0);
              hundredthDays += known + (key === 'stock' ? before.stock : 0);
            }
            const [numerator, denominator] = [whole(Math.abs(hundredthDays)), 30n];
            const rounded = (2n * numerator + denominator) / (2n * denominator);
            return hundredthDays < 0 ? -rounded : rounded;
          }
        }
      };
      const begins = parts.findLastIndex(({ anew }, n) => n <= i && anew);
      const free = inOrder.filter((each) => partOf(each) >= begins).slice(0, FIRST);
      const first = free.filter((each) => partOf(each) === i);
      return {
        meter: key,
        records: own.length,
        quantity: decimal(quantity()),
        ...(key === 'sum' && read.length > 0 && { first: first.map((each) => decimal(whole(each.hundredths))) }),
      };
    }),
  }));
}

describe('any records, repeats and changes of terms', () => {
  it('come to what one look at the records says', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 10 }),
        fc.record({ level: fc.integer({ min: 0, max: 900 }), stock: fc.integer({ min: 0, max: 900 }) }),
        (steps, before) => {
          let parts: readonly Segment[] = [{ on: 1, keys: meters.map(({ key }) => key), anew: false }];
          const stream = new UsageStream(periodWith(parts));
          const taken = new Map<number, Fact>();
          for (const each of steps) {
            if (each.kind === 'cut') {
              parts = each.segments;
              stream.cut(periodWith(parts), day(30));
              continue;
            }
            const refused = new Map<number, Fact>();
            const expected = each.facts.map((reported) => {
              const known = taken.get(reported.id) ?? refused.get(reported.id);
              if (known && JSON.stringify(known) !== JSON.stringify(reported)) return 'usage-record-exists';
              if (taken.has(reported.id)) return 'duplicate';
              const { keys = [] } = parts.filter(({ on }) => on <= reported.on).at(-1) ?? {};
              if (keys.length === 0) {
                refused.set(reported.id, reported);
                return 'meter-not-found';
              }
              taken.set(reported.id, reported);
              return 'accepted';
            });
            expect(stream.record(each.facts.map(recordOf), day(30))).toEqual(expected);
          }
          const carried = [
            { meter: 'level', at: day(0), id: 'before', value: decimal(BigInt(before.level) * 10n ** 10n) },
            { meter: 'stock', at: day(1), id: '', value: decimal(BigInt(before.stock) * 10n ** 10n) },
          ];
          const sealed = stream.seal(day(31), carried);
          const shown = sealed.segments.map(({ from, meters: of }) => ({
            from,
            meters: of.map(({ first, ...rest }) => (rest.meter === 'sum' && first ? { ...rest, first } : rest)),
          }));
          expect(shown).toEqual(naive([...taken.values()], parts, before));
          const again = [...taken.values()].map(recordOf);
          expect(stream.record(again, day(32))).toEqual(again.map(() => 'duplicate'));
        },
      ),
      propertyRuns(400),
    );
  });
});
