import { killCampaign } from '../faults/kill-standalone';

/** Two rounds of what `node test/run.mjs test/faults/kill-standalone.ts` does thirty times. */
it('keeps every acknowledged command, once, when it is killed with commands in flight', async () => {
  const report = await killCampaign({
    rounds: 2,
    seed: 7,
    inFlight: 64,
    maxSeconds: 60,
    losses: false,
    say: () => undefined,
  });
  expect(report.violations).toEqual([]);
  expect(report.rounds).toBe(2);
  expect(report.acknowledged).toBeGreaterThan(50);
  expect(report.unknown).toBeGreaterThan(20);
}, 180_000);
