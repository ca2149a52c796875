import * as fc from 'fast-check';
import { cursorAfter, InvalidCursor, pageOf, pageSize, positionOf } from './page';

describe('cursor', () => {
  it('gives back the position that it stands for', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (position) => {
        expect(positionOf('invoices', cursorAfter('invoices', position))).toBe(position);
      }),
    );
  });

  it('is before everything when there is none', () => {
    expect(positionOf('invoices', undefined)).toBe(-1n);
  });

  it.each([
    ['nothing', ''],
    ['no base64', '%%%'],
    ['another list', cursorAfter('streams', 5n)],
    ['more than a position can be', Buffer.from(`invoices:${2n ** 63n}`).toString('base64url')],
    ['another spelling', `${cursorAfter('invoices', 5n)}=`],
    ['SQL', Buffer.from("invoices:1' or 1=1").toString('base64url')],
  ])('refuses %s', (_, cursor) => {
    expect(() => positionOf('invoices', cursor)).toThrow(InvalidCursor);
  });

  it('refuses whatever this list did not give', () => {
    fc.assert(
      fc.property(fc.string(), (cursor) => {
        expect(() => positionOf('invoices', cursor)).toThrow(InvalidCursor);
      }),
    );
  });
});

describe('page', () => {
  it('holds the limit between 1 and 200, 50 without one', () => {
    expect([undefined, 0, 7, 201].map((limit) => pageSize({ limit }))).toEqual([50, 1, 7, 200]);
  });

  it('says that there is more only when there is', () => {
    const shown = (rows: bigint[]) => pageOf('streams', rows, 2, (row) => row, String);
    expect(shown([3n, 5n])).toEqual({ items: ['3', '5'] });
    expect(shown([3n, 5n, 9n])).toEqual({ items: ['3', '5'], nextCursor: cursorAfter('streams', 5n) });
  });
});
