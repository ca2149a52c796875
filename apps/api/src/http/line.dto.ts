import { ApiProperty } from '@nestjs/swagger';

export class ServiceAnswer {
  /** Local dates, half-open. */
  readonly from!: string;
  readonly to!: string;
}

export class FractionAnswer {
  readonly numerator!: string;
  readonly denominator!: string;
}

export class PartAnswer {
  /** Ordinal of the tier, from 0. */
  @ApiProperty({ type: 'integer' })
  readonly tier!: number;
  readonly per!: 'unit' | 'package' | 'record' | 'amount' | 'flat-fee';
  readonly quantity!: string;
  readonly unitPrice!: string;
}

export class InstantsAnswer {
  readonly from!: string;
  readonly to!: string;
}

export class CreditRuleAnswer {
  readonly basis!: 're-rate' | 'billed' | 'current-price';
  /** Minor units: what was left of the line that it corrects. */
  readonly netSoFar!: string;
  /** Minor units: what earlier coupons leave of the line is less than a discount's share of it. */
  readonly atMost?: string;
  /** Minor units: so much more (below zero: less) than before do maximums take off the line that a discount is of. */
  readonly aboveMaximum?: string;
  /** The line that it corrects was waived: nothing is given back. */
  readonly waived?: boolean;
}

export class DiscountRuleAnswer {
  readonly couponId!: string;
  readonly percent?: string;
  /** Minor units: what was left of an amount. */
  readonly left?: string;
  /** Minor units: what was left of all lines that the coupon acted on, and what it took of that. */
  readonly basis!: string;
  readonly taken!: string;
  /** Minor units: what was left of this line. */
  readonly of!: string;
}

export class RuleAnswer {
  readonly name!: string;
  readonly fraction!: FractionAnswer;
  readonly rounding!: string;
  /** Of an item that bills every so many periods, for as many. */
  @ApiProperty({ type: 'integer', required: false })
  readonly every?: number;
  readonly roundedPer?: 'tier';
  @ApiProperty({ type: 'integer', required: false })
  readonly fractionDigits?: number;
  readonly instants?: InstantsAnswer;
  readonly fees?: string;
  readonly discount?: DiscountRuleAnswer;
  readonly credit?: CreditRuleAnswer;
}

/** A line of a bill with everything that its net was computed from. */
export class LineAnswer {
  readonly lineId!: string;
  readonly kind!: 'recurring' | 'usage' | 'one-time' | 'minimum' | 'maximum' | 'discount' | 'correction' | 'external';
  /** The item of the terms that it charges. */
  readonly itemId?: string;
  /** The caller's id, on a line item that a caller added. */
  readonly lineItemId?: string;
  readonly description!: string;
  readonly service!: ServiceAnswer;
  readonly quantity!: string;
  /** Decimal of the minor unit. */
  readonly unitPrice!: string;
  /** Where the price is no single multiplication: what the net is the sum of; then `unitPrice` is "0". */
  @ApiProperty({ type: [PartAnswer], required: false })
  readonly parts?: readonly PartAnswer[];
  /** Minor units: round(quantity × unitPrice × fraction) under the named rule. */
  readonly net!: string;
  readonly taxCode!: string | null;
  readonly taxBehaviour!: 'exclusive' | 'inclusive' | 'unspecified';
  readonly discountable!: boolean;
  readonly corrects?: string;
  /** Ordinal of the change in the timeline of terms that gave rise to it. */
  @ApiProperty({ type: 'integer' })
  readonly change!: number;
  readonly rule!: RuleAnswer;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Record<string, string>;
}
