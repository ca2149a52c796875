import { cpSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startPostgres } from '../../libs/embedded-postgres/src';

const TEMPLATE = join(__dirname, '../../node_modules/.cache/perennial/postgres-0.5.14');

/** Puts an empty database into `dataDir`: a copy of the one that the first run made, which takes seconds. */
export async function preparePostgresDirectory(dataDir: string): Promise<void> {
  if (existsSync(TEMPLATE)) {
    cpSync(TEMPLATE, dataDir, { recursive: true });
    return;
  }
  await (await startPostgres({ dataDir })).close();
  const beside = `${TEMPLATE}.${process.pid}`;
  mkdirSync(dirname(TEMPLATE), { recursive: true });
  cpSync(dataDir, beside, { recursive: true });
  if (!existsSync(TEMPLATE)) renameSync(beside, TEMPLATE);
}
