import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from '@nestjs/cqrs';
import {
  billingPolicies,
  CreateCoupon,
  rollOverElapsedPeriods,
  StartSubscription,
  type CommandResult,
  type SubscriptionTerms,
} from '@perennial/billing-application';
import {
  billingCatalogs,
  creditNoteId,
  invoiceId,
  type Line,
  type LinesBilled,
  type NewCoupon,
} from '@perennial/billing-domain';
import { PolicyRunner } from '@perennial/event-sourcing';
import { billingProcess, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger } from '../support/read-side';

/** What a subscription goes through. Times are instants. */
export interface Story {
  readonly startedAt: string;
  readonly terms: Omit<SubscriptionTerms, 'customerId'>;
  readonly steps: readonly {
    readonly at: string;
    readonly command: (subscriptionId: string) => Command<unknown>;
  }[];
  /** A coupon that is there before the start, which redeems it. */
  readonly coupon?: NewCoupon['discount'];
  /** Up to when elapsed periods are rolled over. */
  readonly until: string;
}

/** An invoice, or for a bill below zero a credit note, as its aggregate has it. */
export interface Document {
  readonly kind: 'invoice' | 'credit-note';
  readonly cause: LinesBilled['data']['cause'];
  readonly lines: readonly Line[];
}

/** The write side of the service on a store of its own: commands go in, policies run, invoices and credit notes come out. */
export class CaseBook {
  private subscriptions = 0;

  private constructor(
    private readonly at: TestEventStore,
    private readonly process: BillingProcess,
    private readonly policies: PolicyRunner,
  ) {}

  static async open(): Promise<CaseBook> {
    const at = await testEventStore();
    const process = await billingProcess(at, { time: '2000-01-01T00:00:00.000Z' });
    const policies = new PolicyRunner({
      store: process.store,
      streamPrefix: at.prefix,
      policies: billingPolicies,
      catalogs: billingCatalogs,
      dispatch: async (command) => void (await process.execute(command as Command<CommandResult>)),
      logger,
    });
    policies.start();
    return new CaseBook(at, process, policies);
  }

  async close(): Promise<void> {
    await this.policies.stop();
    await this.process.close();
    await this.at.close();
  }

  /** Plays a story with a scheduler that is never late, and gives what the customer gets, bill by bill. */
  async play({ startedAt, terms, steps, coupon, until: end }: Story): Promise<Document[]> {
    const { process } = this;
    process.clock.time = startedAt;
    const customerId = `customer-${(this.subscriptions += 1)}`;
    const couponCodes = coupon && [`C${this.subscriptions}`];
    for (const code of couponCodes ?? [])
      await process.execute(new CreateCoupon({ code, discount: coupon as NewCoupon['discount'] }, request()));
    const start = new StartSubscription({ ...terms, customerId, couponCodes }, request());
    const { aggregateId: id } = await process.execute(start);
    for (const { at, command } of steps) {
      await this.rollOver(id, at);
      process.clock.time = at;
      await process.execute(command(id));
    }
    await this.rollOver(id, end);
    const { state } = await this.load(id);
    const bills = state.status === 'none' ? 0 : state.billNumber;
    return Promise.all(Array.from({ length: bills }, (_, i) => this.document(id, i + 1)));
  }

  private async load(id: string) {
    const loaded = await this.process.repositories.subscriptions.load(id, 'default');
    if (!loaded) throw new Error(`no subscription ${id}`);
    return loaded;
  }

  private async rollOver(id: string, now: string): Promise<void> {
    for (;;) {
      const { state } = await this.load(id);
      if (state.status === 'none' || !state.openPeriod || now < state.openPeriod.endsAt) return;
      const { periodNumber, endsAt } = state.openPeriod;
      this.process.clock.time = endsAt;
      for (const command of rollOverElapsedPeriods([{ tenant: 'default', subscriptionId: id, periodNumber }]))
        await this.process.execute(command);
    }
  }

  private async document(id: string, bill: number): Promise<Document> {
    const { at, process } = this;
    const ids = { invoice: invoiceId(id, bill), 'credit-note': creditNoteId(id, bill) };
    for (;;) {
      for (const kind of ['invoice', 'credit-note'] as const) {
        for await (const { data } of process.store.read(`${at.prefix}.${kind}-${ids[kind]}`, { maxCount: 1 })) {
          const { cause, lines } = data as Omit<Document, 'kind'>;
          return { kind, cause, lines };
        }
      }
      await delay(5);
    }
  }
}
