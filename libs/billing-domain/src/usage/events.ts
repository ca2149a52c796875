import type { Meter } from './meter';
import type { UsageRecord } from './usage-record';

/** A meter with what its price asks for besides its quantity. */
export interface MeterInUse {
  readonly meter: Meter;
  /** The values of so many records, the first in order of time, that a percentage charges nothing for. */
  readonly first?: number;
}

/** A stretch of the period in which the same meters hold on the same terms: from a moment to the next one's. */
export interface UsageSegment {
  readonly from: string;
  /** Keys. */
  readonly meters: readonly string[];
  /** Keys of those whose free records begin anew here; absent: of none. */
  readonly anew?: readonly string[];
}

/**
 * What the records of one meter in one segment come to, so that more can be added in any order. Decimals; only what its aggregation
 * needs.
 */
export interface Partial {
  readonly records: number;
  readonly sum?: string;
  /** weighted-sum: the sum of value × milliseconds from the period's start to the record. */
  readonly moment?: string;
  readonly max?: string;
}

/** What a meter's records come to in the whole period, where a segment has no share of it. */
export interface MeterTotal {
  /** unique-count: how many values there were. */
  readonly distinct?: number;
  /** latest: the last record in order of time, then id. */
  readonly latest?: TimedValue;
  /**
   * The first records, of each part of the period in which they begin anew, in the order in which they count; `at`: their own time, of
   * one that came late when it came.
   */
  readonly first?: readonly TimedValue[];
}

export interface TimedValue {
  readonly at: string;
  readonly id: string;
  readonly value: string;
}

/** What records changed: the partials and totals of the meters that read them, as they are after it. */
export interface Measured {
  readonly partials: readonly (Partial & { readonly segment: number; readonly meter: string })[];
  readonly totals: readonly (MeterTotal & { readonly meter: string })[];
  /** Of unique counts: the records (by their place in the event) whose value of a property was the first of its kind. */
  readonly unique?: readonly {
    readonly meter: string;
    readonly property: string;
    readonly records: readonly number[];
  }[];
}

/** The usage of a period begins: when it is, by what it is measured, and what the subscription's revision was. */
export interface UsageOpened {
  readonly type: 'UsageOpened';
  readonly data: {
    readonly effectiveAt: string;
    readonly subscriptionId: string;
    readonly periodNumber: number;
    readonly startsAt: string;
    readonly endsAt: string;
    /** The whole interval that the period is (a part of), which a weighted sum is a mean over. */
    readonly whole: { readonly from: string; readonly to: string };
    readonly meters: readonly MeterInUse[];
    readonly segments: readonly UsageSegment[];
    /** Revision of the subscription that the segments are known from. */
    readonly knownAt: number;
  };
}

export interface UsageRecorded {
  readonly type: 'UsageRecorded';
  readonly data: Measured & { readonly effectiveAt: string; readonly records: readonly UsageRecord[] };
}

/** The terms changed within the period: other segments, and all partials computed anew from the records. */
export interface UsageCut {
  readonly type: 'UsageCut';
  readonly data: {
    readonly effectiveAt: string;
    readonly endsAt: string;
    readonly meters: readonly MeterInUse[];
    readonly segments: readonly UsageSegment[];
    readonly knownAt: number;
    readonly partials: Measured['partials'];
    readonly totals: Measured['totals'];
    /** Unique counts were counted anew from the records: which values they have is not what the stream remembers any more. */
    readonly recounted?: true;
  };
}

/** Records of this sealed period that count in a later one: known here, by their ids, before they count there. */
export interface LateUsageNoted {
  readonly type: 'LateUsageNoted';
  readonly data: {
    readonly effectiveAt: string;
    readonly subscriptionId: string;
    readonly periodNumber: number;
    /** The period that was open. */
    readonly countsIn: number;
    readonly records: readonly UsageRecord[];
  };
}

/** Records of an earlier, sealed period count here, with their own time. */
export interface LateUsageCounted {
  readonly type: 'LateUsageCounted';
  readonly data: Measured & {
    readonly effectiveAt: string;
    /** The period that holds their time. */
    readonly home: number;
    readonly records: readonly UsageRecord[];
  };
}

/** Totals are frozen: what is billed. (billing-model.md §6) */
export interface UsageSealed {
  readonly type: 'UsageSealed';
  readonly data: SealedUsage & { readonly effectiveAt: string };
}

export interface SealedUsage {
  readonly subscriptionId: string;
  readonly periodNumber: number;
  readonly startsAt: string;
  /** Where the period really ended. */
  readonly to: string;
  readonly segments: readonly {
    readonly from: string;
    readonly meters: readonly {
      readonly meter: string;
      readonly records: number;
      /** Of this segment; of latest and unique-count the whole period's, on its last segment, and 0 before. */
      readonly quantity: string;
      /** The values of the first records, of the period or since they began anew, that count in this segment, in order of time. */
      readonly first?: readonly string[];
    }[];
  }[];
  /** What the next period starts from, of meters that carry it on. */
  readonly carried: readonly (TimedValue & { readonly meter: string })[];
}

export type UsageEvent = UsageOpened | UsageRecorded | UsageCut | LateUsageNoted | LateUsageCounted | UsageSealed;
