import type { Line, SubscriptionEvent } from '@perennial/billing-domain';
import type { StoredEvent } from '@perennial/event-sourcing';
import canonicalize from 'canonicalize';
import { type Difference, mismatch } from './difference';
import { checkDiscounts, type CouponFacts } from './discount-check';
import { recomputedNet, sumOfNets } from './line-arithmetic';

type Of<Type extends SubscriptionEvent['type']> = Extract<SubscriptionEvent, { type: Type }>['data'];

/** What the checks of one subscription must keep in mind; grows with the lines of that one subscription. */
export interface Ledger {
  readonly stream: string;
  readonly subscriptionId: string;
  started?: Of<'SubscriptionStarted'>;
  open?: Of<'BillingPeriodOpened'>;
  pausedAt?: string;
  /** The closed period whose usage is not billed yet. */
  awaitsUsage?: number;
  canceled: boolean;
  canceling: boolean;
  held: boolean;
  /** That of now, and those before it. */
  readonly currencies: string[];
  /** Sum of the nets of the bills in the currency of now that are not released, minor units. */
  billedNet: bigint;
  /** Where the time that periods and pauses have covered ends (an instant). */
  coveredTo?: string;
  periodNumber: number;
  billNumber: number;
  /** The caller's lines in the open period that are neither billed nor voided, by lineId. */
  readonly pending: Map<string, Line>;
  /** Those of a period that has closed: the bill in the same append must carry them. */
  readonly due: Map<string, Line>;
  /** lineId → the bill that carries it. */
  readonly billed: Map<string, number>;
  /** Bill number → its net, as its lines add up to. */
  readonly billNets: Map<number, bigint>;
  readonly lineItems: Set<string>;
  /** Lines of bills that were released: for a new bill, where they stand again, or waived. */
  readonly released: Map<string, 'rebill' | 'waived'>;
  /** itemId and local date → how often the day is charged, less how often it was taken back. */
  readonly served: Map<string, number>;
  /** lineId of a recurring line → its net, which a correction by the share billed starts from. */
  readonly nets: Map<string, bigint>;
  /** couponId → how a coupon that acts on it stands. */
  readonly coupons: Map<string, CouponFacts>;
  key?: string;
}

export function openLedger(stream: string, subscriptionId: string): Ledger {
  return {
    stream,
    subscriptionId,
    canceled: false,
    canceling: false,
    held: false,
    currencies: [],
    billedNet: 0n,
    periodNumber: 0,
    billNumber: 0,
    pending: new Map(),
    due: new Map(),
    billed: new Map(),
    billNets: new Map(),
    lineItems: new Set(),
    released: new Map(),
    served: new Map(),
    nets: new Map(),
    coupons: new Map(),
  };
}

/**
 * Checks one event of a subscription against all before it, by rules written here again and not shared with the domain:
 * periods and pauses tile, periodNumber and billNumber have no gaps, lines go only into the open period, every line is
 * on exactly one bill and its net is what it says. Changes `ledger`.
 */
