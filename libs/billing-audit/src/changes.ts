import type { JsonValue } from '@perennial/event-sourcing';

/** One field that differs between two JSON documents; a side is absent where the field does not exist there. */
export interface FieldChange {
  /** JSON Pointer (RFC 6901). */
  readonly path: string;
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

/**
 * What changed from one JSON document to another, field by field in the order of the pointers. Elements of an array
 * that all carry the same identifying field (such as `lineId`) are compared by it, others by their place.
 */
export function fieldChanges(before: JsonValue | undefined, after: JsonValue | undefined, path = ''): FieldChange[] {
  if (before === after) return [];
  if (Array.isArray(before) && Array.isArray(after))
    return entryChanges(asEntries(before as JsonValue[]), asEntries(after as JsonValue[]), path);
  if (isObject(before) && isObject(after)) return entryChanges(before, after, path);
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

type Entries = Readonly<Record<string, JsonValue>>;

function entryChanges(before: Entries, after: Entries, path: string): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) =>
    fieldChanges(before[name], after[name], `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
}

const identifying = ['lineId', 'itemId', 'lineItemId'];

function asEntries(values: readonly JsonValue[]): Entries {
  const by = identifying.find((field) => values.every((value) => isObject(value) && typeof value[field] === 'string'));
  return Object.fromEntries(
    values.map((value, index) => [by && isObject(value) ? (value[by] as string) : String(index), value]),
  );
}

function isObject(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
