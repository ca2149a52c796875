import { eventually, monthly, Service } from '../support/app';
import { runToEnd } from '../support/processes';

/** Changes in mid-period over real sockets, to the cent; expectations are computed by hand from the days. */
describe('a change in mid-period', () => {
  let service: Service;
  beforeAll(async () => {
    service = await Service.start();
    await service.setClock('2026-01-01T00:00:00.000Z');
  });
  afterAll(() => service.stop());

  const item = (more: object) => ({
    description: 'Seats',
    timing: 'advance',
    price: { model: 'per-unit', unitPrice: '10000' },
    ...more,
  });
  const startOf = async (key: string, more: object) => {
    const { status, body } = await service.client.post(
      '/v1/subscriptions',
      monthly({ timeZone: 'UTC', items: [item({})], ...more }),
      key,
    );
    expect([status, body.code]).toEqual([201, undefined]);
    return body.id as string;
  };
  const on = async (id: string, rest: string, body: object, key: string) => {
    const answer = await service.client.post(`/v1/subscriptions/${id}/${rest}`, body, key);
    expect([answer.status, answer.body.code]).toEqual([200, undefined]);
    return answer.body;
  };
  const bill = ({ events }: { events: { type: string; data: { net: string; lines: { net: string }[] } }[] }) =>
    events.find(({ type }) => type === 'LinesBilled')?.data;
  const usd = (amount: string) => ({ amount, currency: 'USD' });
  const invoices = (id: string, count: number) =>
    eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${id}&status=finalised`),
      ({ body }) => body.items?.length === count,
    );

  it('shows what a change would bill and bills it; a credit settles the next invoice; a void bills anew', async () => {
    const seats = await startOf('start-seats', { customerId: 'seats' });
    const base = await startOf('start-base', { customerId: 'credited' });

    await service.setClock('2026-01-11T00:00:00.000Z');
    const edits = [{ kind: 'quantity', itemId: 'base', quantity: '2' }];
    const shown = await on(seats, 'changes?dryRun=true', { edits, billing: 'now' }, 'shown');
    const changed = await on(seats, 'changes', { edits, billing: 'now' }, 'changed');
    // 21 of 31 days: one seat of 100.00 given back, 67.74; two seats charged, 135.48.
    const lines = bill(changed)?.lines.map(({ net }) => net);
    expect([bill(changed)?.net, lines?.sort()]).toEqual(['6774', ['-6774', '13548']]);
    expect(bill(shown)?.lines).toEqual(bill(changed)?.lines);
    expect((await invoices(seats, 2)).body.items[1].total).toEqual({ amount: '6774', currency: 'USD' });

    // 100.00 with 21 of 31 days left: 67.74 back, which the customer's next invoice is settled from.
    const canceled = await on(base, 'cancel', { at: 'now', credit: 'prorated' }, 'canceled');
    expect(bill(canceled)?.net).toBe('-6774');
    const balances = await eventually(
      () => service.client.get('/v1/customer-balances?customerId=credited'),
      ({ body }) => body.items?.length === 1,
    );
    const { customerBalanceId } = balances.body.items[0];
    const { body: notes } = await service.client.get(`/v1/credit-notes?subscriptionId=${base}&status=issued`);
    const { body: note } = await service.client.get(`/v1/credit-notes/${notes.items[0].creditNoteId}`);
    expect(note).toMatchObject({ number: 'CN-000001', customerId: 'credited', total: usd('6774'), lineCount: 1 });
    expect(note.lines.map(({ kind, net }: { kind: string; net: string }) => [kind, net])).toEqual([
      ['correction', '-6774'],
    ]);
    const next = await startOf('start-next', { customerId: 'credited' });
    const { body } = await invoices(next, 1);
    const { invoiceId, total } = body.items[0];
    expect(total).toEqual({ amount: '10000', currency: 'USD' });
    expect(await applied(invoiceId)).toBe('6774');

    const voided = await service.client.post(
      `/v1/invoices/${invoiceId}/void`,
      { rebill: true, reason: 'wrong address' },
      'void',
    );
    expect([voided.status, voided.body.events[0].type]).toEqual([200, 'InvoiceVoided']);
    const all = await eventually(
      () => service.client.get(`/v1/invoices?subscriptionId=${next}`),
      (answer) =>
        answer.body.items?.some(
          ({ billNumber, number }: { billNumber: number; number: string | null }) =>
            billNumber === 2 && number !== null,
        ),
    );
    const again = all.body.items.find(({ billNumber }: { billNumber: number }) => billNumber === 2);
    expect(again.total).toEqual({ amount: '10000', currency: 'USD' });
    // The credit that the voided invoice had used came back first.
    expect(await applied(again.invoiceId)).toBe('6774');
    const one = `/v1/customer-balances/${customerBalanceId}`;
    const balance = await service.client.get(`${one}?minPosition=${again.position}`);
    expect(balance.body).toMatchObject({
      customerId: 'credited',
      balance: usd('0'),
      granted: usd('6774'),
      applied: usd('13548'),
      returned: usd('6774'),
    });
    const first = await service.client.get(`${one}/movements?limit=3`);
    const rest = await service.client.get(`${one}/movements?limit=3&cursor=${first.body.nextCursor}`);
    const movements = [...first.body.items, ...rest.body.items];
    expect(movements.map(({ kind, balance: after }) => [kind, after])).toEqual([
      ['granted', usd('6774')],
      ['applied', usd('0')],
      ['returned', usd('6774')],
      ['applied', usd('0')],
    ]);
    expect(movements.map(({ creditNoteId, invoiceId: of }) => creditNoteId ?? of)).toEqual([
      note.creditNoteId,
      invoiceId,
      invoiceId,
      again.invoiceId,
    ]);
    const told = await service.client.get(`/v1/audit/streams/${balance.body.stream}/events`);
    expect(told.body.events.map(({ id }: { id: string }) => id)).toEqual(movements.map(({ eventId }) => eventId));
  });

  it('is taken back before the period ends, or moves the billing cycle', async () => {
    const id = await startOf('start-undo', { customerId: 'undo' });
    const edits = [
      { kind: 'quantity', itemId: 'base', quantity: '0' },
      { kind: 'put', item: item({ componentKey: 'more' }) },
      { kind: 'remove', itemId: 'base' },
    ];
    const scheduled = await on(id, 'changes', { edits, when: 'period-end' }, 'schedule');
    expect(scheduled.events.map(({ type }: { type: string }) => type)).toEqual(['ItemsChangeScheduled']);
    const undone = await on(id, 'undo-changes', {}, 'undo');
    expect(undone.events.map(({ type }: { type: string }) => type)).toEqual(['ItemsChangeUnscheduled']);
    const moved = await on(id, 'billing-cycle', { anchor: { dayOfMonth: 15 } }, 'cycle');
    expect(moved.events.map(({ type }: { type: string }) => type)).toContain('BillingCycleChanged');
  });

  it('leaves books that verify clean, also when each of them is read again', async () => {
    for (const [program, ...args] of [
      ['audit', 'verify'],
      ['projections', 'diff'],
    ]) {
      const { code, output } = await runToEnd(`apps/standalone/src/${program}.js`, args, service.surroundings);
      expect([program, code, code === 0 || output]).toEqual([program, 0, true]);
    }
  });

  /** What the customer's balance has settled of an invoice, as its events say. */
  async function applied(invoiceId: string): Promise<string | undefined> {
    const stream = `${service.surroundings['STREAM_PREFIX']}.invoice-${invoiceId}`;
    const { body } = await service.client.get(`/v1/audit/streams/${stream}/events`);
    return body.events.find(({ type }: { type: string }) => type === 'InvoiceFinalised')?.data.creditApplied;
  }
});
