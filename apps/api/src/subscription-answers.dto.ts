import { ApiProperty } from '@nestjs/swagger';
import { CommandAnswer } from './http/command-answer.dto';
import { LineAnswer } from './http/line.dto';
import { MoneyAnswer } from './http/money.dto';
import { AsOfAnswer } from './http/parameters.dto';
import { MeterBody } from './usage.dto';

export class TierAnswer {
  readonly upTo!: string | null;
  readonly unitPrice?: string;
  /** Of amounts, in percent. */
  readonly rate?: string;
  readonly packageSize?: string;
  readonly flatFee?: string;
}

/** As it was asked for: the fields of its model. */
export class ItemPriceAnswer {
  readonly model!: string;
  /** Decimal of the minor unit. */
  readonly unitPrice?: string;
  @ApiProperty({ type: [TierAnswer], required: false })
  readonly tiers?: readonly TierAnswer[];
  readonly packageSize?: string;
  readonly packagePrice?: string;
  readonly freeUnits?: string;
  readonly rate?: string;
  readonly recordFee?: string;
  @ApiProperty({ type: 'integer', required: false })
  readonly freeRecords?: number;
  readonly freeAmount?: string;
  /** Decimals of the minor unit: what a whole period comes to at least and at most. */
  readonly minimum?: string;
  readonly maximum?: string;
}

export class ItemAnswer {
  readonly itemId!: string;
  readonly componentKey!: string;
  readonly description!: string;
  /** Absent: recurring. */
  readonly kind?: 'one-time' | 'usage';
  /** Of usage. */
  readonly meter?: MeterBody;
  readonly quantity!: string;
  @ApiProperty({ type: 'integer' })
  readonly every!: number;
  readonly timing!: 'advance' | 'arrears';
  readonly price!: ItemPriceAnswer;
}

export class OpenPeriodAnswer {
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  readonly kind!: 'regular' | 'trial';
  readonly startsAt!: string;
  readonly endsAt!: string;
}

export class IntervalAnswer {
  readonly unit!: string;
  @ApiProperty({ type: 'integer' })
  readonly count!: number;
}

export class HoldAnswer {
  readonly heldAt!: string;
  /** repeated-bills: too many between two boundaries. repeated-lines: too many of one item with service from one date. */
  readonly reason!: 'repeated-bills' | 'repeated-lines';
}

export class PlanOfSubscriptionAnswer {
  readonly planId!: string;
  @ApiProperty({ type: 'integer' })
  readonly version!: number;
}

/** Percent of what is left of the lines, or so much off. */
export class CouponDiscountAnswer {
  readonly kind!: 'percentage' | 'amount';
  readonly percent?: string;
  /** Minor units. */
  readonly amount?: string;
  readonly currency?: string;
}

export class CouponOnSubscriptionAnswer {
  readonly couponId!: string;
  readonly code!: string;
  readonly description!: string;
  readonly discount!: CouponDiscountAnswer;
  /** Bills that it lasts for; null: for ever. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly periods!: number | null;
  /** The items that it is limited to; null: all lines. */
  @ApiProperty({ type: 'array', items: { type: 'string' }, nullable: true })
  readonly componentKeys!: readonly string[] | null;
  /** Bills at boundaries off which it took something. */
  @ApiProperty({ type: 'integer' })
  readonly uses!: number;
  /** Of an amount: minor units that are not used yet. */
  @ApiProperty({ type: 'string', nullable: true })
  readonly left!: string | null;
}

