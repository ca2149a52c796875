import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandBus } from '@nestjs/cqrs';
import { fingerprintOf, RevokeApiKey } from '@perennial/billing-application';
import { scopes } from '@perennial/billing-domain';
import { newId } from '@perennial/platform';
import type { Connections } from '../../process/src/connections';
import { createApiKey } from '../../process/src/create-api-key';

/**
 * The key with which one begins: all scopes, tenant `default`, in DATA_DIR/api-key, readable by its owner only. Made
 * when the file is missing, or anew with `renew`, which revokes the key that it replaces.
 */
export async function ensureApiKey(
  { config, apiKeys }: Connections,
  bus: CommandBus,
  { renew }: { readonly renew: boolean },
): Promise<{ readonly path: string; readonly about: string }> {
  const path = join(config.dataDir, 'api-key');
  const known = await readKey(path);
  const holder = known === undefined ? undefined : await apiKeys.authenticate(known);
  if (holder && !renew) return { path, about: `the API key is in ${path}; for example` };
  if (known !== undefined && !renew) {
    return { path, about: `the API key in ${path} is not one of this store: start once with --new-api-key` };
  }
  const { token } = await createApiKey(bus, { tenant: 'default', name: 'first key', scopes });
  await mkdir(config.dataDir, { recursive: true });
  await writeFile(`${path}.new`, `${token}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  if (holder) {
    const key = newId();
    const content = { command: 'RevokeApiKey', apiKeyId: holder.apiKeyId };
    const context = {
      tenant: holder.tenant,
      key,
      fingerprint: fingerprintOf(content),
      principal: 'operator',
      correlationId: key,
    };
    await bus.execute(new RevokeApiKey(holder.apiKeyId, context));
  }
  return { path, about: `made an API key with all scopes and put it in ${path} (readable by you only); for example` };
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
