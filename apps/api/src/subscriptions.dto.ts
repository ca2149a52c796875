import { Type } from 'class-transformer';
import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsObject,
  IsUUID,
  Matches,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  type ValidationArguments,
} from 'class-validator';
import { MAX_BATCH, MAX_COUPONS } from '@perennial/billing-domain';
import { IsCouponCode } from './coupons.dto';
import {
  IsCurrencyFilter,
  IsDecimal,
  IsMetadata,
  IsMetadataFilter,
  IsMinorUnits,
  IsText,
  IsWhole,
  Optional,
} from './http/fields';
import { IsInstant, IsLocalDate } from './http/instant';
import { OrderedListQuery, SubscriptionPath } from './http/parameters.dto';
import { ChangeTimeBody, IsPlanChoice, PlanChoiceBody } from './subscription-plan.dto';
import {
  AnchorBody,
  AreEdits,
  AreItems,
  CommitmentBody,
  type EditBody,
  IntervalBody,
  IsAnchor,
  ItemBody,
  RulesBody,
} from './terms.dto';

/** Nothing that a plan says. */
const IsLeftToPlan = () =>
  ValidateBy({
    name: 'isLeftToPlan',
    validator: {
      validate: (_: unknown, of?: ValidationArguments) =>
        (of?.object as StartSubscriptionBody | undefined)?.plan === undefined,
      defaultMessage: () => '$property is what the plan says',
    },
  });

export class StartSubscriptionBody {
  /** The caller's own id, unique and immutable; the subscription's id derives from it (else from the Idempotency-Key). */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  /** A customer's external id or id; any other name of the caller's for a customer that was not created here. */
  @IsText(200)
  readonly customerId!: string;

  /**
   * ISO 4217; the customer's when left out.
   * @example "USD"
   */
  @Optional()
  @Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' })
  readonly currency?: string;

  /**
   * IANA name; periods begin and end by its wall clock. The customer's when left out.
   * @example "Europe/Berlin"
   */
  @Optional()
  @Matches(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { message: '$property must be an IANA time zone name' })
  readonly timeZone?: string;

  /** Days from issue to due date; the customer's when left out, else 0. */
  @IsWhole(0, 365, { optional: true })
  readonly paymentTermsDays?: number;

  @IsAnchor()
  readonly anchor?: AnchorBody;

  /**
   * When it begins, within five years of now; now when left out. Later: it is scheduled until then. Earlier: the periods that
   * have elapsed since, 120 at most, are billed one after another.
   */
  @IsInstant({ optional: true })
  readonly startsAt?: string;

  /** Days from the start in which nothing recurring is charged; those of the plan, or none, when left out. The paid periods begin at their end. */
  @IsWhole(0, 3660, { optional: true })
  readonly trialDays?: number;

  /** What the end of the trial does: the first paid period follows (`activate`, when left out), or the subscription ends. */
  @Optional()
  @IsIn(['activate', 'cancel'])
  readonly trialEnd?: 'activate' | 'cancel';

  /** It expires with the end of so many paid periods; it goes on when left out. A trial is none, and a pause stops the count. */
  @IsWhole(1, 10_000, { optional: true })
  readonly periods?: number;

  /** Paid periods before the end of which nobody cancels; those of the plan, or none, when left out. */
  @IsWhole(0, 3660, { optional: true })
  readonly minimumTermPeriods?: number;

  /** Days from a cancellation to the end of the period that it can name; those of the plan, or none, when left out. */
  @IsWhole(0, 3660, { optional: true })
  readonly noticeDays?: number;

  /** What it is charged for, how and how often. In place of it: `interval`, `items` and `rules` of its own. */
  @Optional()
  @IsPlanChoice()
  readonly plan?: PlanChoiceBody;

  /** Without a plan; a plan has one. */
  @ValidateIf((body: StartSubscriptionBody) => body.plan === undefined || body.interval !== undefined)
  @IsLeftToPlan()
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => IntervalBody)
  readonly interval?: IntervalBody;

  /** What is charged in every period, each for a component of its own; with a plan: what is charged besides. */
  @ValidateIf((body: StartSubscriptionBody) => body.plan === undefined || body.items !== undefined)
  @AreItems()
  readonly items?: ItemBody[];

  /** false: its invoices stay drafts for a review, until `POST /v1/invoices/:id/finalise`. */
  @Optional()
  @IsBoolean()
  readonly autoFinalise?: boolean;

  /** The bounds of the plan, or none, when left out. */
  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => CommitmentBody)
  readonly commitment?: CommitmentBody;

  /** Codes of coupons that act on it from its first bill on, in this order. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(MAX_COUPONS)
  @IsCouponCode(true)
  readonly couponCodes?: string[];

  /** Kept for the subscription's life; a plan has its own. */
  @Optional()
  @IsLeftToPlan()
  @IsObject()
  @ValidateNested()
  @Type(() => RulesBody)
  readonly rules?: RulesBody;

  /** How long usage may arrive after the end of its period, before the period is billed; that of the plan, or 0, when left out. */
  @IsWhole(0, 3_660, { optional: true })
  readonly usageGraceHours?: number;

  @IsMetadata()
  readonly metadata?: Record<string, string>;
}

export class ServiceBody {
  /**
   * Local date, the first day.
   * @example "2026-01-01"
   */
  @IsLocalDate()
  readonly from!: string;

  /**
   * Local date, the day after the last.
   * @example "2026-02-01"
   */
  @IsLocalDate()
  readonly to!: string;
}

/** A one-time charge in the open billing period, in the subscription's currency. */
export class AddLineItemBody {
  /** The caller's own id: the same content again changes nothing, other content is `line-item-exists`, for ever. */
  @IsText(100)
  readonly lineItemId!: string;

