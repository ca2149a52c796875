import type { SubscriptionEvent } from '@perennial/billing-domain';
import {
  type DataKeys,
  type EventStore,
  type RecordedEvent,
  type StoredEvent,
  decode,
  streamNames,
} from '@perennial/event-sourcing';
import { aggregates } from './aggregates';
import { type BillBook, enterInBook, openBillBook } from './bill-book';
import { type CouponBook, enterCoupons, openCouponBook } from './coupon-book';
import type { Difference } from './difference';
import { enterPersonalData, type PersonalDataBook } from './personal-data-book';
import { type StreamHead, checkChain } from './hash-chain';
import { enterUsage, openUsageBook } from './usage-ledger';

/** What one reading of the whole log tells: the head of every stream and the book of bills. About 400 bytes a stream. */
export interface LogPass {
  readonly heads: ReadonlyMap<string, StreamHead>;
  /** Aggregate streams that have a snapshot. */
  readonly withSnapshot: ReadonlySet<string>;
  readonly book: BillBook;
  /** Subscription id → its open period. */
  readonly openPeriods: ReadonlyMap<string, OpenPeriod>;
  readonly personalData: PersonalDataBook;
  readonly coupons: CouponBook;
  readonly events: number;
  /** Position of the last event. */
  readonly position: bigint;
}

export interface OpenPeriod {
  readonly tenant: string;
  readonly periodNumber: number;
  readonly endsAt: string;
}

/** Attempts without a single event after which reading the log is given up. */
const fruitlessAttempts = 8;

/**
 * Every event under the prefixes in log order, up to where the store says that nothing more is there. Throws when the
 * store cannot be read on, as where it finds its own bytes damaged.
 */
export async function* readToHead(store: EventStore, prefixes: readonly string[]): AsyncGenerator<RecordedEvent> {
  const done = new AbortController();
  let fruitless = 0;
  let failure: unknown;
  let position = -1n;
  const events = store.subscribe({
    from: 'start',
    prefixes: [...prefixes],
    signal: done.signal,
    onCaughtUp: () => done.abort(),
    onDropped: (reason, progress) => {
      fruitless = progress ? 0 : fruitless + 1;
      if (fruitless < fruitlessAttempts) return;
      failure = reason;
      done.abort();
    },
  });
  for await (const event of events) {
    position = event.position;
    yield event;
  }
  if (failure === undefined) return;
  const why = failure instanceof Error ? failure.message : typeof failure === 'string' ? failure : 'no reason given';
  throw new Error(`the log cannot be read past position ${position}: ${why}`, { cause: failure });
}

/** What reading the log needs besides its events. */
export interface LogPassOptions {
  readonly tenant?: string | undefined;
  readonly dataKeys: DataKeys;
  readonly report: (difference: Difference) => void;
  readonly progress?: (events: number) => void;
}

/** Reads the log once: checks every envelope, decodes every event and enters bills, invoices and numbers in the book. */
export async function passOverLog(
  events: AsyncIterable<RecordedEvent>,
  prefix: string,
  o: LogPassOptions,
): Promise<LogPass> {
  const pass = openLogPass(prefix, o);
  for await (const event of events) await pass.take(event);
  return pass.sofar();
}

/** The same for events as they come: `take` one after another, in log order; `sofar` is what they have told up to now. */
export function openLogPass(
  prefix: string,
  o: LogPassOptions,
): { readonly take: (event: RecordedEvent) => Promise<void>; readonly sofar: () => LogPass } {
  const names = streamNames(prefix);
  const snapshotPrefix = `${prefix}_snapshot.`;
  const heads = new Map<string, StreamHead>();
  const withSnapshot = new Set<string>();
  const book = openBillBook();
  const usage = openUsageBook();
  const coupons = openCouponBook();
  const openPeriods = new Map<string, OpenPeriod>();
  const personalData: PersonalDataBook = { erasures: new Map(), destroyed: new Set() };
  let count = 0;
  let position = -1n;

  const take = async (event: RecordedEvent): Promise<void> => {
    if (event.type.startsWith('$')) return;
    if (event.stream.startsWith(snapshotPrefix)) {
      withSnapshot.add(`${prefix}.${event.stream.slice(snapshotPrefix.length)}`);
      return;
    }
    const aggregate = names.parse(event.stream);
    if (!aggregate) {
      if (event.type !== 'Heartbeat') o.report(foreign(event));
      return;
    }
    if (o.tenant !== undefined && tenantOf(event) !== o.tenant) return;
    position = event.position;
    count += 1;
    if (count % 10_000 === 0) o.progress?.(count);

    const step = checkChain(heads.get(event.stream), event);
    heads.set(event.stream, step.head);
    step.differences.forEach(o.report);
    const stored = decodeOrReport(event, aggregate.aggregate, o.report);
    if (!stored) return;
    enterInBook(book, stored).forEach(o.report);
    enterUsage(usage, stored).forEach(o.report);
    enterCoupons(coupons, stored).forEach(o.report);
    noteOpenPeriod(openPeriods, stored);
    const broken = await enterPersonalData(personalData, stored, o.dataKeys);
    if (broken) o.report(broken);
  };
  const sofar = () => ({ heads, withSnapshot, book, openPeriods, personalData, coupons, events: count, position });
  return { take, sofar };
}

function noteOpenPeriod(openPeriods: Map<string, OpenPeriod>, { event, aggregateId, metadata }: StoredEvent): void {
  const { type, data } = event as SubscriptionEvent;
  if (type === 'BillingPeriodClosed') openPeriods.delete(aggregateId);
  if (type === 'BillingPeriodOpened')
    openPeriods.set(aggregateId, { tenant: metadata.tenant, periodNumber: data.periodNumber, endsAt: data.endsAt });
}

/** Decodes an event of a known aggregate; what cannot be decoded is reported and gives undefined. */
export function decodeOrReport(
  event: RecordedEvent,
  aggregate: string,
  report: (difference: Difference) => void,
): StoredEvent | undefined {
  const type = aggregates.get(aggregate);
  if (!type) {
    report(foreign(event));
    return undefined;
  }
  try {
    return decode(event, type.catalog);
  } catch (error) {
    report({
      check: 'decodable',
      subject: event.stream,
      revision: event.revision.toString(),
      message: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

function foreign(event: RecordedEvent): Difference {
  return {
    check: 'known-stream',
    subject: event.stream,
    revision: event.revision.toString(),
    message: `an event ${event.type} stands in a stream that is not ours`,
  };
}

function tenantOf(event: RecordedEvent): unknown {
  return (event.metadata as { tenant?: unknown } | null)?.tenant;
}
