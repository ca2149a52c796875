import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { SimulationReport } from './simulation';

type Report = Omit<SimulationReport, 'faults' | 'cpuSeconds'> & { readonly faults: Readonly<Record<string, number>> };

describe('the simulation', () => {
  const seed = randomInt(1, 1_000_000);
  let outcome: {
    readonly twice: readonly [Report, Report];
    readonly afterCrashes: readonly [Report, Report];
    readonly known: Report;
    readonly found: Readonly<Record<string, readonly (readonly string[])[]>>;
  };
  beforeAll(async () => {
    const root = join(__dirname, '../..');
    const program = ['test/run.mjs', 'test/simulation/planted-bugs.ts', String(seed)];
    const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root, maxBuffer: 1e8 });
    outcome = JSON.parse(stdout) as typeof outcome;
  });

  it('does the same for the same seed, whichever it is, and breaks no promise while things go wrong', () => {
    const [first, second] = outcome.twice;
    expect({ seed, violations: first.violations }).toEqual({ seed, violations: [] });
    expect(second).toEqual(first);
  });

  it('does the same although connections of processes that crashed in an earlier run are still open', () => {
    const [first, second] = outcome.afterCrashes;
    expect(Object.keys(first.faults)).toContain('whole database refuses');
    expect(first.crashes).toBeGreaterThan(0);
    expect(second).toEqual(first);
  });

  it('lets enough go wrong while subscriptions are billed', () => {
    expect(outcome.known.violations).toEqual([]);
    expect(outcome.known.subscriptionYears).toBeGreaterThan(0);
    expect(Object.keys(outcome.known.faults).length).toBeGreaterThan(5);
  });

  it.each([
    'an append is acknowledged and not written',
    'the expected revision is not looked at',
    'a policy stores its position before its command',
  ])('notices under every seed that %s', (bug) => {
    expect(outcome.found[bug]?.map((violations) => violations.length > 0)).toEqual([true, true, true]);
  });
});
