import { fuzzCampaign } from '../faults/fuzz-http';

/** The beginning of what `node test/run.mjs test/faults/fuzz-http.ts` does with 20,000 requests. */
it('answers whatever it is asked as its document says, never with a 5xx, and the books stay clean', async () => {
  const report = await fuzzCampaign({ requests: 6_000, seed: 7, maxSeconds: 120, say: () => undefined });
  expect(report.violations).toEqual([]);
  expect(report.missing).toEqual([]);
  expect(report.reached).toBeGreaterThan(0.4);
}, 180_000);
