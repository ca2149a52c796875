import { randomUUID } from 'node:crypto';
import { startEventStore, type RunningEventStore } from '@perennial/embedded-eventstore';

export interface TestEventStore {
  url: string;
  /** Unique to this test file; a shared store may hold other tests' streams. */
  prefix: string;
  /** The server itself when it is an embedded one (for its faults), undefined behind EVENTSTORE_URL. */
  embedded: RunningEventStore | undefined;
  close(): Promise<void>;
}

/** The store that EVENTSTORE_URL names, or an embedded one in memory and in this process. */
export async function testEventStore(): Promise<TestEventStore> {
  const prefix = `t${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const url = process.env['EVENTSTORE_URL'];
  if (url !== undefined && url !== '') return { url, prefix, embedded: undefined, close: async () => undefined };
  const embedded = await startEventStore();
  return { url: embedded.url, prefix, embedded, close: () => embedded.close() };
}
