import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type { PlanTerms } from '@perennial/billing-domain';
import { asOf } from '@perennial/event-sourcing';
import type { Kysely } from 'kysely';
import { pageOf, pageSize, positionOf, type PageRequest } from '../page';
import { isUuid, ReadModels, type Found, type Page } from '../read-models';
import { plans, type PlanRow, type PlanVersionRow } from './projection';

/** A plan without its versions, as in lists. */
export interface PlanSummaryView {
  readonly planId: string;
  readonly externalId: string | null;
  readonly name: string;
  /** Versions that were drafted. */
  readonly versionCount: number;
  /** The newest version that is published now: what starts takes it. */
  readonly publishedVersion: number | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly revision: string;
  readonly position: string;
  readonly recordedAt: string;
}

export interface PlanView extends PlanSummaryView {
  readonly versions: readonly {
    readonly version: number;
    readonly status: PlanVersionRow['status'];
    readonly draftedAt: string;
    readonly publishedAt: string | null;
    readonly archivedAt: string | null;
    readonly terms: PlanTerms;
  }[];
}

export interface PlanFilter extends PageRequest {
  readonly tenant: string;
  readonly externalId?: string | undefined;
}

const LIST = plans.name;

interface Tables {
  plan: PlanRow;
  plan_version: PlanVersionRow;
}

function summary(row: PlanRow): PlanSummaryView {
  return {
    planId: row.plan_id,
    externalId: row.external_id,
    name: row.name,
    versionCount: row.versions,
    publishedVersion: row.published_versions.at(-1) ?? null,
    metadata: row.metadata,
    createdAt: row.created_at,
    revision: row.revision.toString(),
    position: row.position.toString(),
    recordedAt: row.recorded_at,
  };
}

/** A plan with all of its versions. */
export async function getPlan(
  { db, schema }: ReadModels,
  { tenant, planId }: { readonly tenant: string; readonly planId: string },
): Promise<Found<PlanView>> {
  const seen = await asOf(db, schema, LIST);
  if (!isUuid(planId)) return { found: undefined, asOf: seen };
  const tables = (db as Kysely<Tables>).withSchema(schema);
  const row = await tables
    .selectFrom('plan')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('plan_id', '=', planId)
    .executeTakeFirst();
  if (row === undefined) return { found: undefined, asOf: seen };
  const versions = await tables
    .selectFrom('plan_version')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('plan_id', '=', planId)
    .orderBy('version')
    .execute();
  return {
    found: {
      ...summary(row),
      versions: versions.map(({ version, status, drafted_at, published_at, archived_at, terms }) => ({
        version,
        status,
        draftedAt: drafted_at,
        publishedAt: published_at,
        archivedAt: archived_at,
        terms,
      })),
    },
    asOf: seen,
  };
}

/** Plans in the order in which they were created. Throws InvalidCursor. */
export async function findPlans({ db, schema }: ReadModels, filter: PlanFilter): Promise<Page<PlanSummaryView>> {
  const after = positionOf(LIST, filter.cursor);
  const size = pageSize(filter);
  const seen = await asOf(db, schema, LIST);
  let query = (db as Kysely<Tables>)
    .withSchema(schema)
    .selectFrom('plan')
    .selectAll()
    .where('tenant', '=', filter.tenant)
    .where('created_position', '>', after)
    .orderBy('created_position')
    .limit(size + 1);
  if (filter.externalId !== undefined) query = query.where('external_id', '=', filter.externalId);
  return { ...pageOf(LIST, await query.execute(), size, (row) => row.created_position, summary), asOf: seen };
}

export class GetPlan extends Query<Found<PlanView>> {
  constructor(
    readonly tenant: string,
    readonly planId: string,
  ) {
    super();
  }
}

@QueryHandler(GetPlan)
export class GetPlanHandler implements IQueryHandler<GetPlan> {
  constructor(private readonly models: ReadModels) {}
  execute(query: GetPlan) {
    return getPlan(this.models, query);
  }
}

export class FindPlans extends Query<Page<PlanSummaryView>> {
  constructor(readonly filter: PlanFilter) {
    super();
  }
}

@QueryHandler(FindPlans)
export class FindPlansHandler implements IQueryHandler<FindPlans> {
  constructor(private readonly models: ReadModels) {}
  execute({ filter }: FindPlans) {
    return findPlans(this.models, filter);
  }
}