export function checkSubscriptionEvent(ledger: Ledger, stored: StoredEvent): readonly Difference[] {
  const found: Difference[] = [];
  const revision = stored.revision;
  const differ = (check: string, message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch(check, ledger.stream, message, expected, actual, revision));

  const newAppend = ledger.key !== stored.metadata.key;
  if (newAppend && ledger.key !== undefined) found.push(...checkAtRest(ledger, revision - 1n));
  ledger.key = stored.metadata.key;
  if (stored.event.type === 'CommandNoted') return found;

  const event = stored.event as SubscriptionEvent;
  const first = event.type === 'SubscriptionStarted';
  if (first !== (ledger.started === undefined))
    differ('lifecycle', 'a stream begins with SubscriptionStarted and holds one', 'one, at revision 0', event.type);
  const noted = event.type === 'MetadataChanged';
  const rebilled = event.type === 'BillReleased' || (event.type === 'LinesBilled' && event.data.cause === 'rebill');
  const settled = event.type === 'UsageBilled';
  if (ledger.canceled && newAppend && !rebilled && !noted && !settled)
    differ('lifecycle', 'an event follows the cancellation', 'none', event.type);

  switch (event.type) {
    case 'SubscriptionStarted':
      if (event.data.subscriptionId !== ledger.subscriptionId)
        differ('identity', 'the event names another subscription', ledger.subscriptionId, event.data.subscriptionId);
      ledger.started = event.data;
      ledger.currencies.unshift(event.data.currency);
      ledger.coveredTo = event.data.startsAt;
      break;
    case 'BillingPeriodOpened':
      if (ledger.open)
        differ('one-open-period', 'a period opens while another is open', 'none', ledger.open.periodNumber);
      if (ledger.pausedAt !== undefined) differ('one-open-period', 'a period opens during a pause', 'none', 'a period');
      if (event.data.periodNumber !== ledger.periodNumber + 1)
        differ('period-number', 'period numbers are not gapless', ledger.periodNumber + 1, event.data.periodNumber);
      if (event.data.startsAt !== ledger.coveredTo)
        differ('periods-tile', 'a gap or an overlap before the period', ledger.coveredTo, event.data.startsAt);
      if (event.data.endsAt <= event.data.startsAt || event.data.to <= event.data.from)
        differ('periods-tile', 'the period is empty', `> ${event.data.startsAt}`, event.data.endsAt);
      ledger.periodNumber = event.data.periodNumber;
      ledger.open = event.data;
      break;
    case 'BillingPeriodClosed':
      checkClosed(ledger, event.data, differ);
      if (event.data.usageDueAt !== undefined) ledger.awaitsUsage = event.data.periodNumber;
      for (const [lineId, line] of ledger.pending) ledger.due.set(lineId, line);
      ledger.pending.clear();
      ledger.coveredTo = event.data.endsAt;
      delete ledger.open;
      break;
    case 'UsageBilled':
      if (event.data.periodNumber !== ledger.awaitsUsage)
        differ('usage-billed', 'the usage of another period waits', ledger.awaitsUsage, event.data.periodNumber);
      delete ledger.awaitsUsage;
      break;
    case 'LineItemAdded':
    case 'LineItemsAdded': {
      const { periodNumber, effectiveAt } = event.data;
      if (periodNumber !== ledger.open?.periodNumber)
        differ(
          'open-period-only',
          'a line goes into a period that is not open',
          ledger.open?.periodNumber,
          periodNumber,
        );
      else if (effectiveAt < ledger.open.startsAt || effectiveAt >= ledger.open.endsAt)
        differ('open-period-only', 'a line is dated outside of its period', span(ledger.open), effectiveAt);
      const lines = event.type === 'LineItemAdded' ? [event.data.line] : event.data.lines;
      if (event.type === 'LineItemAdded' && event.data.line.lineItemId !== event.data.lineItemId)
        differ('identity', 'the line has another id', event.data.lineItemId, event.data.line.lineItemId);
      for (const line of lines) {
        const { lineItemId = '' } = line;
        if (ledger.lineItems.has(lineItemId) || ledger.pending.has(line.lineId) || ledger.billed.has(line.lineId))
          differ('line-once', 'the line was added before', 'a new line', line.lineId);
        ledger.lineItems.add(lineItemId);
        ledger.pending.set(line.lineId, line);
        found.push(...checkLine(ledger.stream, line, revision));
      }
      break;
    }
    case 'LineItemVoided':
      if (!ledger.pending.delete(event.data.lineId))
        differ('line-once', 'the voided line is not pending', 'a pending line', event.data.lineId);
      break;
    case 'LinesBilled':
      found.push(...checkBill(ledger, event.data, revision));
      break;
    case 'SubscriptionPaused':
      if (ledger.pausedAt !== undefined) differ('lifecycle', 'paused twice', 'active', 'paused');
      ledger.pausedAt = event.data.effectiveAt;
      ledger.canceling = false;
      break;
    case 'SubscriptionResumed':
      if (ledger.pausedAt === undefined) differ('lifecycle', 'resumed without a pause', 'paused', 'active');
      if (ledger.coveredTo !== undefined && event.data.effectiveAt < ledger.coveredTo)
        differ('periods-tile', 'resumed before the pause began', `>= ${ledger.coveredTo}`, event.data.effectiveAt);
      delete ledger.pausedAt;
      ledger.coveredTo = event.data.effectiveAt;
      break;
    case 'SubscriptionCanceled':
      ledger.canceled = true;
      ledger.canceling = false;
      break;
    case 'CancellationScheduled':
    case 'CancellationUnscheduled':
      ledger.canceling = event.type === 'CancellationScheduled';
      if (event.data.periodNumber !== ledger.open?.periodNumber)
        differ(
          'open-period-only',
          'names a period that is not open',
          ledger.open?.periodNumber,
          event.data.periodNumber,
        );
      break;
    case 'PauseScheduled':
    case 'PauseUnscheduled':
      if (event.data.periodNumber !== ledger.open?.periodNumber)
        differ(
          'open-period-only',
          'names a period that is not open',
          ledger.open?.periodNumber,
          event.data.periodNumber,
        );
      break;
    case 'BillingHeld':
    case 'BillingHoldReleased':
      ledger.held = event.type === 'BillingHeld';
      break;
    case 'PeriodsChanged':
    case 'ItemsChanged':
    case 'ItemsChangeScheduled':
    case 'ItemsChangeUnscheduled':
    case 'BillingCycleChanged':
    case 'TimeZoneChangeScheduled':
    case 'TimeZoneChangeUnscheduled':
    case 'TimeZoneChanged':
    case 'MetadataChanged':
      break;
    case 'CurrencyChanged':
      ledger.currencies.unshift(event.data.currency);
      ledger.billedNet = 0n;
      break;
    case 'CouponApplied': {
      const { couponId, discount, periods } = event.data.coupon;
      if (ledger.coupons.has(couponId)) differ('discount', `coupon ${couponId} is applied twice`, 'once', couponId);
      const left = discount.kind === 'amount' ? BigInt(discount.amount) : undefined;
      ledger.coupons.set(couponId, { periods, uses: 0, left });
      break;
    }
    case 'CouponRemoved':
      ledger.coupons.delete(event.data.couponId);
      break;
    case 'BillReleased':
      for (const lineId of event.data.lineIds) {
        const bill = ledger.billed.get(lineId);
        if (bill !== event.data.billNumber)
          differ('bill-released', `line ${lineId} is not on the bill that is released`, event.data.billNumber, bill);
        ledger.released.set(lineId, event.data.rebill ? 'rebill' : 'waived');
      }
      checkReleased(ledger, event.data, differ);
      break;
  }
  return found;
}

