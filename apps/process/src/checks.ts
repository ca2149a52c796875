import { sql } from 'kysely';
import { billingProjections } from '@perennial/billing-read-models';
import type { ProjectionRunner } from '@perennial/event-sourcing';
import type { Connections } from './connections';
import type { Check } from './readiness';

/** How far behind the read models may be before a process that only reads them is not ready, in ms. */
const tolerableLagMs = 10_000;

/** The store answers, and the database answers. */
export function connectionChecks({ store, database }: Connections): Check[] {
  return [
    {
      name: 'event-store',
      problem: async () => {
        await store.ping();
        return undefined;
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
