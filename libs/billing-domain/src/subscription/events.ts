import type { BillingRules } from '../billing-rules';
import type { Interval } from '../calendar';
import type { Line } from '../line';
import type { Price } from '../price/price';
import type { Meter } from '../usage/meter';

export type { BillingRules } from '../billing-rules';
export type { Interval } from '../calendar';

/** An item of the accepted terms. (billing-model.md §4) */
export interface Item {
  readonly itemId: string;
  readonly componentKey: string;
  /** one-time: charged once, when it comes into the terms. usage: what `meter` measured, in arrears. Absent: recurring. */
  readonly kind?: 'one-time' | 'usage';
  /** Of usage alone. */
  readonly meter?: Meter;
  /** A component of the plan: what changes the plan puts another in its place or removes it. */
  readonly ofPlan?: true;
  /** Of usage: each version of the terms counts its tiers and free units anew. Absent: they go on within a period. */
  readonly segments?: 'restart';
  readonly description: string;
  /** Of usage "1", which counts for nothing. */
  readonly quantity: string;
  /** Bills every k-th period of the subscription, for k periods. */
  readonly every: number;
  readonly timing: 'advance' | 'arrears';
  readonly price: Price;
  readonly taxCode: string | null;
  readonly taxBehaviour: 'exclusive' | 'inclusive' | 'unspecified';
  readonly discountable: boolean;
  /** Local date-times in the subscription's zone, half-open: since when, and up to when, it is part of the terms. */
  readonly from: string;
  readonly to?: string;
}

/** What terms say besides their items; a plan sets it. What is absent is not asked for. */
export interface Conditions {
  /** The version of a plan that these terms are a copy of. */
  readonly plan?: { readonly planId: string; readonly version: number };
  /** Of a whole period, over all its fees: decimals of the minor unit. */
  readonly minimum?: string;
  readonly maximum?: string;
  /** Coupons take something off what a minimum adds, too. */
  readonly discountableTrueUps?: true;
  /** Periods before the end of which nobody cancels. */
  readonly minimumTermPeriods?: number;
  readonly noticeDays?: number;
  /** How long usage may arrive after the end of its period. */
  readonly usageGraceHours?: number;
}

export interface SubscriptionStarted {
  readonly type: 'SubscriptionStarted';
  readonly data: {
    readonly effectiveAt: string;
    readonly subscriptionId: string;
    readonly externalId?: string;
    readonly customerId: string;
    readonly currency: string;
    /** IANA name. */
    readonly timeZone: string;
    readonly paymentTermsDays: number;
    /** After `effectiveAt`: no period is open before then. */
    readonly startsAt: string;
    /** Local date-time (YYYY-MM-DDTHH:mm:ss) in `timeZone` from which periods are counted: anchor + g × interval. */
    readonly anchor: string;
    /** The day of month that the grid keeps, where the anchor's own month was too short for it (31, anchored in February). */
    readonly anchorDay?: number;
    readonly interval: Interval;
    readonly items: readonly Item[];
    readonly rules: BillingRules;
    /** Its invoices stay drafts until someone asks for their finalising. */
    readonly autoFinalise?: false;
    readonly metadata: Readonly<Record<string, string>>;
    /** Of the plan that it starts on. */
    readonly conditions?: Conditions;
    /** Up to then nothing recurring is charged. */
    readonly trialEndsAt?: string;
    /** cancel: it ends with the trial. Absent: the first paid period follows. */
    readonly trialEnd?: 'cancel';
    /** It expires with the end of so many paid periods. Absent: it goes on. */
    readonly periods?: number;
  };
}

export interface BillingPeriodOpened {
  readonly type: 'BillingPeriodOpened';
  readonly data: {
    readonly effectiveAt: string;
    /** Counts up for ever from 1 and names things; never reset. */
    readonly periodNumber: number;
    /** g of the grid period [anchor + g × interval, anchor + (g + 1) × interval) that holds it; restarts with a new anchor. 0 of a trial. */
    readonly gridIndex: number;
    readonly kind: 'regular' | 'trial';
    /** Local date-times in the subscription's zone, half-open. */
    readonly from: string;
    readonly to: string;
    /** The same as instants; startsAt is the stored end of the period or pause before. */
    readonly startsAt: string;
    readonly endsAt: string;
  };
}

