import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { revokeApiKey } from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { ApiKeys } from '../api-keys';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/** Revokes an API key for good: refused here at once, in other processes within the seconds that they remember keys. */
export class RevokeApiKey extends Command<CommandResult> {
  constructor(
    readonly apiKeyId: string,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(RevokeApiKey)
export class RevokeApiKeyHandler implements ICommandHandler<RevokeApiKey> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
    private readonly apiKeys: ApiKeys,
  ) {}

  async execute({ apiKeyId, context }: RevokeApiKey): Promise<CommandResult> {
    const now = await this.clock.now();
    const change = await this.repositories.apiKeys.change(apiKeyId, { ...context, now }, (key) =>
      revokeApiKey(key, now),
    );
    this.apiKeys.forget(apiKeyId);
    return resultOf(change);
  }
}
