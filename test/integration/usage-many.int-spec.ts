import { testEventStore } from '../support/eventstore';
import { usageCampaign } from '../usage/many-records';

/** What `npm run check:usage` does with a million records. */
describe('many usage records in one period', () => {
  it('are measured, sealed and billed to the unit, within bounds', async () => {
    const at = await testEventStore();
    try {
      const report = await usageCampaign({
        at,
        records: 6_000,
        inFlight: 2,
        seed: 7,
        timed: false,
        snapshotEvery: 2,
        say: () => undefined,
      });
      expect(report).toMatchObject({ records: 6_000, violations: [] });
      expect(report.repeats).toBeGreaterThan(0);
      expect(report.slices).toBeGreaterThan(0);
    } finally {
      await at.close();
    }
  });
});
