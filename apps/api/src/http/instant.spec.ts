import { canonicalInstant, isInstant } from './instant';

it.each(['2026-01-31T09:00:00Z', '2026-01-31T09:00:00.5Z', '2024-02-29T23:59:59.999Z'])('takes %s', (text) => {
  expect(isInstant(text)).toBe(true);
});

it.each([
  '2026-02-30T09:00:00Z',
  '2025-02-29T00:00:00Z',
  '2026-01-31T24:00:00Z',
  '2026-01-31T09:00:00+01:00',
  '2026-01-31T09:00:00',
  '2026-01-31',
  '0001-01-01T00:00:00Z',
  '2026-01-31T09:00:00.0001Z',
  1_700_000_000_000,
  null,
])('refuses %s', (value) => {
  expect(isInstant(value)).toBe(false);
});

it('has one form for each instant', () => {
  expect(canonicalInstant('2026-01-31T09:00:00.5Z')).toBe('2026-01-31T09:00:00.500Z');
});
