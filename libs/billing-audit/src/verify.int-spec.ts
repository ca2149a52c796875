import { createHash, randomUUID } from 'node:crypto';
import type { Command } from '@nestjs/cqrs';
import {
  AddLineItem,
  ApplyCoupon,
  CreateCoupon,
  PauseSubscription,
  RollOverBillingPeriod,
  StartSubscription,
} from '@perennial/billing-application';
import { billingCatalogs, couponId } from '@perennial/billing-domain';
import { billingProjections } from '@perennial/billing-read-models';
import { type NewEvent, ProjectionRunner, chainHash, streamNames } from '@perennial/event-sourcing';
import { type Database, createLogger, openDatabase } from '@perennial/platform';
import { type BillingProcess, billingProcess, request } from '../../../test/support/billing-process';
import { type TestEventStore, testEventStore } from '../../../test/support/eventstore';
import { type TestDatabase, testDatabase } from '../../../test/support/postgres';
import type { Difference } from './difference';
import { readModelsUnderAudit } from './read-models-under-audit';
import { reconcile } from './reconcile';
import { type VerifyOptions, verify } from './verify';

/** A book kept by real commands over a real (embedded) store; no policy runs but by reconcile. */
class Book {
  readonly names = streamNames(this.server.prefix);
  readonly store = this.process.store;

  private constructor(
    readonly server: TestEventStore,
    readonly process: BillingProcess,
  ) {}

  static async open(): Promise<Book> {
    const server = await testEventStore();
    return new Book(server, await billingProcess(server, { time: '2026-01-01T00:00:00.000Z', snapshotEvery: 5 }));
  }

  /** One subscription over three periods with `lines` line items in each. */
  async subscription(externalId: string, lines: number): Promise<string> {
    this.process.clock.time = '2026-01-01T00:00:00.000Z';
    const { aggregateId } = await this.process.execute(
      new StartSubscription(
        {
          externalId,
          customerId: 'c1',
          currency: 'USD',
          timeZone: 'UTC',
          interval: { unit: 'month', count: 1 },
          paymentTermsDays: 14,
          item: { description: 'Seats', timing: 'advance', unitPrice: '3100' },
        },
        request(),
      ),
    );
    for (const [month, periodNumber] of [
      ['02', 1],
      ['03', 2],
    ] as const) {
      for (let n = 0; n < lines; n += 1) {
        const lineItem = { lineItemId: `${month}-${n}`, description: 'Setup', unitPrice: '250' };
        await this.process.execute(new AddLineItem(aggregateId, lineItem, request()));
      }
      this.process.clock.time = `2026-${month}-01T00:00:01.000Z`;
      await this.process.execute(new RollOverBillingPeriod(aggregateId, periodNumber, request()));
    }
    await this.process.repositories.flushSnapshots();
    return aggregateId;
  }

  options(over: Partial<VerifyOptions> = {}): VerifyOptions {
    return {
      store: this.store,
      prefix: this.server.prefix,
      dataKeys: this.process.repositories.dataKeys,
      policyPosition: async () => 2n ** 62n,
      ...over,
    };
  }

  async checks(): Promise<string[]> {
    const report = await verify(this.options());
    return [...new Set(report.differences.map((each) => each.check))];
  }

  reconcile(fix: boolean) {
    return reconcile({
      store: this.store,
      prefix: this.server.prefix,
      dataKeys: this.process.repositories.dataKeys,
      now: this.process.clock.time,
      fix: fix ? (command) => this.process.execute(command as Command<unknown>) : undefined,
    });
  }

  async close(): Promise<void> {
    await this.process.close();
    await this.server.close();
  }
}

/** The read models of a book, kept by their runner until they are to be damaged. */
class KeptReadModels {
  private constructor(
    readonly target: TestDatabase,
    readonly database: Database,
    readonly runner: ProjectionRunner,
  ) {}

  static async open(book: Book): Promise<KeptReadModels> {
    const target = await testDatabase();
    const database = openDatabase(target.url);
    const runner = new ProjectionRunner({
      store: book.store,
      db: database.db,
      schema: target.schema,
      streamPrefix: book.server.prefix,
      projections: billingProjections,
      catalogs: billingCatalogs,
      logger: createLogger('silent'),
      onDiverged: 'stop',
    });
    runner.start();
    return new KeptReadModels(target, database, runner);
  }

