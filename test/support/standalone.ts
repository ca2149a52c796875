import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The API key that a standalone has put into its data directory. */
export function apiKeyOf(dataDir: string): string {
  return readFileSync(join(dataDir, 'api-key'), 'utf8').trim();
}

/** Where the servers of the standalone that runs on this directory are. */
export function serversOf(dataDir: string): { readonly eventstoreUrl: string; readonly databaseUrl: string } {
  return JSON.parse(readFileSync(join(dataDir, 'servers.json'), 'utf8')) as ReturnType<typeof serversOf>;
}
