import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import {
  DomainError,
  formatTrillionths,
  parseDecimal,
  sealedUsage,
  toTrillionths,
  usageId,
  usagePeriod,
  type Meter,
  type SealedUsage,
  type UsageRecord,
} from '@perennial/billing-domain';
import { AggregateNotFound } from '@perennial/event-sourcing';
import { Clock } from '@perennial/platform';
import { BillingRepositories } from '../repositories';
import { usageSoFar } from '../usage-of-period';

/** What was used in one period of a subscription, as it stands. */
export interface UsageView {
  readonly subscriptionId: string;
  readonly periodNumber: number;
  /** none: nothing is measured, or was recorded yet. */
  readonly status: 'none' | 'open' | 'sealed';
  readonly startsAt: string | null;
  readonly endsAt: string | null;
  /** Records that count in it. */
  readonly records: number;
  readonly meters: readonly {
    readonly meter: string;
    readonly event: string;
    readonly aggregation: Meter['aggregation'];
    readonly records: number;
    readonly quantity: string;
  }[];
  /** Stretches under terms of their own; each is charged by its own. */
  readonly segments: SealedUsage['segments'];
  /** Of the last event in the log that it was computed from. */
  readonly position: string;
}

/** Computed from the streams as they are now. Without a period number: the open period, else the last one. */
export class GetUsage extends Query<UsageView> {
  constructor(
    readonly tenant: string,
    readonly subscriptionId: string,
    readonly periodNumber: number | undefined,
  ) {
    super();
  }
}

@QueryHandler(GetUsage)
export class GetUsageHandler implements IQueryHandler<GetUsage> {
  constructor(
    private readonly repositories: BillingRepositories,
    private readonly clock: Clock,
  ) {}

  /** Raises AggregateNotFound, `usage-period-not-found`. */
  async execute({ tenant, subscriptionId, periodNumber: asked }: GetUsage): Promise<UsageView> {
    const { subscriptions, usages } = this.repositories;
    const loaded = await subscriptions.load(subscriptionId, tenant);
    const subscription = loaded?.state;
    if (!subscription || subscription.status === 'none') throw new AggregateNotFound('subscription', subscriptionId);
    const periodNumber = asked ?? subscription.periodNumber;
    if (periodNumber > subscription.periodNumber || periodNumber < 1) throw new DomainError('usage-period-not-found');
    const loadedUsage = await usages.load(usageId(tenant, subscriptionId, periodNumber), tenant);
    const usage = loadedUsage?.state;
    const period = usagePeriod(subscription, periodNumber, 0);
    const known = usage && usage.status !== 'none' ? usage : undefined;
    const context = { tenant, now: await this.clock.now() };
    const totals =
      (await usageSoFar(this.repositories, context, subscription, periodNumber)) ??
      (known && (known.status === 'sealed' ? known.sealed : sealedUsage(known, [])));
    const meters = [...Object.values(known?.meters ?? {}), ...(period?.meters ?? [])];
    return {
      subscriptionId,
      periodNumber,
      status: known?.status ?? 'none',
      startsAt: period?.startsAt ?? known?.startsAt ?? null,
      endsAt: period?.endsAt ?? known?.endsAt ?? null,
      records: known?.records ?? 0,
      meters: [...new Map(meters.map(({ meter }) => [meter.key, meter])).values()].map((meter) =>
        totalOf(meter, totals?.segments ?? []),
      ),
      segments: totals?.segments ?? [],
      position: later(loaded.position, loadedUsage?.position ?? 0n).toString(),
    };
  }
}

const later = (a: bigint, b: bigint) => (a > b ? a : b);

function totalOf(
  { key: meter, event, aggregation }: Meter,
  segments: SealedUsage['segments'],
): UsageView['meters'][number] {
  const own = segments.flatMap(({ meters }) => meters.filter((each) => each.meter === meter));
  const quantity = own.reduce((sum, each) => sum + toTrillionths(parseDecimal(each.quantity)), 0n);
  return {
    meter,
    event,
    aggregation,
    records: own.reduce((sum, { records }) => sum + records, 0),
    quantity: formatTrillionths(quantity),
  };
}

/** A record with what became of it in the period's stream. */
export interface UsageRecordView extends UsageRecord {
  /** late: it came after the seal of its own period. */
  readonly counts: 'here' | 'late-from' | 'late-in';
  /** Of a late record: the period that it came from, or counts in. */
  readonly otherPeriod: number | null;
  readonly recordedAt: string;
  readonly revision: string;
}

export interface UsageRecordPage {
  readonly items: readonly UsageRecordView[];
  readonly nextCursor?: string;
  /** Of the last event in the log that it was read from; "0" when nothing was recorded. */
  readonly position: string;
}

/** The records of one period in the order in which they were recorded. `cursor`: where the page before ended. */
export class FindUsageRecords extends Query<UsageRecordPage> {
  constructor(
    readonly tenant: string,
    readonly subscriptionId: string,
    readonly periodNumber: number | undefined,
    readonly page: { readonly limit?: number | undefined; readonly cursor?: string | undefined },
  ) {
    super();
  }
}

const DEFAULT_PAGE = 50;

@QueryHandler(FindUsageRecords)
export class FindUsageRecordsHandler implements IQueryHandler<FindUsageRecords> {
  constructor(private readonly repositories: BillingRepositories) {}

  /** Raises AggregateNotFound, `invalid-option` (a cursor of another list). */
  async execute({ tenant, subscriptionId, periodNumber: asked, page }: FindUsageRecords): Promise<UsageRecordPage> {
    const { subscriptions, usages } = this.repositories;
    const subscription = (await subscriptions.load(subscriptionId, tenant))?.state;
    if (!subscription || subscription.status === 'none') throw new AggregateNotFound('subscription', subscriptionId);
    const periodNumber = asked ?? subscription.periodNumber;
    const { limit = DEFAULT_PAGE } = page;
    const [from, skipped] = placeOf(page.cursor);
    const id = usageId(tenant, subscriptionId, periodNumber);
    const position = ((await usages.load(id, tenant))?.position ?? 0n).toString();
    const items: UsageRecordView[] = [];
    for await (const { event, metadata, revision } of usages.history(id, tenant, from)) {
      if (event.type !== 'UsageRecorded' && event.type !== 'LateUsageNoted' && event.type !== 'LateUsageCounted')
        continue;
      const about = {
        recordedAt: metadata.recordedAt,
        revision: revision.toString(),
        ...(event.type === 'UsageRecorded' && { counts: 'here' as const, otherPeriod: null }),
        ...(event.type === 'LateUsageNoted' && { counts: 'late-in' as const, otherPeriod: event.data.countsIn }),
        ...(event.type === 'LateUsageCounted' && { counts: 'late-from' as const, otherPeriod: event.data.home }),
      } as Omit<UsageRecordView, keyof UsageRecord>;
      for (const [place, record] of event.data.records.entries()) {
        if (revision === from && place < skipped) continue;
        if (items.length === limit) return { items, nextCursor: cursorOf(revision, place), position };
        items.push({ ...record, ...about });
      }
    }
    return { items, position };
  }
}

const cursorOf = (revision: bigint, place: number) => Buffer.from(`usage:${revision}:${place}`).toString('base64url');

function placeOf(cursor: string | undefined): readonly [bigint, number] {
  if (cursor === undefined) return [0n, 0];
  const [, revision, place] =
    /^usage:(\d{1,15}):(\d{1,4})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  if (revision === undefined || place === undefined) throw new DomainError('invalid-option', 'no cursor of this list');
  return [BigInt(revision), Number(place)];
}
