import { fieldChanges } from './changes';

describe('fieldChanges', () => {
  it('finds nothing between equal documents', () => {
    expect(fieldChanges({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
  });

  it('names each field that was changed, added or removed by its pointer', () => {
    expect(fieldChanges({ a: 1, b: { c: 'x', d: 2 }, 'e/f': 1 }, { a: 1, b: { c: 'y' }, g: true, 'e/f': 2 })).toEqual([
      { path: '/b/c', before: 'x', after: 'y' },
      { path: '/b/d', before: 2 },
      { path: '/e~1f', before: 1, after: 2 },
      { path: '/g', after: true },
    ]);
  });

  it('compares lines by their id, not by their place', () => {
    const [one, two] = [
      { lineId: 'one', net: '1' },
      { lineId: 'two', net: '2' },
    ];
    expect(fieldChanges({ lines: [one, two] }, { lines: [two] })).toEqual([{ path: '/lines/one', before: one }]);
    expect(fieldChanges({ lines: [one] }, { lines: [two, { ...one, net: '3' }] })).toEqual([
      { path: '/lines/one/net', before: '1', after: '3' },
      { path: '/lines/two', after: two },
    ]);
  });
});
