import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { orderOf, pageOf, pageSize, positionOf, type Order, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type MoneyView, type Page } from '../read-models';
import { customerBalances, type CustomerBalanceMovementRow, type CustomerBalanceRow } from './projection';

/** What a customer has to its credit in one currency: balance = granted + returned − applied. */
export interface CustomerBalanceView {
  readonly customerBalanceId: string;
  readonly customerId: string;
  readonly balance: MoneyView;
  /** By credit notes. */
  readonly granted: MoneyView;
  /** To invoices. */
  readonly applied: MoneyView;
  /** From invoices that were voided. */
  readonly returned: MoneyView;
  readonly stream: string;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

/** What moved a balance, with the event that says so. */
export interface CustomerBalanceMovementView {
  readonly kind: CustomerBalanceMovementRow['kind'];
  readonly amount: MoneyView;
  /** After it. */
  readonly balance: MoneyView;
  /** Of a grant. */
  readonly creditNoteId: string | null;
  /** Of what was applied or returned. */
  readonly invoiceId: string | null;
  readonly effectiveAt: string;
  readonly eventId: string;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface CustomerBalanceFilter extends PageRequest {
  readonly tenant: string;
  readonly order?: Order | undefined;
  readonly customerId?: string | undefined;
  readonly currency?: string | undefined;
}

export interface CustomerBalanceMovementFilter extends PageRequest {
  readonly tenant: string;
  readonly customerBalanceId: string;
}

const LIST = customerBalances.name;
const MOVEMENTS = 'customer-balance-movements';

interface Tables {
  customer_balance: CustomerBalanceRow;
  customer_balance_movement: CustomerBalanceMovementRow;
}

function view(row: CustomerBalanceRow): CustomerBalanceView {
  const money = (amount: string) => ({ amount, currency: row.currency });
  return {
    customerBalanceId: row.customer_balance_id,
    customerId: row.customer_id,
    balance: money(row.balance),
    granted: money(row.granted),
    applied: money(row.applied),
    returned: money(row.returned),
    stream: row.stream,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** The balance of a customer in one currency, by its id. */
export async function getCustomerBalance(
  { db, schema }: ReadModels,
  { tenant, customerBalanceId }: { readonly tenant: string; readonly customerBalanceId: string },
): Promise<Found<CustomerBalanceView>> {
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(customerBalanceId)) return { found: undefined, asOf: seen };
  const row = await (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('customer_balance')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('customer_balance_id', '=', customerBalanceId)
    .executeTakeFirst();
  return { found: row && view(row), asOf: seen };
}

/** Balances in the order of their first credits, or the last of them first. Throws InvalidCursor. */
export async function findCustomerBalances(
  { db, schema }: ReadModels,
  filter: CustomerBalanceFilter,
): Promise<Page<CustomerBalanceView>> {
  const { list, after, compare, direction } = orderOf(LIST, filter);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('customer_balance')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('first_position', compare, after)
    .orderBy('first_position', direction)
    .limit(size + 1);
  if (filter.customerId !== undefined) query = query.where('customer_id', '=', filter.customerId);
  if (filter.currency !== undefined) query = query.where('currency', '=', filter.currency);
  return { ...pageOf(list, await query.execute(), size, (row) => row.first_position, view), asOf: seen };
}

/** What moved a balance, from its first credit on; found: whether there is such a balance. Throws InvalidCursor. */
export async function findCustomerBalanceMovements(
  models: ReadModels,
  filter: CustomerBalanceMovementFilter,
): Promise<Page<CustomerBalanceMovementView> & { readonly found: boolean }> {
  const after = positionOf(MOVEMENTS, filter.cursor);
  const size = pageSize(filter);
  const { found: balance, asOf: seen } = await getCustomerBalance(models, filter);
  if (balance === undefined) return { found: false, items: [], asOf: seen };
  const rows = await (models.db as Kysely<Tables>)
    .withSchema(models.schema)
    .selectFrom('customer_balance_movement')
    .selectAll()
    .where('customer_balance_id', '=', filter.customerBalanceId)
    .where('position', '>', after)
    .orderBy('position')
    .limit(size + 1)
    .execute();
  const { currency } = balance.balance;
  const movement = (row: CustomerBalanceMovementRow): CustomerBalanceMovementView => ({
    kind: row.kind,
    amount: { amount: row.amount, currency },
    balance: { amount: row.balance, currency },
    creditNoteId: row.credit_note_id,
    invoiceId: row.invoice_id,
    effectiveAt: row.effective_at,
    eventId: row.event_id,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  });
  return { found: true, ...pageOf(MOVEMENTS, rows, size, (row) => row.position, movement), asOf: seen };
}

export class GetCustomerBalance extends Query<Found<CustomerBalanceView>> {
  constructor(
    readonly tenant: string,
    readonly customerBalanceId: string,
  ) {
    super();
  }
}

@QueryHandler(GetCustomerBalance)
export class GetCustomerBalanceHandler implements IQueryHandler<GetCustomerBalance> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetCustomerBalance) {
    return getCustomerBalance(this.models, query);
  }
}

export class FindCustomerBalances extends Query<Page<CustomerBalanceView>> {
  constructor(readonly filter: CustomerBalanceFilter) {
    super();
  }
}

@QueryHandler(FindCustomerBalances)
export class FindCustomerBalancesHandler implements IQueryHandler<FindCustomerBalances> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindCustomerBalances) {
    return findCustomerBalances(this.models, filter);
  }
}

export class FindCustomerBalanceMovements extends Query<
  Page<CustomerBalanceMovementView> & { readonly found: boolean }
> {
  constructor(readonly filter: CustomerBalanceMovementFilter) {
    super();
  }
}

@QueryHandler(FindCustomerBalanceMovements)
export class FindCustomerBalanceMovementsHandler implements IQueryHandler<FindCustomerBalanceMovements> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindCustomerBalanceMovements) {
    return findCustomerBalanceMovements(this.models, filter);
  }
}
