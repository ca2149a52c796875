import { grantNumberKey, invoiceId, policyKey, rollOverKey, type LinesBilled } from '@perennial/billing-domain';
import type { CommandResult } from '../command-result';
import { billingProcess, request, type BillingProcess } from '../../../../test/support/billing-process';
import { testEventStore, type TestEventStore } from '../../../../test/support/eventstore';
import { Log, uuidOf } from '../../../../test/support/stored-events';
import { DraftInvoice } from '../commands/draft-invoice';
import { GrantInvoiceNumber } from '../commands/grant-invoice-number';
import { draftInvoiceOnLinesBilled } from './draft-invoice-on-lines-billed';
import { finaliseInvoice } from './finalise-invoice';
import { rollOverElapsedPeriods } from './roll-over-elapsed-periods';

const SUBSCRIPTION = uuidOf('subscription');

function billed(billNumber: number): LinesBilled {
  return {
    type: 'LinesBilled',
    data: {
      effectiveAt: '2026-02-01T00:00:00.000Z',
      subscriptionId: SUBSCRIPTION,
      billNumber,
      periodNumber: billNumber,
      cause: 'boundary',
      customerId: 'customer',
      timeZone: 'America/Los_Angeles',
      paymentTermsDays: 30,
      currency: 'USD',
      lines: [
        {
          lineId: uuidOf(`line ${billNumber}`),
          kind: 'recurring',
          itemId: 'base',
          description: 'Base',
          service: { from: '2026-02-01', to: '2026-03-01' },
          quantity: '1',
          unitPrice: '3100',
          net: '3100',
          taxCode: null,
          taxBehaviour: 'unspecified',
          discountable: true,
          change: 0,
          rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
          metadata: {},
        },
      ],
      net: '3100',
    },
  };
}

const stored = (event: { type: string; data: object }) => {
  const log = new Log();
  log.append('acme', 'subscription', SUBSCRIPTION, [event], '2026-02-01T00:00:10.000Z');
  return log.events[0]!;
};

describe('policies', () => {
  it('derive key, tenant, correlation and cause from the event, so that reacting twice asks for the same', () => {
    const event = stored(billed(1));
    const [draft] = draftInvoiceOnLinesBilled.react(event);
    expect(draft).toBeInstanceOf(DraftInvoice);
    expect(draft?.context).toMatchObject({
      tenant: 'acme',
      key: policyKey(event.id, 'draftInvoiceOnLinesBilled'),
      principal: 'policy:draftInvoiceOnLinesBilled',
      correlationId: event.metadata.correlationId,
      causationId: event.id,
    });
    expect(draftInvoiceOnLinesBilled.react(event)).toEqual([draft]);
    expect(draft?.context.fingerprint).not.toBe(
      draftInvoiceOnLinesBilled.react(stored(billed(2)))[0]?.context.fingerprint,
    );
  });

  it('roll each elapsed period over under the key that anyone rolls it over with', () => {
    const due = { tenant: 'acme', subscriptionId: SUBSCRIPTION, periodNumber: 7 };
    const [command] = rollOverElapsedPeriods([due]);
    expect(command).toMatchObject({ subscriptionId: SUBSCRIPTION, periodNumber: 7 });
    expect(command?.context).toMatchObject({ tenant: 'acme', key: rollOverKey(SUBSCRIPTION, 7) });
    expect(rollOverElapsedPeriods([due])).toEqual([command]);
  });

  it('leave a draft that waits for its review alone until someone asks', () => {
    const { net, ...bill } = billed(1).data;
    const id = invoiceId(SUBSCRIPTION, 1);
    const drafted = { ...bill, invoiceId: id, subtotal: net, taxes: [], total: net };
    const reaction = (type: string, data: object) => finaliseInvoice.react(stored({ type, data }));
    expect(reaction('InvoiceDrafted', drafted)).toMatchObject([{ series: 'INV', invoiceId: id }]);
    expect(reaction('InvoiceDrafted', { ...drafted, autoFinalise: false })).toEqual([]);
    expect(reaction('FinalisationRequested', { effectiveAt: '2026-02-01T00:00:00.000Z', invoiceId: id })).toMatchObject(
      [{ series: 'INV', invoiceId: id }],
    );
  });

  describe('against a store', () => {
    let at: TestEventStore;
    let process: BillingProcess;

    beforeAll(async () => {
      at = await testEventStore();
      process = await billingProcess(at, { time: '2026-02-03T07:30:00.000Z' });
    });

    afterAll(async () => {
      await process.close();
      await at.close();
    });

    it('make of a bill one finalised invoice, issued on the local date of finalising', async () => {
      const event = stored(billed(1));
      const id = invoiceId(SUBSCRIPTION, 1);
      const [draft] = draftInvoiceOnLinesBilled.react(event);
      const drafted = await process.execute(draft!);
      expect(drafted).toMatchObject({ aggregateId: id, revision: '0', events: [{ type: 'InvoiceDrafted' }] });
      expect(await process.execute(draft!)).toEqual({ ...drafted, repeated: true });

      const [grant] = finaliseInvoice.react(stored(drafted.events[0]!));
      const granted: CommandResult = await process.execute<CommandResult>(grant!);
      expect(granted.events).toMatchObject([{ data: { number: 'INV-000001', invoiceId: id } }]);
      const [finalise] = finaliseInvoice.react(stored(granted.events[0]!));
      const finalised: CommandResult = await process.execute<CommandResult>(finalise!);
      // 23:30 of the day before in Los Angeles.
      expect(finalised.events).toMatchObject([
        { type: 'InvoiceFinalised', data: { number: 'INV-000001', issuedOn: '2026-02-02', dueOn: '2026-03-04' } },
      ]);
      process.clock.time = '2026-05-01T00:00:00.000Z';
      expect(await process.execute(finalise!)).toEqual({ ...finalised, repeated: true });
    });

    it('get the same number for an invoice whoever asks and however often, and leave no gap', async () => {
      const ids = Array.from({ length: 30 }, (_, n) => uuidOf(`invoice ${n}`));
      const ask = async (id: string) => {
        const { events } = await process.execute(new GrantInvoiceNumber('T', id, request({ tenant: 'numbers' })));
        return (events[0]?.data as { sequence: number }).sequence;
      };
      const first = await Promise.all(ids.map(ask));
      expect([...first].sort((a, b) => a - b)).toEqual(ids.map((_, n) => n + 1));
      expect(await Promise.all(ids.map(ask))).toEqual(first);
      expect(grantNumberKey(ids[0]!)).not.toBe(grantNumberKey(ids[1]!));
    });
  });
});
