/** The cursor of a list was not one that this list gave. */
export class InvalidCursor extends Error {
  readonly code = 'invalid-cursor';
  constructor() {
    super('The cursor is not one that this list gave: start again without it.');
  }
}

export interface PageRequest {
  /** 1 to 200; 50 when left out. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export const MAX_PAGE = 200;
const MAX_POSITION = 2n ** 63n - 1n;
const DEFAULT_PAGE = 50;

/** The number of rows to answer with, held within 1 to 200. */
export function pageSize(page: PageRequest): number {
  return Math.min(Math.max(Math.trunc(page.limit ?? DEFAULT_PAGE), 1), MAX_PAGE);
}

/** In the order in which they came, when left out, or the other way round. */
export type Order = 'oldest' | 'newest';

/** How a list goes on after a cursor: rows whose position compares so with `after`, in that direction. Throws InvalidCursor. */
export function orderOf(
  name: string,
  { cursor, order }: PageRequest & { readonly order?: Order | undefined },
): { readonly list: string; readonly after: bigint; readonly compare: '>' | '<'; readonly direction: 'asc' | 'desc' } {
  if (order !== 'newest') return { list: name, after: positionOf(name, cursor), compare: '>', direction: 'asc' };
  const list = `${name}-newest`;
  const after = cursor === undefined ? MAX_POSITION : positionOf(list, cursor);
  return { list, after, compare: '<', direction: 'desc' };
}

/** Lists are ordered by the log position of an aggregate's first event, which never changes: the cursor is the last one seen. */
export function cursorAfter(list: string, position: bigint): string {
  return Buffer.from(`${list}:${position}`).toString('base64url');
}

/** The position that a cursor of this list stands for, -1 without a cursor. Throws InvalidCursor. */
export function positionOf(list: string, cursor: string | undefined): bigint {
  if (cursor === undefined) return -1n;
  const [, name, position] = /^([a-z-]+):(\d{1,19})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (name !== list || position === undefined || BigInt(position) > MAX_POSITION) throw new InvalidCursor();
  // Base64 readers skip what they do not know; only the exact text that we gave is ours.
  if (cursorAfter(list, BigInt(position)) !== cursor) throw new InvalidCursor();
  return BigInt(position);
}

/** Cuts the one row too many off, which says whether there is a next page. */
export function pageOf<Row, View>(
  list: string,
  rows: readonly Row[],
  size: number,
  positionOfRow: (row: Row) => bigint,
  view: (row: Row) => View,
): { items: View[]; nextCursor?: string } {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(view),
    ...(rows.length > size && last !== undefined ? { nextCursor: cursorAfter(list, positionOfRow(last)) } : {}),
  };
}
