import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { pageOf, pageSize, positionOf, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type Page } from '../read-models';
import { streams, type StreamRow } from './projection';

export interface StreamView {
  readonly stream: string;
  readonly aggregate: string;
  readonly aggregateId: string;
  readonly subject: string | null;
  readonly customerId: string | null;
  readonly firstRecordedAt: string;
  readonly lastRecordedAt: string;
  readonly revision: string;
  readonly position: string;
}

export interface StreamFilter extends PageRequest {
  readonly tenant: string;
  /** `subscription`, `invoice`, ... */
  readonly aggregate?: string | undefined;
  readonly aggregateId?: string | undefined;
  readonly customerId?: string | undefined;
  /** A subscription's external id, an invoice's number, a series, the name of a key. */
  readonly subject?: string | undefined;
}

const LIST = streams.name;

interface Tables {
  stream: StreamRow;
}

function view(row: StreamRow): StreamView {
  return {
    stream: row.stream,
    aggregate: row.aggregate,
    aggregateId: row.aggregate_id,
    subject: row.subject,
    customerId: row.customer_id,
    firstRecordedAt: row.first_recorded_at,
    lastRecordedAt: row.last_recorded_at,
    revision: row.revision.toString(),
    position: row.position.toString(),
  };
}

/** One stream by its whole name, if it is the tenant's. */
export async function getStream(
  { db, schema }: ReadModels,
  { tenant, stream }: { readonly tenant: string; readonly stream: string },
): Promise<Found<StreamView>> {
  const seen = await asOf(db, schema, LIST);
  const row = await (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('stream')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('stream', '=', stream)
    .executeTakeFirst();
  return { found: row && view(row), asOf: seen };
}

/** Streams in the order of their first events. Throws InvalidCursor. */
export async function findStreams({ db, schema }: ReadModels, filter: StreamFilter): Promise<Page<StreamView>> {
  const after = positionOf(LIST, filter.cursor);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  if (filter.aggregateId !== undefined && !isUuid(filter.aggregateId)) return { items: [], asOf: seen };
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('stream')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('first_position', '>', after)
    .orderBy('first_position')
    .limit(size + 1);
  if (filter.aggregate !== undefined) query = query.where('aggregate', '=', filter.aggregate);
  if (filter.aggregateId !== undefined) query = query.where('aggregate_id', '=', filter.aggregateId);
  if (filter.customerId !== undefined) query = query.where('customer_id', '=', filter.customerId);
  if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
  return { ...pageOf(LIST, await query.execute(), size, (row) => row.first_position, view), asOf: seen };
}

export class GetStream extends Query<Found<StreamView>> {
  constructor(
    readonly tenant: string,
    readonly stream: string,
  ) {
    super();
  }
}

@QueryHandler(GetStream)
export class GetStreamHandler implements IQueryHandler<GetStream> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetStream) {
    return getStream(this.models, query);
  }
}

export class FindStreams extends Query<Page<StreamView>> {
  constructor(readonly filter: StreamFilter) {
    super();
  }
}

@QueryHandler(FindStreams)
export class FindStreamsHandler implements IQueryHandler<FindStreams> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindStreams) {
    return findStreams(this.models, filter);
  }
}
