import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { Pool } from 'pg';
import { recordCrc } from '../../libs/embedded-eventstore/src/record';
import { eventually, lineItem, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

describe('the audit command of an operator', () => {
  let service: Service;
  let pool: Pool;
  beforeAll(async () => {
    service = await Service.start();
    pool = new Pool({ connectionString: service.surroundings['DATABASE_URL'], max: 1 });
    await service.setClock('2026-01-01T00:00:00.000Z');
    const { body } = await service.client.post('/v1/subscriptions', monthly({ timeZone: 'UTC' }), 'start');
    await service.client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem('one'), 'one');
    await service.setClock('2026-02-01T00:00:00.000Z');
    await service.client.post(`/v1/subscriptions/${body.id}/line-items`, lineItem('open', { unitPrice: '77' }), 'open');
    await eventually(
      () => service.client.get('/v1/invoices?status=finalised'),
      (answer) => answer.body.items?.length === 2,
    );
  });
  afterAll(async () => {
    await pool.end();
    await service.stop();
  });

  const env = () => service.program.options.env;
  const audit = (...args: string[]) => runToEnd('apps/standalone/src/audit.js', args, env());

  it('finds the books of a running service clean, and says the same of them each time', async () => {
    const file = join(service.dataDir, 'report.json');
    const first = await audit('verify', '--json', file);
    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('no difference') });
    const report = JSON.parse(readFileSync(file, 'utf8'));
    expect(report).toMatchObject({
      ok: true,
      differences: [],
      counts: { subscriptions: 1, bills: 2, invoices: 2, 'numbers granted': 2 },
      totals: { USD: { billed: '5248', invoiced: '5248', finalised: '5248', open: '77' } },
    });
    expect((await audit('verify')).output).toContain(`sha256 ${report.sha256}`);
    expect(await audit('reconcile', '--test-clock')).toMatchObject({
      code: 0,
      output: expect.stringContaining('0 gaps'),
    });
  });

  it('names a cent that was changed behind its back, and ends with 1', async () => {
    const table = `"${env()['DATABASE_SCHEMA']}".invoice`;
    await pool.query(`update ${table} set total = total + 1 where bill_number = 2`);
    const { code, output } = await audit('verify');
    expect(code).toBe(1);
    expect(output).toMatch(/DIFFERENCE row-value invoice \S+ total: .*expected 3249, found 3250/);
    await pool.query(`update ${table} set total = total - 1 where bill_number = 2`);
  });

  it('refuses what it does not understand', async () => {
    expect((await audit('veryfy')).code).toBe(2);
    expect((await audit('verify', '--fixx')).code).toBe(2);
    expect((await audit('--help')).output).toContain('reconcile');
  });

  it('works on the data of a service that has stopped', async () => {
    expect(await service.program.stop()).toBe(0);
    expect(await audit('verify')).toMatchObject({ code: 0, output: expect.stringContaining('no difference') });
  });

  // The file of a server elsewhere is not ours to open.
  (process.env['EVENTSTORE_URL'] ? it.skip : it)(
    'finds an event that was rewritten in the file of the store, also when its checksum was made to fit',
    async () => {
      const rewritten = rewrite(join(service.dataDir, 'eventstore', 'events.db'), '"net":"77"', '"net":"78"');
      const damaged = await audit('verify');
      expect([damaged.code, damaged.output]).not.toEqual([0, expect.anything()]);
      expect(damaged.output).toMatch(/damage/i);

      rewritten.fitChecksum();
      const { code, output } = await audit('verify');
      expect(code).toBe(1);
      expect(output).toMatch(/DIFFERENCE hash-chain .*subscription-.*rewritten/);

      rewritten.undo();
      expect(await audit('verify')).toMatchObject({ code: 0, output: expect.stringContaining('no difference') });
    },
  );
});

/** Puts other text of the same length into the one record that holds `from`; its checksum is left as it was. */
function rewrite(file: string, from: string, to: string) {
  interface Row {
    readonly stream: number;
    readonly revision: number;
    readonly remaining: number;
    readonly crc: number;
    readonly bytes: Buffer;
    readonly position: number;
  }
  const withDatabase = <T>(work: (db: Database.Database) => T): T => {
    const db = new Database(file);
    try {
      return work(db);
    } finally {
      db.close();
    }
  };
  const rows = withDatabase((db) => db.prepare('SELECT * FROM record').all() as Row[]);
  const [row, ...others] = rows.filter(({ bytes }) => Buffer.from(bytes).includes(from));
  if (!row || others.length > 0)
    throw new Error(`${rows.length} records, ${others.length + (row ? 1 : 0)} hold ${from}`);
  const put = (bytes: Buffer, crc: number): void =>
    withDatabase(
      (db) =>
        void db.prepare('UPDATE record SET bytes = ?, crc = ? WHERE position = ?').run([bytes, crc, row.position]),
    );
  const honest = Buffer.from(row.bytes);
  const forged = Buffer.from(honest);
  forged.write(to, forged.indexOf(from));
  put(forged, row.crc);
  return {
    fitChecksum: () => put(forged, recordCrc(row.stream, row.revision, row.position, row.remaining, forged)),
    undo: () => put(honest, row.crc),
  };
}
