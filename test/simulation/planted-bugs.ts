/**
 * Small runs for simulation.spec.ts, in a process of their own (PGlite does not load within jest): two seeds twice, a
 * known one, and each planted bug under several seeds. `node test/run.mjs test/simulation/planted-bugs.ts SEED` prints what came of them.
 */
import { LowWaterMark } from '../../libs/event-sourcing/src/policy-low-water-mark';
import { SimulatedDatabase } from './simulated-database';
import type { Write } from './simulated-store';
import { simulate, type SimulationOptions } from './simulation';

interface Planted {
  /** What a store can do wrong, or a process have it do, without anybody being told. */
  readonly write?: () => Write;
  /** Changes the service itself; answers how to undo that. */
  readonly plant?: () => () => void;
}

const planted: Readonly<Record<string, Planted>> = {
  'an append is acknowledged and not written': {
    write: () => {
      let appends = 0;
      return (request, write) => {
        if (!request.stream.startsWith('simulated.subscription-') || (appends += 1) % 5 !== 0) return write(request);
        const revision = typeof request.expected === 'number' ? request.expected + request.events.length : 0;
        return Promise.resolve({ kind: 'written', revision, position: 64 });
      };
    },
  },
  'the expected revision is not looked at': { write: () => (request, write) => write({ ...request, expected: 'any' }) },
  'a policy stores its position before its command': {
    plant: () => {
      const begin = Object.getOwnPropertyDescriptor(LowWaterMark.prototype, 'begin')!;
      const early = function (this: LowWaterMark<unknown>, place: unknown): () => void {
        (begin.value as LowWaterMark<unknown>['begin']).call(this, place)();
        return () => undefined;
      };
      Object.defineProperty(LowWaterMark.prototype, 'begin', { ...begin, value: early });
      return () => void Object.defineProperty(LowWaterMark.prototype, 'begin', begin);
    },
  },
};
const SEEDS = [1, 2, 3];
/** Processes crash, and the whole database is away later. */
const DATABASE_AWAY = 1_004;
/** Ends at the first violation. */
const LARGER = { subscriptions: 16, years: 1, rate: 0.05 };

async function main(): Promise<void> {
  const seed = Number(process.argv[2]);
  const database = await SimulatedDatabase.open();
  const run = async (of: number, how: Partial<SimulationOptions> = {}) => {
    const {
      faults,
      cpuSeconds: _,
      ...report
    } = await simulate({ seed: of, database, subscriptions: 4, years: 0.4, ...how });
    return { ...report, faults: Object.fromEntries(faults) };
  };
  // Before the bugs: a run that ends at a violation leaves its processes as they were.
  const twice = [await run(seed), await run(seed)];
  const afterCrashes = [await run(DATABASE_AWAY), await run(DATABASE_AWAY)];
  const known = await run(7, { rate: 0.05 });
  const found: Record<string, readonly (readonly string[])[]> = {};
  for (const [bug, { write, plant }] of Object.entries(planted)) {
    const undo = plant?.();
    const violations = [];
    for (const each of SEEDS) violations.push((await run(each, { ...LARGER, write: write?.() })).violations);
    found[bug] = violations;
    undo?.();
  }
  process.stdout.write(`${JSON.stringify({ twice, afterCrashes, known, found })}\n`);
  process.exit(0);
}

void main();
