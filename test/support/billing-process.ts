import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import { CommandBus, CqrsModule, type Command } from '@nestjs/cqrs';
import {
  ApiKeys,
  BillingApplicationModule,
  BillingRepositories,
  type RequestContext,
} from '@perennial/billing-application';
import { DataKeys, EventStore, parseMasterKeys } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { randomUUID } from 'node:crypto';

/** Business time that stands still until a test moves it. */
export class SetClock extends Clock {
  constructor(public time: string) {
    super();
  }
  now(): Promise<string> {
    return Promise.resolve(this.time);
  }
}

/** What a process of the service has of the write side: a connection, repositories with caches of their own, a bus. */
export interface BillingProcess {
  readonly store: EventStore;
  readonly repositories: BillingRepositories;
  readonly apiKeys: ApiKeys;
  readonly clock: SetClock;
  execute<Result>(command: Command<Result>): Promise<Result>;
  close(): Promise<void>;
}

/** The master key of all processes of the tests. */
export const masterKey = Buffer.alloc(32, 'm').toString('base64');

/** A process on that store. Two of them share nothing but the store. */
export async function billingProcess(
  { url, prefix }: { readonly url: string; readonly prefix: string },
  {
    time,
    timeBudgetMs = 60_000,
    rememberKeysForMs,
    snapshotEvery = 100,
  }: { time: string; timeBudgetMs?: number; rememberKeysForMs?: number; snapshotEvery?: number },
): Promise<BillingProcess> {
  const store = EventStore.connect({ url });
  const dataKeys = new DataKeys(store, prefix, parseMasterKeys(masterKey));
  const repositories = new BillingRepositories({ store, streamPrefix: prefix, timeBudgetMs, snapshotEvery, dataKeys });
  const apiKeys = new ApiKeys(store, prefix, rememberKeysForMs);
  const clock = new SetClock(time);

  @Module({
    imports: [CqrsModule.forRoot(), BillingApplicationModule.register({ repositories, apiKeys, clock })],
  })
  class Process {}

  const app = await NestFactory.createApplicationContext(Process, { logger: false });
  const bus = app.get(CommandBus);
  return {
    store,
    repositories,
    apiKeys,
    clock,
    execute: (command) => bus.execute(command),
    async close() {
      await app.close();
      await repositories.flushSnapshots();
      await store.close();
    },
  };
}

/** The context of a request; a key of its own unless the test names one. */
export function request(over: Partial<RequestContext> = {}): RequestContext {
  return {
    tenant: 'default',
    key: randomUUID(),
    fingerprint: 'the same content',
    principal: 'test',
    correlationId: randomUUID(),
    ...over,
  };
}
