import type { Price } from '../price/price';
import { refusal } from './decisions.fixture';
import type { Item } from './events';
import {
  distinct,
  itemQuantity,
  MAX_EVERY,
  MAX_ITEMS,
  newItem,
  newItems,
  price,
  startGrid,
  taxFields,
  withinLimits,
  type NewItem,
} from './terms';

const from = '2026-01-01T00:00:00';
const fee: NewItem = { description: 'Base', unitPrice: '3000', timing: 'advance' };
const usage: NewItem = {
  componentKey: 'calls',
  description: 'Calls',
  kind: 'usage',
  timing: 'arrears',
  meter: { key: 'calls', aggregation: 'sum' },
  unitPrice: '1',
};
const most = `1${'0'.repeat(15)}`;
const more = `1${'0'.repeat(14)}1`;
const month = { unit: 'month', count: 1 } as const;

describe('an item', () => {
  it('is a flat fee for one each period, with nothing asked of tax, when nothing else is said', () => {
    expect(newItem(fee, from)).toStrictEqual({
      itemId: 'base',
      componentKey: 'base',
      description: 'Base',
      quantity: '1',
      every: 1,
      timing: 'advance',
      price: { model: 'flat', unitPrice: '3000' },
      taxCode: null,
      taxBehaviour: 'unspecified',
      discountable: true,
      from,
    });
    expect(newItem({ description: 'Free', timing: 'arrears' }, from).price).toEqual({ model: 'flat', unitPrice: '0' });
    expect(newItem({ ...fee, componentKey: 'seats' }, from)).toMatchObject({ itemId: 'seats', componentKey: 'seats' });
  });

  it('is what is said, in canonical form, at its limits', () => {
    const full: NewItem = {
      itemId: 'i'.repeat(100),
      componentKey: 'c'.repeat(100),
      description: 'd'.repeat(500),
      ofPlan: true,
      quantity: '2.50',
      every: MAX_EVERY,
      timing: 'arrears',
      price: { model: 'per-unit', unitPrice: '1.50' },
      taxCode: 't'.repeat(50),
      taxBehaviour: 'inclusive',
      discountable: false,
    };
    expect(newItem(full, from)).toStrictEqual({
      ...full,
      quantity: '2.5',
      price: { model: 'per-unit', unitPrice: '1.5' },
      from,
    });
  });

  it('of usage has its meter, and what becomes of its tiers where it restarts', () => {
    const item = newItem(usage, from);
    expect(item).toStrictEqual({
      itemId: 'calls',
      componentKey: 'calls',
      kind: 'usage',
      meter: { key: 'calls', event: 'calls', aggregation: 'sum' },
      description: 'Calls',
      quantity: '1',
      every: 1,
      timing: 'arrears',
      price: { model: 'flat', unitPrice: '1' },
      taxCode: null,
      taxBehaviour: 'unspecified',
      discountable: true,
      from,
    });
    expect(newItem({ ...usage, segments: 'go-on' }, from)).toStrictEqual(item);
    expect(newItem({ ...usage, segments: 'restart' }, from)).toStrictEqual({ ...item, segments: 'restart' });
    expect(newItem({ ...fee, kind: 'one-time' }, from)).toMatchObject({ kind: 'one-time', every: 1 });
  });

  const percentage: Price = { model: 'percentage', rate: '1' };
  const tiers: Price = { model: 'graduated', tiers: [{ upTo: null, unitPrice: '1' }] };
  it.each<[string, NewItem]>([
    ['invalid-text', { ...fee, componentKey: '' }],
    ['invalid-text', { ...fee, componentKey: 'c'.repeat(101), itemId: 'base' }],
    ['invalid-text', { ...fee, itemId: '' }],
    ['invalid-text', { ...fee, itemId: 'i'.repeat(101) }],
    ['invalid-text', { ...fee, description: '' }],
    ['invalid-text', { ...fee, description: 'd'.repeat(501) }],
    ['invalid-text', { ...fee, taxCode: '' }],
    ['invalid-text', { ...fee, taxCode: 't'.repeat(51) }],
    ['invalid-option', { ...fee, taxBehaviour: 'none' as 'unspecified' }],
    ['invalid-option', { ...fee, timing: 'later' as 'advance' }],
    ['invalid-option', { ...fee, kind: 'gift' as 'usage' }],
    ['negative-amount', { ...fee, quantity: '-1' }],
    ['invalid-decimal', { ...fee, quantity: 'x' }],
    ['negative-amount', { ...fee, unitPrice: '-1' }],
    ['amount-out-of-range', { ...fee, unitPrice: more }],
    ['amount-out-of-range', { ...fee, unitPrice: most, quantity: '2' }],
    ['invalid-option', { ...fee, every: 0 }],
    ['invalid-option', { ...fee, every: 1.5 }],
    ['invalid-option', { ...fee, every: MAX_EVERY + 1 }],
    ['invalid-option', { ...fee, kind: 'one-time', every: 2 }],
    ['invalid-option', { ...usage, every: 2 }],
    ['invalid-option', { ...fee, meter: { key: 'calls', aggregation: 'sum' } }],
    ['invalid-option', { ...fee, segments: 'restart' }],
    ['invalid-option', { ...usage, meter: undefined }],
    ['invalid-option', { ...usage, timing: 'advance' }],
    ['invalid-option', { ...usage, quantity: '1' }],
    ['invalid-option', { ...usage, segments: 'never' as 'restart' }],
    ['invalid-meter', { ...usage, meter: { key: '-', aggregation: 'sum' } }],
    ['invalid-price', { ...fee, price: percentage }],
    ['invalid-price', { ...fee, price: { model: 'graduated-percentage', tiers: [{ upTo: null, rate: '1' }] } }],
    ['invalid-price', { ...fee, kind: 'one-time', price: tiers }],
    ['invalid-price', { ...usage, price: percentage, meter: { key: 'calls', aggregation: 'count' } }],
    ['invalid-price', { ...usage, price: { ...percentage, freeAmount: '10', recordFee: '2' } }],
  ])('is refused with %s: %j', (code, input) => expect(refusal(() => newItem(input, from))).toBe(code));

  it.each<NewItem>([
    { ...fee, unitPrice: most },
    { ...fee, price: tiers },
    { ...usage, price: percentage },
    { ...usage, price: { ...percentage, freeAmount: '10' } },
    { ...usage, price: { ...percentage, recordFee: '2' } },
    { ...usage, price: { ...percentage, freeAmount: '10', recordFee: '2', freeRecords: 1 } },
  ])('may be %j', (input) => expect(newItem(input, from)).toMatchObject({ description: input.description }));
});

