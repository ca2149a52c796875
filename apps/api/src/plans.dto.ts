import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsObject,
  IsUUID,
  Matches,
  ValidateNested,
} from 'class-validator';
import { MAX_COMPONENTS, MAX_EVERY, type PlanComponent, type PlanTerms, presets } from '@perennial/billing-domain';
import { IsDecimal, IsMetadata, IsText, IsWhole, Optional } from './http/fields';
import { AsOfAnswer, ListQuery } from './http/parameters.dto';
import { HasPrice, IsPrice, type PriceBody } from './price.dto';
import { MeterBody } from './usage.dto';
import { IntervalBody, RulesBody } from './terms.dto';

export class PlanPath {
  @IsUUID()
  readonly planId!: string;
}

export class PlanVersionPath extends PlanPath {
  /** Counted from 1. */
  @Matches(/^[1-9]\d{0,4}$/, { message: '$property must be a version of the plan' })
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 99_999 })
  readonly version!: string;
}

export class CreatePlanBody {
  /** The caller's own id, unique and immutable; the plan's id derives from it (else from the Idempotency-Key). */
  @IsText(200, { optional: true })
  readonly externalId?: string;

  @IsText(200)
  readonly name!: string;

  @IsMetadata()
  readonly metadata?: Record<string, string>;
}

const IsCurrencyCode = () =>
  applyDecorators(
    Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' }),
    ApiProperty({ type: 'string', pattern: '^[A-Z]{3}$', description: 'ISO 4217.', example: 'USD' }),
  );
const currencyOf = (value: unknown) => (value as { currency?: unknown } | null | undefined)?.currency;

/** An amount of a whole period in one currency. */
export class PlanAmountBody {
  @IsCurrencyCode()
  readonly currency!: string;

  /** Decimal of the minor unit. */
  @IsDecimal({ example: '10000' })
  readonly amount!: string;
}

/** A component's price in one currency. */
@HasPrice()
export class PlanPriceBody {
  @IsCurrencyCode()
  readonly currency!: string;

  @IsPrice()
  readonly price!: PriceBody;
}

export class PlanComponentBody {
  /** Names it in every version: quantities and tiers go on when a subscription moves to a version that has it too. */
  @IsText(100)
  readonly componentKey!: string;

  /** As it stands on the invoice. */
  @IsText(500)
  readonly description!: string;

  /** `one-time`: a set-up fee, charged once when it comes into a subscription's terms. */
  @IsIn(['recurring', 'usage', 'one-time'])
  readonly kind!: 'recurring' | 'usage' | 'one-time';

  /** true: an add-on, which a start or change picks. */
  @Optional()
  @IsBoolean()
  readonly optional?: boolean;

  /** Charged at the start of its interval, or at its end; usage always at the end. */
  @IsIn(['advance', 'arrears'])
  readonly timing!: 'advance' | 'arrears';

  /** Bills every so many periods, for as many; 1 when left out. */
  @IsWhole(1, MAX_EVERY, { optional: true })
  readonly every?: number;

  /** What usage is measured by; of usage alone. */
  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => MeterBody)
  readonly meter?: MeterBody;

  /** Of usage: whether its tiers and free units go on when the terms change within a period, as when left out, or start anew. */
  @Optional()
  @IsIn(['go-on', 'restart'])
  readonly segments?: 'go-on' | 'restart';

  /** One for each currency of the plan. */
  @IsArray()
  @ArrayMaxSize(20)
  @ArrayUnique(currencyOf, { message: '$property must have each currency once' })
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PlanPriceBody)
  readonly prices!: PlanPriceBody[];

  @IsText(50, { optional: true })
  readonly taxCode?: string;

  @Optional()
  @IsIn(['exclusive', 'inclusive', 'unspecified'])
  readonly taxBehaviour?: 'exclusive' | 'inclusive' | 'unspecified';

  /** Whether coupons may take something off it; true when left out. */
  @Optional()
  @IsBoolean()
  readonly discountable?: boolean;
}

const AreAmounts = () => {
  const decorators = [
    Optional(),
    IsArray(),
    ArrayMaxSize(20),
    ArrayUnique(currencyOf, { message: '$property must have each currency once' }),
    IsObject({ each: true }),
    ValidateNested({ each: true }),
    Type(() => PlanAmountBody),
  ];
  return (target: object, property: string) => decorators.forEach((decorate) => decorate(target, property));
};

/** What a version of a plan asks for; a draft may be incomplete. */
export class PlanTermsBody {
  /** The period: the shortest cadence of its components. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => IntervalBody)
  readonly interval!: IntervalBody;

  /**
   * Every component has a price in each of these.
   * @example ["USD", "EUR"]
   */
  @IsArray()
  @ArrayMaxSize(20)
  @Matches(/^[A-Z]{3}$/, { each: true, message: 'each of $property must be an ISO 4217 code' })
  readonly currencies!: string[];

