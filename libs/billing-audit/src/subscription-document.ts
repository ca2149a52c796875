import type { Line, StartedSubscription } from '@perennial/billing-domain';
import { type JsonValue, throughJson } from '@perennial/event-sourcing';

/**
 * A subscription as the audit shows it: the state that decisions are made on, with the open period in it. Amounts are
 * `{ amount, currency }` in minor units, prices decimals of the minor unit, instants ISO 8601 UTC, `from`/`to` local.
 */
export function subscriptionDocument(state: StartedSubscription): Readonly<Record<string, JsonValue>> {
  const { currency, openPeriod: period, lastClosed } = state;
  const money = (amount: bigint | string) => ({ amount: amount.toString(), currency });
  const line = (each: Line) => ({ ...each, net: money(each.net) });
  const sum = (lines: readonly Line[]) => money(lines.reduce((total, each) => total + BigInt(each.net), 0n));
  const document = {
    subscriptionId: state.subscriptionId,
    externalId: state.externalId ?? null,
    customerId: state.customerId,
    status: statusOf(state),
    currency,
    timeZone: state.timeZone,
    scheduledTimeZone: state.scheduledTimeZone ?? null,
    paymentTermsDays: state.paymentTermsDays,
    startsAt: state.startsAt,
    trialEndsAt: state.paidFrom > state.startsAt ? state.paidFrom : null,
    anchor: state.grid.anchor,
    interval: state.grid.interval,
    rules: state.rules,
    autoFinalise: state.autoFinalise ?? true,
    terms: state.terms,
    scheduledEdits: state.scheduledEdits,
    metadata: state.metadata,
    cancelsAt: state.cancelsAt ?? null,
    pausesAt: state.pausesAt,
    hold: state.hold,
    periods: state.periods ?? null,
    completedPeriods: state.completedPeriods,
    periodNumber: state.periodNumber,
    billNumber: state.billNumber,
    openPeriod: period
      ? {
          periodNumber: period.periodNumber,
          gridIndex: period.gridIndex,
          kind: period.kind,
          from: period.from,
          to: period.to,
          startsAt: period.startsAt,
          endsAt: period.endsAt,
          lines: period.lines.map(line),
          net: sum(period.lines),
          voidedLineItemIds: period.voidedLineItemIds,
        }
      : null,
    lastClosedPeriod: lastClosed ?? null,
    accruedLines: state.accrued.map(line),
    billedLines: state.billed.map(({ billNumber, line: each }) => ({ ...line(each), billNumber })),
    pauses: state.pauses,
    paidThrough: state.paidThrough,
  };
  return throughJson(document) as Readonly<Record<string, JsonValue>>;
}

/** As the read models call it. */
function statusOf({ status, cancelsAt, openPeriod: period }: StartedSubscription): string {
  if (status !== 'active') return status;
  if (cancelsAt !== null) return 'canceling';
  return period?.kind === 'trial' ? 'trialing' : 'active';
}