describe('items', () => {
  const named = (itemId: string, changes: Partial<NewItem> = {}) => ({
    ...fee,
    itemId,
    componentKey: itemId,
    ...changes,
  });
  const many = (n: number) => Array.from({ length: n }, (_, i) => named(`${i}`));
  const free = (key: string, freeRecords: number): NewItem => ({
    ...usage,
    componentKey: key,
    meter: { key, aggregation: 'sum' },
    price: { model: 'percentage', rate: '1', freeRecords },
  });

  it('are at most 20, each of its own id, component and meter', () => {
    expect(newItems(many(MAX_ITEMS), from)).toEqual(many(MAX_ITEMS).map((each) => newItem(each, from)));
    expect(refusal(() => newItems(many(MAX_ITEMS + 1), from))).toBe('too-many-items');
    const twice: NewItem[][] = [
      [named('a'), named('a')],
      [named('a'), named('a', { componentKey: 'b' })],
      [named('a'), named('b', { componentKey: 'a' })],
      [usage, { ...usage, componentKey: 'more' }],
    ];
    for (const items of twice) expect(refusal(() => newItems(items, from))).toBe('duplicate-component');
    const items: Item[] = [];
    expect(distinct(items)).toBe(items);
  });

  it('have at most 1,000 free records, in all', () => {
    expect(newItems([free('a', 999), free('b', 1), usage], from)).toHaveLength(3);
    expect(refusal(() => newItems([free('a', 1_000), free('b', 1)], from))).toBe('invalid-price');
  });
});

