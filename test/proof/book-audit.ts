import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreditNoteEvent, InvoiceEvent, SubscriptionEvent, UsageEvent } from '@perennial/billing-domain';
import { EventStore } from '@perennial/event-sourcing';
import { recompute } from './naive-calculator';

/* What is left of a book when it is over: each subscription recomputed, and its bills held against the invoices and credit notes. */

export interface BookFindings {
  readonly subscriptions: number;
  readonly events: number;
  readonly bills: number;
  readonly invoices: number;
  readonly creditNotes: number;
  readonly lines: number;
  /** By currency, minor units. */
  readonly totals: Readonly<Record<string, { invoiced: bigint; credited: bigint; asked: bigint }>>;
  /** Kinds of lines, price models and rules. */
  readonly counts: ReadonlyMap<string, number>;
  readonly differences: readonly string[];
}

type Stored = { readonly type: string; readonly data: unknown };

/** Reads the whole log and works everything out again. */
export async function auditBook(url: string, prefix: string): Promise<BookFindings> {
  const store = EventStore.connect({ url });
  const streams = new Map<string, Stored[]>();
  const done = new AbortController();
  let events = 0;
  try {
    const all = store.subscribe({
      from: 'start',
      prefixes: [`${prefix}.subscription-`, `${prefix}.invoice-`, `${prefix}.credit-note-`, `${prefix}.usage-`],
      signal: done.signal,
      onCaughtUp: () => done.abort(),
    });
    for await (const { stream, type, data } of all) {
      events += 1;
      const [, name = ''] = stream.split('.');
      streams.set(name, [...(streams.get(name) ?? []), { type, data }]);
    }
  } finally {
    await store.close();
  }
  return { ...workOut(streams), events };
}

function workOut(streams: ReadonlyMap<string, readonly Stored[]>): Omit<BookFindings, 'events'> {
  const differences: string[] = [];
  const counts = new Map<string, number>();
  const totals: Record<string, { invoiced: bigint; credited: bigint; asked: bigint }> = {};
  const totalOf = (currency: string) => (totals[currency] ??= { invoiced: 0n, credited: 0n, asked: 0n });
  const documents = new Map<string, { net: bigint; lines: string }>();
  const usage = new Map<string, UsageEvent[][]>();
  for (const [name, stored] of streams) {
    const [opened] = stored as readonly UsageEvent[];
    if (!name.startsWith('usage-') || opened?.type !== 'UsageOpened') continue;
    const { subscriptionId } = opened.data;
    usage.set(subscriptionId, [...(usage.get(subscriptionId) ?? []), stored as UsageEvent[]]);
  }
  let [subscriptions, bills, invoices, creditNotes, lines] = [0, 0, 0, 0, 0];

  for (const [name, stored] of streams) {
    const [drafted, ...rest] = stored as readonly (InvoiceEvent | CreditNoteEvent)[];
    const of = (data: { subscriptionId: string; billNumber: number }) => `${data.subscriptionId} ${data.billNumber}`;
    if (drafted?.type === 'InvoiceDrafted') {
      const { total, currency, lines: own } = drafted.data;
      invoices += 1;
      const voided = rest.some(({ type }) => type === 'InvoiceVoided');
      if (!voided) totalOf(currency).invoiced += BigInt(total);
      if (documents.has(of(drafted.data))) differences.push(`${name}: a second document of one bill`);
      documents.set(of(drafted.data), { net: BigInt(total), lines: JSON.stringify(own) });
    } else if (drafted?.type === 'CreditNoteDrafted') {
      const { total, currency, lines: own } = drafted.data;
      creditNotes += 1;
      totalOf(currency).credited += BigInt(total);
      if (documents.has(of(drafted.data))) differences.push(`${name}: a second document of one bill`);
      documents.set(of(drafted.data), { net: -BigInt(total), lines: JSON.stringify(own) });
    }
  }
  for (const [name, stored] of streams) {
    if (!name.startsWith('subscription-')) continue;
    subscriptions += 1;
    const own = stored as readonly SubscriptionEvent[];
    const [started] = own;
    const subscriptionId = started?.type === 'SubscriptionStarted' ? started.data.subscriptionId : '';
    const { differences: wrong, asked, counts: seen } = recompute(own, usage.get(subscriptionId));
    differences.push(...wrong.map((each) => `${name}: ${each}`));
    if (wrong.length > 0) {
      const file = join(tmpdir(), `book-${name}.json`);
      writeFileSync(file, JSON.stringify({ events: own, usage: usage.get(subscriptionId) ?? [] }));
      differences.push(`${name}: its events are in ${file}`);
    }
    for (const [what, count] of seen) counts.set(what, (counts.get(what) ?? 0) + count);
    for (const [currency, amount] of asked) totalOf(currency).asked += amount;
    for (const event of own) {
      if (event.type !== 'LinesBilled') continue;
      bills += 1;
      lines += event.data.lines.length;
      const document = documents.get(`${event.data.subscriptionId} ${event.data.billNumber}`);
      if (document?.net !== BigInt(event.data.net) || document.lines !== JSON.stringify(event.data.lines))
        differences.push(`${name}: bill ${event.data.billNumber} of ${event.data.net} became ${document?.net}`);
    }
  }
  for (const [currency, { invoiced, credited, asked }] of Object.entries(totals)) {
    if (invoiced - credited !== asked) differences.push(`${currency}: ${invoiced} − ${credited} is not ${asked}`);
  }
  return { subscriptions, bills, invoices, creditNotes, lines, totals, counts, differences };
}
