import { randomBytes } from 'node:crypto';
import { Pool } from 'pg';

export interface TestDatabase {
  readonly url: string;
  /** A name of its own, not yet created; dropped by close() with everything in it and in `<schema>_…` beside it. */
  readonly schema: string;
  close(): Promise<void>;
}

/** The database of this run (DATABASE_URL, else the embedded one of global-setup.ts) and a schema name for one suite. */
export async function testDatabase(): Promise<TestDatabase> {
  const url = process.env['DATABASE_URL'] ?? process.env['PERENNIAL_TEST_DATABASE_URL'];
  if (!url) throw new Error('no database: test/support/global-setup.ts has not run');
  const schema = `test_${randomBytes(6).toString('hex')}`;
  return {
    url,
    schema,
    close: async () => {
      const pool = new Pool({ connectionString: url, max: 1 });
      const { rows } = await pool.query<{ name: string }>(
        `select nspname as name from pg_catalog.pg_namespace where nspname = $1 or starts_with(nspname, $1 || '_')`,
        [schema],
      );
      for (const { name } of rows) await pool.query(`drop schema if exists "${name}" cascade`);
      await pool.end();
    },
  };
}
