import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { plainToInstance, Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsObject,
  Matches,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { MAX_EVERY, MAX_ITEMS, type PresetName, presets } from '@perennial/billing-domain';
import { IsDecimal, IsText, IsWhole, Optional } from './http/fields';
import { HasPrice, IsPrice, type PriceBody } from './price.dto';
import { MeterBody } from './usage.dto';

export class IntervalBody {
  @IsIn(['day', 'week', 'month', 'year'])
  readonly unit!: 'day' | 'week' | 'month' | 'year';

  /** At most 3660 days, 520 weeks, 120 months or 10 years. */
  @IsWhole(1, 3660)
  readonly count!: number;
}

/** From where periods are counted: a day of the month, or a moment on the wall clock. Default: the day of the start. */
export class AnchorBody {
  @IsWhole(1, 31, { optional: true })
  readonly dayOfMonth?: number;

  /**
   * On the wall clock of `timeZone`.
   * @example "2026-01-31T00:00:00"
   */
  @Optional()
  @Matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/, {
    message: '$property must be a local date-time such as 2026-01-31T00:00:00',
  })
  readonly localDateTime?: string;
}

/** An anchor that may be left out and has one of its two fields. */
export function IsAnchor() {
  return applyDecorators(
    Optional(),
    IsObject(),
    ValidateNested(),
    ValidateBy({
      name: 'isEither',
      validator: {
        validate: (anchor: AnchorBody | null) =>
          typeof anchor === 'object' &&
          anchor !== null &&
          (anchor.dayOfMonth === undefined) !== (anchor.localDateTime === undefined),
        defaultMessage: () => '$property must have either dayOfMonth or localDateTime',
      },
    }),
    Type(() => AnchorBody),
  );
}

/** What is charged in every period. */
@HasPrice()
export class ItemBody {
  /** `usage`: its quantity is what its meter measures. `one-time`: charged once, when it comes into the terms. Left out: it recurs. */
  @Optional()
  @IsIn(['usage', 'one-time'])
  readonly kind?: 'usage' | 'one-time';

  @Optional()
  @IsObject()
  @ValidateNested()
  @Type(() => MeterBody)
  readonly meter?: MeterBody;

  /** Of usage: whether its tiers and free units go on when the terms change within a period, as when left out, or start anew. */
  @Optional()
  @IsIn(['go-on', 'restart'])
  readonly segments?: 'go-on' | 'restart';

  /** Of the caller's; the component key when left out. */
  @IsText(100, { optional: true })
  readonly itemId?: string;

  /** What it is a charge for, one item for each; "base" when left out. */
  @IsText(100, { optional: true })
  readonly componentKey?: string;

  /** As it stands on the invoice. */
  @IsText(500)
  readonly description!: string;

  /** 1 when left out; usage has none. */
  @IsDecimal({ optional: true })
  readonly quantity?: string;

  /** Of what recurs: bills every so many periods, for as many; 1 when left out. */
  @IsWhole(1, MAX_EVERY, { optional: true })
  readonly every?: number;

  @IsText(50, { optional: true })
  readonly taxCode?: string;

  @Optional()
  @IsIn(['exclusive', 'inclusive', 'unspecified'])
  readonly taxBehaviour?: 'exclusive' | 'inclusive' | 'unspecified';

  /** Whether coupons may take something off it; true when left out. */
  @Optional()
  @IsBoolean()
  readonly discountable?: boolean;

  /** Charged at the start of the time that it bills, or at its end. */
  @IsIn(['advance', 'arrears'])
  readonly timing!: 'advance' | 'arrears';

  @IsPrice()
  readonly price!: PriceBody;
}

/** Items of a subscription: 1 to 20. */
export function AreItems() {
  return applyDecorators(
    IsArray(),
    ArrayMinSize(1),
    ArrayMaxSize(MAX_ITEMS),
    IsObject({ each: true }),
    ValidateNested({ each: true }),
    Type(() => ItemBody),
  );
}

const presetNames = Object.keys(presets) as PresetName[];

/** How pieces of periods are counted, credited and rounded: a preset, in which the other fields take the place of its own. */
export class RulesBody {
  /** The rules that hold where no field says otherwise; `perennial` when left out. */
  @Optional()
  @IsIn(presetNames)
  @ApiProperty({ required: false, enum: presetNames, default: 'perennial' })
  readonly preset?: PresetName;

  /** What a piece of a period is counted in: local dates, or elapsed seconds. */
  @Optional()
  @IsIn(['calendar-day', 'second'])
  readonly prorationUnit?: 'calendar-day' | 'second';

  /** inclusive: the day on which a cancellation ends a service counts as used. */
  @Optional()
  @IsIn(['half-open', 'inclusive'])
  readonly dayCount?: 'half-open' | 'inclusive';