  async differences(book: Book): Promise<string[]> {
    const { differences } = await verify(
      book.options({
        readModels: readModelsUnderAudit({
          db: this.database.db,
          schema: this.target.schema,
          store: book.store,
          prefix: book.server.prefix,
          waitMs: 20_000,
        }),
      }),
    );
    // The subject without the id of its row.
    const name = ({ check, subject }: Difference) => {
      const [table, , column] = subject.split(' ');
      return [check, table, ...(column === undefined ? [] : [column])].join(' ');
    };
    return [...new Set(differences.map(name))].sort();
  }

  /** Changes rows by hand, as nobody should. */
  async damage(statement: string): Promise<void> {
    const { rowCount } = await this.database.pool.query(statement.replaceAll('SCHEMA', `"${this.target.schema}"`));
    if (rowCount === 0) throw new Error(`${statement} changed nothing`);
  }

  async close(): Promise<void> {
    await this.runner.stop();
    await this.database.close();
    await this.target.close();
  }
}

describe('audit verify and reconcile over a real store', () => {
  let book: Book;
  beforeEach(async () => {
    book = await Book.open();
  });
  afterEach(() => book.close());

  it('lists missing invoices until the policy has been there, reports them then, and reconcile makes them, once', async () => {
    await book.subscription('one', 3);
    const waiting = await verify(book.options({ policyPosition: async () => undefined }));
    expect(waiting).toMatchObject({ ok: true, pending: 3, differenceCount: 0 });
    expect(await book.checks()).toEqual(['missing-invoice']);

    expect((await book.reconcile(false)).gaps.map((gap) => gap.what)).toEqual(['invoice', 'invoice', 'invoice']);
    const repaired = await book.reconcile(true);
    expect(repaired).toMatchObject({ commands: 9, failures: [] });
    expect((await book.reconcile(true)).gaps).toEqual([]);

    const report = await verify(book.options());
    expect(report.differences).toEqual([]);
    expect(report).toMatchObject({
      ok: true,
      counts: { subscriptions: 1, bills: 3, invoices: 3, 'numbers granted': 3, 'snapshots compared': 1 },
      totals: { USD: { billed: '10800', invoiced: '10800', finalised: '10800', open: '0' } },
    });
    const again = await verify(book.options());
    expect(again.sha256).toBe(report.sha256);
  });

  it('rolls over what has elapsed, one boundary after another, and invoices it', async () => {
    await book.subscription('one', 1);
    book.process.clock.time = '2026-06-02T00:00:00.000Z';
    const report = await book.reconcile(true);
    expect(report.gaps.map((gap) => gap.what).sort()).toEqual(['invoice', 'invoice', 'invoice', 'roll-over']);
    expect(report.failures).toEqual([]);
    const after = await verify(book.options());
    expect(after).toMatchObject({
      ok: true,
      counts: { bills: 6, invoices: 6 },
      totals: { USD: { finalised: '19100' } },
    });
  });

  it('finds a forged event, whether its hash is wrong or made to fit', async () => {
    const id = await book.subscription('one', 1);
    await book.reconcile(true);
    const stream = book.names.of('subscription', id);
    const last = (await book.store.last(stream))!;
    const metadata = last.metadata as { hash: string; key: string };
    const forge = (hash: (event: NewEvent) => string): NewEvent => {
      const event = {
        id: randomUUID(),
        type: last.type,
        data: last.data as object,
        metadata: { ...metadata, key: 'forged' },
      };
      return { ...event, metadata: { ...event.metadata, hash: hash(event) } };
    };
    const appended = await book.store.append(stream, [forge(() => 'f'.repeat(64))], last.revision);
    expect(await book.checks()).toEqual(
      expect.arrayContaining(['hash-chain', 'bill-number', 'line-once', 'service-once']),
    );

    // With a hash that fits nothing is wrong with the chain; what it says still cannot be.
    const honest = (event: NewEvent) => chainHash('f'.repeat(64), { ...event, metadata: event.metadata as object });
    await book.store.append(stream, [forge(honest)], appended.revision);
    const report = await verify(book.options());
    expect(report.differences.filter((each) => each.check === 'hash-chain')).toHaveLength(1);
    expect(report.ok).toBe(false);
  });

  it('finds a coupon that does not count its redemption, lets reconcile count it, and finds one that nobody applied', async () => {
    const id = await book.subscription('one', 1);
    await book.reconcile(true);
    const create = { code: 'ONE', discount: { kind: 'percentage', percent: '10' }, maxRedemptions: 1 } as const;
    await book.process.execute(new CreateCoupon(create, request()));
    await book.process.execute(new ApplyCoupon(id, 'ONE', request()));
    const waiting = await verify(book.options({ policyPosition: async () => undefined }));
    expect(waiting).toMatchObject({ ok: true, pending: 1 });
    expect(await book.checks()).toEqual(['missing-redemption']);
    const repaired = await book.reconcile(true);
    expect(repaired.gaps.map(({ what }) => what)).toEqual(['redemption']);
    expect(repaired).toMatchObject({ commands: 1, failures: [] });
    expect(await book.checks()).toEqual([]);

    const stream = book.names.of('coupon', couponId('default', 'ONE'));
    const last = (await book.store.last(stream))!;
    const { hash } = last.metadata as { hash: string };
    const event = {
      id: randomUUID(),
      type: last.type,
      data: last.data as object,
      metadata: { ...(last.metadata as object), key: 'forged' },
    };
    const forged = { ...event, metadata: { ...event.metadata, hash: chainHash(hash, event) } };
    await book.store.append(stream, [forged], last.revision);
    expect(await book.checks()).toEqual(['coupon-redemption']);
  });

  it('finds a snapshot that is not what a replay gives, and key slices are checked with it', async () => {
    const id = await book.subscription('one', 3);
    await book.reconcile(true);
    const stream = book.names.snapshot('subscription', id);
    const snapshot = (await book.store.last(stream))!.data as Record<string, unknown>;
    const write = async (data: object) => {
      await book.store.append(stream, [{ id: randomUUID(), type: 'Snapshot', data }], 'any');
      return book.checks();
    };
    expect(await write({ ...snapshot, state: { ...(snapshot['state'] as object), billNumber: 99 } })).toEqual([
      'snapshot',
    ]);

    const lying: Record<string, unknown> = { ...snapshot, state: { ...(snapshot['state'] as object), billNumber: 99 } };
    const { checksum: _, ...body } = lying;
    expect(await write(sealed(body))).toEqual(['snapshot']);
    const forgetful = { ...body, state: snapshot['state'], keys: { recent: '', from: '0', slices: [] } };
    expect(await write(sealed(forgetful))).toEqual(['snapshot-keys']);
    expect(await write(snapshot)).toEqual([]);
  });
});

