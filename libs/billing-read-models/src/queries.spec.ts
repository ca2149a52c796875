import type { InvoiceDrafted, Line } from '@perennial/billing-domain';
import { DataKeys, EventStore, parseMasterKeys } from '@perennial/event-sourcing';
import { openDatabase, type Database } from '@perennial/platform';
import { sql } from 'kysely';
import { billingBook, type Account, type Happening } from '../../../test/support/billing-book';
import { masterKey } from '../../../test/support/billing-process';
import { testDatabase, type TestDatabase } from '../../../test/support/postgres';
import type { Log } from '../../../test/support/stored-events';
import {
  billingProjections,
  findDueBillingPeriods,
  findInvoices,
  findStreams,
  findSubscriptions,
  getCurrentBillingPeriod,
  getInvoice,
  getStream,
  getSubscription,
  InvalidCursor,
  ReadModels,
  type Page,
} from './index';

/** The first two belong to the tenant `default`, the third to `other`; the first was paused and resumed, the second is canceled. */
const happenings: Happening[] = [
  { what: 'line', subscription: 0, n: 250 },
  { what: 'line', subscription: 0, n: 750 },
  { what: 'void', subscription: 0, n: 0 },
  { what: 'roll', subscription: 0, n: 11 },
  { what: 'roll', subscription: 1, n: 0 },
  { what: 'pause', subscription: 0, n: 0 },
  { what: 'finalise', subscription: 0, n: 0 },
  { what: 'finalise', subscription: 1, n: 0 },
  { what: 'finalise', subscription: 2, n: 0 },
  { what: 'resume', subscription: 0, n: 0 },
  { what: 'line', subscription: 0, n: 40 },
  { what: 'line', subscription: 0, n: 2 },
  { what: 'cancel', subscription: 1, n: 0 },
  { what: 'line', subscription: 2, n: 1 },
];

/** Nothing in this book is sealed, so no key is asked for. */
const noKeys = () =>
  new DataKeys(EventStore.connect({ url: 'esdb://127.0.0.1:1?tls=false' }), 'none', parseMasterKeys(masterKey));

