import { bookCampaign, printableBookReport } from './simulated-book';

// The whole one: npm run check:book (1,000 subscriptions, 24 months).
describe('a short book of subscriptions', () => {
  it('is clean for the auditor and for a second calculator, and what was asked for is invoiced', async () => {
    const o = { subscriptions: 16, months: 5, seed: 3, maxSeconds: 90, say: () => undefined };
    const report = await bookCampaign(o);
    const told = printableBookReport(report, o);
    expect([report.violations, told]).toEqual([[], told]);
    expect(report.subscriptions).toBe(o.subscriptions);
    expect(report.lines).toBeGreaterThan(100);
  }, 180_000);
});
