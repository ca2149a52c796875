import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClockCannotGoBack, EventStore, StoredTestClock } from '@perennial/event-sourcing';
import { testEventStore, type TestEventStore } from '../support/eventstore';

describe('the stored test clock', () => {
  let server: TestEventStore;
  let store: EventStore;
  beforeAll(async () => {
    server = await testEventStore();
    store = EventStore.connect({ url: server.url, appendDeadlineMs: 10_000 });
  });
  afterAll(async () => {
    await store.close();
    await server.close();
  });

  it('shows real time until it is set, then stands where any process has put it, and never goes back', async () => {
    const prefix = `c${randomUUID().slice(0, 8)}`;
    const [here, there] = [new StoredTestClock(store, prefix), new StoredTestClock(store, prefix)];
    expect(Math.abs(Date.parse(await here.now()) - Date.now())).toBeLessThan(60_000);
    expect(await here.set('2026-01-31T10:00:00+01:00')).toBe('2026-01-31T09:00:00.000Z');
    expect(await there.now()).toBe('2026-01-31T09:00:00.000Z');
    expect(await there.advance(86_400_000)).toBe('2026-02-01T09:00:00.000Z');
    await expect(here.set('2026-02-01T08:59:59.999Z')).rejects.toThrow(ClockCannotGoBack);
    await expect(here.set('tomorrow')).rejects.toThrow('Invalid time');
    await expect(here.advance(-1)).rejects.toThrow('cannot go back');
    expect(await here.now()).toBe('2026-02-01T09:00:00.000Z');
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 ? here : there).advance(1_000)));
    expect(await here.now()).toBe('2026-02-01T09:00:10.000Z');
  });
});
