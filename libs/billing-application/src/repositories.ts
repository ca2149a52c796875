import {
  apiKeyType,
  couponType,
  creditNoteType,
  customerBalanceType,
  customerType,
  invoiceNumbersType,
  invoiceType,
  planType,
  subscriptionType,
  usageType,
  type ApiKey,
  type ApiKeyEvent,
  type Coupon,
  type CouponEvent,
  type CreditNote,
  type CreditNoteEvent,
  type Customer,
  type CustomerBalance,
  type CustomerBalanceEvent,
  type CustomerEvent,
  type Invoice,
  type InvoiceEvent,
  type InvoiceNumbers,
  type InvoiceNumbersEvent,
  type Plan,
  type PlanEvent,
  type Subscription,
  type SubscriptionEvent,
  type Usage,
  type UsageEvent,
} from '@perennial/billing-domain';
import { aggregateCache, AggregateRepository, type DataKeys, type RepositoryOptions } from '@perennial/event-sourcing';

/** The aggregates of billing; the only way to change one. */
export class BillingRepositories {
  readonly subscriptions: AggregateRepository<Subscription, SubscriptionEvent>;
  readonly invoices: AggregateRepository<Invoice, InvoiceEvent>;
  readonly invoiceNumbers: AggregateRepository<InvoiceNumbers, InvoiceNumbersEvent>;
  readonly creditNotes: AggregateRepository<CreditNote, CreditNoteEvent>;
  readonly customerBalances: AggregateRepository<CustomerBalance, CustomerBalanceEvent>;
  readonly usages: AggregateRepository<Usage, UsageEvent>;
  readonly plans: AggregateRepository<Plan, PlanEvent>;
  readonly customers: AggregateRepository<Customer, CustomerEvent>;
  readonly coupons: AggregateRepository<Coupon, CouponEvent>;
  readonly apiKeys: AggregateRepository<ApiKey, ApiKeyEvent>;

  /** How long one command may take in all, with the periods that it rolls over, in ms. */
  readonly timeBudgetMs: number;

  /** What personal data is sealed under. */
  readonly dataKeys: DataKeys;

  /** `cacheMaxBytes`: memory for the states of all of them that are kept between commands, 64 MiB; 0 keeps none. */
  constructor({
    cacheMaxBytes,
    ...given
  }: Omit<RepositoryOptions, 'cache'> & { readonly dataKeys: DataKeys; readonly cacheMaxBytes?: number }) {
    const options = { ...given, cache: aggregateCache(cacheMaxBytes) };
    this.dataKeys = options.dataKeys;
    this.timeBudgetMs = options.timeBudgetMs ?? 10_000;
    this.subscriptions = new AggregateRepository(subscriptionType, options);
    this.invoices = new AggregateRepository(invoiceType, options);
    this.invoiceNumbers = new AggregateRepository(invoiceNumbersType, options);
    this.creditNotes = new AggregateRepository(creditNoteType, options);
    this.customerBalances = new AggregateRepository(customerBalanceType, options);
    // One event holds up to a thousand records, so what follows a snapshot is long with a few of them.
    this.usages = new AggregateRepository(usageType, {
      ...options,
      snapshotEvery: Math.min(options.snapshotEvery ?? 100, 20),
    });
    this.plans = new AggregateRepository(planType, options);
    this.customers = new AggregateRepository(customerType, options);
    this.coupons = new AggregateRepository(couponType, options);
    this.apiKeys = new AggregateRepository(apiKeyType, options);
  }

  /** Waits for the snapshots that are being written. */
  async flushSnapshots(): Promise<void> {
    await Promise.all([
      this.subscriptions.flushSnapshots(),
      this.invoices.flushSnapshots(),
      this.invoiceNumbers.flushSnapshots(),
      this.creditNotes.flushSnapshots(),
      this.customerBalances.flushSnapshots(),
      this.usages.flushSnapshots(),
      this.plans.flushSnapshots(),
      this.customers.flushSnapshots(),
      this.coupons.flushSnapshots(),
      this.apiKeys.flushSnapshots(),
    ]);
  }
}
