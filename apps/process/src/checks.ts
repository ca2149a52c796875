import { sql } from 'kysely';
import { billingProjections } from '@perennial/billing-read-models';
import { type ProjectionRunner, readTransfer } from '@perennial/event-sourcing';
import type { Connections } from './connections';
import type { Check } from './readiness';

/** How far behind the read models may be before a process that only reads them is not ready, in ms. */
const tolerableLagMs = 10_000;

/** Why nothing may run on this store yet: a copy or a restore into it is not finished. */
export async function unfinishedTransfer({ store, config }: Connections): Promise<string | undefined> {
  const note = await readTransfer(store, config.streamPrefix);
  if (note?.type !== 'TransferBegun') return undefined;
  return `the store holds an unfinished copy of ${note.data.from}, begun at ${note.data.at}: run it again to its end`;
}

/** The store answers and holds no half copy, and the database answers. */
export function connectionChecks(connections: Connections): Check[] {
  const { store, database } = connections;
  return [
    {
      name: 'event-store',
      problem: async () => {
        await store.ping();
        return unfinishedTransfer(connections);
      },
    },
    {
      name: 'database',
      problem: async () => {
        await sql`select 1`.execute(database.db);
        return undefined;
      },
    },
  ];
}

/** The read models follow the store, as the runner in this process knows by its heartbeat. */
export function runnerCheck(runner: ProjectionRunner): Check {
  return {
    name: 'read-models',
    problem: async () => {
      const health = runner.health();
      return health.status === 'ok' ? undefined : `${health.status}: ${health.reason}`;
    },
  };
}

/** The read models follow the store, as another process's runner has noted in the database. */
export function readModelsCheck({ watch }: Connections): Check {
  return {
    name: 'read-models',
    problem: async () => {
      for (const { name } of billingProjections) {
        const { state, lagMs } = await watch.asOf(name);
        if (state !== 'live') return `${name} is being built`;
        if (lagMs > tolerableLagMs) return `${name} is ${lagMs} ms behind: does a worker run?`;
      }
      return undefined;
    },
  };
}

/** The policies of this process run, when it has any. */
export function policiesCheck(worker: () => { problem(): string | undefined } | undefined): Check {
  return { name: 'policies', problem: async () => worker()?.problem() };
}
