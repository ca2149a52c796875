import { laterInstant } from '../calendar';
import { DomainError } from '../domain-error';
import { sameJson, type JsonValue } from '../json';
import { encodedBytes, metadata, text } from '../text';
import type { PlanEvent, PlanTerms } from './events';
import { publishable } from './plan-terms';

/** A plan with its versions, counted from 1; a published version never changes. */
export type Plan = { readonly status: 'none' } | ExistingPlan;

export interface ExistingPlan {
  readonly status: 'active';
  readonly planId: string;
  readonly changedAt: string;
  readonly versions: readonly PlanVersion[];
}

export interface PlanVersion {
  readonly version: number;
  readonly status: 'draft' | 'published' | 'archived';
  readonly terms: PlanTerms;
}

/** All versions of a plan as JSON, so that its snapshot fits an append. */
const MAX_PLAN_BYTES = 600_000;

export interface NewPlan {
  /** Derived from the external id or the key: ids.ts. */
  readonly planId: string;
  readonly externalId?: string | undefined;
  readonly name: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Creates a plan without versions. Raises `plan-exists`, `invalid-text`, `invalid-metadata`. */
export function createPlan(state: Plan, input: NewPlan, now: string): PlanEvent[] {
  if (state.status !== 'none') throw new DomainError('plan-exists');
  const { planId, externalId } = input;
  return [
    {
      type: 'PlanCreated',
      data: {
        effectiveAt: laterInstant(now, now),
        planId,
        ...(externalId !== undefined && { externalId: text('externalId', externalId, 200) }),
        name: text('name', input.name, 200),
        metadata: metadata(input.metadata),
      },
    },
  ];
}

/**
 * Drafts the next version, or puts other terms into a draft; nothing when it has them already. A draft may be incomplete. Raises
 * `plan-not-found`, `plan-version-not-found` (beyond the next), `plan-version-published`, `plan-version-archived`, `plan-full`.
 */
export function draftVersion(state: Plan, version: number, terms: PlanTerms, now: string): PlanEvent[] {
  const plan = existing(state);
  const next = plan.versions.length + 1;
  if (version !== next) {
    const known = versionOf(plan, version);
    if (known.status !== 'draft') throw new DomainError(`plan-version-${known.status}`);
    if (sameJson(known.terms, terms)) return [];
  }
  if (encodedBytes(plan) + encodedBytes(terms) > MAX_PLAN_BYTES) throw new DomainError('plan-full');
  return [{ type: 'PlanVersionDrafted', data: { effectiveAt: laterInstant(now, plan.changedAt), version, terms } }];
}

/**
 * Publishes a draft whose terms can be billed, in canonical form; nothing when it is published already. Raises `plan-not-found`,
 * `plan-version-not-found`, `plan-version-archived`, `incomplete-plan`, `duplicate-component`, `too-many-items` and the
 * codes of category `invalid`.
 */
export function publishVersion(state: Plan, version: number, now: string): PlanEvent[] {
  const plan = existing(state);
  const { status, terms } = versionOf(plan, version);
  if (status === 'published') return [];
  if (status === 'archived') throw new DomainError('plan-version-archived');
  const effectiveAt = laterInstant(now, plan.changedAt);
  const canonical = publishable(terms);
  const published: PlanEvent = { type: 'PlanVersionPublished', data: { effectiveAt, version } };
  if (sameJson(canonical, terms)) return [published];
  return [{ type: 'PlanVersionDrafted', data: { effectiveAt, version, terms: canonical } }, published];
}

/** Archives a version, also a draft; nothing when it is archived already. Raises `plan-not-found`, `plan-version-not-found`. */
export function archiveVersion(state: Plan, version: number, now: string): PlanEvent[] {
  const plan = existing(state);
  if (versionOf(plan, version).status === 'archived') return [];
  return [{ type: 'PlanVersionArchived', data: { effectiveAt: laterInstant(now, plan.changedAt), version } }];
}

/**
 * The terms that something new starts on: those of a published version, or of the newest one. Raises `plan-not-found`,
 * `plan-version-not-found`, `plan-version-draft`, `plan-version-archived`.
 */
export function publishedTerms(state: Plan, version?: number): PlanVersion & { readonly planId: string } {
  const plan = existing(state);
  const found =
    version === undefined ? plan.versions.findLast(({ status }) => status === 'published') : versionOf(plan, version);
  if (!found) throw new DomainError('plan-version-not-found', 'no version is published');
  if (found.status !== 'published') throw new DomainError(`plan-version-${found.status}`);
  return { ...found, planId: plan.planId };
}

function existing(state: Plan): ExistingPlan {
  if (state.status === 'none') throw new DomainError('plan-not-found');
  return state;
}

function versionOf(plan: ExistingPlan, version: number): PlanVersion {
  const found = plan.versions.find((each) => each.version === version);
  if (!found) throw new DomainError('plan-version-not-found');
  return found;
}

/** Records what happened. */
export function evolvePlan(state: Plan, event: PlanEvent): Plan {
  if (event.type === 'PlanCreated') {
    const { planId, effectiveAt } = event.data;
    return { status: 'active', planId, changedAt: effectiveAt, versions: [] };
  }
  if (state.status === 'none') throw new Error(`${event.type} before PlanCreated`);
  const { effectiveAt: changedAt, version } = event.data;
  const become = (status: PlanVersion['status']): Plan => ({
    ...state,
    changedAt,
    versions: state.versions.map((each) => (each.version === version ? { ...each, status } : each)),
  });
  switch (event.type) {
    case 'PlanVersionDrafted': {
      const draft: PlanVersion = { version, status: 'draft', terms: event.data.terms };
      const versions = [...state.versions];
      versions[version - 1] = draft;
      return { ...state, changedAt, versions };
    }
    case 'PlanVersionPublished':
      return become('published');
    case 'PlanVersionArchived':
      return become('archived');
    default:
      throw new Error(`unknown event ${(event satisfies never as { type: string }).type}`);
  }
}

const planEvents: Readonly<Record<PlanEvent['type'], readonly ((data: unknown) => unknown)[]>> = {
  PlanCreated: [],
  PlanVersionDrafted: [],
  PlanVersionPublished: [],
  PlanVersionArchived: [],
};

/** What the aggregate repository needs to know of plans. */
export const planType = {
  name: 'plan',
  catalog: planEvents,
  initial: { status: 'none' } as Plan,
  evolve: evolvePlan,
  snapshot: {
    version: 1,
    toJSON: (state: Plan) => state as unknown as JsonValue,
    fromJSON: (json: JsonValue) => json as unknown as Plan,
  },
} as const;
