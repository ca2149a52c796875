import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startPostgres, type EmbeddedPostgres } from '../../libs/embedded-postgres/src';

/** What global-teardown.ts has to end. */
export interface SharedPostgres {
  readonly postgres: EmbeddedPostgres;
  readonly directory: string;
}

declare global {
  var sharedPostgres: SharedPostgres | undefined;
}

const TEMPLATE = join(__dirname, '../../node_modules/.cache/perennial/postgres-0.5.14');

/** One PostgreSQL for the whole run: DATABASE_URL, or an embedded one on a copy of a directory made by the first run. */
export default async function globalSetup(): Promise<void> {
  if (process.env['DATABASE_URL']) return;
  const directory = mkdtempSync(join(tmpdir(), 'perennial-test-'));
  const dataDir = join(directory, 'postgres');
  if (existsSync(TEMPLATE)) cpSync(TEMPLATE, dataDir, { recursive: true });
  else {
    await (await startPostgres({ dataDir })).close();
    const beside = `${TEMPLATE}.${process.pid}`;
    mkdirSync(dirname(TEMPLATE), { recursive: true });
    cpSync(dataDir, beside, { recursive: true });
    if (!existsSync(TEMPLATE)) renameSync(beside, TEMPLATE);
  }
  const postgres = await startPostgres({ dataDir });
  process.env['PERENNIAL_TEST_DATABASE_URL'] = postgres.url;
  globalThis.sharedPostgres = { postgres, directory };
}
