import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsDefined,
  IsIn,
  IsObject,
  IsString,
  IsUUID,
  Matches,
  MaxLength,
  MinLength,
  ValidateBy,
  ValidateNested,
  type ValidationArguments,
} from 'class-validator';
import { MAX_COMPONENTS, type PlanChoice } from '@perennial/billing-domain';
import type { NamedPlan } from '@perennial/billing-application';
import { IsDecimal, IsText, IsWhole, Optional } from './http/fields';
import { IsLocalDate } from './http/instant';

/** From when on, and when the difference is billed. */
export class ChangeTimeBody {
  /** `now`, when left out, or from the end of the open period on. */
  @Optional()
  @IsIn(['now', 'period-end'])
  readonly when?: 'now' | 'period-end';

  /** In place of `when`: from the start of this local date on, today or back to the start of the previous period. */
  @ValidateBy({
    name: 'isInPlaceOfWhen',
    validator: {
      validate: (_: unknown, of?: ValidationArguments) =>
        (of?.object as ChangeTimeBody | undefined)?.when === undefined,
      defaultMessage: () => '$property stands in place of when',
    },
  })
  @IsLocalDate({ optional: true })
  readonly effectiveOn?: string;

  /** `now`: a bill of its own. `next-bill`, when left out: the next bill has it. What reaches into a closed period is billed now. */
  @Optional()
  @IsIn(['now', 'next-bill'])
  readonly billing?: 'now' | 'next-bill';
}

const decimal = /^(0|[1-9]\d{0,11})(\.\d{1,12})?$/;

/** Decimals by component key. */
function AreQuantities() {
  return applyDecorators(
    Optional(),
    ValidateBy({
      name: 'areQuantities',
      validator: {
        validate: (value: unknown) =>
          typeof value === 'object' &&
          value !== null &&
          !Array.isArray(value) &&
          Object.entries(value).length <= MAX_COMPONENTS &&
          Object.entries(value).every(
            ([key, quantity]) => key.length <= 100 && typeof quantity === 'string' && decimal.test(quantity),
          ),
        defaultMessage: () => '$property must have decimal strings such as "3" by component key',
      },
    }),
    ApiProperty({
      selfRequired: false,
      type: 'object',
      additionalProperties: { type: 'string', pattern: decimal.source },
      maxProperties: MAX_COMPONENTS,
      example: { seats: '5' },
    }),
  );
}

/** Component keys, each once. */
const AreComponentKeys = () =>
  applyDecorators(
    Optional(),
    IsArray(),
    ArrayMaxSize(MAX_COMPONENTS),
    ArrayUnique(),
    IsString({ each: true }),
    MinLength(1, { each: true }),
    MaxLength(100, { each: true }),
  );

/** A published version of a plan, and what is picked of it. */
export class PlanChoiceBody {
  @Optional()
  @IsUUID()
  readonly planId?: string;

  /** In place of `planId`. */
  @ValidateBy({
    name: 'isInPlaceOfPlanId',
    validator: {
      validate: (_: unknown, of?: ValidationArguments) =>
        (of?.object as PlanChoiceBody | undefined)?.planId === undefined,
      defaultMessage: () => '$property stands in place of planId',
    },
  })
  @IsText(200, { optional: true })
  readonly externalId?: string;

  /** The newest that is published when left out. */
  @IsWhole(1, 99_999, { optional: true })
  readonly version?: number;

  /** By component key, of what has a quantity; as it is, or 1, when left out. */
  @AreQuantities()
  readonly quantities?: Record<string, string>;

  /**
   * Component keys of the plan's optional components. When left out: none at the start; with a change those that are there and that
   * the version has, too.
   */
  @AreComponentKeys()
  readonly addOns?: string[];
}

/** A plan by one of its two names. */
export function IsPlanChoice() {
  return applyDecorators(
    IsObject(),
    ValidateNested(),
    ValidateBy({
      name: 'isNamed',
      validator: {
        validate: (plan: PlanChoiceBody | null) =>
          typeof plan === 'object' && plan !== null && (plan.planId ?? plan.externalId) !== undefined,
        defaultMessage: () => '$property must have either planId or externalId',
      },
    }),
    Type(() => PlanChoiceBody),
  );
}

export class ChangePlanBody extends ChangeTimeBody {
  @IsDefined()
  @IsPlanChoice()
  readonly plan!: PlanChoiceBody;

  /**
   * Another one of the plan's, from the end of the open period on; the one that the subscription has when left out.
   * @example "EUR"
   */
  @Optional()
  @Matches(/^[A-Z]{3}$/, { message: '$property must be an ISO 4217 code' })
  readonly currency?: string;
}

export class AddOnBody {
  @IsText(100)
  readonly componentKey!: string;

  /** As it is, or 1, when left out. */
  @IsDecimal({ optional: true })
  readonly quantity?: string;
}

export class ChangeAddOnsBody extends ChangeTimeBody {
  /** Optional components of the plan that the subscription is on. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(MAX_COMPONENTS)
  @ArrayUnique((each: AddOnBody | null) => each?.componentKey)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => AddOnBody)
  readonly add?: AddOnBody[];

  /** Component keys. */
  @AreComponentKeys()
  readonly remove?: string[];
}

export class TimeZoneBody {
  /**
   * IANA name.
   * @example "America/New_York"
   */
  @Matches(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, { message: '$property must be an IANA time zone name' })
  readonly timeZone!: string;
}

/** The plan as the commands take it. */
export function planChoiceOf({ planId, externalId = '', ...choice }: PlanChoiceBody): NamedPlan & PlanChoice {
  return { ...choice, ...(planId === undefined ? { externalId } : { planId: planId.toLowerCase() }) };
}

/** From when on, as the commands take it. */
export function whenOf({ when, effectiveOn, billing }: ChangeTimeBody) {
  return { when: effectiveOn === undefined ? when : { effectiveOn }, billing };
}
