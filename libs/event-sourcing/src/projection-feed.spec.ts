import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { openDatabase, type Database } from '@perennial/platform';
import { sql } from 'kysely';
import { accountCatalogs, accountEvent, balances, journal } from '../../../test/support/accounts';
import { testDatabase, type TestDatabase } from '../../../test/support/postgres';
import { tcpProxy } from '../../../test/support/tcp-proxy';
import type { Projection } from './projection';
import { type FeedEvent, feedReader, LeaseLost, ProjectionFeed, RevisionGap } from './projection-feed';
import { type AnyDatabase, claimFeed, createFeedTables, readFeed, readParked, resetFeed } from './projection-tables';
import { streamNames } from './streams';

const read = feedReader(streamNames('test'), accountCatalogs, [balances, journal]);
const accountIds = Array.from({ length: 4 }, () => randomUUID()).sort();

/** A log of `types` on account `n`, at positions 10, 20, ... */
function log(entries: readonly [account: number, type: string, data?: object][]): FeedEvent[] {
  const revisions = new Map<number, bigint>();
  return entries.map(([account, type, data], index) => {
    const revision = (revisions.get(account) ?? -1n) + 1n;
    revisions.set(account, revision);
    const { id, metadata, ...event } = accountEvent(type, data);
    const stream = `test.account-${accountIds[account]}`;
    return read({ stream, revision, position: BigInt(index + 1) * 10n, id, isJson: true, metadata, ...event });
  });
}

