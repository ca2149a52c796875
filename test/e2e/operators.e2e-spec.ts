import { Pool } from 'pg';
import { billingProjections } from '@perennial/billing-read-models';
import { eventually, lineItem, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** The commands of an operator, beside a service that goes on. */
describe('an operator', () => {
  let service: Service;
  let pool: Pool;
  let subscriptionId: string;

  beforeAll(async () => {
    service = await Service.start();
    pool = new Pool({ connectionString: service.surroundings['DATABASE_URL'], max: 1 });
    await service.setClock('2026-01-01T00:00:00Z');
    const started = await service.client.post('/v1/subscriptions', monthly(), 'start');
    subscriptionId = started.body.id;
    await service.client.post(`/v1/subscriptions/${subscriptionId}/line-items`, lineItem('one'), 'add');
    await service.setClock('2026-02-01T00:00:00Z');
    await eventually(
      () => service.client.get('/v1/invoices?status=finalised'),
      ({ body }) => body.items?.length === 2,
    );
  });
  afterAll(async () => {
    await pool.end();
    await service.stop();
  });

  const operate = (program: string, ...args: string[]) =>
    runToEnd(`apps/standalone/src/${program}.js`, args, service.surroundings);

  it('lists the read models and that nothing is parked', async () => {
    const listed = await operate('projections', 'list');
    expect(listed.code).toBe(0);
    for (const { name, version } of billingProjections)
      expect(listed.output).toMatch(new RegExp(`${name} +${version} +live +\\d+ +\\d+ ms +0`));
    const parked = await operate('parked', 'list');
    expect([parked.code, parked.output]).toEqual([0, 'nothing is parked\n']);
  });

  it('finds a wrong cent in a read model and has it built again while the service goes on', async () => {
    expect((await operate('projections', 'diff')).code).toBe(0);
    const schema = service.surroundings['DATABASE_SCHEMA'];
    await pool.query(`update ${schema}.invoice set total = total::numeric + 1 where bill_number = 1`);
    const wrong = await operate('projections', 'diff', 'invoices');
    expect([wrong.code, wrong.output]).toEqual([1, expect.stringContaining('only in the live: {')]);
    const adding = service.client.post(`/v1/subscriptions/${subscriptionId}/line-items`, lineItem('two'), 'add-2');
    const rebuilt = await operate('projections', 'rebuild', 'invoices');
    expect([rebuilt.code, rebuilt.output]).toEqual([0, expect.stringContaining('and switched')]);
    expect((await adding).status).toBe(201);
    expect((await operate('projections', 'diff', 'invoices')).code).toBe(0);
    expect((await service.client.get('/health/ready')).status).toBe(200);
  });

  it('is told what a command takes', async () => {
    for (const args of [['rebuild'], ['diff', 'nothing'], ['--nonsense']]) {
      expect([args, (await operate('projections', ...args)).code]).toEqual([args, 2]);
    }
    const nothing = await operate('parked', 'retry', 'invoices', 'x');
    expect([nothing.code, nothing.output]).toEqual([2, 'perennial: nothing of x is parked in invoices\n']);
  });
});