/** What a ledger says of a subscription at one revision, to compare read models with. */
export interface SubscriptionFacts {
  readonly currency: string;
  readonly status: 'scheduled' | 'trialing' | 'active' | 'canceling' | 'paused' | 'canceled';
  /** The last period that was opened; 0 before the first. */
  readonly periodNumber: number;
  readonly open: Of<'BillingPeriodOpened'> | undefined;
  readonly bills: number;
  readonly billedNet: bigint;
  readonly pending: ReadonlyMap<string, Line>;
}

export function factsOf(ledger: Ledger): SubscriptionFacts {
  const active = ledger.canceling ? 'canceling' : ledger.open?.kind === 'trial' ? 'trialing' : 'active';
  const running = ledger.pausedAt !== undefined ? 'paused' : ledger.periodNumber === 0 ? 'scheduled' : active;
  return {
    currency: ledger.currencies[0] ?? '',
    status: ledger.canceled ? 'canceled' : running,
    periodNumber: ledger.periodNumber,
    open: ledger.open,
    bills: ledger.billNumber,
    billedNet: ledger.billedNet,
    pending: new Map(ledger.pending),
  };
}

/** What must hold between two appends: an open period exactly while active, no line left behind in a closed one. */
export function checkAtRest(ledger: Ledger, revision: bigint): readonly Difference[] {
  const found: Difference[] = [];
  const started = ledger.periodNumber > 0;
  const active = started && ledger.pausedAt === undefined && !ledger.canceled;
  if (started && active !== (ledger.open !== undefined))
    found.push(
      mismatch(
        'one-open-period',
        ledger.stream,
        'an open period exactly while active',
        active ? 'one' : 'none',
        ledger.open?.periodNumber ?? 'none',
        revision,
      ),
    );
  // What waits for its usage is billed with it.
  if (ledger.due.size > 0 && ledger.awaitsUsage === undefined) {
    const lines = [...ledger.due.keys()].slice(0, 5);
    found.push(
      mismatch('line-billed', ledger.stream, 'a period closed without billing its lines', 'none', lines, revision),
    );
    ledger.due.clear();
  }
  return found;
}

