import type { PlanEvent, PlanTerms } from '@perennial/billing-domain';
import type { Projection, StoredEvent } from '@perennial/event-sourcing';
import { planEventTypes } from '../event-types';
import { foldRows } from '../fold-rows';
import { createTable, rowsWith, upsertRows, type Table } from '../table';

/** A plan; one row for its life. */
export interface PlanRow {
  tenant: string;
  plan_id: string;
  external_id: string | null;
  name: string;
  /** Versions that were drafted. */
  versions: number;
  /** Those that are published now, rising: what starts takes the last. */
  published_versions: readonly number[];
  metadata: Readonly<Record<string, string>>;
  created_at: string;
  /** Log position of its first event: the order of the list. */
  created_position: bigint;
  revision: bigint;
  position: bigint;
  recorded_at: string;
}

export interface PlanVersionRow {
  tenant: string;
  plan_id: string;
  version: number;
  status: 'draft' | 'published' | 'archived';
  terms: PlanTerms;
  drafted_at: string;
  published_at: string | null;
  archived_at: string | null;
}

export const planRows: Table<PlanRow> = {
  name: 'plan',
  columns: {
    tenant: 'text',
    plan_id: 'uuid',
    external_id: 'text?',
    name: 'text',
    versions: 'int4',
    published_versions: 'jsonb',
    metadata: 'jsonb',
    created_at: 'timestamptz',
    created_position: 'int8',
    revision: 'int8',
    position: 'int8',
    recorded_at: 'timestamptz',
  },
  key: ['plan_id'],
  indexes: [{ on: ['tenant', 'created_position'] }, { on: ['tenant', 'external_id'], notNull: 'external_id' }],
};

export const planVersionRows: Table<PlanVersionRow> = {
  name: 'plan_version',
  columns: {
    tenant: 'text',
    plan_id: 'uuid',
    version: 'int4',
    status: 'text',
    terms: 'jsonb',
    drafted_at: 'timestamptz',
    published_at: 'timestamptz?',
    archived_at: 'timestamptz?',
  },
  key: ['plan_id', 'version'],
  indexes: [],
};

function evolve(row: PlanRow | undefined, stored: StoredEvent): PlanRow {
  const seen = { revision: stored.revision, position: stored.position, recorded_at: stored.metadata.recordedAt };
  const event = stored.event as PlanEvent;
  if (event.type === 'PlanCreated') {
    const { data } = event;
    return {
      tenant: stored.metadata.tenant,
      plan_id: stored.aggregateId,
      external_id: data.externalId ?? null,
      name: data.name,
      versions: 0,
      published_versions: [],
      metadata: data.metadata,
      created_at: data.effectiveAt,
      created_position: stored.position,
      ...seen,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${event.type} before PlanCreated`);
  const next = { ...row, ...seen };
  switch (event.type) {
    case 'PlanVersionDrafted':
      next.versions = Math.max(row.versions, event.data.version);
      break;
    case 'PlanVersionPublished':
      next.published_versions = [...row.published_versions, event.data.version].sort((a, b) => a - b);
      break;
    case 'PlanVersionArchived':
      next.published_versions = row.published_versions.filter((version) => version !== event.data.version);
      break;
  }
  return next;
}

function evolveVersion(row: PlanVersionRow | undefined, stored: StoredEvent): PlanVersionRow {
  const { type, data } = stored.event as Exclude<PlanEvent, { type: 'PlanCreated' }>;
  if (type === 'PlanVersionDrafted') {
    return {
      tenant: stored.metadata.tenant,
      plan_id: stored.aggregateId,
      version: data.version,
      status: 'draft',
      terms: data.terms,
      drafted_at: data.effectiveAt,
      published_at: null,
      archived_at: null,
    };
  }
  if (row === undefined) throw new Error(`${stored.stream}: ${type} before PlanVersionDrafted`);
  return type === 'PlanVersionPublished'
    ? { ...row, status: 'published', published_at: data.effectiveAt }
    : { ...row, status: 'archived', archived_at: data.effectiveAt };
}

export const plans: Projection = {
  name: 'plans',
  version: 1,
  handles: planEventTypes,
  tables: [planRows.name, planVersionRows.name],
  async create(db, schema) {
    await createTable(db, schema, planRows);
    await createTable(db, schema, planVersionRows);
  },
  async apply(events, tx, schema) {
    const ofPlans = events.filter((event) => event.aggregate === 'plan');
    const key = (planId: string, version: number) => `${planId} ${version}`;
    const ids = [...new Set(ofPlans.map(({ aggregateId }) => aggregateId))];
    const known = await rowsWith(tx, schema, planVersionRows, 'plan_id', ids);
    const versions = new Map(known.map((row) => [key(row.plan_id, row.version), row]));
    const changed = new Map<string, PlanVersionRow>();
    await foldRows(
      ofPlans,
      tx,
      schema,
      { table: planRows, column: 'plan_id', keyOf: (stored) => stored.aggregateId, evolve },
      (stored) => {
        const { data } = stored.event as PlanEvent;
        if (!('version' in data)) return;
        const of = key(stored.aggregateId, data.version);
        const after = evolveVersion(versions.get(of), stored);
        versions.set(of, after);
        changed.set(of, after);
      },
    );
    await upsertRows(tx, schema, planVersionRows, [...changed.values()]);
  },
};
