import {
  destroyKeyOfErasedCustomer,
  draftInvoiceOnLinesBilled,
  finaliseInvoice,
  issueCreditNote,
  redeemAppliedCoupon,
  releaseVoidedInvoice,
} from '@perennial/billing-application';
import { type DataKeys, type EventStore, streamNames } from '@perennial/event-sourcing';
import { type Missing, settleBook } from './bill-book';
import { uncountedRedemptions } from './coupon-book';
import { type Difference, mismatch } from './difference';
import type { StreamHead } from './hash-chain';
import { type LogPass, passOverLog, readToHead } from './log-pass';
import {
  compareInvoiceRows,
  compareSubscriptionRows,
  revisionsOf,
  rowsWithoutStream,
  subscriptionRows,
} from './read-model-rows';
import { unexplainedDestructions, unfinishedErasures } from './personal-data-book';
import type { ReadModelsUnderAudit } from './read-models-under-audit';
import { type Totals, type VerifyReport, differenceLimit, sealReport } from './report';
import { checkSnapshot, readSnapshot } from './snapshot-check';
import { type Replay, replayStream } from './stream-pass';

export interface VerifyOptions {
  readonly store: EventStore;
  readonly prefix: string;
  readonly tenant?: string | undefined;
  /** Open personal data, to see that it opens. */
  readonly dataKeys: DataKeys;
  /** Left out: only the streams are verified. */
  readonly readModels?: ReadModelsUnderAudit | undefined;
  /** What the log says, when whoever asks has read it to its end already. */
  readonly log?: LogPass | undefined;
  /** How far a policy has read, by its name; undefined when it has never run. */
  readonly policyPosition: (policy: string) => Promise<bigint | undefined>;
  readonly progress?: (message: string) => void;
}

/** Streams that are replayed at the same time; reads wait for the store, not for this process. */
const parallel = 8;

/**
 * Replays the whole book from the streams alone and compares with it everything that was derived: hash chains,
 * snapshots and key filters, read models, invoices of bills, numbers. Reads the log once and each subscription once
 * more; holds the heads of the streams and the bills in memory, not the events.
 */
export async function verify(o: VerifyOptions): Promise<VerifyReport> {
  const differences: Difference[] = [];
  let differenceCount = 0;
  const report = (difference: Difference) => {
    differenceCount += 1;
    if (differences.length < 10 * differenceLimit) differences.push(difference);
  };
  const progress = o.progress ?? (() => undefined);

  // Before the log is read: what a policy had done by then must be in it.
  const creditsSeen = await o.policyPosition(issueCreditNote.name);
  const reached = {
    invoice: await o.policyPosition(draftInvoiceOnLinesBilled.name),
    finalisation: await o.policyPosition(finaliseInvoice.name),
    'credit-note': creditsSeen,
    issue: creditsSeen,
    credit: creditsSeen,
    release: await o.policyPosition(releaseVoidedInvoice.name),
  };
  const erased = await o.policyPosition(destroyKeyOfErasedCustomer.name);
  const redeemed = await o.policyPosition(redeemAppliedCoupon.name);
  const read = () =>
    passOverLog(readToHead(o.store, [`${o.prefix}.`, `${o.prefix}_snapshot.`]), o.prefix, {
      tenant: o.tenant,
      dataKeys: o.dataKeys,
      report,
      progress: (events) => progress(`${events} events read`),
    });
  const log = o.log ?? (await read());
  progress(`${log.events} events in ${log.heads.size} streams, up to position ${log.position}`);

  const seen = o.readModels ? await o.readModels.seen(log.position) : -1n;
  if (o.readModels && seen < log.position)
    report(mismatch('read-models-behind', 'projections', 'the projections did not catch up', log.position, seen));
  const { open, snapshots, rows } = await replayAll(o, log, seen, report, progress);

  const invoiceRowCount = o.readModels
    ? await compareInvoiceRows(
        o.readModels.db,
        o.readModels.schema,
        log.book,
        { tenant: o.tenant, position: log.position, seen },
        report,
      )
    : 0;
  if (o.readModels) {
    progress('comparing the read models with a rebuild');
    for (const { model, message } of await o.readModels.diff())
      report({ check: 'read-model-diff', subject: model, message });
  }

  const settled = settleBook(log.book);
  settled.differences.forEach(report);
  const pending =
    reportOverdue(settled.missing, reached, report).length +
    (await reportErasures(o, log, erased, report)) +
    reportUncounted(log, redeemed, report);

  const totals: Record<string, Totals> = {};
  for (const currency of [...new Set([...settled.totals.keys(), ...open.keys()])].sort()) {
    const { billed, invoiced, finalised, credited } = settled.totals.get(currency) ?? {
      billed: 0n,
      invoiced: 0n,
      finalised: 0n,
      credited: 0n,
    };
    totals[currency] = {
      billed: billed.toString(),
      invoiced: invoiced.toString(),
      finalised: finalised.toString(),
      credited: credited.toString(),
      open: (open.get(currency) ?? 0n).toString(),
    };
  }
  return sealReport({
    position: log.position,
    tenant: o.tenant,
    counts: {
      events: log.events,
      streams: log.heads.size,
      subscriptions: [...log.heads.keys()].filter((name) => name.startsWith(`${o.prefix}.subscription-`)).length,
      bills: log.book.bills.size,
      invoices: log.book.invoices.size,
      'credit notes': log.book.creditNotes.size,
      'numbers granted': log.book.grants.size,
      'customers erased': log.personalData.erasures.size,
      'snapshots compared': snapshots,
      'rows compared': rows + invoiceRowCount,
    },
    totals,
    differences,
    differenceCount,
    pending,
  });
}

