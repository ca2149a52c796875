import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type EmbeddedPostgres } from '../../libs/embedded-postgres/src';
import { preparePostgresDirectory } from './postgres-directory';

/** What global-teardown.ts has to end. */
export interface SharedPostgres {
  readonly postgres: EmbeddedPostgres;
  readonly directory: string;
}

declare global {
  var sharedPostgres: SharedPostgres | undefined;
}

/** One PostgreSQL for the whole run: DATABASE_URL, or an embedded one on a copy of a directory made by the first run. */
export default async function globalSetup(): Promise<void> {
  if (process.env['DATABASE_URL']) return;
  const directory = mkdtempSync(join(tmpdir(), 'perennial-test-'));
  const dataDir = join(directory, 'postgres');
  await preparePostgresDirectory(dataDir);
  const postgres = await startPostgres({ dataDir });
  process.env['PERENNIAL_TEST_DATABASE_URL'] = postgres.url;
  globalThis.sharedPostgres = { postgres, directory };
}