  /** As it stands on the invoice. */
  @IsText(500)
  readonly description!: string;

  @IsDecimal({ optional: true, default: '1' })
  readonly quantity?: string;

  /** A decimal of the minor unit: "1250" is 12.50 USD. */
  @IsDecimal({ example: '1250' })
  readonly unitPrice!: string;

  /** When it was rendered; the day of adding when left out. */
  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => ServiceBody)
  readonly service?: ServiceBody;

  @IsText(50, { optional: true })
  readonly taxCode?: string;

  @Optional()
  @IsIn(['exclusive', 'inclusive', 'unspecified'])
  readonly taxBehaviour?: 'exclusive' | 'inclusive' | 'unspecified';

  /** Whether coupons may take something off it; true when left out. */
  @Optional()
  @IsBoolean()
  readonly discountable?: boolean;

  @IsMetadata()
  readonly metadata?: Record<string, string>;
}

/** Line items that are added in one go, each on its own. */
export class AddLineItemsBody {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_BATCH)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => AddLineItemBody)
  @ApiProperty({ type: [AddLineItemBody], minItems: 1, maxItems: MAX_BATCH })
  readonly lineItems!: AddLineItemBody[];
}

/** What changes, from when on, and when the difference is billed. */
export class ChangeItemsBody extends ChangeTimeBody {
  @AreEdits(1)
  readonly edits!: EditBody[];
}

/** The open period ends now, and the next one runs to the first point of the new grid. */
export class ChangeBillingCycleBody {
  /** As it is when left out. */
  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => IntervalBody)
  readonly interval?: IntervalBody;

  /** The day of month stays when left out. */
  @IsAnchor()
  readonly anchor?: AnchorBody;

  /** Prices of the new interval, for example. */
  @AreEdits(0)
  readonly edits?: EditBody[];
}

export class RollOverBody {
  /** The period to roll over; one that is closed already changes nothing. 0, the time before the start, begins the subscription. */
  @IsWhole(0, 1_000_000)
  readonly periodNumber!: number;
}

export class PeriodsBody {
  /** Paid periods in all, those that have ended included; null: it goes on. */
  @ValidateIf((body: PeriodsBody) => body.periods !== null)
  @IsWhole(1, 10_000)
  @ApiProperty({ required: true, type: 'integer', minimum: 1, maximum: 10_000, nullable: true })
  readonly periods!: number | null;
}

export class PauseBody {
  /** Now, when left out, or with the end of the open period (which can be undone until then). */
  @Optional()
  @IsIn(['now', 'period-end'])
  readonly at?: 'now' | 'period-end';

  /** Whether what is paid in advance beyond now is given back; `none` when left out. At the end of the period nothing is. */
  @Optional()
  @IsIn(['none', 'prorated'])
  readonly credit?: 'none' | 'prorated';
}

export class ResumeBody {
  /** Periods go on counting from where they did (`keep`, when left out), or from today. */
  @Optional()
  @IsIn(['keep', 'restart'])
  readonly anchor?: 'keep' | 'restart';
}

export class CancelBody {
  /**
   * Now, with a final bill, or with the open period or the first later one that honours minimum term and notice (which can be
   * undone until then).
   */
  @IsIn(['now', 'period-end'])
  readonly at!: 'now' | 'period-end';

  /** Whether what is paid in advance beyond now is given back; `none` when left out. */
  @Optional()
  @IsIn(['none', 'prorated'])
  readonly credit?: 'none' | 'prorated';

  /** true: now, whatever is left of minimum term and notice. The event says so. */
  @Optional()
  @IsBoolean()
  readonly waiveTerm?: boolean;
}

export class LineItemPath extends SubscriptionPath {
  /** The caller's id of the line item. */
  @IsText(100)
  readonly lineItemId!: string;
}

export class SubscriptionsQuery extends OrderedListQuery {
  @IsText(200, { optional: true })
  readonly customerId?: string;

  @IsText(200, { optional: true })
  readonly externalId?: string;

  @Optional()
  @IsIn(['scheduled', 'trialing', 'active', 'canceling', 'paused', 'canceled'])
  readonly status?: 'scheduled' | 'trialing' | 'active' | 'canceling' | 'paused' | 'canceled';

  /** Those whose billing is held until someone has looked at it, or the others. */
  @Optional()
  @IsIn(['true', 'false'])
  readonly held?: 'true' | 'false';

  @IsCurrencyFilter()
  readonly currency?: string;

  /** On any version of this plan. */
  @Optional()
  @IsUUID()
  readonly planId?: string;

  /** On this version. */
  @Optional()
  @Matches(/^[1-9]\d{0,4}$/, { message: '$property must be a version of the plan' })
  readonly planVersion?: string;

  @IsMetadataFilter()
  readonly metadata?: Record<string, string>;

  /** Started at this instant or after it. */
  @IsInstant({ optional: true })
  readonly startsFrom?: string;

  /** Started before this instant. */
  @IsInstant({ optional: true })
  readonly startsBefore?: string;

  /** Canceled at this instant or after it. */
  @IsInstant({ optional: true })
  readonly canceledFrom?: string;

  /** Canceled before this instant. */
  @IsInstant({ optional: true })
  readonly canceledBefore?: string;

  /** Billed so far: this many minor units or more. */
  @IsMinorUnits()
  readonly billedNetFrom?: string;

  /** Billed so far: this many minor units or fewer. */
  @IsMinorUnits()
  readonly billedNetTo?: string;

  /** Open periods that end at this instant or after it. */
  @IsInstant({ optional: true })
  readonly periodEndsFrom?: string;

  /** Open periods that end before this instant. */
  @IsInstant({ optional: true })
  readonly periodEndsBefore?: string;
}
