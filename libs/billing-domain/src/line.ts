import type { PricePart } from './price/rate';

/**
 * The line of a bill. It states everything that its net was computed from, so a reader can recompute each cent.
 * Amounts are whole minor units as decimal strings (the currency stands once, on the bill); `unitPrice` is a decimal of
 * the minor unit (0.0004 USD is "0.04"); quantities are decimals. (billing-model.md §3)
 */
export interface Line {
  /**
   * uuid v5 of (subscription, item or line-item id, kind, service, corrects, ordinal of the change): never of an event id. The
   * service in local dates, or in instants where it is counted in seconds.
   */
  readonly lineId: string;
  readonly kind: 'recurring' | 'usage' | 'one-time' | 'minimum' | 'maximum' | 'discount' | 'correction' | 'external';
  /** The item of the subscription's terms that it charges. */
  readonly itemId?: string;
  /** The caller's id, on a line item that a caller added. */
  readonly lineItemId?: string;
  readonly description: string;
  /** Local dates in the bill's zone, half-open. */
  readonly service: { readonly from: string; readonly to: string };
  readonly quantity: string;
  readonly unitPrice: string;
  /** Where the price is no single multiplication (tiers, packages, percentages): what the net is the sum of; then `unitPrice` is "0". */
  readonly parts?: readonly PricePart[];
  readonly net: string;
  readonly taxCode: string | null;
  readonly taxBehaviour: 'exclusive' | 'inclusive' | 'unspecified';
  readonly discountable: boolean;
  /** lineId of the line that this one corrects. */
  readonly corrects?: string;
  /** Ordinal of the change in the timeline of terms that gave rise to it (0: the start). */
  readonly change: number;
  /**
   * How net was computed: round(quantity × unitPrice × fraction), or of the sum of the parts; `name` is the price's model. What
   * is absent is the default.
   */
  readonly rule: {
    readonly name: string;
    readonly fraction: { readonly numerator: string; readonly denominator: string };
    readonly rounding: 'half-away-from-zero';
    /** Of an item that bills every k-th period, for k periods: k. */
    readonly every?: number;
    /** Rounded once for each tier of the parts. */
    readonly roundedPer?: 'tier';
    /** The fraction was rounded to so many digits first. */
    readonly fractionDigits?: number;
    /** The service, where it was counted in seconds. */
    readonly instants?: { readonly from: string; readonly to: string };
    /** Of a minimum or maximum: the fees that it was compared with; net = round(unitPrice × fraction) − fees. */
    readonly fees?: string;
    /** Of usage: what its quantity was sealed as. `before`: the quantity earlier in the period, from which its tiers go on. */
    readonly usage?: {
      readonly meter: string;
      readonly periodNumber: number;
      /** Instants, half-open. */
      readonly from: string;
      readonly to: string;
      readonly before?: string;
    };
    /**
     * Of a discount: of what was left of all lines of the bill that the coupon acts on (`basis`) it took `taken`, `percent` of it
     * or at most the `left` of its amount, and off this line, of which `of` was left, its share by largest remainder.
     */
    readonly discount?: {
      readonly couponId: string;
      readonly percent?: string;
      readonly left?: string;
      readonly basis: string;
      readonly taken: string;
      readonly of: string;
    };
    /**
     * Of a correction. re-rate: what the fraction that is kept comes to, minus `netSoFar` of the line that it corrects.
     * billed: that line's own net × fraction, given back. current-price: this price × fraction, given back. At most `netSoFar`.
     */
    readonly credit?: {
      readonly basis: 're-rate' | 'billed' | 'current-price';
      readonly netSoFar: string;
      /** Of a discount: what earlier coupons leave of its line is less than its re-rated share. */
      readonly atMost?: string;
      /** Of a discount: so much more (or less, below zero) than before do maximums take off its line; on the first one of the line. */
      readonly aboveMaximum?: string;
      /** The line that it corrects was waived: nothing is given back, net is 0. */
      readonly waived?: true;
    };
  };
  readonly metadata: Readonly<Record<string, string>>;
}
