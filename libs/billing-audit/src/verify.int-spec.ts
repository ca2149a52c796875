import { createHash, randomUUID } from 'node:crypto';
import type { Command } from '@nestjs/cqrs';
import { AddLineItem, RollOverBillingPeriod, StartSubscription } from '@perennial/billing-application';
import { type NewEvent, chainHash, streamNames } from '@perennial/event-sourcing';
import { type BillingProcess, billingProcess, request } from '../../../test/support/billing-process';
import { type TestEventStore, testEventStore } from '../../../test/support/eventstore';
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
      now: this.process.clock.time,
      fix: fix ? (command) => this.process.execute(command as Command<unknown>) : undefined,
    });
  }

  async close(): Promise<void> {
    await this.process.close();
    await this.server.close();
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
    const honest = (event: NewEvent) => chainHash('f'.repeat(64), { ...event, metadata: event.metadata! });
    await book.store.append(stream, [forge(honest)], appended.revision);
    const report = await verify(book.options());
    expect(report.differences.filter((each) => each.check === 'hash-chain')).toHaveLength(1);
    expect(report.ok).toBe(false);
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

/** As the repository seals it, so that only a replay can tell. */
function sealed(body: object): object {
  return { checksum: createHash('sha256').update(JSON.stringify(body)).digest('hex'), ...body };
}