  /** tier: rounded once for each tier of a tiered price, not once for each line. */
  @Optional()
  @IsIn(['tier'])
  readonly roundedPer?: 'tier';

  /** Digits after the point to which days ÷ days is rounded before it multiplies; exact when left out. */
  @IsWhole(1, 18, { optional: true })
  readonly fractionDigits?: number;

  /** imagined-period: the first, short piece counts against an interval that begins with it. */
  @Optional()
  @IsIn(['imagined-period'])
  readonly leadingStub?: 'imagined-period';

  /** What a piece that is taken back gives: see docs/billing-rules.md. */
  @Optional()
  @IsIn(['billed', 'current-price'])
  readonly creditBasis?: 'billed' | 'current-price';

  /** true: every month has 30 days. */
  @Optional()
  @IsIn([true])
  @ApiProperty({ required: false, type: 'boolean', enum: [true] })
  readonly fixedMonths?: true;

  /** The terms on which usage of the day of a change is rated; cut at the moment of the change when left out. */
  @Optional()
  @IsIn(['old-terms', 'new-terms'])
  readonly usageOnChangeDay?: 'old-terms' | 'new-terms';
}

/** Another quantity of an item. */
export class QuantityEditBody {
  @IsIn(['quantity'])
  readonly kind!: 'quantity';

  @IsText(100)
  readonly itemId!: string;

  @IsDecimal({ example: '3' })
  readonly quantity!: string;
}

/** Adds the item, or puts it in the place of the one with its id: another price, another plan. */
export class PutItemEditBody {
  @IsIn(['put'])
  readonly kind!: 'put';

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => ItemBody)
  readonly item!: ItemBody;
}

export class RemoveItemEditBody {
  @IsIn(['remove'], { message: '$property must be one of quantity, put, remove, commitment' })
  readonly kind!: 'remove';

  @IsText(100)
  readonly itemId!: string;
}

/** What a whole period comes to at least and at most, over all its fees and before coupons. */
export class CommitmentBody {
  /** A decimal of the minor unit: what is missing is billed when the period closes. */
  @IsDecimal({ optional: true, example: '10000' })
  readonly minimum?: string;

  /** A decimal of the minor unit: what is above is given back when the period closes. */
  @IsDecimal({ optional: true, example: '50000' })
  readonly maximum?: string;

  /** Whether coupons take something off what a minimum adds; false when left out. */
  @Optional()
  @IsBoolean()
  readonly discountableTrueUps?: boolean;
}

/** Another minimum or maximum; null takes it away, what is left out stays. */
export class CommitmentEditBody {
  @IsIn(['commitment'])
  readonly kind!: 'commitment';

  @ValidateIf((edit: CommitmentEditBody) => edit.minimum !== null)
  @IsDecimal({ optional: true, nullable: true, example: '10000' })
  readonly minimum?: string | null;

  @ValidateIf((edit: CommitmentEditBody) => edit.maximum !== null)
  @IsDecimal({ optional: true, nullable: true, example: '50000' })
  readonly maximum?: string | null;

  @Optional()
  @IsBoolean()
  readonly discountableTrueUps?: boolean;
}

export type EditBody = QuantityEditBody | PutItemEditBody | RemoveItemEditBody | CommitmentEditBody;

const edits = {
  quantity: QuantityEditBody,
  put: PutItemEditBody,
  remove: RemoveItemEditBody,
  commitment: CommitmentEditBody,
} as const;

/** Edits of items, done in their order. */
export function AreEdits(least: 0 | 1) {
  return applyDecorators(
    ...(least === 0 ? [Optional()] : []),
    IsArray(),
    ArrayMinSize(least),
    ArrayMaxSize(50),
    IsObject({ each: true }),
    ValidateNested({ each: true }),
    // Not a discriminator of @Type, which fails on elements that are no objects.
    Transform(({ value }: { value: unknown }) => (Array.isArray(value) ? value.map(editOf) : value)),
    // The document takes models in from a class alone, not from its fields.
    (of: object) => void ApiExtraModels(...Object.values(edits))(of.constructor),
    ApiProperty({
      required: least > 0,
      type: 'array',
      minItems: least,
      maxItems: 50,
      items: {
        oneOf: Object.values(edits).map((each) => ({ $ref: getSchemaPath(each) })),
        discriminator: {
          propertyName: 'kind',
          mapping: Object.fromEntries(Object.entries(edits).map(([kind, each]) => [kind, getSchemaPath(each)])),
        },
      },
    }),
  );
}

function editOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { kind } = value as { kind?: unknown };
  const body = Object.entries(edits).find(([name]) => name === kind)?.[1] ?? RemoveItemEditBody;
  return plainToInstance<object, object>(body, value);
}
