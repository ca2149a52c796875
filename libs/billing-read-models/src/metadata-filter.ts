import { sql, type RawBuilder, type SqlBool } from 'kysely';

/** Rows whose jsonb column `metadata` has all of these keys with these values; an index serves it. */
export function metadataHas(wanted: Readonly<Record<string, string>>): RawBuilder<SqlBool> {
  return sql<SqlBool>`metadata @> ${JSON.stringify(wanted)}::jsonb`;
}
