import {
  customerBalanceId,
  invoiceId,
  type CustomerBalanceEvent,
  type InvoiceEvent,
  type Line,
  type LinesBilled,
} from '@perennial/billing-domain';
import { billingProcess, request, type BillingProcess } from '../../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../../test/support/eventstore';
import { uuidOf } from '../../../../test/support/stored-events';
import { ApplyCredit } from './apply-credit';
import { DraftInvoice } from './draft-invoice';
import { FinaliseInvoice } from './finalise-invoice';
import { GrantCredit } from './grant-credit';
import { ReturnCredit } from './return-credit';

const TIME = '2026-01-01T00:00:00.000Z';
const granted = { series: 'INV', sequence: 1, number: 'INV-000001' };

const line: Line = {
  lineId: uuidOf('line'),
  kind: 'recurring',
  itemId: 'base',
  description: 'Base',
  service: { from: '2026-01-01', to: '2026-02-01' },
  quantity: '1',
  unitPrice: '10000',
  net: '10000',
  taxCode: null,
  taxBehaviour: 'unspecified',
  discountable: true,
  change: 0,
  rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
  metadata: {},
};

/** The policy comes again with the key that it derived from the event, in a process that knows nothing of the one that died. */
describe('a process that dies while it finalises an invoice', () => {
  let at: TestEventStore;
  let process: BillingProcess;
  beforeAll(async () => {
    at = await testEventStore();
    process = await billingProcess(at, { time: TIME });
  });
  afterAll(async () => {
    await process.close();
    await at.close();
  });

  let count = 0;
  /** A draft of 100.00 of a customer of its own, and what the steps of finalising it are. */
  async function draft() {
    count += 1;
    const subscriptionId = uuidOf(`subscription ${count}`);
    const customerId = `customer-${count}`;
    const of = { customerId, currency: 'USD' };
    const bill: LinesBilled['data'] = {
      effectiveAt: TIME,
      subscriptionId,
      billNumber: 1,
      periodNumber: 1,
      cause: 'start',
      timeZone: 'UTC',
      paymentTermsDays: 0,
      ...of,
      lines: [line],
      net: '10000',
    };
    await process.execute(new DraftInvoice(bill, request()));
    const id = invoiceId(subscriptionId, 1);
    const context = request({ key: `finalise-${count}`, principal: 'policy:finaliseInvoice' });
    const balance = customerBalanceId('default', customerId, 'USD');
    const recorded = async (stream: string) => {
      const events: unknown[] = [];
      for await (const { type, data } of process.store.read(`${at.prefix}.${stream}`)) events.push([type, data]);
      return events as [string, Record<string, string | undefined>][];
    };
    return {
      grant: (amount: string) =>
        process.execute(new GrantCredit({ creditNoteId: uuidOf(`note ${count}`), ...of, amount }, request())),
      apply: () => process.execute(new ApplyCredit({ invoiceId: id, ...of, amount: '10000' }, context)),
      giveBack: (amount: string) => process.execute(new ReturnCredit({ invoiceId: id, ...of, amount }, context)),
      finalise: () => process.execute(new FinaliseInvoice(id, granted, context)),
      async again(): Promise<void> {
        const another = await billingProcess(at, { time: '2026-01-02T00:00:00.000Z' });
        await another.execute(new FinaliseInvoice(id, granted, context)).finally(() => another.close());
      },
      /** Kinds and amounts of what moved the balance. */
      movements: async () =>
        (await recorded(`customer-balance-${balance}`))
          .filter(([type]) => type !== 'CommandNoted')
          .map(([type, { amount, balance: after }]): [CustomerBalanceEvent['type'], ...unknown[]] => [
            type as CustomerBalanceEvent['type'],
            amount,
            after,
          ]),
      settled: async () =>
        (await recorded(`invoice-${id}`))
          .filter(([type]) => type === ('InvoiceFinalised' satisfies InvoiceEvent['type']))
          .map(([, { creditApplied }]) => creditApplied),
    };
  }

  it('after the credit was applied: the invoice is settled with that credit, which is used once', async () => {
    const invoice = await draft();
    await invoice.grant('2500');
    await invoice.apply();
    await invoice.again();
    await invoice.again();
    expect(await invoice.settled()).toEqual(['2500']);
    expect(await invoice.movements()).toEqual([
      ['CreditGranted', '2500', '2500'],
      ['CreditApplied', '2500', '0'],
    ]);
  });

  it('after the invoice was finalised: nothing more happens', async () => {
    const invoice = await draft();
    await invoice.grant('20000');
    await invoice.finalise();
    await invoice.again();
    expect(await invoice.settled()).toEqual(['10000']);
    expect(await invoice.movements()).toEqual([
      ['CreditGranted', '20000', '20000'],
      ['CreditApplied', '10000', '10000'],
    ]);
  });

  it('after it applied credit to an invoice that another process finalised without: the credit comes back, once', async () => {
    const invoice = await draft();
    await invoice.finalise();
    await invoice.grant('2500');
    await invoice.apply();
    await invoice.again();
    await invoice.again();
    expect(await invoice.settled()).toEqual([undefined]);
    expect(await invoice.movements()).toEqual([
      ['CreditGranted', '2500', '2500'],
      ['CreditApplied', '2500', '0'],
      ['CreditReturned', '2500', '2500'],
    ]);
  });

  it('after it gave such credit back: it does not come back a second time', async () => {
    const invoice = await draft();
    await invoice.finalise();
    await invoice.grant('2500');
    await invoice.apply();
    await invoice.giveBack('2500');
    await invoice.again();
    expect((await invoice.movements()).map(([type, , after]) => [type, after])).toEqual([
      ['CreditGranted', '2500'],
      ['CreditApplied', '0'],
      ['CreditReturned', '2500'],
    ]);
  });

  it('after an invoice was finalised without a balance: credit that is granted later stays where it is', async () => {
    const invoice = await draft();
    await invoice.finalise();
    await invoice.grant('2500');
    await invoice.again();
    expect(await invoice.movements()).toEqual([['CreditGranted', '2500', '2500']]);
  });
});
