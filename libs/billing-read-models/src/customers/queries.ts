import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { PersonalData } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { metadataHas } from '../metadata-filter';
import { pageOf, pageSize, positionOf, type PageRequest } from '../page';
import { isUuid, openedBy, ReadModels, type ErasedView, type Found, type Page } from '../read-models';
import { customers, type CustomerRow } from './projection';

export interface CustomerView {
  readonly customerId: string;
  readonly externalId: string | null;
  readonly status: CustomerRow['status'];
  readonly currency: string;
  readonly timeZone: string;
  readonly paymentTermsDays: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** null: none was ever given. */
  readonly personal: PersonalData | ErasedView | null;
  readonly createdAt: string;
  readonly erasedAt: string | null;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface CustomerFilter extends PageRequest {
  readonly tenant: string;
  readonly externalId?: string | undefined;
  readonly status?: CustomerRow['status'] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

const LIST = customers.name;

interface Tables {
  customer: CustomerRow;
}

async function view({ dataKeys }: ReadModels, row: CustomerRow): Promise<CustomerView> {
  return {
    customerId: row.customer_id,
    externalId: row.external_id,
    status: row.status,
    currency: row.currency,
    timeZone: row.time_zone,
    paymentTermsDays: row.payment_terms_days,
    metadata: row.metadata,
    personal: row.status === 'erased' ? { erased: true } : await openedBy<PersonalData>(dataKeys, row.personal),
    createdAt: row.created_at,
    erasedAt: row.erased_at,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** A customer with its personal data, which is opened for this answer alone. */
export async function getCustomer(
  models: ReadModels,
  { tenant, customerId }: { readonly tenant: string; readonly customerId: string },
): Promise<Found<CustomerView>> {
  const { db, schema } = models;
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(customerId)) return { found: undefined, asOf: seen };
  const row = await (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('customer')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('customer_id', '=', customerId)
    .executeTakeFirst();
  return { found: row && (await view(models, row)), asOf: seen };
}

/** Customers in the order in which they were created. Throws InvalidCursor. */
export async function findCustomers(models: ReadModels, filter: CustomerFilter): Promise<Page<CustomerView>> {
  const { db, schema } = models;
  const after = positionOf(LIST, filter.cursor);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('customer')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('created_position', '>', after)
    .orderBy('created_position')
    .limit(size + 1);
  if (filter.externalId !== undefined) query = query.where('external_id', '=', filter.externalId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.metadata !== undefined) query = query.where(metadataHas(filter.metadata));
  const { items, ...page } = pageOf(
    LIST,
    await query.execute(),
    size,
    (row) => row.created_position,
    (row) => row,
  );
  return { items: await Promise.all(items.map((row) => view(models, row))), ...page, asOf: seen };
}

export class GetCustomer extends Query<Found<CustomerView>> {
  constructor(
    readonly tenant: string,
    readonly customerId: string,
  ) {
    super();
  }
}

@QueryHandler(GetCustomer)
export class GetCustomerHandler implements IQueryHandler<GetCustomer> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetCustomer) {
    return getCustomer(this.models, query);
  }
}

export class FindCustomers extends Query<Page<CustomerView>> {
  constructor(readonly filter: CustomerFilter) {
    super();
  }
}

@QueryHandler(FindCustomers)
export class FindCustomersHandler implements IQueryHandler<FindCustomers> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindCustomers) {
    return findCustomers(this.models, filter);
  }
}
