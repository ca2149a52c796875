import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import { startPostgres, type EmbeddedPostgres } from '.';

const connect = async (url: string) => {
  const client = new Client(url);
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

describe('embedded PostgreSQL', () => {
  let postgres: EmbeddedPostgres;
  beforeAll(async () => {
    postgres = await startPostgres({ idleInTransactionMs: 300 });
  });
  afterAll(() => postgres.close());

  it('answers each of many connections its own question, also when parameters arrive in many packets', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(postgres.url)));
    const wrong: unknown[] = [];
    await Promise.all(
      clients.map(async (client, i) => {
        const text = i % 2 ? 'x'.repeat(400_000) : 'y';
        for (let k = 0; k < 40; k++) {
          const sql = `select $1::int as k, length($2::text) as length, ${i} as i`;
          const row = (await client.query(sql, [k, text])).rows[0];
          if (row.k !== k || row.length !== text.length || row.i !== i) wrong.push({ i, k, row });
        }
      }),
    );
    expect(wrong).toEqual([]);
    await Promise.all(clients.map((client) => client.end()));
  });

  it('keeps the transactions of two connections apart', async () => {
    const pool = new Pool({ connectionString: postgres.url, max: 6 });
    await pool.query('create schema apart; create table apart.counter (n int); insert into apart.counter values (0)');
    await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const client = await pool.connect();
        await client.query('begin');
        const n = (await client.query('select n from apart.counter')).rows[0].n;
        await client.query('update apart.counter set n = $1', [n + 1]);
        await client.query(i % 3 ? 'commit' : 'rollback');
        client.release();
      }),
    );
    expect((await pool.query('select n from apart.counter')).rows).toEqual([{ n: 40 }]);
    await pool.end();
  });

  it('goes on after errors, in and outside transactions, without touching the other connections', async () => {
    const [a, b] = await Promise.all([connect(postgres.url), connect(postgres.url)]);
    await expect(a.query('select 1 / $1::int', [0])).rejects.toThrow('division by zero');
    await a.query('begin');
    await expect(a.query('select * from nowhere where x = $1', [1])).rejects.toThrow('does not exist');
    const other = b.query('select $1::int as n', [7]);
    await expect(a.query('select 1')).rejects.toThrow('aborted');
    await a.query('rollback');
    expect((await other).rows).toEqual([{ n: 7 }]);
    await Promise.all([a.end(), b.end()]);
  });

  it('rolls back what a lost connection left open', async () => {
    const [a, b] = await Promise.all([connect(postgres.url), connect(postgres.url)]);
    await b.query('create table public.left_open (n int)');
    await a.query('begin');
    await a.query('insert into public.left_open values (1)');
    const waiting = b.query('select count(*)::int as n from public.left_open');
    (a as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect((await waiting).rows).toEqual([{ n: 0 }]);
    await b.end();
  });

  it('cuts off a transaction that says nothing while others wait', async () => {
    const [a, b] = await Promise.all([connect(postgres.url), connect(postgres.url)]);
    await a.query('begin');
    await a.query('create table public.silent (n int)');
    expect((await b.query(`select to_regclass('public.silent') as t`)).rows).toEqual([{ t: null }]);
    await expect(a.query('commit')).rejects.toThrow();
    await b.end();
  });

  it('refuses a port that is taken', async () => {
    await expect(startPostgres({ port: postgres.port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('a data directory', () => {
  const parent = mkdtempSync(join(tmpdir(), 'perennial-pg-'));
  const dataDir = join(parent, 'postgres');
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const query = async (url: string, sql: string) => {
    const client = await connect(url);
    try {
      return (await client.query(sql)).rows as unknown[];
    } finally {
      await client.end();
    }
  };

  it('is created, kept and belongs to one process', async () => {
    const first = await startPostgres({ dataDir });
    expect(first.replaced).toBeUndefined();
    await query(first.url, 'create table public.kept as select 42 as n');
    await expect(startPostgres({ dataDir })).rejects.toThrow('in use by another process');
    const script = `require(${JSON.stringify(join(__dirname, '../../../dist/libs/embedded-postgres/src'))})
      .startPostgres({ dataDir: ${JSON.stringify(dataDir)} }).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(3); })`;
    const other = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect([other.status, other.stderr]).toEqual([3, expect.stringContaining('in use by another process')]);
    await first.close();
    const second = await startPostgres({ dataDir });
    expect(second.replaced).toBeUndefined();
    expect(await query(second.url, 'select n from public.kept')).toEqual([{ n: 42 }]);
    await second.close();
    writeFileSync(`${dataDir}.lock`, 'no database at all '.repeat(20));
    const third = await startPostgres({ dataDir });
    await expect(startPostgres({ dataDir })).rejects.toThrow('in use by another process');
    await third.close();
  });

  it('is set aside when it cannot be opened, and one that is half there too', async () => {
    for (const damage of [
      () => {
        const wal = join(dataDir, 'pg_wal');
        for (const name of readdirSync(wal)) if (/^[0-9A-F]{24}$/.test(name)) truncateSync(join(wal, name), 0);
      },
      () => rmSync(join(dataDir, 'PG_VERSION')),
    ]) {
      damage();
      const postgres = await startPostgres({ dataDir });
      expect(postgres.replaced).toContain('postgres-damaged-');
      expect(existsSync(postgres.replaced!)).toBe(true);
      expect(await query(postgres.url, `select to_regclass('public.kept') as t`)).toEqual([{ t: null }]);
      await postgres.close();
    }
    expect(readdirSync(parent).filter((name) => name.includes('damaged'))).toHaveLength(1);
  });

  it('is opened again on the same port when the database dies, and replaced when it cannot be', async () => {
    const restarts: { replaced?: string }[] = [];
    const postgres = await startPostgres({ dataDir, onRestart: (restart) => restarts.push(restart) });
    rmSync(join(dataDir, 'pg_wal'), { recursive: true });
    await expect(
      query(postgres.url, 'create table public.lost as select generate_series(1, 200000)'),
    ).rejects.toThrow();
    while (restarts.length === 0) await setTimeout(20);
    expect(restarts).toEqual([expect.objectContaining({ replaced: expect.stringContaining('postgres-damaged-') })]);
    expect(await query(postgres.url, 'select 1 as n')).toEqual([{ n: 1 }]);
    await postgres.close();
  });

  it('is replaced, without a restart of the service, when a statement meets a damaged page', async () => {
    const first = await startPostgres({ dataDir });
    await query(first.url, 'create table public.damaged as select generate_series(1, 1000) as n');
    const [{ path }] = (await query(first.url, `select pg_relation_filepath('public.damaged') as path`)) as [
      { path: string },
    ];
    await first.close();
    const bytes = readFileSync(join(dataDir, path));
    bytes[5_000] = (bytes[5_000] as number) ^ 1;
    writeFileSync(join(dataDir, path), bytes);
    const restarts: { replaced?: string }[] = [];
    const postgres = await startPostgres({ dataDir, onRestart: (restart) => restarts.push(restart) });
    await expect(query(postgres.url, 'select sum(n) from public.damaged')).rejects.toThrow();
    while (restarts.length === 0) await setTimeout(20);
    expect(restarts).toEqual([
      { reason: 'the database has damaged pages', replaced: expect.stringContaining('postgres-damaged-') },
    ]);
    expect(await query(postgres.url, `select to_regclass('public.damaged') as t`)).toEqual([{ t: null }]);
    await postgres.close();
  });
});
