import { billingPolicies, rollOverElapsedPeriods } from '@perennial/billing-application';
import type { CommandResult } from '@perennial/billing-application';
import type { SubscriptionEvent } from '@perennial/billing-domain';
import { type DataKeys, type EventStore, type StoredEvent, decode, streamNames } from '@perennial/event-sourcing';
import { aggregates } from './aggregates';
import { settleBook, type Missing } from './bill-book';
import { uncountedRedemptions } from './coupon-book';
import { unfinishedErasures } from './personal-data-book';
import { type LogPass, passOverLog, readToHead } from './log-pass';

/** A fact that a policy should have produced and that is not there. */
export interface Gap {
  readonly what: Missing['what'] | 'roll-over' | 'key-destruction' | 'redemption';
  readonly subject: string;
  readonly message: string;
}

export interface ReconcileReport {
  /** Log position up to which the book was read. */
  readonly position: string;
  readonly gaps: readonly Gap[];
  /** Commands that were carried out; 0 without `fix`. */
  readonly commands: number;
  /** Gaps that are left, with the reason why. */
  readonly failures: readonly { readonly gap: Gap; readonly reason: string }[];
}

export interface ReconcileOptions {
  readonly store: EventStore;
  readonly prefix: string;
  readonly tenant?: string | undefined;
  readonly dataKeys: DataKeys;
  /** Business time: a period that ended before it is due. */
  readonly now: string;
  /** Carries out a command of the application and answers with its result; left out: gaps are only listed. */
  readonly fix?: ((command: object) => Promise<unknown>) | undefined;
  readonly progress?: (message: string) => void;
}

/**
 * Finds bills without an invoice, drafts without a number, redemptions that no coupon counts, keys of erased customers and periods
 * that have elapsed, and repairs them by letting the policies react to the same events again: their commands carry the same keys, so what is there already stays.
 */
export async function reconcile(o: ReconcileOptions): Promise<ReconcileReport> {
  const events = readToHead(o.store, [`${o.prefix}.`]);
  const log = await passOverLog(events, o.prefix, {
    tenant: o.tenant,
    dataKeys: o.dataKeys,
    report: () => undefined,
  });
  const all = await findGaps(log, o);
  const failures: { gap: Gap; reason: string }[] = [];
  let commands = 0;
  let done = 0;
  for (const { gap, repair } of o.fix ? all : []) {
    try {
      await repair(o, () => (commands += 1));
    } catch (error) {
      failures.push({ gap, reason: error instanceof Error ? error.message : String(error) });
    }
    done += 1;
    if (done % 100 === 0) o.progress?.(`${done} of ${all.length} gaps repaired`);
  }
  return { position: log.position.toString(), gaps: all.map(({ gap }) => gap), commands, failures };
}

/** What policies and the scheduler should have produced by `now`, of what a reading of the log has told. */
export async function gapsIn(log: LogPass, o: Pick<ReconcileOptions, 'dataKeys' | 'now'>): Promise<readonly Gap[]> {
  return (await findGaps(log, o)).map(({ gap }) => gap);
}

interface Repairable {
  readonly gap: Gap;
  readonly repair: (o: ReconcileOptions, count: () => void) => Promise<void>;
}

async function findGaps(
  log: LogPass,
  { dataKeys, now }: Pick<ReconcileOptions, 'dataKeys' | 'now'>,
): Promise<readonly Repairable[]> {
  const again = (
    gap: Gap,
    { stream, revision }: { readonly stream: string; readonly revision: bigint },
  ): Repairable => ({
    gap,
    repair: async (o, count) => {
      const stored = await eventAt(o, stream, revision);
      if (stored) await reactAgain(o, stored, count);
    },
  });
  const missing = settleBook(log.book).missing.map((each) =>
    again({ what: each.what, subject: each.stream, message: messageOf(each) }, each),
  );
  const redemptions = uncountedRedemptions(log.coupons).map((each) =>
    again(
      { what: 'redemption', subject: each.stream, message: `coupon ${each.couponId} does not count its redemption` },
      each,
    ),
  );
  const erasures = (await unfinishedErasures(log.personalData, dataKeys)).map((each) =>
    again(
      {
        what: 'key-destruction',
        subject: each.stream,
        message: 'the customer is erased, but its key still stands',
      },
      each,
    ),
  );
  const elapsed = [...log.openPeriods]
    .filter(([, period]) => period.endsAt <= now)
    .map(([subscriptionId, { tenant, periodNumber, endsAt }]): Repairable => ({
      gap: {
        what: 'roll-over',
        subject: subscriptionId,
        message: `period ${periodNumber} ended at ${endsAt} and was not rolled over`,
      } as const,
      repair: (o, count) => rollOver(o, { tenant, subscriptionId, periodNumber }, count),
    }));

  return [...missing, ...redemptions, ...erasures, ...elapsed];
}

