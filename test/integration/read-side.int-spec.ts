import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  asOf,
  diffProjection,
  EventStore,
  type Projection,
  readFeed,
  readParked,
  rebuildProjection,
  retryParked,
} from '@perennial/event-sourcing';
import { openDatabase } from '@perennial/platform';
import { sql } from 'kysely';
import { accountEvent, balances, journal } from '../support/accounts';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { Installation, until } from '../support/read-side';
import { tcpProxy } from '../support/tcp-proxy';

describe('the projection runner', () => {
  let server: TestEventStore;
  const installations: Installation[] = [];
  const install = async () => {
    const made = await Installation.make(server);
    installations.push(made);
    return made;
  };
  beforeAll(async () => {
    server = await testEventStore();
  });
  afterAll(async () => {
    await Promise.all(installations.map((made) => made.close()));
    await server.close();
  });

  it('follows the store, states where it is and becomes healthy', async () => {
    const at = await install();
    const [a, b] = [randomUUID(), randomUUID()];
    await at.accounts.append(a, accountEvent('Opened'), accountEvent('Deposited', { amount: '5' }));
    const runner = at.start();
    expect(runner.health().status).toBe('lagging');
    await at.accounts.append(b, accountEvent('Opened'));
    const position = await at.accounts.append(a, accountEvent('Withdrawn', { amount: '7' }), accountEvent('Noise'));
    expect(await runner.waitFor('account-balances', position, 30_000)).toBe(true);
    expect(await at.rows('account_balance')).toEqual(
      [
        { account: a, events: 3n, total: '-2', revision: 2n },
        { account: b, events: 1n, total: '0', revision: 0n },
      ].sort((x, y) => (x.account < y.account ? -1 : 1)),
    );
    await until(() => runner.health().status === 'ok');
    const seen = await asOf(at.database.db, at.at.schema, 'account-balances');
    expect(seen).toMatchObject({ incomplete: 0, state: 'live' });
    expect(seen.position).toBeGreaterThanOrEqual(position);
    expect(await runner.waitFor('account-balances', position + 1_000_000n, 50)).toBe(false);
    await runner.stop();
  });

  it('applies a burst of 10,000 events while the server drops slow subscriptions, and stays healthy', async () => {
    const at = await install();
    const runner = at.start({ heartbeatIntervalMs: 300, silenceMs: 10_000 });
    await until(() => runner.health().status === 'ok');
    if (server.embedded) server.embedded.faults.dropSlowSubscriptions = true;
    const bad: unknown[] = [];
    const watching = setInterval(() => {
      if (runner.health().status !== 'ok') bad.push(runner.health());
    }, 5).unref();
    const accounts = Array.from({ length: 100 }, () => randomUUID());
    await Promise.all(accounts.map((account) => at.accounts.deposit(account, ...Array<number>(100).fill(1))));
    const written = performance.now();
    expect(await runner.waitFor('account-journal', at.accounts.position, 20_000)).toBe(true);
    const behindMs = performance.now() - written;
    await until(() => runner.status().every(({ caughtUp }) => caughtUp));
    clearInterval(watching);
    if (server.embedded) server.embedded.faults.dropSlowSubscriptions = false;
    expect(bad).toEqual([]);
    // Beside other suites on two cores a time says nothing: `npm run bench:burst` runs it alone, with the bar of 2 s.
    expect(behindMs).toBeLessThan(Number(process.env['BURST_BAR_MS'] ?? 20_000));
    expect((await at.rows('account_balance')).map(({ events, total, revision }) => [events, total, revision])).toEqual(
      accounts.map(() => [100n, '100', 99n]),
    );
    expect(await at.rows('account_journal')).toHaveLength(10_000);
    await runner.stop();
  });

  it('writes in one of two processes only, and the other takes over from one that stops or dies', async () => {
    const at = await install();
    const account = randomUUID();
    const first = at.start();
    await until(() => first.health().status === 'ok');
    const second = at.start();
    await until(() => second.health().status === 'ok');
    expect([first.health(), second.health()]).toEqual([
      { status: 'ok', role: 'active' },
      { status: 'ok', role: 'standby' },
    ]);
    await at.accounts.deposit(account, 1, 2, 3);
    expect(await second.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    await first.stop();
    await at.accounts.deposit(account, 4);
    expect(await second.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    await until(() => isDeepStrictEqual(second.health(), { status: 'ok', role: 'active' }));
    // Dies without giving the lease back: a third one takes it by force, as a restarted process with its own database.
    const third = at.start({ takeOver: true });
    await at.accounts.deposit(account, 5);
    expect(await third.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    await until(() => {
      const [a, b] = [second.health(), third.health()];
      return a.status === 'ok' && b.status === 'ok' && a.role === 'standby' && b.role === 'active';
    });
    expect(await at.rows('account_balance')).toEqual([{ account, events: 5n, total: '15', revision: 4n }]);
    await Promise.all([second.stop(), third.stop()]);
  });

  it('stops at a type that this build does not know, and a build that knows it goes on from there', async () => {
    const at = await install();
    const account = randomUUID();
    const older = at.start({ catalogs: { account: { Opened: [], Deposited: [] } } });
    await at.accounts.append(account, accountEvent('Opened'), accountEvent('Withdrawn', { amount: '3' }));
    await until(() => older.health().status === 'stopped');
    expect(older.health()).toMatchObject({ reason: expect.stringContaining('unknown event type Withdrawn') });
    expect(older.status()[0]!.state).toBe('stopped');
    await older.stop();
    expect(await at.rows('account_journal')).toHaveLength(1);
    expect(await readParked(at.database.db, at.at.schema)).toEqual([]);
    const newer = at.start();
    expect(await newer.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    expect(await at.rows('account_balance')).toEqual([{ account, events: 2n, total: '-3', revision: 1n }]);
    await newer.stop();
  });

  it('waits for a database that is away, holding a bounded number of events, and loses nothing', async () => {
    const at = await install();
    const { hostname, port } = new URL(at.at.url);
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    const through = openDatabase(at.at.url.replace(`:${port}`, `:${proxy.port}`), { max: 2, connectionTimeoutMs: 500 });
    const runner = at.start({ db: through.db });
    await until(() => runner.health().status === 'ok');
    proxy.refuse = true;
    proxy.cut();
    const accounts = Array.from({ length: 50 }, () => randomUUID());
    for (const account of accounts) await at.accounts.deposit(account, ...Array<number>(100).fill(2));
    await until(() => runner.health().status === 'lagging');
    expect(runner.status()[0]).toMatchObject({ state: 'waiting' });
    expect(runner.status()[0]!.lagEvents).toBeLessThanOrEqual(2_000);
    proxy.refuse = false;
    expect(await runner.waitFor('account-journal', at.accounts.position, 30_000)).toBe(true);
    await until(() => runner.health().status === 'ok');
    expect(await at.rows('account_journal')).toHaveLength(5_000);
    expect(await readParked(at.database.db, at.at.schema)).toEqual([]);
    await runner.stop();
    await through.close();
    await proxy.close();
  });

  it('restarts a subscription that has gone silent, and is not healthy meanwhile', async () => {
    const at = await install();
    const { hostname, port } = new URL(server.url.replace('esdb:', 'http:'));
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    const store = EventStore.connect({ url: `esdb://127.0.0.1:${proxy.port}?tls=false`, appendDeadlineMs: 300 });
    const runner = at.start({ store, heartbeatIntervalMs: 200, silenceMs: 700 });
    await until(() => runner.health().status === 'ok');
    proxy.freezeOpen();
    const account = randomUUID();
    await at.accounts.deposit(account, 1);
    await until(() => runner.health().status === 'silent');
    expect(await runner.waitFor('account-balances', at.accounts.position, 8_000)).toBe(true);
    await until(() => runner.health().status === 'ok');
    expect(await at.rows('account_balance')).toEqual([{ account, events: 1n, total: '1', revision: 0n }]);
    await runner.stop();
    await store.close();
    await proxy.close();
  });

  it('parks a poisoned event, and takes what waited when it can', async () => {
    const at = await install();
    const [a, b] = [randomUUID(), randomUUID()];
    const runner = at.start();
    await at.accounts.append(a, accountEvent('Opened'), accountEvent('Poisoned'));
    await at.accounts.deposit(a, 5);
    await at.accounts.deposit(b, 6);
    expect(await runner.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    expect(await asOf(at.database.db, at.at.schema, 'account-balances')).toMatchObject({ incomplete: 1 });
    expect(await asOf(at.database.db, at.at.schema, 'account-journal')).toMatchObject({ incomplete: 0 });
    expect(runner.status().map(({ incomplete }) => incomplete)).toEqual([1, 0]);
    const context = { ...at.context, projections: [balances, journal] };
    const parked = { projection: 'account-balances', stream: at.accounts.streamOf(a) };
    expect(await retryParked(context, { ...parked, skip: false })).toBe(false);
    expect(await retryParked(context, { ...parked, skip: true })).toBe(true);
    await at.accounts.deposit(a, 7);
    expect(await runner.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
    expect(await asOf(at.database.db, at.at.schema, 'account-balances')).toMatchObject({ incomplete: 0 });
    const rows = [
      { account: a, events: 3n, total: '12', revision: 3n },
      { account: b, events: 1n, total: '6', revision: 0n },
    ];
    expect(await at.rows('account_balance')).toEqual(rows.sort((x, y) => (x.account < y.account ? -1 : 1)));
    await expect(retryParked(context, { ...parked, skip: false })).rejects.toThrow('nothing of');
    await runner.stop();
  });

  describe('rebuild and diff', () => {
    const busy = (at: Installation) => {
      let writing = true;
      const accounts = Array.from({ length: 8 }, () => randomUUID());
      const done = Promise.all(
        accounts.map(async (account, i) => {
          for (let n = 0; writing; n++) {
            await at.accounts.deposit(account, n % 7, i);
            await delay(50);
          }
        }),
      );
      return () => {
        writing = false;
        return done;
      };
    };

    it('while writes go on: the rebuilt model equals the live one row for row at one position', async () => {
      const at = await install();
      for (let i = 0; i < 40; i++) await at.accounts.deposit(randomUUID(), ...Array<number>(50).fill(i));
      const runner = at.start();
      await until(() => runner.health().status === 'ok');
      const stop = busy(at);
      const progress: number[] = [];
      const before = (await readFeed(at.database.db, at.at.schema)).position!;
      const rebuilt = await rebuildProjection(at.context, balances, {
        onProgress: ({ events }) => progress.push(events),
      });
      expect(rebuilt.events).toBeGreaterThan(2_000);
      expect(rebuilt.position).toBeGreaterThan(before);
      expect(progress.at(-1)).toBe(rebuilt.events);
      for (const projection of [balances, journal]) {
        const diff = await diffProjection(at.context, projection);
        expect(diff).toMatchObject({ differing: 0, differences: [] });
        expect(diff.rows).toBeGreaterThan(40);
        expect(diff.position).toBeGreaterThan(rebuilt.position!);
      }
      await stop();
      expect(await runner.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
      const expected = [...at.accounts.revisions].map(([account, revision]) => [account, revision, revision + 1n]);
      expect((await at.rows('account_balance')).map((r) => [r['account'], r['revision'], r['events']])).toEqual(
        expected.sort(([x], [y]) => (x! < y! ? -1 : 1)),
      );
      expect(runner.health().status).toBe('ok');

      const table = sql.table(`${at.at.schema}.account_balance`);
      const [victim, missing] = [...at.accounts.revisions.keys()];
      await sql`update ${table} set total = total + 1 where account = ${victim}`.execute(at.database.db);
      await sql`delete from ${table} where account = ${missing}`.execute(at.database.db);
      const diff = await diffProjection(at.context, balances);
      expect(diff.differing).toBe(3);
      expect(diff.differences.map(({ side }) => side).sort()).toEqual(['live', 'replay', 'replay']);
      await rebuildProjection(at.context, balances);
      expect(await diffProjection(at.context, balances)).toMatchObject({ differing: 0 });
      await runner.stop();
    });

    it('by itself when a build has another version of a model; an older build leaves it alone from then on', async () => {
      const at = await install();
      const older = at.start();
      const account = randomUUID();
      await at.accounts.deposit(account, 1, 2);
      await until(() => older.health().status === 'ok');
      const doubled: Projection = {
        ...balances,
        version: 2,
        apply: (events, tx, schema) => balances.apply([...events, ...events], tx, schema),
      };
      const newer = at.start({ projections: [doubled, journal] });
      await at.accounts.deposit(account, 4);
      await until(() => older.health().status === 'stopped');
      await at.accounts.deposit(account, 8);
      await until(() => newer.health().status === 'ok');
      expect(await newer.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
      expect(await at.rows('account_balance')).toEqual([{ account, events: 8n, total: '30', revision: 3n }]);
      expect(await at.rows('account_journal')).toHaveLength(4);
      await Promise.all([older.stop(), newer.stop()]);
    });

    it('from nothing when the database has lost everything', async () => {
      const at = await install();
      const runner = at.start();
      await at.accounts.deposit(randomUUID(), 1, 2);
      expect(await runner.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
      const before = await at.rows('account_balance');
      await sql`drop schema ${sql.id(at.at.schema)} cascade`.execute(at.database.db);
      await until(async () => (await asOf(at.database.db, at.at.schema, 'account-balances')).position !== undefined);
      expect(await runner.waitFor('account-balances', at.accounts.position, 30_000)).toBe(true);
      expect(await at.rows('account_balance')).toEqual(before);
      await runner.stop();
    });
  });
});
