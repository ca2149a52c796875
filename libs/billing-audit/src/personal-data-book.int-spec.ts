import { randomUUID } from 'node:crypto';
import { ChangeCustomer, CreateCustomer, EraseCustomer, type CommandResult } from '@perennial/billing-application';
import { eraseCustomer } from '@perennial/billing-domain';
import { chainHash, type EventMetadata, type SealedPersonal, streamNames } from '@perennial/event-sourcing';
import { type BillingProcess, billingProcess, request } from '../../../test/support/billing-process';
import { type TestEventStore, testEventStore } from '../../../test/support/eventstore';
import { reconcile } from './reconcile';
import { verify } from './verify';

const NOW = '2026-01-01T00:00:00.000Z';
const personal = { billTo: { name: 'Ada Lovelace' } };

describe('personal data under audit', () => {
  let at: TestEventStore;
  let billing: BillingProcess;

  beforeEach(async () => {
    at = await testEventStore();
    billing = await billingProcess(at, { time: NOW });
  });
  afterEach(async () => {
    await billing.close();
    await at.close();
  });

  const book = () => ({ store: billing.store, prefix: at.prefix, dataKeys: billing.repositories.dataKeys });
  const audit = async ({ reached = true } = {}) => {
    const { ok, pending, differences } = await verify({
      ...book(),
      policyPosition: async () => (reached ? 1n << 60n : undefined),
    });
    return { ok, pending, checks: differences.map(({ check }) => check) };
  };
  const create = async (externalId: string) => {
    const terms = { currency: 'EUR', timeZone: 'UTC', externalId, personal };
    return (await billing.execute<CommandResult>(new CreateCustomer(terms, request()))).aggregateId;
  };
  const streamOf = (id: string) => streamNames(at.prefix).of('customer', id);

  it('is clean before and after customers were erased', async () => {
    const [ada, eve] = [await create('ada'), await create('eve')];
    await billing.execute(new ChangeCustomer(ada, { personal }, request()));
    expect(await audit()).toEqual({ ok: true, pending: 0, checks: [] });
    await billing.execute(new EraseCustomer(ada, request()));
    expect(await audit()).toEqual({ ok: true, pending: 0, checks: [] });
    await billing.execute(new EraseCustomer(eve, request()));
    expect(await audit()).toEqual({ ok: true, pending: 0, checks: [] });
  });

  it('names an erased customer whose key still stands, and reconcile destroys it', async () => {
    const id = await create('ada');
    await billing.repositories.customers.change(id, { ...request(), now: NOW }, (customer) =>
      eraseCustomer(customer, NOW),
    );
    expect(await audit({ reached: false })).toEqual({ ok: true, pending: 1, checks: [] });
    expect(await audit()).toEqual({ ok: false, pending: 0, checks: ['erased-key'] });
    const listed = await reconcile({ ...book(), now: NOW });
    expect(listed.gaps).toEqual([
      { what: 'key-destruction', subject: streamOf(id), message: expect.stringContaining('still stands') },
    ]);
    const fixed = await reconcile({ ...book(), now: NOW, fix: (command) => billing.execute(command as EraseCustomer) });
    expect(fixed).toMatchObject({ commands: 1, failures: [] });
    expect(await audit()).toEqual({ ok: true, pending: 0, checks: [] });
  });

  it('names a key that is gone although nobody was erased', async () => {
    const id = await create('ada');
    await billing.repositories.dataKeys.destroy(id);
    expect(await audit()).toEqual({ ok: false, pending: 0, checks: ['personal-data'] });
  });

  it('names what was moved here from another stream, and what does not open, though the hash chain were forged', async () => {
    const [ada, eve] = [await create('ada'), await create('eve')];
    const [first, other] = [await billing.store.last(streamOf(ada)), await billing.store.last(streamOf(eve))];
    const of = (event: typeof first) => (event!.data as { personal: SealedPersonal }).personal;
    const before = first!.metadata as EventMetadata;
    const forge = async (box: SealedPersonal) => {
      const last = await billing.store.last(streamOf(ada));
      const type = 'CustomerChanged';
      const [id, data] = [randomUUID(), { effectiveAt: NOW, personal: box }];
      const metadata = { ...before, key: randomUUID() };
      const hash = chainHash((last!.metadata as EventMetadata).hash, { id, type, data, metadata });
      await billing.store.append(streamOf(ada), [{ id, type, data, metadata: { ...metadata, hash } }], last!.revision);
    };
    await forge({ ...of(other), of: `customer-${ada}/CustomerChanged` });
    expect(await audit()).toEqual({ ok: false, pending: 0, checks: ['personal-data'] });
    await forge(of(other));
    expect((await audit()).checks.sort()).toEqual(['decodable', 'personal-data']);
  });
});
