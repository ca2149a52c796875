import type { Config } from '@perennial/platform';
import type { Servers } from './connections';
import { CannotStart } from './run';

/** Where the servers are that a process cannot bring itself; throws CannotStart naming what is not configured. */
export function ownServers({ eventstoreUrl, databaseUrl }: Config): Servers {
  if (eventstoreUrl !== undefined && databaseUrl !== undefined) return { eventstoreUrl, databaseUrl };
  const missing = [
    ...(eventstoreUrl === undefined ? ['EVENTSTORE_URL'] : []),
    ...(databaseUrl === undefined ? ['DATABASE_URL'] : []),
  ];
  throw new CannotStart(`${missing.join(' and ')} must be set: only \`npm start\` brings servers of its own`);
}
