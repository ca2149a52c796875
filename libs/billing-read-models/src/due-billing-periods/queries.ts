import type { Kysely } from 'kysely';
import type { ReadModels } from '../read-models';
import type { DueBillingPeriodRow } from './projection';

export interface DueBillingPeriod {
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly endsAt: string;
  /** It waits until someone releases the hold. */
  readonly held: boolean;
}

const MAX_DUE = 1_000;

/**
 * The periods that have ended at `now` (ISO 8601 UTC), longest overdue first: the scheduler's question, which alone asks
 * it of every tenant. `held`: only those that wait for a release, or only the others. At most `limit` of them, 1 to 1,000.
 */
export async function findDueBillingPeriods(
  { db, schema }: ReadModels,
  {
    tenant,
    now,
    limit,
    held,
  }: { readonly tenant?: string; readonly now: string; readonly limit: number; readonly held?: boolean },
): Promise<DueBillingPeriod[]> {
  let query = (db as Kysely<{ due_billing_period: DueBillingPeriodRow }>)
    .withSchema(schema)
    .selectFrom('due_billing_period')
    .selectAll()
    .where('ends_at', '<=', now)
    .orderBy('ends_at')
    .orderBy('subscription_id')
    .limit(Math.min(Math.max(limit, 1), MAX_DUE));
  if (held !== undefined) query = query.where('held', '=', held);
  if (tenant !== undefined) query = query.where('tenant', '=', tenant);
  const rows = await query.execute();
  return rows.map((row) => ({
    tenant: row.tenant,
    subscriptionId: row.subscription_id,
    periodNumber: row.period_number,
    endsAt: row.ends_at,
    held: row.held,
  }));
}
