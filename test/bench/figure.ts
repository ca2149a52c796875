/** What a benchmark is told: how large, from which seed, and where to say how far it is. */
export interface BenchRun {
  readonly scale: 'small' | 'full';
  readonly seed: number;
  /** Progress, for people; not part of the result. */
  readonly say: (line: string) => void;
}

/** One figure of a benchmark, beside the limit that was measured in the same run. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Of the same unit; null where there is nothing to compare with. */
  readonly limit: number | null;
  readonly limitName: string | null;
  /** The median of the pairs' ratios, so that it may differ a little from `value / limit`. */
  readonly ratio: number | null;
  /** What must hold, in words, and whether it did; absent where the figure is only reported. */
  readonly bar?: { readonly text: string; readonly met: boolean };
  /** What else was measured on the way: percentiles, counts. */
  readonly more?: Readonly<Record<string, number | string>>;
}

/** A benchmark brings up what it needs, measures and takes everything down again, also when it fails. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  run(o: BenchRun): Promise<readonly Figure[]>;
}

/** The middle value; of an even number of values the upper of the two. Throws a RangeError when there are none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new RangeError('no values');
  return middle;
}

export interface Pairs {
  readonly value: number;
  readonly limit: number;
  readonly ratio: number;
}

/**
 * Measures ours and the limit in turns, as often as said, the order changing from pair to pair: the machine's other
 * work falls on both. Gives the median of each and of the pairs' ratios.
 */
export async function interleaved(
  ours: () => Promise<number>,
  limit: () => Promise<number>,
  pairs = 5,
): Promise<Pairs> {
  const values: number[] = [];
  const limits: number[] = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    if (pair % 2 === 0) values.push(await ours());
    limits.push(await limit());
    if (pair % 2 === 1) values.push(await ours());
  }
  return {
    value: median(values),
    limit: median(limits),
    ratio: median(values.map((value, pair) => value / (limits[pair] ?? Number.NaN))),
  };
}
