import type { CouponEvent, SubscriptionEvent } from '@perennial/billing-domain';
import { type DataKeys, type RecordedEvent, streamNames } from '@perennial/event-sourcing';
import { type LogPass, openLogPass } from '../../libs/billing-audit/src/log-pass';
import { Documents } from './documents';
import { Duties } from './duties';
import type { Issued } from './journal';
import { recordedOf, type SimulatedStore } from './simulated-store';

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
  /** When the usage of a closed period is to be billed, by stream. */
  private readonly usageDue = new Map<string, string>();
  /** Until when a coupon is kept for a subscription, by the clock on the wall. */
  private readonly reserved = new Map<string, string>();
  private readonly duties: Duties;
  private read = -1;
  private readonly names;
  private readonly subscriptions: string;
  private readonly snapshots: string;
  private readonly pass;
  private taking: Promise<void> = Promise.resolve();
  /** Everything that aggregates recorded, in order. */
  readonly log: RecordedEvent[] = [];
  /** What became of bills. */
  readonly documents = new Documents();
  /** Business time for which periods were closed, ms. */
  billedMs = 0;

  constructor(
    private readonly store: SimulatedStore,
    prefix: string,
    dataKeys: DataKeys,
    private readonly violation: (what: string) => void,
  ) {
    this.names = streamNames(prefix);
    this.subscriptions = `${prefix}.subscription-`;
    this.snapshots = `${prefix}_snapshot.`;
    this.duties = new Duties(violation);
    this.pass = openLogPass(prefix, {
      dataKeys,
      report: ({ check, subject, revision, message, expected, found }) =>
        violation(`${check} ${subject}@${revision ?? '?'}: ${message} (expected ${expected}, found ${found})`),
    });
    store.log.follow(undefined, () => this.readOn());
  }

  /** What the auditor's pass has found in everything that was recorded up to now. */
  async audited(): Promise<LogPass> {
    await this.taking;
    return this.pass.sofar();
  }

  /** What should have happened by now, in business time and by the clock on the wall, and did not. */
  owed(now: string, wall: string): string[] {
    const due = (of: ReadonlyMap<string, string>, by: string) =>
      [...of].flatMap(([name, at]) => (at <= by ? [name] : []));
    return [
      ...[...this.tilings].flatMap(([stream, { open }]) =>
        open !== undefined && open <= now ? [`${stream} was not rolled over`] : [],
      ),
      ...due(this.usageDue, now).map((stream) => `the usage of ${stream} was not billed`),
      ...due(this.reserved, wall).map((id) => `reservation ${id} is neither counted nor free again`),
      ...this.duties.owed(),
    ];
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
    const positions = this.names.position('');
    for (const record of this.store.log.after(this.read, Number.MAX_SAFE_INTEGER)) {
      this.read = record.position;
      const event = recordedOf(record);
      if (event.stream.startsWith(positions)) {
        const { position } = event.data as { position: string };
        this.duties.reached(event.stream.slice(positions.length), BigInt(position));
      }
      const address = event.isJson ? this.names.parse(event.stream) : undefined;
      if (address) {
        this.log.push(event);
        this.note(event);
        this.duties.note(event, address.aggregate);
      }
      if (address || event.stream.startsWith(this.snapshots))
        this.taking = this.taking.then(() => this.pass.take(event));
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
    this.documents.note(event);
    if (event.type === 'UsageRecorded' || event.type === 'LateUsageNoted') this.noteUsage(event);
    if (event.type === 'RedemptionReserved' || event.type === 'CouponRedeemed' || event.type === 'RedemptionReleased')
      this.noteRedemption(event);
    if (stream.startsWith(this.subscriptions)) this.tile(event);
  }

  private noteRedemption({ type, data }: RecordedEvent): void {
    const event = { type, data } as CouponEvent;
    if (event.type === 'RedemptionReserved') this.reserved.set(event.data.reservationId, event.data.reservedUntil);
    else if (event.type === 'CouponRedeemed' || event.type === 'RedemptionReleased')
      this.reserved.delete(event.data.reservationId);
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
      if (event.data.usageDueAt !== undefined) this.usageDue.set(stream, event.data.usageDueAt);
    }
    if (event.type === 'UsageBilled') this.usageDue.delete(stream);
  }
}
