import type { CommandBus } from '@nestjs/cqrs';
import { CreateApiKey, fingerprintOf } from '@perennial/billing-application';
import type { Scope } from '@perennial/billing-domain';
import { newId } from '@perennial/platform';

export interface ApiKeyWanted {
  readonly tenant: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

/** Makes an API key where no key is at hand yet to ask for one over HTTP. */
export async function createApiKey(
  bus: CommandBus,
  { tenant, name, scopes }: ApiKeyWanted,
): Promise<{ readonly apiKeyId: string; readonly token: string }> {
  const key = newId();
  const { aggregateId, token } = await bus.execute(
    new CreateApiKey(name, scopes, {
      tenant,
      key,
      fingerprint: fingerprintOf({ command: 'CreateApiKey', tenant, name, scopes }),
      principal: 'operator',
      correlationId: key,
      reason: 'made on the command line',
    }),
  );
  if (token === undefined) throw new Error('the API key was made but its secret is lost; make another one');
  return { apiKeyId: aggregateId, token };
}
