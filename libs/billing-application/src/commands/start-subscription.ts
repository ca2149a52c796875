import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  customerIdOf,
  customerType,
  start,
  subscriptionId,
  withCustomer,
  type LeftToCustomer,
  type StartSubscription as StartTerms,
} from '@perennial/billing-domain';
import { Clock } from '@perennial/platform';
import { resultOf, type CommandResult, type RequestContext } from '../command-result';
import { BillingRepositories } from '../repositories';

/**
 * What a subscription starts with; its id derives from the external id, else from the idempotency key. What is left out of
 * currency, time zone and payment terms is the customer's.
 */
export type SubscriptionTerms = Omit<StartTerms, 'subscriptionId' | keyof LeftToCustomer> & LeftToCustomer;

/** Starts a subscription, opens its first billing period and bills what is due in advance. */
export class StartSubscription extends Command<CommandResult> {
  constructor(
    readonly terms: SubscriptionTerms,
    readonly context: RequestContext,
  ) {
    super();
  }
}

@CommandHandler(StartSubscription)
export class StartSubscriptionHandler implements ICommandHandler<StartSubscription> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  async execute({ terms, context }: StartSubscription): Promise<CommandResult> {
    const now = await this.clock.now();
    const { externalId } = terms;
    const id = subscriptionId(context.tenant, externalId === undefined ? { key: context.key } : { externalId });
    const { tenant } = context;
    const known = await this.repositories.customers.load(customerIdOf(tenant, terms.customerId), tenant);
    const customer = known?.state ?? customerType.initial;
    const change = await this.repositories.subscriptions.change(id, { ...context, now }, (subscription) =>
      start(subscription, { ...withCustomer(customer, terms), subscriptionId: id }, now),
    );
    return resultOf(change);
  }
}
