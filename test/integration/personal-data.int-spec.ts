import { randomBytes } from 'node:crypto';
import {
  ChangeCustomer,
  CreateCustomer,
  DestroyCustomerKey,
  EraseCustomer,
  billingPolicies,
  type CommandResult,
} from '@perennial/billing-application';
import { billingCatalogs, customerId as customerIdOf, eraseCustomer } from '@perennial/billing-domain';
import {
  DataKeyMissing,
  DataKeys,
  ERASED,
  EventStore,
  MasterKeyMissing,
  parseMasterKeys,
  PolicyRunner,
  SealBroken,
  streamNames,
  type SealedPersonal,
} from '@perennial/event-sourcing';
import { randomUUID } from 'node:crypto';
import { billingProcess, masterKey, request, type BillingProcess } from '../support/billing-process';
import { testEventStore, type TestEventStore } from '../support/eventstore';
import { logger, until } from '../support/read-side';

const NOW = '2026-01-01T00:00:00.000Z';
const person = (name: string) => ({ billTo: { name }, contacts: [{ email: `${name}@example.com` }] });
const terms = { currency: 'EUR', timeZone: 'UTC' };

describe('the keys of personal data', () => {
  let at: TestEventStore;
  let store: EventStore;
  const keys = (master = masterKey, rememberedForMs?: number) =>
    new DataKeys(store, at.prefix, parseMasterKeys(master), rememberedForMs);

  beforeAll(async () => {
    at = await testEventStore();
    store = EventStore.connect({ url: at.url });
  });
  afterAll(async () => {
    await store.close();
    await at.close();
  });

  it('are made once, whoever comes first, and stand in the store only wrapped', async () => {
    const subject = randomUUID();
    expect(await keys().find(subject)).toBeUndefined();
    const made = await Promise.all(Array.from({ length: 20 }, () => keys().keyFor(subject)));
    expect(new Set(made.map((key) => (key as Buffer).toString('hex'))).size).toBe(1);
    const [key] = made as [Buffer];
    const stored = [];
    for await (const { data } of store.read(streamNames(at.prefix).key(subject))) stored.push(data);
    expect(stored).toEqual([
      { subject, masterKey: expect.stringMatching(/^[0-9a-f]{16}$/), wrapped: expect.any(String) },
    ]);
    const bytes = Buffer.from((stored[0] as { wrapped: string }).wrapped, 'base64url');
    expect([bytes.includes(key), bytes.length]).toEqual([false, 12 + 16 + 32]);
  });

  it('destroyed never come back: not for who had one, not for who makes one at that moment, not where there was none', async () => {
    for (let round = 0; round < 10; round += 1) {
      const subject = randomUUID();
      const [making, destroying] = [keys(), keys()];
      if (round % 2 === 0) await making.keyFor(subject);
      await Promise.all([making.keyFor(subject), destroying.destroy(subject)]);
      expect(await destroying.keyFor(subject)).toBe('destroyed');
      expect(await keys().keyFor(subject)).toBe('destroyed');
      await destroying.destroy(subject);
    }
  });

  it('are forgotten by other processes soon after they were destroyed', async () => {
    const subject = randomUUID();
    const other = keys(masterKey, 200);
    await other.keyFor(subject);
    await keys().destroy(subject);
    await until(async () => (await other.find(subject)) === 'destroyed', 5_000);
  });

  it('open only with the master key that wrapped them; another is no erasure, nor is a key that was lost', async () => {
    const subject = randomUUID();
    await keys().keyFor(subject);
    const other = randomBytes(32).toString('base64');
    await expect(keys(other).find(subject)).rejects.toThrow(MasterKeyMissing);
    expect(await keys(`${other},${masterKey}`).find(subject)).toEqual(await keys().find(subject));
    const lost = { subject: randomUUID(), of: 'customer-x/CustomerCreated', sealed: 'AAAA' };
    await expect(keys().open(lost)).rejects.toThrow(DataKeyMissing);
    await expect(keys().open({ ...lost, subject })).rejects.toThrow(SealBroken);
    // A wrapped key that was moved to another subject is not taken for that one's.
    const moved = randomUUID();
    const names = streamNames(at.prefix);
    const wrapped = await store.last(names.key(subject));
    const event = { id: randomUUID(), type: wrapped!.type, data: { ...(wrapped!.data as object), subject: moved } };
    await store.append(names.key(moved), [event], 'no_stream');
    await expect(keys().find(moved)).rejects.toThrow(DataKeyMissing);
  });

  it('are wrapped anew under a new master key while others use them, so that the old one can go', async () => {
    const own = await testEventStore();
    const at2 = EventStore.connect({ url: own.url });
    const fresh = randomBytes(32).toString('base64');
    const of = (master: string) => new DataKeys(at2, own.prefix, parseMasterKeys(master));
    const subjects = Array.from({ length: 12 }, () => randomUUID());
    const before = await Promise.all(subjects.map((subject) => of(masterKey).keyFor(subject)));
    await of(masterKey).destroy(subjects[0]!);
    const both = of(`${fresh},${masterKey}`);
    const rewrapped = await Promise.all([both.rewrap(), of(`${fresh},${masterKey}`).rewrap()]);
    expect(rewrapped.reduce((sum, each) => sum + each.rewrapped, 0)).toBe(11);
    expect(await both.rewrap()).toMatchObject({ rewrapped: 0 });
    const after = await Promise.all(subjects.map((subject) => of(fresh).find(subject)));
    expect(after).toEqual(['destroyed', ...before.slice(1)]);
    await expect(of(masterKey).find(subjects[1]!)).rejects.toThrow(MasterKeyMissing);
    // Of each key only the newest wrapping is left to read.
    const left = [];
    for await (const event of at2.read(streamNames(own.prefix).key(subjects[1]!))) left.push(event.revision);
    expect(left).toEqual([1n]);
    await at2.close();
    await own.close();
  });
});

