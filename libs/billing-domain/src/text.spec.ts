import { sameJson } from './json';
import { patched } from './metadata';
import { refusal } from './subscription/decisions.fixture';
import { encodedBytes, metadata, oneOf, paymentTermsDays, text } from './text';

const controls = ['\u0000', '\u0008', '\u000b', '\u000c', '\u000e', '\u001f', '\u007f'];
const spacing = ['\t', '\n', '\r'];
const halves = ['\ud83d', '\ude00'];

describe('a text', () => {
  it.each(['a', ' ', 'Straße, 東京 😀', 'x'.repeat(10), '\u0080'])('is kept as it is: %j', (value) => {
    expect(text('name', value, 10 + value.length)).toBe(value);
  });

  it('is at most as long as it may be, and never empty', () => {
    expect(text('name', 'x'.repeat(10), 10)).toBe('x'.repeat(10));
    expect(refusal(() => text('name', 'x'.repeat(11), 10))).toBe('invalid-text');
    expect(refusal(() => text('name', '', 10))).toBe('invalid-text');
  });

  it.each([...controls, ...spacing, ...halves])('holds no %j, wherever it stands', (character) => {
    for (const value of [character, `a${character}`, `${character}a`, `a${character}a`]) {
      expect(refusal(() => text('name', value, 10))).toBe('invalid-text');
    }
  });

  it.each([5, null, undefined, ['a'], { length: 1 }])('is a text and not %j', (value) => {
    expect(refusal(() => text('name', value as string, 10))).toBe('invalid-text');
  });
});

describe('metadata', () => {
  const keys = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`key-${i}`, '']));

  it('is none by default', () => expect(metadata()).toEqual({}));

  it.each<Record<string, string>>([
    { a: '' },
    { ['k'.repeat(40)]: 'v'.repeat(500) },
    { note: 'first line\r\n\tsecond' },
    keys(50),
  ])('is kept as it is: %j', (value) => expect(metadata(value)).toEqual(value));

  it.each<Record<string, unknown>>([
    { '': 'v' },
    { ['k'.repeat(41)]: 'v' },
    { a: 'v'.repeat(501) },
    { a: 'v', b: 5 },
    { a: null },
    { a: ['v'] },
    { a: 'v', 'b\n': 'v' },
    keys(51),
  ])('is refused: %j', (value) => {
    expect(refusal(() => metadata(value as Record<string, string>))).toBe('invalid-metadata');
  });

  it.each([...controls, ...halves])('holds no %j', (character) => {
    expect(refusal(() => metadata({ a: `v${character}` }))).toBe('invalid-metadata');
    expect(refusal(() => metadata({ [`a${character}`]: 'v' }))).toBe('invalid-metadata');
  });

  it('is changed by name: set, replaced, taken away; nothing when it is so', () => {
    const before = { a: '1', b: '2' };
    expect(patched(before, { b: '3', c: '4' })).toEqual({ a: '1', b: '3', c: '4' });
    expect(patched(before, { a: null })).toEqual({ b: '2' });
    for (const same of [{}, { a: '1' }, { b: '2', a: '1' }, { gone: null }]) {
      expect(patched(before, same)).toBeUndefined();
    }
    expect(before).toEqual({ a: '1', b: '2' });
  });

  it('has at most 50 keys and 8,000 bytes after a change, whatever the change itself has', () => {
    expect(patched(keys(50), { 'key-0': null, other: '' })).toEqual({ ...keys(50), 'key-0': undefined, other: '' });
    expect(refusal(() => patched(keys(50), { other: '' }))).toBe('invalid-metadata');
    const large = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`key-${i}`, 'v'.repeat(500)]));
    const left = 8_000 - encodedBytes({ ...large, z: '' });
    expect(patched(large, { z: 'v'.repeat(left) })).toEqual({ ...large, z: 'v'.repeat(left) });
    expect(refusal(() => patched(large, { z: 'v'.repeat(left + 1) }))).toBe('invalid-metadata');
  });
});

it('counts days of payment terms from 0 to 365, none by default', () => {
  expect([undefined, 0, 30, 365].map((days) => paymentTermsDays(days))).toEqual([0, 0, 30, 365]);
  for (const days of [-1, 366, 0.5, NaN, '30' as unknown as number]) {
    expect(refusal(() => paymentTermsDays(days))).toBe('invalid-payment-terms');
  }
});

it('takes one of the values that an option has', () => {
  expect(oneOf('timing', 'advance', ['advance', 'arrears'])).toBe('advance');
  expect(refusal(() => oneOf<string>('timing', 'later', ['advance', 'arrears']))).toBe('invalid-option');
});

it('counts bytes as they are stored: JSON in UTF-8', () => {
  expect([encodedBytes(''), encodedBytes('a"'), encodedBytes('ß€😀'), encodedBytes({ a: [1] })]).toEqual([2, 5, 11, 9]);
});

it('tells whether two values are the same as JSON, in whatever order their keys stand', () => {
  expect(sameJson({ a: 1, b: { d: [1, 2], c: null } }, { b: { c: null, d: [1, 2] }, a: 1 })).toBe(true);
  expect(sameJson({ b: 1, a: 2, c: 3 }, { c: 3, a: 2, b: 1 })).toBe(true);
  for (const other of [{ a: [2, 1] }, { a: [1] }, { a: [1, 2], b: null }, { b: [1, 2] }, {}]) {
    expect(sameJson({ a: [1, 2] }, other)).toBe(false);
  }
  expect(sameJson([1, 2], [2, 1])).toBe(false);
  expect(sameJson({ a: undefined }, {})).toBe(true);
});
