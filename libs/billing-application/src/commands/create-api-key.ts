import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { apiKeyId, createApiKey, type Scope } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { formatToken, newSecret, secretHash } from '../api-key-token';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** `token` is given once: a repeat of the key, and a dry run, answer without it, for it is stored nowhere. */
export interface CreatedApiKey extends CommandResult {
  readonly token?: string;
}

/** Creates an API key of the caller's tenant; it is the id of the key, and not a secret, that derives from the idempotency key. */
export class CreateApiKey extends Command<CreatedApiKey> {
  constructor(
    readonly name: string,
    readonly scopes: readonly Scope[],
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(CreateApiKey)
export class CreateApiKeyHandler implements ICommandHandler<CreateApiKey> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ name, scopes, context }: CreateApiKey): Promise<CreatedApiKey> {
    const now = await this.clock.now();
    const { tenant } = context;
    const id = apiKeyId(tenant, context.key);
    const secret = newSecret();
    const hash = secretHash(secret);
    const change = await this.repositories.apiKeys.change(id, { ...context, now }, (key) =>
      createApiKey(key, { apiKeyId: id, tenant, name, scopes, secretHash: hash }, now),
    );
    // An append whose outcome was unknown and that turned out to be ours is ours, whatever `repeated` says.
    const ours = change.events.some(({ event }) => event.type === 'ApiKeyCreated' && event.data.secretHash === hash);
    const result = resultOf(change);
    return ours && !change.dryRun ? { ...result, token: formatToken({ apiKeyId: id, secret }) } : result;
  }
}
