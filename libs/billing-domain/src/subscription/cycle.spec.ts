import type { ClosedPeriod } from './billing-period';
import { isKept, keptSince, unbilledSince } from './cycle';
import type { Item, ItemsChanged } from './events';

/* What a subscription keeps of the time before its last closed period: here March 2026, of months from 1 January. */

const closed: ClosedPeriod = {
  periodNumber: 3,
  gridIndex: 2,
  kind: 'regular',
  from: '2026-03-01T00:00:00',
  to: '2026-04-01T00:00:00',
  startsAt: '2026-03-01T00:00:00.000Z',
  endsAt: '2026-04-01T00:00:00.000Z',
  grid: { anchor: '2026-01-01T00:00:00', interval: { unit: 'month', count: 1 } },
};
const since = (from: string) => ({ ...closed, run: { from, startsAt: `${from}.000Z` } });
const item = (itemId: string, every: number, timing: Item['timing']) => ({ itemId, every, timing }) as Item;
const terms = (...items: Item[]): ItemsChanged['data']['terms'] => [{ change: 0, from: '2026-01-01T00:00:00', items }];
const line = (itemId: string, to: string, instants?: { from: string; to: string }) =>
  ({ itemId, service: { from: '2025-12-01', to }, rule: { ...(instants && { instants }) } }) as Parameters<
    typeof isKept
  >[0];

describe('what may be unbilled', () => {
  it('of an item in arrears goes back to the start of its cycle, or of the run of periods', () => {
    expect(unbilledSince(closed, 3)).toBe('2026-03-01T00:00:00');
    expect(unbilledSince(since('2025-06-01T00:00:00'), 3)).toBe('2026-01-01T00:00:00');
    expect(unbilledSince(since('2025-06-01T00:00:00'), 2)).toBe('2026-03-01T00:00:00');
    expect(unbilledSince(since('2026-02-10T00:00:00'), 3)).toBe('2026-02-10T00:00:00');
  });

  it('goes back to the last closed period, and for long arrears to the longest of them', () => {
    const run = since('2025-01-01T00:00:00');
    expect(keptSince(terms(), run)).toBe('2026-03-01T00:00:00');
    expect(keptSince(terms(item('a', 1, 'arrears'), item('b', 12, 'advance')), run)).toBe('2026-03-01T00:00:00');
    const both = terms(item('a', 3, 'arrears'), item('b', 2, 'arrears'));
    expect(keptSince(both, run)).toBe('2026-01-01T00:00:00');
    expect(keptSince(terms(...[...both[0]!.items].reverse()), run)).toBe('2026-01-01T00:00:00');
  });
});

describe('a billed line is kept', () => {
  const run = since('2025-01-01T00:00:00');

  it('while its service ends after the start of the last closed period', () => {
    expect(isKept(line('base', '2026-03-02'), terms(), run)).toBe(true);
    expect(isKept(line('base', '2026-03-01'), terms(), run)).toBe(false);
  });

  it('by the second while its last one does, on that same date', () => {
    const until = (to: string) => ({ from: '2026-02-01T00:00:00.000Z', to });
    expect(isKept(line('base', '2026-03-01', until('2026-03-01T00:00:01.000Z')), terms(), run)).toBe(true);
    expect(isKept(line('base', '2026-03-01', until('2026-03-01T00:00:00.000Z')), terms(), run)).toBe(false);
  });

  it('of long arrears since they may be unbilled, and no longer', () => {
    const quarterly = terms(item('base', 1, 'advance'), item('audit', 3, 'arrears'));
    expect(isKept(line('audit', '2026-02-01'), quarterly, run)).toBe(true);
    expect(isKept(line('audit', '2026-01-02'), quarterly, run)).toBe(true);
    expect(isKept(line('audit', '2026-01-01'), quarterly, run)).toBe(false);
    expect(isKept(line('base', '2026-02-01'), quarterly, run)).toBe(false);
    expect(isKept(line('gone', '2026-02-01'), quarterly, run)).toBe(false);
    expect(isKept(line('audit', '2026-02-01'), terms(item('audit', 3, 'advance')), run)).toBe(false);
  });
});
