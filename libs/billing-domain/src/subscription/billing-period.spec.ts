import { recurringLines } from './billing-period';
import { given, startOn } from './decisions.fixture';
import type { Item } from './events';
import type { StartedSubscription } from './state';

/* What the subscription's own commands cannot reach yet: several items, and items that begin or end within a period. */
describe('recurring lines', () => {
  const subscription = given(startOn('2026-01-01')) as StartedSubscription;
  const base = subscription.terms[0]?.items[0] as Item;
  const period = { gridIndex: 0, from: '2026-01-01T00:00:00', to: '2026-01-31T00:00:00' };
  const lines = (items: readonly Partial<Item>[], paidThrough: Record<string, string> = {}) =>
    recurringLines(
      { ...subscription, paidThrough },
      { change: 1, items: items.map((item) => ({ ...base, ...item })) },
      'advance',
      period,
    ).map(({ itemId, service, net, change }) => [itemId, service.from, service.to, net, change]);

  it('charge each item for the days on which it is part of the terms', () => {
    expect(
      lines([
        { itemId: 'whole' },
        { itemId: 'later', from: '2026-01-21T15:00:00' },
        { itemId: 'ended', to: '2026-01-11T00:00:00' },
        { itemId: 'over', to: '2026-01-01T00:00:00' },
        { itemId: 'arrears', timing: 'arrears' },
      ]),
    ).toEqual([
      ['whole', '2026-01-01', '2026-01-31', '3000', 1],
      ['later', '2026-01-21', '2026-01-31', '1000', 1],
      ['ended', '2026-01-01', '2026-01-11', '1000', 1],
    ]);
  });

  it('leave out what is paid, item by item, whatever the items are called', () => {
    const items = [{ itemId: 'a' }, { itemId: 'constructor' }, { itemId: 'b' }];
    expect(lines(items, { a: '2026-01-16', b: '2026-02-15' })).toEqual([
      ['a', '2026-01-16', '2026-01-31', '1500', 1],
      ['constructor', '2026-01-01', '2026-01-31', '3000', 1],
    ]);
  });
});