export interface BillingPeriodClosed {
  readonly type: 'BillingPeriodClosed';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    /** Where it really ended, local date-time: its `to`, or earlier when it was cut short. */
    readonly to: string;
    readonly endsAt: string;
    readonly cause: 'boundary' | 'change' | 'pause' | 'cancellation';
    /** Its usage is not sealed: the bill follows, at this instant or at the next boundary if that comes first. */
    readonly usageDueAt?: string;
  };
}

/** The usage of a closed period that waited for its seal is on the bill that follows in the same append, if it costs anything. */
export interface UsageBilled {
  readonly type: 'UsageBilled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number };
}

export interface LineItemAdded {
  readonly type: 'LineItemAdded';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    readonly lineItemId: string;
    readonly line: Line;
  };
}

/** A batch of line items: those that were added, in order, and what became of the others. */
export interface LineItemsAdded {
  readonly type: 'LineItemsAdded';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    readonly lines: readonly Line[];
    readonly notAdded: readonly {
      /** Its place in the batch, from 0. */
      readonly index: number;
      readonly lineItemId: string;
      /** exists: the same one was added before. */
      readonly outcome: 'exists' | 'refused';
      /** Why it was refused: a code of the domain. */
      readonly code?: string;
    }[];
  };
}

export interface LineItemVoided {
  readonly type: 'LineItemVoided';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    readonly lineItemId: string;
    readonly lineId: string;
  };
}

/** A bill: every line of it, whole. The only way by which lines leave a subscription. (billing-model.md §3) */
export interface LinesBilled {
  readonly type: 'LinesBilled';
  readonly data: {
    readonly effectiveAt: string;
    readonly subscriptionId: string;
    /** Counts up from 1 per subscription. */
    readonly billNumber: number;
    /** The period that it bills the end of (boundary, pause, final), the beginning of (start, resume), or was made in. */
    readonly periodNumber: number;
    readonly cause: 'start' | 'boundary' | 'change' | 'pause' | 'resume' | 'final' | 'rebill';
    readonly customerId: string;
    readonly timeZone: string;
    readonly paymentTermsDays: number;
    /** Its invoice stays a draft until someone asks for its finalising. */
    readonly autoFinalise?: false;
    readonly currency: string;
    readonly lines: readonly Line[];
    /** Sum of the lines' nets, minor units. */
    readonly net: string;
    /** What coupons took off it, and how they stand after it. */
    readonly coupons?: readonly CouponUse[];
  };
}

export interface CouponUse {
  readonly couponId: string;
  /** Minor units, above zero. */
  readonly taken: string;
  /** Bills at boundaries off which it took something. */
  readonly uses: number;
  /** Of an amount: minor units that are not used yet. */
  readonly left?: string;
  /** It has done what it could and is gone. */
  readonly usedUp?: true;
}

/** What a coupon gives, as a subscription keeps it. */
export interface CouponTerms {
  readonly couponId: string;
  readonly code: string;
  /** As it stands on the invoice. */
  readonly description: string;
  readonly discount:
    | { readonly kind: 'percentage'; readonly percent: string }
    /** Minor units. */
    | { readonly kind: 'amount'; readonly amount: string; readonly currency: string };
  /** Bills at boundaries off which it takes something; absent: for ever. */
  readonly periods?: number;
  /** Component keys of the items that it is limited to; absent: all lines. */
  readonly componentKeys?: readonly string[];
}

export interface CouponApplied {
  readonly type: 'CouponApplied';
  readonly data: {
    readonly effectiveAt: string;
    /** Of the redemption that the coupon keeps for this. */
    readonly reservationId: string;
    readonly coupon: CouponTerms;
  };
}