function messageOf({ what, invoiceId, billNumber, subscriptionId }: Missing): string {
  switch (what) {
    case 'invoice':
      return `bill ${billNumber} of ${subscriptionId} has no invoice`;
    case 'finalisation':
      return `invoice ${invoiceId} is not finalised`;
    case 'credit-note':
      return `bill ${billNumber} of ${subscriptionId} has no credit note`;
    case 'issue':
      return `credit note ${invoiceId} is not issued`;
    case 'credit':
      return `credit note ${invoiceId} is not granted to the balance`;
    case 'release':
      return `bill ${billNumber} of ${subscriptionId} is not released, though its invoice is void`;
  }
}

/** The report as a person reads it. */
export function printableReconcileReport({ position, gaps, commands, failures }: ReconcileReport): string {
  return [
    `reconciled up to log position ${position}`,
    ...gaps.map((gap) => `GAP ${gap.what} ${gap.subject}: ${gap.message}`),
    ...failures.map(({ gap, reason }) => `NOT REPAIRED ${gap.what} ${gap.subject}: ${reason}`),
    `${gaps.length} gaps, ${commands} commands carried out, ${failures.length} not repaired`,
  ].join('\n');
}

/** Lets every policy that handles the event react to it, and to what its commands record. */
async function reactAgain(o: ReconcileOptions, stored: StoredEvent, count: () => void): Promise<void> {
  for (const policy of billingPolicies) {
    if (!policy.handles.includes(stored.event.type)) continue;
    for (const command of policy.react(stored)) await follow(o, command, count);
  }
}

async function follow(o: ReconcileOptions, command: object, count: () => void): Promise<readonly StoredEvent[]> {
  const result = (await o.fix?.(command)) as CommandResult;
  count();
  const recorded: StoredEvent[] = [];
  for (const { type, revision } of result.events) {
    const aggregate = [...aggregates.values()].find(({ catalog }) => Object.hasOwn(catalog, type));
    const stream = aggregate && streamNames(o.prefix).of(aggregate.name, result.aggregateId);
    const stored = stream && (await eventAt(o, stream, BigInt(revision)));
    if (!stored) continue;
    recorded.push(stored);
    await reactAgain(o, stored, count);
  }
  return recorded;
}

/** Rolls over one boundary after another until the open period is one that has not elapsed. */
async function rollOver(
  o: ReconcileOptions,
  period: { readonly tenant: string; readonly subscriptionId: string; readonly periodNumber: number },
  count: () => void,
): Promise<void> {
  for (const command of rollOverElapsedPeriods([period])) {
    const recorded = await follow(o, command, count);
    const opened = recorded
      .map(({ event }) => event as SubscriptionEvent)
      .find(({ type }) => type === 'BillingPeriodOpened');
    if (opened?.type === 'BillingPeriodOpened' && opened.data.endsAt <= o.now)
      await rollOver(o, { ...period, periodNumber: opened.data.periodNumber }, count);
  }
}

async function eventAt(o: ReconcileOptions, stream: string, revision: bigint): Promise<StoredEvent | undefined> {
  const type = aggregates.get(streamNames(o.prefix).parse(stream)?.aggregate ?? '');
  if (!type) return undefined;
  for await (const event of o.store.read(stream, { from: revision, maxCount: 1 })) return decode(event, type.catalog);
  return undefined;
}