it('a quantity is a decimal that is not below zero, one by default', () => {
  expect([itemQuantity(), itemQuantity('0'), itemQuantity('2.50')]).toEqual(['1', '0', '2.5']);
  expect(refusal(() => itemQuantity('-0.1'))).toBe('negative-amount');
});

describe('what a whole period comes to', () => {
  const flat: Price = { model: 'flat', unitPrice: '1' };
  it('is at most what a line can be, as its minimum is', () => {
    const within = (input: Parameters<typeof withinLimits>[0], quantity: string) =>
      refusal(() => withinLimits(input, quantity)).replace(/^decided.*/, 'within');
    expect(within({ price: flat }, most)).toBe('within');
    expect(within({ price: flat }, more)).toBe('amount-out-of-range');
    expect(within({ price: { ...flat, minimum: most } }, '0')).toBe('within');
    expect(within({ price: { ...flat, minimum: more } }, '0')).toBe('amount-out-of-range');
    expect(within({ kind: 'usage', price: { ...flat, minimum: more } }, '1')).toBe('amount-out-of-range');
    // What usage comes to is known when it is there.
    expect(within({ kind: 'usage', price: { model: 'flat', unitPrice: `${more}0` } }, '1')).toBe('within');
    expect(within({ kind: 'usage', price: flat }, '2')).toBe('invalid-option');
  });
});

describe('the price of a line item', () => {
  it('is in canonical form with what it comes to, for one by default', () => {
    expect(price(undefined, '2.50')).toEqual({ quantity: '1', unitPrice: '2.5', net: '3' });
    expect(price('3', '999')).toEqual({ quantity: '3', unitPrice: '999', net: '2997' });
    expect(price('0', '999')).toEqual({ quantity: '0', unitPrice: '999', net: '0' });
    expect(price('1', '0')).toEqual({ quantity: '1', unitPrice: '0', net: '0' });
    expect(price('1', most).net).toBe(most);
  });

  it.each([
    ['negative-amount', '-1', '1'],
    ['negative-amount', '1', '-1'],
    ['negative-amount', '-1', '-1'],
    ['invalid-decimal', 'x', '1'],
    ['amount-out-of-range', '1', more],
  ])('is refused with %s: %s × %s', (code, quantity, unitPrice) => {
    expect(refusal(() => price(quantity, unitPrice))).toBe(code);
  });
});

it('nothing is asked of tax by default', () => {
  expect(taxFields({})).toEqual({ taxCode: null, taxBehaviour: 'unspecified', discountable: true });
  const asked = { taxCode: 'digital', taxBehaviour: 'exclusive', discountable: false } as const;
  expect(taxFields(asked)).toEqual(asked);
  expect(taxFields({ taxCode: null, taxBehaviour: 'inclusive' }).taxBehaviour).toBe('inclusive');
});

it('a grid begins with the day of the start, a day of month, or where the caller says', () => {
  const local = '2026-02-10T15:30:00';
  expect(startGrid(undefined, month, local)).toEqual({ anchor: '2026-02-10T00:00:00', interval: month });
  expect(startGrid({ dayOfMonth: 5 }, month, local)).toEqual({ anchor: '2026-02-05T00:00:00', interval: month });
  expect(startGrid({ localDateTime: local }, month, '2026-03-01T00:00:00')).toEqual({ anchor: local, interval: month });
  expect(refusal(() => startGrid({ localDateTime: '2026-02-30T00:00:00' }, month, local))).toBe(
    'invalid-local-date-time',
  );
  expect(refusal(() => startGrid(undefined, { unit: 'month', count: 0 }, local))).toBe('invalid-interval');
});
