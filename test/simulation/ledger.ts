import type { SubscriptionEvent } from '@perennial/billing-domain';
import { type DataKeys, type RecordedEvent, streamNames } from '@perennial/event-sourcing';
import { type LogPass, passOverLog } from '../../libs/billing-audit/src/log-pass';
import { decodeRecord } from '../../libs/embedded-eventstore/src/record';
import type { Issued } from './journal';
import type { SimulatedStore } from './simulated-store';

interface Recorded {
  readonly stream: string;
  readonly first: bigint;
  last: bigint;
  appends: number;
}

interface Tiling {
  /** When the open period ends. */
  open: string | undefined;
  /** Where the last period ended, or the open one began. */
  end: string | undefined;
  paused: boolean;
}

/**
 * Reads along with the log and holds every event against what went before it, as soon as it stands there: the auditor's pass (hash
 * chains, one document of a bill, numbers without gaps, usage, redemptions), and that periods tile and keys are recorded once.
 */
export class Ledger {
  /** By stream and key. */
  private readonly recorded = new Map<string, Recorded>();
  private readonly ids = new Set<string>();
  private readonly tilings = new Map<string, Tiling>();
  private readonly usageIds = new Map<string, string>();
  private readonly invoiced: string[] = [];
  private read = -1;
  private readonly names;
  private pending: RecordedEvent[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  readonly pass: Promise<LogPass>;
  /** Events of aggregates. */
  events = 0;
  /** Position of the last of them. */
  head: bigint | undefined;
  /** Business time for which periods were closed, ms. */
  billedMs = 0;

  constructor(
    private readonly store: SimulatedStore,
    prefix: string,
    dataKeys: DataKeys,
    private readonly violation: (what: string) => void,
  ) {
    this.names = streamNames(prefix);
    this.pass = passOverLog(this.arriving(), prefix, {
      dataKeys,
      report: ({ check, subject, revision, message, expected, found }) =>
        violation(`${check} ${subject}@${revision ?? '?'}: ${message} (expected ${expected}, found ${found})`),
    });
    store.log.follow(undefined, () => this.readOn());
  }

  /** Ids of invoices with a number, in the order in which they got it. */
  get invoices(): readonly string[] {
    return this.invoiced;
  }

  async end(): Promise<LogPass> {
    this.ended = true;
    this.wake?.();
    return this.pass;
  }

  /** Streams of subscriptions whose open period ended by then. */
  openUntil(now: string): string[] {
    return [...this.tilings].flatMap(([stream, { open }]) => (open !== undefined && open <= now ? [stream] : []));
  }

  /** What callers were told against what stands in the log. */
  compare(issued: readonly Issued[]): void {
    const byKey = new Map<string, Recorded[]>();
    for (const [name, each] of this.recorded) {
      const key = name.slice(each.stream.length + 1);
      byKey.set(key, [...(byKey.get(key) ?? []), each]);
    }
    for (const { key, request, state, answer, code } of issued) {
      if (request.what === 'usage') continue;
      const name = `${key} ${request.what}`;
      const found = (byKey.get(key) ?? []).find(
        ({ stream }) => answer === undefined || stream.endsWith(answer.aggregateId),
      );
      if (state === 'acknowledged' && !found) this.violation(`${name}: acknowledged, and not in the store`);
      if (state === 'acknowledged' && found && answer && found.last.toString() !== answer.revision)
        this.violation(`${name}: acknowledged at ${answer.revision}, stands at ${found.last}`);
      if (state === 'refused' && found)
        this.violation(`${name}: refused as ${code}, and in ${found.stream}@${found.first}`);
    }
    for (const { request, state, answer } of issued) {
      if (request.what !== 'usage' || state !== 'acknowledged') continue;
      const { records } = answer as unknown as { records: readonly { id: string; result: string }[] };
      for (const { id, result } of records)
        if (result !== 'refused' && !this.usageIds.has(id))
          this.violation(`usage ${id}: ${result}, and not in the store`);
    }
  }

  private readOn(): void {
    for (const record of this.store.log.after(this.read, Number.MAX_SAFE_INTEGER)) {
      this.read = record.position;
      const { id, type, json, stream, data, metadata } = decodeRecord(record.bytes);
      if (this.names.parse(stream) === undefined || !json) continue;
      const event: RecordedEvent = {
        stream,
        revision: BigInt(record.revision),
        position: BigInt(record.position),
        id,
        type,
        isJson: json,
        data: JSON.parse(data.toString()) as unknown,
        metadata: metadata.length === 0 ? undefined : (JSON.parse(metadata.toString()) as unknown),
      };
      this.events += 1;
      this.head = event.position;
      this.note(event);
      this.pending.push(event);
    }
    this.wake?.();
  }

  private async *arriving(): AsyncGenerator<RecordedEvent> {
    for (;;) {
      const next = this.pending;
      this.pending = [];
      yield* next;
      if (this.pending.length > 0) continue;
      if (this.ended) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private note(event: RecordedEvent): void {
    const { stream, revision, id } = event;
    if (this.ids.has(id)) this.violation(`${stream}@${revision}: event ${id} occurs twice`);
    this.ids.add(id);
    const { key } = event.metadata as { key: string };
    const name = `${stream} ${key}`;
    const before = this.recorded.get(name);
    if (!before) this.recorded.set(name, { stream, first: revision, last: revision, appends: 1 });
    else {
      if (revision !== before.last + 1n)
        this.violation(`${name}: recorded by two appends, at ${before.first} and at ${revision}`);
      before.last = revision;
    }
    if (event.type === 'InvoiceFinalised') this.invoiced.push(stream.slice(-36));
    if (event.type === 'UsageRecorded' || event.type === 'LateUsageNoted') this.noteUsage(event);
    if (this.names.parse(stream)?.aggregate === 'subscription') this.tile(event);
  }

  private noteUsage({ stream, revision, data }: RecordedEvent): void {
    for (const { id } of (data as { records: readonly { id: string }[] }).records) {
      const first = this.usageIds.get(id);
      if (first !== undefined) this.violation(`${stream}@${revision}: usage ${id} stands in ${first} already`);
      this.usageIds.set(id, `${stream}@${revision}`);
    }
  }

  /** At most one period is open; each begins where the one before ended, but for a pause between them. */
  private tile({ stream, revision, type, data }: RecordedEvent): void {
    const tiling = this.tilings.get(stream) ?? { open: undefined, end: undefined, paused: false };
    this.tilings.set(stream, tiling);
    const event = { type, data } as SubscriptionEvent;
    const wrong = (what: string): void => this.violation(`${stream}@${revision}: ${what}`);
    if (event.type === 'SubscriptionPaused') tiling.paused = true;
    if (event.type === 'BillingPeriodOpened') {
      const { startsAt, endsAt } = event.data;
      if (tiling.open) wrong('a second period is open');
      if (tiling.end !== undefined && !tiling.paused && tiling.end !== startsAt)
        wrong(`a period starts at ${startsAt}, the one before ended at ${tiling.end}`);
      if (tiling.end !== undefined && startsAt < tiling.end)
        wrong(`a period starts at ${startsAt}, before the end of the last`);
      if (endsAt <= startsAt) wrong('a period ends before it starts');
      Object.assign(tiling, { open: endsAt, end: startsAt, paused: false });
    }
    if (event.type === 'BillingPeriodClosed') {
      if (!tiling.open) wrong('a period is closed that was not open');
      this.billedMs += Date.parse(event.data.endsAt) - Date.parse(tiling.end ?? event.data.endsAt);
      Object.assign(tiling, { open: undefined, end: event.data.endsAt });
    }
  }
}
