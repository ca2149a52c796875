import { OWN_ID, type RecordedEvent, commandKey, isCommandNoted, rememberedId } from '@perennial/event-sourcing';
import { aggregates } from './aggregates';
import { type Difference, mismatch } from './difference';
import type { StreamHead } from './hash-chain';
import { decodeOrReport } from './log-pass';
import {
  type SubscriptionFacts,
  checkAtRest,
  checkSubscriptionEvent,
  factsOf,
  openLedger,
} from './subscription-ledger';
import { checkUsageEvent, openUsageLedger } from './usage-ledger';

/** An aggregate as it was at one revision, folded from revision 0. */
export interface Folded {
  readonly revision: bigint;
  readonly position: bigint;
  readonly recordedAt: string;
  readonly hash: string;
  readonly state: unknown;
  /** Of a subscription: what its ledger says. */
  readonly facts?: SubscriptionFacts;
}

/** What replaying one stream gave. */
export interface Replay {
  /** Up to the head that the log gave. */
  readonly events: number;
  /** At the head and at the revisions that were asked for, as far as the stream goes. */
  readonly at: ReadonlyMap<bigint, Folded>;
  /** Token of each key and remembered id (as the key memory names them) → the first revision at which it stands. */
  readonly remembered: ReadonlyMap<string, bigint>;
}

/**
 * Replays one stream from revision 0, without snapshots: it must be what the log said of it (`head`), every idempotency
 * key and event id must belong to one append, and a subscription's ledger must hold. Reads on past the head to the
 * highest revision of `wanted`. Memory grows with this one stream only.
 */
export async function replayStream(
  events: AsyncIterable<RecordedEvent>,
  stream: { readonly name: string; readonly aggregate: string; readonly id: string; readonly head: StreamHead },
  wanted: ReadonlySet<bigint>,
  report: (difference: Difference) => void,
): Promise<Replay> {
  const type = aggregates.get(stream.aggregate);
  const { head, name } = stream;
  const at = new Map<bigint, Folded>();
  const remembered = new Map<string, bigint>();
  if (!type) return { events: 0, at, remembered };

  const last = [...wanted].reduce((high, each) => (each > high ? each : high), head.revision);
  const eventIds = new Set<string>();
  const ledger = stream.aggregate === 'subscription' ? openLedger(name, stream.id) : undefined;
  const usage = stream.aggregate === 'usage' ? openUsageLedger(name) : undefined;
  let state = type.initial;
  let append = { key: '', fingerprint: '' };
  let count = 0;

  for await (const event of events) {
    const { revision, position } = event;
    if (revision > last) break;
    if (revision <= head.revision) count += 1;
    const stored = decodeOrReport(event, stream.aggregate, revision <= head.revision ? reportedBefore : report);
    if (!stored) continue;
    const { key, fingerprint, hash, recordedAt } = stored.metadata;
    const differ = (check: string, message: string, expected: unknown, found: unknown) =>
      report(mismatch(check, name, message, expected, found, revision));

    if (eventIds.has(event.id)) differ('event-id-once', 'an event id occurs twice', 'once', event.id);
    eventIds.add(event.id);
    const token = commandKey(key);
    if (key !== append.key && remembered.has(token)) differ('key-once', 'two appends have one key', 'one', key);
    if (key === append.key && fingerprint !== append.fingerprint)
      differ('key-once', 'one key has two fingerprints', append.fingerprint, fingerprint);
    const own = isCommandNoted(stored.event) ? [] : (type.remembers?.(stored.event) ?? []);
    const ids = (stored.metadata.remembers ?? []).map(({ kind, id }) => rememberedId(kind, id));
    for (const each of [token, ...ids, ...own.map((id) => rememberedId(OWN_ID, id))])
      if (!remembered.has(each)) remembered.set(each, revision);
    append = { key, fingerprint };

    if (ledger) checkSubscriptionEvent(ledger, stored).forEach(report);
    if (usage) checkUsageEvent(usage, stored).forEach(report);
    if (!isCommandNoted(stored.event)) state = type.evolve(state, stored.event);
    if (revision === head.revision) {
      if (hash !== head.hash) differ('log-equals-stream', 'the log and the stream differ', head.hash, hash);
      if (ledger) checkAtRest(ledger, revision).forEach(report);
    }
    if (revision === head.revision || wanted.has(revision))
      at.set(revision, { revision, position, recordedAt, hash, state, ...(ledger ? { facts: factsOf(ledger) } : {}) });
  }
  if (!at.has(head.revision))
    report(mismatch('log-equals-stream', name, 'the stream does not have the head of the log', head.revision, 'none'));
  return { events: count, at, remembered };
}

function reportedBefore(): void {
  // The pass over the log has reported what it could not decode.
}