export class SubscriptionAnswer {
  readonly subscriptionId!: string;
  readonly externalId!: string | null;
  readonly customerId!: string;
  readonly status!: 'scheduled' | 'trialing' | 'active' | 'canceling' | 'paused' | 'canceled';
  readonly currency!: string;
  readonly timeZone!: string;
  /** The zone that the end of the open period brings; null: it stays. */
  readonly scheduledTimeZone!: string | null;
  @ApiProperty({ type: 'integer' })
  readonly paymentTermsDays!: number;
  /** false: its invoices stay drafts for a review. */
  readonly autoFinalise!: boolean;
  readonly startsAt!: string;
  /** Up to then nothing recurring is charged; null where there is no trial. */
  readonly trialEndsAt!: string | null;
  /** Local date-time from which periods are counted. */
  readonly anchor!: string;
  readonly interval!: IntervalAnswer;
  /** The version of a plan that its terms are a copy of; null: terms of its own. */
  @ApiProperty({ type: PlanOfSubscriptionAnswer, nullable: true })
  readonly plan!: PlanOfSubscriptionAnswer | null;
  @ApiProperty({ type: [ItemAnswer] })
  readonly items!: readonly ItemAnswer[];
  /** Null while none is open. */
  @ApiProperty({ type: OpenPeriodAnswer, nullable: true })
  readonly period!: OpenPeriodAnswer | null;
  /** What the end of the open period changes, in order: edits of the items, or a move to a plan. */
  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true } })
  readonly scheduledEdits!: readonly object[];
  /** Coupons that act on its bills to come, in the order in which they do. */
  @ApiProperty({ type: [CouponOnSubscriptionAnswer] })
  readonly coupons!: readonly CouponOnSubscriptionAnswer[];
  readonly cancelsAt!: string | null;
  /** Why nothing is billed until someone has looked at it; null when billing is not held. */
  @ApiProperty({ type: HoldAnswer, nullable: true })
  readonly hold!: HoldAnswer | null;
  /** The end of the open period, when a pause begins with it. */
  readonly pausesAt!: string | null;
  /** It expires with the end of so many paid periods; null: it goes on. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly periods!: number | null;
  /** Paid periods that have reached their end. */
  @ApiProperty({ type: 'integer' })
  readonly completedPeriods!: number;
  /** Paid periods before the end of which nobody cancels. */
  @ApiProperty({ type: 'integer' })
  readonly minimumTermPeriods!: number;
  @ApiProperty({ type: 'integer' })
  readonly noticeDays!: number;
  readonly canceledAt!: string | null;
  /** Why it has ended; null while it has not. */
  @ApiProperty({ type: 'string', enum: ['requested', 'scheduled', 'trial-ended', 'expired', null], nullable: true })
  readonly canceledCause!: 'requested' | 'scheduled' | 'trial-ended' | 'expired' | null;
  readonly pausedAt!: string | null;
  /** How many bills there have been. */
  @ApiProperty({ type: 'integer' })
  readonly bills!: number;
  /** What those ask for whose invoices are not voided. */
  readonly billedNet!: MoneyAnswer;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Record<string, string>;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class SubscriptionPage {
  @ApiProperty({ type: [SubscriptionAnswer] })
  readonly items!: readonly SubscriptionAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}

export class SubscriptionFound extends SubscriptionAnswer {
  readonly asOf!: AsOfAnswer;
}

export class LineItemOutcomeAnswer {
  readonly lineItemId!: string;
  /** exists: the same one was added before. */
  readonly outcome!: 'added' | 'exists' | 'refused';
  /** Why it was refused: a problem code. */
  readonly code?: string;
}

export class LineItemsAnswer extends CommandAnswer {
  /** One for each line item, in the order of the batch. */
  @ApiProperty({ type: [LineItemOutcomeAnswer] })
  readonly records!: readonly LineItemOutcomeAnswer[];
}

export class PendingLineAnswer extends LineAnswer {
  /** Null: still to be billed. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly billNumber!: number | null;
}

export class BillingPeriodAnswer {
  @ApiProperty({ type: 'integer' })
  readonly periodNumber!: number;
  readonly kind!: 'regular' | 'trial';
  /** Local date-times in `timeZone`, half-open. */
  readonly from!: string;
  readonly to!: string;
  readonly startsAt!: string;
  readonly endsAt!: string;
  @ApiProperty({ type: [PendingLineAnswer] })
  readonly lines!: readonly PendingLineAnswer[];
  /** Sum of the lines still to be billed. */
  readonly pendingNet!: MoneyAnswer;
  /** Sum of the lines of this period that are billed already. */
  readonly billedNet!: MoneyAnswer;
}

export class CurrentBillingPeriodAnswer {
  readonly subscriptionId!: string;
  readonly customerId!: string;
  readonly currency!: string;
  readonly timeZone!: string;
  /** Null while none is open: not begun, paused or canceled. */
  @ApiProperty({ type: BillingPeriodAnswer, nullable: true })
  readonly period!: BillingPeriodAnswer | null;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
  readonly asOf!: AsOfAnswer;
}
