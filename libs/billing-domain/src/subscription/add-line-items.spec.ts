import { addLineItems, lineItemOutcomes, MAX_BATCH } from './add-line-items';
import { MAX_LINES_PER_PERIOD } from './billing-period';
import { given, linesOf, refusal, startOn } from './decisions.fixture';
import { notStarted, type Subscription } from './state';
import { addLineItem, rollOver, type NewLineItem } from './subscription';

const now = '2026-01-05T00:00:00.000Z';
const started = given(startOn('2026-01-01'));
const item = (lineItemId: string, more: Partial<NewLineItem> = {}): NewLineItem => ({
  lineItemId,
  description: 'Work',
  unitPrice: '250',
  ...more,
});
const none: readonly ('same' | 'other' | undefined)[] = [];
const outcomes = (state: Subscription, items: readonly NewLineItem[], remembered = none) =>
  lineItemOutcomes(
    items.map(({ lineItemId }) => lineItemId),
    addLineItems(state, items, remembered, now),
  ).map(({ lineItemId, outcome, code }) => [lineItemId, outcome, ...(code === undefined ? [] : [code])]);

describe('a batch of line items', () => {
  it('adds what single ones would add, in one event, and is billed as they are', () => {
    const items = [item('a'), item('b', { quantity: '2', service: { from: '2026-01-01', to: '2026-02-01' } })];
    const one = given(startOn('2026-01-01'), ...items.map((each) => (s: Subscription) => addLineItem(s, each, now)));
    const batch = given(startOn('2026-01-01'), (s) => addLineItems(s, items, none, now));
    expect(batch).toEqual(one);
    const boundary = '2026-01-31T00:00:00.000Z';
    expect(linesOf(rollOver(batch, 1, boundary)).map(({ net }) => net)).toEqual(['250', '500', '3000']);
    expect(addLineItems(started, items, none, now)).toHaveLength(1);
  });

  it('answers for each in the order given: added, there already, refused', () => {
    const state = given(startOn('2026-01-01'), (s) => addLineItem(s, item('known'), now));
    const items = [
      item('a'),
      item('known'),
      item('known', { unitPrice: '1' }),
      item('a'),
      item('a', { unitPrice: '1' }),
      item('far', { service: { from: '1999-01-01', to: '1999-02-01' } }),
      item('far'),
      item('old'),
      item('older'),
      item('b'),
    ];
    const remembered = items.map(({ lineItemId }) =>
      lineItemId === 'old' ? 'same' : lineItemId === 'older' ? 'other' : undefined,
    );
    expect(outcomes(state, items, remembered)).toEqual([
      ['a', 'added'],
      ['known', 'exists'],
      ['known', 'refused', 'line-item-exists'],
      ['a', 'exists'],
      ['a', 'refused', 'line-item-exists'],
      ['far', 'refused', 'invalid-service'],
      ['far', 'added'],
      ['old', 'exists'],
      ['older', 'refused', 'line-item-exists'],
      ['b', 'added'],
    ]);
  });

  it('is nothing when all exist, and an event when all are refused', () => {
    const state = given(startOn('2026-01-01'), (s) => addLineItems(s, [item('a'), item('b')], none, now));
    expect(addLineItems(state, [item('b'), item('a')], none, now)).toEqual([]);
    expect(outcomes(state, [item('b'), item('a')])).toEqual([
      ['b', 'exists'],
      ['a', 'exists'],
    ]);
    expect(outcomes(state, [item('a', { unitPrice: '1' })])).toEqual([['a', 'refused', 'line-item-exists']]);
  });

  it('is full for all that follow once it is full, by count or by bytes; what exists exists', () => {
    const some = (n: number, from: number) => Array.from({ length: n }, (_, i) => item(`item-${from + i}`));
    const nearly = given(
      startOn('2026-01-01'),
      (s) => addLineItems(s, some(MAX_BATCH, 0), none, now),
      (s) => addLineItems(s, some(MAX_LINES_PER_PERIOD - MAX_BATCH - 1, MAX_BATCH), none, now),
    );
    expect(outcomes(nearly, [item('last'), item('more'), item('item-7'), item('late')])).toEqual([
      ['last', 'added'],
      ['more', 'refused', 'billing-period-full'],
      ['item-7', 'exists'],
      ['late', 'refused', 'billing-period-full'],
    ]);
    const metadata = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`key-${i}`, 'x'.repeat(500)]));
    const large = Array.from({ length: 60 }, (_, i) => item(`large-${i}`, { metadata }));
    const made = outcomes(started, [...large, item('small')]);
    const first = made.findIndex(([, outcome]) => outcome === 'refused');
    expect(first).toBeGreaterThan(20);
    expect(made.slice(first).every(([, , code]) => code === 'billing-period-full')).toBe(true);
  });

  it('is refused as a whole when nothing can be added, or it is empty or too long', () => {
    const refused = (state: Subscription, items: readonly NewLineItem[], at = now) =>
      refusal(() => addLineItems(state, items, none, at));
    expect(refused(notStarted, [item('a')])).toBe('subscription-not-found');
    expect(refused(started, [item('a')], '2026-03-01T00:00:00.000Z')).toBe('boundary-due');
    expect(refused(started, [])).toBe('invalid-option');
    expect(
      refused(
        started,
        Array.from({ length: MAX_BATCH + 1 }, (_, i) => item(`${i}`)),
      ),
    ).toBe('invalid-option');
  });
});
