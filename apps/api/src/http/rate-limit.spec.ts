import { RateLimit } from './rate-limit';

it('allows the burst, then as many as flow in, for each name apart', () => {
  let now = 0;
  const limit = new RateLimit(2, 3, () => now);
  expect([1, 2, 3].map(() => limit.take('a'))).toEqual([0, 0, 0]);
  expect(limit.take('a')).toBe(1);
  expect(limit.take('b')).toBe(0);
  now += 500;
  expect([limit.take('a'), limit.take('a')]).toEqual([0, 1]);
  now += 3_600_000;
  expect([1, 2, 3, 4].map(() => limit.take('a'))).toEqual([0, 0, 0, 1]);
});

it('names whole seconds to wait when tokens come slower than one a second', () => {
  const limit = new RateLimit(0.1, 1, () => 0);
  expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBe(10);
});
