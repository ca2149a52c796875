import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { tcpProxy } from '../../../test/support/tcp-proxy';
import { testDatabase, type TestDatabase } from '../../../test/support/postgres';
import { openDatabase, pipelinedTransaction, readAtOnce, type Database } from './database';

describe('openDatabase', () => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await testDatabase();
    database = openDatabase(test.url);
  });
  afterAll(async () => {
    await database.close();
    await test.close();
  });

  it('gives the same values whichever PostgreSQL answers', async () => {
    const { rows } = await sql`select
      9223372036854775807::int8 as int8,
      count(*) as count,
      array[1, 9007199254740993]::int8[] as int8s,
      12.3400::numeric as numeric,
      sum(1::int8) as sum,
      date '2026-01-31' as date,
      timestamptz '2026-01-31 09:00:00.123456+05:30' as instant,
      timestamptz '2026-01-31 09:00:00-05' as whole,
      '{"amount":"1999","list":[1]}'::jsonb as jsonb,
      '[true,null]'::json as json,
      true as flag,
      7::int4 as int4`.execute(database.db);
    expect(rows).toEqual([
      {
        int8: 9223372036854775807n,
        count: 1n,
        int8s: [1n, 9007199254740993n],
        numeric: '12.3400',
        sum: '1',
        date: '2026-01-31',
        instant: '2026-01-31T03:30:00.123Z',
        whole: '2026-01-31T14:00:00.000Z',
        jsonb: { amount: '1999', list: [1] },
        json: [true, null],
        flag: true,
        int4: 7,
      },
    ]);
  });

  it('takes bigint, arrays and JSON as parameters', async () => {
    const { rows } = await sql`select ${9007199254740993n}::int8 as big,
      (select sum(x) from unnest(${[1n, 2n]}::int8[]) x) as sum,
      ${JSON.stringify({ a: 1 })}::jsonb as json,
      ${'2026-01-31T09:00:00.000Z'}::timestamptz as instant`.execute(database.db);
    expect(rows).toEqual([{ big: 9007199254740993n, sum: '3', json: { a: 1 }, instant: '2026-01-31T09:00:00.000Z' }]);
  });

  it('reads at one snapshot, and goes on after a query that fails', async () => {
    const { db } = database;
    const at = sql<{ at: string; isolation: string }>`select pg_current_snapshot()::text as at,
      current_setting('transaction_isolation') as isolation`.compile(db);
    const [[first], [second]] = await readAtOnce(db, [at, at]);
    expect(first?.isolation).toBe('repeatable read');
    expect(second).toEqual(first);
    const wrong = sql<{ one: number }>`select 1 / 0 as one`.compile(db);
    await expect(readAtOnce(db, [at, wrong, at])).rejects.toThrow('division by zero');
    expect((await readAtOnce(db, [at]))[0]).toHaveLength(1);
    const { rows } = await sql`select current_setting('transaction_isolation') as isolation`.execute(db);
    expect(rows).toEqual([{ isolation: 'read committed' }]);
  });

  it('keeps what a transaction of statements sent together wrote, or none of it', async () => {
    const { db } = database;
    const kept = sql.table(`${test.schema}.kept`);
    await sql`create schema ${sql.id(test.schema)}`.execute(db);
    await sql`create table ${kept} (n int4 primary key)`.execute(db);
    const write = (numbers: readonly number[]) =>
      pipelinedTransaction(db, async (tx) => {
        const written = numbers.map((n) => sql`insert into ${kept} values (${n})`.execute(tx));
        await Promise.allSettled(written);
        await Promise.all(written);
      });
    await write([1, 2]);
    await expect(write([3, 2, 4])).rejects.toThrow('duplicate key');
    expect((await sql`select n from ${kept} order by n`.execute(db)).rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('does not use a connection again that has left a query unanswered', async () => {
    const { hostname, port } = new URL(test.url);
    const proxy = await tcpProxy({ host: hostname, port: Number(port) });
    const url = test.url.replace(`:${port}`, `:${proxy.port}`);
    const behind = openDatabase(url, { max: 1, queryTimeoutMs: 500 });
    const one = () => sql`select 1 as one`.execute(behind.db).then(({ rows }) => rows);
    try {
      expect(await one()).toEqual([{ one: 1 }]);
      proxy.freezeOpen();
      await expect(behind.db.transaction().execute(() => one())).rejects.toThrow();
      expect(await one()).toEqual([{ one: 1 }]);
    } finally {
      proxy.cut();
      await behind.close();
      await proxy.close();
    }
  });
});