/** Checks what a line says of itself: its net is its quantity, price and fraction, rounded once. */
export function checkLine(subject: string, line: Line, revision: bigint, corrected?: bigint): readonly Difference[] {
  const net = recomputedNet(line, corrected);
  if (net !== undefined && net.toString() === line.net) return [];
  return [
    mismatch('line-net', subject, `line ${line.lineId} is not what it was computed from`, net, line.net, revision),
  ];
}

function checkClosed(
  ledger: Ledger,
  closed: Of<'BillingPeriodClosed'>,
  differ: (check: string, message: string, expected: unknown, found: unknown) => void,
): void {
  const open = ledger.open;
  if (open?.periodNumber !== closed.periodNumber) {
    differ('one-open-period', 'a period closes that is not open', open?.periodNumber, closed.periodNumber);
    return;
  }
  if (closed.cause === 'boundary' && closed.endsAt !== open.endsAt)
    differ('periods-tile', 'a boundary closes the period elsewhere than at its end', open.endsAt, closed.endsAt);
  if (closed.endsAt < open.startsAt || closed.endsAt > open.endsAt)
    differ('periods-tile', 'the period ends outside of itself', span(open), closed.endsAt);
}

function checkReleased(
  ledger: Ledger,
  { billNumber, net, currency }: Of<'BillReleased'>,
  differ: (check: string, message: string, expected: unknown, found: unknown) => void,
): void {
  const billed = ledger.billNets.get(billNumber);
  if (billed?.toString() !== net)
    differ('bill-released', 'not all of the bill is released, or it was before', billed, net);
  if (currency === undefined) ledger.billedNet -= billed ?? 0n;
  ledger.billNets.delete(billNumber);
}

