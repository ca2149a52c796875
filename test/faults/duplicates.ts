import { join } from 'node:path';
import type { Command } from '@nestjs/cqrs';
import {
  AddLineItem,
  billingPolicies,
  type CommandResult,
  rollOverElapsedPeriods,
  StartSubscription,
} from '@perennial/billing-application';
import { billingCatalogs } from '@perennial/billing-domain';
import { billingProjections } from '@perennial/billing-read-models';
import { startEventStore } from '@perennial/embedded-eventstore';
import {
  diffProjection,
  type EventStore,
  PolicyRunner,
  ProjectionRunner,
  type RecordedEvent,
  readPolicyPosition,
  streamNames,
} from '@perennial/event-sourcing';
import { createLogger, openDatabase } from '@perennial/platform';
import { startPostgres } from '../../libs/embedded-postgres/src';
import { billingProcess, masterKey, request } from '../support/billing-process';
import { preparePostgresDirectory } from '../support/postgres-directory';
import type { Random } from '../support/random';
import { until } from '../support/read-side';
import type { Fault, FaultOutcome, FaultRound } from './fault';
import { auditDifferences } from './oracles';

const prefix = 'perennial';
const schema = 'perennial';

/** The store as it delivers in a bad network: each event one to three times, and now and then the last few again. */
function redelivering(store: EventStore, random: Random, delivered: () => void): EventStore {
  const subscribe = async function* (o: Parameters<EventStore['subscribe']>[0]): AsyncGenerator<RecordedEvent> {
    const recent: RecordedEvent[] = [];
    for await (const event of store.subscribe(o)) {
      recent.push(event);
      if (recent.length > 10) recent.shift();
      const again = random.chance(0.03) ? recent.slice(-random.between(1, recent.length)) : [event];
      for (let time = random.between(1, 3); time > 0; time -= 1) {
        for (const each of time === 1 ? [event] : again) {
          delivered();
          yield each;
        }
      }
    }
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'subscribe') return subscribe;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const duplicateDeliveries: Fault = {
  name: 'duplicate-deliveries',
  about:
    'every event is delivered one to three times, runs of them again, and policies begin again from older positions: read models are byte for byte those of a rebuild, nothing is billed twice',
  async round({ directory, random, say }: FaultRound): Promise<FaultOutcome> {
    const violations: string[] = [];
    const logger = createLogger('silent');
    const dataDir = join(directory, 'postgres');
    await preparePostgresDirectory(dataDir);
    const server = await startEventStore();
    const postgres = await startPostgres({ dataDir });
    const database = openDatabase(postgres.url, { max: 4 });
    const process = await billingProcess(
      { url: server.url, prefix },
      { time: '2026-01-31T12:00:00.000Z', snapshotEvery: 10 },
    );
    let deliveries = 0;
    let dispatched = 0;
    const store = redelivering(process.store, random, () => (deliveries += 1));
    const context = { store, db: database.db, schema, streamPrefix: prefix, catalogs: billingCatalogs };
    const projections = new ProjectionRunner({
      ...context,
      projections: billingProjections,
      logger,
      onDiverged: 'stop',
      takeOver: true,
      heartbeatIntervalMs: 500,
    });
    const policies = () =>
      new PolicyRunner({
        store,
        streamPrefix: prefix,
        policies: billingPolicies,
        catalogs: billingCatalogs,
        dispatch: async (command) => {
          await process.execute(command as Command<CommandResult>);
          dispatched += 1;
        },
        logger,
        saveEveryMs: 20,
      });
    let runner = policies();
    try {
      projections.start();
      runner.start();
      const ids = await Promise.all(
        Array.from({ length: 3 }, async (_, n) => {
          const item = {
            description: 'Base',
            timing: n % 2 ? 'arrears' : 'advance',
            unitPrice: `${1_000 + n}`,
          } as const;
          const terms = {
            customerId: `customer-${n % 3}`,
            currency: 'USD',
            timeZone: 'Europe/Berlin',
            paymentTermsDays: 14,
            interval: { unit: 'month', count: 1 },
            item,
          } as const;
          return (await process.execute(new StartSubscription(terms, request()))).aggregateId;
        }),
      );
      for (let month = 1; month <= 3; month += 1) {
        process.clock.time = new Date(Date.UTC(2026, month + 1, 1, 12)).toISOString();
        await Promise.all(
          ids.map(async (id, n) => {
            const due = [{ tenant: 'default', subscriptionId: id, periodNumber: month }];
            await Promise.all(rollOverElapsedPeriods(due).map((each) => process.execute(each)));
            const lineItem = { lineItemId: `item-${month}`, description: 'Charge', unitPrice: `${n + 1}` };
            await process.execute(new AddLineItem(id, lineItem, request()));
          }),
        );
        if (random.chance(0.5)) continue;
        // Policies begin again from before: their position is lost, or is one of earlier.
        await runner.stop();
        const { name } = random.pick(billingPolicies);
        const position = streamNames(prefix).position(name);
        const past = await readPolicyPosition(process.store, prefix, name);
        if (past && random.chance(0.5)) await process.store.deleteStream(position);
        say(`policies begin again, ${name} from the start`);
        runner = policies();
        runner.start();
      }
      const settled = async () => {
        const head = await process.store.headPosition();
        const done = runner.status().every(({ outstanding, retrying }) => outstanding === 0 && retrying === 0);
        return (
          done && head !== undefined && (await projections.waitFor(billingProjections[0]?.name ?? '', head, 1_000))
        );
      };
      await until(settled, 120_000);
      for (const projection of billingProjections) {
        const { differing, differences } = await diffProjection({ ...context, store: process.store }, projection);
        if (differing > 0)
          violations.push(`${projection.name}: ${differing} rows differ: ${JSON.stringify(differences.slice(0, 3))}`);
      }
      const parked = runner.status().reduce((sum, { parkedStreams }) => sum + parkedStreams, 0);
      const incomplete = projections.status().reduce((sum, each) => sum + each.incomplete, 0);
      if (parked + incomplete > 0) violations.push(`${parked} streams wait for policies, ${incomplete} in read models`);
      violations.push(
        ...(await auditDifferences({
          EVENTSTORE_URL: server.url,
          DATABASE_URL: postgres.url,
          STREAM_PREFIX: prefix,
          DATABASE_SCHEMA: schema,
          PERSONAL_DATA_MASTER_KEY: masterKey,
        })),
      );
      return { violations, counts: { deliveries, commands: dispatched, subscriptions: ids.length } };
    } finally {
      await runner.stop();
      await projections.stop();
      await process.close();
      await database.close();
      await postgres.close();
      await server.close();
    }
  },
};

export const duplicates: readonly Fault[] = [duplicateDeliveries];
