import type { BillingRules } from '../billing-rules';
import type { Interval } from '../calendar';
import type { Price } from '../price/price';
import type { NewMeter } from '../usage/meter';

/** What a version of a plan asks for. */
export interface PlanTerms {
  readonly interval: Interval;
  /** Every component has a price in each of these. */
  readonly currencies: readonly string[];
  readonly rules: BillingRules;
  readonly components: readonly PlanComponent[];
  /** Of a whole period, over all components, decimals of the minor unit by currency. */
  readonly minimum?: Readonly<Record<string, string>>;
  readonly maximum?: Readonly<Record<string, string>>;
  readonly trialDays?: number;
  /** Periods before the end of which nobody cancels. */
  readonly minimumTermPeriods?: number;
  readonly noticeDays?: number;
  /** How long usage may arrive after the end of its period. */
  readonly usageGraceHours?: number;
}

export interface PlanComponent {
  readonly componentKey: string;
  readonly description: string;
  /** one-time: a set-up fee, charged once at the start. */
  readonly kind: 'recurring' | 'usage' | 'one-time';
  /** An add-on: in the terms of those alone who pick it. */
  readonly optional?: true;
  /** Usage is always in arrears. */
  readonly timing: 'advance' | 'arrears';
  /** Of what recurs: bills every k-th period, for k periods. 1 of all else. */
  readonly every: number;
  /** What usage is measured by; of usage alone. */
  readonly meter?: NewMeter;
  /** Of usage: each version of the terms counts its tiers and free units anew. Default: they go on within a period. */
  readonly segments?: 'go-on' | 'restart';
  /** By currency. */
  readonly prices: Readonly<Record<string, Price>>;
  readonly taxCode: string | null;
  readonly taxBehaviour: 'exclusive' | 'inclusive' | 'unspecified';
  readonly discountable: boolean;
}

export interface PlanCreated {
  readonly type: 'PlanCreated';
  readonly data: {
    readonly effectiveAt: string;
    readonly planId: string;
    readonly externalId?: string;
    readonly name: string;
    readonly metadata: Readonly<Record<string, string>>;
  };
}

/** A draft with its terms; the same version again while it is a draft: other terms in their place. */
export interface PlanVersionDrafted {
  readonly type: 'PlanVersionDrafted';
  readonly data: { readonly effectiveAt: string; readonly version: number; readonly terms: PlanTerms };
}

/** Its terms never change again. */
export interface PlanVersionPublished {
  readonly type: 'PlanVersionPublished';
  readonly data: { readonly effectiveAt: string; readonly version: number };
}

/** Nothing new starts on it; what started keeps its own copy of the terms. */
export interface PlanVersionArchived {
  readonly type: 'PlanVersionArchived';
  readonly data: { readonly effectiveAt: string; readonly version: number };
}

export type PlanEvent = PlanCreated | PlanVersionDrafted | PlanVersionPublished | PlanVersionArchived;
