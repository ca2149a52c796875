import { describe, expect, it } from '@jest/globals';
import { benchOptions } from './options';

const names = ['fold', 'memory', 'read-lag'];
const parse = (...args: string[]) => benchOptions(args, names);

describe('the options of the bench', () => {
  it('are small and the first seed unless they say otherwise', () => {
    expect(parse()).toEqual({ only: [], scale: 'small', seed: 1 });
  });

  it('name benchmarks one by one or in a list', () => {
    expect(
      parse('--only', 'fold,memory', '--only', 'read-lag', '--scale', 'full', '--seed', '7', '--json', 'a'),
    ).toEqual({ only: ['fold', 'memory', 'read-lag'], scale: 'full', seed: 7, json: 'a' });
  });

  it.each([
    [['--only', 'fold,'], 'there is no benchmark ""; there are fold, memory, read-lag'],
    [['--only', 'folds'], 'there is no benchmark "folds"; there are fold, memory, read-lag'],
    [['--scale', 'huge'], '--scale huge: it is small or full'],
    [['--seed', '4294967296'], '--seed 4294967296: it is a whole number below 4294967296'],
    [['--seed', '1e3'], '--seed 1e3: it is a whole number below 4294967296'],
    [['--json='], '--json needs a file'],
    [['--rounds', '3'], "Unknown option '--rounds'"],
  ])('%j are refused', (args, problem) => {
    expect(parse(...args)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it('ask for help', () => {
    expect(parse('--help', '--scale', 'full')).toBe('help');
  });
});
