import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsDefined,
  IsIn,
  IsObject,
  IsUUID,
  Matches,
  MaxLength,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { MAX_COUPON_CURRENCIES, MAX_ITEMS } from '@perennial/billing-domain';
import { IsMetadata, IsText, IsWhole, Optional } from './http/fields';
import { IsInstant } from './http/instant';
import { AsOfAnswer, ListQuery, SubscriptionPath } from './http/parameters.dto';

const code = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/;

/** A code of a coupon; capitals and small letters are alike. */
export const IsCouponCode = (each = false) =>
  Matches(code, { each, message: '$property must be a code such as SPRING-26' });

/** Percent of what is left of the lines. */
export class PercentageDiscountBody {
  @IsIn(['percentage'])
  readonly kind!: 'percentage';

  /** Above 0, at most 100. */
  @Matches(/^(100(\.0{1,12})?|[1-9]?\d(\.\d{1,12})?)$/, { message: '$property must be a percentage such as "12.5"' })
  @ApiProperty({ type: 'string', pattern: '^(100(\\.0{1,12})?|[1-9]?\\d(\\.\\d{1,12})?)$', example: '20' })
  readonly percent!: string;
}

export class CouponAmountBody {
  /** Minor units. */
  @Matches(/^[1-9]\d{0,14}$/, { message: '$property must be a whole number of minor units above zero' })
  @ApiProperty({ type: 'string', pattern: '^[1-9]\\d{0,14}$', example: '1000' })
  readonly amount!: string;

  @Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' })
  @ApiProperty({ type: 'string', pattern: '^[A-Z]{3}$', description: 'ISO 4217.', example: 'USD' })
  readonly currency!: string;
}

/** So much off, and what one bill does not use off the next ones while the coupon lasts. */
export class AmountDiscountBody {
  @IsIn(['amount'])
  readonly kind!: 'amount';

  /** One for each currency in which it can be redeemed. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_COUPON_CURRENCIES)
  @ArrayUnique((value: unknown) => (value as { currency?: unknown } | null | undefined)?.currency, {
    message: '$property must have each currency once',
  })
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => CouponAmountBody)
  readonly amounts!: CouponAmountBody[];
}

const discounts = { percentage: PercentageDiscountBody, amount: AmountDiscountBody } as const;

@ApiExtraModels(PercentageDiscountBody, AmountDiscountBody)
export class CreateCouponBody {
  /** What people type; one coupon has it, whatever the case of its letters. */
  @IsCouponCode()
  @ApiProperty({ type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$', example: 'SPRING-26' })
  readonly code!: string;

  /** As it stands on the invoice; the code when left out. */
  @IsText(200, { optional: true })
  readonly description?: string;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => PercentageDiscountBody, {
    discriminator: {
      property: 'kind',
      subTypes: Object.entries(discounts).map(([name, value]) => ({ name, value })),
    },
    keepDiscriminatorProperty: true,
  })
  @ApiProperty({
    oneOf: Object.values(discounts).map((each) => ({ $ref: getSchemaPath(each) })),
    discriminator: {
      propertyName: 'kind',
      mapping: Object.fromEntries(Object.entries(discounts).map(([kind, each]) => [kind, getSchemaPath(each)])),
    },
  })
  readonly discount!: PercentageDiscountBody | AmountDiscountBody;

  /** `once`, or `forever`, when left out; instead of it `periods`. */
  @ValidateBy({
    name: 'isInPlaceOfPeriods',
    validator: {
      validate: (value: unknown, of) =>
        value === undefined || (of?.object as CreateCouponBody | undefined)?.periods === undefined,
      defaultMessage: () => '$property stands in place of periods',
    },
  })
  @Optional()
  @IsIn(['once', 'forever'])
  readonly duration?: 'once' | 'forever';

  /** Bills at boundaries off which it takes something. */
  @IsWhole(1, 1_000, { optional: true })
  readonly periods?: number;

  /** The items that it is limited to, by their component keys; all lines when left out. */
  @Optional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_ITEMS)
  @ArrayUnique()
  @Matches(/^(?=.*\S)\P{Cc}{1,100}$/u, { each: true, message: 'each of $property must be a component key' })
  readonly componentKeys?: string[];

  /** Subscriptions that may redeem it; any number when left out. */
  @IsWhole(1, 1_000_000_000, { optional: true })
  readonly maxRedemptions?: number;

  /** From this instant on nobody redeems it; where it was redeemed it goes on. */
  @IsInstant({ optional: true })
  readonly expiresAt?: string;

  /** The caller's own id of it. */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  @IsMetadata()
  readonly metadata?: Record<string, string>;
}

export class CouponPath {
  @IsUUID()
  readonly couponId!: string;
}

export class ApplyCouponBody {
  @IsCouponCode()
  @ApiProperty({ type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$', example: 'SPRING-26' })
  readonly code!: string;
}

export class SubscriptionCouponPath extends SubscriptionPath {
  @IsUUID()
  readonly couponId!: string;
}

export class CouponsQuery extends ListQuery {
  @Optional()
  @MaxLength(50)
  @IsCouponCode()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.toUpperCase() : value))
  readonly code?: string;

  @IsText(200, { optional: true })
  readonly externalId?: string;

  @Optional()
  @IsIn(['active', 'archived'])
  readonly status?: 'active' | 'archived';
}

export class CouponAnswer {
  readonly couponId!: string;
  readonly code!: string;
  @ApiProperty({ type: 'string', nullable: true })
  readonly externalId!: string | null;
  readonly description!: string;
  readonly status!: 'active' | 'archived';
  @ApiProperty({ oneOf: Object.values(discounts).map((each) => ({ $ref: getSchemaPath(each) })) })
  readonly discount!: object;
  /** Bills that it lasts for; null: for ever. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly periods!: number | null;
  @ApiProperty({ type: 'array', items: { type: 'string' }, nullable: true })
  readonly componentKeys!: readonly string[] | null;
  @ApiProperty({ type: 'integer', nullable: true })
  readonly maxRedemptions!: number | null;
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true })
  readonly expiresAt!: string | null;
  /** Subscriptions that applied it. */
  @ApiProperty({ type: 'integer' })
  readonly redeemed!: number;
  /** Redemptions that are kept for a subscription and not yet applied. */
  @ApiProperty({ type: 'integer' })
  readonly reserved!: number;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Record<string, string>;
  readonly createdAt!: string;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class CouponFound extends CouponAnswer {
  readonly asOf!: AsOfAnswer;
}

export class CouponPage {
  @ApiProperty({ type: [CouponAnswer] })
  readonly items!: readonly CouponAnswer[];
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}
