import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { startEventStore } from '@perennial/embedded-eventstore';
import { asOf, rebuildProjection, resetFeed, StoreDiverged } from '@perennial/event-sourcing';
import { balances, journal } from '../support/accounts';
import { Installation, until } from '../support/read-side';

describe('a store that is restored from an older backup', () => {
  const directory = mkdtempSync(join(tmpdir(), 'perennial-older-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const made = async (name: string) => {
    const dataDir = join(directory, name);
    const server = await startEventStore({ dataDir });
    const at = await Installation.make(server);
    const kept = randomUUID();
    await at.accounts.deposit(kept, 1, 2);
    await server.close();
    cpSync(dataDir, `${dataDir}-backup`, { recursive: true });
    const again = await startEventStore({ dataDir, port: server.port });
    await at.accounts.deposit(kept, 3);
    await at.accounts.deposit(randomUUID(), 4);
    const restore = () => startEventStore({ dataDir: `${dataDir}-backup`, port: server.port });
    const keptRow = { account: kept, events: 2n, total: '3', revision: 1n };
    return { at, server: again, restore, kept, keptRow };
  };

  it('is noticed at the start, and an embedded database is built again', async () => {
    const { at, server, restore, keptRow } = await made('at-start');
    const before = at.start();
    expect(await before.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    await before.stop();
    expect(await at.rows('account_balance')).toHaveLength(2);
    await server.close();
    const restored = await restore();
    const after = at.start();
    await until(() => after.health().status === 'ok');
    expect(await at.rows('account_balance')).toEqual([keptRow]);
    expect(await at.rows('account_journal')).toHaveLength(2);
    await at.close();
    await restored.close();
  });

  it('is noticed while running, and other databases wait for an operator', async () => {
    const { at, server, restore, kept, keptRow } = await made('running');
    const runner = at.start({ onDiverged: 'stop' });
    await until(() => runner.health().status === 'ok');
    const before = await at.rows('account_balance');
    expect(before).toHaveLength(2);
    await server.close();
    const restored = await restore();
    at.accounts.revisions.set(kept, 1n);
    await until(() => runner.health().status === 'diverged');
    expect(runner.health()).toMatchObject({ reason: expect.stringContaining('store-diverged') });
    expect(await at.rows('account_balance')).toEqual(before);
    await expect(rebuildProjection(at.context, balances)).rejects.toThrow(StoreDiverged);
    await resetFeed(at.database.db, at.at.schema, [balances, journal]);
    await until(() => runner.health().status === 'ok');
    expect(await at.rows('account_balance')).toEqual([keptRow]);
    const position = await at.accounts.deposit(kept, 10);
    expect(await runner.waitFor('account-balances', position, 30_000)).toBe(true);
    expect(await at.rows('account_balance')).toEqual([{ ...keptRow, events: 3n, total: '13', revision: 2n }]);
    expect(await asOf(at.database.db, at.at.schema, 'account-balances')).toMatchObject({ position, state: 'live' });
    await at.close();
    await restored.close();
  });
});
