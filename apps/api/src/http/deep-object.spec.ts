import { deepObjects } from './deep-object';
import { EdgeProblem } from './edge-problem';

describe('a query with names in brackets', () => {
  it('becomes objects, and what has none stays as it is', () => {
    expect(deepObjects({ 'metadata[tier]': 'gold', limit: '5', 'metadata[a b]': '', 'a[': 'x' })).toEqual({
      metadata: { tier: 'gold', 'a b': '' },
      limit: '5',
      'a[': 'x',
    });
    expect(deepObjects({ 'metadata[a]': ['1', '2'] })).toEqual({ metadata: { a: ['1', '2'] } });
  });

  it.each(['metadata[__proto__]', 'metadata[constructor]', 'constructor[x]'])('is refused for %s', (name) => {
    expect(() => deepObjects({ [name]: 'x' })).toThrow(EdgeProblem);
  });

  it('is refused when a name is both', () => {
    expect(() => deepObjects({ metadata: 'x', 'metadata[a]': 'y' })).toThrow(EdgeProblem);
  });
});
