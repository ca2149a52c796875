import type { InvoiceEvent, Line, SubscriptionEvent } from '@perennial/billing-domain';
import { Log, uuidOf } from './stored-events';

/** What happens next in the book, to which subscription, with a number to vary it. */
export interface Happening {
  readonly what:
    | 'line'
    | 'void'
    | 'bill'
    | 'rebill'
    | 'waive'
    | 'roll'
    | 'pause'
    | 'resume'
    | 'schedule'
    | 'undo'
    | 'cancel'
    | 'note'
    | 'finalise';
  readonly subscription: number;
  readonly n: number;
}

/** What anyone with a pencil knows of a subscription of the book. */
export interface Account {
  readonly id: string;
  readonly tenant: string;
  readonly customerId: string;
  status: 'active' | 'canceling' | 'paused' | 'canceled';
  period: number | null;
  periods: number;
  bills: number;
  billed: bigint;
  pending: Map<string, bigint>;
  /** lineId → net of what is billed already for the open period: its charge in advance, and lines billed at once. */
  billedForPeriod: Map<string, bigint>;
  /** Those that stand, with their lines. */
  readonly standing: { readonly billNumber: number; readonly lines: readonly Line[]; readonly net: bigint }[];
  readonly invoices: { readonly id: string; readonly total: bigint; number: string | null }[];
}

const day = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 86_400_000).toISOString();

function line(lineId: string, net: bigint, from: number, lineItemId?: string): Line {
  return {
    lineId,
    kind: lineItemId === undefined ? 'recurring' : 'one-time',
    ...(lineItemId === undefined ? { itemId: 'base' } : { lineItemId }),
    description: `"quoted", {braces}, \\ and ümlaut ${net}`,
    service: { from: day(from).slice(0, 10), to: day(from + 30).slice(0, 10) },
    quantity: '1.5',
    unitPrice: '0.04',
    net: net.toString(),
    taxCode: null,
    taxBehaviour: 'unspecified',
    discountable: true,
    change: 0,
    rule: { name: 'flat', fraction: { numerator: '1', denominator: '1' }, rounding: 'half-away-from-zero' },
    metadata: { note: 'a "b"' },
  };
}

/**
 * A history made by hand, of events that say what they should, and beside it what it comes to: computed while it is
 * made, by other code than any fold. Periods have 30 days.
 */
