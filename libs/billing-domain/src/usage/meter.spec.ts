import { refusal } from '../subscription/decisions.fixture';
import { meter, propertyOf, reads, valueOf, type Meter, type NewMeter } from './meter';
import { usageRecord } from './record-usage';
import type { UsageRecord } from './usage-record';

const sum: NewMeter = { key: 'm', aggregation: 'sum' };
const at = '2026-01-01T00:00:00.000Z';
const record = (more: Partial<UsageRecord> = {}): UsageRecord => ({ id: 'r', event: 'm', at, ...more });

describe('a meter', () => {
  it.each<NewMeter>([
    sum,
    { key: 'A0_.:/-z', aggregation: 'max', valueProperty: 'v'.repeat(40) },
    { key: 'k'.repeat(100), event: 'e'.repeat(100), aggregation: 'count' },
    { key: 'm', aggregation: 'unique-count', uniqueProperty: 'u'.repeat(40) },
    { key: 'm', aggregation: 'latest', carry: true, late: 'refuse' },
    { key: 'm', aggregation: 'weighted-sum', carry: true, valueProperty: 'gb' },
    { key: 'm', aggregation: 'latest', filters: [{ property: 'p'.repeat(40), values: ['v'.repeat(200), 'w'] }] },
    { key: 'm', aggregation: 'count', filters: ['a', 'b'].map((property) => ({ property, values: ['x'] })) },
  ])('is kept as it is meant, and its event is its key by default: %j', (input) => {
    expect(meter(input)).toStrictEqual({ event: input.key, ...input });
  });

  it('is kept without what says nothing', () => {
    expect(meter({ ...sum, filters: [], carry: false, late: 'accept' })).toStrictEqual({ event: 'm', ...sum });
  });

  it.each<[string, NewMeter]>([
    ['invalid-text', { ...sum, key: '' }],
    ['invalid-text', { ...sum, key: 'k'.repeat(101) }],
    ['invalid-meter', { ...sum, key: '-m' }],
    ['invalid-meter', { ...sum, key: 'm m' }],
    ['invalid-meter', { ...sum, key: 'm$' }],
    ['invalid-meter', { ...sum, key: 'toString' }],
    ['invalid-meter', { ...sum, key: 'constructor' }],
    ['invalid-text', { ...sum, event: '' }],
    ['invalid-text', { ...sum, event: 'e'.repeat(101) }],
    ['invalid-option', { ...sum, aggregation: 'mean' as 'sum' }],
    ['invalid-option', { ...sum, late: 'never' as 'refuse' }],
    ['invalid-meter', { ...sum, uniqueProperty: 'user' }],
    ['invalid-meter', { key: 'm', aggregation: 'unique-count' }],
    ['invalid-text', { key: 'm', aggregation: 'unique-count', uniqueProperty: '' }],
    ['invalid-text', { key: 'm', aggregation: 'unique-count', uniqueProperty: 'u'.repeat(41) }],
    ['invalid-meter', { key: 'm', aggregation: 'unique-count', uniqueProperty: 'u', valueProperty: 'v' }],
    ['invalid-meter', { key: 'm', aggregation: 'count', valueProperty: 'v' }],
    ['invalid-text', { ...sum, valueProperty: '' }],
    ['invalid-text', { ...sum, valueProperty: 'v'.repeat(41) }],
    ['invalid-meter', { ...sum, carry: true }],
    ['invalid-meter', { key: 'm', aggregation: 'max', carry: true }],
    ['invalid-meter', { ...sum, filters: [{ property: 'a', values: [] }] }],
    ['invalid-meter', { ...sum, filters: ['1', '2'].map((value) => ({ property: 'a', values: [value] })) }],
    ['invalid-text', { ...sum, filters: [{ property: '', values: ['x'] }] }],
    ['invalid-text', { ...sum, filters: [{ property: 'p'.repeat(41), values: ['x'] }] }],
    ['invalid-text', { ...sum, filters: [{ property: 'p', values: ['x', ''] }] }],
    ['invalid-text', { ...sum, filters: [{ property: 'p', values: ['v'.repeat(201)] }] }],
  ])('is refused with %s: %j', (code, input) => expect(refusal(() => meter(input))).toBe(code));

  it('is at most 2,000 bytes as JSON', () => {
    const of = (n: number): NewMeter => ({
      ...sum,
      filters: [{ property: 'p', values: [...Array<string>(9).fill('v'.repeat(200)), 'w'.repeat(n)] }],
    });
    const room = 2_000 - Buffer.byteLength(JSON.stringify(meter(of(1)))) + 1;
    expect(Buffer.byteLength(JSON.stringify(meter(of(room))))).toBe(2_000);
    expect(refusal(() => meter(of(room + 1)))).toBe('invalid-meter');
  });
});