describe('erasing a customer', () => {
  let at: TestEventStore;
  let here: BillingProcess;
  let there: BillingProcess;

  beforeAll(async () => {
    at = await testEventStore();
    [here, there] = [
      await billingProcess(at, { time: NOW, snapshotEvery: 2 }),
      await billingProcess(at, { time: NOW, snapshotEvery: 2 }),
    ];
  });
  afterAll(async () => {
    await here.close();
    await there.close();
    await at.close();
  });

  const create = async (externalId: string, process = here) => {
    const { aggregateId } = await process.execute<CommandResult>(
      new CreateCustomer({ ...terms, externalId, personal: person(externalId) }, request()),
    );
    return aggregateId;
  };
  const sealedOf = async (id: string) => {
    const found: SealedPersonal[] = [];
    for await (const { data } of here.store.read(streamNames(at.prefix).of('customer', id))) {
      const { personal } = data as { personal?: SealedPersonal };
      if (personal && 'sealed' in personal) found.push(personal);
    }
    return found;
  };

  it('leaves nothing readable of what another process writes meanwhile, with the key that it remembers', async () => {
    for (let round = 0; round < 8; round += 1) {
      const id = await create(`racing-${round}`);
      // Both processes know key and state.
      await there.execute(new ChangeCustomer(id, { personal: person('before') }, request()));
      const changes = Array.from({ length: 4 }, (_, n) =>
        there
          .execute(new ChangeCustomer(id, { personal: person(`meanwhile-${n}`) }, request()))
          .catch((error: { code?: string }) => error.code),
      );
      await here.execute(new EraseCustomer(id, request()));
      for (const outcome of await Promise.all(changes)) {
        if (typeof outcome === 'string') expect(outcome).toBe('customer-erased');
      }
      const fresh = new DataKeys(here.store, at.prefix, parseMasterKeys(masterKey));
      for (const sealed of await sealedOf(id)) expect(await fresh.open(sealed)).toBe(ERASED);
      expect((await there.repositories.customers.load(id, 'default'))?.state).toMatchObject({ status: 'erased' });
    }
  });

  it('keeps state, snapshot and replay the same before and after, for they never held it in the clear', async () => {
    const id = await create('folded');
    for (const n of [1, 2, 3])
      await here.execute(new ChangeCustomer(id, { personal: person(`folded-${n}`) }, request()));
    await here.repositories.flushSnapshots();
    const names = streamNames(at.prefix);
    const snapshot = await here.store.last(names.snapshot('customer', id));
    expect(JSON.stringify(snapshot?.data)).toContain('"sealed"');
    expect(JSON.stringify(snapshot?.data)).not.toContain('folded-');
    const before = await here.repositories.customers.loadAt(id, 'default', { revision: 3n });
    await here.execute(new EraseCustomer(id, request()));
    expect(await there.repositories.customers.loadAt(id, 'default', { revision: 3n })).toEqual(before);
    expect((await there.repositories.customers.load(id, 'default'))?.state).not.toHaveProperty('personal');
  });

  it('is finished by a policy when the process ends between the record and the key, and by a repeat', async () => {
    for (const finish of ['policy', 'repeat'] as const) {
      const id = await create(`unfinished-${finish}`);
      const asked = new EraseCustomer(id, request());
      // All that a process leaves behind that ends there.
      await here.repositories.customers.change(id, { ...asked.context, now: NOW }, (customer) =>
        eraseCustomer(customer, NOW),
      );
      const fresh = () => new DataKeys(here.store, at.prefix, parseMasterKeys(masterKey));
      const [sealed] = await sealedOf(id);
      expect(await fresh().open(sealed!)).toEqual(person(`unfinished-${finish}`));
      if (finish === 'repeat') {
        expect(await here.execute(asked)).toMatchObject({ repeated: true, events: [{ type: 'CustomerErased' }] });
      } else {
        const policies = new PolicyRunner({
          store: there.store,
          streamPrefix: at.prefix,
          policies: billingPolicies,
          catalogs: billingCatalogs,
          dispatch: async (command) => void (await there.execute(command as DestroyCustomerKey)),
          logger,
        });
        policies.start();
        await until(async () => (await fresh().find(id)) === 'destroyed');
        await policies.stop();
      }
      expect(await fresh().open(sealed!)).toBe(ERASED);
    }
  });

  it('is of one tenant: another one destroys nothing', async () => {
    const id = await create('ours');
    const elsewhere = request({ tenant: 'other' });
    await expect(here.execute(new EraseCustomer(id, elsewhere))).rejects.toThrow('no customer');
    await expect(here.execute(new DestroyCustomerKey(id, elsewhere))).rejects.toThrow('No such customer is erased');
    await expect(here.execute(new DestroyCustomerKey(id, request()))).rejects.toThrow('No such customer is erased');
    expect(id).toBe(customerIdOf('default', { externalId: 'ours' }));
    const [sealed] = await sealedOf(id);
    expect(await here.repositories.dataKeys.open(sealed!)).toEqual(person('ours'));
  });
});
