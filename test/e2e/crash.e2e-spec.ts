import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killStandalone } from '../faults/kills';
import { Random } from '../support/random';

/** A short round of `npm run faults -- --only kill-standalone`. */
it('keeps every acknowledged command, once, when it is killed with commands in flight', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'perennial-crash-'));
  try {
    const round = { seed: 7, random: new Random(7), directory, say: () => undefined };
    const { violations, counts } = await killStandalone(round, { kills: 2, loses: false });
    expect(violations).toEqual([]);
    expect(counts['acknowledged']).toBeGreaterThan(50);
    expect(counts['unknown']).toBeGreaterThan(20);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 180_000);