  @IsArray()
  @ArrayMaxSize(MAX_COMPONENTS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => PlanComponentBody)
  readonly components!: PlanComponentBody[];

  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => RulesBody)
  readonly rules?: RulesBody;

  /** What a whole period comes to at least, over all components. */
  @AreAmounts()
  readonly minimum?: PlanAmountBody[];

  /** What a whole period comes to at most, over all components. */
  @AreAmounts()
  readonly maximum?: PlanAmountBody[];

  @IsWhole(0, 3660, { optional: true })
  readonly trialDays?: number;

  /** Periods before the end of which nobody cancels. */
  @IsWhole(0, 3660, { optional: true })
  readonly minimumTermPeriods?: number;

  @IsWhole(0, 3660, { optional: true })
  readonly noticeDays?: number;

  /** How long usage may arrive after the end of its period. */
  @IsWhole(0, 3660, { optional: true })
  readonly usageGraceHours?: number;
}

export class PlansQuery extends ListQuery {
  @IsText(200, { optional: true })
  readonly externalId?: string;
}

export class PlanVersionAnswer {
  @ApiProperty({ type: 'integer' })
  readonly version!: number;
  readonly status!: 'draft' | 'published' | 'archived';
  readonly draftedAt!: string;
  readonly publishedAt!: string | null;
  readonly archivedAt!: string | null;
  /** As a draft takes them; of a published version with its decimals in canonical form. */
  readonly terms!: PlanTermsBody;
}

export class PlanSummaryAnswer {
  readonly planId!: string;
  readonly externalId!: string | null;
  readonly name!: string;
  /** Versions that were drafted. */
  @ApiProperty({ type: 'integer' })
  readonly versionCount!: number;
  /** The newest version that is published now, which what starts takes; null: none. */
  @ApiProperty({ type: 'integer', nullable: true })
  readonly publishedVersion!: number | null;
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  readonly metadata!: Record<string, string>;
  readonly createdAt!: string;
  readonly revision!: string;
  readonly position!: string;
  readonly recordedAt!: string;
}

export class PlanPage {
  @ApiProperty({ type: [PlanSummaryAnswer] })
  readonly items!: readonly PlanSummaryAnswer[];
  /** There while there is more. */
  readonly nextCursor?: string;
  readonly asOf!: AsOfAnswer;
}

export class PlanFound extends PlanSummaryAnswer {
  @ApiProperty({ type: [PlanVersionAnswer] })
  readonly versions!: readonly PlanVersionAnswer[];
  readonly asOf!: AsOfAnswer;
}

/** The terms as the domain has them: what stands per currency as a record, what was left out filled in. */
export function termsOf({ components, minimum, maximum, rules, ...body }: PlanTermsBody): PlanTerms {
  const { preset = 'perennial', ...named } = rules ?? {};
  return plain({
    ...body,
    rules: { ...presets[preset], ...named },
    components: components.map(componentOf),
    ...(minimum && { minimum: amountsOf(minimum) }),
    ...(maximum && { maximum: amountsOf(maximum) }),
  });
}

/** Without what a body class leaves undefined: what an event has is what its JSON has. */
const plain = (terms: PlanTerms) => JSON.parse(JSON.stringify(terms)) as PlanTerms;

function componentOf({ prices, optional, ...body }: PlanComponentBody): PlanComponent {
  const { every = 1, taxCode = null, taxBehaviour = 'unspecified', discountable = true } = body;
  return {
    ...body,
    every,
    taxCode,
    taxBehaviour,
    discountable,
    ...(optional === true && { optional }),
    prices: Object.fromEntries(prices.map(({ currency, price }) => [currency, price])),
  };
}

const amountsOf = (amounts: readonly PlanAmountBody[]) =>
  Object.fromEntries(amounts.map(({ currency, amount }) => [currency, amount]));

/** The terms as a body that drafts the same. */
export function bodyOf({ components, minimum, maximum, rules, ...terms }: PlanTerms): PlanTermsBody {
  const { rounding: _, ...named } = rules;
  // The read model keeps no order of what stands per currency.
  const inOrder = <T>(perCurrency: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(perCurrency).sort(([a], [b]) => terms.currencies.indexOf(a) - terms.currencies.indexOf(b));
  const amounts = (of: Readonly<Record<string, string>>) =>
    inOrder(of).map(([currency, amount]) => ({ currency, amount }));
  return {
    ...terms,
    currencies: [...terms.currencies],
    rules: named,
    components: components.map(({ prices, taxCode, ...component }) => ({
      ...component,
      ...(taxCode !== null && { taxCode }),
      prices: inOrder(prices).map(([currency, price]) => ({ currency, price: price as PriceBody })),
    })),
    ...(minimum && { minimum: amounts(minimum) }),
    ...(maximum && { maximum: amounts(maximum) }),
  };
}
