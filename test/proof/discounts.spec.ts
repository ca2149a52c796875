import fc from 'fast-check';
import type { Line, SubscriptionEvent } from '@perennial/billing-domain';
import { propertyRuns } from '../support/property-runs';
import { beginningsUnder, everyRules, play, scriptsWithCoupons } from './lifecycle-model';
import { recompute } from './naive-calculator';

/* What must be true of discounts in every history, with coupons on and off, bills released, and all that changes a line. */

// Moves between zones are a matter of `lifecycle.spec.ts`.
const scripts = scriptsWithCoupons.map((script) => script.filter(({ command }) => command !== 'move'));
// The short run tries the same histories each time: what they are about is asserted at the end.
const runs = { ...propertyRuns(30), ...(process.env['PROPERTY_RUNS'] === undefined && { seed: 2 }) };
const reached = new Map<string, number>();
const count = (what: string) => reached.set(what, (reached.get(what) ?? 0) + 1);
const linesOf = (events: readonly SubscriptionEvent[]): Line[] =>
  events.flatMap((event) => (event.type === 'LinesBilled' && event.data.cause !== 'rebill' ? event.data.lines : []));

describe('discounts in any history', () => {
  it('are what a second calculator comes to, and never more than their line', () => {
    fc.assert(
      fc.property(beginningsUnder(everyRules), scripts, (beginning, script) => {
        const { events, outcomes } = play(beginning, script, 'ticks');
        outcomes.forEach(count);
        expect(recompute(events).differences.slice(0, 5)).toEqual([]);
        const lines = linesOf(events);
        const parents = new Map(lines.map(({ lineId, corrects }) => [lineId, corrects]));
        const rootOf = (id: string): string => {
          const parent = parents.get(id);
          return parent === undefined ? id : rootOf(parent);
        };
        const sums = new Map<string, { charged: bigint; discounted: bigint }>();
        for (const { lineId, net, rule, kind } of lines) {
          if (rule.discount) count(`${kind} of a discount`);
          if (rule.credit?.aboveMaximum !== undefined) count('above a maximum');
          const sum = sums.get(rootOf(lineId)) ?? { charged: 0n, discounted: 0n };
          sum[rule.discount ? 'discounted' : 'charged'] += BigInt(net);
          sums.set(rootOf(lineId), sum);
        }
        for (const { charged, discounted } of sums.values()) {
          expect(discounted <= 0n).toBe(true);
          if (discounted < 0n) expect(charged + discounted >= 0n).toBe(true);
        }
      }),
      runs,
    );
  });

  it('were tried with what they are about', () => {
    const wanted = [
      'redeem decided',
      'release decided',
      'discount of a discount',
      'correction of a discount',
      'above a maximum',
    ];
    expect(wanted.filter((what) => !reached.has(what))).toEqual([]);
    if (process.env['PROPERTY_RUNS']) process.stdout.write(`${[...reached].map(([a, b]) => `${b} ${a}`).join('\n')}\n`);
  });
});