interface AuditedStream {
  readonly name: string;
  readonly aggregate: string;
  readonly id: string;
  readonly head: StreamHead;
}

/** Replays every subscription, and whatever else has a snapshot, a batch at a time. */
async function replayAll(
  o: VerifyOptions,
  log: LogPass,
  seen: bigint,
  report: (difference: Difference) => void,
  progress: (message: string) => void,
): Promise<{ open: ReadonlyMap<string, bigint>; snapshots: number; rows: number }> {
  const names = streamNames(o.prefix);
  const open = new Map<string, bigint>();
  let snapshots = 0;
  let rows = 0;
  let done = 0;

  const replayOne = async (stream: AuditedStream, found: Parameters<typeof compareSubscriptionRows>[1] | undefined) => {
    const wanted = new Set<bigint>(revisionsOf(found));
    const { snapshot, difference } = log.withSnapshot.has(stream.name)
      ? await readSnapshot(o.store, o.prefix, stream.aggregate, stream.id)
      : {};
    if (difference) report(difference);
    if (snapshot) wanted.add(snapshot.revision);
    const replay: Replay = await replayStream(o.store.read(stream.name), stream, wanted, report);
    if (snapshot) {
      snapshots += 1;
      checkSnapshot(snapshot, stream.aggregate, replay).forEach(report);
    }
    if (found) {
      rows += 1;
      compareSubscriptionRows(stream, found, replay.at, seen).forEach(report);
    }
    const facts = replay.at.get(stream.head.revision)?.facts;
    for (const line of facts?.pending.values() ?? [])
      open.set(facts?.currency ?? '', (open.get(facts?.currency ?? '') ?? 0n) + BigInt(line.net));
  };

  const streams = [...log.heads].flatMap(([name, head]): AuditedStream[] => {
    const address = names.parse(name);
    return address && (address.aggregate === 'subscription' || log.withSnapshot.has(name))
      ? [{ name, ...address, head }]
      : [];
  });
  const batch = 32 * parallel;
  for (let from = 0; from < streams.length; from += batch) {
    const some = streams.slice(from, from + batch);
    const ids = some.filter((each) => each.aggregate === 'subscription').map((each) => each.id);
    const found = o.readModels && (await subscriptionRows(o.readModels.db, o.readModels.schema, ids));
    const waiting = [...some];
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await replayOne(next, found?.get(next.id));
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    done += some.length;
    progress(`${done} of ${streams.length} streams replayed`);
  }
  if (o.readModels) {
    const known = (id: string) => log.heads.has(names.of('subscription', id));
    await rowsWithoutStream(
      o.readModels.db,
      o.readModels.schema,
      known,
      { tenant: o.tenant, position: log.position },
      report,
    );
  }
  return { open, snapshots, rows };
}

const messages: Readonly<Record<Missing['what'], string>> = {
  invoice: 'the bill became no invoice',
  finalisation: 'the invoice was not finalised',
  'credit-note': 'the bill became no credit note',
  issue: 'the credit note was not issued',
  credit: 'the credit was not granted to the balance',
  release: 'the bill of the voided invoice was not released',
};

/**
 * An erased customer whose key still stands is a difference once the policy has passed the erasure, till then it is
 * pending (answered: how many). So is a key that is gone though nobody was erased, for it is lost.
 */
async function reportErasures(
  o: VerifyOptions,
  { personalData }: LogPass,
  reached: bigint | undefined,
  report: (difference: Difference) => void,
): Promise<number> {
  (await unexplainedDestructions(personalData, o.store, o.prefix)).forEach(report);
  const unfinished = await unfinishedErasures(personalData, o.dataKeys);
  const overdue = unfinished.filter(({ position }) => reached !== undefined && position <= reached);
  for (const { stream, revision } of overdue)
    report(
      mismatch(
        'erased-key',
        stream,
        'the customer is erased, but its key still stands',
        'destroyed',
        'a key',
        revision,
      ),
    );
  return unfinished.length - overdue.length;
}

/** A redemption that its coupon does not count is a difference once the policy has passed it, till then it is pending (answered: how many). */
function reportUncounted(
  { coupons }: LogPass,
  reached: bigint | undefined,
  report: (difference: Difference) => void,
): number {
  const uncounted = uncountedRedemptions(coupons);
  const overdue = uncounted.filter(({ position }) => reached !== undefined && position <= reached);
  for (const { stream, revision, couponId } of overdue)
    report(mismatch('missing-redemption', stream, 'the coupon does not count it', couponId, 'none', revision));
  return uncounted.length - overdue.length;
}

/** What a policy has passed without producing is a difference; what it has not reached is only pending. */
function reportOverdue(
  missing: readonly Missing[],
  reached: Readonly<Record<Missing['what'], bigint | undefined>>,
  report: (difference: Difference) => void,
): readonly Missing[] {
  return missing.filter((each) => {
    const position = reached[each.what];
    if (position === undefined || position < each.position) return true;
    report(mismatch(`missing-${each.what}`, each.stream, messages[each.what], each.invoiceId, 'none', each.revision));
    return false;
  });
}
