import type { Kysely } from 'kysely';
import type { ReadModels } from '../read-models';
import type { DueBillingPeriodRow } from './projection';

export interface DueBillingPeriod {
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly endsAt: string;
}

const MAX_DUE = 1_000;

/**
 * The periods that have ended at `now` (ISO 8601 UTC), longest overdue first: the scheduler's question, which alone asks
 * it of every tenant. At most `limit` of them, 1 to 1,000.
 */
export async function findDueBillingPeriods(
  { db, schema }: ReadModels,
  { tenant, now, limit }: { readonly tenant?: string; readonly now: string; readonly limit: number },
): Promise<DueBillingPeriod[]> {
  let query = (db as Kysely<{ due_billing_period: DueBillingPeriodRow }>)
    .withSchema(schema)
    .selectFrom('due_billing_period')
    .selectAll()
    .where('ends_at', '<=', now)
    .orderBy('ends_at')
    .orderBy('subscription_id')
    .limit(Math.min(Math.max(limit, 1), MAX_DUE));
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  const rows = await query.execute();
  return rows.map((row) => ({
    tenant: row.tenant,
    subscriptionId: row.subscription_id,
    periodNumber: row.period_number,
    endsAt: row.ends_at,
  }));
}
