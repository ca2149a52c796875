/**
 * The named billing rules that a plan version sets and a subscription keeps: data, on which every cent depends. A field that is
 * absent has the default that it names, so that stored rules never need to change. (issue 2; billing-rules.md §2)
 */
export interface BillingRules {
  /** What a piece of a period is counted in: local dates of the subscription's zone, or elapsed seconds. */
  readonly prorationUnit: 'calendar-day' | 'second';
  /** inclusive: the day on which a cancellation ends a service counts as used. A change's day belongs to the new terms. */
  readonly dayCount: 'half-open' | 'inclusive';
  readonly rounding: 'half-away-from-zero';
  /** tier: once for each tier of a tiered price. Default: once for each line. */
  readonly roundedPer?: 'tier';
  /** Digits after the point to which days ÷ days is rounded, halves up, before it multiplies. Default: exact. */
  readonly fractionDigits?: number;
  /** imagined-period: the first, short piece counts against an interval that begins with it. Default: its grid period. */
  readonly leadingStub?: 'imagined-period';
  /**
   * What a piece that is taken back gives. Default: the line's own price over what is kept, minus its net so far. billed: its
   * net × removed ÷ its length. current-price: the price in force × removed ÷ period. The last two at most what is left.
   */
  readonly creditBasis?: 'billed' | 'current-price';
  /** Every month has 30 days (30E/360). Default: the days that it has. */
  readonly fixedMonths?: true;
  /** The terms on which usage of the local date of a change is rated. Default: cut at the change's instant. */
  readonly usageOnChangeDay?: 'old-terms' | 'new-terms';
}

const actualDays = { prorationUnit: 'calendar-day', dayCount: 'half-open', rounding: 'half-away-from-zero' } as const;

/** What holds when nobody names a rule. */
export const defaultRules: BillingRules = actualDays;

/**
 * The rules of others, as billing-rules.md §2 describes them. Periods are half-open here: Flexprice, whose stored period ends on
 * its last day and which adds 1 to both counts, counts the same days.
 */
export const presets = {
  perennial: defaultRules,
  'kill-bill': { ...actualDays, fractionDigits: 9, creditBasis: 'billed', usageOnChangeDay: 'old-terms' },
  'kill-bill-fixed-days': {
    ...actualDays,
    fractionDigits: 9,
    creditBasis: 'billed',
    usageOnChangeDay: 'old-terms',
    fixedMonths: true,
  },
  stripe: { ...actualDays, prorationUnit: 'second', leadingStub: 'imagined-period', creditBasis: 'billed' },
  'stripe-classic': {
    ...actualDays,
    prorationUnit: 'second',
    leadingStub: 'imagined-period',
    creditBasis: 'current-price',
  },
  lago: { ...actualDays, dayCount: 'inclusive', creditBasis: 'current-price', usageOnChangeDay: 'new-terms' },
  meteroid: { ...actualDays, creditBasis: 'current-price' },
  openmeter: { ...actualDays, prorationUnit: 'second', roundedPer: 'tier' },
  flexprice: { ...actualDays, creditBasis: 'billed' },
} as const satisfies Record<string, BillingRules>;

export type PresetName = keyof typeof presets;