describe('a projection feed', () => {
  let at: TestDatabase;
  let database: Database;
  let db: AnyDatabase;
  beforeAll(async () => {
    at = await testDatabase();
    database = openDatabase(at.url);
    db = database.db;
    await createFeedTables(db, at.schema);
  });
  afterAll(async () => {
    await database.close();
    await at.close();
  });
  beforeEach(() => resetFeed(db, at.schema, [balances, journal]));

  const claim = async (projections: Projection[] = [balances, journal], on = db) => {
    const row = await claimFeed(on, at.schema, { owner: randomUUID(), ttlMs: 5_000, take: true });
    const feed = new ProjectionFeed({ db: on, schema: at.schema, projections, ttlMs: 5_000 }, row!);
    await feed.begin();
    return feed;
  };
  const rows = async (table: string) =>
    (
      await sql<
        Record<string, unknown>
      >`select * from ${sql.table(`${at.schema}.${table}`)} t order by t::text`.execute(db)
    ).rows;

  const some = log([
    [0, 'Opened'],
    [0, 'Deposited', { amount: '5' }],
    [1, 'Opened'],
    [0, 'Noise'],
    [0, 'Withdrawn', { amount: '2' }],
    [1, 'Deposited', { amount: '1' }],
  ]);
  const whole = [
    { account: accountIds[0], events: 3n, total: '3', revision: 3n },
    { account: accountIds[1], events: 2n, total: '1', revision: 1n },
  ];

  it('gives the same rows however the events are cut, and however often they are delivered again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(some.length), fc.nat(some.length)), { maxLength: 8 }), async (cuts) => {
        await resetFeed(db, at.schema, [balances, journal]);
        let feed = await claim();
        let reached = 0;
        for (const [back, forth] of cuts) {
          const from = Math.max(0, reached - back);
          const to = Math.min(some.length, reached + forth);
          await feed.apply(some.slice(from, to), false);
          reached = Math.max(reached, to);
          if (back % 2) feed = await claim();
        }
        await feed.apply(some.slice(reached), true);
        expect(await rows('account_balance')).toEqual(whole);
        expect(await rows('account_journal')).toHaveLength(5);
      }),
      { numRuns: 25 },
    );
  });

  it('skips a revision that comes again at another position', async () => {
    const feed = await claim();
    const again = some.map((event) => ({ ...event, position: event.position + 1_000n }));
    await feed.apply(some, true);
    await feed.apply([...again, { position: 2_000n, id: 'x' }], true);
    expect(await rows('account_balance')).toEqual(whole);
    expect(feed.position).toBe(2_000n);
  });

  it('stops at a gap, in a batch and between batches, and keeps nothing of what follows it', async () => {
    const feed = await claim();
    await feed.apply(some.slice(0, 2), false);
    const known = await readFeed(db, at.schema);
    await expect(
      feed.apply(
        some.slice(2).filter((_, i) => i !== 1),
        false,
      ),
    ).rejects.toThrow(RevisionGap);
    expect(await readFeed(db, at.schema)).toMatchObject({ position: known.position, event_id: known.event_id });
    const other = log([
      [3, 'Opened'],
      [3, 'Noise'],
      [3, 'Opened'],
    ]).map((e) => ({ ...e, position: e.position + 100n }));
    await expect(feed.apply([other[0]!, other[2]!], false)).rejects.toThrow(RevisionGap);
    expect(await rows('account_journal')).toHaveLength(2);
  });

  it('refuses what an owner writes after another has come', async () => {
    const first = await claim();
    await first.apply(some.slice(0, 2), false);
    const second = await claim();
    await expect(first.apply(some.slice(2, 4), false)).rejects.toThrow(LeaseLost);
    await expect(first.renew(true)).rejects.toThrow(LeaseLost);
    await second.apply(some, true);
    expect(await rows('account_balance')).toEqual(whole);
  });

  it('parks an event that fails twice: its stream waits in that model, the rest goes on', async () => {
    let attempts = 0;
    const picky: Projection = {
      ...journal,
      async apply(events, tx, schema) {
        if (events.some(({ event }) => event.type === 'Withdrawn')) {
          attempts++;
          await sql`select 1 / 0`.execute(tx);
        }
        await journal.apply(events, tx, schema);
      },
    };
    const poisoned = log([
      [0, 'Opened'],
      [0, 'Poisoned'],
      [1, 'Opened'],
      [0, 'Deposited', { amount: '9' }],
      [1, 'Withdrawn', { amount: '4' }],
      [1, 'Deposited', { amount: '1' }],
      [2, 'Opened'],
    ]);
    const feed = await claim([balances, picky]);
    await feed.apply(poisoned, true);
    expect(await rows('account_balance')).toEqual([
      { account: accountIds[0], events: 1n, total: '0', revision: 0n },
      { account: accountIds[1], events: 3n, total: '-3', revision: 2n },
      { account: accountIds[2], events: 1n, total: '0', revision: 0n },
    ]);
    expect((await rows('account_journal')).map(({ account, revision }) => [account, revision])).toEqual([
      [accountIds[0], 0n],
      [accountIds[0], 2n],
      [accountIds[1], 0n],
      [accountIds[2], 0n],
    ]);
    // With its batch, and twice alone.
    expect(attempts).toBe(3);
    expect(
      (await readParked(db, at.schema)).map(({ projection, revision, type }) => [projection, revision, type]),
    ).toEqual([
      ['account-balances', 1n, 'Poisoned'],
      ['account-journal', 1n, 'Withdrawn'],
    ]);
    const later = log([[2, 'Opened']]);
    await feed.apply([{ ...later[0]!, position: 500n, aggregate: { ...later[0]!.aggregate!, revision: 1n } }], true);
    expect([feed.incomplete('account-balances'), feed.incomplete('account-journal')]).toEqual([1, 1]);
    expect(feed.position).toBe(500n);
  });

  it('never parks for the database: a connection that is lost between rows and position leaves neither', async () => {
    const { hostname, port } = new URL(at.url);
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    const through = openDatabase(at.url.replace(`:${port}`, `:${proxy.port}`), { max: 1 });
    let cut = true;
    const unlucky: Projection = {
      ...balances,
      async apply(events, tx, schema) {
        await balances.apply(events, tx, schema);
        if (!cut) return;
        cut = false;
        proxy.cut();
        await sql`select 1`.execute(tx);
      },
    };
    const feed = await claim([unlucky, journal], through.db);
    await expect(feed.apply(some, true)).rejects.toThrow();
    expect(cut).toBe(false);
    expect([await rows('account_balance'), await readParked(db, at.schema)]).toEqual([[], []]);
    expect((await readFeed(db, at.schema)).position).toBeNull();
    await feed.apply(some, true);
    expect(await rows('account_balance')).toEqual(whole);
    await through.close();
    await proxy.close();
  });
});