describe('a meter reads', () => {
  it('the records of its event, and of those the ones that pass every filter', () => {
    const of: Meter = {
      key: 'm',
      event: 'm',
      aggregation: 'count',
      filters: [
        { property: 'zone', values: ['eu', 'us'] },
        { property: 'tier', values: ['gold'] },
      ],
    };
    const passes = (properties?: Record<string, string>) => reads(of, record(properties && { properties }));
    expect(passes({ zone: 'us', tier: 'gold', more: 'x' })).toBe(true);
    expect(passes({ zone: 'us', tier: 'tin' })).toBe(false);
    expect(passes({ zone: 'ap', tier: 'gold' })).toBe(false);
    expect(passes({ tier: 'gold' })).toBe(false);
    expect(passes()).toBe(false);
    expect(reads({ key: 'm', event: 'm', aggregation: 'count' }, record())).toBe(true);
    expect(reads({ key: 'm', event: 'n', aggregation: 'count' }, record())).toBe(false);
  });

  it('a value of at most 10^15 either way, of the record or of a property', () => {
    const own: Meter = { key: 'm', event: 'm', aggregation: 'sum' };
    const most = `1${'0'.repeat(15)}`;
    expect(valueOf(own, record({ value: '1.5' }))).toBe(1_500_000_000_000n);
    expect(valueOf(own, record({ value: most }))).toBe(10n ** 27n);
    expect(valueOf(own, record({ value: `-${most}` }))).toBe(-(10n ** 27n));
    for (const value of [`${most}.000000000001`, `-${most}.000000000001`, 'x', '']) {
      expect(valueOf(own, record({ value }))).toBeUndefined();
    }
    expect(valueOf(own, record())).toBeUndefined();
    const named: Meter = { ...own, valueProperty: 'gb' };
    expect(valueOf(named, record({ value: '1', properties: { gb: '2' } }))).toBe(2_000_000_000_000n);
    expect(valueOf(named, record({ value: '1' }))).toBeUndefined();
  });

  it('a property by its own name alone', () => {
    expect(propertyOf(record({ properties: { a: '1' } }), 'a')).toBe('1');
    expect(propertyOf(record({ properties: { a: '1' } }), 'toString')).toBeUndefined();
    expect(propertyOf(record(), 'a')).toBeUndefined();
  });
});

describe('a record', () => {
  it('is kept in one form, without what says nothing', () => {
    const least = { id: 'r', event: 'm', at };
    expect(usageRecord(least)).toStrictEqual(least);
    expect(usageRecord({ ...least, value: undefined, properties: undefined })).toStrictEqual(least);
    expect(usageRecord({ ...least, value: '01.50', properties: {} })).toStrictEqual({ ...least, value: '1.5' });
    const full = { id: 'i'.repeat(100), event: 'e'.repeat(100), at, value: '-1', properties: { a: '1' } };
    expect(usageRecord(full)).toStrictEqual(full);
  });

  it.each<[string, Partial<UsageRecord>]>([
    ['invalid-text', { id: '' }],
    ['invalid-text', { id: 'i'.repeat(101) }],
    ['invalid-text', { event: '' }],
    ['invalid-text', { event: 'e'.repeat(101) }],
    ['invalid-instant', { at: '2026-01-01' }],
    ['invalid-decimal', { value: 'x' }],
    ['invalid-usage-record', { properties: { a: 'x'.repeat(4_000) } }],
  ])('is refused with %s: %j', (code, wrong) => expect(refusal(() => usageRecord(record(wrong)))).toBe(code));

  it('is at most 4,000 bytes as JSON', () => {
    const of = (n: number) => usageRecord(record({ properties: { a: 'x'.repeat(n) } }));
    const room = 4_000 - Buffer.byteLength(JSON.stringify(of(0)));
    expect(Buffer.byteLength(JSON.stringify(of(room)))).toBe(4_000);
    expect(refusal(() => of(room + 1))).toBe('invalid-usage-record');
  });
});
