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

export class RuleAnswer {
  readonly name!: string;
  readonly fraction!: FractionAnswer;
  readonly rounding!: string;
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
