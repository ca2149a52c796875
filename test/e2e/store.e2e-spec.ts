import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore, type RunningEventStore } from '@perennial/embedded-eventstore';
import { EventStore } from '@perennial/event-sourcing';
import { lineItem, monthly, Service } from '../support/app';
import { Program, runToEnd } from '../support/processes';

/** `npm run store`, as an operator meets it; a whole book is moved by `npm run check:move`. */
describe('the store command', () => {
  let service: Service;
  let directory: string;
  let other: RunningEventStore;

  beforeAll(async () => {
    service = await Service.start();
    directory = mkdtempSync(join(tmpdir(), 'perennial-store-'));
    other = await startEventStore();
    await service.setClock('2026-01-01T00:00:00Z');
    const { body } = await service.client.post('/v1/subscriptions', monthly(), 'start');
    await service.client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem('one'), 'add');
  });
  afterAll(async () => {
    await service.stop();
    await other.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const store = (args: readonly string[], env: Record<string, string> = service.surroundings) =>
    runToEnd('apps/standalone/src/store.js', args, env);

  it('backs up beside the service, refuses what is damaged or in the way, and restores', async () => {
    const file = join(directory, 'backup');
    const made = await store(['backup', file]);
    expect([made.code, made.output]).toEqual([0, expect.stringMatching(/\d+ events in \d+ streams/)]);
    expect(await store(['backup', file])).toEqual({
      code: 1,
      output: `perennial: ${file} exists and is not overwritten\n`,
    });

    const damaged = join(directory, 'damaged');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(damaged, bytes);
    const elsewhere = join(directory, 'elsewhere');
    const { EVENTSTORE_URL: _, ...rest } = service.surroundings;
    const there = { ...rest, DATA_DIR: elsewhere };
    const refused = await store(['restore', damaged], there);
    expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('its checksum is wrong')]);
    expect(existsSync(elsewhere)).toBe(false);
    expect((await store(['restore', file])).output).toContain('it must be empty');

    const restored = await store(['restore', file], there);
    expect([restored.code, restored.output]).toEqual([0, expect.stringContaining('read back and the same')]);
    expect((await store(['restore', file], there)).output).toContain('holds an event store');
    expect((await store(['check', file])).code).toBe(0);
  });

  it('copies to another server, and nothing starts on half of it', async () => {
    const { STREAM_PREFIX: prefix = '' } = service.surroundings;
    const copied = await store(['copy', '--to', other.url]);
    expect([copied.code, copied.output]).toEqual([0, expect.stringContaining('read back and the same')]);
    const again = await store(['copy', '--to', other.url]);
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('there already')]);

    await startUnfinished(other.url, prefix);
    const env = { ...service.surroundings, EVENTSTORE_URL: other.url, DATA_DIR: join(directory, 'new') };
    const program = await Program.start({ program: 'standalone', env });
    await expect(program.ready()).rejects.toThrow('the store holds an unfinished copy of somewhere');
  });

  it('is told what it takes', async () => {
    for (const args of [['copy'], ['restore', 'a', 'b']]) expect([args, (await store(args)).code]).toEqual([args, 2]);
    const missing = join(directory, 'missing');
    expect((await store(['check', missing])).code).toBe(2);
    const { EVENTSTORE_URL: _, ...rest } = service.surroundings;
    const nowhere = await store(['backup', missing], { ...rest, DATA_DIR: missing });
    expect([nowhere.code, nowhere.output]).toEqual([
      2,
      expect.stringContaining(`there is no event store in ${missing}`),
    ]);
  });
});

/** What a copy leaves that was killed. */
async function startUnfinished(url: string, prefix: string): Promise<void> {
  const store = EventStore.connect({ url });
  const data = { from: 'somewhere', at: '2026-01-01T00:00:00.000Z' };
  await store.append(`${prefix}_transfer`, [{ id: crypto.randomUUID(), type: 'TransferBegun', data }], 'any');
  await store.close();
}
