import fc from 'fast-check';
import { checkJson } from './json-body';

const check = (text: string) => checkJson(text, JSON.parse(text));

it('lets any JSON through that was written from a value', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      fc.pre(!text.includes('\\u0000') && !/\\ud[89a-f]/i.test(text) && !/"__proto__"/.test(text));
      expect(() => check(text)).not.toThrow();
    }),
  );
});

it.each([
  ['a repeated name', '{"a":1,"a":2}'],
  ['one written in two ways', '{"a":1,"\\u0061":2}'],
  ['one deeper down', '[{"x":{"b":"\\"b\\":","b":2}}]'],
  ['NUL', '{"a":"\\u0000"}'],
  ['half of a pair', '{"a":"\\ud800x"}'],
  ['half of a pair in a name', '{"\\udc00":1}'],
  ['nesting without end', '['.repeat(40_000) + ']'.repeat(40_000)],
])('refuses %s', (_, text) => {
  expect(() => check(text)).toThrow(/body/);
});