describe('audit verify of read models', () => {
  let book: Book;
  let models: KeptReadModels;
  beforeAll(async () => {
    book = await Book.open();
    await book.subscription('one', 2);
    const paused = await book.subscription('two', 1);
    await book.process.execute(new PauseSubscription(paused, { credit: 'none' }, request()));
    const open = await book.subscription('three', 1);
    const lineItem = { lineItemId: 'open', description: 'Open', unitPrice: '77' };
    await book.process.execute(new AddLineItem(open, lineItem, request()));
    await book.reconcile(true);
    models = await KeptReadModels.open(book);
  });
  afterAll(async () => {
    await models.close();
    await book.close();
  });

  it('finds nothing in honest rows, and each planted difference by its name', async () => {
    expect(await models.differences(book)).toEqual([]);
    const planted: readonly (readonly [statement: string, found: string])[] = [
      [`update SCHEMA.invoice set total = total + 1 where bill_number = 2`, 'row-value invoice total'],
      [`update SCHEMA.invoice_line set net = net - 1 where ordinal = 0`, 'row-value invoice lines'],
      [`delete from SCHEMA.invoice where bill_number = 1`, 'row-missing invoice'],
      [
        `update SCHEMA.subscription_summary set billed_net = billed_net + 1 where external_id = 'one'`,
        'row-value subscription_summary billed_net',
      ],
      [`delete from SCHEMA.subscription_summary where external_id = 'two'`, 'row-missing subscription_summary'],
      [
        `update SCHEMA.current_billing_period_line set net = net + 1 where line_item_id = 'open'`,
        'row-value current_billing_period line',
      ],
      [
        `insert into SCHEMA.due_billing_period
           select tenant, '00000000-0000-4000-8000-000000000001', 1, ends_at, held, 0, position from SCHEMA.due_billing_period limit 1`,
        'row-without-event due_billing_period',
      ],
      [`update SCHEMA.stream set subject = 'other'`, 'read-model-diff streams/stream'],
    ];
    for (const [statement] of planted) await models.damage(statement);
    const found = await models.differences(book);
    expect(found).toEqual(expect.arrayContaining(planted.map(([, name]) => name)));
    expect(found.filter((name) => name.startsWith('read-model-diff'))).toHaveLength(6);
  });
});

/** As the repository seals it, so that only a replay can tell. */
function sealed(body: object): object {
  return { checksum: createHash('sha256').update(JSON.stringify(body)).digest('hex'), ...body };
}
