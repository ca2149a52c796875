import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { Line } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import { readAtOnce } from '@perennial/platform';
import type { Kysely } from 'kysely';
import { lineOf } from '../line-row';
import { isUuid, ReadModels, type Found, type MoneyView } from '../read-models';
import { currentBillingPeriod, type CurrentBillingPeriodLineRow, type CurrentBillingPeriodRow } from './projection';

export interface CurrentBillingPeriodView {
  readonly subscriptionId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly timeZone: string;
  /** Null while no period is open: not begun, paused, canceled. */
  readonly period: {
    readonly periodNumber: number;
    readonly kind: 'regular' | 'trial';
    /** Local date-times in `timeZone`, half-open. */
    readonly from: string;
    readonly to: string;
    readonly startsAt: string;
    readonly endsAt: string;
    /** In the order in which they came; `billNumber` null: still to be billed. */
    readonly lines: readonly (Line & { readonly billNumber: number | null })[];
    /** Sum of the lines still to be billed. */
    readonly pendingNet: MoneyView;
    /** Sum of the lines of this period that are billed already. */
    readonly billedNet: MoneyView;
  } | null;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

interface Tables {
  current_billing_period: CurrentBillingPeriodRow;
  current_billing_period_line: CurrentBillingPeriodLineRow;
}

function view(row: CurrentBillingPeriodRow, lines: readonly CurrentBillingPeriodLineRow[]): CurrentBillingPeriodView {
  const sum = (some: readonly CurrentBillingPeriodLineRow[]) => ({
    amount: some.reduce((total, line) => total + BigInt(line.net), 0n).toString(),
    currency: row.currency,
  });
  const { period_number, kind, local_from, local_to, starts_at, ends_at } = row;
  const open =
    period_number !== null &&
    kind !== null &&
    local_from !== null &&
    local_to !== null &&
    starts_at !== null &&
    ends_at !== null;
  return {
    subscriptionId: row.subscription_id,
    customerId: row.customer_id,
    currency: row.currency,
    timeZone: row.time_zone,
    period: open
      ? {
          periodNumber: period_number,
          kind,
          from: local_from,
          to: local_to,
          startsAt: starts_at,
          endsAt: ends_at,
          lines: lines.map((line) => ({ ...lineOf(line), billNumber: line.bill_number })),
          pendingNet: sum(lines.filter((line) => line.bill_number === null)),
          billedNet: sum(lines.filter((line) => line.bill_number !== null)),
        }
      : null,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** The open period of a subscription with its lines. */
export async function getCurrentBillingPeriod(
  { db, schema }: ReadModels,
  { tenant, subscriptionId }: { readonly tenant: string; readonly subscriptionId: string },
): Promise<Found<CurrentBillingPeriodView>> {
  const seen = await asOf(db, schema, currentBillingPeriod.name);
  if (!isUuid(subscriptionId)) return { found: undefined, asOf: seen };
  const tables = (db as unknown as Kysely<Tables>).withSchema(schema);
  const period = tables
    .selectFrom('current_billing_period')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription_id', '=', subscriptionId);
  const linesOfIt = tables
    .selectFrom('current_billing_period_line')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription_id', '=', subscriptionId)
    .orderBy('added_revision')
    .orderBy('ordinal');
  // At one snapshot: a roll-over between the two statements would show one period with the other's lines.
  const [[row], lines] = await readAtOnce(tables, [period.compile(), linesOfIt.compile()]);
  return { found: row && view(row, lines), asOf: seen };
}

export class GetCurrentBillingPeriod extends Query<Found<CurrentBillingPeriodView>> {
  constructor(
    readonly tenant: string,
    readonly subscriptionId: string,
  ) {
    super();
  }
}

@QueryHandler(GetCurrentBillingPeriod)
export class GetCurrentBillingPeriodHandler implements IQueryHandler<GetCurrentBillingPeriod> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetCurrentBillingPeriod) {
    return getCurrentBillingPeriod(this.models, query);
  }
}
