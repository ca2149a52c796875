/** What JSON.parse gives. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Whether two values are the same as JSON, in whatever order their keys stand. */
export function sameJson(a: object, b: object): boolean {
  return sorted(a) === sorted(b);
}

function sorted(value: object): string {
  const entries = (_key: string, inner: unknown): unknown =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner;
  return JSON.stringify(value, entries);
}
