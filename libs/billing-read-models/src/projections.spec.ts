import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { openDatabase, type Database } from '@perennial/platform';
import * as fc from 'fast-check';
import { sql } from 'kysely';
import { billingBook, type Happening } from '../../../test/support/billing-book';
import { testDatabase, type TestDatabase } from '../../../test/support/postgres';
import { billingProjections } from './index';

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('line' as const) },
    { weight: 6, arbitrary: fc.constantFrom('void', 'bill', 'rebill', 'waive', 'roll', 'finalise') },
    { weight: 6, arbitrary: fc.constantFrom('pause', 'resume', 'schedule', 'undo', 'cancel', 'note') },
  ),
  subscription: fc.nat({ max: 2 }),
  n: fc.nat({ max: 1_000_000 }),
});

/** So that every history ends with lines that are added, voided and pending in an open period. */
const ending: Happening[] = [0, 1, 2].flatMap((subscription) =>
  (['undo', 'roll', 'line', 'bill', 'line', 'line', 'void', 'line', 'rebill', 'note'] as const).map((what, n) => ({
    what,
    subscription,
    n,
  })),
);

const tables = billingProjections.flatMap((projection) => projection.tables);

describe('the read models of billing', () => {
  let at: TestDatabase;
  let database: Database;

  beforeAll(async () => {
    at = await testDatabase();
    database = openDatabase(at.url, { max: 2 });
    await sql`create schema ${sql.ref(at.schema)}`.execute(database.db);
    for (const projection of billingProjections) await projection.create(database.db, at.schema);
  });

  afterAll(async () => {
    await database.close();
    await at.close();
  });

  const empty = () =>
    sql`truncate ${sql.join(tables.map((table) => sql.table(`${at.schema}.${table}`)))}`.execute(database.db);

  const apply = (projection: Projection, events: readonly StoredEvent[]) =>
    database.db.transaction().execute((tx) =>
      projection.apply(
        events.filter(({ event }) => projection.handles.includes(event.type)),
        tx,
        at.schema,
      ),
    );

  const rows = async <Row = Record<string, unknown>>(table: string): Promise<Row[]> =>
    (
      await sql<{
        row: Row;
      }>`select to_jsonb(t) as row from ${sql.table(`${at.schema}.${table}`)} t order by to_jsonb(t)::text`.execute(
        database.db,
      )
    ).rows.map(({ row }) => row);

  const everything = async () =>
    Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await rows(table)] as const)));

  it('has the same rows however the events are cut into batches, and when they come again from the middle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { maxLength: 40 }),
        fc.array(fc.nat({ max: 200 }), { maxLength: 6 }),
        fc.nat({ max: 200 }),
        async (happenings, cuts, middle) => {
          const { events } = billingBook([...happenings, ...ending]).log;
          await empty();
          for (const projection of billingProjections) await apply(projection, events);
          const whole = await everything();

          await empty();
          const ends = [...cuts.map((cut) => cut % events.length), events.length].sort((a, b) => a - b);
          for (const projection of billingProjections) {
            let from = 0;
            for (const end of ends) {
              await apply(projection, events.slice(from, end));
              from = end;
            }
          }
          expect(await everything()).toEqual(whole);

          for (const projection of billingProjections)
            for (let from = middle % events.length; from < events.length; from += 5)
              await apply(projection, events.slice(from, from + 5));
          expect(await everything()).toEqual(whole);
        },
      ),
      { numRuns: 8 },
    );
  });

  it.each(['rebill', 'waive'] as const)(
    'has the same lines of the open period live and rebuilt after a %s',
    async (what) => {
      const { events } = billingBook([{ what, subscription: 0, n: 0 }]).log;
      const append = events.findIndex(({ event }) => event.type === 'BillReleased');
      const batches = [[events], [events.slice(0, append), events.slice(append)]];
      const found = [];
      for (const of of batches) {
        await empty();
        for (const batch of of) for (const projection of billingProjections) await apply(projection, batch);
        found.push(await everything());
      }
      expect(found[1]).toEqual(found[0]);
      const lines = found[0]?.['current_billing_period_line'] ?? [];
      const ofIt = lines.filter((row) => row['subscription_id'] === events[append]?.aggregateId);
      expect(ofIt.map((row) => [row['bill_number'], row['added_revision']])).toEqual(what === 'rebill' ? [[2, 2]] : []);
    },
  );

  it('agrees with a book that is kept by hand', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 20, maxLength: 150 }), async (happenings) => {
        const { log, accounts } = billingBook([...happenings, ...ending]);
        await empty();
        for (const projection of billingProjections)
          for (let from = 0; from < log.events.length; from += 40)
            await apply(projection, log.events.slice(from, from + 40));

        const last = new Map(log.events.map((event) => [event.stream, event]));
        const summaries = await rows('subscription_summary');
        const periods = await rows('current_billing_period');
        const lines = await rows('current_billing_period_line');
        const due = await rows('due_billing_period');
        const drafted = await rows('invoice');
        const invoiceLines = await rows('invoice_line');
        for (const account of accounts) {
          const { revision, position } = last.get(`test.subscription-${account.id}`) ?? {};
          const seen = { revision: Number(revision), position: Number(position) };
          expect(summaries.find((row) => row['subscription_id'] === account.id)).toMatchObject({
            tenant: account.tenant,
            status: account.status,
            period_number: account.periods,
            bills: account.bills,
            billed_net: Number(account.billed),
            ...seen,
          });
          expect(periods.find((row) => row['subscription_id'] === account.id)).toMatchObject({
            tenant: account.tenant,
            period_number: account.period,
            ...seen,
          });
          const net = (billed: boolean) =>
            lines
              .filter((row) => row['subscription_id'] === account.id && (row['bill_number'] !== null) === billed)
              .map((row) => row['net'] as number)
              .sort((a, b) => a - b);
          expect(net(false)).toEqual([...account.pending.values()].map(Number).sort((a, b) => a - b));
          expect(net(true)).toEqual(
            account.period === null ? [] : [...account.billedForPeriod.values()].map(Number).sort((a, b) => a - b),
          );
          expect(due.filter((row) => row['subscription_id'] === account.id).map((row) => row['period_number'])).toEqual(
            account.period === null ? [] : [account.period],
          );
          for (const invoice of account.invoices) {
            const ours = invoiceLines.filter((row) => row['invoice_id'] === invoice.id);
            expect(drafted.find((row) => row['invoice_id'] === invoice.id)).toMatchObject({
              tenant: account.tenant,
              status: invoice.number === null ? 'draft' : 'finalised',
              number: invoice.number,
              total: Number(invoice.total),
              line_count: ours.length,
            });
            expect(ours.reduce((sum, row) => sum + BigInt(row['net'] as number), 0n)).toBe(invoice.total);
          }
        }
        expect(drafted).toHaveLength(accounts.reduce((sum, account) => sum + account.invoices.length, 0));
        expect(
          (await rows('stream')).map(({ stream, revision, position }) => ({ stream, revision, position })),
        ).toEqual(
          expect.arrayContaining(
            [...last.values()].map(({ stream, revision, position }) => ({
              stream,
              revision: Number(revision),
              position: Number(position),
            })),
          ),
        );
        expect(await rows('stream')).toHaveLength(last.size);
      }),
      { numRuns: 8 },
    );
  });
});