describe('questions to the read models', () => {
  let at: TestDatabase;
  let database: Database;
  let models: ReadModels;
  let log: Log;
  let accounts: Account[];
  let paused: Account;
  let canceled: Account;
  let other: Account;

  beforeAll(async () => {
    at = await testDatabase();
    database = openDatabase(at.url, { max: 2 });
    models = new ReadModels(database.db, at.schema, noKeys());
    ({ log, accounts } = billingBook(happenings));
    [paused, canceled, other] = accounts as [Account, Account, Account];
    const noted = { effectiveAt: '2026-03-02T00:00:00.000Z', metadata: { po: '7', team: 'a' } };
    const invoice = paused.invoices[1]?.id ?? '';
    log.append('default', 'invoice', invoice, [{ type: 'InvoiceMetadataChanged', data: noted }], noted.effectiveAt);
    await sql`create schema ${sql.ref(at.schema)}`.execute(database.db);
    for (const projection of billingProjections) {
      await projection.create(database.db, at.schema);
      const events = log.events.filter(({ event }) => projection.handles.includes(event.type));
      await database.db.transaction().execute((tx) => projection.apply(events, tx, at.schema));
    }
  });

  afterAll(async () => {
    await database.close();
    await at.close();
  });

  const lastOf = (stream: string) => log.events.filter((event) => event.stream === stream).at(-1);

  /** Every page of a list, two at a time, and each row once. */
  const all = async <View>(
    list: (page: { limit: number; cursor?: string }) => Promise<Page<View>>,
  ): Promise<View[]> => {
    const items: View[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await list({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.items.length).toBeLessThanOrEqual(2);
      items.push(...page.items);
      if (page.nextCursor === undefined) return items;
      expect(page.items).toHaveLength(2);
      cursor = page.nextCursor;
    }
  };

  it('tells of a subscription its terms, state and totals, and the revision that it has seen', async () => {
    const last = lastOf(`test.subscription-${paused.id}`);
    const { found } = await getSubscription(models, { tenant: 'default', subscriptionId: paused.id });
    expect(found).toMatchObject({
      subscriptionId: paused.id,
      externalId: 'external-0',
      customerId: 'customer-0',
      status: 'active',
      currency: 'EUR',
      interval: { unit: 'day', count: 30 },
      items: [{ itemId: 'base', quantity: '1', timing: 'advance', price: { model: 'flat', unitPrice: '500' } }],
      period: { periodNumber: 3 },
      pausedAt: null,
      bills: paused.bills,
      billedNet: { amount: `${paused.billed}`, currency: 'EUR' },
      metadata: { source: 'book' },
      revision: `${last?.revision}`,
      position: `${last?.position}`,
      recordedAt: last?.metadata.recordedAt,
    });
    expect((await getSubscription(models, { tenant: 'default', subscriptionId: canceled.id })).found).toMatchObject({
      status: 'canceled',
      period: null,
      canceledAt: '2026-03-02T00:00:00.000Z',
    });
  });

  it('shows the open period with what is pending and what is billed for it, in the order in which it came', async () => {
    const { found } = await getCurrentBillingPeriod(models, { tenant: 'default', subscriptionId: paused.id });
    expect(found?.period).toMatchObject({
      periodNumber: 3,
      from: '2026-03-02T00:00:00',
      to: '2026-04-01T00:00:00',
      startsAt: '2026-03-02T00:00:00.000Z',
      endsAt: '2026-04-01T00:00:00.000Z',
      pendingNet: { amount: '42', currency: 'EUR' },
      billedNet: { amount: '500', currency: 'EUR' },
      lines: [
        { net: '500', billNumber: 4 },
        { net: '40', billNumber: null },
        { net: '2', billNumber: null },
      ],
    });
    const { found: ended } = await getCurrentBillingPeriod(models, { tenant: 'default', subscriptionId: canceled.id });
    expect(ended).toMatchObject({ period: null });
  });

  it('gives an invoice with its lines as the event stated them', async () => {
    const drafted = log.events.filter(({ event }) => event.type === 'InvoiceDrafted');
    expect(drafted.length).toBeGreaterThan(5);
    for (const { event, aggregateId, metadata } of drafted) {
      const { data } = event as InvoiceDrafted;
      const { found } = await getInvoice(models, { tenant: metadata.tenant, invoiceId: aggregateId });
      expect(found?.lines).toEqual(data.lines satisfies readonly Line[]);
      expect(found?.total).toEqual({ amount: data.total, currency: data.currency });
      expect(found?.taxes).toEqual([{ code: 'VAT', amount: { amount: '0', currency: 'EUR' } }]);
    }
  });

  it('lists each row once, page by page, in the order of their first events', async () => {
    const invoices = await all((page) => findInvoices(models, { tenant: 'default', ...page }));
    expect(invoices.map(({ invoiceId }) => invoiceId)).toEqual(
      log.events
        .filter(({ event, metadata }) => event.type === 'InvoiceDrafted' && metadata.tenant === 'default')
        .map(({ aggregateId }) => aggregateId),
    );
    const streams = await all((page) => findStreams(models, { tenant: 'default', ...page }));
    expect(streams.map(({ stream }) => stream)).toEqual([
      ...new Set(log.events.filter(({ metadata }) => metadata.tenant === 'default').map(({ stream }) => stream)),
    ]);
    const subscriptions = await all((page) => findSubscriptions(models, { tenant: 'default', ...page }));
    expect(subscriptions.map(({ subscriptionId }) => subscriptionId)).toEqual([paused.id, canceled.id]);
    expect(subscriptions.map(({ items }) => items.length)).toEqual([1, 1]);
  });

  it.each([
    [{ customerId: 'customer-0' }, [0]],
    [{ externalId: 'external-0' }, [0]],
    [{ externalId: 'external-2' }, []],
    [{ status: 'canceled' }, [1]],
    [{ periodEndsFrom: '2026-04-01T00:00:00.000Z' }, [0]],
    [{ periodEndsFrom: '2026-04-01T00:00:00.001Z' }, []],
    [{ periodEndsBefore: '2026-04-01T00:00:00.000Z' }, []],
    [{ periodEndsBefore: '2026-04-01T00:00:00.001Z', customerId: 'customer-0' }, [0]],
    [{ metadata: { source: 'book' } }, [0, 1]],
    [{ metadata: { source: 'book', other: 'x' } }, []],
    [{ metadata: {} }, [0, 1]],
    [{ currency: 'USD' }, []],
    [{ startsFrom: '2026-01-01T00:00:00.000Z', startsBefore: '2026-01-01T00:00:00.001Z' }, [0, 1]],
    [{ startsBefore: '2026-01-01T00:00:00.000Z' }, []],
    [{ canceledFrom: '2026-03-02T00:00:00.000Z' }, [1]],
    [{ canceledBefore: '2026-03-02T00:00:00.000Z' }, []],
    [{ billedNetFrom: '2267' }, [0]],
    [{ billedNetTo: '1006' }, [1]],
    [{ order: 'newest' }, [1, 0]],
  ] as const)('finds subscriptions by %j', async (filter, expected) => {
    const { items } = await findSubscriptions(models, { tenant: 'default', ...filter });
    expect(items.map(({ subscriptionId }) => subscriptionId)).toEqual(expected.map((index) => accounts[index]?.id));
  });

  it.each([
    [{ status: 'finalised' }, 2],
    [{ number: 'INV-2' }, 1],
    [{ customerId: 'customer-1' }, 3],
    [{ dueFrom: '2026-03-16', dueBefore: '2026-03-17' }, 2],
    [{ dueBefore: '2026-03-16' }, 0],
    [{ subscriptionId: 'no uuid' }, 0],
    [{ metadata: { po: '7' } }, 1],
    [{ metadata: { po: '8' } }, 0],
    [{ issuedFrom: '2026-03-02' }, 2],
    [{ issuedFrom: '2026-03-03' }, 0],
    [{ issuedBefore: '2026-03-02' }, 0],
    [{ draftedFrom: '2026-03-02T00:00:00.000Z' }, 1],
    [{ draftedBefore: '2026-03-02T00:00:00.000Z' }, 6],
    [{ totalFrom: '1264', totalTo: '1264' }, 1],
    [{ amountDueFrom: '1264' }, 1],
    [{ amountDueTo: '3' }, 2],
    [{ currency: 'EUR' }, 7],
    [{ currency: 'USD' }, 0],
  ] as const)('finds invoices by %j', async (filter, count) => {
    expect((await findInvoices(models, { tenant: 'default', ...filter })).items).toHaveLength(count);
  });

  it('lists the newest first, page by page, and no cursor of the other order', async () => {
    const oldest = await all((page) => findInvoices(models, { tenant: 'default', ...page }));
    const newest = await all((page) => findInvoices(models, { tenant: 'default', order: 'newest', ...page }));
    expect(newest).toEqual([...oldest].reverse());
    const { nextCursor: cursor = '' } = await findInvoices(models, { tenant: 'default', order: 'newest', limit: 1 });
    await expect(findInvoices(models, { tenant: 'default', cursor })).rejects.toThrow(InvalidCursor);
  });

  it('finds streams by what people call them', async () => {
    const find = async (filter: { subject?: string; aggregate?: string; aggregateId?: string; customerId?: string }) =>
      (await findStreams(models, { tenant: 'default', ...filter })).items.map(({ stream }) => stream);
    expect(await find({ subject: 'external-0' })).toEqual([`test.subscription-${paused.id}`]);
    expect(await find({ subject: 'INV-1' })).toEqual([`test.invoice-${paused.invoices[0]?.id}`]);
    expect(await find({ aggregate: 'subscription' })).toHaveLength(2);
    expect(await find({ aggregateId: canceled.id })).toEqual([`test.subscription-${canceled.id}`]);
    expect(await find({ customerId: 'customer-1' })).toHaveLength(1 + canceled.invoices.length);
  });

  it('lists the periods that are due at a moment, the longest overdue first', async () => {
    const due = async (now: string, limit = 10) =>
      (await findDueBillingPeriods(models, { now, limit })).map(({ subscriptionId }) => subscriptionId);
    expect(await due('2026-01-30T23:59:59.999Z')).toEqual([]);
    expect(await due('2026-01-31T00:00:00.000Z')).toEqual([other.id]);
    expect(await due('2027-01-01T00:00:00.000Z')).toEqual([other.id, paused.id]);
    expect(await due('2027-01-01T00:00:00.000Z', 1)).toEqual([other.id]);
    expect(
      await findDueBillingPeriods(models, { tenant: 'default', now: '2027-01-01T00:00:00.000Z', limit: 10 }),
    ).toEqual([
      {
        tenant: 'default',
        subscriptionId: paused.id,
        periodNumber: 3,
        endsAt: '2026-04-01T00:00:00.000Z',
        held: false,
      },
    ]);
  });

  it('shows nothing of another tenant, nor of what is no id', async () => {
    const stream = `test.subscription-${other.id}`;
    const invoiceId = other.invoices[0]?.id ?? '';
    for (const [tenant, id] of [
      ['default', other.id],
      ['other', 'no uuid'],
    ] as const) {
      expect((await getSubscription(models, { tenant, subscriptionId: id })).found).toBeUndefined();
      expect((await getCurrentBillingPeriod(models, { tenant, subscriptionId: id })).found).toBeUndefined();
    }
    expect((await getInvoice(models, { tenant: 'default', invoiceId })).found).toBeUndefined();
    expect((await getStream(models, { tenant: 'default', stream })).found).toBeUndefined();
    expect((await getInvoice(models, { tenant: 'other', invoiceId })).found).toBeDefined();
    expect((await getStream(models, { tenant: 'other', stream })).found).toBeDefined();
  });

  it('refuses a cursor that another list gave', async () => {
    const { nextCursor = '' } = await findInvoices(models, { tenant: 'default', limit: 1 });
    await expect(findStreams(models, { tenant: 'default', cursor: nextCursor })).rejects.toThrow(InvalidCursor);
  });

  it('uses an index for every filter of a list', async () => {
    const indexed = await sql<{ definition: string }>`select indexdef as definition from pg_catalog.pg_indexes
      where schemaname = ${at.schema}`.execute(database.db);
    const definitions = indexed.rows.map(({ definition }) => definition.replaceAll('"', '')).join('\n');
    for (const columns of [
      'tenant, customer_id, started_position',
      'tenant, external_id',
      'tenant, status, started_position',
      'tenant, period_ends_at',
      'tenant, customer_id, drafted_position',
      'tenant, subscription_id, drafted_position',
      'tenant, status, drafted_position',
      'tenant, due_on',
      'tenant, issued_on',
      'tenant, drafted_at',
      'tenant, currency, total',
      'tenant, currency, amount_due',
      'tenant, starts_at',
      'tenant, canceled_at',
      'tenant, currency, billed_net',
      'metadata jsonb_path_ops',
      'tenant, number',
      'ends_at, subscription_id',
      'tenant, aggregate, first_position',
      'tenant, subject',
    ])
      expect(definitions).toContain(`(${columns})`);
  });
});
