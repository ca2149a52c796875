/**
 * Small runs for simulation.spec.ts, in a process of their own (PGlite does not load within jest): one seed twice, a
 * known one, and one with each planted bug. `node test/run.mjs test/simulation/planted-bugs.ts SEED` prints what came of them.
 */
import { SimulatedDatabase } from './simulated-database';
import type { Write } from './simulated-store';
import { simulate } from './simulation';

/** What a store can do wrong, or a process have it do, without anybody being told. */
const planted: Readonly<Record<string, () => Write>> = {
  'an append is acknowledged and not written': () => {
    let appends = 0;
    return (request, write) => {
      if (!request.stream.startsWith('simulated.subscription-') || (appends += 1) % 5 !== 0) return write(request);
      const revision = typeof request.expected === 'number' ? request.expected + request.events.length : 0;
      return Promise.resolve({ kind: 'written', revision, position: 64 });
    };
  },
  'the expected revision is not looked at': () => (request, write) => write({ ...request, expected: 'any' }),
};

async function main(): Promise<void> {
  const seed = Number(process.argv[2]);
  const database = await SimulatedDatabase.open();
  const run = async (of: number, write?: Write, rate?: number) => {
    const { faults, ...report } = await simulate({ seed: of, database, subscriptions: 3, years: 0.3, write, rate });
    return { ...report, faults: Object.fromEntries(faults) };
  };
  const found: Record<string, readonly string[]> = {};
  for (const [bug, write] of Object.entries(planted)) found[bug] = (await run(1, write())).violations;
  process.stdout.write(
    `${JSON.stringify({ twice: [await run(seed), await run(seed)], known: await run(7, undefined, 0.05), found })}\n`,
  );
  process.exit(0);
}

void main();