export function billingBook(happenings: readonly Happening[]): { log: Log; accounts: Account[] } {
  const log = new Log();
  const numbers = new Map<string, number>();
  const accounts = [0, 1, 2].map((index): Account => ({
    id: uuidOf(`subscription ${index}`),
    tenant: index === 2 ? 'other' : 'default',
    customerId: `customer-${index % 2}`,
    status: 'active',
    period: null,
    periods: 0,
    bills: 0,
    billed: 0n,
    pending: new Map(),
    billedForPeriod: new Map(),
    standing: [],
    invoices: [],
  }));

  const append = (account: Account, events: readonly SubscriptionEvent[]) =>
    log.append(account.tenant, 'subscription', account.id, events, day(account.periods * 30));

  const opened = (account: Account): SubscriptionEvent => {
    const from = account.periods * 30;
    account.periods += 1;
    account.period = account.periods;
    account.pending = new Map();
    return {
      type: 'BillingPeriodOpened',
      data: {
        effectiveAt: day(from),
        periodNumber: account.periods,
        gridIndex: account.periods - 1,
        kind: 'regular',
        from: day(from).slice(0, 19),
        to: day(from + 30).slice(0, 19),
        startsAt: day(from),
        endsAt: day(from + 30),
      },
    };
  };

  const closed = (account: Account, cause: 'boundary' | 'pause' | 'cancellation'): SubscriptionEvent => {
    const periodNumber = account.period ?? 0;
    const end = periodNumber * 30;
    account.period = null;
    return {
      type: 'BillingPeriodClosed',
      data: { effectiveAt: day(end), periodNumber, to: day(end).slice(0, 19), endsAt: day(end), cause },
    };
  };

  const billed = (
    account: Account,
    cause: 'start' | 'boundary' | 'change' | 'pause' | 'resume' | 'final',
    pending: ReadonlyMap<string, bigint>,
    advance: bigint,
  ): SubscriptionEvent => {
    const from = (account.periods - 1) * 30;
    const charge = advance === 0n ? [] : [line(uuidOf(`${account.id} advance ${account.bills + 1}`), advance, from)];
    account.billedForPeriod = new Map(charge.map(({ lineId }) => [lineId, advance]));
    const arrears = ['start', 'resume', 'change'].includes(cause)
      ? []
      : [line(uuidOf(`${account.id} arrears ${account.bills + 1}`), 3n, from - 30)];
    return billOf(account, cause, [
      ...arrears,
      ...[...pending].map(([id, net]) => line(uuidOf(`${account.id} ${id}`), net, from - 30, id)),
      ...charge,
    ]);
  };

  const billOf = (
    account: Account,
    cause: Extract<SubscriptionEvent, { type: 'LinesBilled' }>['data']['cause'],
    lines: readonly Line[],
  ): SubscriptionEvent => {
    account.bills += 1;
    const net = lines.reduce((sum, { net: each }) => sum + BigInt(each), 0n);
    account.billed += net;
    account.standing.push({ billNumber: account.bills, lines, net });
    account.invoices.push({ id: uuidOf(`${account.id} invoice ${account.bills}`), total: net, number: null });
    return {
      type: 'LinesBilled',
      data: {
        effectiveAt: day((account.periods - 1) * 30),
        subscriptionId: account.id,
        billNumber: account.bills,
        periodNumber: account.periods,
        cause,
        customerId: account.customerId,
        timeZone: 'UTC',
        paymentTermsDays: 14,
        currency: 'EUR',
        lines,
        net: net.toString(),
      },
    };
  };

  const drafted = (account: Account, bill: SubscriptionEvent | undefined) => {
    const invoice = account.invoices.at(-1);
    if (bill?.type !== 'LinesBilled' || invoice === undefined) return;
    const { lines, net, subscriptionId, billNumber, periodNumber, cause, effectiveAt } = bill.data;
    const event: InvoiceEvent = {
      type: 'InvoiceDrafted',
      data: {
        effectiveAt,
        invoiceId: invoice.id,
        subscriptionId,
        billNumber,
        periodNumber,
        cause,
        customerId: account.customerId,
        timeZone: 'UTC',
        paymentTermsDays: 14,
        currency: 'EUR',
        lines,
        subtotal: net,
        taxes: [{ code: 'VAT', amount: '0' }],
        total: net,
      },
    };
    log.append(account.tenant, 'invoice', invoice.id, [event], day(account.periods * 30));
  };

  for (const [index, account] of accounts.entries()) {
    const start: SubscriptionEvent = {
      type: 'SubscriptionStarted',
      data: {
        effectiveAt: day(0),
        subscriptionId: account.id,
        ...(index === 1 ? {} : { externalId: `external-${index}` }),
        customerId: account.customerId,
        currency: 'EUR',
        timeZone: 'UTC',
        paymentTermsDays: 14,
        startsAt: day(0),
        anchor: day(0).slice(0, 19),
        interval: { unit: 'day', count: 30 },
        items: [
          {
            itemId: 'base',
            componentKey: 'base',
            description: 'Base',
            quantity: '1',
            every: 1,
            timing: 'advance',
            price: { model: 'flat', unitPrice: '500' },
            taxCode: null,
            taxBehaviour: 'unspecified',
            discountable: true,
            from: day(0).slice(0, 19),
          },
        ],
        rules: { prorationUnit: 'calendar-day', dayCount: 'half-open', rounding: 'half-away-from-zero' },
        metadata: { source: 'book' },
      },
    };
    const events = [start, opened(account), billed(account, 'start', new Map(), 500n)];
    append(account, events);
    drafted(account, events.at(-1));
  }

  happenings.forEach(({ what, subscription, n }, step) => {
    const account = accounts[subscription];
    if (account === undefined) return;
    const effectiveAt = day(account.periods * 30);
    const open = account.period !== null;
    let events: SubscriptionEvent[] = [];
    if (what === 'line' && open) {
      const id = `item-${step}`;
      account.pending.set(id, BigInt(n));
      const added = line(uuidOf(`${account.id} ${id}`), BigInt(n), (account.periods - 1) * 30, id);
      events = [
        { type: 'LineItemAdded', data: { effectiveAt, periodNumber: account.periods, lineItemId: id, line: added } },
      ];
    } else if (what === 'void' && open && account.pending.size > 0) {
      const id = [...account.pending.keys()][n % account.pending.size] ?? '';
      account.pending.delete(id);
      const lineId = uuidOf(`${account.id} ${id}`);
      events = [
        { type: 'LineItemVoided', data: { effectiveAt, periodNumber: account.periods, lineItemId: id, lineId } },
      ];
    } else if (what === 'bill' && open && account.pending.size > 0) {
      const before = account.billedForPeriod;
      const now = [...account.pending].map(([id, net]) => [uuidOf(`${account.id} ${id}`), net] as const);
      events = [billed(account, 'change', account.pending, 0n)];
      account.billedForPeriod = new Map([...before, ...now]);
      account.pending = new Map();
    } else if ((what === 'rebill' || what === 'waive') && account.standing.length > 0) {
      const [bill] = account.standing.splice(n % account.standing.length, 1);
      if (bill === undefined) return;
      const { billNumber, lines, net } = bill;
      const lineIds = lines.map(({ lineId }) => lineId);
      const rebill = what === 'rebill';
      account.billed -= net;
      events = [
        { type: 'BillReleased', data: { effectiveAt, billNumber, rebill, lineIds, net: net.toString() } },
        ...(rebill ? [billOf(account, 'rebill', lines)] : []),
      ];
      if (!rebill) for (const lineId of lineIds) account.billedForPeriod.delete(lineId);
    } else if (what === 'roll' && account.status === 'active') {
      const pending = account.pending;
      events = [closed(account, 'boundary'), opened(account), billed(account, 'boundary', pending, BigInt(500 + n))];
    } else if (what === 'pause' && open) {
      events = [
        closed(account, 'pause'),
        { type: 'SubscriptionPaused', data: { effectiveAt, paidThrough: {}, credit: 'none' } },
        billed(account, 'pause', account.pending, 0n),
      ];
      account.status = 'paused';
      account.pending = new Map();
    } else if (what === 'resume' && account.status === 'paused') {
      events = [
        { type: 'SubscriptionResumed', data: { effectiveAt, anchor: 'keep' } },
        opened(account),
        billed(account, 'resume', new Map(), 500n),
      ];
      account.status = 'active';
    } else if (what === 'schedule' && account.status === 'active') {
      events = [
        { type: 'CancellationScheduled', data: { effectiveAt, periodNumber: account.periods, cancelsAt: effectiveAt } },
      ];
      account.status = 'canceling';
    } else if (what === 'undo' && account.status === 'canceling') {
      events = [{ type: 'CancellationUnscheduled', data: { effectiveAt, periodNumber: account.periods } }];
      account.status = 'active';
    } else if (what === 'cancel' && open) {
      events = [
        closed(account, 'cancellation'),
        { type: 'SubscriptionCanceled', data: { effectiveAt, cause: 'requested', credit: 'none' } },
        billed(account, 'final', account.pending, 0n),
      ];
      account.status = 'canceled';
      account.pending = new Map();
    } else if (what === 'note') {
      log.append(
        account.tenant,
        'subscription',
        account.id,
        [{ type: 'CommandNoted', data: { effectiveAt } }],
        effectiveAt,
      );
    } else if (what === 'finalise') {
      const invoice = account.invoices.find(({ number }) => number === null);
      if (invoice !== undefined) {
        const sequence = (numbers.get(account.tenant) ?? 0) + 1;
        numbers.set(account.tenant, sequence);
        invoice.number = `INV-${sequence}`;
        const finalised: InvoiceEvent = {
          type: 'InvoiceFinalised',
          data: {
            effectiveAt,
            series: 'INV',
            sequence,
            number: invoice.number,
            issuedOn: effectiveAt.slice(0, 10),
            dueOn: day(account.periods * 30 + 14).slice(0, 10),
          },
        };
        log.append(account.tenant, 'invoice', invoice.id, [finalised], effectiveAt);
      }
    }
    if (events.length > 0) append(account, events);
    drafted(
      account,
      events.find(({ type }) => type === 'LinesBilled'),
    );
  });
  return { log, accounts };
}