/** What it took stays taken. */
export interface CouponRemoved {
  readonly type: 'CouponRemoved';
  readonly data: { readonly effectiveAt: string; readonly couponId: string };
}

export interface SubscriptionPaused {
  readonly type: 'SubscriptionPaused';
  readonly data: {
    readonly effectiveAt: string;
    /** Local date up to which each advance item is billed already (exclusive); not charged again on resume. */
    readonly paidThrough: Readonly<Record<string, string>>;
    readonly credit: 'none' | 'prorated';
  };
}

/** The end of the open period is the beginning of a pause. */
export interface PauseScheduled {
  readonly type: 'PauseScheduled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number; readonly pausesAt: string };
}

export interface PauseUnscheduled {
  readonly type: 'PauseUnscheduled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number };
}

export interface SubscriptionResumed {
  readonly type: 'SubscriptionResumed';
  readonly data: { readonly effectiveAt: string; readonly anchor: 'keep' | 'restart' };
}

export interface CancellationScheduled {
  readonly type: 'CancellationScheduled';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    /** The end of the period that was open when it was asked for, or of a later one: the first that honours minimum term and notice. */
    readonly cancelsAt: string;
  };
}

export interface CancellationUnscheduled {
  readonly type: 'CancellationUnscheduled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number };
}

export interface SubscriptionCanceled {
  readonly type: 'SubscriptionCanceled';
  readonly data: {
    readonly effectiveAt: string;
    readonly cause: 'requested' | 'scheduled' | 'trial-ended' | 'expired';
    readonly credit: 'none' | 'prorated';
    /** Whoever asked for it waived what was left of minimum term and notice. */
    readonly waivedTerm?: true;
  };
}

/** A bill passed a bound that no sound history passes: until someone releases it nothing is billed, and the boundary waits. */
export interface BillingHeld {
  readonly type: 'BillingHeld';
  readonly data: {
    readonly effectiveAt: string;
    /** repeated-bills: so many between two boundaries. repeated-lines: so many of one item with service from one date. */
    readonly reason: 'repeated-bills' | 'repeated-lines';
    readonly count: number;
    readonly itemId?: string;
    readonly serviceFrom?: string;
    /** The open period, whose end waits; none in a pause. */
    readonly period?: { readonly periodNumber: number; readonly endsAt: string };
  };
}

/** Billing goes on: what was billed, and the next bill, were found to be right. */
export interface BillingHoldReleased {
  readonly type: 'BillingHoldReleased';
  readonly data: {
    readonly effectiveAt: string;
    readonly period?: { readonly periodNumber: number; readonly endsAt: string };
  };
}

/** After how many paid periods it expires, those before included; null: it goes on. */
export interface PeriodsChanged {
  readonly type: 'PeriodsChanged';
  readonly data: { readonly effectiveAt: string; readonly periods: number | null };
}

/** The items as they are from a local date-time on, and the numbers of the changes that later ones keep. (billing-model.md §1, §4) */
export interface ItemsChanged {
  readonly type: 'ItemsChanged';
  readonly data: {
    readonly effectiveAt: string;
    readonly cause: 'requested' | 'scheduled';
    /** Local date-time from which these terms stand in place of what stood there. */
    readonly from: string;
    /** In order of time; more than one when a backdated change goes before others. `change` counts up for ever. */
    readonly terms: readonly {
      readonly change: number;
      readonly from: string;
      readonly items: readonly Item[];
      readonly conditions?: Conditions;
      /** Charged anew even where the price is the same, as it now holds for another interval. */
      readonly restarts?: true;
    }[];
  };
}

