import type { Kysely } from 'kysely';
import type { ReadModels } from '../read-models';
import type { DueUsageBillRow } from './projection';

export interface DueUsageBill {
  readonly tenant: string;
  readonly subscriptionId: string;
  readonly periodNumber: number;
}

/** The closed periods whose usage is to be sealed and billed at `now`, longest overdue first: the scheduler's question. */
export async function findDueUsageBills(
  { db, schema }: ReadModels,
  { now, limit }: { readonly now: string; readonly limit: number },
): Promise<DueUsageBill[]> {
  const rows = await (db as Kysely<{ due_usage_bill: DueUsageBillRow }>)
    .withSchema(schema)
    .selectFrom('due_usage_bill')
    .selectAll()
    .where('due_at', '<=', now)
    .orderBy('due_at')
    .orderBy('subscription_id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    tenant: row.tenant,
    subscriptionId: row.subscription_id,
    periodNumber: row.period_number,
  }));
}
