/** What a stream's `$metadata` says about truncation. Absent keys do not limit. */
export interface StreamLimits {
  maxCount?: number;
  maxAgeMs?: number;
  truncateBefore?: number;
}

export const NO_LIMITS: StreamLimits = {};

/** `$tb` of a soft-deleted stream: the largest int64. As a JSON number it reads as 2^63. */
export const SOFT_DELETED = 2 ** 63;
export const SOFT_DELETE_METADATA = Buffer.from('{"$tb":9223372036854775807}');

/** A metastream keeps only its last event. */
export const METASTREAM_LIMITS: StreamLimits = { maxCount: 1 };

export const isMetastream = (name: string): boolean => name.startsWith('$$');
export const metastreamOf = (name: string): string => `$$${name}`;

function object(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the limits from metadata; malformed JSON is no metadata, values out of range do not limit. */
export function parseLimits(json: Buffer): StreamLimits {
  const metadata = object(json);
  if (metadata === undefined) return NO_LIMITS;
  const whole = (key: string, min: number): number | undefined => {
    const value = metadata[key];
    return typeof value === 'number' && Number.isInteger(value) && value >= min ? value : undefined;
  };
  const maxCount = whole('$maxCount', 1);
  const maxAge = whole('$maxAge', 1);
  const truncateBefore = whole('$tb', 0);
  return {
    ...(maxCount === undefined ? {} : { maxCount }),
    ...(maxAge === undefined ? {} : { maxAgeMs: maxAge * 1000 }),
    ...(truncateBefore === undefined ? {} : { truncateBefore }),
  };
}

export const isSoftDeleted = (limits: StreamLimits): boolean => limits.truncateBefore === SOFT_DELETED;

/** The metadata that re-creates a soft-deleted stream from `revision` on: `$tb` is set, other keys stay. */
export function undeleted(json: Buffer, revision: number): Buffer | undefined {
  const metadata = object(json);
  return metadata === undefined ? undefined : Buffer.from(JSON.stringify({ ...metadata, $tb: revision }));
}

/** The first revision that may be read, before `$maxAge` is looked at. `last` is the stream's last revision. */
export function firstReadable(limits: StreamLimits, last: number): number {
  return Math.max(0, limits.maxCount === undefined ? 0 : last - limits.maxCount + 1, limits.truncateBefore ?? 0);
}