function checkBill(ledger: Ledger, bill: Of<'LinesBilled'>, revision: bigint): readonly Difference[] {
  const found: Difference[] = [];
  const differ = (check: string, message: string, expected: unknown, actual: unknown) =>
    found.push(mismatch(check, ledger.stream, message, expected, actual, revision));
  if (bill.subscriptionId !== ledger.subscriptionId)
    differ('identity', 'the bill names another subscription', ledger.subscriptionId, bill.subscriptionId);
  if (bill.billNumber !== ledger.billNumber + 1)
    differ('bill-number', 'bill numbers are not gapless', ledger.billNumber + 1, bill.billNumber);
  if (ledger.held && bill.cause !== 'rebill') differ('lifecycle', 'a bill while billing is held', 'none', bill.cause);
  ledger.billNumber = bill.billNumber;
  const [currency, ...others] = ledger.currencies;
  const known = bill.currency === currency || (bill.cause === 'rebill' && others.includes(bill.currency));
  if (!known) differ('bill-currency', 'the bill is in another currency', currency, bill.currency);
  const sum = sumOfNets(bill.lines);
  if (bill.currency === currency) ledger.billedNet += sum ?? 0n;
  ledger.billNets.set(bill.billNumber, sum ?? 0n);
  if (sum?.toString() !== bill.net) differ('bill-net', 'the net is not the sum of the lines', sum, bill.net);
  if (bill.cause !== 'rebill') found.push(...checkDiscounts(ledger.stream, ledger.coupons, bill, revision));
  for (const line of bill.lines) {
    const earlier = ledger.billed.get(line.lineId);
    const again = bill.cause === 'rebill' && ledger.released.get(line.lineId) === 'rebill';
    if (earlier !== undefined && !again)
      differ('line-once', `line ${line.lineId} is on two bills`, earlier, bill.billNumber);
    ledger.billed.set(line.lineId, bill.billNumber);
    if (bill.cause === 'rebill') {
      if (!again) differ('line-once', 'a new bill carries a line that was not released', 'released', line.lineId);
      ledger.released.delete(line.lineId);
      continue;
    }
    const pending = ledger.due.get(line.lineId) ?? ledger.pending.get(line.lineId);
    if (line.lineItemId !== undefined && !pending)
      differ('line-once', 'the bill carries a line item that is not pending', 'a pending line', line.lineId);
    if (pending && canonicalize(pending) !== canonicalize(line))
      differ('line-billed', `line ${line.lineId} changed on its way to the bill`, pending, line);
    const serves = line.kind === 'recurring' || (line.kind === 'correction' && ledger.nets.has(line.corrects ?? ''));
    if (serves) checkService(ledger, line, differ);
    if (line.kind === 'recurring') ledger.nets.set(line.lineId, BigInt(line.net));
    if (line.kind === 'correction' && !ledger.billed.has(line.corrects ?? ''))
      differ('correction', `line ${line.lineId} corrects a line that was never billed`, 'a billed line', line.corrects);
    ledger.due.delete(line.lineId);
    ledger.pending.delete(line.lineId);
    found.push(...checkLine(ledger.stream, line, revision, ledger.nets.get(line.corrects ?? '')));
  }
  return found;
}

/** No day of an item is charged twice unless it was taken back, and a line charges the days that it says. */
function checkService(
  ledger: Ledger,
  line: Line,
  differ: (check: string, message: string, expected: unknown, found: unknown) => void,
): void {
  const rules = ledger.started?.rules;
  // Where seconds are counted, two lines may touch one date; where every month has 30 days, dates are not days.
  if (rules?.prorationUnit === 'second' || rules?.fixedMonths === true) return;
  const item = line.itemId ?? '';
  const { from, to } = line.service;
  const [first, end] = [Date.parse(`${from}T00:00:00Z`), Date.parse(`${to}T00:00:00Z`)];
  for (let day = first; day < end; day += 86_400_000) {
    const key = `${item} ${day}`;
    const times = (ledger.served.get(key) ?? 0) + (line.kind === 'recurring' ? 1 : -1);
    if (times < 0 || times > 1) {
      const date = new Date(day).toISOString().slice(0, 10);
      const message =
        times > 1 ? 'is charged twice for the same days' : 'is taken back for days that it was not charged';
      differ('service-once', `item ${item} ${message}`, 'once', date);
      break;
    }
    if (times === 0) ledger.served.delete(key);
    else ledger.served.set(key, times);
  }
  const days = (end - first) / 86_400_000;
  if (line.kind === 'recurring' && line.rule.fraction.numerator !== days.toString())
    differ('line-days', `line ${line.lineId} charges other days than it serves`, days, line.rule.fraction.numerator);
}

function span(period: { startsAt: string; endsAt: string }): string {
  return `${period.startsAt}/${period.endsAt}`;
}
