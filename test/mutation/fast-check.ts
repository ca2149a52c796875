import fc from '../../node_modules/fast-check/lib/cjs/fast-check';

/** A mutant that fifteen examples do not find counts as survived: the score is understated, and the run ends within the hour. */
const RUNS = 15;

const assert: typeof fc.assert = ((property: fc.IRawProperty<unknown>, options: fc.Parameters<unknown> = {}) =>
  fc.assert(property, { ...options, numRuns: Math.min(options.numRuns ?? RUNS, RUNS), seed: 1 })) as typeof fc.assert;

export default { ...fc, assert };