/** One edit of the items. */
export type ItemEdit =
  | { readonly kind: 'quantity'; readonly itemId: string; readonly quantity: string }
  | { readonly kind: 'put'; readonly item: Omit<Item, 'from' | 'to'> }
  | { readonly kind: 'remove'; readonly itemId: string }
  /** Other bounds of what a whole period comes to: null takes one away, what is absent stays. */
  | {
      readonly kind: 'commitment';
      readonly minimum?: string | null;
      readonly maximum?: string | null;
      readonly discountableTrueUps?: boolean;
    }
  /** The components of a version of a plan in place of those of the plan before, by component key. */
  | {
      readonly kind: 'plan';
      readonly interval: Interval;
      /** Of its prices, where it is another than that of the plan before. */
      readonly currency?: string;
      /** Without a quantity: it stays as it is, else it is 1. */
      readonly items: readonly (Omit<Item, 'from' | 'to' | 'quantity'> & { readonly quantity?: string })[];
      readonly conditions: Conditions;
    };

/** Edits that the end of the open period applies, after those scheduled before. */
export interface ItemsChangeScheduled {
  readonly type: 'ItemsChangeScheduled';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    readonly takesEffectAt: string;
    readonly edits: readonly ItemEdit[];
  };
}

/** All scheduled edits are taken back. */
export interface ItemsChangeUnscheduled {
  readonly type: 'ItemsChangeUnscheduled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number };
}

/** Periods are counted on another grid from now on; the grid index starts again with it. */
export interface BillingCycleChanged {
  readonly type: 'BillingCycleChanged';
  readonly data: {
    readonly effectiveAt: string;
    readonly anchor: string;
    readonly anchorDay?: number;
    readonly interval: Interval;
  };
}

/** Bills are made out in another currency from now on; what came before is billed. */
export interface CurrencyChanged {
  readonly type: 'CurrencyChanged';
  readonly data: { readonly effectiveAt: string; readonly currency: string };
}

/** The end of the open period brings another zone. */
export interface TimeZoneChangeScheduled {
  readonly type: 'TimeZoneChangeScheduled';
  readonly data: {
    readonly effectiveAt: string;
    readonly periodNumber: number;
    /** IANA name. */
    readonly timeZone: string;
    readonly takesEffectAt: string;
  };
}

/** The zone stays as it is. */
export interface TimeZoneChangeUnscheduled {
  readonly type: 'TimeZoneChangeUnscheduled';
  readonly data: { readonly effectiveAt: string; readonly periodNumber: number };
}

/** Periods end by the clocks of another zone from now on; their local dates go on as they did. */
export interface TimeZoneChanged {
  readonly type: 'TimeZoneChanged';
  readonly data: { readonly effectiveAt: string; readonly timeZone: string };
}

/** The caller's own notes, as they are from now on. */
export interface MetadataChanged {
  readonly type: 'MetadataChanged';
  readonly data: { readonly effectiveAt: string; readonly metadata: Readonly<Record<string, string>> };
}

/** The lines of a voided invoice left their bill: for a new one, which follows in the same append, or for good. (billing-model.md §3) */
export interface BillReleased {
  readonly type: 'BillReleased';
  readonly data: {
    readonly effectiveAt: string;
    readonly billNumber: number;
    /** false: the lines are waived. */
    readonly rebill: boolean;
    readonly lineIds: readonly string[];
    /** Minor units: what the bill asked for, and no longer does. */
    readonly net: string;
    /** Of the bill, where the subscription has another one by now. */
    readonly currency?: string;
  };
}

export type SubscriptionEvent =
  | SubscriptionStarted
  | BillingPeriodOpened
  | BillingPeriodClosed
  | UsageBilled
  | LineItemAdded
  | LineItemsAdded
  | LineItemVoided
  | LinesBilled
  | SubscriptionPaused
  | PauseScheduled
  | PauseUnscheduled
  | SubscriptionResumed
  | CancellationScheduled
  | CancellationUnscheduled
  | SubscriptionCanceled
  | PeriodsChanged
  | BillingHeld
  | BillingHoldReleased
  | ItemsChanged
  | ItemsChangeScheduled
  | ItemsChangeUnscheduled
  | BillingCycleChanged
  | CurrencyChanged
  | TimeZoneChangeScheduled
  | TimeZoneChangeUnscheduled
  | TimeZoneChanged
  | MetadataChanged
  | BillReleased
  | CouponApplied
  | CouponRemoved;
